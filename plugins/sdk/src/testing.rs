//! A host made of a script, for native tests of plugins: params, settings and HTTP answers are told
//! beforehand, what the plugin did is asked afterwards.
//!
//! ```
//! use stokehold_sdk::testing::{ScriptedHost, answer, job, to_the_end};
//! use stokehold_sdk::{
//!     Action, Description, Host, Job, Json, Method, Next, Request, ResourceRef, Verdict, Worker,
//!     json,
//! };
//!
//! /// Registers a name and waits until it is known.
//! struct NameWorker;
//!
//! impl Worker for NameWorker {
//!     fn describe() -> Description {
//!         Description::new("name_worker")
//!     }
//!
//!     fn handle(host: &dyn Host, _job: &Job, checkpoint: Option<Json>) -> Verdict {
//!         let url = format!("http://names/{}", host.param::<String>("name")?);
//!         if checkpoint.is_none() {
//!             let put = Request::put(&url);
//!             host.http(&put)?.success(&put)?;
//!             return Next::pending(1000, &"asked");
//!         }
//!         let get = Request::get(&url);
//!         host.http(&get)?.success(&get)?;
//!         host.report("name", &json!("known"));
//!         Ok(Next::Completed)
//!     }
//! }
//!
//! let host = ScriptedHost::new()
//!     .param("name", "www")
//!     .expect(Method::Put, "http://names/www", answer(202, json!(null)))
//!     .expect(Method::Get, "http://names/www", answer(200, json!({})));
//! let job = job(Action::Create, ResourceRef::new("port", "p1"), "");
//! assert_eq!(to_the_end::<NameWorker>(&host, &job, 5), Ok(Next::Completed));
//! assert_eq!(host.now_ms(), 1000);
//! assert_eq!(host.finish().reports["name"], json!("known"));
//! ```

// It fails the test that uses it.
#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use crate::{
    Action, Host, HttpError, Job, Json, Level, Mapping, Method, NamedError, Next, Output, Outside,
    ParamError, Request, ResourceRef, Response, Stack, Target, Verdict, Worker,
};

/// A job as tests want it: version 1, first try, an empty input.
pub fn job(action: Action, target: ResourceRef, template: &str) -> Job {
    Job {
        id: format!("{action:?}:worker:{target}:1:abcde").to_lowercase(),
        action,
        target,
        version: 1,
        attempt: 0,
        template_id: "template".to_owned(),
        template: template.to_owned(),
        resource_input: Json::Object(serde_json::Map::new()),
    }
}

/// Calls a worker as a host does: again with each checkpoint it gives, after the time it asked for,
/// until it is done or has failed. The host's clock passes the time; nobody waits.
///
/// # Panics
/// It is still pending after `calls_max` calls.
pub fn to_the_end<W: Worker>(host: &ScriptedHost, job: &Job, calls_max: usize) -> Verdict {
    let mut checkpoint = None;
    for _ in 0..calls_max {
        match W::handle(host, job, checkpoint.take()) {
            Ok(Next::Pending { after_ms, checkpoint: next }) => {
                host.pass_ms(after_ms);
                checkpoint = Some(next);
            }
            ended => return ended,
        }
    }
    panic!("still pending after {calls_max} calls, with the checkpoint {checkpoint:?}")
}

/// What a plugin did to its registration, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitorCall {
    /// `register`.
    Register(Target),
    /// `unregister`.
    Unregister(String),
    /// `add_mapping`.
    AddMapping(Mapping),
    /// `remove_mapping`.
    RemoveMapping(Mapping),
    /// `clear`.
    Clear,
}

/// What the other side of the network says.
pub type Answer = Result<Response, HttpError>;

/// An answer with a status and a JSON body.
#[allow(clippy::unnecessary_wraps)] // It stands beside answers that are errors.
#[allow(clippy::needless_pass_by_value)] // So that `json!` can be written in place.
pub fn answer(status: u16, body: Json) -> Answer {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Ok(Response { status, headers: Vec::new(), body })
}

