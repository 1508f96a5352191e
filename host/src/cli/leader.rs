//! `stokehold leader`: who plans, and who else is there.

use std::io::Write as _;

use anyhow::{Context, Result};
use serde_json::json;

use super::crew::Crew;
use super::plain::plain;
use super::{Answer, entries, flags, load};
use crate::domain::{HostId, Json, Presence};

const ABOUT: &str = "\
The leader plans the jobs of changed configs; all hosts run jobs. Where nobody leads, jobs that are
planned already are run, and nothing new is planned: the exit code is 1.";

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// One JSON object: leader (null when nobody leads) and hosts.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: flags::StoreFlags,
}

pub(super) async fn leader(args: Args) -> Result<Answer> {
    let store = entries::open(&load::places(&args.settings.0)?).await?;
    let crew = Crew::read(&*store).await?;
    let now_ms = entries::now_ms()?;
    let text = if args.json { format!("{}\n", as_json(&crew)) } else { as_text(&crew, now_ms) };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot print")?;
    Ok(if crew.leads().is_some() { Answer::Yes } else { Answer::No })
}

fn as_text(crew: &Crew, now_ms: u64) -> String {
    let leads = crew.leads();
    let mut lines = vec![match leads {
        Some((id, since, about)) => {
            let about = about.map_or_else(
                || ", which has not told anything about itself".to_owned(),
                |host| told(host, now_ms),
            );
            format!("{id} leads since revision {since}{about}")
        }
        None => nobody(crew),
    }];
    let leader = leads.map(|(id, ..)| id);
    for (id, host) in crew.hosts.iter().filter(|(id, _)| Some(*id) != leader) {
        lines.push(format!("{id} is ready to lead{}", told(host, now_ms)));
    }
    for (id, host) in &crew.dead {
        lines.push(format!("{id} ended without a word{}", place(host)));
    }
    lines.iter().flat_map(|line| [plain(line), "\n".into()]).collect()
}

/// What it means that nobody leads.
fn nobody(crew: &Crew) -> String {
    let former = crew.leader.as_ref().map_or_else(String::new, |(id, _)| {
        format!(" ({id} did, and ended without a word; its term ends with its lease)")
    });
    let meaning = if crew.hosts.is_empty() {
        "no host is running, so nothing is done; `stokehold run` starts one"
    } else {
        "what is planned goes on, nothing new is planned; one of the hosts below takes the lead \
         within the time of a lease, and its log says so"
    };
    format!("nobody leads{former}: {meaning}")
}

fn told(host: &Presence, now_ms: u64) -> String {
    let handlers: Vec<_> = host.handlers.iter().map(|handler| handler.name.as_str()).collect();
    let handlers = if handlers.is_empty() { "no handlers".to_owned() } else { handlers.join(", ") };
    let version = if host.version.is_empty() { "unknown" } else { &host.version };
    let up = span(now_ms.saturating_sub(host.started_ms));
    format!("{}, version {version}, up {up}, handlers: {handlers}", place(host))
}

pub(super) fn place(host: &Presence) -> String {
    let node = if host.node.is_empty() { "an unknown machine" } else { &host.node };
    format!(", on {node} as process {}", host.pid)
}

/// A time for eyes: the two largest units.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn as_json(crew: &Crew) -> Json {
    let leads = crew.leads();
    let leader = leads.map(|(id, since, about)| {
        let mut leader = about.map_or_else(|| json!({"id": id.as_str()}), |it| host(id, it));
        if let Some(fields) = leader.as_object_mut() {
            fields.insert("since_revision".to_owned(), since.0.into());
        }
        leader
    });
    let leader_id = leads.map(|(id, ..)| id);
    let each = |(id, about): (&HostId, &Presence), alive: bool| {
        let mut host = host(id, about);
        if let Some(fields) = host.as_object_mut() {
            fields.insert("alive".to_owned(), alive.into());
            fields.insert("leads".to_owned(), (Some(id) == leader_id).into());
        }
        host
    };
    let hosts: Vec<_> = crew.hosts.iter().map(|it| each(it, true)).collect();
    let dead: Vec<_> = crew.dead.iter().map(|it| each(it, false)).collect();
    let all = [hosts, dead].concat();
    json!({"leader": leader, "hosts": all})
}

