//! What the server and the test share: the stacks, the failures, the requests seen.

use crate::call::Call;
use crate::faults::Faults;
use crate::heat::Moment;
use crate::heat::world::World;
use crate::options::Options;
use serde_json::Value as Json;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};
use tokio::sync::Notify;

/// A request as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with the query, as it was sent.
    pub path: String,
    /// The body; null when it was empty, a text when it was not JSON.
    pub body: Json,
}

/// All that changes while the simulator runs.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) requests: VecDeque<Recorded>,
    /// Tokens given out and not revoked, besides the one of the options.
    pub(crate) tokens: BTreeSet<String>,
    /// Names that analytics says are down.
    pub(crate) down: BTreeSet<String>,
    /// How often the schema endpoint still fails.
    pub(crate) schema_failures: u32,
}

/// The state behind its lock, and a bell for those who wait for a change of it.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) options: Options,
    pub(crate) changed: Notify,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let mut faults = Faults::default();
        faults.set(options.faults.clone());
        let state = State {
            world: World::new(options.clone()),
            faults,
            requests: VecDeque::new(),
            tokens: options.token.clone().into_iter().collect(),
            down: BTreeSet::new(),
            schema_failures: options.schemas.as_ref().map_or(0, |schemas| schemas.failures),
        };
        Self { state: Mutex::new(state), options, changed: Notify::new() }
    }

    /// The state as of now. A panic of another holder, which would be a defect, is not passed on.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.world.catch_up(now());
        state
    }
}

impl State {
    pub(crate) fn record(&mut self, call: &Call, kept_max: usize) {
        let body = if call.body.is_empty() {
            Json::Null
        } else {
            serde_json::from_slice(&call.body)
                .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(&call.body).into_owned()))
        };
        let (method, path) = (call.method.clone(), call.target.clone());
        self.requests.push_back(Recorded { method, path, body });
        while self.requests.len() > kept_max {
            self.requests.pop_front();
        }
    }
}

/// Now, by both clocks.
pub(crate) fn now() -> Moment {
    Moment { at: Instant::now(), wall: SystemTime::now() }
}
