//! What the original system stored for the port's second version, and whether it is what was stored
//! here.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// Every change of the store, in order.
#[derive(Default)]
pub(super) struct Record(Vec<Value>);

impl Record {
    pub(super) fn keep(&mut self, change: Value) {
        self.0.push(change);
    }

    /// Whether the key has had a value of that kind.
    pub(super) fn has(&self, key: &str, wanted: impl Fn(&Value) -> bool) -> bool {
        self.values(key).any(wanted)
    }

    fn values<'a>(&'a self, key: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
        values(&self.0, key)
    }

    /// The changes from the first on that gives the key a value of that kind; none if there is none.
    fn since(&self, key: &str, wanted: impl Fn(&Value) -> bool) -> &[Value] {
        let first =
            self.0.iter().position(|change| change["key"] == key && wanted(&change["value"]));
        first.and_then(|first| self.0.get(first..)).unwrap_or_default()
    }

    /// The first values of the keys that begin so.
    pub(super) fn first_of(&self, prefix: &str) -> Vec<&Value> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for change in self.0.iter().filter(|change| change["action"] == "put") {
            let key = change["key"].as_str().unwrap_or("");
            if key.starts_with(prefix) && seen.insert(key) {
                found.push(change);
            }
        }
        found
    }
}

/// What a key was set to, in order.
fn values<'a>(changes: &'a [Value], key: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
    let puts = changes.iter().filter(move |change| change["key"] == key);
    puts.map(|change| &change["value"]).filter(|value| !value.is_null())
}

/// One point of the page.
pub(super) struct Point {
    number: u8,
    what: &'static str,
    stored: Value,
    /// What is not as expected; empty when all is.
    pub(super) differences: Vec<String>,
}

impl Point {
    /// `normal` is what was stored, in the form that is compared.
    fn new(number: u8, what: &'static str, stored: &Value, normal: &Value, wanted: &Value) -> Self {
        let mut differences = Vec::new();
        compare("", wanted, normal, &mut differences);
        Self { number, what, stored: stored.clone(), differences }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.differences.is_empty() { "ok" } else { "differs" };
        writeln!(f, "({}) {}: {verdict}", self.number, self.what)?;
        write!(f, "{:#}", self.stored)?;
        for difference in &self.differences {
            write!(f, "\n    differs: {difference}")?;
        }
        Ok(())
    }
}

/// All points, each with what differs.
///
/// # Errors
/// The expectations cannot be read.
pub(super) fn check(record: &Record, expected: &Path) -> Result<Vec<Point>> {
    let text = std::fs::read_to_string(expected);
    let text = text.with_context(|| format!("cannot read {}", expected.display()))?;
    let expected: Value = serde_json::from_str(&text).context("cannot read the expectations")?;
    Ok(points(record, &expected))
}

