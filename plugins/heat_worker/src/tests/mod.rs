#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod failing;
mod recorded;
mod repeated;
mod secret;
mod settling;
mod waiting;

use serde_json::json;
use stokehold_sdk::testing::{Answer, ScriptedHost, Seen, answer, job, redirect};
use stokehold_sdk::{
    Action, Failure, Job, Json, Method, Next, ResourceRef, Response, Verdict, Worker,
};

use super::HeatWorker;

const STACKS: &str = "http://heat/v1/t1/stacks";
const NAME: &str = "http://heat/v1/t1/stacks/port_p1?resolve_outputs=false";
const PLAIN: &str = "http://heat/v1/t1/stacks/port_p1/s1?resolve_outputs=false";
const FULL: &str = "http://heat/v1/t1/stacks/port_p1/s1";
const EVENTS: &str = "http://heat/v1/t1/stacks/port_p1/s1/events?resource_status=FAILED";

fn host() -> ScriptedHost {
    ScriptedHost::new()
        .setting("heat_url", "http://heat/v1/")
        .setting("heat_token", "secret")
        .setting("poll_ms", "1000")
}

fn a_job(action: Action) -> Job {
    let template = "name: {{ jinja_name }}\n";
    let job = job(action, ResourceRef::new("port", "p1"), template);
    Job { resource_input: json!({"tenant_id": "t1"}), ..job }
}

/// A stack as Heat shows it, of id s1.
fn stack(status: &str, updated: Option<&str>) -> Answer {
    timed(status, updated, &json!(10))
}

/// A stack that has so many minutes for an action.
fn timed(status: &str, updated: Option<&str>, timeout_mins: &Json) -> Answer {
    answer(
        200,
        json!({"stack": {
            "id": "s1",
            "stack_status": status,
            "stack_status_reason": format!("it is {status}"),
            "updated_time": updated,
            "timeout_mins": timeout_mins,
            "outputs": [
                {"output_key": "id", "output_value": ["x", 1], "description": "An id."},
                {"output_key": "name", "output_value": null, "output_error": "no such attribute"},
            ],
        }}),
    )
}

fn missing() -> Answer {
    answer(404, json!({"error": {"type": "EntityNotFound", "message": "could not be found."}}))
}

fn conflict(kind: &str) -> Answer {
    answer(409, json!({"error": {"type": kind, "message": "The Stack (port_p1) is taken."}}))
}

fn created() -> Answer {
    answer(201, json!({"stack": {"id": "s1", "links": []}}))
}

/// Heat's way of telling where a stack of a name is.
fn found() -> Answer {
    redirect("http://elsewhere:8004/v1/t1/stacks/port_p1/s1?resolve_outputs=false")
}

/// Calls the worker until it has nothing to wait for.
fn run(host: &ScriptedHost, job: &Job) -> Verdict {
    let mut checkpoint = None;
    for _ in 0..100 {
        match HeatWorker::handle(host, job, checkpoint)? {
            Next::Completed => return Ok(Next::Completed),
            Next::Pending { checkpoint: next, after_ms } => {
                assert!((1000..=10_000).contains(&after_ms), "{after_ms}");
                host.pass_ms(after_ms);
                checkpoint = Some(next);
            }
        }
    }
    panic!("the job does not end");
}

fn completed(host: ScriptedHost, action: Action) -> Seen {
    assert_eq!(run(&host, &a_job(action)), Ok(Next::Completed));
    host.finish()
}

fn failed(host: ScriptedHost, action: Action) -> (Failure, Seen) {
    let failure = run(&host, &a_job(action)).unwrap_err();
    (failure, host.finish())
}

fn outputs() -> Json {
    json!([
        {"output_key": "id", "output_value": ["x", 1], "description": "An id."},
        {
            "output_key": "name",
            "output_value": null,
            "description": "",
            "output_error": "no such attribute",
        },
    ])
}

#[test]
fn it_comes_first_and_modifies_in_place() {
    let description = HeatWorker::describe();
    assert_eq!(description.name, "heat_worker");
    assert!(description.after.is_empty());
    let asked = |kind: &str, value: &str| {
        description.grants.iter().any(|grant| grant.kind == kind && grant.value == value)
    };
    for key in ["heat_url", "heat_token", "poll_ms"] {
        assert!(asked("config", key), "{key}");
    }
    assert!(asked("http", "config:heat_url"));
    assert_eq!(description.update, stokehold_sdk::UpdateStyle::Modify);
}

