//! What is asked, and whom.

use super::*;

#[test]
fn it_knows_devices_and_their_ports_and_asks_for_udp() {
    let probing = SnmpProber::describe();
    assert_eq!(probing.name, "snmp_prober");
    assert_eq!(probing.kinds, ["logical_port", "physical_port", "router", "switch"]);
    assert!(probing.grants.iter().any(|grant| grant.kind == "udp"));
}

#[test]
fn port_patience_and_address_are_as_set_and_registered() {
    let asked = Asked::of(&[], &port("ae0")).unwrap();
    assert_eq!(asked.agent.to_string(), "127.0.0.1:161");
    assert_eq!(asked.interface.as_deref(), Some("ae0"));
    assert_eq!((asked.patience.timeout, asked.patience.tries), (Duration::from_secs(1), 3));
    let settings = [(PORT, "1161"), (TIMEOUT_MS, " 50 "), (TRIES, "1")];
    let settings = settings.map(|(key, value)| (key, Some(value.to_owned())));
    let properties = json!({"ip": "::1", "community_name": "inside"});
    let asked = Asked::of(&settings, &subject("switch", properties)).unwrap();
    assert_eq!(asked.agent.to_string(), "[::1]:1161");
    assert_eq!(asked.interface, None);
    assert_eq!((asked.patience.timeout, asked.patience.tries), (Duration::from_millis(50), 1));
}

#[test]
fn a_name_or_a_community_may_look_like_a_number() {
    let properties = json!({"device_ip": "127.0.0.1", "community_name": 1234, "name": 24});
    let asked = Asked::of(&[], &subject("physical_port", properties)).unwrap();
    assert_eq!((asked.community.as_str(), asked.interface.as_deref()), ("1234", Some("24")));
}

#[test]
fn what_cannot_be_asked_is_final_and_says_what_is_wrong() {
    let check = |settings: &Settings, subject: &Subject, words: &str| {
        let failure = Asked::of(settings, subject).err().unwrap();
        assert_eq!(failure, Failure::fatal(words));
    };
    let plain: [(&'static str, Option<String>); 0] = [];
    let whole = json!({"device_ip": "127.0.0.1", "community_name": "inside", "name": "ae0"});
    check(
        &plain,
        &subject("nova_vm", whole.clone()),
        "port is of kind nova_vm, which is unknown here",
    );
    for property in ["device_ip", "community_name", "name"] {
        let mut lacking = whole.clone();
        lacking.as_object_mut().unwrap().remove(property);
        let words = format!("{property} of port of ese_port:p1 is missing");
        check(&plain, &subject("physical_port", lacking.clone()), &words);
        lacking[property] = json!(["5"]);
        let words = format!("{property} of port of ese_port:p1 is no text");
        check(&plain, &subject("physical_port", lacking), &words);
    }
    let mut long = whole;
    long["community_name"] = json!("x".repeat(256));
    let words = "community_name of port of ese_port:p1 is longer than 255 bytes";
    check(&plain, &subject("logical_port", long), words);
    for (key, value, range) in [
        ("snmp_port", "0", "1 to 65535"),
        ("timeout_ms", "fast", "10 to 60000"),
        ("tries", "21", "1 to 20"),
    ] {
        let words = format!(
            "setting {key} of snmp_prober must be a whole number from {range}, not {value}"
        );
        check(&[(key, Some(value.to_owned()))], &switch(), &words);
    }
}
