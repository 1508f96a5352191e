//! What befalls a cluster, in an order that comes back with its seed.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use stokehold_tests::etcd::{Cluster, Member};
use stokehold_tests::world::World;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until, timeout};

use super::fleet::{Host, claims, leader, place, present};
use super::gate::Way;
use super::recorder::Recorder;
use stokehold_tests::random::Random;

const HOSTS: usize = 3;
const MEMBERS: usize = 3;
/// How long a strike looks for what it is to hit.
const AIM: Duration = Duration::from_millis(1500);
const ASK: Duration = Duration::from_secs(2);
const READ: Duration = Duration::from_mins(1);

/// What can befall it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    KillLeader,
    KillClaimant,
    KillMember,
    KillEtcdLeader,
    HaltHost,
    CutSilently,
    CutLoudly,
    RestartEtcd,
    Compact,
    RevokeLease,
}

pub(super) const FAULTS: [Fault; 10] = [
    Fault::KillLeader,
    Fault::KillClaimant,
    Fault::KillMember,
    Fault::KillEtcdLeader,
    Fault::HaltHost,
    Fault::CutSilently,
    Fault::CutLoudly,
    Fault::RestartEtcd,
    Fault::Compact,
    Fault::RevokeLease,
];

/// What makes it good again.
#[derive(Clone, Copy, Debug)]
enum Cure {
    StartHost(usize),
    GoOn(usize),
    OpenGate(usize),
    StartMember(usize),
}

/// A cluster under strikes.
pub(super) struct Arena<'a> {
    world: &'a World,
    recorder: &'a Recorder,
    pub(super) hosts: Vec<Host>,
    random: Random,
    /// Faults still to come before all are shuffled again.
    deck: Vec<Fault>,
    cures: Vec<(Instant, Cure)>,
    /// The member that is dead: two of three must live.
    dead: Option<usize>,
    /// How often each fault did strike.
    pub(super) struck: BTreeMap<Fault, usize>,
}

impl<'a> Arena<'a> {
    /// With three running hosts.
    pub(super) async fn new(
        world: &'a World,
        recorder: &'a Recorder,
        logs: &Path,
        seed: u64,
    ) -> Result<Self> {
        let mut hosts = Vec::new();
        for nth in 0..HOSTS {
            hosts.push(Host::new(world, logs, nth).await?);
        }
        for host in &mut hosts {
            host.start()?;
        }
        let (random, deck, cures) = (Random::new(seed), Vec::new(), Vec::new());
        let struck = BTreeMap::new();
        Ok(Self { world, recorder, hosts, random, deck, cures, dead: None, struck })
    }

    /// Waits until every running host says that it is there and one leads.
    pub(super) async fn assemble(&self, within: Duration) -> Result<()> {
        let pids: Vec<u32> = self.hosts.iter().filter_map(Host::pid).collect();
        let whole = |view: &_| {
            pids.iter().all(|pid| present(view, *pid).is_some()) && leader(view).is_some()
        };
        let there = self
            .recorder
            .until("all hosts and a leader", within, |book| whole(&book.view).then_some(()));
        there.await
    }