#[test]
fn a_new_stack_is_posted_and_waited_for_and_its_outputs_are_published() {
    let host = host()
        .param("jinja_name", "a name")
        .param("vlan", 1025)
        .param("gateway_ip", Json::Null)
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("CREATE_IN_PROGRESS", None))
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Get, FULL, stack("CREATE_COMPLETE", None));
    let seen = completed(host, Action::Create);
    assert_eq!(
        seen.body(1),
        json!({
            "stack_name": "port_p1",
            "template": "name: a name",
            "parameters": {"vlan": 1025, "gateway_ip": null},
            "timeout_mins": 10,
            "disable_rollback": true,
        })
    );
    let token = ("x-auth-token".to_owned(), "secret".to_owned());
    assert!(seen.requests.iter().all(|request| request.headers.contains(&token)));
    let stack = seen.stack.unwrap();
    assert_eq!((&*stack.stack_id, &*stack.tenant_id), ("port_p1", "t1"));
    assert_eq!(
        (&*stack.status, &*stack.status_reason),
        ("CREATE_COMPLETE", "it is CREATE_COMPLETE")
    );
    assert_eq!(stack.outputs[0].value, json!(["x", 1]));
    assert_eq!(stack.outputs[1].error.as_deref(), Some("no such attribute"));
    assert_eq!(seen.reports.len(), 1);
    assert_eq!(seen.reports["heat_outputs"], outputs());
}

#[test]
fn a_stack_that_is_there_is_updated_at_its_name_and_id() {
    for action in [Action::Create, Action::Modify] {
        let host = host()
            .expect(Method::Get, NAME, found())
            .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
            .expect(Method::Put, FULL, answer(202, json!({"code": "202 Accepted"})))
            .expect(Method::Get, PLAIN, stack("UPDATE_IN_PROGRESS", Some("1")))
            .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("1")))
            .expect(Method::Get, FULL, stack("UPDATE_COMPLETE", Some("1")));
        let seen = completed(host, action);
        let body = json!({
            "template": "name: ",
            "parameters": {},
            "timeout_mins": 10,
            "disable_rollback": true,
        });
        assert_eq!(seen.body(2), body);
        assert_eq!(seen.stack.unwrap().status, "UPDATE_COMPLETE");
    }
}

#[test]
fn a_modification_of_a_stack_that_is_gone_creates_it() {
    let host = host()
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Get, FULL, stack("CREATE_COMPLETE", None));
    completed(host, Action::Modify);
}

#[test]
fn a_deletion_ends_when_the_stack_is_gone_by_either_sign() {
    for gone in [missing(), stack("DELETE_COMPLETE", None)] {
        for action in [Action::Delete, Action::LogicalDelete] {
            let host = host()
                .expect(Method::Get, NAME, found())
                .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", None))
                .expect(Method::Delete, FULL, answer(204, Json::Null))
                .expect(Method::Get, PLAIN, stack("DELETE_IN_PROGRESS", None))
                .expect(Method::Get, PLAIN, gone.clone());
            let seen = completed(host, action);
            let stack = seen.stack.unwrap();
            assert_eq!((&*stack.stack_id, &*stack.tenant_id), ("", "t1"));
            assert_eq!((&*stack.status, &*stack.status_reason), ("DELETE_COMPLETE", ""));
            assert!(stack.outputs.is_empty());
            assert_eq!(seen.reports["heat_outputs"], json!([]));
            assert_eq!(seen.reports.len(), 1);
        }
    }
}

#[test]
fn a_deletion_needs_neither_params_nor_a_template() {
    let mut job = a_job(Action::Delete);
    job.template = "{% if %}".to_owned();
    let error = stokehold_sdk::ParamError::Unavailable("no".to_owned());
    let host = host().broken_param("a", error).expect(Method::Get, NAME, missing());
    assert_eq!(run(&host, &job), Ok(Next::Completed));
    assert_eq!(host.finish().stack.unwrap().status, "DELETE_COMPLETE");
}

