#![allow(clippy::unwrap_used)]

use super::*;
use crate::plugin::grant::InjectedSecret;

#[test]
fn an_address_names_host_and_port_with_the_schemes_own_as_default() {
    for (address, expected) in [
        ("http://heat:8004/v1/x", Some(("heat", 8004))),
        ("http://heat/v1", Some(("heat", 80))),
        ("https://me:secret@heat", Some(("heat", 443))),
        ("heat:8004", Some(("heat", 8004))),
        ("heat", Some(("heat", 80))),
        ("http://[::1]:5/", Some(("[::1]", 5))),
        ("/v1", None),
        ("", None),
        ("two words", None),
    ] {
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(site(address), expected, "{address}");
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn given() -> PluginGrants {
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    let secret = InjectedSecret {
        value: "hush".to_owned(),
        inject: texts(&["heat:1"]),
        ..InjectedSecret::default()
    };
    PluginGrants {
        http: texts(&["GET heat:1", "https://more:2"]),
        tcp: texts(&["10.0.0.1:5000"]),
        udp: texts(&["10.0.0.0/8:161"]),
        config: pairs(&[("url", "http://heat:2/hush"), ("slip", "hush"), ("bad", "two hush")])
            .into_iter()
            .collect(),
        secrets: [("token".to_owned(), secret)].into(),
        ..PluginGrants::default()
    }
}

#[test]
fn asked_is_compared_with_granted_row_by_row() {
    let asked = Asked {
        grants: pairs(&[
            ("http", "heat:1"),
            ("http", "other:1"),
            ("http", "config:url"),
            ("http", "config:unset"),
            ("http", "config:bad"),
            ("udp", "*:161"),
            ("udp", "10.1.0.0/16:161"),
            ("udp", "switch1:162"),
            ("tcp", "*:22"),
            ("tcp", "nonsense"),
            ("config", "url"),
            ("config", "bad"),
            ("config", "region"),
            ("secret", "token"),
            ("secret", "key"),
            ("files", "/"),
        ]),
        limits: vec![
            ("memory-bytes".to_owned(), 1),
            ("call-ms".to_owned(), 90_000),
            ("bandwidth".to_owned(), 1),
            ("memory-bytes".to_owned(), u64::MAX),
        ],
    };
    let rows = wishes(&asked, &given(), &Bounds::default());
    let shown = |row: &Wish| {
        let Wish { kind, asked, setting, standing, line, .. } = row;
        let (setting, line) = (setting.as_deref().unwrap_or("-"), line.as_deref().unwrap_or("-"));
        format!("{kind} | {asked} | {setting} | {standing:?} | {line}")
    };
    let expected = "http | heat:1 | - | Granted | -
http | other:1 | - | Refused | http = [\"other:1\"]
http | heat:2 | url | Refused | http = [\"heat:2\"]
http |  | bad | Unclear | -
udp | *:161 as 10.0.0.0/8:161 | - | Granted | -
udp | 10.1.0.0/16:161 | - | Granted | -
udp | switch1:162 | - | Refused | udp = [\"switch1:162\"]
tcp | *:22 | - | Refused | tcp = [\"10.0.0.0/8:22\"]
tcp | nonsense | - | Unclear | -
config | url | - | Granted | -
config | bad | - | Granted | -
config | region | - | Unset | config = { region = \"…\" }
secret | token | - | Granted | -
secret | key | - | Refused | secrets = { key = { file = \"/run/secrets/key\", inject = [\"host:port\"] } }
files | / | - | Unclear | -
http | https://more:2 | - | Unasked | -
tcp | 10.0.0.1:5000 | - | Unasked | -
config | slip | - | Unasked | -
memory-bytes | 1 | - | Granted | -
call-ms | 90000 | - | Refused | call_ms_max = 90000
bandwidth | 1 | - | Unclear | -
memory-bytes | 18446744073709551615 | - | Beyond { most: 4294967296 } | -";
    assert_eq!(rows.iter().map(shown).collect::<Vec<_>>().join("\n"), expected);
    assert!(!format!("{rows:?}").contains("hush"));
    let limits = rows.iter().filter(|row| row.is_limit).map(|row| row.kind.as_str());
    assert_eq!(
        limits.collect::<Vec<_>>(),
        ["memory-bytes", "call-ms", "bandwidth", "memory-bytes"]
    );
}

#[test]
fn what_cannot_be_read_counts_as_nothing_granted() {
    let granted = PluginGrants { udp: vec!["nonsense".to_owned()], ..given() };
    let asked = Asked { grants: pairs(&[("http", "heat:1")]), limits: Vec::new() };
    let rows = wishes(&asked, &granted, &Bounds::default());
    assert_eq!(rows.first().unwrap().standing, Standing::Refused);
}

#[test]
fn the_line_that_would_grant_something_can_be_written() {
    for asked in ["*:161", "10.0.0.0/8:161", "switch:161"] {
        Place::read("udp", &example(asked)).unwrap();
    }
}

#[test]
fn a_grant_of_two_words_is_one_for_the_shell() {
    let said = not_granted("http", "x", "POST heat:1");
    assert!(said.ends_with("--grant-http 'x=POST heat:1'"), "{said}");
}