fn points(record: &Record, expected: &Value) -> Vec<Point> {
    let port = "/v2.0/ports/a778c668-6ccb-4d46-9ec3-956693262d63";
    let version_2 = |value: &Value| *at(value, "/version") == 2;
    // Neither a stack nor a job state says which version it is of: what came before is the first one's.
    let changes = record.since(&format!("/config{port}"), version_2);
    let last = |family: &str, wanted: &dyn Fn(&Value) -> bool| {
        let key = format!("{family}{port}");
        values(changes, &key).rev().find(|value| wanted(value)).cloned().unwrap_or_default()
    };
    let job_state = |fields: &[&str]| {
        last("/esi-worker/job_state", &|value| {
            value.as_object().is_some_and(|map| map.keys().eq(fields))
        })
    };
    let wanted = |pointer: &str| at(expected, pointer).clone();
    // The outputs are the same wherever they are shown, so they are written down once.
    let outputs = by_field(at(expected, "/outputs"), "output_key");
    let with_outputs = |pointer: &str, field: &str| {
        let mut wanted = wanted(pointer);
        set(&mut wanted, field, outputs.clone());
        wanted
    };

    let config = last("/config", &version_2);
    let normal = decoded(&config, &["body"]);
    let mut points = vec![Point::new(1, "config", &config, &normal, &wanted("/config"))];

    let id = at(expected, "/config/body/id");
    let jobs = record.first_of("/jobs/all/").into_iter().map(|change| at(change, "/value"));
    let ours = |entry: &Value| at(entry, "/1/resource_id") == id && *at(entry, "/1/version") == 2;
    let jobs: Vec<_> = jobs.filter(|entry| ours(entry)).cloned().collect();
    let normal: Vec<_> = jobs.iter().map(normal_job).collect();
    let mut three = wanted("/jobs");
    for job in three.as_array_mut().into_iter().flatten() {
        let before = as_set(at(job, "/dependency"));
        set(job, "dependency", before);
        set(job, "resource_input", wanted("/config/body"));
    }
    points.push(Point::new(2, "jobs, in order", &json!(jobs), &json!(normal), &three));

    let stack = last("/esi-worker/heat_stacks", &|_| true);
    let normal = keyed(&stack, "output");
    points.push(Point::new(3, "stack", &stack, &normal, &with_outputs("/stack", "output")));
    let steps = [
        (4, "reported by heat_worker", &["heat_outputs"][..], "/job_state_of_heat_worker"),
        (
            5,
            "reported by monitoring_worker, too",
            &["heat_outputs", "state_monitoring"][..],
            "/job_state_of_monitoring_worker",
        ),
    ];
    for (number, what, fields, pointer) in steps {
        let reported = job_state(fields);
        let normal = keyed(&reported, "heat_outputs");
        let wanted = with_outputs(pointer, "heat_outputs");
        points.push(Point::new(number, what, &reported, &normal, &wanted));
    }

    let state = last("/state", &version_2);
    let fields = decoded(at(&state, "/state"), &["heat_outputs", "state_monitoring"]);
    let mut normal = state.clone();
    set(&mut normal, "state", keyed(&fields, "heat_outputs"));
    let mut whole = wanted("/state");
    set(&mut whole, "state", with_outputs("/state/state", "heat_outputs"));
    points.push(Point::new(6, "state", &state, &normal, &whole));
    let monitoring = last("/monitoring", &version_2);
    points.push(Point::new(7, "monitoring", &monitoring, &monitoring, &wanted("/monitoring")));
    points
}

/// What is at a place; null where nothing is.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Sets a field of an object; whatever is no object stays as it is.
fn set(value: &mut Value, field: &str, new: Value) {
    if let Value::Object(map) = value {
        map.insert(field.to_owned(), new);
    }
}

/// A job entry without what is free: the ends of ids, the order of sets, how often a resource is
/// named.
fn normal_job(entry: &Value) -> Value {
    let mut job = at(entry, "/1").clone();
    if at(entry, "/0") != at(&job, "/handler") || *at(entry, "/2") != 0 {
        return json!({"entry": entry});
    }
    let without_end = |id: &Value| {
        let id = id.as_str().and_then(|id| id.rsplit_once(':'));
        json!(id.map(|(id, end)| if end.len() == 5 { id } else { "an id with an odd end" }))
    };
    let id = without_end(at(&job, "/id"));
    let before: Value =
        at(&job, "/dependency").as_array().into_iter().flatten().map(without_end).collect();
    let mut params = Map::new();
    for param in at(&job, "/params").as_array().into_iter().flatten() {
        let mut param = param.clone();
        let resources = as_set(at(&param, "/resources"));
        set(&mut param, "resources", resources);
        let name = param.as_object_mut().and_then(|map| map.remove("param"));
        params.insert(name.as_ref().and_then(Value::as_str).unwrap_or("").to_owned(), param);
    }
    set(&mut job, "id", id);
    set(&mut job, "dependency", as_set(&before));
    set(&mut job, "params", Value::Object(params));
    job
}

