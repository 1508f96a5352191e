//! What cannot be done, in which words, and whether another try may help.

use stokehold_sdk::testing::no_answer;
use stokehold_sdk::{HttpError, Level, Output, OutputFault, ParamError, Stack};

use super::*;

#[test]
fn the_answers_of_heat_are_worth_another_try_or_final() {
    let retry = |status| {
        (
            answer(status, Json::Null),
            Failure::retry(format!("cannot create stack port_p1: Heat answered {status}")),
        )
    };
    let fatal = |body: Json, words: &str| {
        (
            answer(400, body),
            Failure::fatal(format!("cannot create stack port_p1: Heat answered 400{words}")),
        )
    };
    let trouble = "cannot reach Heat at http://heat/v1: connection refused";
    let cases = [
        (no_answer(), Failure::retry(trouble)),
        (
            Err(HttpError::Refused("not granted".to_owned())),
            Failure::fatal("cannot reach Heat at http://heat/v1: not granted"),
        ),
        retry(429),
        retry(502),
        retry(503),
        retry(504),
        fatal(
            json!({"explanation": "bad", "error": {"type": "Validation", "message": "m"}}),
            " Validation: m",
        ),
        fatal(json!({"explanation": "e", "error": {"type": "X", "message": null}}), " X: e"),
        fatal(json!({"message": "not found.<br /><br />\n", "code": "404"}), ": not found."),
        fatal(json!({"error": {"type": "X"}}), " X"),
        fatal(json!("text"), ": \"text\""),
        fatal(json!({"title": "secret was sent"}), ": (token) was sent"),
    ];
    for (given, expected) in cases {
        let host = host().expect(Method::Get, NAME, missing()).expect(Method::Post, STACKS, given);
        assert_eq!(failed(host, Action::Create).0, expected);
    }
}

#[test]
fn every_other_status_is_final() {
    for status in [300, 401, 403, 404, 405, 409, 413, 500] {
        let host = host().expect(Method::Get, NAME, missing()).expect(
            Method::Post,
            STACKS,
            answer(status, json!({"title": "no"})),
        );
        let words = format!("cannot create stack port_p1: Heat answered {status}: no");
        assert_eq!(failed(host, Action::Create).0, Failure::fatal(words));
    }
    let host = host().expect(Method::Get, NAME, answer(500, json!({"title": "no"})));
    let words = "cannot look up stack port_p1: Heat answered 500: no";
    assert_eq!(failed(host, Action::Delete).0, Failure::fatal(words));
}

#[test]
fn answers_that_are_no_heat_are_final() {
    let nothing =
        "cannot look up stack port_p1: the answer of http://heat/v1/t1/stacks shows no stack";
    for body in [json!({}), json!({"stack": {"id": ""}}), json!([1])] {
        let host = host().expect(Method::Get, NAME, answer(200, body));
        assert_eq!(failed(host, Action::Modify).0, Failure::fatal(nothing));
    }
    let host = host().expect(Method::Get, NAME, redirect(""));
    let words = "cannot look up stack port_p1: Heat redirects to \"\"";
    assert_eq!(failed(host, Action::Modify).0, Failure::fatal(words));
}

#[test]
fn a_failed_stack_is_final_and_published_with_the_outputs_known_before() {
    let known = Output {
        key: "id".to_owned(),
        value: json!("old"),
        description: String::new(),
        error: None,
    };
    let record = Stack { outputs: vec![known.clone()], ..Stack::default() };
    let host = host()
        .stack(ResourceRef::new("port", "p1"), record)
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("CREATE_FAILED", None));
    let (failure, seen) = failed(host, Action::Create);
    let words = "stack port_p1 is CREATE_FAILED: it is CREATE_FAILED";
    assert_eq!(failure, Failure::fatal(words));
    let stack = seen.stack.unwrap();
    assert_eq!((&*stack.stack_id, &*stack.status), ("port_p1", "CREATE_FAILED"));
    assert_eq!(stack.outputs, [known]);
    assert_eq!(seen.reports["heat_outputs"], json!([]));
    assert_eq!(seen.reports["orchestration_state"], "CREATE_ERROR");
}

#[test]
fn what_was_rolled_back_is_no_success() {
    let host = host()
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("ROLLBACK_COMPLETE", None))
        .expect(Method::Get, EVENTS, missing());
    let words = "stack port_p1 ended as ROLLBACK_COMPLETE: it is ROLLBACK_COMPLETE";
    assert_eq!(failed(host, Action::Create).0, Failure::fatal(words));
}

#[test]
fn a_deletion_that_fails_is_final_whether_it_was_seen_running_or_not() {
    let words = Failure::fatal("stack port_p1 is DELETE_FAILED: it is DELETE_FAILED");
    let asked = |before: &str| {
        host()
            .expect(Method::Get, NAME, found())
            .expect(Method::Get, PLAIN, stack(before, None))
            .expect(Method::Delete, FULL, answer(204, Json::Null))
    };
    let host = asked("CREATE_COMPLETE").expect(Method::Get, PLAIN, stack("DELETE_FAILED", None));
    let (failure, seen) = failed(host, Action::Delete);
    assert_eq!(failure, words);
    assert_eq!(seen.reports["orchestration_state"], "DELETE_ERROR");
    let host = asked("DELETE_FAILED")
        .expect(Method::Get, PLAIN, stack("DELETE_FAILED", None))
        .expect(Method::Get, PLAIN, stack("DELETE_FAILED", Some("1")));
    assert_eq!(failed(host, Action::Delete).0, words);
}

