//! The nouns of the house: data without effects, texts or opinions.
//!
//! Nothing here imports another room, reads a clock or knows how an entry is spelled; that is `wire`'s work.
//! In reading order: the resource and its schema, how templates map it to params, the jobs this yields, what a
//! handler answers, what the API server reads, and the entries all of it is kept under.

pub mod applied;
pub mod entry;
pub mod handler;
pub mod job;
pub mod keystone;
pub mod mapping;
pub mod monitor;
pub mod name;
pub mod peers;
pub mod plugin;
pub mod recording;
pub mod resource;
pub mod schema;
pub mod stack;
pub mod state;
pub mod template;
pub mod verdict;

pub use applied::{Applied, Base};
pub use entry::{Content, Effect, Entry, Fact, Guard, Transaction};
pub use handler::{Handler, Handlers, UpdateStyle};
pub use job::{Action, Job, OnFailure, Param, ParamValue, Posted, Step};
pub use keystone::{Identity, Keystone, Scope};
pub use mapping::{IdField, Mapping, PathStep, Test, Walk};
pub use monitor::{Alias, Announcement, MonitorCall, Registration, Target};
pub use name::{HandlerName, HostId, JobId, Kind, ResourceId, Revision, TemplateId, Version};
pub use peers::{Peers, PluginFault, Presence, ProberKinds, weight};
pub use plugin::{PluginKind, PluginStatus, PluginWish, Stage};
pub use recording::{Exchange, Message, Recording};
pub use resource::{Resource, ResourceRef};
pub use schema::{Schema, Schemas};
pub use stack::{Output, Stack};
pub use state::{Fields, State};
pub use template::Template;
pub use verdict::{Failure, Fault, Report, Verdict};

/// A free JSON value, as a resource's body or an output has it.
pub type Json = serde_json::Value;
