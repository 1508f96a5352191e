//! Writes configs as the API server does: networks with subnets and ports of several tenants, that
//! come, change, are marked, and go when the state says so.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value as Json, json};
use stokehold::store::{Outcome, Txn, Write};
use stokehold_tests::world::World;
use tokio::sync::watch;
use tokio::time::sleep;

use super::history::{View, under};
use super::recorder::Recorder;
use stokehold_tests::random::Random;

const TENANTS: usize = 4;
const NETWORKS_MAX: usize = 2;
const PORTS_MAX: usize = 5;
/// With so many open jobs nothing is added.
const OPEN_MAX: usize = 60;
const PAUSE_MS: usize = 240;
/// One in so many removals comes without a mark.
const UNMARKED_ONE_IN: usize = 8;

/// Something that is wanted.
#[derive(Clone, Debug)]
struct Wanted {
    /// The network it belongs to; a network belongs to itself.
    network: String,
    version: u64,
    body: Json,
    marked: bool,
}

/// The API server, as far as this store sees it.
pub(super) struct Load<'a> {
    world: &'a World,
    recorder: &'a Recorder,
    random: Random,
    /// By the key behind `/config`.
    wanted: BTreeMap<String, Wanted>,
    /// How many configs it has written.
    pub(super) written: usize,
}

impl<'a> Load<'a> {
    pub(super) fn new(world: &'a World, recorder: &'a Recorder, seed: u64) -> Self {
        let random = Random::new(seed ^ 0x6c6f_6164);
        Self { world, recorder, random, wanted: BTreeMap::new(), written: 0 }
    }

    /// Works until stopped, then takes down what is marked.
    pub(super) async fn run(mut self, stopped: watch::Receiver<bool>) -> Result<usize> {
        while !*stopped.borrow() {
            self.purge().await?;
            let open = self.recorder.look(|book| under(&book.view, "/jobs/all/").count());
            if open < OPEN_MAX {
                self.turn().await?;
            }
            let pause = self.random.below(PAUSE_MS);
            sleep(Duration::from_millis(u64::try_from(pause)?)).await;
        }
        while self.wanted.values().any(|wanted| wanted.marked) {
            self.purge().await?;
            sleep(Duration::from_millis(20)).await;
        }
        Ok(self.written)
    }

    /// Removes what was marked and says that it is down.
    async fn purge(&mut self) -> Result<()> {
        let down = self.recorder.look(|book| {
            let marked = self.wanted.iter().filter(|(_, wanted)| wanted.marked);
            let down = marked.filter(|(key, wanted)| is_down(&book.view, key, wanted.version));
            down.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        });
        for key in down {
            self.wanted.remove(&key);
            self.write(&key, None).await?;
        }
        Ok(())
    }

    async fn turn(&mut self) -> Result<()> {
        match self.random.below(10) {
            0..=3 => self.add().await,
            4..=6 => self.change().await,
            _ => self.take_away().await,
        }
    }

    /// Adds a network with its subnet, or a port to one.
    async fn add(&mut self) -> Result<()> {
        let tenant = self.random.below(TENANTS);
        let id = format!("t{tenant}-n{}", self.random.below(NETWORKS_MAX));
        let key = format!("/v2.0/networks/{id}");
        match self.wanted.get(&key) {
            Some(network) if network.marked => return Ok(()),
            Some(_) => {}
            None if self.is_free(&key) => {
                self.put(&key, new(&id, network(tenant, &id))).await?;
            }
            None => return Ok(()),
        }
        let key = format!("/v2.0/subnets/{id}-s");
        if !self.wanted.contains_key(&key) && self.is_free(&key) {
            self.put(&key, new(&id, subnet(tenant, &id))).await?;
        }
        self.add_port(tenant, &id).await
    }

    async fn add_port(&mut self, tenant: usize, network: &str) -> Result<()> {
        let nth = self.random.below(PORTS_MAX);
        let id = format!("{network}-p{nth}");
        let key = format!("/v2.0/ports/{id}");
        let subnet = self.wanted.get(&format!("/v2.0/subnets/{network}-s"));
        let there = subnet.is_some_and(|subnet| !subnet.marked);
        if there && !self.wanted.contains_key(&key) && self.is_free(&key) {
            self.put(&key, new(network, port(tenant, network, &id, nth))).await?;
        }
        Ok(())
    }

    /// What went without a mark leaves its name to nobody before it is gone.
    fn is_free(&self, key: &str) -> bool {
        let [state, applied] = ["/state", "/stokehold/applied"].map(|f| format!("{f}{key}"));
        self.recorder.look(|book| {
            let down = book
                .view
                .get(&state)
                .is_some_and(|state| state.value["state"]["worker_state"] == "DELETE_COMPLETED");
            down || !(book.view.contains_key(&state) || book.view.contains_key(&applied))
        })
    }

