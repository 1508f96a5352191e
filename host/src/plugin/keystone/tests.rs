#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::*;

const PASSWORD: &str = "opensesame";

fn granted() -> Keystone {
    Keystone {
        url: "http://keystone:5000/v3".to_owned(),
        identity: Identity::Password {
            user: "heat".to_owned(),
            domain: "Users".to_owned(),
            password: Hidden::new(PASSWORD),
        },
        scope: Scope::Tenant,
        region: None,
        interface: "public".to_owned(),
        services: BTreeSet::from(["orchestration".to_owned()]),
        timeout_ms: 1000,
        renew_before_ms: 60_000,
        tokens_max: 2,
    }
}

#[test]
fn a_user_asks_by_password_for_the_project_of_the_request_or_for_one_of_its_own() {
    let user = json!({"name": "heat", "domain": {"name": "Users"}, "password": PASSWORD});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let tenant = json!({"project": {"id": "p1"}});
    let asked = exchange::question(&granted(), "p1");
    assert_eq!(asked, json!({"auth": {"identity": identity, "scope": tenant}}));
    let scope = Scope::Project { name: "service".to_owned(), domain: "Projects".to_owned() };
    let asked = exchange::question(&Keystone { scope, ..granted() }, "p1");
    let scope = json!({"project": {"name": "service", "domain": {"name": "Projects"}}});
    assert_eq!(asked, json!({"auth": {"identity": identity, "scope": scope}}));
}

#[test]
fn an_application_credential_asks_without_a_scope() {
    let (id, secret) = ("i".to_owned(), Hidden::new("s"));
    let identity = Identity::ApplicationCredential { id, secret };
    let asked = exchange::question(&Keystone { identity, scope: Scope::Own, ..granted() }, "p1");
    let credential = json!({"id": "i", "secret": "s"});
    let methods = json!(["application_credential"]);
    let identity = json!({"methods": methods, "application_credential": credential});
    assert_eq!(asked, json!({"auth": {"identity": identity}}));
}

fn endpoint(region: &str, interface: &str, url: &str) -> Json {
    json!({"region_id": region, "region": region, "interface": interface, "url": url})
}

fn described() -> Json {
    json!({"token": {
        "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.500000Z",
        "catalog": [
            {"type": "identity", "endpoints": [endpoint("one", "public", "http://keystone/v3")]},
            {"type": "orchestration", "endpoints": [
                endpoint("one", "internal", "http://inner/v1/p1"),
                endpoint("one", "public", "http://one/v1/p1/"),
                endpoint("two", "public", "http://two/v1/p1"),
            ]},
            {"type": "compute", "endpoints": []},
        ],
    }})
}

fn read(granted: &Keystone, status: u16, token: &str, body: &Json) -> Result<Token, String> {
    let token = HeaderValue::from_str(token).ok().filter(|token| !token.is_empty());
    exchange::read(granted, status, token.as_ref(), body.to_string().as_bytes())
}

#[test]
fn a_token_has_its_life_by_keystones_clock_and_the_endpoints_that_fit() {
    let token = read(&granted(), 201, "secret", &described()).unwrap();
    assert_eq!((token.header.as_bytes(), token.life_ms), (&b"secret"[..], 3_600_500));
    assert!(token.header.is_sensitive());
    let known: Vec<_> = token.endpoints.iter().map(|(kind, url)| (&**kind, &**url)).collect();
    assert_eq!(known, [("identity", "http://keystone/v3"), ("orchestration", "http://one/v1/p1")]);
    for (region, interface, url) in [
        (Some("two"), "public", Some("http://two/v1/p1")),
        (Some("one"), "internal", Some("http://inner/v1/p1")),
        (Some("two"), "internal", None),
        (Some("three"), "public", None),
    ] {
        let (region, interface) = (region.map(str::to_owned), interface.to_owned());
        let token = read(&Keystone { region, interface, ..granted() }, 201, "secret", &described());
        assert_eq!(token.unwrap().endpoints.get("orchestration").map(String::as_str), url);
    }
}

#[test]
fn what_is_no_token_is_told_in_keystones_words_and_never_with_a_secret() {
    let message = |text: &str| json!({"error": {"message": text}});
    let late = json!({"token": {"issued_at": "now", "expires_at": "2026-01-01T01:00:00Z"}});
    for (status, token, body, words) in [
        (401, "", message("wrong"), "Keystone answered 401: wrong"),
        (400, "", message(&format!("no {PASSWORD}!")), "Keystone answered 400: no (secret)!"),
        (400, "", json!({"auth": {"password": PASSWORD}}), "Keystone answered 400"),
        (503, "", Json::Null, "Keystone answered 503"),
        (201, "", described(), "the answer has no X-Subject-Token"),
        (201, "t", Json::Null, "the answer describes no token"),
        (201, "t", json!({"token": {}}), "the answer's expires_at is no time"),
        (201, "t", late, "the answer's issued_at is no time"),
    ] {
        assert_eq!(read(&granted(), status, token, &body).err().as_deref(), Some(words));
    }
    let long = read(&granted(), 400, "", &message(&"x".repeat(1000))).err().unwrap();
    assert_eq!(long.len(), "Keystone answered 400: ".len() + 300);
}