    pub(super) fn recorder(&self) -> &'a Recorder {
        self.recorder
    }

    /// So many strikes, one every one or two seconds.
    pub(super) async fn rounds(&mut self, rounds: usize) -> Result<()> {
        for round in 1..=rounds {
            let fault = self.draw();
            let hit =
                self.strike(fault).await.with_context(|| format!("round {round}: {fault:?}"))?;
            println!("round {round}: {fault:?} {}", hit.as_deref().unwrap_or("hits nothing"));
            if hit.is_some() {
                *self.struck.entry(fault).or_default() += 1;
            }
            let pause = self.between(900, 1400);
            self.pass(pause).await?;
        }
        Ok(())
    }

    fn draw(&mut self) -> Fault {
        if self.deck.is_empty() {
            self.deck = FAULTS.to_vec();
        }
        let at = self.random.below(self.deck.len());
        self.deck.swap_remove(at)
    }

    fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        let span = usize::try_from(to_ms - from_ms).unwrap();
        Duration::from_millis(from_ms + u64::try_from(self.random.below(span)).unwrap())
    }

    /// Lets time pass; what is due is made good meanwhile.
    async fn pass(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            self.cures.sort_by_key(|(at, _)| *at);
            let due = self.cures.first().map(|(at, _)| *at).filter(|at| *at <= until);
            let Some(at) = due else { break };
            sleep_until(at).await;
            let (_, cure) = self.cures.remove(0);
            self.cure(cure)?;
        }
        sleep_until(until).await;
        for (nth, host) in self.hosts.iter_mut().enumerate() {
            if let Some(status) = host.ended()? {
                bail!("host {nth} ended by itself: {status}; its log:\n{}", host.last_words());
            }
        }
        Ok(())
    }

    fn cure(&mut self, cure: Cure) -> Result<()> {
        match cure {
            Cure::StartHost(nth) => self.hosts[nth].start(),
            Cure::GoOn(nth) => {
                if self.hosts[nth].is_running() {
                    self.hosts[nth].signal(Signal::CONT)?;
                }
                Ok(())
            }
            Cure::OpenGate(nth) => {
                self.hosts[nth].gate.set(Way::Open);
                Ok(())
            }
            Cure::StartMember(nth) => {
                if self.dead == Some(nth) {
                    block_in_place(|| self.member(nth)?.start())?;
                    self.dead = None;
                }
                Ok(())
            }
        }
    }

    /// Everything is made good at once.
    pub(super) async fn heal(&mut self) -> Result<()> {
        for (_, cure) in std::mem::take(&mut self.cures) {
            self.cure(cure)?;
        }
        self.pass(Duration::ZERO).await
    }

    fn later(&mut self, from_ms: u64, to_ms: u64, cure: Cure) {
        let at = Instant::now() + self.between(from_ms, to_ms);
        self.cures.push((at, cure));
    }

    fn etcd(&self) -> Result<&'a Cluster> {
        self.world.etcd().context("the world is not on etcd")
    }

    fn member(&self, nth: usize) -> Result<&'a Member> {
        Ok(self.etcd()?.member(nth))
    }

    /// Answers what was hit.
    async fn strike(&mut self, fault: Fault) -> Result<Option<String>> {
        match fault {
            Fault::KillLeader => self.kill_host(|view| leader(view).into_iter().collect()).await,
            Fault::KillClaimant => {
                self.kill_host(|view| claims(view).into_iter().map(|(_, host)| host).collect())
                    .await
            }
            Fault::KillMember => {
                let nth = self.random.below(MEMBERS);
                self.kill_member(nth)
            }
            Fault::KillEtcdLeader => match timeout(ASK, self.etcd()?.leader()).await {
                Ok(Ok(nth)) => self.kill_member(nth),
                _ => Ok(None),
            },
            Fault::HaltHost => {
                let Some(nth) = self.any_host() else { return Ok(None) };
                self.hosts[nth].signal(Signal::STOP)?;
                self.later(2500, 4500, Cure::GoOn(nth));
                Ok(Some(format!("host {nth}")))
            }
            Fault::CutSilently => Ok(self.cut(Way::Silent)),
            Fault::CutLoudly => Ok(self.cut(Way::Closed)),
            Fault::RestartEtcd => self.restart_etcd(),
            Fault::Compact => self.compact().await,
            Fault::RevokeLease => self.revoke().await,
        }
    }

    fn any_host(&mut self) -> Option<usize> {
        let running: Vec<usize> = (0..HOSTS).filter(|nth| self.hosts[*nth].is_running()).collect();
        (!running.is_empty()).then(|| *self.random.pick(&running))
    }

    /// Kills one of the hosts that the view names.
    async fn kill_host(
        &mut self,
        named: impl Fn(&super::history::View) -> Vec<String>,
    ) -> Result<Option<String>> {
        let hosts = &self.hosts;
        let seen = self.recorder.until("somebody to kill", AIM, |book| {
            let places = named(&book.view).into_iter();
            let places: Vec<_> = places.filter_map(|id| place(hosts, &book.view, &id)).collect();
            (!places.is_empty()).then_some(places)
        });
        let Ok(places) = seen.await else { return Ok(None) };
        let nth = *self.random.pick(&places);
        self.hosts[nth].kill();
        self.later(200, 1500, Cure::StartHost(nth));
        Ok(Some(format!("host {nth}")))
    }

    fn kill_member(&mut self, nth: usize) -> Result<Option<String>> {
        if let Some(dead) = self.dead {
            self.cure(Cure::StartMember(dead))?;
        }
        self.member(nth)?.kill();
        self.dead = Some(nth);
        self.later(500, 2500, Cure::StartMember(nth));
        Ok(Some(format!("member {nth}")))
    }

    fn cut(&mut self, way: Way) -> Option<String> {
        let nth = self.any_host()?;
        self.hosts[nth].gate.set(way);
        self.later(1000, 4500, Cure::OpenGate(nth));
        Some(format!("host {nth}"))
    }

    /// All members die and come again.
    fn restart_etcd(&mut self) -> Result<Option<String>> {
        let etcd = self.etcd()?;
        for nth in 0..MEMBERS {
            etcd.member(nth).kill();
        }
        self.dead = None;
        let started = block_in_place(|| {
            std::thread::scope(|scope| {
                let starting =
                    (0..MEMBERS).map(|nth| scope.spawn(move || etcd.member(nth).start()));
                let starting: Vec<_> = starting.collect();
                let ended = starting.into_iter().map(ScopedJoinHandle::join);
                ended.collect::<Vec<_>>()
            })
        });
        for start in started {
            start.ok().context("a start broke")??;
        }
        Ok(Some("all members".to_owned()))
    }

    /// Compacts up to now, once it is written down.
    async fn compact(&mut self) -> Result<Option<String>> {
        let mut client = self.etcd()?.client().await?;
        let Ok(Ok(answer)) = timeout(ASK, client.get("/", None)).await else { return Ok(None) };
        let now = answer.header().context("no header")?.revision();
        self.recorder.reach(u64::try_from(now)?, READ).await?;
        match timeout(ASK, client.compact(now, None)).await {
            Ok(Ok(_)) => Ok(Some(format!("up to {now}"))),
            _ => Ok(None),
        }
    }

    /// Revokes the lease of a host, of one that works if there is one.
    async fn revoke(&mut self) -> Result<Option<String>> {
        let leases = self.recorder.look(|book| {
            let leases = |family| {
                let kept = super::history::under(&book.view, family);
                kept.map(|(_, kept)| kept.lease).collect::<Vec<_>>()
            };
            let working = leases("/jobs/working/");
            if working.is_empty() { leases("/stokehold/hosts/") } else { working }
        });
        if leases.is_empty() {
            return Ok(None);
        }
        let lease = *self.random.pick(&leases);
        let mut client = self.etcd()?.client().await?;
        match timeout(ASK, client.lease_revoke(lease)).await {
            Ok(Ok(_)) => Ok(Some(format!("lease {lease:x}"))),
            _ => Ok(None),
        }
    }

    /// Whether the strikes were what they should be.
    pub(super) fn covered(&self, rounds: usize) -> Result<()> {
        let missing: Vec<_> =
            FAULTS.iter().filter(|fault| !self.struck.contains_key(fault)).collect();
        ensure!(rounds < FAULTS.len() * 3 || missing.is_empty(), "never struck: {missing:?}");
        Ok(())
    }
}
