//! A Heat that is to be had by TLS, with an authority of its own.

use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};
use stokehold_tests::etcd::Certificates;
use stokehold_tests::paths;
use stokehold_tests::real_heat::{ready, venv};
use stokehold_tests::world::World;

use super::place::{Place, setup};

/// What is told of a certificate that is not trusted.
pub(super) const CERTIFICATE: &str = "its certificate is not trusted";

/// A running Heat with a certificate. It ends with us, however we end: its standard input does.
pub(super) struct SafeHeat {
    /// The same without TLS.
    pub(super) url: String,
    pub(super) safe_url: String,
    /// Who signed its certificate, in PEM.
    pub(super) ca: String,
    process: Child,
    scratch: tempfile::TempDir,
}

impl Drop for SafeHeat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One that asks this Keystone, if any, what a token is worth: its address, and the administrator's password there.
/// `None`, with a line that says so, where Heat is not at hand.
pub(super) async fn start(keystone: Option<(String, String)>) -> Result<Option<SafeHeat>> {
    let Some(venv) = venv("STOKEHOLD_HEAT_VENV", "real Heat")? else { return Ok(None) };
    tokio::task::spawn_blocking(move || launch(&venv, keystone)).await?.map(Some)
}

fn launch(venv: &Path, keystone: Option<(String, String)>) -> Result<SafeHeat> {
    let scratch = tempfile::tempdir().context("cannot make a folder for Heat")?;
    let tls = scratch.path().join("tls");
    let certificates = Certificates::make(&tls)?;
    let mut command = Command::new(venv.join("bin/python"));
    command.arg(paths::root().join("tests/heat/serve.py"));
    command.arg("--dir").arg(scratch.path());
    command.arg("--cert").arg(tls.join("server.pem")).arg("--key").arg(tls.join("server.key"));
    if let Some((url, password)) = keystone {
        command.arg("--keystone-url").arg(url);
        command
            .env("STOKEHOLD_KEYSTONE_USER", "admin")
            .env("STOKEHOLD_KEYSTONE_PASSWORD", password);
    }
    let (url, process, before) = ready(&mut command, "Heat", scratch.path())?;
    let safe_url = before.iter().find_map(|line| line.strip_prefix("safe ")).unwrap_or_default();
    let (safe_url, ca) = (safe_url.to_owned(), std::fs::read_to_string(certificates.ca)?);
    Ok(SafeHeat { url, safe_url, ca, process, scratch })
}

/// A host that asks Heat by TLS, and trusts these.
async fn place(heat: &SafeHeat, ca: Option<&str>) -> Result<Place> {
    let mut setup = setup(&heat.safe_url)?;
    setup.heat_ca = ca.map(str::to_owned);
    Place::around(World::start(setup).await?, &heat.url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heat_with_an_authority_of_its_own_is_believed_where_that_is_trusted() -> Result<()> {
    let Some(heat) = start(None).await? else { return Ok(()) };
    let trusting = place(&heat, Some(&heat.ca)).await?;
    for (version, name) in [(1, "net"), (2, "net-2")] {
        trusting.want("safe", version, name).await?;
        trusting.up("safe", version, name).await?;
    }
    trusting.unwant("safe", 3).await?;
    trusting.down("safe", 3).await?;

    let other = Certificates::make(&heat.scratch.path().join("other"))?;
    let other = std::fs::read_to_string(other.ca)?;
    for (id, ca) in [("unknown", None), ("other", Some(&*other))] {
        let doubting = place(&heat, ca).await?;
        doubting.want(id, 1, "net").await?;
        let words = format!("cannot reach Heat at {}", heat.safe_url);
        doubting.failed(id, 1, &[&words, CERTIFICATE]).await?;
        ensure!(doubting.stacks(id).await?.is_empty(), "Heat has a stack of {id}");
    }
    Ok(())
}
