//! Plugins that change while a host runs.

mod folder;
mod grants;
mod load;

use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold_tests::world::{Setup, World};

use self::folder::{Does, Folder, after, plain, plain_with_trial};
use crate::sandbox::trial::tried;

/// A type whose only handler is `handler`.
fn schemas(handler: &str) -> Result<Vec<u8>> {
    let schemas = json!({"schemas": [{
        "id": "thing",
        "plural": "things",
        "prefix": "/v2.0/things",
        "metadata": {"templates": {handler: "Cthing"}},
        "schema": {"properties": {"id": {"type": "string"}}},
    }]});
    Ok(serde_json::to_vec(&schemas)?)
}

/// A world with one host, whose directory of plugins holds these.
async fn world(folder: &Folder, change: impl FnOnce(&mut Setup)) -> Result<World> {
    let mut setup = Setup::new(schemas("plain")?)?;
    setup.handlers = folder.path();
    change(&mut setup);
    let mut world = World::without_host(setup, Role::Host)?;
    let template = json!({
        "id": "thing", "handler": "plain", "template_file": "", "parameter_mappings": {},
    });
    world.config("/v2.0/heat_templates/thing", &template, 1, false).await?;
    world.start_host().await?;
    Ok(world)
}

async fn put(world: &World, id: &str) -> Result<()> {
    let body = json!({"id": id, "tenant_id": "t1"});
    world.config(&format!("/v2.0/things/{id}"), &body, 1, false).await?;
    Ok(())
}

/// The marker of the version that completed a thing.
async fn marker(world: &World, id: &str) -> Result<String> {
    let state = world.state(&format!("/v2.0/things/{id}"), 1).await?;
    ensure!(state["error"] == "", "{state}");
    Ok(state["state"]["marker"].as_str().unwrap_or_default().to_owned())
}

/// Puts a thing and tells which version completed it.
async fn made_by(world: &World, id: &str) -> Result<String> {
    put(world, id).await?;
    marker(world, id).await
}

/// What the host tells about itself, once that is as wished.
async fn told(world: &World, what: &str, is_so: impl Fn(&Json) -> bool) -> Result<Json> {
    world
        .until(what, async || {
            let hosts = world.all("/stokehold/hosts/").await?;
            Ok(hosts.into_values().find(|host| is_so(host)))
        })
        .await
}

/// The reason why the newest version of `plain` is refused.
async fn refusal(world: &World) -> Result<String> {
    let refused = |host: &Json| host["plugins"][0]["refused"].is_string();
    let host = told(world, "a refusal", refused).await?;
    Ok(host["plugins"][0]["refused"].as_str().unwrap_or_default().to_owned())
}

/// Waits until another version is in service than the one with this digest.
async fn other_than(world: &World, digest: &Json) -> Result<Json> {
    let other = |host: &Json| {
        host["plugins"][0]["digest"].is_string() && host["plugins"][0]["digest"] != *digest
    };
    Ok(told(world, "another version", other).await?["plugins"][0]["digest"].clone())
}

