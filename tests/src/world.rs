//! A world for the whole host: a store of its own, a simulated Heat, and hosts that come and go.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use heat_simulator::Simulator;
use serde_json::{Value as Json, json};
use stokehold::admin::Meters;
use stokehold::domain::Schemas;
use stokehold::flow::{self, House};
use stokehold::kafka::Kafka;
use stokehold::plugin::{self, Engine, EngineSettings, Loaded, PluginGrants, PluginSettings};
use stokehold::store::embedded::{Embedded, Options, Role};
use stokehold::store::{Event, Outcome, Store, Txn, Write};
use stokehold::wire;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::etcd::Cluster;
pub use crate::stored::parse;

mod setup;
mod waiting;

pub use self::setup::Setup;

use self::setup::PATIENCE;

/// How long one try to tell a Kafka may take.
const DELIVERY: Duration = Duration::from_secs(3);

/// A running world.
pub struct World {
    /// Everything that is stored.
    pub store: Arc<dyn Store>,
    /// The simulated Heat.
    pub heat: Simulator,
    /// The resource types.
    pub schemas: Arc<Schemas>,
    /// What the hosts of this process count, all together.
    pub meters: Meters,
    setup: Setup,
    hosts: Vec<Running>,
    etcd: Option<Cluster>,
    folder: tempfile::TempDir,
}

/// A host of this process: what stops it, and how it ended.
type Running = (oneshot::Sender<()>, JoinHandle<Result<()>>);

impl World {
    /// A world with one running host.
    ///
    /// # Errors
    /// When any of its parts cannot be started.
    pub async fn start(setup: Setup) -> Result<Self> {
        let mut world = Self::without_host(setup, Role::Host)?;
        world.start_host().await?;
        Ok(world)
    }

