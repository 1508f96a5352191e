//! The types of objects that can be watched.

use serde_json::{Map, json};
use stokehold_sdk::Json;

/// One type.
pub(crate) struct Kind {
    /// Its name in templates.
    pub(crate) name: &'static str,
    /// Where collectors outside hear of it.
    pub(crate) topic: Topic,
    /// Properties it cannot do without.
    pub(crate) required: &'static [&'static str],
    /// What is reported until the collector knows better.
    pub(crate) status: Status,
}

/// Where collectors outside hear of an object.
pub(crate) enum Topic {
    /// Under this topic.
    Named(&'static str),
    /// Under the one that this property names.
    InProperty(&'static str),
    /// Nowhere: it is not registered.
    None,
}

/// The status that is reported at first.
pub(crate) enum Status {
    /// This one.
    Fixed(&'static str),
    /// What this property says.
    InProperty(&'static str),
    /// None at all.
    None,
}

/// All types.
pub(crate) const KINDS: &[Kind] = &[
    active("virtual_network", "monitor_virtual_network", &["fq_name"]),
    active("virtual_machine_interface", "monitor_virtual_machine_interface", &["fq_name"]),
    active("switch", "monitor_snmp_device", &["ip", "community_name"]),
    active("router", "monitor_snmp_device", &["ip", "community_name"]),
    active("physical_port", "monitor_physical_port", &["device_ip", "community_name", "name"]),
    active("logical_port", "monitor_logical_port", &["device_ip", "community_name", "name"]),
    active("nova_vm", "monitor_nova_vm", &["server_id"]),
    Kind {
        name: "vrrp_session",
        topic: Topic::Named("monitor_igs_interface"),
        required: &["host", "port", "login", "password", "interface", "vrid", "wanted_status"],
        status: Status::InProperty("wanted_status"),
    },
    Kind {
        name: "bgp_session",
        topic: Topic::Named("monitor_vpn_interface"),
        required: &["host", "port", "login", "password", "instance", "peer_address"],
        status: Status::Fixed("ESTABLISHED"),
    },
    Kind {
        name: "etcd_reader",
        topic: Topic::None,
        required: &["etcd_type", "etcd_id"],
        status: Status::Fixed("ACTIVE"),
    },
    Kind {
        name: "kafka_messenger",
        topic: Topic::InProperty("kafka_topic"),
        required: &["kafka_topic"],
        status: Status::None,
    },
];

const fn active(
    name: &'static str,
    topic: &'static str,
    required: &'static [&'static str],
) -> Kind {
    Kind { name, topic: Topic::Named(topic), required, status: Status::Fixed("ACTIVE") }
}

impl Kind {
    /// The type of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// What a prober or collector is told: all but what is meant for the worker itself.
    pub(crate) fn properties(&self, mut object: Map<String, Json>) -> Json {
        object.remove("type");
        if let Topic::InProperty(property) = self.topic {
            // A messenger hands on whatever else it is given.
            object.remove(property);
            return Json::Object(object);
        }
        for own in ["timeout", "time_between_retries", "wanted_status"] {
            object.remove(own);
        }
        if matches!(self.name, "switch" | "router") {
            object.entry("mibs").or_insert(json!([]));
        }
        Json::Object(object)
    }
}
