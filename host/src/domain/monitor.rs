//! What is to be watched.

use std::collections::BTreeMap;

use super::{Json, ResourceRef, Version};

/// One registered thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Unique within its resource.
    pub name: String,
    /// Which prober knows how to look at it.
    pub kind: String,
    /// The topic under which collectors outside know the registration.
    pub topic: String,
    /// What the prober needs to know.
    pub properties: Json,
    /// Milliseconds between probes; `None` takes the host's setting.
    pub interval_ms: Option<u64>,
}

/// A name under which others know a resource (`db_mappings`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// That name.
    pub mapped_id: String,
    /// What kind of name it is.
    pub relation: String,
    /// The resource so named.
    pub of: ResourceRef,
}

/// All that is registered for one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registration {
    /// The config version it was registered for.
    pub version: Version,
    /// The resource's tenant; empty if it has none.
    pub tenant_id: String,
    /// By name.
    pub targets: BTreeMap<String, Target>,
    /// In order of registration.
    pub aliases: Vec<Alias>,
}

/// What collectors outside are told of a registration.
#[derive(Clone, Debug, PartialEq)]
pub enum Announcement {
    /// Watch this from now on.
    Watch(Target),
    /// Watch this no more; it is as it was registered.
    Unwatch(Target),
    /// Keep this alias.
    Know(Alias),
    /// Drop this alias.
    Drop(Alias),
}

/// One call of a handler to the monitor.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitorCall {
    /// Watch this; replaces a target of the same name.
    Register(Target),
    /// Watch the target of this name no more.
    Unregister(String),
    /// Keep this alias.
    AddAlias(Alias),
    /// Drop this alias.
    RemoveAlias(Alias),
    /// Forget everything.
    Clear,
}
