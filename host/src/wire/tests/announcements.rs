//! What collectors outside read.

use serde_json::json;

use super::samples;
use crate::domain::{Alias, Announcement, Json, Kind, ResourceRef, Target};
use crate::wire::{Announced, announcement};

fn told(said: &Announcement) -> Option<(String, String, Json)> {
    let Announced { topic, key, value } = announcement(&samples::schemas(), &samples::job(), said)?;
    Some((topic, key, serde_json::from_slice(&value).unwrap()))
}

fn target(topic: &str) -> Target {
    Target {
        name: "vmi".to_owned(),
        kind: "virtual_machine_interface".to_owned(),
        topic: topic.to_owned(),
        properties: json!({"fq_name": "a:b", "port": 830}),
        interval_ms: Some(5),
    }
}

#[test]
fn targets_are_told_as_collectors_outside_know_them() {
    for (said, action) in [
        (Announcement::Watch(target("monitor_x")), "create"),
        (Announcement::Unwatch(target("monitor_x")), "delete"),
    ] {
        let (topic, key, message) = told(&said).unwrap();
        assert_eq!((topic.as_str(), key.as_str()), ("monitor_x", "a778.vmi"));
        let wanted = json!({
            "action": action,
            "gohan_id": "a778",
            "gohan_resource_type": "ports",
            "name": "vmi",
            "tenant_id": samples::job().tenant(),
            "version": 2,
            "properties": {"fq_name": "a:b", "port": 830},
        });
        assert_eq!(message, wanted);
    }
}

#[test]
fn a_target_without_a_topic_is_told_to_nobody() {
    assert_eq!(told(&Announcement::Watch(target(""))), None);
}

#[test]
fn aliases_are_told_as_rows_of_their_table() {
    let of = ResourceRef { kind: Kind::new("network"), id: "n1".into() };
    let alias = Alias { mapped_id: "m".to_owned(), relation: "baremetal".to_owned(), of };
    for (said, action) in
        [(Announcement::Know(alias.clone()), "create"), (Announcement::Drop(alias), "delete")]
    {
        let (topic, key, message) = told(&said).unwrap();
        assert_eq!((topic.as_str(), key.as_str()), ("resource_mappings", "n1"));
        let wanted = json!({
            "action": action,
            "tenant_id": samples::job().tenant(),
            "resource_type": "network",
            "resource_id": "n1",
            "mapped_id": "m",
            "relation": "baremetal",
        });
        assert_eq!(message, wanted);
    }
}
