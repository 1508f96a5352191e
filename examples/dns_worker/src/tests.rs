//! The handler against a host made of a script.

use stokehold_sdk::testing::{Answer, ScriptedHost, answer, job, no_answer, to_the_end};
use stokehold_sdk::{
    Action, Failure, Json, Method, Next, OutputFault, ParamError, ResourceRef, Verdict, Worker,
    json,
};

use super::DnsWorker;

const URL: &str = "http://dns:8053/records/p%201";

fn host() -> ScriptedHost {
    ScriptedHost::new().setting("dns_url", "http://dns:8053/").setting("dns_poll_ms", "100")
}

fn with_params() -> ScriptedHost {
    host().param("name", "www").param("values", json!(["10.0.0.6", "10.0.0.5"]))
}

fn record() -> Json {
    json!({"name": "www", "type": "A", "values": ["10.0.0.5", "10.0.0.6"]})
}

fn shown(record: &Json) -> Answer {
    let mut answered = record.clone();
    answered["serial"] = json!(7);
    answer(200, answered)
}

fn run(host: &ScriptedHost, action: Action) -> Verdict {
    to_the_end::<DnsWorker>(host, &job(action, ResourceRef::new("port", "p 1"), ""), 10)
}

#[test]
fn it_joins_after_heat_worker_and_asks_for_its_server() {
    let said = DnsWorker::describe();
    assert_eq!((said.name.as_str(), said.after), ("dns_worker", vec!["heat_worker".to_owned()]));
    assert!(said.grants.iter().any(|it| it.kind == "http" && it.value == "config:dns_url"));
}

#[test]
fn a_record_is_sent_and_reported_once_everybody_sees_it() {
    for action in [Action::Create, Action::Modify] {
        let host = with_params()
            .expect(Method::Put, URL, answer(201, json!({})))
            .expect(Method::Get, URL, answer(404, json!(null)))
            .expect(Method::Get, URL, shown(&json!({"name": "www", "type": "A", "values": []})))
            .expect(Method::Get, URL, shown(&record()));
        assert_eq!(run(&host, action), Ok(Next::Completed));
        assert_eq!(host.seen().body(0), record());
        let seen = host.finish();
        assert_eq!(seen.reports, [("dns_record".to_owned(), record())].into());
    }
}

#[test]
fn a_call_that_is_made_twice_sends_the_same_record() {
    let host = with_params().expect(Method::Put, URL, answer(201, json!({}))).expect(
        Method::Put,
        URL,
        answer(200, json!({})),
    );
    let job = job(Action::Create, ResourceRef::new("port", "p 1"), "");
    let first = DnsWorker::handle(&host, &job, None);
    assert_eq!(DnsWorker::handle(&host, &job, None), first);
    let seen = host.finish();
    assert_eq!(seen.body(0), seen.body(1));
}

#[test]
fn one_value_and_another_type_are_fine() {
    let host = host().param("name", "www").param("type", "AAAA").param("values", "fe80::1").expect(
        Method::Put,
        URL,
        answer(201, json!({})),
    );
    let job = job(Action::Create, ResourceRef::new("port", "p 1"), "");
    assert!(DnsWorker::handle(&host, &job, None).is_ok());
    assert_eq!(
        host.finish().body(0),
        json!({"name": "www", "type": "AAAA", "values": ["fe80::1"]})
    );
}

#[test]
fn taking_down_needs_no_params_and_bears_that_it_is_gone() {
    for (action, status) in [(Action::Delete, 204), (Action::LogicalDelete, 404)] {
        let host = host().expect(Method::Delete, URL, answer(status, json!(null)));
        assert_eq!(run(&host, action), Ok(Next::Completed));
        assert_eq!(host.finish().reports.len(), 0);
    }
}

#[test]
fn a_record_that_never_shows_is_sent_again_by_another_try() {
    let put = with_params().setting("dns_wait_ms_max", "200").expect(
        Method::Put,
        URL,
        answer(201, json!({})),
    );
    let host = (0..2).fold(put, |host, _| host.expect(Method::Get, URL, answer(404, json!(null))));
    let words = format!("{URL} does not show its record after 200 ms");
    assert_eq!(run(&host, Action::Create), Err(Failure::retry(words)));
    host.finish();
}

#[test]
fn what_the_server_says_decides_whether_another_try_can_help() {
    let put = |given: Answer| run(&with_params().expect(Method::Put, URL, given), Action::Create);
    let words = |status| format!("PUT {URL} answered {status}");
    assert_eq!(put(answer(503, json!(null))), Err(Failure::retry(words(503))));
    assert_eq!(put(answer(422, json!(null))), Err(Failure::fatal(words(422))));
    let words = format!("cannot ask the DNS server at {URL}: connection refused");
    assert_eq!(put(no_answer()), Err(Failure::retry(words)));
    let gone = host().expect(Method::Delete, URL, answer(500, json!(null)));
    let words = format!("DELETE {URL} answered 500");
    assert_eq!(run(&gone, Action::Delete), Err(Failure::retry(words)));
}

#[test]
fn params_that_make_no_record_are_final_and_named() {
    let stackless = ParamError::MissingStack(OutputFault {
        of: ResourceRef::new("port", "p 1"),
        output_key: "addresses".to_owned(),
        reason: "no stack".to_owned(),
    });
    let cases = [
        (host().param("values", "a"), "cannot read the params: missing field `name`"),
        (
            host().param("name", "www").param("values", json!([])),
            "param values is empty: a record needs a name and a value",
        ),
        (
            host().param("name", "").param("values", "a"),
            "param name is empty: a record needs a name and a value",
        ),
        (
            host().param("name", "www").param("values", json!([1])),
            "cannot read param values: it is neither a text nor a list of texts",
        ),
        (
            host().param("name", "www").broken_param("values", stackless),
            "cannot resolve param values: it is output addresses of port:p 1, which has no stack \
             (no stack)",
        ),
    ];
    for (host, words) in cases {
        assert_eq!(run(&host, Action::Create), Err(Failure::fatal(words)));
    }
}

#[test]
fn settings_that_are_missing_or_wrong_say_how_to_set_them() {
    let cases = [
        (
            ScriptedHost::new(),
            "setting dns_url of dns_worker is missing (--config dns_worker.dns_url=… or config under \
             [plugins.dns_worker]): it is the address of the DNS server's API, as in \
             http://127.0.0.1:8053",
        ),
        (
            ScriptedHost::new().setting("dns_url", "http://a").setting("dns_poll_ms", "soon"),
            "setting dns_poll_ms of dns_worker is no number of milliseconds",
        ),
        (
            ScriptedHost::new().setting("dns_url", "http://me:hidden@a"),
            "setting dns_url of dns_worker holds an @: it wants an address without user and \
             password, as in http://127.0.0.1:8004",
        ),
    ];
    for (host, words) in cases {
        assert_eq!(run(&host, Action::Create), Err(Failure::fatal(words)));
    }
}

#[test]
fn a_checkpoint_of_another_version_is_final() {
    let job = job(Action::Create, ResourceRef::new("port", "p 1"), "");
    let verdict = DnsWorker::handle(&host(), &job, Some(json!({"sent": true})));
    let words = "cannot read the checkpoint: missing field `record`";
    assert_eq!(verdict, Err(Failure::fatal(words)));
}
