//! A Heat that has no room, or is gone for a while.

use anyhow::{Result, ensure};
use stokehold_tests::real_heat::{self, HeatOptions};
use stokehold_tests::world::World;

use super::place::{Place, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_full_says_so_and_goes_on_when_there_is_room() -> Result<()> {
    let Some(heat) =
        real_heat::start(HeatOptions { stacks_max: 2, ..HeatOptions::default() }).await?
    else {
        return Ok(());
    };
    let place = Place::start(heat.url()).await?;
    for id in ["one", "two"] {
        place.want(id, 1, "net").await?;
        place.up(id, 1, "net").await?;
    }
    place.want("three", 1, "net").await?;
    let words = ["cannot create stack box_three", "maximum stacks per tenant"];
    place.failed("three", 1, &words).await?;
    ensure!(place.stacks("three").await?.is_empty(), "there is a third stack");
    place.unwant("one", 2).await?;
    place.down("one", 2).await?;
    place.want("three", 2, "net-2").await?;
    place.up("three", 2, "net-2").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heat_that_dies_with_stacks_in_progress_is_waited_for() -> Result<()> {
    let Some(mut heat) = real_heat::start(HeatOptions::default()).await? else { return Ok(()) };
    let mut setup = setup(heat.url())?;
    // It is away for some seconds.
    (setup.pace.attempts_max, setup.pace.backoff_ms_max) = (1000, 500);
    let place = Place::around(World::start(setup).await?, heat.url()).await?;
    let held = ["one", "two", "three"];
    for id in held {
        place.want(id, 1, "held-for-ever").await?;
        place.until(id, "CREATE_IN_PROGRESS").await?;
    }
    heat.kill()?;
    place.want("four", 1, "net").await?;
    heat.restart().await?;
    // It says of itself that it went down meanwhile, and what it had begun is repaired by the next version.
    for id in held {
        place.failed(id, 1, &["CREATE_FAILED", "went down"]).await?;
        place.want(id, 2, "net-2").await?;
    }
    place.up("four", 1, "net").await?;
    for id in held {
        place.up(id, 2, "net-2").await?;
    }
    Ok(())
}
