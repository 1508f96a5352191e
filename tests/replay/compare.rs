//! Recorded and done, compared by what they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use heat_simulator::Recorded;
use serde_json::{Map, Value as Json, json};
use stokehold::domain::{Kind, Schemas};

use super::recording::{Recording, text};

type Writes = BTreeMap<String, Vec<Option<Json>>>;

/// How much of the recording came out the same.
#[derive(Default)]
pub(super) struct Tally {
    counts: BTreeMap<&'static str, (usize, usize)>,
    differences: Vec<String>,
}

impl Tally {
    fn compare(&mut self, what: &'static str, name: &str, recorded: &Json, done: Option<&Json>) {
        let (same, all) = self.counts.entry(what).or_default();
        *all += 1;
        match done {
            Some(done) if done == recorded => *same += 1,
            Some(done) => self.differences.push(format!("{what} {name}:\n  {recorded}\n  {done}")),
            None => self.differences.push(format!("{what} {name} did not come:\n  {recorded}")),
        }
    }

    fn surplus(&mut self, what: &'static str, recorded: usize, done: usize) {
        if done > recorded {
            self.differences.push(format!("{what}: {recorded} recorded, {done} done"));
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.differences.is_empty()
            && self.counts.values().all(|(same, all)| same == all && *all > 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, (same, all)) in &self.counts {
            writeln!(f, "{same} of {all} {what}")?;
        }
        self.differences.iter().try_for_each(|difference| writeln!(f, "{difference}"))
    }
}

/// A job id without its last five characters, which differ from run to run in the original.
pub(crate) fn without_suffix(id: &str) -> String {
    id.rsplit_once(':').map_or(id, |(id, _)| id).to_owned()
}

pub(super) fn jobs(tally: &mut Tally, recording: &Recording, done: &[Json]) {
    tally.surplus("jobs", recording.jobs.len(), done.len());
    let done: BTreeMap<String, Json> =
        done.iter().map(|job| (without_suffix(&text(&job[1], "id")), job.clone())).collect();
    for recorded in &recording.jobs {
        let id = without_suffix(&text(&recorded[1], "id"));
        let (mut recorded, mut done) = (job(recorded), done.get(&id).map(job));
        // When the two first port jobs were planned, the gateway's config came in the same second.
        if id.starts_with("create:heat_worker:port:") {
            for job in [Some(&mut recorded), done.as_mut()].into_iter().flatten() {
                if let Some(params) = job[1]["params"].as_object_mut() {
                    params.remove("jinja_force_dependency_cfg");
                }
            }
        }
        tally.compare("jobs", &id, &recorded, done.as_ref());
    }
}

/// A posted job with all that has no order in one order.
fn job(posted: &Json) -> Json {
    let mut body = posted[1].clone();
    body["id"] = Json::String(without_suffix(&text(&body, "id")));
    let dependencies = body["dependency"].as_array().cloned().unwrap_or_default();
    let dependencies: BTreeSet<String> =
        dependencies.iter().filter_map(Json::as_str).map(without_suffix).collect();
    body["dependency"] = json!(dependencies);
    let params = body["params"].as_array().cloned().unwrap_or_default();
    let params: Map<String, Json> =
        params.iter().map(|param| (text(param, "param"), with_resource_set(param))).collect();
    body["params"] = Json::Object(params);
    json!([posted[0], body, posted[2]])
}

fn with_resource_set(param: &Json) -> Json {
    let mut param = param.clone();
    let resources: BTreeSet<String> =
        param["resources"].as_array().into_iter().flatten().map(Json::to_string).collect();
    param["resources"] = json!(resources);
    if param["type"] == "list"
        && let Some(items) = param["value"].as_array()
    {
        param["value"] = items.iter().map(with_resource_set).collect();
    }
    param
}

pub(super) fn requests(tally: &mut Tally, recording: &Recording, done: &[Recorded]) -> Result<()> {
    let writes: Vec<&Recorded> = done
        .iter()
        .filter(|request| request.method == "POST" || request.method == "PUT")
        .filter(|request| request.path.contains("/stacks"))
        // A PUT by name is answered by a redirect; the one by name and id counts.
        .filter(|request| request.method == "POST" || request.path.split('/').count() == 6)
        .collect();
    tally.surplus("heat requests", recording.requests.len(), writes.len());
    for recorded in &recording.requests {
        let (method, name) = (text(recorded, "method"), text(recorded, "stack_name"));
        let found = writes.iter().find(|request| {
            request.method == method
                && (request.body["stack_name"] == *name
                    || request.path.split('/').nth(4) == Some(name.as_str()))
        });
        let timeout_mins = recorded["timeout_mins"].as_u64();
        let wanted = json!({
            "template": yaml(&text(recorded, "template"))?,
            "parameters": recorded["parameters"],
            "timeout_mins": timeout_mins.unwrap_or_else(|| timeout(recording, recorded)),
        });
        let sent = match found.map(|request| &request.body) {
            Some(body) => Some(json!({
                "template": yaml(&text(body, "template"))?,
                "parameters": body["parameters"],
                "timeout_mins": body["timeout_mins"],
            })),
            None => None,
        };
        tally.compare("heat requests", &format!("{method} {name}"), &wanted, sent.as_ref());
    }
    Ok(())
}

/// The recording's logs do not show every timeout; the job's own `heat_timeout` says it, or it is the default.
fn timeout(recording: &Recording, request: &Json) -> u64 {
    let job = recording.jobs.iter().find(|job| job[1]["id"] == request["job_id"]);
    let params = job.and_then(|job| job[1]["params"].as_array()).into_iter().flatten();
    let param = params.into_iter().find(|param| param["param"] == "heat_timeout");
    param.and_then(|param| param["value"].as_str()?.parse().ok()).unwrap_or(10)
}

fn yaml(text: &str) -> Result<Json> {
    Ok(serde_yaml_ng::from_str(text)?)
}

/// A family of keys, and what of its values counts.
pub(super) struct Family {
    pub(super) what: &'static str,
    pub(super) prefix: &'static str,
    pub(super) meaning: fn(&Json) -> Json,
}

/// Compares every recorded write of a family, key by key and in order; no other key may have been written.
pub(super) fn writes(tally: &mut Tally, family: &Family, recorded: &Writes, done: &Writes) {
    let Family { what, prefix, meaning } = *family;
    no_others(tally, what, prefix, recorded.keys(), done);
    for (key, values) in recorded {
        let mut mine = done.get(key).into_iter().flatten();
        let mine: Vec<Option<Json>> =
            mine.by_ref().map(|value| value.as_ref().map(meaning)).collect();
        tally.surplus(what, values.len(), mine.len());
        for (place, value) in values.iter().enumerate() {
            let wanted = value.as_ref().map_or(Json::Null, meaning);
            let came = mine.get(place).map(|value| value.clone().unwrap_or(Json::Null));
            tally.compare(what, &format!("{key} #{place}"), &wanted, came.as_ref());
        }
    }
}

/// That nothing of a family was written but under these keys.
pub(super) fn no_others<'a>(
    tally: &mut Tally,
    what: &str,
    prefix: &str,
    recorded: impl Iterator<Item = &'a String>,
    done: &Writes,
) {
    let recorded: BTreeSet<&String> = recorded.collect();
    for (key, values) in done.iter().filter(|(key, _)| key.starts_with(prefix)) {
        if !recorded.contains(key) {
            tally.differences.push(format!("{what} {key} is not recorded:\n  {values:?}"));
        }
    }
}

