//! The recording's files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value as Json;

/// One recorded event that drives the replay.
pub(crate) enum Line {
    Config { key: String, value: Option<Json> },
    Job { id: String },
    Stack { key: String, value: Json },
    State { key: String, version: u64 },
}

/// Everything recorded.
pub(crate) struct Recording {
    pub(crate) schemas: Vec<u8>,
    /// What drives the replay, in etcd's order.
    pub(crate) timeline: Vec<Line>,
    pub(crate) jobs: Vec<Json>,
    pub(crate) requests: Vec<Json>,
    /// Key → its values, one after the other.
    pub(crate) states: BTreeMap<String, Vec<Option<Json>>>,
    pub(crate) stacks: BTreeMap<String, Vec<Option<Json>>>,
    pub(crate) job_states: BTreeMap<String, Vec<Option<Json>>>,
    pub(crate) monitoring: BTreeMap<String, Vec<Option<Json>>>,
    pub(crate) messages: Vec<Json>,
    pub(crate) statuses: Vec<Json>,
    pub(crate) mappings: Vec<Json>,
}

impl Recording {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let lines = |file: &str| -> Result<Vec<Json>> {
            let path = folder.join(format!("{file}.jsonl"));
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let values = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
            values.with_context(|| format!("cannot read {}", path.display()))
        };
        let (configs, jobs) = (lines("config")?, lines("jobs")?);
        let (stacks, states) = (lines("heat_stacks")?, lines("state")?);
        let mut timeline = Vec::new();
        let mut add = |line: &Json, event: Line| {
            timeline.push((line["index"].as_u64().unwrap_or_default(), event));
        };
        for line in &configs {
            let value = (line["action"] == "put").then(|| line["value"].clone());
            add(line, Line::Config { key: text(line, "key"), value });
        }
        for line in &jobs {
            add(line, Line::Job { id: text(&line["value"][1], "id") });
        }
        for line in stacks.iter().filter(|line| line["action"] == "put") {
            add(line, Line::Stack { key: text(line, "key"), value: line["value"].clone() });
        }
        for line in states.iter().filter(|line| line["action"] == "put") {
            let version = line["value"]["version"].as_u64().unwrap_or_default();
            add(line, Line::State { key: text(line, "key"), version });
        }
        timeline.sort_by_key(|(index, _)| *index);
        let schemas = folder.join("schemas.json");
        Ok(Self {
            schemas: std::fs::read(&schemas)
                .with_context(|| format!("cannot read {}", schemas.display()))?,
            timeline: timeline.into_iter().map(|(_, event)| event).collect(),
            jobs: jobs.into_iter().map(|line| line["value"].clone()).collect(),
            requests: lines("heat_requests")?,
            states: by_key(&states),
            stacks: by_key(&stacks),
            job_states: by_key(&lines("job_state")?),
            monitoring: by_key(&lines("monitoring")?),
            messages: lines("monitoring_messages")?,
            statuses: lines("monitoring_status")?,
            mappings: lines("resource_mappings")?,
        })
    }
}

fn by_key(lines: &[Json]) -> BTreeMap<String, Vec<Option<Json>>> {
    let mut by_key: BTreeMap<String, Vec<Option<Json>>> = BTreeMap::new();
    for line in lines {
        let value = (line["action"] == "put").then(|| line["value"].clone());
        let values = by_key.entry(text(line, "key")).or_default();
        // The original wrote some values twice.
        if values.last() != Some(&value) {
            values.push(value);
        }
    }
    by_key
}

/// A text field; empty if it is none.
pub(crate) fn text(json: &Json, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
