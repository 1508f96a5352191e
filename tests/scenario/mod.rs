//! Our own scenarios: every folder under `tests/scenarios` is one. See the README there.

mod script;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use heat_simulator::Pace;
use serde_json::{Map, Value as Json, json};
use stokehold_tests::example::put_templates;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World, parse};

/// What a finished scenario is judged by.
const FAMILIES: [&str; 5] =
    ["/state/", "/esi-worker/", "/monitoring/", "/stokehold/monitored/", "/jobs/"];

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_ends_as_expected() -> Result<()> {
    let mut folders: Vec<_> = std::fs::read_dir(paths::root().join("tests/scenarios"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("script.json").exists())
        .collect();
    folders.sort();
    ensure!(!folders.is_empty(), "there are no scenarios");
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let mut failures = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains(&only) {
            continue;
        }
        match play(&folder).await {
            Ok(()) => println!("scenario {name}: ok"),
            Err(error) => failures.push(format!("scenario {name}: {error:#}")),
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

async fn play(folder: &Path) -> Result<()> {
    let script = std::fs::read_to_string(folder.join("script.json"))?;
    let script: script::Script =
        serde_json::from_str(&script).context("cannot read script.json")?;
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut setup = Setup::new(schemas)?;
    setup.pace.attempts_max = script.attempts_max.unwrap_or(setup.pace.attempts_max);
    setup.heat.pace = Pace::even(Duration::from_millis(script.heat_ms));
    let mut world = World::start(setup).await?;
    put_templates(&world).await?;
    for (place, step) in script.steps.iter().enumerate() {
        let what = || format!("step {} ({step:?})", place + 1);
        script::perform(&mut world, step).await.with_context(what)?;
    }
    let outcome = outcome(&world).await?;
    world.stop_host().await?;
    judge(&folder.join("expected.json"), &outcome)
}

/// What is left in the store, and every job in the order in which it was posted.
async fn outcome(world: &World) -> Result<Json> {
    let mut left = Map::new();
    for family in FAMILIES {
        left.extend(world.all(family).await?.into_iter().map(|(key, value)| (key, held(value))));
    }
    let mut jobs: Vec<String> = Vec::new();
    for event in world.history().await? {
        if let (Some(id), Some(value)) = (event.key.strip_prefix("/jobs/all/"), &event.value) {
            let waits_for = parse(value)[1]["dependency"].clone();
            let mut waits_for: Vec<String> = waits_for
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|id| Some(without_suffix(id.as_str()?)))
                .collect();
            waits_for.sort();
            let line = format!("{} <- [{}]", without_suffix(id), waits_for.join(", "));
            if !jobs.contains(&line) {
                jobs.push(line);
            }
        }
    }
    Ok(anonymous(&json!({"jobs": jobs, "left": left})))
}

fn without_suffix(id: &str) -> String {
    id.rsplit_once(':').map_or(id, |(id, _)| id).to_owned()
}

/// Texts that hold JSON lists or objects, by what they hold; outputs by their key, as Heat orders them freely.
fn held(value: Json) -> Json {
    match value {
        Json::String(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(&text).map_or(Json::String(text), held)
        }
        Json::Array(items) => {
            let mut items: Vec<Json> = items.into_iter().map(held).collect();
            items.sort_by_key(|item| item["output_key"].as_str().map(str::to_owned));
            Json::Array(items)
        }
        Json::Object(fields) => fields.into_iter().map(|(k, v)| (k, held(v))).collect(),
        other => other,
    }
}

/// Ids that Heat drew by lot are told by their order of appearance. Ids of the scenarios are words, not UUIDs.
fn anonymous(value: &Json) -> Json {
    let text = value.to_string();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        if let Some(uuid) = rest.get(..36).filter(|text| is_uuid(text)) {
            let next = format!("<uuid {}>", names.len() + 1);
            out.push_str(names.entry(uuid.to_owned()).or_insert(next));
            rest = rest.get(36..).unwrap_or_default();
        } else {
            let mut chars = rest.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
    }
    serde_json::from_str(&out).unwrap_or_else(|_| value.clone())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A stored value by what it means, whatever Heat drew by lot.
pub(crate) fn plain(value: Json) -> Json {
    anonymous(&held(value))
}

/// Compares with the expectation; `UPDATE=1` writes it anew.
fn judge(path: &Path, outcome: &Json) -> Result<()> {
    let text = format!("{}\n", serde_json::to_string_pretty(outcome)?);
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::write(path, text)?;
        return Ok(());
    }
    let expected = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {} (UPDATE=1 writes it)", path.display()))?;
    if expected == text {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, came) = (lines(&expected), lines(&text));
    let missing = expected.iter().filter(|line| !came.contains(line)).map(|l| format!("- {l}"));
    let surplus = came.iter().filter(|line| !expected.contains(line)).map(|l| format!("+ {l}"));
    let differences: Vec<String> = missing.chain(surplus).collect();
    anyhow::bail!("it ended otherwise (UPDATE=1 accepts it):\n{}", differences.join("\n"))
}