/// That nothing was written but what the original has families for, and our own.
pub(super) fn families(tally: &mut Tally, done: &Writes) {
    const ALL: [&str; 7] = [
        "/config/",
        "/jobs/",
        "/esi-worker/heat_stacks/",
        "/esi-worker/job_state/",
        "/state/",
        "/monitoring/",
        "/stokehold/",
    ];
    for key in done.keys().filter(|key| !ALL.iter().any(|family| key.starts_with(family))) {
        tally.differences.push(format!("{key} is of no known family"));
    }
}

/// A `/state`: texts that hold JSON by what they hold.
pub(super) fn state(value: &Json) -> Json {
    let mut value = value.clone();
    if let Some(state) = value["state"].as_object_mut() {
        for (name, field) in state.iter_mut() {
            let held = field.as_str().and_then(|text| serde_json::from_str::<Json>(text).ok());
            *field = field_of(name, &held.unwrap_or_else(|| field.clone()));
        }
    }
    value
}

/// A job state.
pub(super) fn fields(value: &Json) -> Json {
    let fields = value.as_object().cloned().unwrap_or_default();
    fields.iter().map(|(name, field)| (name.clone(), field_of(name, field))).collect()
}

fn field_of(name: &str, field: &Json) -> Json {
    if name == "heat_outputs" { outputs(field) } else { field.clone() }
}

/// A stack record.
pub(super) fn stack(value: &Json) -> Json {
    let mut value = value.clone();
    value["output"] = outputs(&value["output"]);
    value
}

