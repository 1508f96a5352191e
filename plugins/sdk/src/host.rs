//! What a plugin is, and what it may ask of its host.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    Description, Failure, HttpError, Job, Json, Level, Mapping, NamedError, ParamError, Probing,
    Request, ResourceRef, Response, Stack, Subject, Target, Verdict,
};

/// One handler of jobs.
pub trait Worker {
    /// What the handler is called and how it wants to be used; asked once when the plugin is
    /// loaded.
    fn describe() -> Description;

    /// Does the job, or one step of it. It may be called twice for the same job and checkpoint:
    /// after a crash the host cannot know whether the first call had an effect.
    ///
    /// `checkpoint` is what the last [`Next::Pending`](crate::Next::Pending) of this job gave, none
    /// at the first call. Nothing of the instance survives the call.
    fn handle(host: &dyn Host, job: &Job, checkpoint: Option<Json>) -> Verdict;
}

/// Something that looks whether registered things are up.
///
/// ```
/// use stokehold_sdk::{
///     Failure, Grant, Outside, Prober, Probing, Request, Subject, export_prober,
/// };
///
/// /// A web server is up when it answers.
/// struct WebProber;
///
/// impl Prober for WebProber {
///     fn describe() -> Probing {
///         Probing::new("web_prober").kind("web_server").grant(Grant::config("web_url"))
///     }
///
///     fn probe(host: &dyn Outside, subject: &Subject) -> Result<String, Failure> {
///         let url = host.config("web_url").ok_or_else(|| Failure::fatal("web_url is not set"))?;
///         let request = Request::get(format!("{url}/{}", subject.name)).timeout_ms(5_000);
///         // Without an answer nothing is known: the failure leaves the last status as it is.
///         let is_up = host.http(&request)?.is_success();
///         Ok(if is_up { "UP" } else { "DOWN" }.to_owned())
///     }
/// }
///
/// export_prober!(WebProber);
/// ```
pub trait Prober {
    /// What the prober is called and what it knows; asked once when the plugin is loaded.
    fn describe() -> Probing;

    /// How the subject is now: `UP` or `DOWN`; `MASTER` or `BACKUP` for sessions that have such
    /// roles. A failure says nothing about the subject: its last status stays.
    fn probe(host: &dyn Outside, subject: &Subject) -> Result<String, Failure>;
}

/// What a plugin may offer beside its work: a dry call before a new version of it, or the same with
/// other settings, takes over from the one in service.
///
/// ```
/// use stokehold_sdk::{
///     Description, Failure, Host, Job, Json, Next, Outside, Trial, Verdict, Worker, export_trial,
///     export_worker,
/// };
///
/// struct NameWorker;
///
/// impl Worker for NameWorker {
///     // …
/// #   fn describe() -> Description { Description::new("name_worker") }
/// #   fn handle(_: &dyn Host, _: &Job, _: Option<Json>) -> Verdict { Ok(Next::Completed) }
/// }
///
/// impl Trial for NameWorker {
///     fn attempt(host: &dyn Outside) -> Result<(), Failure> {
///         host.config("names_url").ok_or_else(|| Failure::fatal("names_url is not set"))?;
///         Ok(())
///     }
/// }
///
/// export_worker!(NameWorker);
/// export_trial!(NameWorker);
/// ```
pub trait Trial {
    /// Whether this version could work with its settings and grants. A failure of either kind keeps
    /// the version before it in service, and its words tell the operator why; a plugin that comes
    /// new to a running host does not come in. It must change nothing, here or elsewhere. When the
    /// host starts it is not called: there is nothing to fall back to.
    fn attempt(host: &dyn Outside) -> Result<(), Failure>;
}

/// What workers and probers alike may ask.
pub trait Outside {
    /// The value of a granted setting; none where the operator set nothing.
    fn config(&self, key: &str) -> Option<String>;

    /// One line for the operator; the host adds job and handler, and cuts what is too long.
    fn log(&self, level: Level, message: &str);

    /// One request to a granted host. Redirects are answers like any other: nobody follows them.
    fn http(&self, request: &Request) -> Result<Response, HttpError>;
}

/// What a worker may ask. What it sets is committed with its verdict, never before.
pub trait Host: Outside {
    /// The time by the machine's clock, in milliseconds since 1970. The next call of a job may be
    /// made by another machine, whose clock differs.
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The names of all params, in alphabetical order.
    fn param_names(&self) -> Vec<String>;

    /// The value of one param; output keys are looked up at this moment.
    fn resolve(&self, name: &str) -> Result<Json, ParamError>;

    /// All params as one JSON object, or the first one that cannot be had.
    fn resolve_all(&self) -> Result<Json, Box<NamedError>>;

    /// Sets the stack record of the job's own resource; the last call counts.
    fn publish(&self, stack: &Stack);

    /// The committed stack record of a resource; an error text where the store could not be asked.
    fn find_stack(&self, of: &ResourceRef) -> Result<Option<Stack>, String>;

    /// Reports one field of the resource's state, merged over what earlier jobs of the workflow
    /// reported. A string is shown as it is, anything else as JSON text.
    fn report(&self, field: &str, value: &Json);

    /// The committed `/state` entry of a resource; an error text where the store could not be
    /// asked.
    fn find_state(&self, of: &ResourceRef) -> Result<Option<Json>, String>;

    /// Watch this from now on; replaces a target of the same name.
    fn register(&self, target: &Target);

    /// Watch this no more; unknown names are no error.
    fn unregister(&self, name: &str);

    /// Keep this mapping with the registration.
    fn add_mapping(&self, mapping: &Mapping);

    /// Drop this mapping; an unknown one is no error.
    fn remove_mapping(&self, mapping: &Mapping);

    /// Forget all targets and mappings of the job's resource.
    fn clear(&self);
}

/// All settings a plugin asked for, by key; what is not set is absent, and so is what is blank.
impl dyn Outside + '_ {
    /// The values of these settings.
    pub fn settings(&self, keys: &[&'static str]) -> BTreeMap<&'static str, String> {
        let set = |key: &&'static str| {
            let value = self.config(key)?.trim().to_owned();
            (!value.is_empty()).then_some((*key, value))
        };
        keys.iter().filter_map(set).collect()
    }
}
