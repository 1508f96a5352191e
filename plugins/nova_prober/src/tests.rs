#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::json;
use stokehold_sdk::testing::{Answer, ScriptedHost, answer, no_answer};
use stokehold_sdk::{HttpError, ResourceRef};

use super::*;

const SERVER: &str = "http://n/v2.1/servers/vm%2F1";

fn subject(kind: &str, properties: Json) -> Subject {
    let of = ResourceRef::new("vnf", "v1");
    Subject { of, name: "vm".to_owned(), kind: kind.to_owned(), properties }
}

fn host() -> ScriptedHost {
    ScriptedHost::new().setting("nova_url", "http://n/v2.1/").setting("nova_token", "t")
}

fn probed(given: Answer) -> Result<String, Failure> {
    let host = host().expect(Method::Get, SERVER, given);
    let status = NovaProber::probe(&host, &subject(KIND, json!({"server_id": "vm/1"})));
    let seen = host.finish();
    let sent = &seen.requests[0].headers;
    assert!(sent.contains(&("x-auth-token".to_owned(), "t".to_owned())), "{sent:?}");
    status
}

#[test]
fn it_knows_virtual_machines() {
    let probing = NovaProber::describe();
    assert_eq!((probing.name.as_str(), probing.kinds), ("nova_prober", vec![KIND.to_owned()]));
}

#[test]
fn a_server_is_up_only_while_it_is_active() {
    for (status, expected) in [
        ("ACTIVE", "UP"),
        ("SHUTOFF", "DOWN"),
        ("BUILD", "DOWN"),
        ("PAUSED", "DOWN"),
        ("ERROR", "FAIL"),
    ] {
        let given = answer(200, json!({"server": {"id": "vm/1", "status": status}}));
        assert_eq!(probed(given).as_deref(), Ok(expected), "{status}");
    }
    let gone = json!({"itemNotFound": {"code": 404}});
    assert_eq!(probed(answer(404, gone)).as_deref(), Ok("DOWN"));
}

#[test]
fn a_nova_in_trouble_says_nothing_about_the_server() {
    let failed = |words: &str| Err(Failure::retry(format!("cannot ask Nova at {SERVER}: {words}")));
    assert_eq!(probed(no_answer()), failed("connection refused"));
    assert_eq!(probed(answer(503, json!({}))), failed("it answers 503"));
    let unauthorized = "it answers 401; nova_token, or the host's login, is missing or not good";
    assert_eq!(probed(answer(401, json!({}))), failed(unauthorized));
    for status in [300, 404] {
        let words =
            format!("it answers {status}, as where no servers are; nova_url wants its version");
        assert_eq!(probed(answer(status, json!({"choices": []}))), failed(&words));
    }
    for odd in [json!({}), json!([]), json!({"server": {"status": 1}})] {
        assert_eq!(probed(answer(200, odd)), failed("its answer has no status"));
    }
    let refused = probed(Err(HttpError::Refused("not granted".to_owned())));
    let words = format!("cannot ask Nova at {SERVER}: not granted");
    assert_eq!(refused, Err(Failure::fatal(words)));
}

#[test]
fn what_cannot_be_asked_is_final() {
    let check = |host: &ScriptedHost, kind: &str, properties: Json, words: &str| {
        let failure = NovaProber::probe(host, &subject(kind, properties)).unwrap_err();
        assert_eq!(failure, Failure::fatal(words));
    };
    let named = json!({"server_id": "a"});
    let words = "setting nova_url of nova_prober is missing (--config nova_prober.nova_url=… or \
                 config under [plugins.nova_prober]): it is the address of Nova, as in \
                 http://127.0.0.1:8774/v2.1";
    check(&ScriptedHost::new(), KIND, named.clone(), words);
    check(&host(), "switch", named, "vm is of kind switch, which is unknown here");
    for server_id in [Json::Null, json!(""), json!(5)] {
        check(&host(), KIND, json!({"server_id": server_id}), "vm of vnf:v1 has no server_id");
    }
}
