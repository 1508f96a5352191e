//! The contract's nouns as plain Rust, so that plugins and their tests need no generated code.

use std::fmt;

use crate::Json;

/// One resource, as the API server knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceRef {
    /// Schema id, singular: `port`.
    pub resource_type: String,
    /// Unique within its type.
    pub resource_id: String,
}

impl ResourceRef {
    /// A reference to the resource `id` of type `resource_type`.
    pub fn new(resource_type: impl Into<String>, resource_id: impl Into<String>) -> Self {
        Self { resource_type: resource_type.into(), resource_id: resource_id.into() }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource_type, self.resource_id)
    }
}

/// What a job is to do with its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Put up what is not there yet.
    Create,
    /// Change in place what is there.
    Modify,
    /// Take down: the template is gone, the update recreates, or the config was removed.
    Delete,
    /// Take down: the resource was marked for deletion.
    LogicalDelete,
}

impl Action {
    /// As states spell it, before `_ERROR`: both deletions are `DELETE`.
    pub fn state_word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Modify => "MODIFY",
            Self::Delete | Self::LogicalDelete => "DELETE",
        }
    }

    /// Whether the resource is to be gone afterwards.
    pub fn takes_down(self) -> bool {
        matches!(self, Self::Delete | Self::LogicalDelete)
    }
}

/// One piece of work for one handler and one version of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// `action:handler:type:id:version:suffix`, the same at every call for this job.
    pub id: String,
    /// What to do.
    pub action: Action,
    /// The resource it is about.
    pub target: ResourceRef,
    /// The config version that asked for this job.
    pub version: u64,
    /// How many tries of this job failed before this one; 0 at first.
    pub attempt: u32,
    /// The id of the template chosen for this handler.
    pub template_id: String,
    /// The template's text, as it was stored.
    pub template: String,
    /// The resource's config body, a JSON object.
    pub resource_input: Json,
}

/// What comes next for a job that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Done. What was reported becomes visible together with this.
    Completed,
    /// To be called again; the instance is dropped meanwhile.
    Pending {
        /// Milliseconds until the next call; the host may call later, never much earlier.
        after_ms: u64,
        /// Given back at the next call, on whichever host that is. It lies in the store, readable:
        /// no place for secrets.
        checkpoint: Json,
    },
}

/// How a handler takes a new version of a resource it has put up already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateStyle {
    /// One `modify` job.
    Modify,
    /// A `delete` job with the old params, then a `create` job with the new.
    Recreate,
}

/// An asked limit. The host's settings have the last word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which limit: `memory-bytes`, `call-ms`.
    pub name: String,
    /// In the unit that ends its name.
    pub value: u64,
}

/// An asked grant. The operator gives it, and is told at load what a plugin asks for and lacks: ask
/// for what it cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `http`, `udp`, `tcp`, `config` or `secret`.
    pub kind: String,
    /// For `http` a host, with its port unless it is 80: `heat:8004`; for `udp` and `tcp` an address
    /// and a port; for `config` the key; for `secret` the name.
    pub value: String,
}

impl Grant {
    /// Asks for the value of a setting.
    pub fn config(key: &str) -> Self {
        Self { kind: "config".to_owned(), value: key.to_owned() }
    }

    /// Asks for requests to a host: `heat:8004`.
    pub fn http(host: &str) -> Self {
        Self { kind: "http".to_owned(), value: host.to_owned() }
    }

    /// Asks for requests to the host of the address in a setting, if it is set.
    pub fn http_of(key: &str) -> Self {
        Self { kind: "http".to_owned(), value: format!("config:{key}") }
    }

    /// Asks for datagrams to an address and a port: `10.0.0.0/8:161`.
    pub fn udp(address: &str) -> Self {
        Self { kind: "udp".to_owned(), value: address.to_owned() }
    }

    /// Asks for connections to an address and a port: `10.0.0.0/8:22`.
    pub fn tcp(address: &str) -> Self {
        Self { kind: "tcp".to_owned(), value: address.to_owned() }
    }

