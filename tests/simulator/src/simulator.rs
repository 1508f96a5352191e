//! The simulator as a test holds it.

use crate::control;
use crate::faults::Fault;
use crate::heat::show::Snapshot;
use crate::heat::world::End;
use crate::options::Options;
use crate::server;
use crate::shared::{Recorded, Shared, now};
use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running simulator on 127.0.0.1. It stops, with all its connections, when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Simulator {
    /// Listens and serves, in the tokio runtime that this is called in.
    ///
    /// # Errors
    /// When the port is taken, or outside a runtime.
    pub fn start(options: Options) -> Result<Self> {
        let runtime = tokio::runtime::Handle::try_current()
            .context("cannot start the simulator outside a tokio runtime")?;
        let port = options.port;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen on port {port} of 127.0.0.1"))?;
        listener.set_nonblocking(true).context("cannot prepare the listening socket")?;
        let address = listener.local_addr().context("cannot read the listening port")?;
        let shared = Arc::new(Shared::new(options));
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).context("cannot register the listening socket")?
        };
        let serving = runtime.spawn(server::serve(listener, shared.clone()));
        Ok(Self { shared, address, serving })
    }

    /// The base of Heat's API, without the tenant: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// The base of Contrail's analytics: `{this}/analytics/uves/virtual-network/<fq_name>?flat`.
    pub fn analytics_url(&self) -> String {
        self.origin()
    }

    /// The base of Keystone: `{this}/auth/tokens`.
    pub fn auth_url(&self) -> String {
        format!("{}/v3", self.origin())
    }

    /// Gohan's schema endpoint.
    pub fn schemas_url(&self) -> String {
        format!("{}/gohan/v0.1/schemas", self.origin())
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, in order, without those to `/simulator`.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().requests.iter().cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// All stacks as they are now, oldest first, deleted ones too.
    pub fn stacks(&self) -> Vec<Snapshot> {
        let state = self.shared.state();
        let overrides = &self.shared.options.overrides;
        state.world.stacks().iter().map(|stack| Snapshot::of(stack, overrides)).collect()
    }

    /// The newest stack of this name as it is now.
    pub fn stack(&self, name: &str) -> Option<Snapshot> {
        let state = self.shared.state();
        let stack = state.world.stacks().iter().rfind(|stack| stack.name == name)?;
        Some(Snapshot::of(stack, &self.shared.options.overrides))
    }

    /// Puts these failures in force, in place of all others.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.state().faults.set(faults);
    }

    /// Puts one more failure in force; the first that strikes a request counts.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.state().faults.add(vec![fault]);
    }

    /// Ends what is being done to the newest stack of this name as it would end by itself, with
    /// all that follows from it (a rollback, a deletion that waits).
    ///
    /// # Errors
    /// When there is no such stack, or nothing is being done to it.
    pub fn finish(&self, name: &str) -> Result<()> {
        let finished = control::finish_computed(&mut self.shared.state(), name);
        self.shared.changed.notify_waiters();
        finished
    }

    /// Ends only the phase that the stack is in, as it would end by itself: a deletion during a
    /// create goes through `CREATE_IN_PROGRESS`, `CREATE_FAILED` and `DELETE_IN_PROGRESS`.
    pub fn step(&self, name: &str) -> Result<()> {
        self.end(name, None)
    }

    /// Ends what is being done to a stack with this status and reason, and with exactly these
    /// outputs (`{"output_key", "output_value", "description"[, "output_error"]}`).
    ///
    /// # Errors
    /// As of [`Simulator::finish`], and when the status is not an end of what is being done.
    pub fn finish_with(
        &self,
        name: &str,
        status: &str,
        reason: &str,
        outputs: Vec<Json>,
    ) -> Result<()> {
        self.end_as(name, status, reason, Some(outputs))
    }

    /// Ends what is being done to a stack with this status and reason; the outputs are computed.
    pub fn finish_as(&self, name: &str, status: &str, reason: &str) -> Result<()> {
        self.end_as(name, status, reason, None)
    }

    fn end_as(
        &self,
        name: &str,
        status: &str,
        reason: &str,
        outputs: Option<Vec<Json>>,
    ) -> Result<()> {
        let (status, reason) = (status.parse()?, reason.to_owned());
        self.end(name, Some(End { status, reason, outputs }))
    }

    fn end(&self, name: &str, end: Option<End>) -> Result<()> {
        let ended = self.shared.state().world.step(name, end, now());
        self.shared.changed.notify_waiters();
        ended
    }

    /// Waits until something is being done to the newest stack of this name.
    ///
    /// # Errors
    /// When that does not happen within `bound`.
    pub async fn wait_in_progress(&self, name: &str, bound: Duration) -> Result<Snapshot> {
        self.wait_for(name, bound, |stack| stack.status.in_progress()).await
    }

    /// Waits until a request or a test has brought the newest stack of this name to where `is`
    /// holds. What time alone brings about is seen at the next request.
    pub async fn wait_for(
        &self,
        name: &str,
        bound: Duration,
        is: impl Fn(&Snapshot) -> bool,
    ) -> Result<Snapshot> {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(stack) = self.stack(name).filter(&is) {
                    return stack;
                }
                changed.await;
            }
        };
        let Ok(stack) = tokio::time::timeout(bound, wait).await else {
            let last = self.stack(name).map(|stack| stack.status.to_string());
            let last = last.unwrap_or_else(|| "not there".into());
            bail!("cannot wait for stack {name}: after {bound:?} it is {last}");
        };
        Ok(stack)
    }

    /// Makes analytics say that nothing of this fully qualified name is known.
    pub fn set_down(&self, fq_name: &str) {
        self.shared.state().down.insert(fq_name.to_owned());
    }

    /// Takes [`Simulator::set_down`] back.
    pub fn set_up(&self, fq_name: &str) {
        self.shared.state().down.remove(fq_name);
    }

    /// Makes all tokens invalid, as their expiry would; new ones can be had.
    pub fn revoke_tokens(&self) {
        self.shared.state().tokens.clear();
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
