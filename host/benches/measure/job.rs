//! A job of some 4 KB as it lies in a store: JSON, with ids, names and secrets that no other job
//! has. It packs about as well as real jobs of this size do (3 to 3.5 times smaller).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use stokehold::domain::{
    Action, Content, Entry, HandlerName, Job, JobId, Json, OnFailure, Param, ParamValue, Posted,
    ResourceRef, Schemas, Version,
};
use stokehold::wire;

/// Sixteen bytes that only this job and this field have.
fn digest(job: &str, field: &str) -> [u8; 16] {
    let digest = Sha256::digest(format!("{job} {field}"));
    std::array::from_fn(|at| digest[at])
}

fn id(job: &str, field: &str) -> String {
    uuid::Uuid::from_bytes(digest(job, field)).to_string()
}

fn word(job: &str, field: &str) -> String {
    digest(job, field).iter().take(6).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn address(job: &str, field: &str) -> String {
    let [a, b, c, ..] = digest(job, field);
    format!("10.{a}.{b}.{c}")
}

fn resource(job: &str, kind: &str) -> ResourceRef {
    ResourceRef::new(kind, id(job, kind))
}

fn param(job: &str, name: &str, value: Json, kinds: &[&str]) -> Param {
    let resources = kinds.iter().map(|kind| resource(job, kind)).collect();
    Param { name: name.to_owned(), value: ParamValue::Value(value), resources }
}

fn params(job: &str) -> Vec<Param> {
    let mut params = vec![
        param(job, "name", json!(format!("gateway_{}", word(job, "name"))), &[]),
        param(job, "jinja_vrids", json!(digest(job, "vrids")[..2]), &["pool"]),
        Param {
            name: "virtual_network".to_owned(),
            value: ParamValue::Output { key: "id".to_owned(), of: resource(job, "network") },
            resources: vec![resource(job, "network")],
        },
    ];
    for device in ["primary", "secondary"] {
        let kinds = ["interface", "router", device];
        let field = |name: &str| format!("{device}_{name}");
        let mut add = |name: &str, value| params.push(param(job, &field(name), value, &kinds));
        add("device_ip", json!(address(job, device)));
        add("device_port", json!(830));
        add("device_login", json!(word(job, &field("login"))));
        add("device_password", json!(word(job, &field("password"))));
    }
    params
}

fn input(job: &str) -> Json {
    json!({
        "id": id(job, "gateway"),
        "name": format!("gateway_{}", word(job, "name")),
        "description": "",
        "status": "PENDING_CREATE",
        "tenant_id": id(job, "tenant"),
        "network_id": id(job, "network"),
        "subnet_id": id(job, "subnet"),
        "pool_id": id(job, "pool"),
        "interface_id": id(job, "interface"),
        "functions": [{"function_id": id(job, "one")}, {"function_id": id(job, "two")}],
        "fixed_ips": [{"subnet_id": id(job, "subnet"), "ip_address": address(job, "fixed")}],
        "mac_address": format!("fa:16:3e:{}", word(job, "mac")),
        "nat_ip": address(job, "nat"),
        "vrf_name": format!("vrf_gateway_{}", word(job, "vrf")),
        "segmentation_id": 1025,
        "segmentation_type": "vlan",
        "admin_state_up": true,
        "attached": true,
        "tags": {},
    })
}

/// The job called `name`, as bytes.
pub fn text(name: &str) -> Vec<u8> {
    let target = resource(name, "gateway");
    let job_id = |handler: &str| {
        JobId::new(format!("create:{handler}:gateway:{}:1:abcde", target.id.as_str()))
    };
    let job = Job {
        id: job_id("heat_worker"),
        action: Action::Create,
        handler: HandlerName::new("heat_worker"),
        version: Version(1),
        is_first: false,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: BTreeSet::from([job_id("monitoring_worker")]),
        params: params(name),
        input: input(name),
        target: target.clone(),
    };
    let entry = Entry::Job(job.id.clone());
    let posted = Posted { job, attempts: 0 };
    wire::spell(&Schemas::default(), &entry, &Content::Job(posted)).unwrap()
}
