//! The store: reachable, of which kind, and whether it can be written.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http::HeaderMap;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::time::timeout;

use super::finding::Finding;
use super::members::{self, Member};
use super::{Patient, out_of_reach};
use crate::cli::{entries, place};
use crate::http_client::HttpClient;
use crate::settings::{Settings, StorePlace};
use crate::store::embedded::Role;
use crate::store::etcd::{Etcd, EtcdOptions};
use crate::store::{LeaseId, Outcome, Store, Txn, Write};

const CHECK: &str = "store";
const WRITING: &str = "writing";
const LEASES: &str = "leases";
/// The keys that the doctor writes begin with this.
const OWN: &str = "/stokehold/doctor/";
/// A lease of the doctor's; what is left of a doctor that was killed goes with it.
const LEASE: Duration = Duration::from_secs(30);
/// Another process may write for some seconds.
const OPEN_WITHIN: Duration = Duration::from_secs(12);
/// What an etcd tells its monitoring has some hundred kilobytes.
const METRICS_WITHIN: Duration = Duration::from_secs(2);
const METRICS_BYTES_MAX: usize = 8 << 20;
/// A commit that takes longer makes everything slow.
const SLOW_MS: u128 = 100;

/// The store, if it can be used, and what there is to say about it.
pub(super) struct Opened {
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) findings: Vec<Finding>,
}

pub(super) async fn open(settings: &Settings) -> Opened {
    match &settings.store {
        StorePlace::Embedded(dir) => embedded(settings, dir).await,
        StorePlace::Etcd(address) => etcd(settings, address).await,
    }
}

async fn embedded(settings: &Settings, dir: &Path) -> Opened {
    let shown = dir.display();
    let sizes = ["store.db", "store.db-wal"].map(|name| fs::metadata(dir.join(name)));
    if sizes.iter().all(Result::is_err) {
        let what = format!("there is no store in the folder {shown} yet");
        let remedy =
            "`stokehold run` makes one; if there should be one, correct the setting `store`";
        return Opened { store: None, findings: vec![Finding::warning(CHECK, what, remedy)] };
    }
    let opened = timeout(OPEN_WITHIN, place::open(settings, Role::Guest)).await;
    let opened = opened.unwrap_or_else(|_| bail_late(OPEN_WITHIN));
    let (store, finding) = match opened {
        Ok(store) => {
            let bytes: u64 = sizes.iter().flatten().map(fs::Metadata::len).sum();
            let kib = bytes.div_ceil(1 << 10);
            let what = format!("embedded, in the folder {shown}: {kib} KiB, {}", holder(dir));
            (Some(store), Finding::ok(CHECK, what))
        }
        Err(error) => {
            let what = format!("the embedded store cannot be used: {error:#}");
            let remedy = format!("let this user read and write {shown} and all files in it");
            (None, Finding::problem(CHECK, what, remedy))
        }
    };
    Opened { store, findings: vec![finding] }
}

fn bail_late<T>(within: Duration) -> Result<T> {
    bail!("no answer within {} s", within.as_secs())
}

/// Whether a host has the folder, by the number that it leaves there. Trying its lock would keep
/// out a host that starts just then.
fn holder(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join("host.lock")).unwrap_or_default();
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    match pid.filter(|pid| test_kill_process(*pid) != Err(Errno::SRCH)) {
        Some(pid) => format!("the host of process {} has it", pid.as_raw_nonzero()),
        None => "no host has it".to_owned(),
    }
}

async fn etcd(settings: &Settings, address: &str) -> Opened {
    let refused = |error: anyhow::Error| {
        let what = format!("the etcd cannot be used: {error:#}");
        let remedy = "correct the settings `store` and `etcd_…`, or what is said about the members";
        Finding::problem(CHECK, what, remedy)
    };
    let (options, unasked) = match place::etcd(settings, address)
        .and_then(|options| Ok((options.clone(), Etcd::unasked(&options)?)))
    {
        Ok(both) => both,
        Err(error) => return Opened { store: None, findings: vec![refused(error)] },
    };
    let begun = Instant::now();
    let (members, opened) = tokio::join!(members(&unasked), open_etcd(options));
    let (store, finding): (Option<Arc<dyn Store>>, _) = match opened {
        Ok((store, took)) => {
            let ms = took.as_millis();
            let what = format!("etcd at {address} can be read (first answer after {ms} ms)");
            (Some(Arc::new(store)), Finding::ok(CHECK, what))
        }
        Err(error) => {
            let seconds = begun.elapsed().as_secs();
            let error = error.context(format!("no use after {seconds} s"));
            (None, refused(error))
        }
    };
    let findings = [vec![finding], members::judge(&members)].concat();
    Opened { store, findings }
}

async fn open_etcd(options: EtcdOptions) -> Result<(Etcd, Duration)> {
    let begun = Instant::now();
    let within = options.request_timeout + Duration::from_secs(2);
    match timeout(within, Etcd::open(options)).await {
        Ok(opened) => Ok((opened?, begun.elapsed())),
        Err(_) => bail_late(within),
    }
}

async fn members(etcd: &Etcd) -> Vec<Member> {
    let mut members = Vec::new();
    for status in etcd.status().await {
        let quota = if status.state.is_ok() { quota(&status.url).await } else { None };
        members.push((status, quota));
    }
    members
}