    /// A world in which nobody runs jobs yet. As a visitor it leaves the store to a host of another process.
    ///
    /// # Errors
    /// When any of its parts cannot be started.
    pub fn without_host(setup: Setup, role: Role) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
        let store = Embedded::open(&folder.path().join("store"), Options::new(role))?;
        Self::around(setup, Arc::new(store), None, folder)
    }

    /// A world on etcd in which nobody runs jobs yet.
    ///
    /// # Errors
    /// When any of its parts cannot be started.
    pub async fn on_etcd(setup: Setup, etcd: Cluster) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the world")?;
        let store = etcd.store().await?;
        Self::around(setup, store, Some(etcd), folder)
    }

    fn around(
        mut setup: Setup,
        store: Arc<dyn Store>,
        etcd: Option<Cluster>,
        folder: tempfile::TempDir,
    ) -> Result<Self> {
        let (schemas, complaints) = wire::schemas::read(&setup.schemas)?;
        if let Some(complaint) = complaints.first() {
            bail!("schemas of the test: {complaint}");
        }
        let heat = Simulator::start(std::mem::take(&mut setup.heat))?;
        let (schemas, meters, hosts) = (Arc::new(schemas), Meters::new(), Vec::new());
        Ok(Self { store, heat, schemas, meters, setup, hosts, etcd, folder })
    }

    /// The command that runs a host of this world in a process of its own.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn host_command(&self) -> Result<Command> {
        let schemas = self.folder().join("schemas.json");
        // By the environment, so that a test may name others by flag.
        std::fs::write(&schemas, &self.setup.schemas).context("cannot write the schemas")?;
        let pace = &self.setup.pace;
        let mut command = Command::new(crate::paths::program("stokehold")?);
        command.arg("run").current_dir(self.folder());
        match &self.etcd {
            None => command.arg("--store").arg(self.folder().join("store")),
            Some(etcd) => command.arg("--store").arg(etcd.address()),
        };
        command.arg("--handlers").arg(&self.setup.handlers);
        command.arg("--cache").arg(crate::paths::cache()?);
        command.env("STOKEHOLD_SCHEMAS", schemas);
        for (name, value) in [
            ("--attempts-max", u64::from(pace.attempts_max)),
            ("--backoff-ms-min", pace.backoff_ms_min),
            ("--backoff-ms-max", pace.backoff_ms_max),
            ("--probe-interval-ms", pace.probe_interval_ms),
            ("--probe-spread-ms-max", pace.probe_spread_ms_max),
            ("--probe-confirmations", u64::from(pace.probe_confirmations)),
            ("--probe-confirm-ms", pace.probe_confirm_ms),
            ("--lease-ms", pace.lease_ms),
            ("--shutdown-ms-max", pace.shutdown_ms_max),
        ] {
            command.arg(name).arg(value.to_string());
        }
        command.args(self.heat_settings());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }

    /// Loads the plugins and starts a host: another one, where the store allows several.
    ///
    /// # Errors
    /// When the engine cannot be made.
    pub async fn start_host(&mut self) -> Result<()> {
        let plugins = self.plugins().await?;
        // Each host has connections of its own.
        let store = match &self.etcd {
            None => Arc::clone(&self.store),
            Some(etcd) => etcd.store().await?,
        };
        let outlet = self.setup.kafka.iter();
        let outlet = outlet
            .map(|broker| Kafka::new(vec![broker.clone()], DELIVERY, "monitor_".to_owned()))
            .next();
        let house = House {
            store,
            schemas: Arc::clone(&self.schemas),
            plugins,
            pace: self.setup.pace,
            meters: self.meters.clone(),
            outlet: outlet.map(Arc::new),
        };
        let (stop, stopped) = oneshot::channel();
        let run = flow::run(house, async move {
            let _ = stopped.await;
        });
        self.hosts.push((stop, tokio::spawn(run)));
        Ok(())
    }

    /// Ends all hosts as SIGTERM does.
    ///
    /// # Errors
    /// What a host ended with.
    pub async fn stop_host(&mut self) -> Result<()> {
        let (stops, hosts): (Vec<_>, Vec<_>) = self.hosts.drain(..).unzip();
        for stop in stops {
            let _ = stop.send(());
        }
        for host in hosts {
            tokio::time::timeout(self.setup.patience, host)
                .await
                .context("a host did not end")???;
        }
        Ok(())
    }

    /// Ends the host that was started first as SIGTERM does; the others go on.
    ///
    /// # Errors
    /// There is none, or what it ended with.
    pub async fn stop_one_host(&mut self) -> Result<()> {
        if self.hosts.is_empty() {
            bail!("there is no host to be stopped");
        }
        let (stop, host) = self.hosts.remove(0);
        let _ = stop.send(());
        tokio::time::timeout(PATIENCE, host).await.context("a host did not end")??
    }

    /// The etcd that everything is stored in, if it is one.
    pub fn etcd(&self) -> Option<&Cluster> {
        self.etcd.as_ref()
    }

    /// The plugins as a host loads them, with Heat and the analytics granted.
    ///
    /// # Errors
    /// When the engine cannot be made.
    pub async fn plugins(&self) -> Result<Loaded> {
        let engine = Engine::new(&EngineSettings::default())?;
        let settings = PluginSettings {
            bounds: self.setup.bounds.clone(),
            cache_dir: Some(crate::paths::cache()?),
            per_plugin: self.grants(),
            source: self.setup.source.clone(),
            ..PluginSettings::default()
        };
        Ok(plugin::load(&engine, &self.setup.handlers, &settings).await)
    }

    /// The same as flags of a command.
    pub fn heat_settings(&self) -> Vec<String> {
        let mut flags = Vec::new();
        for (plugin, grants) in self.grants() {
            for http in grants.http {
                flags.extend(["--grant-http".to_owned(), format!("{plugin}={http}")]);
            }
            for (key, value) in grants.config {
                flags.extend(["--config".to_owned(), format!("{plugin}.{key}={value}")]);
            }
        }
        flags
    }

    /// What the plugins are granted: Heat and the analytics, both simulated unless another Heat is set.
    fn grants(&self) -> BTreeMap<String, PluginGrants> {
        let simulated = self.heat.url();
        let heat_url = self.setup.heat_config.get("heat_url").unwrap_or(&simulated);
        let analytics_url = self.heat.analytics_url();
        let authority = |url: &str| url.split('/').nth(2).unwrap_or_default().to_owned();
        let mut heat = PluginGrants { http: vec![authority(heat_url)], ..PluginGrants::default() };
        heat.config.clone_from(&self.setup.heat_config);
        heat.keystone.clone_from(&self.setup.keystone);
        heat.http_ca.clone_from(&self.setup.heat_ca);
        if heat.keystone.is_some() {
            // The login is the one thing it needs.
            heat.http.clear();
        }
        heat.config.insert("heat_url".into(), heat_url.clone());
        let mut prober =
            PluginGrants { http: vec![authority(&analytics_url)], ..PluginGrants::default() };
        prober.config.insert("analytics_url".into(), analytics_url);
        let mut all = self.setup.granted.clone();
        all.extend([("heat_worker".to_owned(), heat), ("contrail_prober".to_owned(), prober)]);
        all
    }

    /// How the next host is started.
    pub fn setup_mut(&mut self) -> &mut Setup {
        &mut self.setup
    }

    /// The world's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets one key.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn put(&self, key: &str, value: &Json) -> Result<u64> {
        let value = serde_json::to_vec(value)?;
        self.write(Write::Put { key: key.to_owned(), value, lease: None }).await
    }

    /// Removes one key.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn remove(&self, key: &str) -> Result<u64> {
        self.write(Write::Delete { key: key.to_owned() }).await
    }

    async fn write(&self, write: Write) -> Result<u64> {
        match self.store.commit(Txn { compares: Vec::new(), writes: vec![write] }).await? {
            Outcome::Committed(revision) => Ok(revision),
            Outcome::Conflict(revision) => bail!("conflict at {revision} without a comparison"),
        }
    }

    /// Writes a config as Gohan does: the body as text.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn config(&self, key: &str, body: &Json, version: u64, marked: bool) -> Result<u64> {
        let body = body.to_string();
        let value = json!({"body": body, "version": version, "marked_for_deletion": marked});
        self.put(&format!("/config{key}"), &value).await
    }

    /// One value, parsed; a text that is not JSON comes as a string.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(&self, key: &str) -> Result<Option<Json>> {
        Ok(self.store.get(key).await?.map(|kv| parse(&kv.value)))
    }

    /// Everything under a prefix.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn all(&self, prefix: &str) -> Result<BTreeMap<String, Json>> {
        let mut found = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.list(prefix, after.as_deref(), 1000).await?;
            after = page.entries.last().map(|kv| kv.key.clone());
            found.extend(page.entries.into_iter().map(|kv| (kv.key, parse(&kv.value))));
            if !page.more {
                return Ok(found);
            }
        }
    }

    /// All changes since the world began.
    ///
    /// # Errors
    /// When the store cannot be watched.
    pub async fn history(&self) -> Result<Vec<Event>> {
        let now = self.store.list("/", None, 1).await?.revision;
        let mut watch = self.store.watch(&["/"], 0).await?;
        let mut events = Vec::new();
        let mut reached = 0;
        while reached < now {
            let batch = watch.next().await?;
            reached = batch.revision;
            events.extend(batch.events);
        }
        Ok(events)
    }
}
