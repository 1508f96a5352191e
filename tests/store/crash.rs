//! What a killed process leaves: every acknowledged transaction whole, no other in part.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use stokehold_tests::random::Random;

use stokehold::store::{KeyValue, Store};

use super::place::{Folder, Place, revision, shown};
use super::processes::Process;

const ROUNDS: usize = 12;
const TASKS: usize = 4;
const PARTS: usize = 4;

/// Round, task, transaction → the revision that was acknowledged.
pub type Acknowledged = BTreeMap<(usize, usize, u64), u64>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_leaves_whole_transactions() {
    let seed = Random::seed();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let place = Folder::new().await;
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        let kill_after = 1 + random.below(200);
        hammer_and_kill(&place, round, kill_after, &mut acknowledged);
        let store = place.open().await;
        let entries = list_all(&*store).await;
        transactions_are_whole(&entries, &acknowledged);
        history_makes_the_listing(&store, &entries, 0).await;
    }
    assert!(acknowledged.len() >= ROUNDS);
}

/// Lets a process commit from several tasks, and kills it after some acknowledgements.
fn hammer_and_kill(
    place: &Folder,
    round: usize,
    kill_after: usize,
    acknowledged: &mut Acknowledged,
) {
    let (round, tasks) = (round.to_string(), TASKS.to_string());
    let mut process = Process::start(&["hammer", place.dir(), &round, &tasks]);
    let mut line = String::new();
    for n in 0.. {
        if n == kill_after {
            process.kill();
        }
        line.clear();
        // What was acknowledged before the end counts, though it is read after it.
        if process.output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        let words: Vec<&str> = line.trim().split([' ', '/']).collect();
        let [round, task, n, revision] = words[..] else { panic!("{line}") };
        let name = (round.parse().unwrap(), task.parse().unwrap(), n.parse().unwrap());
        acknowledged.insert(name, revision.parse().unwrap());
    }
    assert!(!process.ended_well(), "it was killed");
}

pub async fn list_all(store: &dyn Store) -> Vec<KeyValue> {
    let mut entries: Vec<KeyValue> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.key.clone());
        let page = store.list("/", after.as_deref(), 5_000).await.unwrap();
        entries.extend(page.entries);
        if !page.more {
            return entries;
        }
    }
}

pub fn transactions_are_whole(entries: &[KeyValue], acknowledged: &Acknowledged) {
    let mut found: BTreeMap<(usize, usize, u64), Vec<&KeyValue>> = BTreeMap::new();
    let mut last: BTreeMap<(usize, usize), &KeyValue> = BTreeMap::new();
    for entry in entries {
        let words: Vec<&str> = entry.key.split('/').skip(1).collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        match words[0] {
            "t" => {
                let n = words[3].parse().unwrap();
                found.entry((number(1), number(2), n)).or_default().push(entry);
            }
            "last" => drop(last.insert((number(1), number(2)), entry)),
            other => panic!("{other}"),
        }
    }
    for (name, revision) in acknowledged {
        let parts = found.get(name).unwrap_or_else(|| panic!("{name:?} was acknowledged"));
        assert_eq!(parts[0].modified, *revision, "{name:?}");
    }
    for (name, parts) in &found {
        assert_eq!(parts.len(), PARTS, "{name:?} is whole");
        let value = format!("{:08}", name.2).repeat(100);
        assert!(parts.iter().all(|part| part.value == value.as_bytes()));
        assert!(parts.iter().all(|part| part.created == parts[0].modified));
        assert!(parts.iter().all(|part| part.modified == parts[0].modified));
    }
    for ((round, task), newest) in last {
        let of_task = found.range((round, task, 0)..=(round, task, u64::MAX));
        let (numbers, parts): (Vec<u64>, Vec<_>) =
            of_task.map(|(name, parts)| (name.2, parts)).unzip();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "none is left out");
        let final_part = parts.last().unwrap()[0];
        assert_eq!((newest.modified, &newest.value), (final_part.modified, &final_part.value));
    }
}

pub async fn history_makes_the_listing(store: &Arc<dyn Store>, entries: &[KeyValue], base: u64) {
    let end = revision(&**store).await;
    let mut watch = store.watch(&["/"], base).await.unwrap();
    let events = shown(&mut *watch, end).await;
    let mut expected = base;
    for of_revision in events.chunk_by(|a, b| a.revision == b.revision) {
        expected += 1;
        assert_eq!(of_revision[0].revision, expected, "every revision is a transaction");
        assert_eq!(of_revision.len(), PARTS + 1, "and a whole one");
    }
    assert_eq!(expected, end);
    let mut replayed = BTreeMap::new();
    for event in events {
        let value = event.value.expect("nothing was removed");
        replayed.insert(event.key, (value, event.created, event.revision));
    }
    let listed = entries
        .iter()
        .map(|entry| (entry.key.clone(), (entry.value.clone(), entry.created, entry.modified)));
    assert!(replayed == listed.collect(), "the history makes the listing");
}
