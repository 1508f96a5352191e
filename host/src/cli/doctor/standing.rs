//! What the entries of the store say: hosts, their leader, handlers, clocks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::finding::Finding;
use super::{Patient, out_of_reach};
use crate::cli::crew::Crew;
use crate::cli::entries;
use crate::domain::{Content, Entry, Fact, HandlerName, JobId, Presence, Schemas};
use crate::store::Store;
use crate::wire::{self, key};

const HOSTS: &str = "hosts";
const HANDLERS: &str = "handlers";
const CLOCK: &str = "clock";
const ENTRIES: &str = "entries";
/// Clocks that differ by less are not worth a word.
const CLOCK_MS: u64 = 2_000;
/// Jobs that wait longer than this, and longer than any back-off, may have been put off by a clock.
const WAKE_FAR_MS: u64 = 60 * 60 * 1000;
/// Names in a message.
const NAMES_SHOWN_MAX: usize = 5;

/// What is judged.
#[derive(Default)]
struct Standing {
    crew: Crew,
    /// Handler → who asks for it, as `job …` or `template …`.
    asked: BTreeMap<HandlerName, Asked>,
    wakes: Vec<(JobId, u64)>,
    unreadable: Vec<String>,
}

#[derive(Default)]
struct Asked {
    jobs: Vec<String>,
    templates: Vec<String>,
}

pub(super) async fn look(patient: Patient) -> Vec<Finding> {
    let Some(store) = patient.store else { return vec![out_of_reach(HOSTS)] };
    let read = read(&*store).await.and_then(|facts| Ok((facts, entries::now_ms()?)));
    let (facts, now_ms) = match read {
        Ok(read) => read,
        Err(error) => {
            let what = format!("cannot read who runs and what is to be done: {error:#}");
            let remedy = "do what is said about the store, then ask again";
            return vec![Finding::problem(HOSTS, what, remedy)];
        }
    };
    let standing = Standing::of(&facts, &entries::alive);
    let far_ms = patient.settings.backoff_ms_max.max(WAKE_FAR_MS);
    let parts = [
        standing.hosts(),
        standing.handlers(),
        standing.faults(),
        standing.clock(now_ms, far_ms),
        standing.unreadable(),
    ];
    parts.concat()
}

async fn read(store: &dyn Store) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for prefix in [key::LEADER, key::HOSTS, key::TEMPLATES, key::ALL, key::STEPS] {
        let found = entries::all(store, prefix).await?;
        facts.extend(found.iter().map(|entry| wire::fact(&Schemas::default(), entry)));
    }
    Ok(facts)
}

impl Standing {
    fn of(facts: &[Fact], alive: &dyn Fn(&Presence) -> bool) -> Self {
        let mut standing = Self { crew: Crew::of(facts, alive), ..Self::default() };
        for Fact { entry, content, .. } in facts {
            match (entry, content) {
                (Entry::Template(id), Some(Content::Template(template))) => {
                    let asked = standing.asked.entry(template.handler.clone()).or_default();
                    asked.templates.push(id.to_string());
                }
                (Entry::Job(id), Some(Content::Job(posted))) => {
                    let asked = standing.asked.entry(posted.job.handler.clone()).or_default();
                    asked.jobs.push(id.to_string());
                }
                (Entry::Step(id), Some(Content::Step(step))) => {
                    standing.wakes.push((id.clone(), step.wake_ms));
                }
                (entry, Some(Content::Unreadable(why))) => {
                    standing.unreadable.push(format!("{}: {why}", key::name_of(entry)));
                }
                _ => {}
            }
        }
        standing
    }

    fn hosts(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (id, host) in &self.crew.dead {
            let what = format!("host {id} (process {}) ended without a word", host.pid);
            let remedy = "nothing, once its lease has ended, or the next host of an embedded store \
                          has started; its log says why it ended";
            findings.push(Finding::warning(HOSTS, what, remedy));
        }
        if self.crew.hosts.is_empty() {
            let what = "no host is running: nothing is done";
            let remedy = "start one with `stokehold run`; when it ends at once, its log says why";
            findings.push(Finding::problem(HOSTS, what, remedy));
            return findings;
        }
        let versions: BTreeSet<_> =
            self.crew.hosts.values().map(|host| host.version.as_str()).collect();
        if versions.len() > 1 {
            let versions: Vec<_> = versions.into_iter().collect();
            let what = format!("the hosts have different versions: {}", versions.join(", "));
            let remedy = "fine while they are restarted one by one; finish that";
            findings.push(Finding::warning(HOSTS, what, remedy));
        }
        findings.push(self.leader());
        findings
    }

