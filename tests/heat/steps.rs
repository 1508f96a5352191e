//! A host that is killed after any single request, and somebody who is always a moment earlier.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use stokehold::store::embedded::Role;
use stokehold_tests::proxy::{Proxy, Step, Strike};
use stokehold_tests::real_heat;
use stokehold_tests::world::World;

use super::place::{Place, setup};

/// More requests than a job of one step after the other has.
const STEPS_MAX: usize = 12;
const ACTIONS: [(&str, u64); 3] = [("create", 1), ("update", 2), ("delete", 3)];

/// A host that ends with the test, whatever happens.
struct Host(Child);

impl Host {
    fn start(world: &World) -> Result<Self> {
        let mut command = world.host_command()?;
        Ok(Self(command.stderr(Stdio::null()).spawn().context("cannot start a host")?))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_after_any_request_leaves_one_stack_as_it_should_be() -> Result<()> {
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let proxy = Proxy::before(heat.url()).await?;
    let mut setup = setup(proxy.url())?;
    // One look while Heat is at it is like another.
    setup.heat_config.insert("poll_ms".into(), "1000".into());
    let place = Place::around(World::without_host(setup, Role::Guest)?, heat.url()).await?;
    let mut host = Some(Host::start(&place.world)?);
    let mut struck: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
    for nth in 1..=STEPS_MAX {
        let id = format!("killed-{nth}");
        let mut is_over = true;
        for (action, version) in ACTIONS {
            // One look after another at the same while Heat is at it is one request, however long Heat takes.
            let (mut left, mut former) = (nth, (String::new(), String::new()));
            let lost = proxy.strike(Strike::Lost, move |method, path| {
                let this = (method.to_owned(), path.to_owned());
                left -= usize::from(this != former);
                former = this;
                left == 0
            });
            ask(&place, &id, action, version).await?;
            tokio::select! {
                biased;
                step = lost => {
                    is_over = false;
                    struck.entry(action).or_default().push(step.context("the proxy ended")?);
                    // The old one first: a store has one host.
                    drop(host.take());
                    host = Some(Host::start(&place.world)?);
                }
                state = place.state(&id, version) => { state?; }
            }
            let law = || format!("{action}, killed at request {nth}: {struck:?}");
            stands(&place, &id, action, version).await.with_context(law)?;
        }
        if is_over {
            break;
        }
    }
    drop(host);
    for (action, method, least) in
        [("create", "POST", 4), ("update", "PUT", 5), ("delete", "DELETE", 4)]
    {
        let steps = struck.get(action).map(Vec::as_slice).unwrap_or_default();
        println!(
            "{action}: killed after {}",
            steps.iter().map(shown).collect::<Vec<_>>().join(", ")
        );
        ensure!((least..STEPS_MAX).contains(&steps.len()), "{action} has {} steps", steps.len());
        ensure!(steps.iter().any(|step| step.method == method), "{action} without {method}");
    }
    Ok(())
}

fn shown(step: &Step) -> String {
    format!("{} {}", step.method, step.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_always_a_moment_late_finds_one_stack_as_it_should_be() -> Result<()> {
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let proxy = Proxy::before(heat.url()).await?;
    let place = Place::around(World::start(setup(proxy.url())?).await?, heat.url()).await?;
    for ((action, version), asked) in ACTIONS.into_iter().zip(["POST", "PUT", "DELETE"]) {
        let second = proxy.strike(Strike::Second, move |method, _| method == asked);
        ask(&place, "raced", action, version).await?;
        let step = second.await.context("the proxy ended")?;
        // Heat says that the name exists; that an action runs, unless the first update has ended already and it makes
        // another one of the same; and of a second deletion nothing, or that all is gone.
        let answers: &[u16] = match asked {
            "POST" => &[409],
            "PUT" => &[202, 409],
            _ => &[204, 404],
        };
        ensure!(answers.contains(&step.status), "{step:?}");
        stands(&place, "raced", action, version).await?;
    }
    Ok(())
}

async fn ask(place: &Place, id: &str, action: &str, version: u64) -> Result<()> {
    match action {
        "delete" => place.unwant(id, version).await,
        _ => place.want(id, version, &format!("net-{version}")).await,
    }
}

async fn stands(place: &Place, id: &str, action: &str, version: u64) -> Result<()> {
    match action {
        "delete" => place.down(id, version).await,
        _ => place.up(id, version, &format!("net-{version}")).await,
    }
}
