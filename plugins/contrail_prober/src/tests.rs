#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::json;
use stokehold_sdk::testing::{Answer, ScriptedHost, answer, no_answer, redirect};
use stokehold_sdk::{HttpError, ResourceRef, Response};

use super::*;

const VMI: &str = "http://a/analytics/uves/virtual-machine-interface/d:admin:p1?flat";

fn subject(kind: &str, properties: Json) -> Subject {
    let of = ResourceRef::new("port", "p1");
    Subject { of, name: "vmi".to_owned(), kind: kind.to_owned(), properties }
}

fn host() -> ScriptedHost {
    ScriptedHost::new().setting("analytics_url", "http://a/")
}

fn probed(given: Answer) -> Result<String, Failure> {
    let host = host().expect(Method::Get, VMI, given);
    let subject = subject("virtual_machine_interface", json!({"fq_name": "d:admin:p1"}));
    let status = ContrailProber::probe(&host, &subject);
    host.finish();
    status
}

#[test]
fn it_knows_networks_and_interfaces() {
    let probing = ContrailProber::describe();
    assert_eq!(probing.name, "contrail_prober");
    assert_eq!(probing.kinds, ["virtual_machine_interface", "virtual_network"]);
}

#[test]
fn whatever_analytics_tells_of_is_up() {
    assert_eq!(probed(answer(200, json!({"UveVMInterfaceAgent": {}}))), Ok("UP".to_owned()));
    assert_eq!(probed(answer(200, json!({}))), Ok("DOWN".to_owned()));
    assert_eq!(probed(answer(404, Json::Null)), Ok("DOWN".to_owned()));
}

#[test]
fn an_analytics_in_trouble_says_nothing_about_the_subject() {
    let failed = |words: &str| {
        let all = format!("cannot ask analytics at {VMI}: {words}");
        Err(Failure::retry(all))
    };
    assert_eq!(probed(no_answer()), failed("connection refused"));
    assert_eq!(probed(answer(500, json!({"a": 1}))), failed("it answers 500"));
    assert_eq!(probed(redirect("http://b/")), failed("it answers 302"));
    assert_eq!(probed(answer(200, json!([1]))), failed("it answers no JSON object"));
    let html = Response { status: 200, headers: Vec::new(), body: b"<html>".to_vec() };
    assert_eq!(probed(Ok(html)), failed("it answers no JSON object"));
    let refused = probed(Err(HttpError::Refused("not granted".to_owned())));
    let words = format!("cannot ask analytics at {VMI}: not granted");
    assert_eq!(refused, Err(Failure::fatal(words)));
}

#[test]
fn names_are_asked_for_as_analytics_knows_them() {
    let cases = [
        (json!(["default-domain", "admin", "a b"]), "default-domain:admin:a%20b"),
        (json!("a/b?c"), "a%2Fb%3Fc"),
    ];
    for (fq_name, path) in cases {
        let url = format!("http://a/analytics/uves/virtual-network/{path}?flat");
        let host = host().expect(Method::Get, &url, answer(404, Json::Null));
        let subject = subject("virtual_network", json!({"fq_name": fq_name}));
        assert_eq!(ContrailProber::probe(&host, &subject), Ok("DOWN".to_owned()));
        host.finish();
    }
}

#[test]
fn what_cannot_be_asked_is_final() {
    let check = |host: &ScriptedHost, kind: &str, properties: Json, words: &str| {
        let failure = ContrailProber::probe(host, &subject(kind, properties)).unwrap_err();
        assert_eq!(failure, Failure::fatal(words));
    };
    let named = json!({"fq_name": "a"});
    let words = "setting analytics_url of contrail_prober is missing (--config \
                 contrail_prober.analytics_url=… or config under [plugins.contrail_prober]): it is \
                 the address of Contrail's analytics, as in http://127.0.0.1:8081";
    check(&ScriptedHost::new(), "virtual_network", named.clone(), words);
    let words = "setting analytics_url of contrail_prober holds an @: it wants an address without user \
                 and password, as in http://127.0.0.1:8004";
    let host_of_user = ScriptedHost::new().setting("analytics_url", "http://me:hidden@a/");
    check(&host_of_user, "virtual_network", named.clone(), words);
    check(&host(), "switch", named, "vmi is of kind switch, which is unknown here");
    for fq_name in [Json::Null, json!(""), json!([]), json!(["a", 1]), json!(5)] {
        let words = "vmi of port:p1 has no fq_name";
        check(&host(), "virtual_network", json!({"fq_name": fq_name}), words);
    }
}
