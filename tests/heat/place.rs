//! A host before a Heat, in a project of its own, with a type of resource of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use heat_simulator::Client;
use serde_json::{Value as Json, json};
use stokehold_tests::world::{Setup, World};

/// How long Heat may take for anything here.
const PATIENCE: Duration = Duration::from_secs(150);

/// A network that is called as the resource is.
pub(super) const TEMPLATE: &str = "heat_template_version: 2013-05-23
parameters:
  name: {type: string}
resources:
  net: {type: OS::Contrail::VirtualNetwork, properties: {name: {get_param: name}}}
outputs:
  name: {description: its name, value: {get_attr: [net, name]}}
  fq_name: {description: its full name, value: {get_attr: [net, fq_name]}}
";

/// A host and what it is asked for.
pub(super) struct Place {
    pub(super) world: World,
    /// Heat itself, past any proxy.
    pub(super) heat: Client,
    tenant: String,
}

/// A setup whose `heat_worker` talks to this Heat.
pub(super) fn setup(heat_url: &str) -> Result<Setup> {
    let schemas = json!({"schemas": [
        {"id": "heat_template", "plural": "heat_templates", "prefix": "/v2.0/heat_templates",
            "metadata": {}, "schema": {"type": "object", "properties": {}}},
        {"id": "box", "plural": "boxes", "prefix": "/v1.0/boxes",
            "metadata": {"template_path": "Pkind", "state_versioning": true},
            "schema": {"type": "object", "properties": {
                "id": {"type": "string"}, "tenant_id": {"type": "string"},
                "kind": {"type": "string"}, "name": {"type": "string"},
            }}},
    ]});
    let mut setup = Setup::new(serde_json::to_vec(&schemas)?)?;
    setup.heat_config.insert("poll_ms".into(), "50".into());
    setup.heat_config.insert("heat_url".into(), heat_url.to_owned());
    setup.patience = PATIENCE;
    Ok(setup)
}

impl Place {
    /// With a host in this process.
    pub(super) async fn start(heat_url: &str) -> Result<Self> {
        Self::around(World::start(setup(heat_url)?).await?, heat_url).await
    }

    /// Around a world; `heat_url` is Heat itself.
    pub(super) async fn around(world: World, heat_url: &str) -> Result<Self> {
        let place = Self::of_tenant(world, heat_url, &fresh_tenant());
        place.template("plain", TEMPLATE).await?;
        Ok(place)
    }

    pub(super) fn of_tenant(world: World, heat_url: &str, tenant: &str) -> Self {
        let heat = Client::new(&format!("{heat_url}/{tenant}")).bound(PATIENCE);
        Self { world, heat, tenant: tenant.to_owned() }
    }

    /// From now on in another project; `heat` may look at the stacks there.
    pub(super) fn move_to(&mut self, tenant: &str, heat: Client) {
        (self.tenant, self.heat) = (tenant.to_owned(), heat);
    }

    /// A template that maps the resource's name.
    pub(super) async fn template(&self, kind: &str, text: &str) -> Result<()> {
        let body = json!({
            "id": kind, "handler": "heat_worker", "watch": [], "template_file": text,
            "parameter_mappings": {"name": "Pname"},
        });
        self.world.config(&format!("/v2.0/heat_templates/{kind}"), &body, 1, false).await?;
        Ok(())
    }

    /// Asks for a box, or for a change of it.
    pub(super) async fn want(&self, id: &str, version: u64, name: &str) -> Result<()> {
        self.want_of("plain", id, version, name).await
    }

    pub(super) async fn want_of(
        &self,
        kind: &str,
        id: &str,
        version: u64,
        name: &str,
    ) -> Result<()> {
        let body = json!({"id": id, "tenant_id": self.tenant, "kind": kind, "name": name});
        self.world.config(&key(id), &body, version, false).await?;
        Ok(())
    }

    /// Marks a box for deletion.
    pub(super) async fn unwant(&self, id: &str, version: u64) -> Result<()> {
        let body = json!({"id": id, "tenant_id": self.tenant, "kind": "plain", "name": "gone"});
        self.world.config(&key(id), &body, version, true).await?;
        Ok(())
    }

    pub(super) async fn state(&self, id: &str, version: u64) -> Result<Json> {
        self.world.state(&key(id), version).await
    }