/// Outputs have no order.
fn outputs(list: &Json) -> Json {
    let by_key = list.as_array().into_iter().flatten();
    by_key.map(|output| (text(output, "output_key"), output.clone())).collect()
}

pub(super) fn registrations(
    tally: &mut Tally,
    recording: &Recording,
    done: &Writes,
    schemas: &Schemas,
) {
    let mut all = 0;
    let mut by_object: BTreeMap<(String, String, u64), Json> = BTreeMap::new();
    for (key, value) in registered(done) {
        let (id, plural) = id_and_plural(key, schemas);
        for target in value["targets"].as_array().into_iter().flatten() {
            let version = value["version"].as_u64().unwrap_or_default();
            let name = text(target, "name");
            let message = json!({
                "action": "create",
                "gohan_id": id,
                "gohan_resource_type": plural,
                "name": name,
                "tenant_id": value["tenant_id"],
                "version": version,
                "properties": target["properties"],
            });
            let entry = json!({"topic": target["topic"], "message": message});
            if by_object.insert((id.clone(), name, version), entry).is_none() {
                all += 1;
            }
        }
    }
    tally.surplus("registrations", recording.messages.len(), all);
    for recorded in &recording.messages {
        let message = &recorded["message"];
        let version = message["version"].as_u64().unwrap_or_default();
        let object = (text(message, "gohan_id"), text(message, "name"), version);
        let wanted = json!({"topic": recorded["topic"], "message": message});
        let name = format!("{} {}", object.0, object.1);
        tally.compare("registrations", &name, &wanted, by_object.get(&object));
    }
}

pub(super) fn statuses(tally: &mut Tally, recording: &Recording, done: &Writes) {
    for recorded in &recording.statuses {
        let id = text(recorded, "job_id");
        let parts: Vec<&str> = id.split(':').collect();
        let [_, _, _, resource, version, _] = parts.as_slice() else { continue };
        let found = done.iter().find_map(|(key, values)| {
            let ours = key.starts_with("/state/") && key.ends_with(resource);
            let mut values = values.iter().flatten().filter(|_| ours);
            let version = version.parse::<u64>().ok()?;
            let value = values.find(|value| value["version"] == version)?;
            Some(state(value)["state"]["state_monitoring"].clone())
        });
        // Taking down reports nothing; what the state shows comes from the job that put it up again.
        if recorded["status"].is_null() {
            continue;
        }
        tally.compare("monitoring statuses", &id, &recorded["status"], found.as_ref());
    }
}

pub(super) fn mappings(tally: &mut Tally, recording: &Recording, done: &Writes) {
    let mut found: Vec<Json> = Vec::new();
    for (_, value) in registered(done) {
        for mapping in value["db_mappings"].as_array().into_iter().flatten() {
            let mut mapping = mapping.clone();
            mapping["tenant_id"] = value["tenant_id"].clone();
            if found.contains(&mapping) {
                continue;
            }
            found.push(mapping);
        }
    }
    tally.surplus("mappings", recording.mappings.len(), found.len());
    for recorded in &recording.mappings {
        let same = found.contains(recorded).then_some(recorded);
        tally.compare("mappings", &recorded.to_string(), recorded, same);
    }
}

/// Every registration ever written.
fn registered(done: &Writes) -> impl Iterator<Item = (&str, &Json)> {
    const FAMILY: &str = "/stokehold/monitored";
    let ours = done.iter().filter_map(|(key, values)| Some((key.strip_prefix(FAMILY)?, values)));
    ours.flat_map(|(key, values)| values.iter().flatten().map(move |value| (key, value)))
}

fn id_and_plural(key: &str, schemas: &Schemas) -> (String, String) {
    let (prefix, id) = key.rsplit_once('/').unwrap_or_default();
    let kind: Option<&Kind> = schemas.kind_at(prefix);
    let plural = kind.and_then(|kind| schemas.get(kind)).map(|schema| schema.plural.clone());
    (id.to_owned(), plural.unwrap_or_default())
}

#[test]
fn a_key_that_the_original_never_wrote_is_a_difference() {
    let write = |key: &str| (key.to_owned(), vec![Some(json!({}))]);
    let done: Writes = [write("/state/a"), write("/state/b"), write("/stray/c")].into();
    let recorded = ["/state/a".to_owned()];
    let mut tally = Tally::default();
    no_others(&mut tally, "states", "/state/", recorded.iter(), &done);
    families(&mut tally, &done);
    let [state, stray] = &tally.differences[..] else { panic!("{tally}") };
    assert!(state.starts_with("states /state/b is not recorded"), "{state}");
    assert_eq!(stray, "/stray/c is of no known family");
}