#[test]
fn a_failure_is_reported_by_the_jobs_action_even_if_another_try_may_help() {
    for (action, state) in [
        (Action::Create, "CREATE_ERROR"),
        (Action::Modify, "MODIFY_ERROR"),
        (Action::Delete, "DELETE_ERROR"),
        (Action::LogicalDelete, "DELETE_ERROR"),
    ] {
        let host = host().expect(Method::Get, NAME, answer(403, Json::Null));
        assert_eq!(failed(host, action).1.reports["orchestration_state"], state);
    }
    let host = host().expect(Method::Get, NAME, no_answer());
    let (failure, seen) = failed(host, Action::Create);
    assert!(matches!(failure, Failure::Retry(_)), "{failure:?}");
    assert_eq!(seen.reports["orchestration_state"], "CREATE_ERROR");
    assert_eq!(seen.reports["heat_outputs"], json!([]));
}

#[test]
fn params_that_cannot_be_had_keep_heat_out_of_it() {
    let fault = OutputFault {
        of: ResourceRef::new("network", "n1"),
        output_key: "id".to_owned(),
        reason: "not created".to_owned(),
    };
    let host_a = host().broken_param("virtual_network", ParamError::MissingStack(fault));
    let words = "cannot resolve param virtual_network: \
                 it is output id of network:n1, which has no stack (not created)";
    assert_eq!(failed(host_a, Action::Create).0, Failure::fatal(words));
    let host_b = host().broken_param("a", ParamError::Unavailable("store is away".to_owned()));
    let words = "cannot resolve param a: store is away";
    assert_eq!(failed(host_b, Action::Modify).0, Failure::retry(words));
    let host_c = host().param("heat_timeout", "soon");
    let words = "param heat_timeout is \"soon\": it wants a number of minutes";
    assert_eq!(failed(host_c, Action::Create).0, Failure::fatal(words));
}

#[test]
fn a_template_that_cannot_be_rendered_is_named() {
    let mut job = a_job(Action::Create);
    job.template = "\n{{ jinja_a.b }}".to_owned();
    let words = "cannot render template template: `jinja_a` is undefined (line 2)";
    assert_eq!(run(&host(), &job), Err(Failure::fatal(words)));
}

#[test]
fn what_is_not_set_is_named() {
    let check = |host: &ScriptedHost, words: &str| {
        let failure = run(host, &a_job(Action::Create)).unwrap_err();
        assert_eq!(failure, Failure::fatal(words));
    };
    check(
        &ScriptedHost::new(),
        "setting heat_url of heat_worker is missing (--config heat_worker.heat_url=… or config \
         under [plugins.heat_worker]): it is the address of Heat without the project, as in \
         http://127.0.0.1:8004/v1, or http://orchestration.openstack where \
         [plugins.heat_worker.keystone] says who logs in",
    );
    for poll_ms in ["soon", "9"] {
        let words = "it wants milliseconds, 10 or more";
        let words = format!("setting poll_ms of heat_worker is {poll_ms:?}: {words}");
        check(&host().setting("poll_ms", poll_ms), &words);
    }
    check(
        &host().setting("heat_url", "http://me:hidden@heat/v1"),
        "setting heat_url of heat_worker holds an @: it wants an address without user and \
         password, as in http://127.0.0.1:8004",
    );
    for (key, value, wanted) in [
        ("poll_ms_max", "999", "milliseconds, 1000 (poll_ms) or more"),
        ("timeout_mins", "1441", "minutes, 1 to 1440"),
        ("timeout_mins", "0", "minutes, 1 to 1440"),
        ("timeout_margin_mins", "-1", "minutes, 0 to 1440"),
        ("rollback", "yes", "true or false"),
        ("report_style", "2019", "2017 or 2018"),
        ("report_orchestration_state", "yes", "true or false"),
    ] {
        let words = format!("setting {key} of heat_worker is {value:?}: it wants {wanted}");
        check(&host().setting(key, value), &words);
    }
    for input in [json!({}), json!({"tenant_id": ""}), json!({"tenant_id": 5})] {
        let job = Job { resource_input: input, ..a_job(Action::Create) };
        let words = "port:p1 has no tenant_id: it names the project of the stack";
        assert_eq!(run(&host(), &job), Err(Failure::fatal(words)));
    }
}

#[test]
fn a_checkpoint_of_someone_else_begins_anew_and_is_logged() {
    let update_without_stack = json!({"phase": "update", "stack": "", "before":
        {"status": "", "updated": ""}, "ran": true, "polls": 0, "rounds": 0});
    for checkpoint in [json!({}), Json::Null, json!({"phase": "dance"}), update_without_stack] {
        let host = host().expect(Method::Get, NAME, missing());
        let verdict = HeatWorker::handle(&host, &a_job(Action::Delete), Some(checkpoint));
        assert_eq!(verdict, Ok(Next::Completed));
        assert_eq!(host.finish().log[0].0, Level::Warn);
    }
}
