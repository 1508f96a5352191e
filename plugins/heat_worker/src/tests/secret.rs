//! Tokens of Keystone, and what is never shown.

use stokehold_sdk::testing::no_answer;

use super::*;

/// JSON and Rust spell it otherwise.
const PASSWORD: &str = "hid\"den";
const TOKENS: &str = "http://keystone/v3/auth/tokens";

fn host() -> ScriptedHost {
    ScriptedHost::new()
        .setting("heat_url", "http://heat/v1")
        .setting("keystone_url", "http://keystone/v3/")
        .setting("keystone_user", "heat")
        .setting("keystone_password", PASSWORD)
        .setting("keystone_project", "admin")
}

#[allow(clippy::unnecessary_wraps)] // It stands beside answers that are errors.
fn token(text: &str) -> Answer {
    let mut response = answer(201, json!({"token": {}})).unwrap();
    response.headers.push(("X-Subject-Token".to_owned(), text.to_owned()));
    Ok(response)
}

fn sent(seen: &Seen, at: usize) -> &str {
    let found = seen.requests[at].headers.iter().find(|(name, _)| name == "x-auth-token");
    &found.unwrap().1
}

#[test]
fn a_token_is_had_by_password() {
    let host =
        host().expect(Method::Post, TOKENS, token("one")).expect(Method::Get, NAME, missing());
    let seen = completed(host, Action::Delete);
    let user = &seen.body(0)["auth"]["identity"]["password"]["user"];
    let expected = json!({"name": "heat", "domain": {"name": "Default"}, "password": PASSWORD});
    assert_eq!(*user, expected);
    let project = json!({"name": "admin", "domain": {"name": "Default"}});
    assert_eq!(seen.body(0)["auth"]["scope"]["project"], project);
    assert_eq!(sent(&seen, 1), "one");
}

#[test]
fn a_token_that_is_refused_is_replaced_once() {
    let host_a = host()
        .setting("heat_token", "old")
        .expect(Method::Get, NAME, answer(401, Json::Null))
        .expect(Method::Post, TOKENS, token("new"))
        .expect(Method::Get, NAME, missing());
    assert_eq!(sent(&completed(host_a, Action::Delete), 2), "new");
    let host_b = host()
        .expect(Method::Post, TOKENS, token("one"))
        .expect(Method::Get, NAME, answer(401, Json::Null))
        .expect(Method::Post, TOKENS, token("two"))
        .expect(Method::Get, NAME, answer(401, Json::Null));
    let words = "cannot look up stack port_p1: Heat answered 401";
    assert_eq!(failed(host_b, Action::Delete).0, Failure::fatal(words));
}

#[test]
fn a_keystone_that_gives_none_is_named() {
    let refusal = answer(401, json!({"error": {"message": "wrong password"}}));
    let start = "cannot get a token from http://keystone/v3: ";
    for (given, failure) in [
        (no_answer(), Failure::retry(format!("{start}connection refused"))),
        (answer(503, Json::Null), Failure::retry(format!("{start}Keystone answered 503"))),
        (refusal, Failure::fatal(format!("{start}Keystone answered 401: wrong password"))),
        (
            answer(201, Json::Null),
            Failure::fatal(format!("{start}the answer has no X-Subject-Token")),
        ),
    ] {
        let host = host().expect(Method::Post, TOKENS, given);
        assert_eq!(failed(host, Action::Delete).0, failure);
    }
}

#[test]
fn what_keystone_repeats_of_the_question_is_not_shown() {
    let quoted = json!({"password": PASSWORD}).to_string();
    let start = "cannot get a token from http://keystone/v3: Keystone answered 400";
    let page = format!("<html>{quoted}</html>").into_bytes();
    let page = Response { status: 400, headers: Vec::new(), body: page };
    let cases = [
        (answer(400, json!({"error": {"message": PASSWORD}})), ": (password)"),
        (answer(400, json!({"error": {"message": quoted}})), r#": {"password":"(password)"}"#),
        (Ok(page), ""),
        (answer(400, json!(PASSWORD)), ""),
        (answer(400, json!({"auth": {"password": PASSWORD}})), ""),
    ];
    for (given, shown) in cases {
        let host = host().expect(Method::Post, TOKENS, given);
        let (failure, _) = failed(host, Action::Delete);
        assert_eq!(failure, Failure::fatal(format!("{start}{shown}")));
    }
}

#[test]
fn a_token_is_shown_neither_in_errors_nor_in_records() {
    let secret = "to\"ken";
    let host_a = || host().expect(Method::Post, TOKENS, token(secret));
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