#[test]
fn a_token_is_kept_until_shortly_before_its_end() {
    let token = read(&granted(), 201, "secret", &described()).unwrap();
    let mut kept = Kept::default();
    assert!(kept.token(0, 0).is_none() && kept.refusal(0).is_none());
    kept.keep(Ok(token.clone()), 1000, 0);
    assert!(kept.token(3_541_499, 60_000) == Some(&token));
    assert!(kept.token(3_541_500, 60_000).is_none() && kept.token(3_541_500, 0).is_some());
    kept.forget(&HeaderValue::from_static("older"));
    assert!(kept.token(1000, 0).is_some());
    kept.forget(&token.header);
    assert!(kept.token(1000, 0).is_none());
}

#[test]
fn a_refusal_is_remembered_for_a_while_and_ended_by_a_token() {
    let mut kept = Kept::default();
    kept.keep(Err("wrong".to_owned()), 1000, 500);
    assert_eq!((kept.refusal(1499), kept.refusal(1500)), (Some("wrong"), None));
    kept.keep(read(&granted(), 201, "secret", &described()), 1400, 500);
    assert_eq!(kept.refusal(1400), None);
}

#[test]
fn only_the_named_services_are_served_and_only_by_their_names() {
    for (host, port, serves) in [
        ("orchestration.openstack", 80, true),
        ("orchestration.openstack", 443, false),
        ("compute.openstack", 80, false),
        ("orchestration", 80, false),
        ("keystone", 80, false),
    ] {
        assert_eq!(granted().serves(host, port), serves, "{host}:{port}");
    }
}

fn outgoing(uri: &str) -> Outgoing {
    let parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
    Outgoing { parts, reach: Reach::Afar, sent: 0 }
}

#[test]
fn a_request_names_service_and_project() {
    let tokens = Tokens::new(granted(), None).unwrap();
    for (uri, project, rest) in [
        ("http://orchestration.openstack/p1/stacks/a?b=c", "p1", "/stacks/a?b=c"),
        ("http://orchestration.openstack/p%201?b=c", "p 1", "?b=c"),
        ("http://orchestration.openstack/", "", ""),
    ] {
        let outgoing = outgoing(uri);
        let asked = tokens.asked(&outgoing).unwrap();
        assert_eq!((asked.service, &*asked.project, asked.rest), ("orchestration", project, rest));
    }
    assert!(tokens.asked(&outgoing("http://heat:8004/p1/stacks")).is_none());
}

#[test]
fn the_tokens_that_were_not_asked_for_longest_go_first() {
    let tokens = Tokens::new(granted(), None).unwrap();
    for (now_ms, project) in [(1, "one"), (2, "two"), (3, "one"), (4, "three")] {
        tokens.place(project, now_ms);
    }
    let kept: Vec<_> = tokens.kept.lock().unwrap().keys().cloned().collect();
    assert_eq!(kept, ["one", "three"]);
    let scope = Scope::Project { name: "service".to_owned(), domain: "Default".to_owned() };
    let tokens = Tokens::new(Keystone { scope, ..granted() }, None).unwrap();
    assert!(Arc::ptr_eq(&tokens.place("one", 1), &tokens.place("two", 2)));
}

#[test]
fn secrets_are_not_shown_for_debugging() {
    let shown = format!("{:?}", granted());
    assert!(shown.contains("heat") && !shown.contains(PASSWORD), "{shown}");
}

#[test]
fn who_waited_for_an_answer_that_did_not_come_takes_that_for_one() {
    let mut kept = Kept::default();
    kept.fail("no answer within 1000 ms (timeout_ms)".to_owned(), 1500);
    assert_eq!(kept.refusal(600), Some("no answer within 1000 ms (timeout_ms)"));
    assert_eq!(kept.refusal(1500), None, "who comes afterwards asks");
}

#[tokio::test]
async fn a_request_that_is_answered_with_itself_gets_no_token() {
    let tokens = Tokens::new(granted(), None).unwrap();
    let uri = "http://orchestration.openstack/p1/stacks";
    let request = Request::builder().method(Method::TRACE).uri(uri).body(()).unwrap();
    let parts = request.into_parts().0;
    let mut outgoing = Outgoing { parts, reach: Reach::Afar, sent: 0 };
    let why = tokens.prepare(&mut outgoing).await;
    let words = "sent TRACE to orchestration, a service with a login".to_owned();
    assert_eq!(why, Err(Withheld::Refused(Refused { why: words, remedy: None })));
    assert!(outgoing.parts.headers.is_empty());
}