/// A redirect to this address.
pub fn redirect(location: &str) -> Answer {
    let headers = vec![("Location".to_owned(), location.to_owned())];
    Ok(Response { status: 302, headers, body: Vec::new() })
}

/// A connection that gives no answer.
pub fn no_answer() -> Answer {
    Err(HttpError::Trouble("connection refused".to_owned()))
}

struct Exchange {
    method: Method,
    url: String,
    answer: Answer,
}

/// The host. Dropping it without [`ScriptedHost::finish`] is fine; `finish` demands that the whole
/// script was played.
#[derive(Default)]
pub struct ScriptedHost {
    params: BTreeMap<String, Result<Json, ParamError>>,
    settings: BTreeMap<String, String>,
    stacks: BTreeMap<ResourceRef, Stack>,
    states: BTreeMap<ResourceRef, Json>,
    out_of_reach: Option<String>,
    script: RefCell<VecDeque<Exchange>>,
    network: Option<Network>,
    seen: RefCell<Seen>,
    now_ms: Cell<u64>,
}

/// Answers requests in place of a script.
type Network = Box<dyn Fn(&Request) -> Answer>;

/// What a plugin did.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All requests, in order.
    pub requests: Vec<Request>,
    /// Reported fields.
    pub reports: BTreeMap<String, Json>,
    /// The stack record set last.
    pub stack: Option<Stack>,
    /// Calls to the monitor, in order.
    pub monitor: Vec<MonitorCall>,
    /// Log lines, in order.
    pub log: Vec<(Level, String)>,
}

impl ScriptedHost {
    /// A host that knows nothing and expects no request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a param.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.params.insert(name.to_owned(), Ok(value.into()));
        self
    }

    /// Gives all fields of a JSON object as params.
    #[must_use]
    pub fn params(self, all: &Json) -> Self {
        let fields = all.as_object().into_iter().flatten();
        fields.fold(self, |host, (name, value)| host.param(name, value.clone()))
    }

    /// Gives a param that cannot be had.
    #[must_use]
    pub fn broken_param(mut self, name: &str, error: ParamError) -> Self {
        self.params.insert(name.to_owned(), Err(error));
        self
    }

    /// Gives a setting.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Gives the stack record of another resource.
    #[must_use]
    pub fn stack(mut self, of: ResourceRef, stack: Stack) -> Self {
        self.stacks.insert(of, stack);
        self
    }

    /// Gives an output to the stack of a resource, and the stack, if it has none.
    #[must_use]
    pub fn output(mut self, of: ResourceRef, key: &str, value: impl Into<Json>) -> Self {
        let output = Output {
            key: key.to_owned(),
            value: value.into(),
            description: String::new(),
            error: None,
        };
        self.stacks.entry(of).or_default().outputs.push(output);
        self
    }

    /// Stacks and states cannot be looked up, for this reason. A param that cannot is a
    /// [`ScriptedHost::broken_param`].
    #[must_use]
    pub fn out_of_reach(mut self, why: &str) -> Self {
        self.out_of_reach = Some(why.to_owned());
        self
    }

    /// Gives the state of another resource.
    #[must_use]
    pub fn state(mut self, of: ResourceRef, state: Json) -> Self {
        self.states.insert(of, state);
        self
    }

    /// The next request must be this one, and gets this answer.
    #[must_use]
    pub fn expect(self, method: Method, url: &str, answer: Answer) -> Self {
        self.script.borrow_mut().push_back(Exchange { method, url: url.to_owned(), answer });
        self
    }

    /// All requests are answered by this function, and nothing is expected.
    #[must_use]
    pub fn network(mut self, answer: impl Fn(&Request) -> Answer + 'static) -> Self {
        self.network = Some(Box::new(answer));
        self
    }

    /// Lets time pass: the clock stands still otherwise. It begins at 0.
    pub fn pass_ms(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    fn reach(&self) -> Result<(), String> {
        self.out_of_reach.clone().map_or(Ok(()), Err)
    }

    /// What the plugin did until now.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// What the plugin did. Requests that were expected and not sent fail the test.
    pub fn finish(self) -> Seen {
        let left: Vec<_> =
            self.script.borrow().iter().map(|e| format!("{} {}", e.method, e.url)).collect();
        assert!(left.is_empty(), "requests that were expected and not sent: {left:#?}");
        self.seen.into_inner()
    }
}

