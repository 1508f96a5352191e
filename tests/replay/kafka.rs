//! The recorded scenario with a Kafka: what collectors outside are told is what they were told then.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};
use stokehold_tests::kafka::Broker;
use stokehold_tests::world::{Setup, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_holds_the_recorded_messages_and_mappings() -> Result<()> {
    let Some((recording, setup)) = super::given()? else { return Ok(()) };
    let Some(broker) = Broker::start(None)? else { return Ok(()) };
    let setup = Setup { kafka: Some(broker.address()), ..setup };
    let mut world = World::start(setup).await?;
    for line in &recording.timeline {
        super::follow(&world, line).await?;
    }
    world.idle().await?;
    world.stop_host().await?;

    let mut messages = BTreeSet::new();
    let mut mappings = BTreeSet::new();
    for (topic, mut told) in broker.messages().await? {
        // What goes is told, too; the recording is of what came.
        if told["action"] != "create" {
            continue;
        }
        if topic == "resource_mappings" {
            if let Some(row) = told.as_object_mut() {
                row.remove("action");
            }
            mappings.insert(told.to_string());
        } else {
            messages.insert(json!({"topic": topic, "message": told}).to_string());
        }
    }
    let sent = |recorded: &Json| {
        json!({"topic": recorded["topic"], "message": recorded["message"]}).to_string()
    };
    let recorded: BTreeSet<_> = recording.messages.iter().map(sent).collect();
    ensure!(recorded.len() == recording.messages.len(), "the recording repeats a message");
    ensure!(messages == recorded, "told: {messages:#?}\nrecorded: {recorded:#?}");
    let recorded: BTreeSet<_> = recording.mappings.iter().map(Json::to_string).collect();
    ensure!(mappings == recorded, "told: {mappings:#?}\nrecorded: {recorded:#?}");
    Ok(())
}