    fn leader(&self) -> Finding {
        let count = match self.crew.hosts.len() {
            1 => "1 host is running".to_owned(),
            n => format!("{n} hosts are running"),
        };
        match self.crew.leads() {
            Some((id, _, Some(host))) => {
                Finding::ok(HOSTS, format!("{count}; {id} on {} leads", host.node))
            }
            Some((id, ..)) => {
                let what = format!("{count}; {id} leads, but has not told about itself");
                Finding::warning(HOSTS, what, "ask again; if it stays so, look at the hosts' logs")
            }
            None => {
                let what = format!("{count}, but none leads: nothing new is planned");
                let remedy = "one of them leads within the time of a lease: ask again; if it stays so, \
                              look at the hosts' logs and restart them";
                Finding::problem(HOSTS, what, remedy)
            }
        }
    }

    /// Without a host there is nothing to compare with.
    fn handlers(&self) -> Vec<Finding> {
        if self.crew.hosts.is_empty() {
            return Vec::new();
        }
        let has = |name: &HandlerName| self.crew.hosts.values().any(|it| it.has_handler(name));
        let missing = self.asked.iter().filter(|(name, _)| !has(name));
        let mut findings: Vec<_> = missing
            .map(|(name, asked)| {
                let of = [some("job", &asked.jobs), some("template", &asked.templates)];
                let of: Vec<_> = of.into_iter().flatten().collect();
                let what = format!(
                    "no host has the handler {name}; it is asked for by {}",
                    of.join(" and by ")
                );
                let remedy = format!(
                    "put {name}.wasm into the folder of the plugins (setting `handlers`), where a \
                     running host finds it, or correct the template"
                );
                Finding::problem(HANDLERS, what, remedy)
            })
            .collect();
        if findings.is_empty() {
            let what = match self.asked.len() {
                0 => "no template and no job asks for a handler".to_owned(),
                n => format!("hosts have every handler that is asked for ({n})"),
            };
            findings.push(Finding::ok(HANDLERS, what));
        }
        findings
    }

    fn faults(&self) -> Vec<Finding> {
        // The same fault on several hosts is one.
        let mut faults: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for (id, host) in &self.crew.hosts {
            for fault in &host.faults {
                let on = faults.entry((&fault.file, &fault.reason)).or_default();
                on.push(format!("{id} on {}", host.node));
            }
        }
        let each = faults.into_iter().map(|((file, reason), on)| {
            let what = format!("{file} is not used by {}: {reason}", listed(&on));
            let remedy =
                "put a working plugin in its place, or remove it; the host takes it by itself";
            Finding::problem(HANDLERS, what, remedy)
        });
        each.collect()
    }

    /// Clocks of other machines are seen only by what their hosts have written.
    fn clock(&self, now_ms: u64, far_ms: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (id, host) in &self.crew.hosts {
            let ahead = host.started_ms.saturating_sub(now_ms);
            if ahead > CLOCK_MS {
                let what = format!(
                    "host {id} on {} started {} s from now, says its clock",
                    host.node,
                    ahead / 1000
                );
                let remedy = "set the clocks of that machine and of this one (NTP): jobs are put off \
                              by the time that hosts write";
                findings.push(Finding::problem(CLOCK, what, remedy));
            }
        }
        let far: Vec<_> = self.wakes.iter().filter(|(_, at)| *at > now_ms + far_ms).collect();
        if let Some((_, at)) = far.iter().max_by_key(|(_, at)| at) {
            let ids: Vec<_> = far.iter().map(|(id, _)| id.to_string()).collect();
            let hours = at.saturating_sub(now_ms) / WAKE_FAR_MS;
            let what = format!("jobs are put off for up to {hours} h: {}", listed(&ids));
            let remedy = "right if their handlers asked for it; else a clock was wrong when it was \
                          written: set it and apply the resource again (`stokehold apply --again`)";
            findings.push(Finding::warning(CLOCK, what, remedy));
        }
        if findings.is_empty() {
            let what = "nothing in the store was written ahead of this machine's clock (the clocks of \
                        other machines are seen by that alone)";
            findings.push(Finding::ok(CLOCK, what));
        }
        findings
    }

    fn unreadable(&self) -> Vec<Finding> {
        let each = self.unreadable.iter().take(NAMES_SHOWN_MAX).map(|entry| {
            let what = format!("cannot be read: {entry}");
            Finding::warning(ENTRIES, what, "write it anew; `stokehold status` lists all of them")
        });
        each.collect()
    }
}

/// `job a, b and 3 more`, if there is one.
fn some(kind: &str, names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{kind} {}", listed(names)))
}

fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
