//! The token that is set, and that it is never shown.

use super::*;

#[test]
fn a_token_that_is_refused_fails_the_job() {
    let host = host().expect(Method::Get, NAME, answer(401, Json::Null));
    let words = "cannot look up stack port_p1: Heat answered 401";
    assert_eq!(failed(host, Action::Delete).0, Failure::fatal(words));
}

#[test]
fn without_a_token_none_is_sent() {
    let host = ScriptedHost::new().setting("heat_url", "http://heat/v1");
    let seen = completed(host.expect(Method::Get, NAME, missing()), Action::Delete);
    let named = |(name, _): &(String, String)| name == "x-auth-token";
    assert!(!seen.requests[0].headers.iter().any(named));
}

#[test]
fn a_token_is_shown_neither_in_errors_nor_in_records() {
    let secret = "to\"ken";
    let host_a = || host().setting("heat_token", secret);
    let redirected = host_a().expect(Method::Get, NAME, redirect("http://heat/to\"ken/"));
    let words = "cannot look up stack port_p1: Heat redirects to \"http://heat/(token)/\"";
    assert_eq!(failed(redirected, Action::Delete).0, Failure::fatal(words));

    // Where a long body is cut, no piece of the token is left.
    let page = format!("{}{secret}", "x".repeat(297)).into_bytes();
    let page = Response { status: 400, headers: Vec::new(), body: page };
    let failure = failed(host_a().expect(Method::Get, NAME, Ok(page)), Action::Delete).0;
    assert!(failure.words().ends_with("xxx(to"), "{failure:?}");

    let shown = json!({"stack": {
        "id": "s1", "stack_status": "CREATE_FAILED", "stack_status_reason": secret,
    }});
    let checkpoint = json!({"phase": "create", "stack": "s1", "before":
        {"status": "", "updated": ""}, "ran": true, "polls": 0, "rounds": 0});
    let host = host_a().expect(Method::Get, PLAIN, answer(200, shown));
    let verdict = HeatWorker::handle(&host, &a_job(Action::Create), Some(checkpoint));
    assert_eq!(verdict, Err(Failure::fatal("stack port_p1 is CREATE_FAILED: (token)")));
    assert_eq!(host.finish().stack.unwrap().status_reason, "(token)");
}
