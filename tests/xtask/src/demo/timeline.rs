//! What happens, as it happens, a line each.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::{about, short};

/// The clock, and what was told already.
pub(super) struct Timeline {
    begun: Instant,
    told: BTreeSet<String>,
}

impl Timeline {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), told: BTreeSet::new() }
    }

    /// The line for a change; `None` where nothing new happened.
    pub(super) fn tell(&mut self, change: &Value) -> Option<String> {
        let (what, who, how) = line(change)?;
        let line = format!("{what:<10} {who}  {how}");
        // A job that comes back to its place, as it does while Heat works, is told once.
        let again = what == "job" && !self.told.insert(line.clone());
        let seconds = self.begun.elapsed().as_secs_f32();
        (!again).then(|| format!("{seconds:6.2} s  {}", line.trim_end()))
    }
}

fn line(change: &Value) -> Option<(&'static str, String, String)> {
    let key = change["key"].as_str()?;
    let put = change["action"] == "put";
    let value = &change["value"];
    let text = |field: &str| value[field].as_str().unwrap_or("").to_owned();
    let id = || short(key.rsplit('/').next().unwrap_or(key));
    let (family, rest) = key.strip_prefix('/')?.split_once('/')?;
    let of = || about(Path::new(rest));
    let told = match (family, rest.split('/').next()?, put) {
        ("config", _, true) => ("config", of(), format!("version {}", value["version"])),
        ("jobs", "all", true) if value[2] == 0 => ("job", id(), waits_for(&value[1])),
        ("jobs", "all", true) => ("job", id(), format!("failed try {}", value[2])),
        ("jobs", "all", false) => ("job", id(), "finished".to_owned()),
        ("jobs", "ready", true) => ("job", id(), "ready".to_owned()),
        ("jobs", "working", true) => ("job", id(), "working".to_owned()),
        ("esi-worker", "heat_stacks", true) => ("stack", of(), text("stack_status")),
        ("esi-worker", "job_state", true) => {
            let fields: Vec<_> = value.as_object()?.keys().map(String::as_str).collect();
            if fields.is_empty() {
                return None;
            }
            ("reported", of(), fields.join(", "))
        }
        ("state", _, true) => {
            let word = value.pointer("/state/worker_state").and_then(Value::as_str).unwrap_or("");
            let error = text("error");
            ("state", of(), format!("version {} {word} {error}", value["version"]))
        }
        ("monitoring", _, true) => {
            let objects = value.as_object()?.iter().filter(|(name, _)| *name != "version");
            let objects = objects.map(|(name, up)| format!("{name} {}", up.as_str().unwrap_or("")));
            ("monitoring", of(), objects.collect::<Vec<_>>().join(", "))
        }
        _ => return None,
    };
    Some(told)
}

fn waits_for(job: &Value) -> String {
    let before = job["dependency"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let before: Vec<_> = before.map(short).collect();
    if before.is_empty() {
        return "posted".to_owned();
    }
    format!("posted, waits for {}", before.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(timeline: &mut Timeline, key: &str, value: &Value) -> Option<String> {
        let action = if value.is_null() { "delete" } else { "put" };
        let line = timeline.tell(&json!({"key": key, "action": action, "value": value}))?;
        line.split_once(" s  ").map(|(_, rest)| rest.to_owned())
    }

    #[test]
    fn changes_are_told_in_words_and_a_place_of_a_job_once() {
        let mut timeline = Timeline::begin();
        let job = "create:heat_worker:port:a7-b:1:xxxxx";
        let all = format!("/jobs/all/{job}");
        let cases = [
            (
                "/config/v2.0/ports/a7-b",
                json!({"version": 1}),
                Some("config     port:a7  version 1"),
            ),
            (
                &all,
                json!(["heat_worker", {"dependency": ["create:h:net:n-1:1:yyyyy"]}, 0]),
                Some("job        create:heat_worker:port:a7:1  posted, waits for create:h:net:n:1"),
            ),
            (
                &format!("/jobs/ready/{job}"),
                json!("h"),
                Some("job        create:heat_worker:port:a7:1  ready"),
            ),
            (&format!("/jobs/ready/{job}"), Value::Null, None),
            (&format!("/jobs/ready/{job}"), json!("h"), None),
            (&all, Value::Null, Some("job        create:heat_worker:port:a7:1  finished")),
            ("/esi-worker/job_state/v2.0/ports/a7-b", json!({}), None),
            (
                "/state/v2.0/ports/a7-b",
                json!({"version": 2, "error": "", "state": {"worker_state": "READ_COMPLETE"}}),
                Some("state      port:a7  version 2 READ_COMPLETE"),
            ),
            (
                "/monitoring/v2.0/ports/a7-b",
                json!({"version": 2, "vmi": "UP"}),
                Some("monitoring port:a7  vmi UP"),
            ),
        ];
        for (key, value, expected) in cases {
            assert_eq!(told(&mut timeline, key, &value).as_deref(), expected, "{key}");
        }
    }
}
