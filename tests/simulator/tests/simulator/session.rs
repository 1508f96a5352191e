//! The recorded exchanges with a real Heat, request by request.

use heat_simulator::{Client, Options, Simulator};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Exchanges that are not asked again, by their number in the recording, and why.
const OUT_OF_SCOPE: [(usize, &str); 6] = [
    (1, "the answer without a token has a test of its own"),
    (2, "the answer to a wrong token has a test of its own"),
    (26, "events are not simulated"),
    (98, "the types of the recording had required properties, the stand-ins of today have not"),
    (105, "custom constraints ask other services"),
    (139, "the recorder deleted all stacks before this list without recording it"),
];

/// Where recordings of Heat lie beside the checkout.
pub(crate) fn recordings() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/heat")
}

/// A recorded exchange.
struct Exchange {
    method: String,
    path: String,
    request: Json,
    status: u16,
    response: Json,
    location: Option<String>,
    content_type: Option<String>,
    note: String,
}

fn exchanges() -> Option<Vec<Exchange>> {
    let file = recordings().join("session.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "recordings of Heat are wanted at {}",
            file.display()
        );
        println!("not run: no recordings of Heat");
        return None;
    };
    let line = |line: &str| {
        let line: Json = serde_json::from_str(line).unwrap();
        let text = |field: &str| line[field].as_str().map(str::to_owned);
        Exchange {
            method: text("method").unwrap(),
            path: text("path").unwrap(),
            request: line["request"].clone(),
            status: u16::try_from(line["status"].as_u64().unwrap()).unwrap(),
            response: line["response"].clone(),
            location: text("location"),
            content_type: text("content_type"),
            note: text("note").unwrap_or_default(),
        }
    };
    Some(text.lines().map(line).collect())
}

/// The simulator's ids for the recorded ones, and its origin for the recorded one.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn learn(&mut self, recorded: &Json, own: &Json) {
        if let (Some(recorded), Some(own)) = (recorded.as_str(), own.as_str()) {
            self.0.insert(recorded.to_owned(), own.to_owned());
        }
    }

    fn own(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (recorded, own)| text.replace(recorded, own))
    }

    fn own_json(&self, json: &Json) -> Json {
        serde_json::from_str(&self.own(&json.to_string())).unwrap()
    }
}

/// Brings the stack to where the recording shows it: the recorded Heat had time to work, and its
/// backend failed where it was told to.
fn steer(heat: &Simulator, recorded: &Json) {
    let (Some(name), Some(status), Some(reason)) = (
        recorded["stack_name"].as_str(),
        recorded["stack_status"].as_str(),
        recorded["stack_status_reason"].as_str(),
    ) else {
        return;
    };
    for _ in 0..4 {
        let stack = heat.stack(name).unwrap();
        if stack.status.to_string() == status {
            return;
        }
        let told = reason.contains("backend refused") || reason.contains("timed out");
        if status.ends_with("_FAILED") && told {
            heat.finish_as(name, status, reason).unwrap();
        } else {
            heat.step(name).unwrap();
        }
    }
    panic!("stack {name} never is {status}");
}

fn sorted(list: &Json, key: &str) -> Vec<Json> {
    let mut list = list.as_array().cloned().unwrap_or_default();
    list.sort_by_key(|item| item[key].to_string());
    list
}

/// The fields that Heat alone decides, such as times and random ids, are left out; lists whose
/// order varies are sorted; outputs are compared by value only when the stack is settled.
fn main_fields(body: &Json, note: &str) -> Json {
    let mut body = body.clone();
    if let Some(message) = body["error"]["message"].as_str().map(str::to_owned) {
        // The parser's own words differ, and a circle is told from either end.
        for prefix in ["Error parsing template [root stack]", "Circular Dependency Found:"] {
            if let Some(place) = message.find(prefix) {
                body["error"]["message"] = message[..place + prefix.len()].into();
            }
        }
    }
    if let Some(stack) = body.get_mut("stack").and_then(Json::as_object_mut) {
        stack_fields(stack, note);
    }
    for (list, key) in [("outputs", "output_key"), ("resources", "resource_name")] {
        if body[list].is_array() && body.get("heat_template_version").is_none() {
            body[list] = sorted(&body[list], key).into();
        }
    }
    strip_resource(body.get_mut("resource"));
    for resource in body.get_mut("resources").and_then(Json::as_array_mut).into_iter().flatten() {
        strip_resource(Some(resource));
    }
    for stack in body.get_mut("stacks").and_then(Json::as_array_mut).into_iter().flatten() {
        for field in ["creation_time", "updated_time", "stack_user_project_id"] {
            stack.as_object_mut().unwrap().remove(field);
        }
    }
    body
}

/// The same for a stack that is shown.
fn stack_fields(stack: &mut serde_json::Map<String, Json>, note: &str) {
    for times in ["creation_time", "updated_time", "deletion_time"] {
        if let Some(time) = stack.get_mut(times) {
            *time = time.is_string().into();
        }
    }
    stack.remove("stack_user_project_id");
    let shown = stack.get_mut("parameters").and_then(Json::as_object_mut);
    for parameter in shown.into_iter().flat_map(serde_json::Map::values_mut) {
        // A map shown as a text has lost the order of its keys.
        let text = parameter.as_str().unwrap_or_default().replace('\'', "\"");
        if let Ok(map @ Json::Array(_)) = serde_json::from_str::<Json>(&text) {
            *parameter = map;
        }
    }
    let settled = stack.get("stack_status").is_some_and(|status| {
        ["_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED"]
            .iter()
            .any(|end| status.as_str().unwrap_or_default().ends_with(end))
    });
    if let Some(reason) = stack.get_mut("stack_status_reason")
        && let Some(text) = reason.as_str().and_then(|text| text.split_once(" started at "))
    {
        *reason = text.0.into();
    }
    if let Some(outputs) = stack.get("outputs").cloned() {
        let mut outputs = sorted(&outputs, "output_key");
        for output in &mut outputs {
            let random = output["output_key"] == "id" && note.contains("subnet");
            if !settled || random {
                output["output_value"] = Json::Null;
            }
        }
        stack.insert("outputs".into(), outputs.into());
    }
}

