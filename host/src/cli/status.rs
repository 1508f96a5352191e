//! `stokehold status`: made from the store alone, so it works beside a running host and without
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::Write as _;

use anyhow::Result;

use super::plain::plain;
use super::{Answer, entries, flags, load};
use crate::domain::{
    Content, Entry, Fact, HandlerName, HostId, JobId, Posted, Presence, Registration, State, Step,
};

/// Jobs named as those that another one waits for.
const IDS_SHOWN_MAX: usize = 3;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: flags::PlaceFlags,
}

pub(super) async fn status(args: Args) -> Result<Answer> {
    let settings = load::places(&args.settings.0)?;
    let store = entries::open(&settings).await?;
    let schemas = entries::schemas(&settings, &*store).await?;
    let facts = entries::standing(&*store, &schemas).await?;
    let now_ms = entries::now_ms()?;
    let mut picture = Picture::of(&facts, &entries::alive);
    if settings.monitor_out.is_some() {
        // Others watch; what they see is not in the store.
        picture.registrations.clear();
    }
    std::io::stdout().lock().write_all(picture.text(now_ms).as_bytes())?;
    Ok(Answer::Yes)
}

/// What the entries say about the running system.
#[derive(Default)]
struct Picture<'a> {
    hosts: BTreeMap<&'a HostId, &'a Presence>,
    leader: Option<&'a HostId>,
    /// Hosts whose entries are there, but whose processes are not.
    dead: BTreeSet<&'a HostId>,
    jobs: BTreeMap<&'a JobId, &'a Posted>,
    steps: BTreeMap<&'a JobId, &'a Step>,
    ready: BTreeSet<&'a JobId>,
    working: BTreeMap<&'a JobId, &'a HostId>,
    registrations: Vec<(String, &'a Registration)>,
    /// What `/monitoring` shows of each resource.
    statuses: BTreeMap<String, &'a BTreeMap<String, String>>,
    complaints: Vec<(String, &'a State)>,
    unreadable: Vec<(String, &'a str)>,
}

impl<'a> Picture<'a> {
    fn of(facts: &'a [Fact], alive: &dyn Fn(&Presence) -> bool) -> Self {
        let mut picture = Self::default();
        for Fact { entry, content, .. } in facts {
            match (entry, content) {
                (Entry::Host(id), Some(Content::Presence(host))) if !alive(host) => {
                    picture.dead.insert(id);
                }
                (Entry::Host(id), Some(Content::Presence(host))) => {
                    picture.hosts.insert(id, host);
                }
                (Entry::Leader, Some(Content::Host(id))) => picture.leader = Some(id),
                (Entry::Job(id), Some(Content::Job(posted))) => {
                    picture.jobs.insert(id, posted);
                }
                (Entry::Step(id), Some(Content::Step(step))) => {
                    picture.steps.insert(id, step);
                }
                (Entry::Ready(id), Some(_)) => {
                    picture.ready.insert(id);
                }
                (Entry::Working(id), Some(Content::Host(host))) => {
                    picture.working.insert(id, host);
                }
                (Entry::Registration(of), Some(Content::Registration(_, registration))) => {
                    picture.registrations.push((of.to_string(), registration));
                }
                (Entry::Monitoring(of), Some(Content::Monitoring { statuses, .. })) => {
                    picture.statuses.insert(of.to_string(), statuses);
                }
                (Entry::State(of), Some(Content::State(state))) if !state.error.is_empty() => {
                    picture.complaints.push((of.to_string(), state));
                }
                (entry, Some(Content::Unreadable(why))) => {
                    picture.unreadable.push((spelled(entry), why));
                }
                _ => {}
            }
        }
        picture
    }

    fn text(&self, now_ms: u64) -> String {
        let no_host = self.no_host();
        let sections = [
            ("hosts", no_host.as_str(), self.hosts()),
            ("plugin faults", "", self.faults()),
            ("held back", "", self.held_back()),
            ("failed", "", self.failed()),
            ("jobs", "no open jobs", self.jobs(now_ms)),
            ("not probed", "", self.not_probed()),
            ("unreadable", "", self.unreadable()),
        ];
        let mut text = String::new();
        for (title, nothing, lines) in sections {
            if lines.is_empty() && !nothing.is_empty() {
                text.push_str(&plain(nothing));
                text.push('\n');
            }
            for (nth, line) in lines.iter().enumerate() {
                let title = if nth == 0 { title } else { "" };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{title:<15} {}", plain(line));
            }
        }
        text
    }

    fn hosts(&self) -> Vec<String> {
        let line = |(id, host): (&&HostId, &&Presence)| {
            let handlers = listed(host.handlers.iter().map(|handler| handler.name.as_str()));
            let probers = listed(host.probers.iter().map(|prober| prober.name.as_str()));
            let leads = if self.leader == Some(*id) { " (leads)" } else { "" };
            let on = if host.node.is_empty() { "" } else { " on " };
            format!("{id}{leads}{on}{}, handlers: {handlers}, probers: {probers}", host.node)
        };
        let dead = self.dead.iter().filter(|_| !self.hosts.is_empty());
        let dead = dead.map(|id| format!("{id} ended without a word; others go on with its jobs"));
        self.hosts.iter().map(line).chain(dead).collect()
    }

    fn no_host(&self) -> String {
        let dead: Vec<_> = self.dead.iter().map(|id| id.as_str()).collect();
        match dead.join(", ") {
            none if none.is_empty() => "no host is running".to_owned(),
            ids => format!(
                "no host is running ({ids} ended without a word; \
                 the next one goes on with its jobs)"
            ),
        }
    }

    /// Whether hosts are running, but none of them can do this.
    fn nobody_has(&self, handler: &HandlerName) -> bool {
        !self.hosts.is_empty() && !self.hosts.values().any(|host| host.has_handler(handler))
    }

    fn faults(&self) -> Vec<String> {
        let faults = self.hosts.values().flat_map(|host| &host.faults);
        // The same fault on several hosts is one.
        let lines: BTreeSet<_> =
            faults.map(|fault| format!("{}: {}", fault.file, fault.reason)).collect();
        lines.into_iter().collect()
    }

    fn held_back(&self) -> Vec<String> {
        let held = self.complaints.iter().filter(|(_, state)| !state.failed());
        held.map(|(of, state)| format!("{of}: {}", state.error)).collect()
    }

    fn failed(&self) -> Vec<String> {
        let failed = self.complaints.iter().filter(|(_, state)| state.failed());
        let line = |(of, state): &(String, &State)| {
            format!("{of} version {} {}: {}", state.version, state.worker_state(), state.error)
        };
        failed.map(line).collect()
    }

    fn jobs(&self, now_ms: u64) -> Vec<String> {
        let mut lines: Vec<_> =
            self.jobs.iter().map(|(id, posted)| self.job(id, posted, now_ms)).collect();
        // By place: what runs, what may run, what waits.
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn job(&self, id: &JobId, posted: &Posted, now_ms: u64) -> (u8, String) {
        let step = self.steps.get(id);
        let (rank, place) = match (self.working.get(id), self.ready.contains(id)) {
            (Some(host), _) if self.dead.contains(host) => (0, format!("left behind by {host}")),
            (Some(host), _) => (0, format!("working on {host}")),
            (None, true) if self.nobody_has(&posted.job.handler) => {
                (2, format!("ready, but no host has handler {}", posted.job.handler))
            }
            (None, true) => ready(step.copied(), now_ms),
            (None, false) => (3, self.waiting(posted)),
        };
        let tries = match posted.attempts {
            0 => String::new(),
            tries => format!(", {tries} failed tries"),
        };
        let trouble = match step.map_or("", |step| step.trouble.as_str()) {
            "" => String::new(),
            trouble => format!(", last trouble: {trouble}"),
        };
        (rank, format!("{id} {place}{tries}{trouble}"))
    }

    fn waiting(&self, posted: &Posted) -> String {
        let open = posted.job.dependency.iter().filter(|d| self.jobs.contains_key(d));
        let open: Vec<_> = open.map(JobId::to_string).collect();
        let shown: Vec<_> = open.iter().take(IDS_SHOWN_MAX).map(String::as_str).collect();
        let more = match open.len().saturating_sub(IDS_SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("waiting for {}{more}", shown.join(", "))
    }

    /// Registered targets of kinds that no running prober knows, and those that theirs tells
    /// nothing of.
    fn not_probed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (of, registration) in &self.registrations {
            let known = self.statuses.get(of);
            for target in registration.targets.values() {
                if !self.hosts.values().any(|host| host.can_probe(&target.kind)) {
                    lines.push(format!("{of} {}: no prober for {}", target.name, target.kind));
                } else if known.is_none_or(|statuses| !statuses.contains_key(&target.name)) {
                    lines.push(format!(
                        "{of} {}: its prober has told nothing yet, or not lately; the host's log \
                         tells why",
                        target.name
                    ));
                }
            }
        }
        lines
    }

    fn unreadable(&self) -> Vec<String> {
        self.unreadable.iter().map(|(entry, why)| format!("{entry}: {why}")).collect()
    }
}

/// Where a job that may be claimed stands. Between two looks at what it has begun it is in
/// progress, and all is well.
fn ready(step: Option<&Step>, now_ms: u64) -> (u8, String) {
    let pause = step.map_or(0, |step| step.wake_ms.saturating_sub(now_ms));
    let seconds = format!("{}.{} s", pause / 1000, pause % 1000 / 100);
    match step {
        Some(step) if step.checkpoint.is_some() && step.trouble.is_empty() => {
            (1, format!("in progress, looked at again in {seconds}"))
        }
        _ if pause == 0 => (1, "ready".to_owned()),
        _ => (2, format!("ready in {seconds}")),
    }
}

/// An entry as people call it.
fn spelled(entry: &Entry) -> String {
    match entry {
        Entry::Job(id) => format!("job {id}"),
        Entry::Waiting(id) => format!("waiting mark of {id}"),
        Entry::Ready(id) => format!("ready mark of {id}"),
        Entry::Working(id) => format!("claim of {id}"),
        Entry::Step(id) => format!("step of {id}"),
        Entry::Host(id) => format!("host {id}"),
        Entry::State(of) => format!("state of {of}"),
        Entry::Registration(of) => format!("registration of {of}"),
        Entry::Monitoring(of) => format!("monitoring of {of}"),
        Entry::Unknown(key) => format!("key {key}"),
        // None of these is asked for.
        Entry::Config(of) => format!("config of {of}"),
        Entry::Template(id) => format!("template {id}"),
        Entry::Stack(of) => format!("stack of {of}"),
        Entry::JobState(of) => format!("job state of {of}"),
        Entry::Applied(of) => format!("plan of {of}"),
        Entry::PlanMark => "plan mark".to_owned(),
        Entry::Leader => "leader".to_owned(),
    }
}

/// Names in a row, or that there are none.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    match names.collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => "none".to_owned(),
        names => names,
    }
}

#[cfg(test)]
mod tests;
