//! The life of a record in the DNS: a handler that joins the workflow of a port after `heat_worker`. The host, its
//! store and both plugins are real, Heat is the simulator, and the DNS server is a stand-in.

#![allow(clippy::indexing_slicing)]

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};
use stokehold::plugin::PluginGrants;

use crate::dns::DnsServer;
use crate::example::put_templates;
use crate::paths;
use crate::world::{Setup, World, parse};

/// Has a port come, change and go, and looks at its record. `component` is `<handler>.wasm`.
///
/// # Errors
/// When a part cannot be started, or something does not happen in time.
///
/// # Panics
/// When something else happens than should.
pub async fn live(handler: &str, component: &Path) -> Result<()> {
    let dns = DnsServer::start(2).await?;
    let plugins = tempfile::tempdir()?;
    let mut world = world(&dns, plugins.path(), handler, component).await?;
    // The server is busy at first: another try is made.
    dns.be_busy(1);
    configs(&world).await?;

    let state = world.state("/v2.0/ports/p1", 1).await?;
    assert_eq!(state["state"]["worker_state"], "CREATE_COMPLETED", "{state}");
    let record = json!({"name": "www", "type": "A", "values": ["10.0.0.5"]});
    assert_eq!(dns.record("p1"), Some(record.clone()));
    let told = state["state"]["dns_record"].as_str().context("the state shows the record")?;
    assert_eq!(serde_json::from_str::<Json>(told)?, record);
    let waited = waited_for(&world, handler).await?;
    let heat = |id: &String| id.starts_with("create:heat_worker:port:p1:1:");
    assert!(waited.iter().any(heat), "{waited:?}");
    let asked: Vec<_> = dns.asked().into_iter().map(|(method, _)| method).collect();
    assert_eq!(asked, ["PUT", "PUT", "GET", "GET", "GET"]);

    world.config("/v2.0/ports/p1", &port("mail"), 2, false).await?;
    let state = world.state("/v2.0/ports/p1", 2).await?;
    assert_eq!(state["state"]["worker_state"], "CREATE_COMPLETED", "{state}");
    assert_eq!(dns.record("p1").map(|it| it["name"].clone()), Some(json!("mail")));

    world.config("/v2.0/ports/p1", &port("mail"), 3, true).await?;
    let state = world.state("/v2.0/ports/p1", 3).await?;
    assert_eq!(state["state"]["worker_state"], "DELETE_COMPLETED", "{state}");
    assert_eq!(dns.record("p1"), None);
    world.idle().await?;
    world.stop_host().await
}

/// The example's schemas, with a line more in the metadata of `port`.
fn schemas(handler: &str) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(paths::root().join("examples/network/schemas.json"))?;
    let mut all: Json = serde_json::from_str(&text)?;
    let schemas = all["schemas"].as_array_mut().context("no list of schemas")?;
    let port = schemas.iter_mut().find(|schema| schema["id"] == "port").context("no port")?;
    port["metadata"]["templates"] = json!({ handler: "Cport_dns" });
    Ok(serde_json::to_vec(&all)?)
}

/// The shipped plugins and this one.
fn handlers(folder: &Path, component: &Path) -> Result<()> {
    for entry in std::fs::read_dir(paths::handlers()?)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wasm") {
            std::fs::copy(&path, folder.join(path.file_name().context("a file has a name")?))?;
        }
    }
    std::fs::copy(component, folder.join(component.file_name().context("a file has a name")?))?;
    Ok(())
}

async fn world(dns: &DnsServer, plugins: &Path, handler: &str, component: &Path) -> Result<World> {
    handlers(plugins, component)?;
    let mut setup = Setup::new(schemas(handler)?)?;
    setup.handlers = plugins.to_owned();
    let grants = PluginGrants {
        http: vec![dns.authority()],
        config: [("dns_url".to_owned(), dns.url()), ("dns_poll_ms".to_owned(), "10".to_owned())]
            .into(),
        ..PluginGrants::default()
    };
    setup.granted.insert(handler.to_owned(), grants);
    let world = World::start(setup).await?;
    put_templates(&world).await?;
    let example = paths::root().join("examples");
    let read = |name: &str| std::fs::read_to_string(example.join(name));
    let mut template: Json = serde_json::from_str(&read("dns_worker/template.json")?)?;
    template["heat_template"]["handler"] = json!(handler);
    world.config("/v2.0/heat_templates/port_dns", &template["heat_template"], 1, false).await?;
    // The port's template gets an output more, as its README says.
    let mut port = world.get("/config/v2.0/heat_templates/port").await?.context("no template")?;
    let body = port["body"].as_str().context("a body is a text")?;
    let mut body: Json = serde_json::from_str(body)?;
    let text = read("network/templates/port.yaml")? + &read("dns_worker/port_outputs.yaml")?;
    body["template_file"] = json!(text);
    port["body"] = json!(body.to_string());
    world.put("/config/v2.0/heat_templates/port", &port).await?;
    Ok(world)
}

async fn configs(world: &World) -> Result<()> {
    let network = json!({"id": "n1", "tenant_id": "t1", "name": "one", "admin_state_up": true});
    world.config("/v2.0/networks/n1", &network, 1, false).await?;
    let subnet = json!({
        "id": "s1", "tenant_id": "t1", "network_id": "n1", "name": "sub", "cidr": "10.0.0.0/24",
        "gateway_ip": null, "dhcp_server_address": "10.0.0.2", "enable_dhcp": true,
        "allocation_pools": [],
    });
    world.config("/v2.0/subnets/s1", &subnet, 1, false).await?;
    world.config("/v2.0/ports/p1", &port("www"), 1, false).await?;
    Ok(())
}

fn port(name: &str) -> Json {
    json!({
        "id": "p1", "tenant_id": "t1", "network_id": "n1", "name": name, "admin_state_up": true,
        "attached": true, "device_owner": "compute:x", "device_id": "vm1",
        "mac_address": "fa:16:3e:00:00:01", "allowed_address_pairs": [],
        "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.5"}],
    })
}

/// The names of the jobs that the first job of this handler waited for.
async fn waited_for(world: &World, handler: &str) -> Result<Vec<String>> {
    let prefix = format!("/jobs/all/create:{handler}:port:p1:1:");
    for event in world.history().await? {
        if let (true, Some(value)) = (event.key.starts_with(&prefix), &event.value) {
            let job = parse(value);
            let ids = job[1]["dependency"].as_array().cloned().unwrap_or_default();
            return Ok(ids.iter().filter_map(|id| Some(id.as_str()?.to_owned())).collect());
        }
    }
    anyhow::bail!("there was no job of {handler}")
}