#[test]
fn a_success_is_reported_as_the_style_says_unless_it_is_set() {
    let by_style = |style| vec![("report_style", style)];
    let set = |style, value| vec![("report_style", style), ("report_orchestration_state", value)];
    let cases = [
        (vec![], false),
        (by_style("2017"), false),
        (by_style("2018"), true),
        (set("2017", "true"), true),
        (set("2018", "false"), false),
    ];
    for (settings, told) in cases {
        for (action, state) in
            [(Action::Create, "CREATE_COMPLETE"), (Action::Delete, "DELETE_COMPLETE")]
        {
            let mut host = host();
            for (key, value) in &settings {
                host = host.setting(key, value);
            }
            host = host.expect(Method::Get, NAME, missing());
            if action == Action::Create {
                host = host
                    .expect(Method::Post, STACKS, created())
                    .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
                    .expect(Method::Get, FULL, stack("CREATE_COMPLETE", None));
            }
            let reports = completed(host, action).reports;
            let wanted = told.then(|| json!(state));
            assert_eq!(reports.get("orchestration_state"), wanted.as_ref(), "{settings:?}");
            assert!(reports.contains_key("heat_outputs"));
        }
    }
}

#[test]
fn a_failure_is_undone_by_heat_where_that_is_set() {
    for (value, disabled) in [("true", false), ("false", true)] {
        let host = host()
            .setting("rollback", value)
            .expect(Method::Get, NAME, found())
            .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
            .expect(Method::Put, FULL, answer(202, Json::Null))
            .expect(Method::Get, PLAIN, stack("ROLLBACK_COMPLETE", Some("1")))
            .expect(Method::Get, EVENTS, missing());
        let (failure, seen) = failed(host, Action::Modify);
        assert_eq!(seen.body(2)["disable_rollback"], disabled);
        let words = "stack port_p1 ended as ROLLBACK_COMPLETE: it is ROLLBACK_COMPLETE";
        assert_eq!(failure, Failure::fatal(words));
    }
}

#[test]
fn what_led_to_a_rollback_is_told_as_the_newest_event_has_it() {
    let event = |at: &str, status: &str, reason: &str| {
        json!({"event_time": at, "resource_name": "net", "resource_status": status,
               "resource_status_reason": reason})
    };
    let told = [
        event("2026-01-01T10:00:02Z", "CREATE_COMPLETE", "state changed"),
        event("2026-01-01T10:00:01Z", "UPDATE_FAILED", "the quota is used up"),
        event("2026-01-01T10:00:01Z", "CREATE_FAILED", "earlier in that second"),
        json!({"event_time": 5}),
    ];
    let long_ago = event("2025-01-01T09:00:00Z", "UPDATE_FAILED", "long ago");
    let undone = "; what failed was net UPDATE_FAILED: the quota is used up";
    for (events, cause) in [(&told[..], undone), (&[], ""), (&[long_ago], "")] {
        let host = host()
            .expect(Method::Get, NAME, found())
            .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
            .expect(Method::Put, FULL, answer(202, Json::Null))
            .expect(Method::Get, PLAIN, stack("ROLLBACK_COMPLETE", Some("2026-01-01T10:00:00Z")))
            .expect(Method::Get, EVENTS, answer(200, json!({"events": events})));
        let (failure, _) = failed(host, Action::Modify);
        let words =
            format!("stack port_p1 ended as ROLLBACK_COMPLETE: it is ROLLBACK_COMPLETE{cause}");
        assert_eq!(failure, Failure::fatal(words));
    }
}

#[test]
fn the_timeout_is_a_param_of_its_own() {
    for (value, minutes) in [(json!("60"), 60), (json!(6), 6), (json!(0), 0), (Json::Null, 10)] {
        let host = host().param("heat_timeout", value).expect(Method::Get, NAME, missing()).expect(
            Method::Post,
            STACKS,
            conflict("Other"),
        );
        let (_, seen) = failed(host, Action::Create);
        assert_eq!(seen.body(1)["timeout_mins"], minutes);
        assert_eq!(seen.body(1)["parameters"], json!({}));
    }
}

#[test]
fn names_are_encoded_in_addresses() {
    let mut job = a_job(Action::Delete);
    job.target.resource_id = "a/b".to_owned();
    job.resource_input = json!({"tenant_id": "t 1"});
    let url = "http://heat/v1/t%201/stacks/port_a%2Fb?resolve_outputs=false";
    let host = host().expect(Method::Get, url, missing());
    assert_eq!(run(&host, &job), Ok(Next::Completed));
    host.finish();
}
