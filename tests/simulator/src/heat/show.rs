//! Stacks as Heat shows them.

use super::stack::{Resource, Stack};
use super::status::Status;
use super::template::Template;
use crate::overrides::Overrides;
use crate::text;
use serde_json::{Map, Value as Json, json};

/// `GET stacks/{name}/{id}`; without outputs when they are not asked for.
pub(crate) fn stack(stack: &Stack, url: &str, outputs: Option<Vec<Json>>) -> Json {
    let revision = &stack.revision;
    let mut parameters: Map<String, Json> =
        stack.pseudo().into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    for (name, value) in &revision.values {
        parameters.insert(name.clone(), value.text.clone().into());
    }
    let description = revision.template.description();
    let mut shown = json!({
        "stack_name": stack.name,
        "id": stack.id,
        "links": links(url),
        "creation_time": text::time(stack.created),
        "updated_time": stack.updated.map(text::time),
        "deletion_time": stack.deleted.map(text::time),
        "notification_topics": [],
        "parameters": parameters,
        "description": description,
        "template_description": description,
        "capabilities": [],
        "disable_rollback": revision.disable_rollback,
        "timeout_mins": revision.timeout_mins,
        "stack_owner": "admin",
        "parent": null,
        "stack_user_project_id": stack.tenant,
        "tags": [],
        "stack_status": stack.status.to_string(),
        "stack_status_reason": stack.reason,
    });
    if let (Some(outputs), Json::Object(shown)) = (outputs, &mut shown) {
        shown.insert("outputs".into(), Json::Array(outputs));
    }
    json!({ "stack": shown })
}

/// An entry of `GET stacks`.
pub(crate) fn entry(stack: &Stack, url: &str) -> Json {
    json!({
        "id": stack.id,
        "links": links(url),
        "project": stack.tenant,
        "stack_name": stack.name,
        "description": "",
        "stack_status": stack.status.to_string(),
        "stack_status_reason": stack.reason,
        "creation_time": text::time(stack.created),
        "updated_time": stack.updated.map(text::time),
        "deletion_time": stack.deleted.map(text::time),
        "stack_owner": "admin",
        "parent": null,
        "stack_user_project_id": stack.tenant,
        "tags": null,
    })
}

/// The answer to a POST.
pub(crate) fn created(stack: &Stack, url: &str) -> Json {
    json!({"stack": {"id": stack.id, "links": links(url)}})
}

/// `GET stacks/{name}/{id}/resources`.
pub(crate) fn resources(stack: &Stack, url: &str) -> Json {
    let shown: Vec<Json> = stack
        .resources
        .iter()
        .map(|(name, known)| Json::Object(resource(stack, name, known, url)))
        .collect();
    json!({ "resources": shown })
}

/// `GET stacks/{name}/{id}/resources/{resource}`.
pub(crate) fn one_resource(
    stack: &Stack,
    name: &str,
    known: &Resource,
    url: &str,
    overrides: &Overrides,
) -> Json {
    let mut shown = resource(stack, name, known, url);
    shown.insert("description".into(), "".into());
    let mut attributes = Map::new();
    if let Some(properties) = &known.properties {
        let asked = known.kind.attributes().map(str::to_owned);
        let own = properties.keys().cloned();
        for attribute in asked.chain(own) {
            let value = known.kind.attribute(&attribute, name, &known.id, properties, overrides);
            attributes.insert(attribute, value.unwrap_or_default());
        }
    }
    shown.insert("attributes".into(), Json::Object(attributes));
    json!({ "resource": shown })
}

fn resource(stack: &Stack, name: &str, known: &Resource, url: &str) -> Map<String, Json> {
    let shown = json!({
        "updated_time": text::time(known.updated),
        "creation_time": text::time(known.created),
        "logical_resource_id": name,
        "resource_name": name,
        "physical_resource_id": known.id,
        "resource_status": known.status,
        "resource_status_reason": known.reason,
        "resource_type": known.kind.name,
        "links": [
            {"href": format!("{url}/resources/{name}"), "rel": "self"},
            {"href": url, "rel": "stack"},
        ],
        "required_by": stack.revision.template.needed_by(name),
    });
    match shown {
        Json::Object(shown) => shown,
        _ => Map::new(),
    }
}

/// `GET stacks/{name}/{id}/outputs`: keys and descriptions.
pub(crate) fn output_keys(stack: &Stack, overrides: &Overrides) -> Json {
    let keys: Vec<Json> = stack
        .outputs(overrides)
        .unwrap_or_default()
        .into_iter()
        .map(|output| {
            json!({
                "output_key": output.get("output_key"), "description": output.get("description"),
            })
        })
        .collect();
    json!({ "outputs": keys })
}

/// The answer to a POST of a template to `validate`.
pub(crate) fn validated(template: &Template) -> Json {
    let parameters: Map<String, Json> = template
        .schemas
        .iter()
        .map(|(name, schema)| (name.clone(), schema.described(name)))
        .collect();
    json!({
        "Description": template.description(),
        "Parameters": parameters,
        "Environment": {
            "resource_registry": {"resources": {}}, "parameters": {}, "parameter_defaults": {},
            "event_sinks": [],
        },
    })
}

/// A stack as `Simulator::stacks` gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The project it belongs to.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// `CREATE_COMPLETE` and its like.
    pub status: Status,
    /// Heat's words for the status.
    pub reason: String,
    /// The parameters that the last accepted request gave.
    pub parameters: Json,
    /// The template, parsed.
    pub template: Json,
    /// The timeout, in minutes.
    pub timeout_mins: Option<u64>,
    /// The outputs as shown; none after a deletion.
    pub outputs: Vec<Json>,
    /// Whether the stack is gone: deleted, or rolled back to nothing.
    pub deleted: bool,
}

impl Snapshot {
    pub(crate) fn of(stack: &Stack, overrides: &Overrides) -> Self {
        Self {
            tenant: stack.tenant.clone(),
            name: stack.name.clone(),
            id: stack.id.clone(),
            status: stack.status,
            reason: stack.reason.clone(),
            parameters: Json::Object(stack.revision.given.clone().into_iter().collect()),
            template: stack.revision.template.body.clone(),
            timeout_mins: stack.revision.timeout_mins,
            outputs: stack.outputs(overrides).unwrap_or_default(),
            deleted: stack.deleted.is_some(),
        }
    }
}

fn links(url: &str) -> Json {
    json!([{"href": url, "rel": "self"}])
}
