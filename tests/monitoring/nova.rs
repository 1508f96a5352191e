//! The Nova prober, in the sandbox, against a real Nova behind a real Keystone. Where there is none, nothing is run,
//! and a line says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stokehold::domain::{Failure, ResourceRef};
use stokehold::plugin::{
    self, Engine, EngineSettings, Hidden, Identity, Keystone, PluginGrants, PluginSettings, Prober,
    Scope, Subject,
};
use stokehold::store::embedded::Role;
use stokehold_tests::paths;
use stokehold_tests::proxy::Proxy;
use stokehold_tests::real_keystone::{self, RealKeystone, User};
use stokehold_tests::real_nova::{self, RealNova};
use stokehold_tests::world::{Setup, World, parse};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{STATUSES, register, shown};

/// How the plugin asks for Nova where the host logs in to one project for all; the word in its place is not looked at.
const BY_LOGIN: &str = "http://compute.openstack/all";
/// How long a change may take to be told of: two probes, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(90);
/// A server that never was.
const STRANGER: &str = "00000000-0000-4000-8000-000000000000";

/// A cloud with a member of two projects; the first one has the servers.
struct Cloud {
    keystone: RealKeystone,
    nova: RealNova,
    proxy: Proxy,
    user: User,
    projects: [String; 2],
    /// With the prober, which is not among the shipped plugins.
    handlers: tempfile::TempDir,
    engine: Engine,
}

impl Cloud {
    async fn start() -> Result<Option<Self>> {
        let Some(keystone) = real_keystone::start().await? else { return Ok(None) };
        let user = keystone.user("watcher", "open sesame").await?;
        let projects =
            [keystone.project("one", &user).await?, keystone.project("two", &user).await?];
        let Some(nova) = real_nova::start(&keystone, &projects[0]).await? else { return Ok(None) };
        keystone.offer("compute", nova.url()).await?;
        let proxy = Proxy::before(keystone.url()).await?;
        let handlers = tempfile::tempdir()?;
        std::fs::copy(paths::guest("nova_prober")?, handlers.path().join("nova_prober.wasm"))?;
        let engine = Engine::new(&EngineSettings::default())?;
        Ok(Some(Self { keystone, nova, proxy, user, projects, handlers, engine }))
    }

    /// A token of the user's for a project.
    async fn token(&self, project: &str) -> Result<String> {
        self.keystone.token_for(project, &self.user).await
    }

    /// The user logs in by password, for the first project.
    fn login(&self) -> Keystone {
        let scope = Scope::Project { name: "one".to_owned(), domain: "Default".to_owned() };
        let login = self.keystone.login(&self.user, "compute");
        Keystone { url: self.proxy.url().to_owned(), scope, ..login }
    }

    /// How often Keystone was asked for a token by way of the proxy.
    fn logins(&self) -> usize {
        let steps = self.proxy.steps();
        steps.iter().filter(|step| step.path == "/v3/auth/tokens").count()
    }

    /// A prober that may ask Nova at this address, with a token of its own or without.
    async fn prober(&self, url: &str, token: Option<&str>) -> Result<Prober> {
        let mut grants = PluginGrants {
            http: vec![format!("GET 127.0.0.1:{}", self.nova.port()?)],
            ..PluginGrants::default()
        };
        grants.config.extend(token.map(|token| ("nova_token".to_owned(), token.to_owned())));
        self.loaded(url, grants).await
    }

    /// One for which the host logs in, and which is granted nothing else.
    async fn prober_of(&self, url: &str, login: Keystone) -> Result<Prober> {
        self.loaded(url, granted(login)).await
    }

    async fn loaded(&self, url: &str, mut grants: PluginGrants) -> Result<Prober> {
        grants.config.insert("nova_url".to_owned(), url.to_owned());
        let settings = PluginSettings {
            cache_dir: Some(paths::cache()?),
            per_plugin: BTreeMap::from([("nova_prober".to_owned(), grants)]),
            ..PluginSettings::default()
        };
        let loaded = plugin::load(&self.engine, self.handlers.path(), &settings).await;
        let prober = loaded.probers.into_iter().next();
        prober.with_context(|| format!("no nova_prober: {:?}", loaded.faults))
    }

