//! The genuine OpenStack Keystone, in one process on loopback, and those who are known there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use heat_simulator::{Client, Reply};
use serde_json::{Value as Json, json};
use stokehold::plugin::{Hidden, Identity, Keystone, Scope};

use crate::etcd::Certificates;
use crate::paths;
use crate::real_heat::{ready, venv};

/// The administrator's password.
const PASSWORD: &str = "of the administrator";

/// A running Keystone. It ends with us, however we end.
pub struct RealKeystone {
    url: String,
    safe_url: String,
    ca: String,
    process: Child,
    admin: Client,
    _scratch: tempfile::TempDir,
}

/// Somebody who may use some projects.
#[derive(Clone, Debug)]
pub struct User {
    /// Keystone's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl Drop for RealKeystone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One started from the virtual environment that `STOKEHOLD_KEYSTONE_VENV` names; `cargo xtask keystone` makes one.
/// `None`, with a line that says so, where there is none.
///
/// # Errors
/// When it does not start; with `CI=true` also when there is none.
pub async fn start() -> Result<Option<RealKeystone>> {
    let Some(venv) = venv("STOKEHOLD_KEYSTONE_VENV", "real Keystone")? else { return Ok(None) };
    let scratch = tempfile::tempdir().context("cannot make a folder for Keystone")?;
    let launched = tokio::task::spawn_blocking(move || launch(&venv, scratch)).await??;
    Ok(Some(launched.with_admin().await?))
}

fn launch(venv: &Path, scratch: tempfile::TempDir) -> Result<RealKeystone> {
    let certificates = Certificates::make(&scratch.path().join("tls"))?;
    let mut command = Command::new(venv.join("bin/python"));
    command.arg(paths::root().join("tests/heat/serve_keystone.py"));
    command.arg("--dir").arg(scratch.path());
    command.arg("--cert").arg(scratch.path().join("tls/server.pem"));
    command.arg("--key").arg(scratch.path().join("tls/server.key"));
    command.env("STOKEHOLD_KEYSTONE_PASSWORD", PASSWORD);
    let (url, process, before) = ready(&mut command, "Keystone", scratch.path())?;
    let safe_url = before.iter().find_map(|line| line.strip_prefix("safe ")).unwrap_or_default();
    let (safe_url, ca) = (safe_url.to_owned(), std::fs::read_to_string(certificates.ca)?);
    let admin = Client::new(&url);
    Ok(RealKeystone { url, safe_url, ca, process, admin, _scratch: scratch })
}

impl RealKeystone {
    /// `http://127.0.0.1:PORT/v3`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same by TLS.
    pub fn safe_url(&self) -> &str {
        &self.safe_url
    }

    /// Who signed its certificate, in PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// What other services are told of it: its address, and the administrator's password.
    pub fn for_services(&self) -> (String, String) {
        (self.url.clone(), PASSWORD.to_owned())
    }

    /// How a host logs in as this user for the project of each request, to ask services of this type.
    pub fn login(&self, user: &User, service: &str) -> Keystone {
        Keystone {
            url: self.url.clone(),
            identity: Identity::Password {
                user: user.name.clone(),
                domain: "Default".to_owned(),
                password: Hidden::new(&*user.password),
            },
            scope: Scope::Tenant,
            region: Some("RegionOne".to_owned()),
            interface: "public".to_owned(),
            services: BTreeSet::from([service.to_owned()]),
            timeout_ms: 60_000,
            renew_before_ms: 60_000,
            tokens_max: 10,
        }
    }

    async fn with_admin(mut self) -> Result<Self> {
        self.admin = Client::new(&self.url).token(&self.admin_token().await?);
        Ok(self)
    }

    /// A token of the administrator for his own project.
    ///
    /// # Errors
    /// Keystone gives none.
    pub async fn admin_token(&self) -> Result<String> {
        let admin = User { id: String::new(), name: "admin".into(), password: PASSWORD.into() };
        self.token(&admin, &json!({"name": "admin", "domain": {"id": "default"}})).await
    }

