//! `stokehold plugins`: which versions of which plugins are in service on which host.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::{Context, Result};
use serde_json::json;

use super::crew::Crew;
use super::leader::{place, span};
use super::plain::plain;
use super::{Answer, entries, flags, load};
use crate::domain::{HostId, Json, PluginStatus, PluginWish, Presence, Stage};
use crate::plugin::Bounds;

const ABOUT: &str = "\
A host looks at its folder of plugins again and again: a file that is new or has changed is compiled
aside, checked, and put in service in one step; what is wrong with it is told here, and the version
before it stays. A version is named by the beginning of its file's SHA-256.

The exit code is 1 where no host runs, or where a file or a version is not in service.";

/// Characters of a digest that are shown to eyes.
const DIGEST_CHARS: usize = 12;

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// One JSON object: hosts, each with its plugins and the files that are not used.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: flags::StoreFlags,
}

pub(super) async fn plugins(args: Args) -> Result<Answer> {
    let store = entries::open(&load::places(&args.settings.0)?).await?;
    let crew = Crew::read(&*store).await?;
    let now_ms = entries::now_ms()?;
    let text = if args.json { format!("{}\n", as_json(&crew)) } else { as_text(&crew, now_ms) };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot print")?;
    Ok(if is_well(&crew) { Answer::Yes } else { Answer::No })
}

fn is_well(crew: &Crew) -> bool {
    let well = |host: &Presence| {
        let refused = host.plugins.iter().any(|plugin| plugin.refused.is_some());
        host.faults.is_empty() && !refused
    };
    !crew.hosts.is_empty() && crew.hosts.values().all(well)
}

fn as_text(crew: &Crew, now_ms: u64) -> String {
    if crew.hosts.is_empty() {
        return "no host is running, so no plugin is in service; `stokehold run` starts one\n"
            .into();
    }
    let mut lines = Vec::new();
    for (id, host) in &crew.hosts {
        lines.push(format!("host {id}{}", place(host)));
        lines.extend(host.plugins.iter().flat_map(|plugin| of_plugin(plugin, now_ms)));
        for fault in &host.faults {
            let known = |plugin: &&PluginStatus| {
                plugin.file == fault.file && plugin.refused.as_ref() == Some(&fault.reason)
            };
            if !host.plugins.iter().any(|plugin| known(&plugin)) {
                lines.push(format!("  {} is not used: {}", fault.file, fault.reason));
            }
        }
        if host.plugins.is_empty() && host.faults.is_empty() {
            lines.push("  no plugins".to_owned());
        }
    }
    lines.iter().flat_map(|line| [plain(line), "\n".into()]).collect()
}

fn of_plugin(plugin: &PluginStatus, now_ms: u64) -> Vec<String> {
    let up = span(now_ms.saturating_sub(plugin.since_ms));
    let code = if plugin.is_from_cache { "code from the cache" } else { "compiled" };
    let former = plugin.former.as_deref().map(short);
    let back = former.as_deref().unwrap_or("none");
    let mut lines = Vec::new();
    let (name, kind, digest) = (&plugin.name, plugin.kind.word(), short(&plugin.digest));
    lines.push(format!("  {name}, {kind}, version {digest}, in service for {up}, {code}"));
    match plugin.stage {
        Stage::Trusted => {}
        Stage::OnTrial => lines.push(format!("    on trial: a fault brings {back} back")),
        Stage::Canary => {
            lines.push(format!("    canary: gets a share of the jobs, {back} the others"));
        }
    }
    match plugin.paused_until_ms {
        Some(until) if until > now_ms => {
            let span = span(until - now_ms);
            lines.push(format!("    paused for {span} more after faults in a row"));
        }
        Some(_) => lines.push("    paused after faults in a row until a call tries".to_owned()),
        None => {}
    }
    if let Some(reason) = &plugin.refused {
        lines.push(format!("    its newest file is not in service: {reason}"));
    }
    let mut by_standing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for wish in &plugin.wishes {
        let text = format!("{}{}", wish.asked, remedy(wish));
        by_standing.entry(&wish.standing).or_default().push(text);
    }
    let wishes =
        by_standing.iter().map(|(standing, all)| format!("    {standing}: {}", all.join(", ")));
    lines.extend(wishes);
    lines
}

/// What would grant it, or that nothing would.
fn remedy(wish: &PluginWish) -> String {
    let most = || {
        let (limit, _) = wish.asked.split_once(' ')?;
        Bounds::most(&format!("{}_max", limit.replace('-', "_")))
    };
    match (&wish.line, most()) {
        (Some(line), _) => format!(" ({line})"),
        (None, Some(most)) if wish.standing == "beyond" => {
            format!(" (more than this host can give, {most} at most)")
        }
        _ => String::new(),
    }
}

/// As much of a digest as tells versions apart.
fn short(digest: &str) -> String {
    digest.chars().take(DIGEST_CHARS).collect()
}

fn as_json(crew: &Crew) -> Json {
    let hosts: Vec<_> = crew.hosts.iter().map(|(id, host)| of_host(id, host)).collect();
    json!({"hosts": hosts})
}

