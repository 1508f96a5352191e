//! What the operator decides: flags over environment over file over defaults, every bound with its
//! unit last.
//!
//! Reading is pure: the sources are given, nothing here opens a file or looks at the environment.
//! One table makes the struct, the flags, the names in the environment and the keys of the file, so
//! they cannot differ. Relative paths are meant from the working directory, wherever the file lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Result, ensure};

mod plugins;
mod source;
#[cfg(test)]
mod tests;
mod value;

pub use plugins::{Injected, Keystone, Plugin, Source, own_file};
pub use value::{LogFormat, MonitorOut, SchemaSource, Secret, StorePlace, without_login};

use source::{File, Sources};

/// The file that is read when no other is named, if it is there.
pub const FILE: &str = "stokehold.toml";
/// What every name in the environment begins with.
pub const ENVIRONMENT: &str = "STOKEHOLD_";

/// One setting, as it is listed, documented and spelled.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its key in the file; with dashes its flag, in capitals behind [`ENVIRONMENT`] its variable.
    pub name: &'static str,
    /// What counts where nobody said anything.
    pub default: &'static str,
    /// What it decides.
    pub what: &'static str,
    /// What it may be.
    pub form: Form,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// A text that no message may show.
    Secret,
    /// A whole number from the first to the second.
    Number(u64, u64),
}

impl Row {
    /// `handler_slots` → `handler-slots`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// `handler_slots` → `STOKEHOLD_HANDLER_SLOTS`.
    pub fn variable(&self) -> String {
        format!("{ENVIRONMENT}{}", self.name.to_uppercase())
    }
}

