//! Whatever version is in service, and however it came there, it has what is granted now.

use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};
use stokehold::plugin::{GrantSource, PluginGrants};
use stokehold_tests::world::World;

use super::folder::{Does, Folder, plain};
use super::{counts, made_by, other_than, put, refusal, told, world};

/// An operator who changes their mind about the one setting that `plain` may read.
#[derive(Debug, Default)]
struct Operator(Mutex<String>);

impl Operator {
    fn grants(&self, setting: &str) {
        setting.clone_into(&mut self.0.lock().unwrap());
    }
}

impl GrantSource for Operator {
    fn named(&self) -> Vec<String> {
        vec!["plain".to_owned()]
    }

    fn granted(&self, _: &str) -> Result<PluginGrants, String> {
        let config = [(self.0.lock().unwrap().clone(), String::new())].into();
        Ok(PluginGrants { config, ..PluginGrants::default() })
    }
}

/// Waits until what is in service may read this setting and no other.
async fn may_read(world: &World, setting: &str) -> Result<()> {
    let only = |told: &Json| {
        let wishes = told["plugins"][0]["wishes"].as_array();
        let asked: Vec<_> =
            wishes.into_iter().flatten().map(|wish| wish["asked"].clone()).collect();
        asked == [json!(format!("config {setting}"))]
    };
    told(world, &format!("a grant of {setting} alone"), only).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_comes_back_has_the_grants_of_now() -> Result<()> {
    let operator = Arc::new(Operator::default());
    operator.grants("first");
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |setup| setup.source = Some(operator.clone())).await?;
    let one = other_than(&world, &Json::Null).await?;
    may_read(&world, "first").await?;
    operator.grants("second");
    let two = plain("two", &Does::Traps);
    folder.put("plain", &two)?;
    other_than(&world, &one).await?;
    ensure!(made_by(&world, "a").await? == "one", "the former version is back");
    may_read(&world, "second").await?;
    // The version that is out stays out, and what is in service hears of the change.
    operator.grants("third");
    folder.put("plain", &two)?;
    may_read(&world, "third").await?;
    let refused = refusal(&world).await?;
    ensure!(refused.ends_with("the same is not tried again: change the file"), "{refused}");
    ensure!(made_by(&world, "b").await? == "one", "it goes on");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_code_with_other_grants_stays_paused_and_is_counted_so() -> Result<()> {
    let operator = Arc::new(Operator::default());
    operator.grants("first");
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Traps))?;
    let mut world = world(&folder, |setup| {
        setup.source = Some(operator.clone());
        setup.pace.backoff_ms_min = 1;
        setup.pace.backoff_ms_max = 1;
        setup.pace.rollout.breaker_faults_max = 1;
        setup.pace.rollout.breaker_ms_min = 600_000;
        setup.pace.rollout.breaker_ms_max = 600_000;
    })
    .await?;
    put(&world, "a").await?;
    let paused = |host: &Json| host["plugins"][0]["paused_until_ms"].is_u64();
    told(&world, "a pause", paused).await?;
    operator.grants("second");
    folder.put("plain", &plain("one", &Does::Traps))?;
    may_read(&world, "second").await?;
    told(&world, "the same pause", paused).await?;
    let gauge = |paused: u8| format!("stokehold_plugin_paused{{plugin=\"plain\"}} {paused}");
    ensure!(counts(&world, &gauge(1)), "the pause goes on");
    folder.put("plain", &plain("two", &Does::Completes))?;
    told(&world, "the end of the pause", |host| !paused(host)).await?;
    ensure!(counts(&world, &gauge(0)), "another version is the remedy");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_code_with_other_grants_stays_trusted() -> Result<()> {
    let operator = Arc::new(Operator::default());
    operator.grants("first");
    let folder = Folder::new()?;
    folder.put("plain", &plain("one", &Does::Completes))?;
    let mut world = world(&folder, |setup| setup.source = Some(operator.clone())).await?;
    may_read(&world, "first").await?;
    operator.grants("second");
    folder.put("plain", &plain("one", &Does::Completes))?;
    may_read(&world, "second").await?;
    let trusted = |host: &Json| host["plugins"][0]["stage"] == "trusted";
    told(&world, "a trusted version", trusted).await?;
    ensure!(made_by(&world, "a").await? == "one", "it goes on");
    world.stop_host().await
}