fn of_host(id: &HostId, host: &Presence) -> Json {
    let plugins = host.plugins.iter().map(|plugin| {
        json!({
            "name": plugin.name, "kind": plugin.kind.word(), "file": plugin.file,
            "digest": plugin.digest, "since_ms": plugin.since_ms,
            "from_cache": plugin.is_from_cache, "stage": plugin.stage.word(),
            "former": plugin.former, "paused_until_ms": plugin.paused_until_ms,
            "refused": plugin.refused, "wishes": wishes(plugin),
        })
    });
    let plugins: Vec<_> = plugins.collect();
    let faults: Vec<_> = host
        .faults
        .iter()
        .map(|fault| json!({"file": fault.file, "reason": fault.reason}))
        .collect();
    json!({
        "id": id.as_str(), "node": host.node, "pid": host.pid, "plugins": plugins,
        "faults": faults,
    })
}

fn wishes(plugin: &PluginStatus) -> Vec<Json> {
    let wishes = plugin.wishes.iter();
    wishes.map(|it| json!({"asked": it.asked, "standing": it.standing, "line": it.line})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PluginFault, PluginKind, PluginWish};

    fn plugin(name: &str) -> PluginStatus {
        PluginStatus {
            name: name.into(),
            file: format!("handlers/{name}.wasm"),
            kind: PluginKind::Handler,
            digest: "0123456789abcdef".into(),
            since_ms: 1_000,
            is_from_cache: true,
            stage: Stage::Trusted,
            former: None,
            paused_until_ms: None,
            refused: None,
            wishes: Vec::new(),
        }
    }

    fn crew(plugins: Vec<PluginStatus>, faults: Vec<PluginFault>) -> Crew {
        let host = Presence { node: "n1".into(), pid: 7, plugins, faults, ..Presence::default() };
        Crew { hosts: [("a".into(), host)].into(), ..Crew::default() }
    }

    #[test]
    fn every_plugin_tells_its_version_its_stage_and_what_is_wrong() {
        let former = Some("fedcba9876543210".to_owned());
        let reason = "is empty".to_owned();
        let canary = PluginStatus { stage: Stage::Canary, former: former.clone(), ..plugin("b") };
        let trial = PluginStatus { stage: Stage::OnTrial, former, ..plugin("c") };
        let paused = PluginStatus { paused_until_ms: Some(9_000), ..plugin("d") };
        let refused = PluginStatus { refused: Some(reason.clone()), ..plugin("e") };
        let tries = PluginStatus {
            paused_until_ms: Some(5_000),
            kind: PluginKind::Prober,
            is_from_cache: false,
            ..plugin("f")
        };
        let fault = |file: &str| PluginFault { file: file.into(), reason: reason.clone() };
        let faults = vec![fault("handlers/e.wasm"), fault("handlers/x.wasm")];
        let wish = |asked: &str, standing: &str, line: Option<&str>| PluginWish {
            asked: asked.into(),
            standing: standing.into(),
            line: line.map(str::to_owned),
        };
        let asks = PluginStatus {
            wishes: vec![
                wish("http x:1", "refused", Some("http = [\"x:1\"]")),
                wish("http y:1", "granted", None),
                wish("config url", "granted", None),
                wish("memory-bytes 18446744073709551615", "beyond", None),
            ],
            ..plugin("a")
        };
        let all = vec![asks, canary, trial, paused, refused, tries];
        let expected = "\
host a, on n1 as process 7
  a, handler, version 0123456789ab, in service for 5 s, code from the cache
    beyond: memory-bytes 18446744073709551615 (more than this host can give, 4294967296 at most)
    granted: http y:1, config url
    refused: http x:1 (http = [\"x:1\"])
  b, handler, version 0123456789ab, in service for 5 s, code from the cache
    canary: gets a share of the jobs, fedcba987654 the others
  c, handler, version 0123456789ab, in service for 5 s, code from the cache
    on trial: a fault brings fedcba987654 back
  d, handler, version 0123456789ab, in service for 5 s, code from the cache
    paused for 3 s more after faults in a row
  e, handler, version 0123456789ab, in service for 5 s, code from the cache
    its newest file is not in service: is empty
  f, prober, version 0123456789ab, in service for 5 s, compiled
    paused after faults in a row until a call tries
  handlers/x.wasm is not used: is empty
";
        let crew = crew(all, faults);
        assert_eq!(as_text(&crew, 6_000), expected);
        assert!(!is_well(&crew));
        let told = as_json(&crew);
        assert_eq!(told["hosts"][0]["plugins"][1]["stage"], "canary");
        assert_eq!(told["hosts"][0]["plugins"][4]["refused"], "is empty");
        assert_eq!(told["hosts"][0]["faults"][1]["file"], "handlers/x.wasm");
    }

    #[test]
    fn without_a_host_it_says_so_and_without_plugins_too() {
        let none = as_text(&Crew::default(), 0);
        assert_eq!(
            none,
            "no host is running, so no plugin is in service; `stokehold run` starts one\n"
        );
        assert!(!is_well(&Crew::default()));
        let bare = crew(Vec::new(), Vec::new());
        assert_eq!(as_text(&bare, 0), "host a, on n1 as process 7\n  no plugins\n");
        assert!(is_well(&bare));
    }
}
