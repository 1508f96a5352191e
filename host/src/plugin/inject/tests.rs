#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

const VALUE: &str = "opensesame";

fn secrets(list: &[(&str, InjectedSecret)]) -> Result<Secrets, String> {
    Secrets::read(&list.iter().map(|(name, secret)| ((*name).to_owned(), secret.clone())).collect())
}

fn secret(inject: &[&str], header: Option<&str>) -> InjectedSecret {
    InjectedSecret {
        value: VALUE.to_owned(),
        inject: inject.iter().map(|&site| site.to_owned()).collect(),
        header: header.map(str::to_owned),
    }
}

fn outgoing(method: &str, uri: &str, headers: &[(&str, &str)]) -> Outgoing {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Outgoing { parts: request.body(()).unwrap().into_parts().0, reach: Reach::Afar, sent: 0 }
}

async fn prepared(
    secrets: &Secrets,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
) -> Result<Vec<String>, String> {
    let mut outgoing = outgoing(method, uri, headers);
    secrets.prepare(&mut outgoing).await.map_err(|why| match why {
        Withheld::Refused(refused) => refused.told("plain"),
        Withheld::Trouble(why) => why,
    })?;
    let all = outgoing.parts.headers.iter();
    Ok(all.map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect())
}

#[tokio::test]
async fn a_placeholder_is_filled_in_for_the_secrets_own_host_alone() {
    let all = secrets(&[("token", secret(&["https://heat:8004"], None))]).unwrap();
    let ask = [("authorization", "Bearer {{secret:token}}, {{secret:token}}!"), ("a", "{{b}}")];
    let sent = prepared(&all, "GET", "https://heat:8004/v1", &ask).await;
    let filled = "authorization=Bearer opensesame, opensesame!".to_owned();
    assert_eq!(sent, Ok(vec![filled, "a={{b}}".to_owned()]));
    for elsewhere in ["http://heat:8004/", "https://heat:8005/", "https://evil:8004/heat:8004"] {
        let why = prepared(&all, "GET", elsewhere, &ask).await.unwrap_err();
        assert!(why.starts_with("asked for the secret token towards "), "{why}");
        assert!(
            why.contains("to inject of token in secrets under [plugins.plain]")
                && !why.contains(VALUE),
            "{why}"
        );
    }
}

#[tokio::test]
async fn a_secret_nobody_granted_is_asked_for_in_vain_and_the_reason_says_how_to_grant_it() {
    let ask = [("x", "{{secret:key}}")];
    let why = prepared(&Secrets::default(), "GET", "http://heat:1/", &ask).await.unwrap_err();
    let line = "key = { file = \"/run/secrets/key\", inject = [\"heat:1\"] } to secrets";
    assert!(why.contains("which it was not granted") && why.contains(line), "{why}");
    let open = prepared(&Secrets::default(), "GET", "http://heat:1/", &[("x", "{{secret:k")]).await;
    assert_eq!(open, Ok(vec!["x={{secret:k".to_owned()]), "what has no end is no placeholder");
}

#[tokio::test]
async fn a_secret_with_a_header_goes_along_unasked_and_replaces_the_guests() {
    let all = secrets(&[("token", secret(&["heat:1"], Some("X-Auth-Token")))]).unwrap();
    let mine = [("x-auth-token", "mine"), ("x-auth-token", "too")];
    let sent = prepared(&all, "GET", "http://heat:1/", &mine).await;
    assert_eq!(sent, Ok(vec!["x-auth-token=opensesame".to_owned()]));
    let sent = prepared(&all, "GET", "http://other:1/", &mine[..1]).await;
    assert_eq!(sent, Ok(vec!["x-auth-token=mine".to_owned()]));
}

#[tokio::test]
async fn what_is_filled_in_is_not_shown_for_debugging() {
    let all = secrets(&[("token", secret(&["heat:1"], None))]).unwrap();
    let mut one = outgoing("GET", "http://heat:1/", &[("a", "{{secret:token}}")]);
    all.prepare(&mut one).await.unwrap();
    assert_eq!(one.parts.headers["a"], VALUE);
    assert!(!format!("{:?}", one.parts).contains(VALUE));
}

#[tokio::test]
async fn an_answer_cannot_hand_a_secret_back_in_its_header_nor_by_trace() {
    let all = secrets(&[("token", secret(&["heat:1"], None))]).unwrap();
    let one = outgoing("GET", "http://heat:1/", &[]);
    let answer = http::Response::builder().header("echo", "x opensesame y").header("b", "c");
    let mut answer = answer.body(()).unwrap().into_parts().0;
    assert_eq!(all.answered(&one, &mut answer).await, Next::Deliver);
    assert_eq!(answer.headers["echo"], "{{secret:token}}");
    assert_eq!(answer.headers["b"], "c");

    let ask = [("a", "{{secret:token}}")];
    let why = prepared(&all, "TRACE", "http://heat:1/", &ask).await.unwrap_err();
    assert_eq!(why, "sent TRACE to a host that it has a secret for");
    assert!(prepared(&all, "TRACE", "http://heat:1/", &[]).await.is_ok());
}

#[test]
fn a_secret_that_cannot_be_used_says_why_and_is_not_told() {
    let broken = |value: &str, inject: &[&str], header| {
        let one = InjectedSecret { value: value.to_owned(), ..secret(inject, header) };
        secrets(&[("key", one)]).err().unwrap()
    };
    for (why, expected) in [
        (broken("", &["a:1"], None), "cannot use secret key: it is empty"),
        (broken("hush\n", &["a:1"], None), "it has characters that no header can carry"),
        (broken("hush", &[], None), "it goes nowhere: set inject"),
        (broken("hush", &["GET a:1"], None), "cannot read \"GET a:1\" in inject"),
        (broken("hush", &["a:1"], Some("two words")), "\"two words\" is no header for a secret"),
        (broken("hush", &["a:1"], Some("Host")), "\"Host\" is no header for a secret"),
    ] {
        assert!(why.contains(expected) && !why.contains("hush"), "{why}");
    }
}