impl Seen {
    /// The JSON body of the request at this place; null for an empty one.
    pub fn body(&self, at: usize) -> Json {
        let request = self.requests.get(at).expect("there are as many requests");
        if request.body.is_empty() {
            return Json::Null;
        }
        serde_json::from_slice(&request.body).expect("the body is JSON")
    }
}

impl Outside for ScriptedHost {
    fn config(&self, key: &str) -> Option<String> {
        self.settings.get(key).cloned()
    }

    fn log(&self, level: Level, message: &str) {
        self.seen.borrow_mut().log.push((level, message.to_owned()));
    }

    fn http(&self, request: &Request) -> Result<Response, HttpError> {
        self.seen.borrow_mut().requests.push(request.clone());
        if let Some(network) = &self.network {
            return network(request);
        }
        let asked = format!("{} {}", request.method, request.url);
        let Some(next) = self.script.borrow_mut().pop_front() else {
            panic!("a request that nobody expected: {asked}")
        };
        assert_eq!(asked, format!("{} {}", next.method, next.url), "not the expected request");
        next.answer
    }
}

impl Host for ScriptedHost {
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn param_names(&self) -> Vec<String> {
        self.params.keys().cloned().collect()
    }

    fn resolve(&self, name: &str) -> Result<Json, ParamError> {
        let unknown = || Err(ParamError::Unknown(name.to_owned()));
        self.params.get(name).cloned().unwrap_or_else(unknown)
    }

    fn resolve_all(&self) -> Result<Json, Box<NamedError>> {
        let named = |(name, value): (&String, &Result<Json, ParamError>)| match value {
            Ok(value) => Ok((name.clone(), value.clone())),
            Err(error) => Err(Box::new(NamedError { name: name.clone(), error: error.clone() })),
        };
        self.params.iter().map(named).collect::<Result<_, _>>().map(Json::Object)
    }

    fn publish(&self, stack: &Stack) {
        self.seen.borrow_mut().stack = Some(stack.clone());
    }

    fn find_stack(&self, of: &ResourceRef) -> Result<Option<Stack>, String> {
        self.reach()?;
        Ok(self.stacks.get(of).cloned())
    }

    fn report(&self, field: &str, value: &Json) {
        self.seen.borrow_mut().reports.insert(field.to_owned(), value.clone());
    }

    fn find_state(&self, of: &ResourceRef) -> Result<Option<Json>, String> {
        self.reach()?;
        Ok(self.states.get(of).cloned())
    }

    fn register(&self, target: &Target) {
        self.seen.borrow_mut().monitor.push(MonitorCall::Register(target.clone()));
    }

    fn unregister(&self, name: &str) {
        self.seen.borrow_mut().monitor.push(MonitorCall::Unregister(name.to_owned()));
    }

    fn add_mapping(&self, mapping: &Mapping) {
        self.seen.borrow_mut().monitor.push(MonitorCall::AddMapping(mapping.clone()));
    }

    fn remove_mapping(&self, mapping: &Mapping) {
        self.seen.borrow_mut().monitor.push(MonitorCall::RemoveMapping(mapping.clone()));
    }

    fn clear(&self) {
        self.seen.borrow_mut().monitor.push(MonitorCall::Clear);
    }
}

#[cfg(test)]
mod tests;