fn host(id: &HostId, about: &Presence) -> Json {
    let handlers: Vec<_> = about.handlers.iter().map(|handler| handler.name.as_str()).collect();
    let probers: Vec<_> = about.probers.iter().map(|prober| prober.name.as_str()).collect();
    json!({
        "id": id.as_str(), "node": about.node, "pid": about.pid, "version": about.version,
        "started_ms": about.started_ms, "handlers": handlers, "probers": probers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Content, Entry, Fact, Handler, Revision, UpdateStyle};

    fn presence(pid: u32) -> Presence {
        let handler = Handler {
            name: "heat_worker".into(),
            after: std::collections::BTreeSet::new(),
            update: UpdateStyle::Modify,
        };
        Presence {
            version: "0.1.0".into(),
            node: "n1".into(),
            pid,
            started_ms: 1_000,
            handlers: vec![handler],
            ..Presence::default()
        }
    }

    fn crew(hosts: &[(&str, u32)], leader: Option<&str>) -> Crew {
        let fact = |entry, content| Fact {
            entry,
            content: Some(content),
            created: Revision(7),
            revision: Revision(9),
        };
        let host = |(id, pid): &(&str, u32)| {
            fact(Entry::Host((*id).into()), Content::Presence(presence(*pid)))
        };
        let leader = leader.map(|id| fact(Entry::Leader, Content::Host(id.into())));
        let facts: Vec<_> = hosts.iter().map(host).chain(leader).collect();
        // The dead of these tests have the process 0.
        Crew::of(&facts, &|host| host.pid != 0)
    }

    #[test]
    fn the_leader_comes_first_and_the_others_are_named() {
        let lines = as_text(&crew(&[("a", 1), ("b", 2), ("c", 0)], Some("b")), 66_000);
        let expected = "\
b leads since revision 7, on n1 as process 2, version 0.1.0, up 1 min 5 s, handlers: heat_worker
a is ready to lead, on n1 as process 1, version 0.1.0, up 1 min 5 s, handlers: heat_worker
c ended without a word, on n1 as process 0
";
        assert_eq!(lines, expected);
    }

    #[test]
    fn that_nobody_leads_is_told_with_what_it_means() {
        let none = as_text(&crew(&[], None), 0);
        assert_eq!(
            none,
            "nobody leads: no host is running, so nothing is done; `stokehold run` starts one\n"
        );
        let waiting = as_text(&crew(&[("a", 1)], None), 0);
        assert!(waiting.contains("nothing new is planned"), "{waiting}");
        let former = as_text(&crew(&[("a", 0), ("b", 2)], Some("a")), 0);
        assert!(former.starts_with("nobody leads (a did, and ended without a word;"), "{former}");
        assert!(former.contains("b is ready to lead"), "{former}");
    }

    #[test]
    fn a_leader_without_an_entry_of_its_own_leads_all_the_same() {
        let crew = crew(&[], Some("a"));
        assert!(as_text(&crew, 0).starts_with("a leads since revision 7, which has not told"));
        assert_eq!(as_json(&crew)["leader"], json!({"id": "a", "since_revision": 7}));
    }

    #[test]
    fn as_json_every_host_is_listed_once_and_a_dead_leader_does_not_lead() {
        let told = as_json(&crew(&[("a", 1), ("b", 2)], Some("b")));
        assert_eq!(told["leader"]["id"], "b");
        assert_eq!(told["leader"]["pid"], 2);
        assert_eq!(told["hosts"][0]["leads"], false);
        assert_eq!(told["hosts"][1]["leads"], true);
        let told = as_json(&crew(&[("a", 0)], Some("a")));
        assert_eq!(told["leader"], Json::Null);
        assert_eq!(
            (&told["hosts"][0]["alive"], &told["hosts"][0]["leads"]),
            (&json!(false), &json!(false))
        );
    }

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (ms, expected) in [
            (0, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min 0 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(span(ms), expected);
        }
    }
}