/// A list in one order, each element once.
fn as_set(list: &Value) -> Value {
    let mut items: Vec<_> = list.as_array().cloned().unwrap_or_default();
    items.sort_by_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

/// A list of objects as one object, by one of their fields.
fn by_field(list: &Value, field: &str) -> Value {
    let items = list.as_array().into_iter().flatten();
    let name = |item: &Value| item.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
    Value::Object(items.map(|item| (name(item), item.clone())).collect())
}

/// With the list of outputs in that field by their keys.
fn keyed(value: &Value, field: &str) -> Value {
    let mut keyed = value.clone();
    if let Some(list @ Value::Array(_)) = value.get(field) {
        set(&mut keyed, field, by_field(list, "output_key"));
    }
    keyed
}

/// With what the texts in those fields say, where they say JSON.
fn decoded(value: &Value, fields: &[&str]) -> Value {
    let mut decoded = value.clone();
    for field in fields {
        let text = value.get(*field).and_then(Value::as_str);
        if let Some(said) = text.and_then(|text| serde_json::from_str(text).ok()) {
            set(&mut decoded, field, said);
        }
    }
    decoded
}

/// Every place at which two values differ.
fn compare(at: &str, wanted: &Value, found: &Value, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let keys: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
            for key in keys {
                let of = |map: &Map<String, Value>| map.get(key).cloned();
                let place = format!("{at}.{key}");
                match (of(wanted), of(found)) {
                    (Some(wanted), Some(found)) => compare(&place, &wanted, &found, differences),
                    (Some(_), None) => differences.push(format!("{place} is missing")),
                    (None, _) => differences.push(format!("{place} is not expected")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (nth, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{at}[{nth}]"), wanted, found, differences);
            }
        }
        _ if wanted == found => {}
        _ => differences.push(format!("{at} is {found}, expected {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    fn said(wanted: &Value, found: &Value) -> Vec<String> {
        let mut differences = Vec::new();
        compare("", wanted, found, &mut differences);
        differences
    }

    #[test]
    fn every_difference_is_named_by_its_place() {
        let wanted = json!({"a": {"b": [1, 2]}, "c": 1, "d": 1});
        let found = json!({"a": {"b": [1, 3]}, "c": 1, "e": 1});
        let expected = [".a.b[1] is 3, expected 2", ".d is missing", ".e is not expected"];
        assert_eq!(said(&wanted, &found), expected);
        assert_eq!(said(&json!([1]), &json!([])), [" is [], expected [1]"]);
        assert_eq!(said(&json!({"a": 1}), &Value::Null), [" is null, expected {\"a\":1}"]);
    }

    #[test]
    fn a_job_is_compared_without_what_is_free() {
        let job = |id: &str, before: &[&str], resources: Value| {
            json!(["h", {
                "handler": "h", "id": id, "dependency": before,
                "params": [{"param": "p", "value": 1, "resources": resources}],
            }, 0])
        };
        let one = job("a:h:abcde", &["x:11111", "y:22222"], json!([{"id": 1}, {"id": 1}]));
        let two = job("a:h:fghij", &["y:33333", "x:44444"], json!([{"id": 1}]));
        assert_eq!(normal_job(&one), normal_job(&two));
        let three = job("a:h:fghij", &["x:44444"], json!([{"id": 1}]));
        assert_ne!(normal_job(&one), normal_job(&three));
        let mut four = two.clone();
        four[2] = json!(1);
        assert_ne!(normal_job(&four), normal_job(&two));
    }

    fn expected() -> Value {
        json!({"config": {"body": {"id": "1"}}, "jobs": [{}], "outputs": [], "stack": {},
            "job_state_of_heat_worker": {}, "job_state_of_monitoring_worker": {},
            "state": {"state": {}}, "monitoring": {"version": 2}})
    }

    #[test]
    fn what_the_first_version_reported_is_not_taken_for_the_second_ones() {
        let change = |family: &str, value: Value| {
            let port = "/v2.0/ports/a778c668-6ccb-4d46-9ec3-956693262d63";
            json!({"action": "put", "key": format!("{family}{port}"), "value": value})
        };
        let config = |version: u64| change("/config", json!({"version": version}));
        let reported = change("/esi-worker/job_state", json!({"heat_outputs": []}));
        let holds = |changes: &[&Value]| {
            let record = Record(changes.iter().copied().cloned().collect());
            points(&record, &expected())[3].differences.is_empty()
        };
        assert!(!holds(&[&config(1), &reported, &config(2)]));
        assert!(holds(&[&config(1), &config(2), &reported]));
    }

    #[test]
    fn an_empty_record_differs_at_every_point() {
        let expected = expected();
        let points = points(&Record::default(), &expected);
        assert_eq!(points.len(), 7);
        assert!(points.iter().all(|point| !point.differences.is_empty()));
    }
}
