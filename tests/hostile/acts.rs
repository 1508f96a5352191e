//! What a plugin may try while it is called, and what has to come of it: the shipped guests as they are, and small
//! components that no compiler makes.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value as Json, json};
use stokehold::plugin::PluginGrants;
use stokehold_tests::guests;

use crate::sandbox::component::Wat;
use crate::sandbox::network::Server;
use crate::sandbox::trial::tried;

/// What each line that floods the log says.
pub(super) const FLOOD: &str = "water over the deck";
/// Lines of one call that are logged.
pub(super) const LOG_LINES_MAX: u64 = 20;

/// The deadline of a call, as a fault tells it.
const LATE: End = End::Fails("deadline of 6000 ms");
const TRAPS: End = End::Fails("wasm `unreachable`");
const DENIED: End = End::Fails("HttpRequestDenied");
const ASTRAY: End = End::Fails("DestinationIpProhibited");

/// How an act ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// The job fails, and these words are in its error.
    Fails(&'static str),
    /// The job completes: the act was given less than it took for granted.
    Completes,
    /// The job completes, and this word is what the field `came` says.
    Reports(&'static str),
}

/// One job.
pub(super) struct Act {
    /// Whose.
    pub(super) handler: &'static str,
    /// Its resource, without an id.
    pub(super) input: Json,
    pub(super) end: End,
}

/// Servers of the network that the host lives in.
pub(super) struct Network {
    /// Which `guest_http` is granted.
    pub(super) granted: Server,
    /// Which nobody is granted.
    pub(super) refused: Server,
}

impl Network {
    pub(super) async fn start() -> Self {
        Self { granted: Server::start().await, refused: Server::start().await }
    }

    /// A name for the granted server that nobody has said of to mean this machine. It is no address for a URL, but one
    /// for the system's resolver, which asks nobody: 127.0.0.1.
    fn near(&self) -> String {
        let port = self.granted.authority.rsplit_once(':').map_or("", |(_, port)| port);
        format!("127.1:{port}")
    }

    /// What `guest_http` is granted.
    pub(super) fn grants(&self) -> PluginGrants {
        let granted = format!("GET http://{}", self.granted.authority);
        let http = vec![granted, self.near(), format!("{METADATA} local")];
        PluginGrants { http, ..PluginGrants::default() }
    }
}

/// 169.254.169.254 as the resolver also reads it.
const METADATA: &str = "169.254.43518:80";

/// Everything, one after the other.
pub(super) fn all(network: &Network) -> Vec<Act> {
    let mut all = Vec::new();
    let mut add = |handler, input, end| all.push(Act { handler, input, end });
    for (act, n, end) in ACTS {
        let say = if act == "log" { FLOOD } else { "the boiler is cold" };
        add("guest_acts", json!({"act": act, "n": n, "say": say}), end);
    }
    let (granted, refused) = (&network.granted.authority, &network.refused.authority);
    for (url, end) in [
        (format!("http://{refused}/"), DENIED),
        (format!("https://{granted}/"), DENIED),
        // It goes where the answer sends it.
        (format!("http://{granted}/redirect?{refused}"), DENIED),
        ("http://169.254.169.254/latest".to_owned(), DENIED),
        (format!("http://{METADATA}/latest"), ASTRAY),
        (format!("http://{}/", network.near()), ASTRAY),
        (format!("http://{granted}/drip"), LATE),
        (format!("http://{granted}/silent"), LATE),
    ] {
        add("guest_http", json!({"url": url, "method": "GET", "follow": true}), end);
    }
    add("guest_http", json!({"url": format!("http://{granted}/"), "method": "DELETE"}), DENIED);
    let secret = json!({"authorization": "{{secret:token}}"});
    let input = json!({"url": format!("http://{granted}/"), "method": "GET", "headers": secret});
    add("guest_http", input, DENIED);
    for act in ["udp", "tcp"] {
        let input = json!({"act": act, "to": refused, "times": 1});
        add("guest_sockets", input, End::Reports("PermissionDenied"));
    }
    for (handler, _, end) in smalls() {
        add(handler, json!({}), end);
    }
    all
}

/// What `guest_acts` does, with how much.
const ACTS: [(&str, u64, End); 15] = [
    ("spin", 0, LATE),
    ("spin in the host", 2_000_000, LATE),
    ("sleep", 60_000, LATE),
    ("eat", 100, End::Fails("memory of 67108864 bytes")),
    ("recurse", 0, End::Fails("handler trapped")),
    ("panic", 0, End::Fails("the boiler is cold")),
    ("exit", 0, End::Fails("it called exit(1)")),
    ("big report", 8_000_000, End::Fails("it handed over more than")),
    ("big checkpoint", 10_000_000, End::Fails("it handed over more than")),
    ("fatal", 12_000_000, End::Fails("it handed over more than")),
    ("many reports", 1_000_000, End::Fails("it reported more than")),
    ("bad report", 0, End::Fails("is not JSON")),
    ("log", 2_000, End::Completes),
    ("print", 1_000, End::Completes),
    ("odd names", 0, End::Completes),
];

/// The small components: what each calls itself, what it is, and how it ends.
fn smalls() -> Vec<(&'static str, Wat<'static>, End)> {
    let realloc = |realloc| Wat { realloc, ..Wat::default() };
    vec![
        ("traps_at_once", Wat { handle: "unreachable", ..Wat::default() }, TRAPS),
        ("traps_in_realloc", realloc("unreachable"), TRAPS),
        ("loops_in_realloc", realloc("(loop (br 0))"), LATE),
        ("traps_afterwards", Wat { parts: AFTERWARDS, ..Wat::default() }, TRAPS),
        ("grows_a_table", Wat { parts: TABLE, handle: GROW, ..Wat::default() }, TRAPS),
        ("reports_no_text", Wat { imports: REPORT, handle: NO_TEXT, ..Wat::default() }, UTF_8),
        ("says_too_much", Wat { pages: 1_600, handle: TOO_MUCH, ..Wat::default() }, OVER),
    ]
}

const UTF_8: End = End::Fails("utf-8");
const OVER: End = End::Fails("it handed over more than");
const AFTERWARDS: &str = r#"(func (export "cabi_post_stokehold:worker/handler@0.1.0#handle")
    (param i32) unreachable)"#;