    /// The box is up: in `/state`, in the stack's record and in Heat, where it is the only one ever of its name.
    pub(super) async fn up(&self, id: &str, version: u64, name: &str) -> Result<()> {
        let state = self.state(id, version).await?;
        let worker = state["state"]["worker_state"].as_str().unwrap_or_default();
        ensure!(state["error"] == "" && worker.ends_with("_COMPLETED"), "{id}: {state}");
        let told = state["state"]["heat_outputs"].as_str().context("no outputs in the state")?;
        let told = by_key(&serde_json::from_str(told)?);
        ensure!(told["name"] == name, "{id} tells {told} and not {name}");
        let [stack] = &*self.stacks(id).await? else {
            anyhow::bail!("{id} has not one stack: {:?}", self.stacks(id).await?);
        };
        let status = &stack["stack_status"];
        ensure!(status.as_str().unwrap_or_default().ends_with("_COMPLETE"), "{id}: {stack}");
        let shown = self.shown(id).await?;
        ensure!(by_key(&shown["outputs"]) == told, "Heat shows {shown}, the state tells {told}");
        let record = format!("/esi-worker/heat_stacks{}", key(id));
        let record = self.world.get(&record).await?.context("no record of the stack")?;
        ensure!(record["stack_status"] == *status, "{record} is not {status}");
        ensure!(by_key(&record["output"]) == told, "{record} has not {told}");
        Ok(())
    }

    /// The box is down: in `/state`, in the stack's record, and Heat has no such stack.
    pub(super) async fn down(&self, id: &str, version: u64) -> Result<()> {
        let state = self.state(id, version).await?;
        let worker = &state["state"]["worker_state"];
        ensure!(state["error"] == "" && worker == "DELETE_COMPLETED", "{id}: {state}");
        let reply = self.heat.get(&format!("/stacks/box_{id}")).await?;
        ensure!(reply.status == 404, "Heat still knows {id}: {reply:?}");
        let record = format!("/esi-worker/heat_stacks{}", key(id));
        let record = self.world.get(&record).await?.context("no record of the stack")?;
        ensure!(record["stack_status"] == "DELETE_COMPLETE", "{record}");
        Ok(())
    }

    /// The box failed, in words that contain these.
    pub(super) async fn failed(&self, id: &str, version: u64, words: &[&str]) -> Result<()> {
        let state = self.state(id, version).await?;
        let worker = state["state"]["worker_state"].as_str().unwrap_or_default();
        ensure!(worker.ends_with("_FAILED"), "{id} did not fail: {state}");
        let why = state["error"].as_str().unwrap_or_default();
        for words in words {
            ensure!(why.contains(words), "`{words}` is not in: {why}");
        }
        Ok(())
    }

    /// All stacks that this box ever had.
    pub(super) async fn stacks(&self, id: &str) -> Result<Vec<Json>> {
        let reply = self.heat.get("/stacks?show_deleted=true").await?;
        let all = reply.body["stacks"].as_array().with_context(|| format!("{reply:?}"))?;
        let ours = |stack: &&Json| stack["stack_name"] == format!("box_{id}");
        Ok(all.iter().filter(ours).cloned().collect())
    }

    /// The stack as Heat shows it.
    pub(super) async fn shown(&self, id: &str) -> Result<Json> {
        let reply = self.heat.get(&format!("/stacks/box_{id}")).await?;
        let reply = match &reply.location {
            Some(location) => self.heat.get(location).await?,
            None => reply,
        };
        Ok(reply.body["stack"].clone())
    }

    /// Waits until Heat shows the stack so.
    pub(super) async fn until(&self, id: &str, status: &str) -> Result<()> {
        let what = format!("{id} to be {status}");
        self.world
            .until(&what, async || {
                let shown = self.shown(id).await?;
                Ok((shown["stack_status"] == status).then_some(()))
            })
            .await
    }
}

fn key(id: &str) -> String {
    format!("/v1.0/boxes/{id}")
}

/// Outputs have no order.
pub(super) fn by_key(outputs: &Json) -> Json {
    let outputs = outputs.as_array().into_iter().flatten();
    let pairs = outputs.filter_map(|output| {
        Some((output["output_key"].as_str()?.to_owned(), output["output_value"].clone()))
    });
    pairs.collect()
}

/// A project that nobody else has.
pub(super) fn fresh_tenant() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}{nth:016x}", std::process::id())
}
