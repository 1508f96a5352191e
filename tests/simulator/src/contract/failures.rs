//! Stacks that fail, and how they are repaired or rolled back.

use super::script::{Script, Stack, outputs, refusal, status};
use anyhow::Result;
use serde_json::{Value as Json, json};

const NETWORK: &str = "
heat_template_version: 2013-05-23
parameters:
  name: {type: string}
resources:
  x: {type: OS::Contrail::VirtualNetwork, properties: {uuid: the-id, name: {get_param: name}}}
  y: {type: OS::Contrail::VirtualNetwork, depends_on: x, properties: {name: {get_param: name}}}
outputs:
  x: {value: {get_resource: x}}
  y: {value: {get_attr: [y, name]}}
  none: {value: {get_resource: y}}
";

/// A body for this name; `disable_rollback` is a JSON text.
fn named(name: &str, disable_rollback: &Json) -> Json {
    json!({
        "template": NETWORK, "parameters": {"name": name}, "disable_rollback": disable_rollback,
    })
}

pub(super) async fn run(script: &mut Script) -> Result<()> {
    let network = failed_and_repaired(script).await?;
    failed_update(script, &network).await?;
    rolled_back(script).await?;
    deleted_while_made(script).await
}

async fn failed_and_repaired(script: &mut Script) -> Result<Stack> {
    let (network, shown) = script.make("network_1", NETWORK, named("fail-1", &json!(true))).await?;
    script.law(
        "a create that fails says why",
        status(&shown),
        json!([
            "CREATE_FAILED",
            "Resource CREATE failed: ValueError: resources.x: backend refused fail-1",
        ]),
    );
    let got = json!([outputs(&shown)["x"], outputs(&shown)["y"], outputs(&shown)["none"]]);
    script.law("what was not made is null, or its name", got, json!(["x", null, "y"]));
    let reply = script.get(&format!("{}/resources/y", network.path)).await?;
    let got = reply.body["resource"]["resource_status"].clone();
    script.law("what needs the failed one was not begun", got, "INIT_COMPLETE");
    let reply = script.get(&format!("{}/resources/x", network.path)).await?;
    let resource = &reply.body["resource"];
    let got = json!([resource["resource_status"], resource["resource_status_reason"]]);
    script.law(
        "the failed one says why",
        got,
        json!(["CREATE_FAILED", "ValueError: resources.x: backend refused fail-1",]),
    );
    let mut again = named("fine", &json!(true));
    again["stack_name"] = network.name.clone().into();
    let reply = script.send("POST", "/stacks", &again).await?;
    script.law(
        "a failed stack keeps its name",
        refusal(&reply),
        json!([409, "StackExists", format!("The Stack ({}) already exists.", network.name),]),
    );
    let patch = json!({"parameters": {"name": "fine"}});
    let reply = script.send("PATCH", &network.path, &patch).await?;
    script.law(
        "a failed stack takes no patch",
        refusal(&reply),
        json!([400, "NotSupported", "PATCH update to non-COMPLETE stack is not supported.",]),
    );
    let reply = script.send("PUT", &network.path, &named("fine", &json!(true))).await?;
    let shown = script.settled(&network, "UPDATE").await?;
    let got = json!([reply.status, shown["stack_status"], outputs(&shown)["y"]]);
    script.law("an update repairs it", got, json!([202, "UPDATE_COMPLETE", "fine"]));
    Ok(network)
}

async fn failed_update(script: &mut Script, network: &Stack) -> Result<()> {
    script.send("PUT", &network.path, &named("fail-2", &json!(true))).await?;
    let shown = script.settled(network, "UPDATE").await?;
    script.law(
        "an update that fails says why",
        status(&shown),
        json!(["UPDATE_FAILED", "ValueError: resources.x: backend refused fail-2",]),
    );
    let name = shown["parameters"]["name"].clone();
    script.law("a failed update shows what was asked", name, "fail-2");
    script.send("PUT", &network.path, &named("good", &json!(true))).await?;
    let shown = script.settled(network, "UPDATE").await?;
    let got = json!([shown["stack_status"], outputs(&shown)["y"]]);
    script.law("a failed update is repaired by the next", got, json!(["UPDATE_COMPLETE", "good"]));
    let moved = NETWORK.replace("  y:", "  z:").replace("[y, name]", "[z, name]");
    let moved = moved.replace("get_resource: y", "get_resource: z");
    let body = json!({"template": moved, "parameters": {"name": "good"}});
    script.send("PUT", &network.path, &body).await?;
    script.settled(network, "UPDATE").await?;
    let reply = script.get(&format!("{}/resources", network.path)).await?;
    let mut names: Vec<Json> = reply.body["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|resource| resource["resource_name"].clone())
        .collect();
    names.sort_by_key(Json::to_string);
    script.law("an update takes away what the template lost", json!(names), json!(["x", "z"]));
    Ok(())
}

async fn rolled_back(script: &mut Script) -> Result<()> {
    let network = script.post("network_2", NETWORK, named("fail-3", &json!(false))).await?;
    let shown = script.gone(&network).await?;
    let done = json!(["ROLLBACK_COMPLETE", "Stack ROLLBACK completed successfully"]);
    script.law("a failed create is rolled back", status(&shown), done.clone());
    let gone =
        json!([404, "EntityNotFound", format!("The Stack ({}) could not be found.", network.name)]);
    let reply = script.get(&format!("/stacks/{}", network.name)).await?;
    script.law("a create that was rolled back left nothing", refusal(&reply), gone.clone());
    let reply = script.client.send("DELETE", &network.path, None).await?;
    script.law("and cannot be deleted", refusal(&reply), gone);
    let (network, _) = script.make("network_3", NETWORK, named("before", &json!(true))).await?;
    script.send("PUT", &network.path, &named("fail-4", &json!(false))).await?;
    let shown = script.settled(&network, "ROLLBACK").await?;
    script.law("a failed update is rolled back", status(&shown), done);
    let got = json!([shown["parameters"]["name"], outputs(&shown)["y"], outputs(&shown)["x"]]);
    script.law("to what the stack was", got, json!(["before", "before", "the-id"]));
    Ok(())
}

async fn deleted_while_made(script: &mut Script) -> Result<()> {
    let network = script.post("network_4", NETWORK, named("slow-20", &json!(true))).await?;
    let reply = script.send("PUT", &network.path, &named("fine", &json!(true))).await?;
    script.law(
        "a create is not disturbed by an update",
        refusal(&reply),
        json!([
            409,
            "ActionInProgress",
            format!("Stack {} already has an action (CREATE) in progress.", network.name),
        ]),
    );
    let mut bogus = named("fine", &json!(true));
    bogus["parameters"]["bogus"] = 1.into();
    let reply = script.send("PUT", &network.path, &bogus).await?;
    let kind = reply.body["error"]["type"].clone();
    script.law("what is wrong is refused before what is early", kind, "UnknownUserParameter");
    let reply = script.client.send("DELETE", &network.path, None).await?;
    let shown = script.gone(&network).await?;
    let got = json!([reply.status, shown["stack_status"]]);
    script.law("a create gives way to a deletion", got, json!([204, "DELETE_COMPLETE"]));
    Ok(())
}
