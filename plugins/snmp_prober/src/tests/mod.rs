#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod asked;
mod stand_in;

use std::io::{Error, ErrorKind};

use serde_json::json;
use stokehold_sdk::ResourceRef;

use super::*;
use stand_in::{Odd, StandIn};

fn subject(kind: &str, properties: Json) -> Subject {
    let of = ResourceRef::new("ese_port", "p1");
    Subject { of, name: "port".to_owned(), kind: kind.to_owned(), properties }
}

fn port(name: &str) -> Subject {
    let properties = json!({"device_ip": "127.0.0.1", "community_name": "inside", "name": name});
    subject("physical_port", properties)
}

fn switch() -> Subject {
    let properties = json!({"ip": "127.0.0.1", "community_name": "inside", "mibs": []});
    subject("switch", properties)
}

/// What a look at the subject gives, and how many requests it took.
fn look_at(subject: &Subject, agent: &mut StandIn) -> (Result<String, Failure>, usize) {
    let asked = Asked::of(&[], subject).unwrap();
    let status = look(&asked, agent);
    (status, agent.requests)
}

fn status(subject: &Subject, mut agent: StandIn) -> String {
    look_at(subject, &mut agent).0.unwrap()
}

fn failure(subject: &Subject, mut agent: StandIn) -> Failure {
    look_at(subject, &mut agent).0.unwrap_err()
}

#[test]
fn a_device_whose_agent_tells_its_uptime_is_up() {
    assert_eq!(status(&switch(), StandIn::new()), "UP");
    let properties = json!({"ip": "127.0.0.1", "community_name": "inside"});
    assert_eq!(status(&subject("router", properties), StandIn::new()), "UP");
}

#[test]
fn an_agent_without_the_thing_asked_for_says_so() {
    assert_eq!(status(&switch(), StandIn::empty()), "FAIL");
    assert_eq!(status(&port("ae9"), StandIn::new()), "FAIL");
    assert_eq!(status(&port("ae0"), StandIn::empty()), "FAIL");
}

#[test]
fn an_interface_is_up_only_while_it_carries_traffic() {
    for (number, expected) in [(1, "UP"), (2, "DOWN"), (3, "DOWN"), (4, "DOWN"), (7, "DOWN")] {
        let agent = StandIn::new().interface(5, "ae0.1025", "ethernet", number);
        assert_eq!(status(&port("ae0.1025"), agent), expected, "{number}");
    }
}

#[test]
fn an_interface_is_found_by_its_name_or_else_its_description() {
    let agent = || StandIn::new().interface(3, "ae0", "trunk", 1).interface(4, "trunk", "ae0", 2);
    assert_eq!(status(&port("ae0"), agent()), "UP");
    assert_eq!(status(&port("trunk"), agent()), "DOWN");
    let nameless = StandIn::new().described(7, "GigabitEthernet0/7", 1);
    assert_eq!(status(&port("GigabitEthernet0/7"), nameless), "UP");
}

#[test]
fn a_long_table_is_read_in_pages() {
    let mut agent = (1..=120).fold(StandIn::new(), |agent, index| {
        agent.interface(index, &format!("xe-{index}"), "port", 1)
    });
    let (status, requests) = look_at(&port("xe-120"), &mut agent);
    assert_eq!((status.unwrap().as_str(), requests), ("UP", 4));
}

#[test]
fn an_agent_that_does_not_answer_is_down_after_all_tries() {
    for odd in [Odd::Silent, Odd::Unreachable] {
        let mut agent = StandIn::new().odd(odd);
        let (status, requests) = look_at(&switch(), &mut agent);
        assert_eq!((status.unwrap().as_str(), requests), ("DOWN", 3));
        assert_eq!(self::status(&port("ae0"), StandIn::new().odd(odd)), "DOWN");
    }
    // It is as silent when the community is wrong: the protocol has no other answer.
    assert_eq!(status(&switch(), StandIn::new().community("other")), "DOWN");
}

#[test]
fn one_lost_datagram_is_no_silence() {
    let mut agent = StandIn::new().odd(Odd::LosesTheFirst);
    let (status, requests) = look_at(&switch(), &mut agent);
    assert_eq!((status.unwrap().as_str(), requests), ("UP", 2));
}

#[test]
fn late_and_foreign_answers_are_passed_over() {
    assert_eq!(status(&switch(), StandIn::new().odd(Odd::RepeatsOldAnswers)), "UP");
    // An endless stream of them is silence, too.
    assert_eq!(status(&switch(), StandIn::new().odd(Odd::OnlyOldAnswers)), "DOWN");
}

#[test]
fn nonsense_says_nothing_about_the_device() {
    let words = "cannot ask agent 127.0.0.1:161: it answers no SNMP (";
    for odd in [Odd::Noise, Odd::CutShort] {
        match failure(&switch(), StandIn::new().odd(odd)) {
            Failure::Retry(why) => assert!(why.starts_with(words), "{why}"),
            other @ Failure::Fatal(_) => panic!("{other:?}"),
        }
    }
    let agent = StandIn::new().interface(1, "ae0", "", 1).odd(Odd::Circles);
    let words = "cannot ask agent 127.0.0.1:161: its table of interfaces goes in a circle";
    assert_eq!(failure(&port("ae9"), agent), Failure::retry(words));
}

#[test]
fn a_refusal_of_the_host_is_final_and_names_the_grant() {
    let refused = Trouble::of(Error::new(ErrorKind::PermissionDenied, "not granted"));
    let asked = Asked::of(&[], &switch()).unwrap();
    let words = "cannot ask agent 127.0.0.1:161: not granted; grant it with udp under \
                 [plugins.snmp_prober]";
    assert_eq!(asked.failure(&refused), Failure::fatal(words));
    let broken = Trouble::of(Error::new(ErrorKind::NetworkUnreachable, "no route"));
    let words = "cannot ask agent 127.0.0.1:161: no route";
    assert_eq!(asked.failure(&broken), Failure::retry(words));
}

use agent::Trouble;
