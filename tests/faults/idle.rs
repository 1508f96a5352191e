//! A cluster with nothing to do leaves etcd in peace.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stokehold_tests::etcd::Cluster;
use stokehold_tests::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{TURN, setup};

/// The lease a host has unless somebody says otherwise.
const LEASE_MS: u64 = 10_000;
const WATCHED: Duration = Duration::from_secs(10);
/// Messages that etcd gets from one host, in a second.
const MESSAGES_MAX: f64 = 2.0;
/// A host that has just started looks around, and one that has just worked sweeps up: it is calm when it says less than
/// this between two looks, a pause apart.
const CALM: f64 = 3.0;
const PAUSE: Duration = Duration::from_secs(1);
const CALM_WITHIN: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_host_asks_etcd_less_than_twice_a_second() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut setup = setup()?;
    setup.pace.lease_ms = LEASE_MS;
    let Some(etcd) = Cluster::start(1)? else { return Ok(()) };
    let mut world = World::on_etcd(setup, etcd).await?;
    stokehold_tests::example::put_templates(&world).await?;
    world.start_host().await?;
    let body =
        serde_json::json!({"id": "n", "tenant_id": "t", "name": "n", "admin_state_up": true});
    world.config("/v2.0/networks/n", &body, 1, false).await?;
    world.state("/v2.0/networks/n", 1).await?;
    world.config("/v2.0/networks/n", &body, 2, true).await?;
    world.state("/v2.0/networks/n", 2).await?;
    world.idle().await?;
    let etcd = world.etcd().context("the world is not on etcd")?;
    let endpoint = etcd.member(0).endpoint();
    let sum = |all: &[(String, f64)]| all.iter().map(|(_, count)| count).sum::<f64>();
    let worked = Instant::now();
    let mut last = sum(&messages(&endpoint).await?);
    loop {
        sleep(PAUSE).await;
        let now = sum(&messages(&endpoint).await?);
        if now - last < CALM || worked.elapsed() > CALM_WITHIN {
            break;
        }
        last = now;
    }
    let (before, begun) = (messages(&endpoint).await?, Instant::now());
    sleep(WATCHED).await;
    let after = messages(&endpoint).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let each: Vec<String> = after
        .iter()
        .zip(&before)
        .filter(|(after, before)| after != before)
        .map(|((name, now), (_, then))| format!("{name} {}", now - then))
        .collect();
    let rate = (sum(&after) - sum(&before)) / seconds;
    println!("{rate:.2} messages a second: {}", each.join(", "));
    ensure!(rate < MESSAGES_MAX, "an idle host sends {rate:.2} messages a second: {each:?}");
    ensure!(rate > 0.0, "a host that keeps its lease sends something");
    world.stop_host().await
}

/// What etcd counts: the messages it got from clients, by method, those within streams included.
async fn messages(endpoint: &str) -> Result<Vec<(String, f64)>> {
    let mut stream = TcpStream::connect(endpoint).await?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let lines = answer.lines().filter(|line| line.starts_with("grpc_server_msg_received_total{"));
    let counts = lines.map(|line| {
        let (labels, count) = line.rsplit_once(' ').context("a line without a count")?;
        let method = labels.split("grpc_method=\"").nth(1).context("no method")?;
        let method = method.split('"').next().unwrap_or_default();
        Ok((method.to_owned(), count.parse()?))
    });
    let counts: Vec<_> = counts.collect::<Result<_>>()?;
    ensure!(!counts.is_empty(), "etcd counts no messages");
    Ok(counts)
}
