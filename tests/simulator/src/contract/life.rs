//! A stack's life: made, looked at, changed, deleted.

use super::script::{Script, Stack, outputs, refusal, status};
use anyhow::Result;
use serde_json::{Value as Json, json};

const PORT: &str = "
heat_template_version: 2013-05-23
description: A port
parameters:
  uuid: {type: string}
  mac: {type: string, default: 'fe:ff:ff:ff:ff:ff'}
  pairs: {type: json, default: []}
  up: {type: boolean, default: true}
resources:
  port:
    type: OS::Contrail::VirtualMachineInterface
    properties:
      uuid: {get_param: uuid}
      name: {get_param: uuid}
      virtual_machine_interface_mac_addresses: [{get_param: mac}]
      virtual_machine_interface_allowed_address_pairs: {get_param: pairs}
      virtual_networks: [a-network]
      admin_state_up: {get_param: up}
  address:
    type: OS::Contrail::InstanceIp
    properties:
      ip_address: 169.254.0.3
      virtual_machine_interfaces: [{get_resource: port}]
outputs:
  id: {description: The id, value: {get_resource: port}}
  mac: {value: {get_attr: [port, virtual_machine_interface_mac_addresses]}}
  fq_name: {value: {get_attr: [port, fq_name]}}
";

/// How often a request that came too late is made again.
const LATE_MAX: usize = 5;

const UUID: &str = "a778c668-6ccb-4d46-9ec3-956693262d63";

pub(super) async fn run(script: &mut Script) -> Result<()> {
    let list = format!("/stacks?name={}", script.name("port"));
    let reply = script.get(&list).await?;
    script.law("what was not made is not listed", reply.body, json!({"stacks": []}));
    let (port, shown) = script
        .make("port", PORT, json!({"parameters": {"uuid": UUID, "mac": null}, "timeout_mins": 10}))
        .await?;
    made(script, &port, &shown);
    redirects(script, &port).await?;
    parts(script, &port).await?;
    listed(script, &port).await?;
    changed(script, &port).await?;
    deleted(script, &port).await
}