const TABLE: &str = "(table $t 1 funcref)";
/// As much as it gets, and then it does not believe that there is no more.
const GROW: &str = "(loop (br_if 0 (i32.ne (i32.const -1)
    (table.grow $t (ref.null func) (i32.const 1000))))) unreachable";
const REPORT: &str = r#"(import "stokehold:worker/state@0.1.0" "report"
    (func $report (param i32 i32 i32 i32)))"#;
/// Two bytes that no text has, as the value of a field.
const NO_TEXT: &str = "(i32.store16 (i32.const 2048) (i32.const 0x6b6f))
    (i32.store16 (i32.const 2052) (i32.const 0xffff))
    (call $report (i32.const 2048) (i32.const 2) (i32.const 2052) (i32.const 2))";
/// It fails, with a hundred megabytes of reason that are all there.
const TOO_MUCH: &str = "(memory.fill (i32.const 65536) (i32.const 32) (i32.const 100000000))
    (i32.store8 (i32.const 256) (i32.const 2)) (i32.store (i32.const 264) (i32.const 0))
    (i32.store (i32.const 268) (i32.const 65536)) (i32.store (i32.const 272) (i32.const 100000000))";

/// All handlers, by name.
pub(super) fn handlers() -> Vec<&'static str> {
    let small = smalls().into_iter().map(|(name, ..)| name);
    small.chain(["guest_acts", "guest_http", "guest_sockets", TRIED]).collect()
}

/// Puts the plugins of all handlers into a folder, and files beside them that are no plugins.
pub(super) fn install(folder: &Path) -> Result<()> {
    for (name, wat, _) in smalls() {
        std::fs::write(folder.join(format!("{name}.wasm")), Wat { name, ..wat }.worker())?;
    }
    for guest in ["guest_acts", "guest_http", "guest_sockets"] {
        std::fs::copy(guests::build(guest), folder.join(format!("{guest}.wasm")))?;
    }
    put_tried(folder, "")?;
    // What it says has to be there before it can be said.
    std::fs::write(folder.join("says_too_much.toml"), "memory_bytes_max = 134217728\n")?;
    let describes = Wat { describe: "unreachable", name: "traps_in_describe", ..Wat::default() };
    std::fs::write(folder.join("traps_in_describe.wasm"), describes.worker())?;
    std::fs::write(folder.join("broken.wasm"), b"\0asm and then nothing of use")?;
    Ok(())
}

/// The plugin whose new versions do not stand their trial.
pub(super) const TRIED: &str = "tried";

/// Puts a version of it whose dry call does this, at once as whoever installs something should.
pub(super) fn put_tried(folder: &Path, attempt: &str) -> Result<()> {
    let draft = folder.join(".tried.draft");
    std::fs::write(&draft, tried(TRIED, attempt))?;
    std::fs::rename(draft, folder.join(format!("{TRIED}.wasm")))?;
    Ok(())
}