fn counts(world: &World, line: &str) -> bool {
    world.meters.text().lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_call_of_a_suspended_job_goes_to_the_new_version() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Waits))?;
    let mut world = world(&folder, |_| {}).await?;
    put(&world, "a").await?;
    world
        .until("a checkpoint", async || {
            let steps = world.all("/stokehold/steps/").await?;
            Ok(steps.into_values().find(|step| !step["checkpoint"].is_null()))
        })
        .await?;
    folder.put("plain", &plain("two", &Does::Completes))?;
    ensure!(marker(&world, "a").await? == "two", "the job went on with the new version");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_a_check_leaves_the_one_before_it_in_service() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |_| {}).await?;
    let two = plain("two", &Does::Completes);
    for (nth, (broken, reason)) in [
        (Vec::new(), "is empty"),
        (two[..two.len() / 2].to_vec(), "is not a valid component"),
        (b"\0asm\x01\0\0\0".to_vec(), "is a core module, not a component"),
    ]
    .into_iter()
    .enumerate()
    {
        // Not by renaming: as somebody who is interrupted while copying.
        fs::write(folder.file("plain"), broken)?;
        let found = |host: &Json| {
            let refused = host["plugins"][0]["refused"].as_str().unwrap_or_default();
            refused.starts_with(reason)
        };
        let host = told(&world, reason, found).await?;
        ensure!(host["faults"][0]["file"] == json!(folder.file("plain")), "{host}");
        ensure!(made_by(&world, &format!("broken{nth}")).await? == "one", "{reason}");
    }
    ensure!(counts(&world, "stokehold_plugin_refusals_total{plugin=\"plain\"} 3"), "three refused");
    fs::write(folder.file("plain"), two)?;
    let well = |host: &Json| host["plugins"][0]["refused"].is_null();
    told(&world, "the end of the refusal", well).await?;
    ensure!(made_by(&world, "whole").await? == "two", "whole it is used");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_is_offered_twice_is_refused_by_name_and_the_first_stays() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |_| {}).await?;
    folder.put("other", &plain("two", &Does::Completes))?;
    let refused = |host: &Json| host["faults"][0]["reason"].is_string();
    let host = told(&world, "a fault", refused).await?;
    ensure!(
        host["faults"][0]["reason"]
            == "calls itself plain, and there is plain.wasm: one plugin per handler",
        "{host}"
    );
    ensure!(made_by(&world, "a").await? == "one", "the first stays");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_removed_handler_wait_until_it_is_back() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Waits))?;
    let mut world = world(&folder, |_| {}).await?;
    put(&world, "a").await?;
    world
        .until("a call", async || {
            let steps = world.all("/stokehold/steps/").await?;
            Ok(steps.into_values().find(|step| !step["checkpoint"].is_null()))
        })
        .await?;
    fs::remove_file(folder.file("plain"))?;
    let gone = |host: &Json| host["handlers"] == json!([]);
    told(&world, "the handler's end", gone).await?;
    world
        .until("the job's trouble", async || {
            let steps = world.all("/stokehold/steps/").await?;
            let says = |step: &Json| step.to_string().contains("no running host has handler");
            Ok(steps.into_values().find(says))
        })
        .await?;
    // This one is planned when the handler is there again, before the host has said that it has it.
    put(&world, "b").await?;
    folder.put("plain", &plain("two", &Does::Completes))?;
    ensure!(marker(&world, "a").await? == "two", "it went on");
    ensure!(marker(&world, "b").await? == "two", "the other one, too");
    world.idle().await?;
    let history = world.history().await?;
    let claims = history.iter().filter(|event| event.value.is_some());
    let claims = claims.filter_map(|event| event.key.strip_prefix("/jobs/working/"));
    let claims: Vec<_> = claims.filter(|id| id.contains(":b:")).collect();
    ensure!(claims.len() == 1, "it was claimed more than once: {claims:?}");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_faults_on_its_first_calls_is_rolled_back_and_no_job_suffers() -> Result<()>
{
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    // A single failed try would fail a job.
    let mut world = world(&folder, |setup| setup.pace.attempts_max = 1).await?;
    let one = other_than(&world, &Json::Null).await?;
    folder.put("plain", &plain("two", &Does::Traps))?;
    other_than(&world, &one).await?;
    ensure!(made_by(&world, "a").await? == "one", "the former version is back");
    let refused = refusal(&world).await?;
    ensure!(refused.contains(" was rolled back: handler trapped: "), "{refused}");
    ensure!(counts(&world, "stokehold_plugin_rollbacks_total{plugin=\"plain\"} 1"), "counted");
    // The same again, as whoever does not look would do.
    folder.put("plain", &plain("two", &Does::Traps))?;
    let again = |host: &Json| {
        let why = host["plugins"][0]["refused"].as_str().unwrap_or_default();
        why.strip_prefix(&*refused) == Some("; the same is not tried again: change the file")
    };
    told(&world, "the second refusal", again).await?;
    ensure!(made_by(&world, "b").await? == "one", "it stays out");
    folder.put("plain", &plain("three", &Does::Completes))?;
    other_than(&world, &one).await?;
    ensure!(made_by(&world, "c").await? == "three", "a better one is taken");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_a_share_of_the_jobs_and_goes_out_at_a_fault() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |setup| {
        setup.pace.attempts_max = 1;
        setup.pace.rollout.canary_percent = 40;
        setup.pace.rollout.canary_calls_min = 1000;
    })
    .await?;
    let one = other_than(&world, &Json::Null).await?;
    folder.put("plain", &plain("two", &Does::Completes))?;
    let two = other_than(&world, &one).await?;
    let stage = |host: &Json| host["plugins"][0]["stage"] == "canary";
    let host = told(&world, "a canary", stage).await?;
    ensure!(host["plugins"][0]["former"] == one, "{host}");
    let mut first = 0;
    for job in 0..40 {
        first += usize::from(made_by(&world, &format!("n{job}")).await? == "two");
    }
    ensure!((4..=32).contains(&first), "{first} of 40 went to the canary");
    folder.put("plain", &plain("three", &Does::Traps))?;
    other_than(&world, &two).await?;
    for job in 0..20 {
        ensure!(made_by(&world, &format!("m{job}")).await? == "one", "the trusted one is back");
    }
    refusal(&world).await?;
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_a_row_pause_a_plugin_while_its_jobs_wait_untried() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Traps))?;
    let mut world = world(&folder, |setup| {
        setup.pace.handler_slots = 1;
        setup.pace.attempts_max = 100;
        setup.pace.backoff_ms_min = 1;
        setup.pace.backoff_ms_max = 1;
        setup.pace.rollout.breaker_faults_max = 3;
        setup.pace.rollout.breaker_ms_min = 200;
        setup.pace.rollout.breaker_ms_max = 600_000;
    })
    .await?;
    for job in 0..10 {
        put(&world, &job.to_string()).await?;
    }
    let until = |host: &Json| host["plugins"][0]["paused_until_ms"].as_u64().unwrap_or_default();
    let first = until(&told(&world, "a pause", |host| until(host) > 0).await?);
    // After the pause one call tries, faults, and the next pause is the longer one.
    let second = until(&told(&world, "a second pause", |host| until(host) > first).await?);
    ensure!(second - first >= 400, "the pause grew: {}", second - first);
    ensure!(counts(&world, "stokehold_plugin_paused{plugin=\"plain\"} 1"), "shown");
    let faults = "stokehold_faults_total{plugin=\"plain\",kind=\"trap\"} ";
    let text = world.meters.text();
    let faults = text.lines().find_map(|line| line.strip_prefix(faults)).unwrap_or_default();
    ensure!(faults.parse::<u32>()? <= 8, "{faults} calls were tried");
    folder.put("plain", &plain("two", &Does::Completes))?;
    for job in 0..10 {
        ensure!(marker(&world, &job.to_string()).await? == "two", "all waited for it");
    }
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_its_dry_call_does_not_take_over() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |_| {}).await?;
    folder.put("plain", &plain_with_trial("two", Some("no Heat")))?;
    let refused = refusal(&world).await?;
    ensure!(refused == "says that it cannot work: no Heat", "{refused}");
    ensure!(made_by(&world, "a").await? == "one", "the one before it stays");
    folder.put("plain", &plain_with_trial("three", None))?;
    let well = |host: &Json| host["plugins"][0]["refused"].is_null();
    told(&world, "the end of the refusal", well).await?;
    ensure!(made_by(&world, "b").await? == "three", "it stood its trial");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_traps_in_its_dry_call_or_does_not_end_it_does_not_take_over() -> Result<()>
{
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |setup| setup.bounds.call_ms_max = 10_000).await?;
    for (nth, (attempt, reason)) in [
        ("unreachable", "does not stand its trial: handler trapped: wasm trap: wasm `unreachable`"),
        ("(loop (br 0))", "does not end its trial within 10000 ms (call_ms_max)"),
    ]
    .into_iter()
    .enumerate()
    {
        folder.put("plain", &tried("plain", attempt))?;
        let found = |host: &Json| {
            let refused = host["plugins"][0]["refused"].as_str().unwrap_or_default();
            refused.starts_with(reason)
        };
        told(&world, reason, found).await?;
        ensure!(made_by(&world, &format!("n{nth}")).await? == "one", "the one before it stays");
    }
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rollback_can_make_handlers_wait_for_one_another() -> Result<()> {
    let folder = Folder::new()?;
    folder.put("plain", &after("plain", "one", "other"))?;
    folder.put("other", &after("other", "one", ""))?;
    let mut world = world(&folder, |setup| setup.pace.rollout.rollback_calls = 3).await?;
    let order = |host: &Json| host["handlers"][0]["name"] == "other";
    told(&world, "the first order", order).await?;
    let of_plain = |host: &Json| host["plugins"][1]["stage"].clone();
    folder.put("plain", &after("plain", "two", ""))?;
    told(&world, "a version on trial", |host| of_plain(host) == "on trial").await?;
    folder.put("other", &after("other", "two", "plain"))?;
    let refused = |host: &Json| {
        let why = host["plugins"][0]["refused"].as_str().unwrap_or_default();
        why.contains("other, plain wait for one another")
            && why.contains("a rollback may bring back")
    };
    told(&world, "a refusal", refused).await?;
    for job in ["a", "b", "c"] {
        ensure!(made_by(&world, job).await? == "two", "the new version stands its trial");
    }
    told(&world, "a trusted version", |host| of_plain(host) == "trusted").await?;
    folder.put("other", &after("other", "two", "plain"))?;
    let order = |host: &Json| host["handlers"][0]["name"] == "plain";
    told(&world, "the other order", order).await?;
    world.stop_host().await
}
