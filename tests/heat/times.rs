//! How long Heat may take, and what it undoes: what is set for it, as the real Heat does it.

use anyhow::{Context, Result, ensure};
use heat_simulator::Client;
use serde_json::{Value as Json, json};
use stokehold::domain::Action;
use stokehold_tests::real_heat;
use stokehold_tests::world::World;

use super::place::{Place, TEMPLATE, setup};
use super::{Bench, TENANT};

/// A place whose plugin has one setting more.
async fn place(heat_url: &str, key: &str, value: &str) -> Result<Place> {
    let mut setup = setup(heat_url)?;
    setup.heat_config.insert(key.to_owned(), value.to_owned());
    Place::around(World::start(setup).await?, heat_url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_its_minutes_is_ended_by_heat_and_fails_in_its_words() -> Result<()>
{
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let place = Place::start(heat.url()).await?;
    let template = json!({
        "id": "timed", "handler": "heat_worker", "watch": [], "template_file": TEMPLATE,
        "parameter_mappings": {"name": "Pname", "heat_timeout": "C1"},
    });
    place.world.config("/v2.0/heat_templates/timed", &template, 1, false).await?;
    // All at once: each of them takes the minute that is the least.
    place.want_of("timed", "made", 1, "held-for-ever").await?;
    for (id, name) in [("changed", "net"), ("removed", "stays-removed")] {
        place.want_of("timed", id, 1, name).await?;
        place.up(id, 1, name).await?;
    }
    place.want_of("timed", "changed", 2, "held-for-ever").await?;
    place.unwant("removed", 2).await?;
    place.failed("made", 1, &["stack box_made is CREATE_FAILED: Create timed out"]).await?;
    place.failed("changed", 2, &["stack box_changed is UPDATE_FAILED: Timed out"]).await?;
    place.failed("removed", 2, &["stack box_removed is DELETE_FAILED: Delete timed out"]).await?;
    heat.release("removed")?;
    place.unwant("removed", 3).await?;
    place.down("removed", 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn heat_keeps_the_minutes_with_the_stack_and_takes_none_for_its_own() -> Result<()> {
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let bench = Bench::new(heat.url()).await?;
    let client = Client::new(&format!("{}/{TENANT}", heat.url()));
    let minutes = async |stack: &str, action, asked: Json, status: &str| -> Result<Json> {
        let params = [("name", json!("net")), ("heat_timeout", asked)];
        bench.job(action, stack, TEMPLATE, &params).await.completed(status)?;
        let found = client.get(&format!("/stacks/port_{}-{stack}", bench.stack)).await?;
        let shown = client.get(&found.location.context("Heat has no such stack")?).await?;
        Ok(shown.body["stack"]["timeout_mins"].clone())
    };
    let (create, modify) = (Action::Create, Action::Modify);
    for (stack, action, asked, status, kept) in [
        ("usual", create, Json::Null, "CREATE_COMPLETE", json!(10)),
        ("given", create, json!("60"), "CREATE_COMPLETE", json!(60)),
        ("given", modify, json!(0), "UPDATE_COMPLETE", json!(60)),
        ("given", modify, json!(6), "UPDATE_COMPLETE", json!(6)),
        ("none", create, json!("0"), "CREATE_COMPLETE", Json::Null),
    ] {
        let shown = minutes(stack, action, asked.clone(), status).await.context(stack)?;
        ensure!(shown == kept, "{stack} asked for {asked} has {shown}, not {kept}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_creation_is_undone_where_that_is_set_and_can_be_asked_for_again() -> Result<()> {
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let place = place(heat.url(), "rollback", "true").await?;
    place.want("one", 1, "fail-1").await?;
    let state = place.state("one", 1).await?;
    let why = state["error"].as_str().unwrap_or_default();
    // Heat shows the failure for a moment before it begins to undo it.
    let failed = "stack box_one is CREATE_FAILED: Resource CREATE failed";
    let undone = "stack box_one ended as ROLLBACK_COMPLETE: Stack ROLLBACK completed successfully; \
                  what failed was net CREATE_FAILED: ";
    ensure!(why.contains(failed) || why.contains(undone), "{why}");
    ensure!(why.contains("backend refused fail-1"), "{why}");
    ensure!(state["state"]["worker_state"] == "CREATE_FAILED", "{state}");
    place.want("one", 2, "good").await?;
    let state = place.state("one", 2).await?;
    ensure!(state["error"] == "", "{state}");
    // The failed one was not repaired: Heat had removed it.
    let shown = place.shown("one").await?;
    ensure!(shown["stack_status"] == "CREATE_COMPLETE", "{shown}");
    ensure!(place.stacks("one").await?.len() == 2, "the stack was not made anew");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_update_goes_back_where_that_is_set_and_its_job_fails() -> Result<()> {
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let place = place(heat.url(), "rollback", "true").await?;
    place.want("two", 1, "good").await?;
    place.up("two", 1, "good").await?;
    place.want("two", 2, "fail-2").await?;
    let words = "stack box_two ended as ROLLBACK_COMPLETE: Stack ROLLBACK completed successfully";
    let cause = "what failed was net UPDATE_FAILED: ";
    place.failed("two", 2, &[words, cause, "backend refused fail-2"]).await?;
    let shown = place.shown("two").await?;
    ensure!(shown["stack_status"] == "ROLLBACK_COMPLETE", "{shown}");
    ensure!(super::place::by_key(&shown["outputs"])["name"] == "good", "{shown}");
    place.want("two", 3, "better").await?;
    place.up("two", 3, "better").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_style_of_2018_tells_the_status_of_the_stack_in_the_state() -> Result<()> {
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let place = place(heat.url(), "report_style", "2018").await?;
    let told = async |version| -> Result<Json> {
        Ok(place.state("told", version).await?["state"]["orchestration_state"].clone())
    };
    for (version, status) in [(1, "CREATE_COMPLETE"), (2, "UPDATE_COMPLETE")] {
        let name = format!("net-{version}");
        place.want("told", version, &name).await?;
        place.up("told", version, &name).await?;
        ensure!(told(version).await? == status, "{} is told, not {status}", told(version).await?);
    }
    place.want("told", 3, "fail-3").await?;
    place.failed("told", 3, &["backend refused fail-3"]).await?;
    ensure!(told(3).await? == "MODIFY_ERROR", "{} is told", told(3).await?);
    place.unwant("told", 4).await?;
    place.down("told", 4).await?;
    ensure!(told(4).await? == "DELETE_COMPLETE", "{} is told", told(4).await?);
    Ok(())
}