fn made(script: &mut Script, port: &Stack, shown: &Json) {
    let done = json!(["CREATE_COMPLETE", "Stack CREATE completed successfully"]);
    script.law("a stack that is made says so", status(shown), done);
    let parameters = json!({
        "OS::stack_id": port.id, "OS::stack_name": port.name, "OS::project_id": script.tenant,
        "uuid": UUID, "mac": "fe:ff:ff:ff:ff:ff", "pairs": "[]", "up": "True",
    });
    script.law(
        "parameters are texts, null takes the default",
        shown["parameters"].clone(),
        parameters,
    );
    let values = json!({
        "id": UUID, "mac": ["fe:ff:ff:ff:ff:ff"],
        "fq_name": format!("default-domain:admin:{UUID}"),
    });
    script.law("outputs are computed", outputs(shown), values);
    let described: Vec<&Json> = shown["outputs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|output| output["output_key"] == "mac")
        .map(|output| &output["description"])
        .collect();
    let described = json!(described);
    script.law(
        "an output without description says so",
        described,
        json!(["No description given",]),
    );
    let kept = ["stack_name", "id", "timeout_mins", "disable_rollback", "description"];
    let kept: Vec<&Json> = kept.iter().map(|field| &shown[*field]).collect();
    let kept = json!(kept);
    script.law(
        "a stack shows what it was asked",
        kept,
        json!([port.name, port.id, 10, true, "A port",]),
    );
    let times = json!([shown["updated_time"], shown["deletion_time"]]);
    script.law("a new stack was not changed and not deleted", times, json!([null, null]));
}

async fn redirects(script: &mut Script, port: &Stack) -> Result<()> {
    let exact = format!("{}{}", script.base, port.path);
    let named = format!("/stacks/{}", port.name);
    for (method, path, to) in [
        ("GET", named.clone(), exact.clone()),
        ("GET", format!("/stacks/{}", port.id), exact.clone()),
        ("PUT", named.clone(), exact.clone()),
        ("PATCH", named.clone(), exact.clone()),
        ("DELETE", named.clone(), exact.clone()),
        ("GET", format!("{named}/resources"), format!("{exact}/resources")),
        ("GET", format!("{named}/template"), format!("{exact}/template")),
        (
            "GET",
            format!("{named}?resolve_outputs=False&x=a%20b"),
            format!("{exact}?resolve_outputs=False&x=a+b"),
        ),
    ] {
        let reply = script.client.send(method, &path, None).await?;
        let got = json!([reply.status, reply.location, reply.body["code"], reply.content_type]);
        let wanted = json!([302, to, "302 Found", "application/json"]);
        script.law(&format!("{method} of a name or an id is sent on: {path}"), got, wanted);
    }
    for path in ["/stacks/other".to_owned(), format!("/stacks/other/{}", port.id)] {
        let reply = script.get(&path).await?;
        let wanted = json!([404, "EntityNotFound", "The Stack (other) could not be found."]);
        script.law("a stack is not found under another name", refusal(&reply), wanted);
    }
    let reply = script.get(&format!("{named}/00000000-0000-0000-0000-000000000000")).await?;
    let wanted =
        json!([404, "EntityNotFound", format!("The Stack ({}) could not be found.", port.name)]);
    script.law("a stack is not found under another id", refusal(&reply), wanted);
    let reply = script.get(&format!("{}/nope", port.path)).await?;
    script.law("a part that no stack has is not found", reply.status, 404);
    Ok(())
}

async fn parts(script: &mut Script, port: &Stack) -> Result<()> {
    let reply = script.get(&format!("{}?resolve_outputs=false", port.path)).await?;
    let without = reply.body["stack"].get("outputs").is_none();
    script.law("outputs can be left out", without, true);
    let reply = script.get(&format!("{}?resolve_outputs=maybe", port.path)).await?;
    script.law("a switch is true or false", refusal(&reply), json!([
        400, "HTTPBadRequest",
        "Unrecognized value \"maybe\" for \"resolve_outputs\", acceptable values are: true, false.",
    ]));
    let reply = script.get(&format!("{}/template", port.path)).await?;
    let got = json!([reply.body["heat_template_version"], reply.body["parameters"]["mac"]["type"]]);
    script.law("a template is shown parsed", got, json!(["2013-05-23", "string"]));
    let reply = script.get(&format!("{}/outputs/fq_name", port.path)).await?;
    let value = reply.body["output"]["output_value"].clone();
    script.law("one output can be had", value, format!("default-domain:admin:{UUID}"));
    let reply = script.get(&format!("{}/outputs/nope", port.path)).await?;
    let wanted = json!([404, "NotFound", "Specified output key {} not found."]);
    script.law("an unknown output is not found", refusal(&reply), wanted);
    let reply = script.get(&format!("{}/resources/port", port.path)).await?;
    let resource = &reply.body["resource"];
    let got = json!([
        resource["physical_resource_id"],
        resource["resource_status"],
        resource["required_by"],
        resource["resource_type"],
        resource["attributes"]["virtual_networks"],
    ]);
    script.law(
        "a resource is shown",
        got,
        json!([
            UUID,
            "CREATE_COMPLETE",
            ["address"],
            "OS::Contrail::VirtualMachineInterface",
            ["a-network"],
        ]),
    );
    let reply = script.get(&format!("{}/resources/nope", port.path)).await?;
    script.law(
        "an unknown resource is not found",
        refusal(&reply),
        json!([
            404,
            "ResourceNotFound",
            format!("The Resource (nope) could not be found in Stack {}.", port.name),
        ]),
    );
    let reply = script.get(&format!("{}/resources", port.path)).await?;
    let count = reply.body["resources"].as_array().map_or(0, Vec::len);
    script.law("all resources are shown", count, 2);
    Ok(())
}

async fn listed(script: &mut Script, port: &Stack) -> Result<()> {
    let list = format!("/stacks?name={}", port.name);
    for (query, count) in [
        ("", 1),
        ("&name=other", 1),
        ("&status=COMPLETE", 1),
        ("&status=FAILED", 0),
        ("&action=CREATE", 1),
        ("&action=UPDATE", 0),
        ("&limit=0", 0),
        ("&limit=1", 1),
        ("&show_deleted=true", 1),
    ] {
        let reply = script.get(&format!("{list}{query}")).await?;
        let got = reply.body["stacks"].as_array().map(Vec::len);
        script.law(&format!("a list can be narrowed: {query}"), json!(got), count);
    }
    let reply = script.get(&format!("{list}&limit=1")).await?;
    let next = reply.body["links"][0]["href"].clone();
    let wanted = format!("{}/stacks?name={}&limit=1&marker={}", script.base, port.name, port.id);
    script.law("a full page links to the next", next, wanted);
    let reply = script.get(&format!("{list}&marker={}", port.id)).await?;
    script.law("a page begins behind its marker", reply.body, json!({"stacks": []}));
    for (limit, why) in [
        ("x", "Only integer is acceptable by 'limit'."),
        ("-1", "Value '-1' is invalid for 'limit' which only accepts non-negative integer."),
    ] {
        let reply = script.get(&format!("/stacks?limit={limit}")).await?;
        script.law("a limit is a number", refusal(&reply), json!([400, "HTTPBadRequest", why]));
    }
    Ok(())
}

async fn changed(script: &mut Script, port: &Stack) -> Result<()> {
    let body = json!({"template": PORT, "parameters": {"uuid": UUID, "mac": "fa:16:3e:00:00:01"}});
    let reply = script.send("PUT", &port.path, &body).await?;
    let got = json!([reply.status, reply.body["code"]]);
    script.law("an update is accepted", got, json!([202, "202 Accepted"]));
    let mut reply = script.send("PUT", &port.path, &body).await?;
    for _ in 0..LATE_MAX {
        // On a busy machine the first one may have ended before the second one came.
        if reply.status != 202 {
            break;
        }
        script.settled(port, "UPDATE").await?;
        script.send("PUT", &port.path, &body).await?;
        reply = script.send("PUT", &port.path, &body).await?;
    }
    script.law(
        "an update waits for no other",
        refusal(&reply),
        json!([
            409,
            "ActionInProgress",
            format!("Stack {} already has an action (UPDATE) in progress.", port.name),
        ]),
    );
    let shown = script.settled(port, "UPDATE").await?;
    let done = json!(["UPDATE_COMPLETE", "Stack UPDATE completed successfully"]);
    script.law("a stack that is changed says so", status(&shown), done.clone());
    let got = json!([outputs(&shown)["mac"], outputs(&shown)["id"], shown["timeout_mins"]]);
    script.law("an update changes in place", got, json!([["fa:16:3e:00:00:01"], UUID, 10]));
    let reply = script.send("PUT", &port.path, &body).await?;
    let shown = script.settled(port, "UPDATE").await?;
    let got = json!([reply.status, status(&shown)]);
    script.law("an update without a change runs all the same", got, json!([202, done]));
    let reply = script.send("PATCH", &port.path, &json!({"parameters": {"up": false}})).await?;
    let shown = script.settled(port, "UPDATE").await?;
    let got = json!([reply.status, shown["parameters"]["up"], shown["parameters"]["mac"]]);
    script.law("a patch keeps what is not given", got, json!([202, "False", "fa:16:3e:00:00:01"]));
    let reply = script.send("PUT", &port.path, &json!({"template": PORT})).await?;
    let wanted = json!([400, "UserParameterMissing", "The Parameter (uuid) was not provided."]);
    script.law("an update keeps no parameter", refusal(&reply), wanted);
    let reply = script.send("PUT", &port.path, &json!({"parameters": {}})).await?;
    let wanted = json!([400, "HTTPBadRequest", "No template specified"]);
    script.law("an update has a template", refusal(&reply), wanted);
    Ok(())
}

async fn deleted(script: &mut Script, port: &Stack) -> Result<()> {
    let reply = script.client.send("DELETE", &port.path, None).await?;
    script.law("a deletion is accepted", json!([reply.status, reply.body]), json!([204, null]));
    let mut reply = script.client.send("DELETE", &port.path, None).await?;
    for _ in 0..LATE_MAX {
        if reply.status != 404 {
            break;
        }
        script.gone(port).await?;
        let more = json!({"parameters": {"uuid": UUID}});
        let (another, _) = script.make("port_again", PORT, more).await?;
        script.client.send("DELETE", &another.path, None).await?;
        reply = script.client.send("DELETE", &another.path, None).await?;
        script.gone(&another).await?;
    }
    script.law("a deletion can be asked for again while it runs", reply.status, 204);
    let shown = script.gone(port).await?;
    let done = json!(["DELETE_COMPLETE", "Stack DELETE completed successfully"]);
    script.law("a stack that is deleted says so", status(&shown), done);
    let got = json!([shown.get("outputs").is_none(), shown["deletion_time"].is_string()]);
    script.law("a deleted stack has no outputs", got, json!([true, true]));
    let gone =
        json!([404, "EntityNotFound", format!("The Stack ({}) could not be found.", port.name)]);
    let reply = script.get(&format!("/stacks/{}", port.name)).await?;
    script.law("a deleted stack has no name", refusal(&reply), gone.clone());
    let reply = script.get(&format!("/stacks/{}", port.id)).await?;
    script.law("a deleted stack has its id", reply.status, 302);
    for (method, part) in
        [("DELETE", ""), ("GET", "/outputs"), ("GET", "/outputs/id"), ("GET", "/resources/port")]
    {
        let reply = script.client.send(method, &format!("{}{part}", port.path), None).await?;
        let law = format!("of a deleted stack there is no {method} {part}");
        script.law(&law, refusal(&reply), gone.clone());
    }
    let body = json!({"template": PORT, "parameters": {"uuid": UUID}});
    let reply = script.send("PUT", &port.path, &body).await?;
    script.law("a deleted stack cannot be changed", refusal(&reply), gone);
    let reply = script.get(&format!("{}/resources", port.path)).await?;
    script.law("a deleted stack has no resources", reply.body, json!({"resources": []}));
    let reply = script.get(&format!("/stacks?name={}", port.name)).await?;
    script.law("a deleted stack is not listed", reply.body, json!({"stacks": []}));
    let (again, _) = script.make("port", PORT, json!({"parameters": {"uuid": UUID}})).await?;
    script.law("a name can be had again after a deletion", again.id != port.id, true);
    Ok(())
}