    /// A token of somebody for a project.
    ///
    /// # Errors
    /// Keystone gives none.
    pub async fn token(&self, user: &User, project: &Json) -> Result<String> {
        let who = json!({
            "name": user.name, "password": user.password, "domain": {"id": "default"},
        });
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": project},
        }});
        let reply = Client::new(&self.url).send("POST", "/auth/tokens", Some(&body)).await?;
        reply.subject_token.clone().with_context(|| format!("no token: {reply:?}"))
    }

    /// A token of a user's for a project, by its id.
    ///
    /// # Errors
    /// Keystone gives none.
    pub async fn token_for(&self, project: &str, user: &User) -> Result<String> {
        self.token(user, &json!({"id": project})).await
    }

    /// A user without any project.
    ///
    /// # Errors
    /// Keystone refuses.
    pub async fn user(&self, name: &str, password: &str) -> Result<User> {
        let body = json!({"user": {"name": name, "password": password, "domain_id": "default"}});
        let id = self.made("user", "/users", &body).await?;
        Ok(User { id, name: name.to_owned(), password: password.to_owned() })
    }

    /// A project with this member; its id.
    ///
    /// # Errors
    /// Keystone refuses.
    pub async fn project(&self, name: &str, member: &User) -> Result<String> {
        let body = json!({"project": {"name": name, "domain_id": "default"}});
        let project = self.made("project", "/projects", &body).await?;
        let roles = self.admin.get("/roles?name=member").await?;
        let role = roles
            .body
            .pointer("/roles/0/id")
            .and_then(Json::as_str)
            .context("there are no members")?;
        let path = format!("/projects/{project}/users/{}/roles/{role}", member.id);
        told(&self.admin.send("PUT", &path, None).await?)?;
        Ok(project)
    }

    /// Puts Heat into the catalogue.
    ///
    /// # Errors
    /// Keystone refuses.
    pub async fn register(&self, heat_url: &str) -> Result<()> {
        self.offer("orchestration", &format!("{heat_url}/%(tenant_id)s")).await
    }

    /// Puts a service of a type into the catalogue.
    ///
    /// # Errors
    /// Keystone refuses.
    pub async fn offer(&self, kind: &str, url: &str) -> Result<()> {
        let body = json!({"service": {"type": kind, "name": kind}});
        let service = self.made("service", "/services", &body).await?;
        let body = json!({"endpoint": {
            "service_id": service, "interface": "public", "region_id": "RegionOne", "url": url,
        }});
        self.made("endpoint", "/endpoints", &body).await.map(|_| ())
    }

    /// Takes all tokens of a user back.
    ///
    /// # Errors
    /// Keystone refuses.
    pub async fn revoke(&self, user: &User) -> Result<()> {
        for enabled in [false, true] {
            let body = json!({"user": {"enabled": enabled}});
            let path = format!("/users/{}", user.id);
            told(&self.admin.send("PATCH", &path, Some(&body)).await?)?;
        }
        // Keystone counts tokens in whole seconds: what it gives within this one is taken back as well.
        let second = || SystemTime::now().duration_since(UNIX_EPOCH).map(|it| it.as_secs());
        let this = second()?;
        while second()? == this {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// An application credential of a member of a project: id and secret.
    ///
    /// # Errors
    /// Keystone refuses.
    pub async fn credential(&self, user: &User, project: &str) -> Result<(String, String)> {
        let own = Client::new(&self.url).token(&self.token_for(project, user).await?);
        let body = json!({"application_credential": {"name": "of the host"}});
        let path = format!("/users/{}/application_credentials", user.id);
        let reply = own.send("POST", &path, Some(&body)).await?;
        told(&reply)?;
        let text = |field: &str| {
            reply
                .body
                .pointer(&format!("/application_credential/{field}"))
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok((text("id"), text("secret")))
    }

    async fn made(&self, what: &str, path: &str, body: &Json) -> Result<String> {
        let reply = self.admin.send("POST", path, Some(body)).await?;
        told(&reply)?;
        let id = reply.body.pointer(&format!("/{what}/id")).and_then(Json::as_str);
        id.map(str::to_owned).with_context(|| format!("no id: {reply:?}"))
    }
}

fn told(reply: &Reply) -> Result<()> {
    ensure!(reply.status < 300, "Keystone refuses: {reply:?}");
    Ok(())
}