/// The quota of a member that tells its monitoring without TLS.
async fn quota(url: &str) -> Option<u64> {
    let url = url.starts_with("http://").then(|| format!("{url}/metrics"))?;
    let client = HttpClient::new().ok()?;
    let told = client.get(&url, &HeaderMap::new(), METRICS_WITHIN, METRICS_BYTES_MAX).await;
    let (_, body) = told.ok()?;
    members::quota(std::str::from_utf8(&body).ok()?)
}

/// Writes, reads and removes a key of its own; grants, keeps and ends a lease.
pub(super) async fn practise(patient: Patient) -> Vec<Finding> {
    let Some(store) = patient.store else { return vec![out_of_reach(WRITING)] };
    let mut findings = Vec::new();
    let lease = store.grant(LEASE).await.map_err(anyhow::Error::from);
    let begun = Instant::now();
    let written = round_trip(&*store, lease.as_ref().ok().copied()).await;
    findings.push(judge_writing(written.map(|()| begun.elapsed()), patient.settings.lease_ms));
    findings.push(match lease {
        Ok(lease) => judge_lease(practise_lease(&*store, lease).await),
        Err(error) => judge_lease(Err(error.context("none is granted"))),
    });
    findings
}

async fn round_trip(store: &dyn Store, lease: Option<LeaseId>) -> Result<()> {
    let key = format!("{OWN}{}-{}", std::process::id(), entries::now_ms()?);
    let value = key.as_bytes().to_vec();
    let put = Write::Put { key: key.clone(), value, lease };
    let commit =
        async |write| store.commit(Txn { compares: Vec::new(), writes: vec![write] }).await;
    match commit(put).await.context("cannot write")? {
        Outcome::Committed(_) => {}
        Outcome::Conflict(_) => bail!("cannot write: a commit without a comparison was refused"),
    }
    let read = store.get(&key).await.context("cannot read what was just written");
    commit(Write::Delete { key: key.clone() }).await.context("cannot remove what was written")?;
    let read = read?.filter(|entry| entry.value == key.as_bytes());
    read.context("what was just written is not there")?;
    let left = store.get(&key).await.context("cannot read what was just removed")?;
    ensure!(left.is_none(), "what was just removed is still there");
    Ok(())
}

fn judge_writing(took: Result<Duration>, lease_ms: u64) -> Finding {
    let took = match took {
        Ok(took) => took.as_millis(),
        Err(error) => {
            let what = format!("a key cannot be written, read and removed: {error:#}");
            let remedy = "do what is said about the store; a full disk, a quota and missing rights \
                          look like this, too";
            return Finding::problem(WRITING, what, remedy);
        }
    };
    // Two commits and two reads.
    let each = took / 4;
    let what = format!("a key was written, read and removed in {took} ms");
    let remedy = "look at the disk of the store, at the network, and at what else runs there";
    if each.saturating_mul(3) >= u128::from(lease_ms) {
        let what = format!("{what}: hosts will lose their leases of {lease_ms} ms");
        Finding::problem(WRITING, what, remedy)
    } else if each >= SLOW_MS {
        Finding::warning(WRITING, format!("{what}, which is slow"), remedy)
    } else {
        Finding::ok(WRITING, what)
    }
}

async fn practise_lease(store: &dyn Store, lease: LeaseId) -> Result<()> {
    let kept = store.keep(lease).await.context("one that was granted cannot be kept");
    store.revoke(lease).await.context("one that was granted cannot be ended")?;
    kept?;
    match store.keep(lease).await {
        Ok(()) => bail!("one that was ended can still be kept"),
        Err(_) => Ok(()),
    }
}

fn judge_lease(practised: Result<()>) -> Finding {
    match practised {
        Ok(()) => Finding::ok(LEASES, "a lease was granted, kept and ended"),
        Err(error) => {
            let what = format!("leases do not work: {error:#}");
            let remedy = "hosts cannot run without; do what is said about the store";
            Finding::problem(LEASES, what, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_store_is_a_warning_and_one_slower_than_leases_a_problem() {
        let cases = [
            (4, "ok a key was written, read and removed in 4 ms"),
            (400, "warning a key was written, read and removed in 400 ms, which is slow"),
            (
                4_000,
                "problem a key was written, read and removed in 4000 ms: hosts will lose their leases \
                 of 2000 ms",
            ),
        ];
        for (ms, expected) in cases {
            let told = judge_writing(Ok(Duration::from_millis(ms)), 2_000).told();
            assert_eq!(told, expected);
        }
        let told = judge_writing(Err(anyhow::anyhow!("disk full")), 2_000).told();
        assert_eq!(told, "problem a key cannot be written, read and removed: disk full");
    }

    #[tokio::test]
    async fn an_embedded_store_is_practised_on_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let options = crate::store::embedded::Options::new(Role::Host);
        let store = crate::store::embedded::Embedded::open(dir.path(), options);
        let store = store.unwrap_or_else(|error| panic!("{error}"));
        let lease = store.grant(LEASE).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(round_trip(&store, Some(lease)).await.is_ok());
        assert!(round_trip(&store, None).await.is_ok());
        assert!(judge_lease(practise_lease(&store, lease).await).told().starts_with("ok "));
        let left = store.list("/", None, 1).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(left.entries.is_empty(), "{left:?}");
        let host = format!("the host of process {} has it", std::process::id());
        assert_eq!(holder(dir.path()), host);
    }
}