fn strip_resource(resource: Option<&mut Json>) {
    let Some(resource) = resource.and_then(Json::as_object_mut) else { return };
    resource.remove("creation_time");
    resource.remove("updated_time");
    // The attributes of the recording are those of another set of stand-ins: more of them.
    resource.remove("attributes");
    let given = resource.get("resource_type").is_some_and(|kind| {
        kind == "OS::Contrail::VirtualMachineInterface" || kind == "OS::Contrail::VirtualNetwork"
    });
    let failed = resource
        .get("resource_status")
        .and_then(Json::as_str)
        .is_some_and(|it| it.ends_with("_FAILED"));
    if !given || failed {
        resource.remove("physical_resource_id");
    }
    // A recorded backend failed at the resource that it was told of.
    let failed = resource.get("resource_status_reason").and_then(Json::as_str);
    if failed.is_some_and(|reason| reason.contains("backend refused")) {
        resource.remove("resource_status_reason");
    }
}

/// The places where two values differ.
fn differ(path: &str, wanted: &Json, got: &Json, places: &mut Vec<String>) {
    match (wanted, got) {
        (Json::Object(wanted), Json::Object(got)) => {
            let keys: std::collections::BTreeSet<&String> =
                wanted.keys().chain(got.keys()).collect();
            for key in keys {
                let side = |map: &serde_json::Map<String, Json>| map.get(key).cloned();
                let (wanted, got) = (side(wanted), side(got));
                let (wanted, got) = (wanted.unwrap_or_default(), got.unwrap_or_default());
                differ(&format!("{path}.{key}"), &wanted, &got, places);
            }
        }
        (Json::Array(wanted), Json::Array(got)) if wanted.len() == got.len() => {
            for (index, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                differ(&format!("{path}[{index}]"), wanted, got, places);
            }
        }
        _ if wanted == got => {}
        _ => places.push(format!("{path}: wanted {wanted}, got {got}")),
    }
}

#[tokio::test]
async fn recorded_requests_are_answered_as_the_real_heat_answered() {
    let Some(exchanges) = exchanges() else { return };
    assert_eq!(exchanges.len(), 140, "the list of what is out of scope counts lines");
    let heat = Simulator::start(Options { manual: true, ..Options::default() }).unwrap();
    let client = Client::new(&heat.origin());
    let mut names = Names::default();
    names.0.insert("http://127.0.0.1:8004".into(), heat.origin());
    let mut differences = Vec::new();
    let mut compared = 0;
    for (number, exchange) in exchanges.iter().enumerate() {
        if OUT_OF_SCOPE.iter().any(|(out, _)| *out == number) {
            continue;
        }
        let recorded_stack = &exchange.response["stack"];
        if exchange.method == "GET" {
            steer(&heat, recorded_stack);
        }
        let body = Some(&exchange.request).filter(|request| !request.is_null());
        let path = names.own(&exchange.path);
        let reply = client.send(&exchange.method, &path, body).await.unwrap();
        compared += 1;
        names.learn(&recorded_stack["id"], &reply.body["stack"]["id"]);
        // Templates of the subnet have an id that the backend chose.
        let note = if exchange.path.contains("subnet_") { "subnet" } else { &exchange.note };
        let empty = exchange.response.as_str() == Some("");
        let wanted = if empty { Json::Null } else { names.own_json(&exchange.response) };
        let wanted = (
            exchange.status,
            exchange.location.as_deref().map(|location| names.own(location)),
            exchange.content_type.clone(),
            main_fields(&wanted, note),
        );
        let got =
            (reply.status, reply.location, reply.content_type, main_fields(&reply.body, note));
        if wanted != got {
            let mut places = Vec::new();
            differ("", &wanted.3, &got.3, &mut places);
            let heads =
                ((wanted.0, wanted.1, wanted.2) != (got.0, got.1, got.2)).then_some("head ");
            differences.push(format!(
                "{number} {} {} ({}): {}{}",
                exchange.method,
                exchange.path,
                exchange.note,
                heads.unwrap_or_default(),
                places.join("; ")
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(compared, exchanges.len() - OUT_OF_SCOPE.len());
}

#[tokio::test]
async fn a_missing_or_wrong_token_is_refused_as_the_real_heat_did() {
    let Some(exchanges) = exchanges() else { return };
    let options = Options { token: Some("right".into()), ..Options::default() };
    let heat = Simulator::start(options).unwrap();
    let client = Client::new(&heat.origin());
    for (exchange, client) in
        [(&exchanges[1], client.clone()), (&exchanges[2], client.clone().token("wrong"))]
    {
        let reply = client.get(&exchange.path).await.unwrap();
        assert_eq!((reply.status, reply.body), (exchange.status, exchange.response.clone()));
    }
    let reply = client.token("right").get(&exchanges[1].path).await.unwrap();
    assert_eq!(reply.status, 200);
}
