//! What a stack goes through, by a whole host and the real Heat.

use anyhow::{Result, ensure};
use serde_json::json;
use stokehold::domain::Action;
use stokehold_tests::real_heat;

use super::place::{Place, TEMPLATE};
use super::{Bench, TENANT};

/// Bytes of a template that Heat takes by default: 512 KiB.
const TEMPLATE_BYTES_MAX: usize = 512 << 10;

macro_rules! place {
    () => {
        match real_heat::shared().await? {
            Some(heat) => (heat, Place::start(heat.url()).await?),
            None => return Ok(()),
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn many_updates_of_one_stack_end_as_the_last_one_says() -> Result<()> {
    let (_, place) = place!();
    for version in 1..=12 {
        place.want("one", version, &format!("net-{version}")).await?;
    }
    place.up("one", 12, "net-12").await?;
    for version in 13..=15 {
        place.want("one", version, &format!("net-{version}")).await?;
        place.up("one", version, &format!("net-{version}")).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_repaired_by_an_update() -> Result<()> {
    let (_, place) = place!();
    place.want("two", 1, "fail-1").await?;
    let is = "stack box_two is";
    let why = ["backend refused fail-1", is, "CREATE_FAILED"];
    place.failed("two", 1, &why).await?;
    place.want("two", 2, "good").await?;
    place.up("two", 2, "good").await?;
    place.want("two", 3, "fail-3").await?;
    place.failed("two", 3, &["backend refused fail-3", is, "UPDATE_FAILED"]).await?;
    place.want("two", 4, "better").await?;
    place.up("two", 4, "better").await?;
    place.unwant("two", 5).await?;
    place.down("two", 5).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_is_not_wanted_any_more_while_it_is_created_goes() -> Result<()> {
    let (heat, place) = place!();
    place.want("three", 1, "held-three").await?;
    place.until("three", "CREATE_IN_PROGRESS").await?;
    place.unwant("three", 2).await?;
    heat.release("three")?;
    place.down("three", 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_breaks_off_a_creation() -> Result<()> {
    let (heat, place) = place!();
    let bench = Bench::new(heat.url()).await?;
    let id = format!("{}-broken-off", bench.stack);
    let heat = heat_simulator::Client::new(&format!("{}/{TENANT}", heat.url()));
    let body = json!({
        "stack_name": format!("port_{id}"), "template": TEMPLATE, "disable_rollback": true,
        "parameters": {"name": "held-for-ever"},
    });
    let reply = heat.send("POST", "/stacks", Some(&body)).await?;
    ensure!(reply.status == 201, "{reply:?}");
    let path = format!("/stacks/port_{id}/{}", reply.body["stack"]["id"].as_str().unwrap_or(""));
    let in_progress = async || {
        let status = heat.get(&path).await?.body["stack"]["stack_status"].clone();
        Ok((status == "CREATE_IN_PROGRESS").then_some(()))
    };
    place.world.until("the creation", in_progress).await?;
    let came = bench.job(Action::LogicalDelete, "broken-off", "", &[]).await;
    came.completed("DELETE_COMPLETE")?;
    let reply = heat.get(&format!("/stacks/port_{id}")).await?;
    ensure!(reply.status == 404, "{reply:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_somebody_else_removed_is_no_trouble() -> Result<()> {
    let (_, place) = place!();
    for id in ["four", "five"] {
        place.want(id, 1, "net").await?;
        place.up(id, 1, "net").await?;
        let stack = place.shown(id).await?["id"].as_str().unwrap_or_default().to_owned();
        place.heat.send("DELETE", &format!("/stacks/box_{id}/{stack}"), None).await?;
        place
            .world
            .until("the removal", async || {
                let reply = place.heat.get(&format!("/stacks/box_{id}")).await?;
                Ok((reply.status == 404).then_some(()))
            })
            .await?;
    }
    place.unwant("four", 2).await?;
    place.down("four", 2).await?;
    // An update makes it anew.
    place.want("five", 2, "net-2").await?;
    let state = place.state("five", 2).await?;
    ensure!(state["error"] == "", "{state}");
    ensure!(place.shown("five").await?["stack_status"] == "CREATE_COMPLETE");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_of_the_same_name_is_taken_over() -> Result<()> {
    let (heat, place) = place!();
    let body = |id: &str, name: &str| {
        json!({
            "stack_name": format!("box_{id}"), "template": TEMPLATE, "disable_rollback": true,
            "parameters": {"name": name},
        })
    };
    // As an earlier life of the host may leave it: done, failed, and still in progress.
    for (id, name) in [("six", "old"), ("seven", "fail"), ("eight", "held-eight")] {
        let reply = place.heat.send("POST", "/stacks", Some(&body(id, name))).await?;
        ensure!(reply.status == 201, "{reply:?}");
    }
    for id in ["six", "seven", "eight"] {
        place.want(id, 1, "new").await?;
    }
    place.up("six", 1, "new").await?;
    place.up("seven", 1, "new").await?;
    heat.release("eight")?;
    place.up("eight", 1, "new").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_heat_refuses_fails_in_its_words() -> Result<()> {
    let (_, place) = place!();
    place.template("broken", "heat_template_version: 2013-05-23\nresources: [").await?;
    place.template("unknown", "heat_template_version: 1999-01-01\nresources: {}").await?;
    let typed = TEMPLATE.replace("OS::Contrail::VirtualNetwork", "OS::Contrail::Nothing");
    place.template("typed", &typed).await?;
    for (kind, words) in [
        ("broken", "Template not in valid format"),
        ("unknown", "The template version is invalid"),
        ("typed", "OS::Contrail::Nothing"),
    ] {
        place.want_of(kind, kind, 1, "net").await?;
        let asked = format!("cannot create stack box_{kind}: Heat answered 400");
        place.failed(kind, 1, &[words, &asked]).await?;
        ensure!(place.stacks(kind).await?.is_empty(), "Heat has a stack of {kind}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_stacks_at_once_come_up() -> Result<()> {
    let (_, place) = place!();
    let boxes: Vec<String> = (0..100).map(|nth| format!("of-many-{nth}")).collect();
    for id in &boxes {
        place.want(id, 1, &format!("net-{id}")).await?;
    }
    for id in &boxes {
        place.up(id, 1, &format!("net-{id}")).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_may_be_as_long_as_heat_takes_it() -> Result<()> {
    let (_, place) = place!();
    place.template("long", &long(500 << 10)).await?;
    place.want_of("long", "long", 1, "net").await?;
    place.up("long", 1, "net").await?;
    // Rendering takes one line feed off the end.
    place.template("longer", &long(TEMPLATE_BYTES_MAX + 2)).await?;
    place.want_of("longer", "longer", 1, "net").await?;
    let words = ["exceeds maximum allowed size", "cannot create stack box_longer: Heat answered 4"];
    place.failed("longer", 1, &words).await
}

/// A template of so many bytes: most of it is what a machine is told when it starts.
fn long(bytes: usize) -> String {
    let head = "  vm:\n    type: ESI::VNF::Instance\n    properties:\n      user_data: |\n";
    let (before, outputs) = TEMPLATE.split_once("outputs:").unwrap_or((TEMPLATE, ""));
    let line = "        echo a line of what is told to a machine when it starts\n";
    let mut text = format!("{before}{head}");
    let rest = bytes - text.len() - outputs.len() - "outputs:".len();
    text.push_str(&line.repeat(rest / line.len()));
    if let Some(missing) = (rest % line.len()).checked_sub(1) {
        text.push_str(&" ".repeat(missing));
        text.push('\n');
    }
    format!("{text}outputs:{outputs}")
}