    /// A new version of something.
    async fn change(&mut self) -> Result<()> {
        let Some(key) = self.pick(|wanted| !wanted.marked) else { return Ok(()) };
        let mut wanted = self.wanted[&key].clone();
        wanted.version += 1;
        let flag = if key.contains("/subnets/") { "enable_dhcp" } else { "admin_state_up" };
        let flipped = wanted.body[flag] != true;
        wanted.body[flag] = json!(flipped);
        if key.contains("/ports/") {
            wanted.body["attached"] = json!(self.random.below(2) == 0);
        }
        self.put(&key, wanted).await
    }

    /// Marks something that nothing else needs, or removes it without a mark.
    async fn take_away(&mut self) -> Result<()> {
        let Some(key) = self.pick(|wanted| !wanted.marked) else { return Ok(()) };
        let mut wanted = self.wanted[&key].clone();
        let needed = self
            .wanted
            .iter()
            .any(|(other, it)| it.network == wanted.network && rank(other) > rank(&key));
        if needed {
            return Ok(());
        }
        if self.random.below(UNMARKED_ONE_IN) == 0 {
            self.wanted.remove(&key);
            return self.write(&key, None).await;
        }
        wanted.version += 1;
        wanted.marked = true;
        self.put(&key, wanted).await
    }

    fn pick(&mut self, suits: impl Fn(&Wanted) -> bool) -> Option<String> {
        let suiting: Vec<&String> =
            self.wanted.iter().filter(|(_, wanted)| suits(wanted)).map(|(key, _)| key).collect();
        if suiting.is_empty() { None } else { Some((*self.random.pick(&suiting)).clone()) }
    }

    async fn put(&mut self, key: &str, wanted: Wanted) -> Result<()> {
        let Wanted { version, marked, .. } = wanted;
        let body = wanted.body.to_string();
        self.wanted.insert(key.to_owned(), wanted);
        let config = json!({"body": body, "version": version, "marked_for_deletion": marked});
        self.write(key, Some(config)).await
    }

    /// Writes a config once, however often the store has to be asked.
    async fn write(&mut self, key: &str, config: Option<Json>) -> Result<()> {
        let key = format!("/config{key}");
        let write = match &config {
            Some(config) => {
                Write::Put { key: key.clone(), value: serde_json::to_vec(config)?, lease: None }
            }
            None => Write::Delete { key: key.clone() },
        };
        self.written += 1;
        loop {
            let txn = Txn { compares: Vec::new(), writes: vec![write.clone()] };
            if let Ok(Outcome::Committed(_)) = self.world.store.commit(txn).await {
                return Ok(());
            }
            // The outcome may be unknown: reading back tells.
            loop {
                sleep(Duration::from_millis(50)).await;
                match self.world.get(&key).await {
                    Ok(now) if now == config => return Ok(()),
                    Ok(_) => break,
                    Err(_) => {}
                }
            }
        }
    }
}

/// What is taken away first, last.
fn rank(key: &str) -> usize {
    ["/v2.0/networks/", "/v2.0/subnets/", "/v2.0/ports/"]
        .iter()
        .position(|family| key.starts_with(family))
        .unwrap_or_default()
}

fn is_down(view: &View, key: &str, version: u64) -> bool {
    view.get(&format!("/state{key}")).is_some_and(|state| {
        let word = &state.value["state"]["worker_state"];
        state.value["version"] == version && word == "DELETE_COMPLETED"
    })
}

fn new(network: &str, body: Json) -> Wanted {
    Wanted { network: network.to_owned(), version: 1, body, marked: false }
}

fn network(tenant: usize, id: &str) -> Json {
    json!({"id": id, "tenant_id": format!("t{tenant}"), "name": "n", "admin_state_up": true})
}

fn subnet(tenant: usize, network: &str) -> Json {
    json!({
        "id": format!("{network}-s"), "tenant_id": format!("t{tenant}"), "network_id": network,
        "cidr": "10.0.0.0/24", "gateway_ip": null, "dhcp_server_address": "10.0.0.2",
        "enable_dhcp": true, "allocation_pools": [], "dns_nameservers": [], "ntp_servers": [],
        "host_routes": [],
    })
}

fn port(tenant: usize, network: &str, id: &str, nth: usize) -> Json {
    json!({
        "id": id, "tenant_id": format!("t{tenant}"), "network_id": network, "name": "p",
        "admin_state_up": true, "attached": true, "device_owner": "compute:x",
        "device_id": "vm1", "mac_address": format!("fa:16:3e:00:00:0{nth}"),
        "allowed_address_pairs": [],
        "fixed_ips": [{"subnet_id": format!("{network}-s"), "ip_address": format!("10.0.0.{}", nth + 5)}],
    })
}