    /// A world whose prober is granted the same.
    fn world_of(&self, login: Keystone) -> Result<World> {
        let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
        let handlers = self.handlers.path().to_owned();
        let mut setup = Setup { handlers, patience: PATIENCE, ..Setup::new(schemas)? };
        let mut grants = granted(login);
        grants.config.insert("nova_url".to_owned(), BY_LOGIN.to_owned());
        setup.granted.insert("nova_prober".to_owned(), grants);
        World::without_host(setup, Role::Host)
    }
}

fn granted(login: Keystone) -> PluginGrants {
    PluginGrants { keystone: Some(login), ..PluginGrants::default() }
}

/// What the prober says of a server.
async fn asked(prober: &Prober, id: &str) -> Result<Result<String, Failure>> {
    let of = ResourceRef::new("port", "p1");
    let (name, kind) = ("vm".to_owned(), "nova_vm".to_owned());
    let subject = Subject { of, name, kind, properties: json!({"server_id": id}) };
    prober.probe(subject).await.map_err(|fault| anyhow::anyhow!("{fault:?}"))
}

/// The same until it is as wanted: on a machine that has other things to do Nova may take longer than the prober waits.
async fn asked_until(
    prober: &Prober,
    id: &str,
    is_so: impl Fn(&Result<String, Failure>) -> bool,
) -> Result<Result<String, Failure>> {
    let mut told = asked(prober, id).await?;
    for _ in 0..2 {
        if matches!(told, Err(Failure::Retry(_))) && !is_so(&told) {
            told = asked(prober, id).await?;
        }
    }
    Ok(told)
}

async fn is(prober: &Prober, id: &str, status: &str) -> Result<()> {
    let told = asked_until(prober, id, Result::is_ok).await?;
    ensure!(told == Ok(status.to_owned()), "{id} is {told:?} and not {status}");
    Ok(())
}

