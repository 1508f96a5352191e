//! Values as a backend would have answered them.

use super::{NETWORK, client, post, until};
use heat_simulator::{Options, Overrides, Simulator};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The recorded scenario: requests to Heat, and what was stored of the stacks.
fn recorded(file: &str) -> Option<Vec<Json>> {
    let folder = "../../../shared/recordings/common_function_gateway";
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(file);
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "recordings are wanted at {}",
            file.display()
        );
        println!("not run: no recordings");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn start(overrides: Json) -> Simulator {
    let overrides = Overrides::new(overrides).unwrap();
    Simulator::start(Options { overrides, manual: true, ..Options::default() }).unwrap()
}

fn by_key(outputs: &Json) -> BTreeMap<String, Json> {
    let outputs = outputs.as_array().unwrap().iter();
    outputs
        .map(|output| (output["output_key"].as_str().unwrap().to_owned(), output.clone()))
        .collect()
}

#[tokio::test]
async fn the_recorded_port_comes_out_as_it_was_stored() {
    let (Some(requests), Some(stored)) =
        (recorded("heat_requests.jsonl"), recorded("heat_stacks.jsonl"))
    else {
        return;
    };
    let port = "port_a778c668-6ccb-4d46-9ec3-956693262d63";
    let heat = start(json!({
        "OS::Contrail::VirtualMachineInterface": {
            "virtual_networks": "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
            "virtual_machine_interface_allowed_address_pairs": "null",
            "virtual_machine_interface_mac_addresses": "xx:xx:xx:xx:xx:xx",
        },
        "$reasons": {"UPDATE_COMPLETE": "Stack successfully updated"},
    }));
    let client = client(&heat);
    let mut path = String::new();
    let mut stored = stored.iter().filter(|line| line["value"]["stack_id"] == port);
    for request in requests.iter().filter(|request| request["stack_name"] == port) {
        let body = json!({"template": request["template"], "parameters": request["parameters"]});
        if request["method"] == "POST" {
            path = post(&client, port, body).await;
        } else {
            let reply = client.send("PUT", &path, Some(&body)).await.unwrap();
            assert_eq!(reply.status, 202, "{}", reply.body);
        }
        heat.finish(port).unwrap();
        let stack = client.get(&path).await.unwrap().body["stack"].clone();
        let wanted = &stored.next().unwrap()["value"];
        assert_eq!(by_key(&stack["outputs"]), by_key(&wanted["output"]));
        assert_eq!(stack["stack_status"], wanted["stack_status"]);
        assert_eq!(stack["stack_status_reason"], wanted["status_reason"]);
    }
    assert!(stored.next().is_none(), "the recording has a create and an update");
}

#[tokio::test]
async fn every_recorded_request_is_taken_and_has_the_recorded_outputs() {
    let (Some(requests), Some(stored)) =
        (recorded("heat_requests.jsonl"), recorded("heat_stacks.jsonl"))
    else {
        return;
    };
    let heat = start(json!({}));
    let client = client(&heat);
    let mut paths = BTreeMap::new();
    for request in &requests {
        let name = request["stack_name"].as_str().unwrap();
        let body = json!({"template": request["template"], "parameters": request["parameters"]});
        if let Some(path) = paths.get(name) {
            let path: &String = path;
            let reply = client.send("PUT", path, Some(&body)).await.unwrap();
            assert_eq!(reply.status, 202, "{name}: {}", reply.body);
        } else {
            paths.insert(name.to_owned(), post(&client, name, body).await);
        }
        heat.finish(name).unwrap();
        let stack = client.get(&paths[name]).await.unwrap().body["stack"].clone();
        assert!(stack["stack_status"].as_str().unwrap().ends_with("_COMPLETE"), "{stack}");
        let described = |outputs: &Json| -> BTreeMap<String, Json> {
            by_key(outputs).into_iter().map(|(key, o)| (key, o["description"].clone())).collect()
        };
        let wanted = stored.iter().find(|line| line["value"]["stack_id"] == name).unwrap();
        assert_eq!(described(&stack["outputs"]), described(&wanted["value"]["output"]), "{name}");
    }
    assert_eq!(requests.len(), 12);
}

#[tokio::test]
async fn an_override_may_be_anything_or_an_error_and_makes_a_type_known() {
    let heat = start(json!({
        "OS::Contrail::VirtualNetwork": {"fq_name": null},
        "My::Own::Type": {"a": [1, {"b": 2}], "broken": {"$error": "no attribute pi_uuid"}},
        "name": {"any": "thing"},
    }));
    let client = client(&heat);
    let template = format!(
        "{}\n{}",
        NETWORK.replace("resources:", "resources:\n  mine: {type: My::Own::Type}"),
        "  a: {value: {get_attr: [mine, a, 1, b]}}\n  broken: {value: {get_attr: [mine, broken]}}"
    );
    let path = post(&client, "a", json!({ "template": template })).await;
    heat.finish("a").unwrap();
    let stack = until(&client, &path, "CREATE_COMPLETE").await;
    let outputs = by_key(&stack["outputs"]);
    let value = |key: &str| {
        (outputs[key]["output_value"].clone(), outputs[key].get("output_error").cloned())
    };
    assert_eq!(value("fq_name"), (json!(null), None));
    assert_eq!(value("name"), (json!({"any": "thing"}), None));
    assert_eq!(value("a"), (json!(2), None));
    assert_eq!(value("broken"), (json!(null), Some(json!("no attribute pi_uuid"))));
}
