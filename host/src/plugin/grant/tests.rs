#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;

fn grants(http: &[&str]) -> Result<Grants, String> {
    let http = http.iter().map(|&s| s.to_owned()).collect();
    Grants::read(&PluginGrants { http, ..PluginGrants::default() })
}

#[test]
fn nothing_is_granted_by_default() {
    let granted = grants(&[]).unwrap();
    assert!(!granted.allows("heat", 80));
    assert!(granted.udp.is_empty() && granted.tcp.is_empty());
    assert!(granted.client.is_none() && granted.secrets.is_empty());
    let why = granted.admit(&Scheme::HTTP, &Method::GET, "heat", 80);
    assert_eq!(why, Err(Missing::Host));
}

#[test]
fn several_grants_for_a_host_add_up_and_the_nearest_says_what_is_missing() {
    let granted = grants(&["GET heat:1", "https://heat:1", "POST heat:2", "heat:3 local"]);
    let granted = granted.unwrap();
    let admit = |scheme, method, port| granted.admit(&scheme, &method, "heat", port);
    assert_eq!(admit(Scheme::HTTP, Method::GET, 1), Ok(Reach::Afar));
    assert_eq!(admit(Scheme::HTTPS, Method::POST, 1), Ok(Reach::Afar));
    assert_eq!(admit(Scheme::HTTP, Method::POST, 1), Err(Missing::Method));
    assert_eq!(admit(Scheme::HTTP, Method::GET, 2), Err(Missing::Method));
    assert_eq!(admit(Scheme::HTTP, Method::GET, 3), Ok(Reach::Local));
    assert_eq!(admit(Scheme::HTTP, Method::GET, 4), Err(Missing::Host));
    let only = grants(&["https://heat:1"]).unwrap();
    let why = only.admit(&Scheme::HTTP, &Method::GET, "heat", 1);
    assert_eq!(why, Err(Missing::Scheme));
}

#[test]
fn secrets_are_not_shown_for_debugging() {
    let config = BTreeMap::from([("password".to_owned(), "opensesame".to_owned())]);
    let secret = InjectedSecret { value: "hush".to_owned(), ..InjectedSecret::default() };
    let secrets = BTreeMap::from([("token".to_owned(), secret)]);
    let shown = format!("{:?}", PluginGrants { config, secrets, ..PluginGrants::default() });
    assert!(shown.contains("password") && shown.contains("token"), "{shown}");
    assert!(!shown.contains("opensesame") && !shown.contains("hush"), "{shown}");
}

#[test]
fn a_plugins_own_bounds_replace_everybodys() {
    let asked = AskedBounds { call_ms_max: Some(7), ..AskedBounds::default() };
    let bounds = Bounds::default().with(&asked);
    assert_eq!(bounds, Bounds { call_ms_max: 7, ..Bounds::default() });
    for (nth, name) in (1_u64..).zip(Bounds::NAMES) {
        let mut asked = AskedBounds::default();
        assert!(asked.set(name, nth), "{name}");
        assert_eq!(Bounds::default().with(&asked).get(name), Some(nth), "{name}");
    }
    assert!(!AskedBounds::default().set("no_such_bound", 1));
    assert_eq!(Bounds::default().get("no_such_bound"), None);
}

#[test]
fn authorities_that_cannot_be_read_are_refused() {
    for bad in
        ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let granted = PluginGrants { http_ca: Some(bad.to_owned()), ..PluginGrants::default() };
        let why = Grants::read(&granted).err().unwrap_or_else(|| panic!("{bad} was read"));
        assert!(why.starts_with("cannot use its http_ca_file: "), "{why}");
    }
}
