//! A host that is killed at any moment leaves nothing that another one cannot finish.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World};

/// How often the host is killed.
const KILLS: usize = 10;
/// The longest it lives before that.
const LIFE_MS_MAX: u64 = 700;
/// So many kills must come while a job is claimed, or nothing was seen of what they leave.
const CLAIMED_MIN: usize = 3;
/// How often the host is killed until so many have.
const KILLS_MAX: usize = 40;
/// How long Heat takes for each answer: so long at least is a job claimed.
const LATENCY_MS: u64 = 150;
const FAMILIES: [&str; 5] =
    ["/state/", "/esi-worker/", "/monitoring/", "/stokehold/monitored/", "/jobs/"];

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_at_ten_random_moments_ends_as_an_undisturbed_one() -> Result<()> {
    let undisturbed = run(None).await.context("undisturbed")?;
    for stack in ["networks/n1", "subnets/s1"] {
        let record = &undisturbed[&format!("/esi-worker/heat_stacks/v2.0/{stack}")];
        ensure!(record["stack_status"] == "CREATE_COMPLETE", "undisturbed: {record}");
    }
    let undisturbed = in_place(undisturbed);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    let killed = run(Some(seed)).await.with_context(|| format!("killed, seed {seed}"))?;
    let killed = in_place(killed);
    for (key, value) in &undisturbed {
        ensure!(
            killed.get(key) == Some(value),
            "seed {seed}: {key}\n  undisturbed: {value}\n  killed: {:?}",
            killed.get(key)
        );
    }
    ensure!(killed.len() == undisturbed.len(), "seed {seed}: more is left: {:?}", killed.keys());
    Ok(())
}

/// A process that ends with the test, whatever happens.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn run(seed: Option<u64>) -> Result<BTreeMap<String, Json>> {
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut setup = Setup::new(schemas)?;
    // A job that is always running when the host is killed must not fail for it.
    setup.pace.attempts_max = 100;
    setup.heat_config.insert("poll_ms".into(), "100".into());
    // Slow enough that the kills fall into the middle of everything.
    setup.heat.pace = heat_simulator::Pace::even(Duration::from_millis(400));
    setup.heat.latency = Duration::from_millis(LATENCY_MS);
    // Every kill puts off what is waited for.
    setup.patience = Duration::from_mins(3);
    let world = World::without_host(setup, Role::Guest)?;
    stokehold_tests::example::put_templates(&world).await?;
    let (host, ()) = tokio::try_join!(live(&world, seed), play(&world))?;
    for key in ["/monitoring/v2.0/ports/p1", "/monitoring/v2.0/networks/n1"] {
        world
            .until(key, async || {
                let version = if key.contains("ports") { 2 } else { 1 };
                let status = world.get(key).await?;
                Ok(status.filter(|status| status["version"] == version).map(|_| ()))
            })
            .await?;
    }
    drop(host);
    let mut all = BTreeMap::new();
    for family in FAMILIES {
        all.extend(world.all(family).await?);
    }
    Ok(all.into_iter().map(|(key, value)| (key, crate::scenario::plain(value))).collect())
}

/// A stack that Heat had made for a host that died before it could say so is found by the next one, which cannot know
/// what it was made of and updates it: the same stack, and Heat calls it updated.
fn in_place(mut all: BTreeMap<String, Json>) -> BTreeMap<String, Json> {
    for record in all.values_mut() {
        if record["stack_status"] == "CREATE_COMPLETE" {
            record["stack_status"] = json!("UPDATE_COMPLETE");
            record["status_reason"] = json!("Stack UPDATE completed successfully");
        }
    }
    all
}

/// A host that is killed and started anew, if there is a seed to do so by; answers the last one, which lives on.
async fn live(world: &World, seed: Option<u64>) -> Result<Host> {
    let start = || -> Result<Host> {
        let mut command = world.host_command()?;
        Ok(Host(command.stderr(Stdio::null()).spawn().context("cannot start a host")?))
    };
    let mut since = revision(world).await?;
    let mut host = start()?;
    let Some(seed) = seed else { return Ok(host) };
    let mut chance = seed | 1;
    let (mut kills, mut open, mut claimed) = (0, 0, 0);
    while kills < KILLS || (claimed < CLAIMED_MIN && kills < KILLS_MAX) {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let life_ms_max = if kills < KILLS {
            LIFE_MS_MAX
        } else {
            // On a busy machine no host has come to work in that time.
            let a_claim = async || Ok(is_claimed(world, since).await?.then_some(()));
            world.until("a claim", a_claim).await?;
            LATENCY_MS
        };
        tokio::time::sleep(Duration::from_millis((chance >> 33) % life_ms_max)).await;
        drop(host);
        kills += 1;
        open += usize::from(!world.all("/jobs/all/").await?.is_empty());
        claimed += usize::from(is_claimed(world, since).await?);
        since = revision(world).await?;
        host = start()?;
    }
    println!("of {kills} kills {open} came while jobs were open, {claimed} while one was claimed");
    ensure!(claimed >= CLAIMED_MIN, "{claimed} of {kills} kills came while a job was claimed");
    Ok(host)
}

async fn revision(world: &World) -> Result<u64> {
    Ok(world.store.list("/", None, 1).await?.revision)
}

/// Whether a job was claimed since: what a killed host claimed lies there until the next one opens the store.
async fn is_claimed(world: &World, since: u64) -> Result<bool> {
    let claims = world.store.list("/jobs/working/", None, 1000).await?;
    Ok(claims.entries.iter().any(|claim| claim.created > since))
}

/// The scenario: each config when the one before it is done.
async fn play(world: &World) -> Result<()> {
    for (key, version, body) in configs() {
        world.config(&key, &body, version, false).await?;
        world.state(&key, version).await?;
    }
    world.idle().await
}

fn configs() -> Vec<(String, u64, Json)> {
    let network = json!({"id": "n1", "tenant_id": "t1", "name": "n", "admin_state_up": true});
    let subnet = json!({
        "id": "s1", "tenant_id": "t1", "network_id": "n1", "cidr": "10.0.0.0/24",
        "gateway_ip": null, "dhcp_server_address": "10.0.0.2", "enable_dhcp": true,
        "allocation_pools": [], "dns_nameservers": [], "ntp_servers": [], "host_routes": [],
    });
    let port = |attached: bool| {
        json!({
            "id": "p1", "tenant_id": "t1", "network_id": "n1", "name": "p",
            "admin_state_up": true, "attached": attached, "device_owner": "compute:x",
            "device_id": "vm1", "mac_address": "fa:16:3e:00:00:01", "allowed_address_pairs": [],
            "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.5"}],
        })
    };
    vec![
        ("/v2.0/networks/n1".into(), 1, network),
        ("/v2.0/subnets/s1".into(), 1, subnet),
        ("/v2.0/ports/p1".into(), 1, port(false)),
        ("/v2.0/ports/p1".into(), 2, port(true)),
    ]
}
