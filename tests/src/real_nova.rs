//! The genuine OpenStack Nova, its API in one process on loopback, behind a genuine Keystone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};
use heat_simulator::{Client, Reply};
use serde_json::json;

use crate::real_heat::{ready, venv};
use crate::real_keystone::RealKeystone;
use crate::{paths, ports};

/// A Nova with a server in each state. It ends with us, however we end.
pub struct RealNova {
    url: String,
    servers: BTreeMap<String, String>,
    process: Child,
    admin: Client,
    place: Place,
}

/// Where it is, and whom it asks what a token is worth.
struct Place {
    scratch: tempfile::TempDir,
    venv: PathBuf,
    /// Keystone's address, and the administrator's password there.
    keystone: (String, String),
    /// The project whose servers it has.
    project: String,
}

impl Drop for RealNova {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One whose servers are a project's, started from the virtual environment that `STOKEHOLD_NOVA_VENV` names;
/// `cargo xtask nova` makes one. `None`, with a line that says so, where there is none.
///
/// # Errors
/// When it does not start; with `CI=true` also when there is none.
pub async fn start(keystone: &RealKeystone, project: &str) -> Result<Option<RealNova>> {
    let Some(venv) = venv("STOKEHOLD_NOVA_VENV", "real Nova")? else { return Ok(None) };
    let scratch = tempfile::tempdir().context("cannot make a folder for Nova")?;
    let project = project.to_owned();
    let place = Place { scratch, venv, keystone: keystone.for_services(), project };
    let token = keystone.admin_token().await?;
    tokio::task::spawn_blocking(move || {
        let [port] = ports::free()?;
        let (url, process, before) = launch(&place, port)?;
        let told = before.iter().filter_map(|line| line.strip_prefix("server ")?.split_once(' '));
        let servers = told.map(|(state, id)| (state.to_owned(), id.to_owned())).collect();
        let admin = Client::new(&url).token(&token);
        Ok(Some(RealNova { url, servers, process, admin, place }))
    })
    .await?
}

fn launch(place: &Place, port: u16) -> Result<(String, Child, Vec<String>)> {
    let Place { scratch, venv, keystone: (keystone, password), project } = place;
    let mut command = Command::new(venv.join("bin/python"));
    // What the script imports from beside it is not kept compiled in the checkout.
    command.arg("-B").arg(paths::root().join("tests/heat/serve_nova.py"));
    command.arg("--dir").arg(scratch.path());
    command.args(["--port", &port.to_string(), "--keystone-url", keystone, "--project", project]);
    command.env("STOKEHOLD_KEYSTONE_USER", "admin").env("STOKEHOLD_KEYSTONE_PASSWORD", password);
    ready(&mut command, "Nova", scratch.path())
}

impl RealNova {
    /// `http://127.0.0.1:PORT/v2.1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port.
    ///
    /// # Errors
    /// The address has none.
    pub fn port(&self) -> Result<u16> {
        let port = self.url.rsplit(':').next().and_then(|rest| rest.split('/').next());
        port.and_then(|port| port.parse().ok()).context("Nova has no port")
    }

    /// State, as Nova calls it within, and id of each of its servers when it was new.
    pub fn servers(&self) -> &BTreeMap<String, String> {
        &self.servers
    }

    /// The server that was made in this state.
    ///
    /// # Errors
    /// There is none.
    pub fn server(&self, state: &str) -> Result<&str> {
        let id = self.servers.get(state).map(String::as_str);
        id.with_context(|| format!("no server in state {state}: {:?}", self.servers))
    }

    /// Lets a server fail.
    ///
    /// # Errors
    /// Nova refuses.
    pub async fn fail(&self, id: &str) -> Result<()> {
        let body = json!({"os-resetState": {"state": "error"}});
        let path = format!("/servers/{id}/action");
        told(&self.admin.send("POST", &path, Some(&body)).await?)
    }

    /// Deletes a server.
    ///
    /// # Errors
    /// Nova refuses.
    pub async fn delete(&self, id: &str) -> Result<()> {
        told(&self.admin.send("DELETE", &format!("/servers/{id}"), None).await?)
    }

    /// Ends it as a lost machine does.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again where it was, with what it kept.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        let port = self.port()?;
        (_, self.process, _) = tokio::task::block_in_place(|| launch(&self.place, port))?;
        Ok(())
    }
}

fn told(reply: &Reply) -> Result<()> {
    ensure!(reply.status < 300, "Nova refuses: {reply:?}");
    Ok(())
}