    /// Asks for a secret that the host puts into requests, by the name that stands in
    /// `{{secret:NAME}}`.
    pub fn secret(name: &str) -> Self {
        Self { kind: "secret".to_owned(), value: name.to_owned() }
    }
}

/// What a handler says of itself when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The handler's name in templates: `heat_worker`.
    pub name: String,
    /// The handlers it comes after in every workflow.
    pub after: Vec<String>,
    /// How it takes an update.
    pub update: UpdateStyle,
    /// Limits it asks for; none means the host's.
    pub limits: Vec<Limit>,
    /// Grants it asks for.
    pub grants: Vec<Grant>,
}

impl Description {
    /// A handler that comes after no other, modifies in place and asks for nothing.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            after: Vec::new(),
            update: UpdateStyle::Modify,
            limits: Vec::new(),
            grants: Vec::new(),
        }
    }

    /// Comes after this handler in every workflow.
    #[must_use]
    pub fn after(mut self, handler: &str) -> Self {
        self.after.push(handler.to_owned());
        self
    }

    /// Takes an update this way.
    #[must_use]
    pub fn update(mut self, style: UpdateStyle) -> Self {
        self.update = style;
        self
    }

    /// Asks for a limit.
    #[must_use]
    pub fn limit(mut self, name: &str, value: u64) -> Self {
        self.limits.push(Limit { name: name.to_owned(), value });
        self
    }

    /// Asks for a grant.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }
}

/// What a prober says of itself when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probing {
    /// The prober's name.
    pub name: String,
    /// The kinds of target it knows.
    pub kinds: Vec<String>,
    /// Limits it asks for; none means the host's.
    pub limits: Vec<Limit>,
    /// Grants it asks for.
    pub grants: Vec<Grant>,
}

impl Probing {
    /// A prober that knows nothing yet and asks for nothing.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), kinds: Vec::new(), limits: Vec::new(), grants: Vec::new() }
    }

    /// Knows this kind of target.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kinds.push(kind.to_owned());
        self
    }

    /// Asks for a limit.
    #[must_use]
    pub fn limit(mut self, name: &str, value: u64) -> Self {
        self.limits.push(Limit { name: name.to_owned(), value });
        self
    }

    /// Asks for a grant.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }
}

/// One registered thing, as a prober sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The resource it belongs to.
    pub of: ResourceRef,
    /// Its name within the resource.
    pub name: String,
    /// Its kind, one of those the prober named.
    pub kind: String,
    /// As registered, a JSON object.
    pub properties: Json,
}

/// The record of one resource's stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// The stack's name; empty after a deletion.
    pub stack_id: String,
    /// The project it lives in.
    pub tenant_id: String,
    /// As the orchestrator says it: `CREATE_COMPLETE`.
    pub status: String,
    /// The orchestrator's words for it; may be empty.
    pub status_reason: String,
    /// In the orchestrator's order.
    pub outputs: Vec<Output>,
}

/// One output of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The name under which others ask for it.
    pub key: String,
    /// Its value; null where it could not be computed.
    pub value: Json,
    /// What the template says of it.
    pub description: String,
    /// Why it could not be computed.
    pub error: Option<String>,
}

/// One thing to watch about the job's resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name, unique within the resource.
    pub name: String,
    /// Which prober knows how: `virtual_machine_interface`.
    pub kind: String,
    /// The topic under which the registration is known to collectors outside.
    pub topic: String,
    /// What the prober needs to know, a JSON object.
    pub properties: Json,
    /// Milliseconds between two probes; the host's setting where absent.
    pub interval_ms: Option<u64>,
}

/// A name under which others know the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// That name.
    pub mapped_id: String,
    /// What kind of name it is: `baremetal`.
    pub relation: String,
    /// Another type than the job's resource.
    pub resource_type: Option<String>,
    /// Another id than the job's resource.
    pub resource_id: Option<String>,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every step.
    Trace,
    /// For finding a fault.
    Debug,
    /// What an operator wants to know.
    Info,
    /// Odd, but it goes on.
    Warn,
    /// It does not go on.
    Error,
}
