//! What a world is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use heat_simulator::Options as HeatOptions;
use stokehold::flow::Pace;
use stokehold::plugin::{Bounds, GrantSource, Keystone, PluginGrants};
use stokehold::rollout::Rules;

/// How long anything may take before the test gives up, unless the setup says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// What a world is made of.
pub struct Setup {
    /// Gohan's schemas, as text.
    pub schemas: Vec<u8>,
    /// The plugin directory.
    pub handlers: PathBuf,
    /// How Heat behaves.
    pub heat: HeatOptions,
    /// Bounds and pauses of the host.
    pub pace: Pace,
    /// Config of `heat_worker`; without `heat_url` it talks to the simulated Heat.
    pub heat_config: BTreeMap<String, String>,
    /// Who logs in for `heat_worker` at OpenStack.
    pub keystone: Option<Keystone>,
    /// Certificate authorities in PEM that `heat_worker` trusts instead of the machine's.
    pub heat_ca: Option<String>,
    /// How long anything may take before the test gives up.
    pub patience: Duration,
    /// Bounds of every call.
    pub bounds: Bounds,
    /// The broker that is told of registrations instead of the probers.
    pub kafka: Option<String>,
    /// What plugins are granted that the world does not know.
    pub granted: BTreeMap<String, PluginGrants>,
    /// Asked instead of all that each time a plugin is loaded.
    pub source: Option<Arc<dyn GrantSource>>,
}

impl Setup {
    /// The shipped plugins, quick pauses, and a Heat that behaves.
    ///
    /// # Errors
    /// When the plugins were not built.
    pub fn new(schemas: Vec<u8>) -> Result<Self> {
        let pace = Pace {
            handler_slots: 8,
            attempts_max: 5,
            backoff_ms_min: 20,
            backoff_ms_max: 200,
            probe_interval_ms: 100,
            probe_spread_ms_max: 100,
            probe_confirmations: 2,
            probe_confirm_ms: 100,
            probes_max: 8,
            // No test outside of `tests/faults` waits for the end of a lease; and no machine stands still for so long.
            lease_ms: 20_000,
            shutdown_ms_max: 2000,
            look_ms: 100,
            rollout: Rules { breaker_ms_min: 100, breaker_ms_max: 1000, ..Rules::default() },
        };
        let heat_config = BTreeMap::from([("poll_ms".to_owned(), "20".to_owned())]);
        Ok(Self {
            schemas,
            handlers: crate::paths::handlers()?,
            heat: HeatOptions::default(),
            pace,
            heat_config,
            keystone: None,
            heat_ca: None,
            patience: PATIENCE,
            bounds: Bounds::default(),
            kafka: None,
            granted: BTreeMap::new(),
            source: None,
        })
    }
}
