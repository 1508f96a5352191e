//! Secrets that the host puts into requests: they reach their host, and the guest never has them.

use serde_json::{Value, json};
use stokehold::plugin::{InjectedSecret, PluginGrants, Standing};
use stokehold_tests::real_keystone;

use super::network::{Server, fetch, refused};
use super::{House, Logs, done};

/// In two parts, so that no test and no guest has it as a whole by chance.
const PARTS: [&str; 2] = ["open-sesame-", "said-ali-baba"];

fn house(http: &[&str], inject: &str, header: Option<&str>) -> House {
    let secret = InjectedSecret {
        value: PARTS.concat(),
        inject: vec![inject.to_owned()],
        header: header.map(str::to_owned),
    };
    let grants = PluginGrants {
        http: http.iter().map(|&site| site.to_owned()).collect(),
        secrets: [("token".to_owned(), secret)].into(),
        ..PluginGrants::default()
    };
    House::new().guest("guest_http").grant("guest_http", grants)
}

fn ask(site: &str, path: &str) -> Value {
    json!({
        "url": format!("http://{site}{path}"), "method": "GET", "scan": PARTS,
        "headers": {"authorization": "Bearer {{secret:token}}"},
    })
}

#[tokio::test]
async fn a_secret_reaches_its_host_and_is_nowhere_in_the_guests_memory() {
    let server = Server::start().await;
    let site = &server.authority;
    let (logs, _guard) = Logs::record();
    let worker = house(&[site], site, None).worker().await;
    // The server answers how long the header was: it had the secret, not the placeholder.
    let report = done(fetch(&worker, ask(site, "/quiet")).await);
    let length = format!("Bearer {}", PARTS.concat()).len();
    assert_eq!(report["body"], json!(length.to_string()));
    assert_eq!(report["found"], 0, "the guest has the secret");
    // A header that repeats it has the placeholder again.
    let report = done(fetch(&worker, ask(site, "/mirror")).await);
    assert_eq!(report["headers"]["mirror"], "{{secret:token}}");
    assert_eq!(report["found"], 0, "an answer's header handed it over");
    assert!(!logs.lines().join("").contains(&PARTS.concat()));

    // A host that repeats it in a body is trusted with it; and so the search is known to find what is there.
    let report = done(fetch(&worker, ask(site, "/")).await);
    assert!(report["body"].as_str().unwrap().contains(&PARTS.concat()));
    assert_ne!(report["found"], 0, "the search finds nothing");
}

#[tokio::test]
async fn a_secret_goes_to_no_other_host_and_the_log_says_what_would_let_it() {
    let (server, other) = (Server::start().await, Server::start().await);
    let sites = [&*server.authority, &*other.authority];
    let worker = house(&sites, &server.authority, None).worker().await;
    let (logs, _guard) = Logs::record();
    let why = refused(fetch(&worker, ask(&other.authority, "/")).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    assert_eq!(other.accepted(), 0);
    let line = logs.line("asked for the secret token");
    let teaching = format!(
        "guest_http asked for the secret token towards {0}, where it must not go: add \"{0}\" to \
         inject of token in secrets under [plugins.guest_http] in stokehold.toml",
        other.authority
    );
    assert!(line.contains("WARN") && line.contains(&teaching), "{line}");
    assert!(!logs.lines().join("").contains(PARTS[0]));
    // Without the placeholder the request goes out.
    let plain = json!({"url": format!("http://{}/", other.authority), "method": "GET"});
    done(fetch(&worker, plain).await);
}

#[tokio::test]
async fn a_secret_with_a_header_of_its_own_needs_no_word_from_the_guest() {
    let server = Server::start().await;
    let site = &server.authority;
    let worker = house(&[site], site, Some("Authorization")).worker().await;
    let silent = json!({"url": format!("http://{site}/mirror"), "method": "GET", "scan": PARTS});
    let report = done(fetch(&worker, silent).await);
    assert_eq!(report["headers"]["mirror"], "{{secret:token}}", "it was sent");
    assert_eq!(report["found"], 0);
}

#[tokio::test]
async fn a_secret_cannot_be_read_as_a_setting_and_a_slip_in_its_name_is_told() {
    let house = house(&["heat:1"], "heat:1", None);
    let (logs, _guard) = Logs::record();
    let worker = house.worker().await;
    let rows = worker.wishes();
    let unasked = rows.iter().find(|row| row.kind == "secret").unwrap();
    assert_eq!((unasked.asked.as_str(), unasked.standing), ("token", Standing::Unasked));
    let line = logs.line("secrets of [plugins.guest_http] sets token, which guest_http does not");
    assert!(line.contains("it knows no secret"), "{line}");

    let grants = house.settings.per_plugin["guest_http"].clone();
    let acts = House::new().guest("guest_acts").grant("guest_acts", grants).worker().await;
    let read = super::call(json!({"act": "config", "key": "token"}));
    assert_eq!(done(acts.handle(read).await)["config"], json!(null));
}

#[tokio::test]
async fn a_placeholder_that_nobody_granted_is_refused_and_not_sent() {
    let server = Server::start().await;
    let site = &server.authority;
    let worker = super::network::granted(House::new(), &[site]).worker().await;
    let (logs, _guard) = Logs::record();
    let why = refused(fetch(&worker, ask(site, "/")).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    assert_eq!(server.accepted(), 0);
    let line = logs.line("guest_http asked for the secret token, which it was not granted");
    assert!(line.contains("token = { file = \"/run/secrets/token\", inject ="), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_keystones_reaches_the_service_and_is_nowhere_in_the_guests_memory() {
    let Some(keystone) = real_keystone::start().await.unwrap() else { return };
    let server = Server::start().await;
    keystone.register(&format!("http://{}", server.authority)).await.unwrap();
    let user = keystone.user("worker", &PARTS.concat()).await.unwrap();
    let project = keystone.project("one", &user).await.unwrap();
    let login = keystone.login(&user, "orchestration");
    let grants = PluginGrants { keystone: Some(login), ..PluginGrants::default() };
    let worker = House::new().guest("guest_http").grant("guest_http", grants).worker().await;
    // Keystone's tokens begin so, all of them.
    let (one, two) = ("gAA", "AAA");
    let ask = |path: &str, scan: [&str; 2]| {
        json!({
            "url": format!("http://orchestration.openstack/{project}/{path}"), "method": "GET",
            "scan": scan, "headers": {"authorization": "none"},
        })
    };
    for scan in [[one, two], PARTS] {
        let report = done(fetch(&worker, ask("quiet", scan)).await);
        assert_eq!(report["body"], json!("4"), "the service was asked");
        assert_eq!(report["found"], 0, "the guest has the token or the password");
    }
    // A service that repeats the token is trusted with it; and so the search is known to find what is there.
    let report = done(fetch(&worker, ask("stacks", [one, two])).await);
    let head = report["body"].as_str().unwrap();
    assert!(head.contains("x-auth-token: gAAAAA"), "{head}");
    assert_ne!(report["found"], 0, "the search finds nothing");
}
