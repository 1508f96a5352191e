//! A Heat that is to be had by TLS, with an authority of its own.

use anyhow::{Result, ensure};
use stokehold_tests::etcd::Certificates;
use stokehold_tests::real_heat::{self, HeatOptions, RealHeat};
use stokehold_tests::world::World;

use super::place::{Place, setup};

/// What is told of a certificate that is not trusted.
pub(super) const CERTIFICATE: &str = "its certificate is not trusted";

/// One that asks this Keystone, if any, what a token is worth.
pub(super) async fn start(keystone: Option<(String, String)>) -> Result<Option<RealHeat>> {
    real_heat::start(HeatOptions { keystone, tls: true, ..HeatOptions::default() }).await
}

/// A host that asks Heat by TLS, and trusts these.
async fn place(heat: &RealHeat, ca: Option<&str>) -> Result<Place> {
    let mut setup = setup(heat.safe_url())?;
    setup.heat_ca = ca.map(str::to_owned);
    Place::around(World::start(setup).await?, heat.url()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heat_with_an_authority_of_its_own_is_believed_where_that_is_trusted() -> Result<()> {
    let Some(heat) = start(None).await? else { return Ok(()) };
    let trusting = place(&heat, Some(heat.ca())).await?;
    for (version, name) in [(1, "net"), (2, "net-2")] {
        trusting.want("safe", version, name).await?;
        trusting.up("safe", version, name).await?;
    }
    trusting.unwant("safe", 3).await?;
    trusting.down("safe", 3).await?;

    let folder = tempfile::tempdir()?;
    let other = Certificates::make(folder.path())?;
    let other = std::fs::read_to_string(other.ca)?;
    for (id, ca) in [("unknown", None), ("other", Some(&*other))] {
        let doubting = place(&heat, ca).await?;
        doubting.want(id, 1, "net").await?;
        let words = format!("cannot reach Heat at {}", heat.safe_url());
        doubting.failed(id, 1, &[&words, CERTIFICATE]).await?;
        ensure!(doubting.stacks(id).await?.is_empty(), "Heat has a stack of {id}");
    }
    Ok(())
}