/// It says nothing about the server, and why, in these words; another try may help.
async fn is_silent(prober: &Prober, id: &str, words: &str) -> Result<()> {
    let is_so = |told: &_| matches!(told, Err(Failure::Retry(why)) if why.contains(words));
    let told = asked_until(prober, id, is_so).await?;
    ensure!(is_so(&told), "{told:?} and not {words:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_told_of_as_nova_knows_it_and_never_down_for_want_of_an_answer() -> Result<()> {
    let Some(mut cloud) = Cloud::start().await? else { return Ok(()) };
    states(&cloud).await.context("each state has its status")?;
    tokens(&cloud).await.context("a bad token says nothing about a server")?;
    addresses(&cloud).await.context("neither does a wrong address")?;
    logins(&cloud).await.context("the host logs in")?;
    watched(&mut cloud).await.context("what is registered is watched")
}

async fn states(cloud: &Cloud) -> Result<()> {
    let token = cloud.token(&cloud.projects[0]).await?;
    let prober = cloud.prober(cloud.nova.url(), Some(&token)).await?;
    ensure!(cloud.nova.servers().len() > 9, "few servers: {:?}", cloud.nova.servers());
    let known = BTreeMap::from([("active", "UP"), ("error", "FAIL")]);
    for (state, id) in cloud.nova.servers() {
        is(&prober, id, known.get(&**state).copied().unwrap_or("DOWN"))
            .await
            .context(state.clone())?;
    }
    is(&prober, STRANGER, "DOWN").await?;
    is(&prober, "vm-1", "DOWN").await?;
    let gone = cloud.nova.server("resized")?;
    cloud.nova.delete(gone).await?;
    is(&prober, gone, "DOWN").await
}

async fn tokens(cloud: &Cloud) -> Result<()> {
    let (url, active) = (cloud.nova.url(), cloud.nova.server("active")?);
    let words = "it answers 401; nova_token, or the host's login, is missing or not good";
    for (token, id) in [(None, active), (Some("guessed"), active), (Some("guessed"), STRANGER)] {
        is_silent(&cloud.prober(url, token).await?, id, words).await?;
    }
    // An administrator sees all servers, others those of their project: what is hidden is not there.
    let admin = cloud.keystone.admin_token().await?;
    is(&cloud.prober(url, Some(&admin)).await?, active, "UP").await?;
    let elsewhere = cloud.token(&cloud.projects[1]).await?;
    is(&cloud.prober(url, Some(&elsewhere)).await?, active, "DOWN").await
}

async fn addresses(cloud: &Cloud) -> Result<()> {
    let token = cloud.token(&cloud.projects[0]).await?;
    let (url, active) = (cloud.nova.url(), cloud.nova.server("active")?);
    let bare = url.trim_end_matches("/v2.1");
    for (url, words) in [
        (bare, "it answers 300, as where no servers are; nova_url wants its version"),
        (&*format!("{url}/flavors"), "it answers 404, as where no servers are"),
    ] {
        is_silent(&cloud.prober(url, Some(&token)).await?, active, words).await?;
    }
    // With the project in the address, as older catalogues have it.
    is(&cloud.prober(&format!("{url}/{}", cloud.projects[0]), Some(&token)).await?, active, "UP")
        .await
}

async fn logins(cloud: &Cloud) -> Result<()> {
    let active = cloud.nova.server("active")?;
    let (prober, before) = (cloud.prober_of(BY_LOGIN, cloud.login()).await?, cloud.logins());
    for _ in 0..3 {
        is(&prober, active, "UP").await?;
    }
    ensure!(cloud.logins() - before == 1, "{} logins", cloud.logins() - before);
    // A token that was taken back is renewed once Nova has noticed, and nothing is seen of it.
    cloud.keystone.revoke(&cloud.user).await?;
    let renewed = async {
        while cloud.logins() - before < 2 {
            is(&prober, active, "UP").await?;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, renewed).await.context("the token is not renewed")??;
    is(&prober, STRANGER, "DOWN").await?;
    ensure!(cloud.logins() - before == 2, "{} logins after one more", cloud.logins() - before);
    let login = Keystone { scope: Scope::Tenant, ..cloud.login() };
    let by_project = format!("http://compute.openstack/{}", cloud.projects[0]);
    is(&cloud.prober_of(&by_project, login).await?, active, "UP").await?;
    let wrong = Identity::Password {
        user: cloud.user.name.clone(),
        domain: "Default".to_owned(),
        password: Hidden::new("guessed"),
    };
    let wrong = cloud.prober_of(BY_LOGIN, Keystone { identity: wrong, ..cloud.login() }).await?;
    is_silent(&wrong, active, "Keystone answered 401").await?;
    let services = BTreeSet::from(["orchestration".to_owned()]);
    let other = cloud.prober_of(BY_LOGIN, Keystone { services, ..cloud.login() }).await?;
    let told = asked(&other, active).await?;
    ensure!(
        matches!(&told, Err(Failure::Fatal(why)) if why.contains("compute.openstack:80 is not granted")),
        "{told:?}"
    );
    Ok(())
}

async fn watched(cloud: &mut Cloud) -> Result<()> {
    let mut world = cloud.world_of(cloud.login())?;
    let target = |name: &str, id: &str| {
        let properties = json!({"server_id": id});
        json!({"name": name, "type": "nova_vm", "properties": properties, "interval_ms": 1000})
    };
    let active = cloud.nova.server("active")?.to_owned();
    let targets = [
        target("well", &active),
        target("ill", cloud.nova.server("error")?),
        target("off", cloud.nova.server("stopped")?),
        target("none", STRANGER),
    ];
    register(&world, &targets).await?;
    world.start_host().await?;
    let all = |well: &str| json!({"well": well, "ill": "FAIL", "off": "DOWN", "none": "DOWN", "version": 4});
    shown(&world, all("UP")).await?;
    cloud.nova.fail(&active).await?;
    shown(&world, all("FAIL")).await?;
    // In its place somebody hangs up; each target is asked for twice and more.
    cloud.nova.kill()?;
    let deaf = TcpListener::bind(("127.0.0.1", cloud.nova.port()?)).await?;
    for _ in 0..3 * targets.len() {
        timeout(Duration::from_secs(30), deaf.accept()).await.context("the host gave up")??;
    }
    drop(deaf);
    cloud.nova.restart()?;
    cloud.nova.delete(&active).await?;
    shown(&world, all("DOWN")).await?;
    world.stop_host().await?;
    let history = world.history().await?;
    let told = history.iter().filter(|event| event.key == STATUSES);
    let told = told.map(|event| parse(event.value.as_deref().unwrap_or_default()));
    // What is not known in time, on a busy machine, is left out.
    let mut told: Vec<_> = told.filter_map(|told| told.get("well").cloned()).collect();
    told.dedup();
    ensure!(told == ["UP", "FAIL", "DOWN"], "{told:?}");
    for event in &history {
        let value = String::from_utf8_lossy(event.value.as_deref().unwrap_or_default());
        // Keystone's tokens begin so.
        ensure!(!value.contains("gAAAA"), "{} holds a token", event.key);
    }
    Ok(())
}