macro_rules! settings {
    ($( $(#[doc = $what:literal])+ $name:ident: $type:ty = $default:literal, $form:expr; )*) => {
        /// All settings, checked.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $( $(#[doc = $what])+ pub $name: $type, )*
            /// What was said about single plugins, by name.
            pub plugins: BTreeMap<String, Plugin>,
            /// Variables that look like ours but are none: worth a warning, as a typing error stays
            /// silent otherwise.
            pub unknown_variables: Vec<String>,
        }

        /// The table: one row for each setting.
        pub const ROWS: &[Row] = &[ $( Row {
            name: stringify!($name),
            default: $default,
            what: concat!($($what),+),
            form: $form,
        } ),* ];

        fn read(
            sources: &Sources,
            plugins: BTreeMap<String, Plugin>,
            unknown_variables: Vec<String>,
        ) -> Result<Settings> {
            Ok(Settings {
                $( $name: sources.value(&Row {
                    name: stringify!($name),
                    default: $default,
                    what: concat!($($what),+),
                    form: $form,
                })?, )*
                plugins,
                unknown_variables,
            })
        }
    };
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

settings! {
    /// Where everything is kept: a folder, as `PATH` or `embedded:PATH`, or an etcd, as `etcd://a:2379,b:2379`
    /// (`etcds://` with TLS).
    store: StorePlace = "embedded:./stokehold-data", Form::Text;
    /// User of the etcd, if it asks for one.
    etcd_user: Option<String> = "", Form::Text;
    /// Password of that user.
    etcd_password: Option<Secret> = "", Form::Secret;
    /// PEM file with the certificates of those who sign the etcd's; `etcds://` needs it.
    etcd_ca_file: Option<PathBuf> = "", Form::Text;
    /// PEM file with this program's certificate, if the etcd asks for one.
    etcd_cert_file: Option<PathBuf> = "", Form::Text;
    /// PEM file with the key of that certificate.
    etcd_key_file: Option<PathBuf> = "", Form::Text;
    /// Time that one request to the etcd may take, all tries together.
    etcd_timeout_ms: u64 = "5000", Form::Number(100, 600_000);
    /// Folder of the plugins, one `<name>.wasm` each; `<name>.toml` beside it says what that one may do.
    handlers: PathBuf = "./handlers", Form::Text;
    /// Pause between two looks at that folder; what has changed is in service after two of them.
    look_ms: u64 = "250", Form::Number(10, DAY_MS);
    /// Of a hundred jobs, how many a new version of a plugin gets at first; 0 or 100 gives it all at once.
    canary_percent: u64 = "0", Form::Number(0, 100);
    /// Good calls after which it gets all.
    canary_calls_min: u64 = "20", Form::Number(1, 1_000_000);
    /// Good calls before which a fault of a new version puts the former one back; 0 never does.
    rollback_calls: u64 = "5", Form::Number(0, 1_000_000);
    /// Faults of a plugin in a row that pause it; its jobs wait. 0 never does.
    breaker_faults_max: u64 = "10", Form::Number(0, 1_000_000);
    /// The first such pause; it doubles with each further one.
    breaker_ms_min: u64 = "1000", Form::Number(1, DAY_MS);
    /// The longest such pause.
    breaker_ms_max: u64 = "60000", Form::Number(1, DAY_MS);
    /// Where `/metrics`, `/healthz` and `/readyz` are served, `127.0.0.1:9464` say. Empty: nowhere.
    metrics: Option<String> = "", Form::Text;
    /// Folder for compiled plugins; private, may be removed at any time.
    cache: PathBuf = "./stokehold-cache", Form::Text;
    /// SHA-256 digests of the plugins that may be loaded: a file as `sha256sum` writes it, or digests with commas.
    /// Empty: any plugin.
    trusted_digests: Option<String> = "", Form::Text;
    /// Public keys of minisign, as files or in base64, with commas. A plugin then needs `<name>.wasm.minisig` beside
    /// it, made with one of them. Empty: no signature is asked for.
    trusted_keys: Option<String> = "", Form::Text;
    /// Plugins whose calls are recorded for `stokehold job replay`, with commas; `*` is all. Empty: none.
    record_calls: Option<String> = "", Form::Text;
    /// Folder for recorded calls; private, may be removed at any time.
    recordings: PathBuf = "./stokehold-recordings", Form::Text;
    /// Recorded calls that are kept, the newest ones.
    recordings_max: u64 = "1000", Form::Number(1, 1_000_000);
    /// Bytes of all recorded calls together.
    recordings_bytes_max: u64 = "268435456", Form::Number(1, 1 << 40);
    /// Bytes of bodies of requests and answers that are recorded of one call.
    recording_bytes_max: u64 = "4194304", Form::Number(0, 1 << 30);
    /// Gohan's schemas: a file, or the address of Gohan. Empty: those an earlier run stored.
    schemas: Option<SchemaSource> = "", Form::Text;
    /// Token for Gohan, sent as `X-Auth-Token` when the schemas are fetched.
    gohan_token: Option<Secret> = "", Form::Secret;
    /// What is logged: a level, or a filter such as `info,stokehold::plugin=debug`.
    log: String = "info", Form::Text;
    /// How it is logged: `human` or `json`.
    log_format: LogFormat = "human", Form::Text;
    /// Jobs of one handler that run at the same time on this host.
    handler_slots: usize = "8", Form::Number(1, 4096);
    /// Failed tries after which a job has failed for good.
    attempts_max: u32 = "10", Form::Number(1, 1000);
    /// Pause after the first failed try; it doubles with each further one.
    backoff_ms_min: u64 = "1000", Form::Number(1, DAY_MS);
    /// The longest pause between two tries.
    backoff_ms_max: u64 = "60000", Form::Number(1, DAY_MS);
    /// The longest time one call of a plugin may take.
    call_ms_max: u64 = "30000", Form::Number(1, DAY_MS);
    /// The most memory one call of a plugin may have.
    memory_bytes_max: u64 = "67108864", Form::Number(1 << 20, 1 << 32);
    /// Time that a plugin has to describe itself when it is loaded.
    describe_ms_max: u64 = "5000", Form::Number(1, DAY_MS);
    /// Calls of one plugin at the same time on this host; further ones wait.
    calls_max: u64 = "64", Form::Number(1, 10_000);
    /// Elements of one table of a plugin; those with an interpreter have some ten thousand.
    table_elements_max: u64 = "100000", Form::Number(1, 100_000);
    /// Modules that one plugin is put together from; those with an interpreter have some forty.
    modules_max: u64 = "64", Form::Number(1, 64);
    /// Bytes that one call of a plugin may report: stack, state, monitor and checkpoint together.
    report_bytes_max: u64 = "1048576", Form::Number(1, 1 << 30);
    /// Requests that one call of a plugin may send.
    http_requests_max: u64 = "1000", Form::Number(1, 1_000_000);
    /// Bytes of the body of one request or answer of a plugin.
    http_body_bytes_max: u64 = "16777216", Form::Number(1, 1 << 32);
    /// Datagrams and connections that one call of a plugin may send and make.
    socket_sends_max: u64 = "10000", Form::Number(1, 1_000_000);
    /// Plugin instances alive at the same time, calls of handlers and probes together.
    instances_max: u32 = "64", Form::Number(1, 10_000);
    /// Log lines kept of one call of a plugin.
    log_lines_max: u64 = "200", Form::Number(1, 100_000);
    /// Bytes kept of one of these lines.
    log_line_bytes_max: u64 = "4096", Form::Number(16, 1 << 20);
    /// Bytes kept of what one call of a plugin writes to its standard output, and as many of its standard error.
    stdout_bytes_max: u64 = "65536", Form::Number(1, 1 << 30);
    /// Time from one probe of a target to the next, where it asks for no other.
    probe_interval_ms: u64 = "60000", Form::Number(100, DAY_MS);
    /// Time over which the first probes of new targets are spread.
    probe_spread_ms_max: u64 = "5000", Form::Number(0, DAY_MS);
    /// Equal probes in a row after which a change of status counts; the first status counts at once.
    probe_confirmations: u32 = "2", Form::Number(1, 100);
    /// Pause before a change of status is looked at again.
    probe_confirm_ms: u64 = "1000", Form::Number(100, DAY_MS);
    /// Probes at the same time on this host.
    probes_max: usize = "32", Form::Number(1, 4096);
    /// Who watches what is registered, if not this host's probers: a Kafka, as `kafka://a:9092,b:9092`. The same on
    /// all hosts.
    monitor_out: Option<MonitorOut> = "", Form::Text;
    /// What the topics begin with that plugins may name; what is to go to another one is refused.
    kafka_topics: String = "monitor_", Form::Text;
    /// Time that telling a Kafka may take; a job whose registration could not be told is tried again until it is.
    kafka_timeout_ms: u64 = "10000", Form::Number(100, 600_000);
    /// Time after which a silent host is taken for dead and its jobs go to others.
    lease_ms: u64 = "10000", Form::Number(1000, DAY_MS);
    /// Time that running calls get to end when the host is asked to.
    shutdown_ms_max: u64 = "10000", Form::Number(0, DAY_MS);
    /// Past revisions the embedded store keeps for watchers that fell behind.
    history_revisions_max: u64 = "100000", Form::Number(1000, 1_000_000_000);
    /// The same bound in bytes, as they lie in its file; the nearer one counts.
    history_bytes_max: u64 = "268435456", Form::Number(1 << 20, 1 << 40);
    /// Largest size of the embedded store's file in bytes; while it is reached, nothing is committed.
    file_bytes_max: u64 = "68719476736", Form::Number(1 << 20, 1 << 46);
}

impl Settings {
    /// Reads and checks everything. `file` is its name, for messages, and its text.
    ///
    /// # Errors
    /// Names the source and the key and says what is allowed; the text of a secret is never part of it.
    pub fn from_sources(
        flags: &Flags,
        environment: &BTreeMap<String, String>,
        file: Option<(&str, &str)>,
    ) -> Result<Self> {
        Self::gather(flags, environment, file, true)
    }

    /// The same for those who run no plugin: what is said about single plugins is passed over.
    ///
    /// # Errors
    /// Those of [`Settings::from_sources`], but for what is said about single plugins.
    pub fn without_plugins(
        flags: &Flags,
        environment: &BTreeMap<String, String>,
        file: Option<(&str, &str)>,
    ) -> Result<Self> {
        Self::gather(flags, environment, file, false)
    }

    fn gather(
        flags: &Flags,
        environment: &BTreeMap<String, String>,
        file: Option<(&str, &str)>,
        with_plugins: bool,
    ) -> Result<Self> {
        let mut file = file.map(|(name, text)| File::parse(name, text)).transpose()?;
        let tables = file.as_mut().and_then(|file| file.table.remove("plugins"));
        if let Some(file) = &file {
            file.only_known_keys()?;
        }
        let mut plugins = BTreeMap::new();
        let mut unknown = Vec::new();
        if with_plugins {
            let name = file.as_ref().map_or(FILE, |file| &file.name);
            plugins = tables.map_or_else(|| Ok(BTreeMap::new()), |t| plugins::tables(name, t))?;
            plugins::add_flags(&mut plugins, flags)?;
            unknown = plugins::add_variables(&mut plugins, environment)?;
            plugins::add_config_flags(&mut plugins, flags)?;
        }
        let settings = read(&Sources { flags, environment, file }, plugins, unknown)?;
        settings.fit_together()?;
        Ok(settings)
    }

    /// What was said about this plugin; nothing was is nothing granted.
    pub fn plugin(&self, name: &str) -> Plugin {
        self.plugins.get(name).cloned().unwrap_or_default()
    }

    fn fit_together(&self) -> Result<()> {
        ensure!(
            self.backoff_ms_min <= self.backoff_ms_max,
            "backoff_ms_min ({}) must not be above backoff_ms_max ({})",
            self.backoff_ms_min,
            self.backoff_ms_max
        );
        ensure!(
            self.breaker_ms_min <= self.breaker_ms_max,
            "breaker_ms_min ({}) must not be above breaker_ms_max ({})",
            self.breaker_ms_min,
            self.breaker_ms_max
        );
        let wanted = self.handler_slots + self.probes_max;
        ensure!(
            usize::try_from(self.instances_max).is_ok_and(|most| wanted <= most),
            "instances_max ({}) must be at least handler_slots + probes_max ({wanted})",
            self.instances_max
        );
        Ok(())
    }
}

/// What the command line says, as it stands there.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Setting → text.
    pub values: BTreeMap<String, String>,
    /// `plugin=host:port`, each a grant.
    pub grant_http: Vec<String>,
    /// `plugin=address:port`, each a grant of datagrams.
    pub grant_udp: Vec<String>,
    /// `plugin=address:port`, each a grant of connections.
    pub grant_tcp: Vec<String>,
    /// Plugins that have a file of their own: what environment and flags say is laid over that.
    pub own_files: BTreeSet<String>,
    /// `plugin.key=value`.
    pub config: Vec<String>,
}
