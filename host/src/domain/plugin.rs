//! A plugin in service, as its host tells of it.

/// One plugin of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginStatus {
    /// Its name: the handler's or the prober's.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What it is for.
    pub kind: PluginKind,
    /// The SHA-256 of the version in service, in hex.
    pub digest: String,
    /// Since when that version is in service, in milliseconds of Unix time.
    pub since_ms: u64,
    /// Whether its compiled code came from the cache.
    pub is_from_cache: bool,
    /// How far it is trusted.
    pub stage: Stage,
    /// The SHA-256 of the version before it, while there is a way back to it.
    pub former: Option<String>,
    /// No calls until then, in milliseconds of Unix time, as it faulted again and again.
    pub paused_until_ms: Option<u64>,
    /// Why the newest version of its file is not in service.
    pub refused: Option<String>,
    /// What it asks for, against what it is granted.
    pub wishes: Vec<PluginWish>,
}

/// One thing that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginWish {
    /// Its kind and what for: `http heat:8004`.
    pub asked: String,
    /// How it stands: `granted`, `refused`, `unset`, `unasked`, `beyond`, `unclear`.
    pub standing: String,
    /// The line in the plugin's table that would grant it, where it lacks.
    pub line: Option<String>,
}

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    /// It handles jobs.
    Handler,
    /// It probes what is registered.
    Prober,
}

/// How far a version is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It gets all calls.
    Trusted,
    /// It gets all calls, and goes out again at the first fault.
    OnTrial,
    /// It gets a share of the jobs, and goes out again at the first fault.
    Canary,
}

impl PluginKind {
    /// As it is called: `handler`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Prober => "prober",
        }
    }
}

impl Stage {
    /// As it is called: `trusted`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::OnTrial => "on trial",
            Self::Canary => "canary",
        }
    }
}
