//! What a guest can reach while it is called: one file per import of the contract, and a narrow part of WASI.
//!
//! Files, environment and sockets are linked because standard libraries and interpreters import them unasked. The
//! former two are empty, and no socket reaches an address that was not granted.

mod body;
mod config;
mod http;
mod limit;
mod log;
mod monitor;
mod output;
mod params;
mod refusals;
mod script;
mod sockets;
mod stack_output;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::WasiSocketsView as _;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use self::http::Gate;
use self::limit::Limiter;
use self::log::LogBudget;
use self::output::Output;
use self::refusals::Refusals;
use self::sockets::{NamesView, Wire};
use super::bindings::{self, types};
use super::call::{Lookup, Plugin};
use super::witness::Witness;
use crate::domain::{Posted, Report, ResourceRef, Stack};

/// Handles (streams, requests, timers) a guest may hold at once.
const HANDLES_MAX: usize = 256;
/// Bytes of all names and values of one request's header.
const FIELDS_BYTES_MAX: usize = 32 << 10;
/// Stacks and states of others a guest may ask for in one call.
const LOOKUPS_MAX: u32 = 1_000;
/// Found stacks that are remembered till the call ends, beside those that the job's parameters name.
const KNOWN_MAX: usize = 64;
/// Bytes of a kind or an id that a guest may ask for; kinds and ids of stored things are shorter.
const NAME_BYTES_MAX: usize = 512;
/// Random bytes a guest may ask for at once.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// All that the host knows of one call; gone when the call is over.
pub(crate) struct Guest {
    plugin: Arc<Plugin>,
    work: Option<Work>,
    breach: Option<String>,
    pub(crate) limiter: Limiter,
    log: LogBudget,
    output: Output,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    gate: Gate,
    witness: Option<Arc<Witness>>,
    wire: Arc<Wire>,
    refusals: Arc<Refusals>,
}

/// The job at hand; there is none while a plugin describes itself or probes.
pub(crate) struct Work {
    posted: Arc<Posted>,
    stacks: Stacks,
    report: Report,
    report_bytes: u64,
}

/// Other resources, as far as the store was asked about them.
struct Stacks {
    lookup: Arc<dyn Lookup>,
    known: BTreeMap<ResourceRef, Option<Arc<Stack>>>,
    lookups_left: u32,
}

impl Work {
    pub(crate) fn new(posted: Arc<Posted>, lookup: Arc<dyn Lookup>) -> Self {
        let stacks = Stacks { lookup, known: BTreeMap::new(), lookups_left: LOOKUPS_MAX };
        Self { posted, stacks, report: Report::default(), report_bytes: 0 }
    }
}

impl Guest {
    /// A guest that works on a job.
    pub(crate) fn working(plugin: &Arc<Plugin>, work: Work) -> Self {
        let job = Some(work.posted.job.id.to_string());
        Self { work: Some(work), ..Self::new(plugin, true, job) }
    }

    /// A guest that probes: no job, but the network.
    pub(crate) fn probing(plugin: &Arc<Plugin>) -> Self {
        Self::new(plugin, true, None)
    }

    /// A guest that says what it is: no job, no network.
    pub(crate) fn described(plugin: &Arc<Plugin>) -> Self {
        Self::new(plugin, false, None)
    }

    fn new(plugin: &Arc<Plugin>, has_network: bool, job: Option<String>) -> Self {
        let bounds = &plugin.bounds;
        let output = Output::new(&plugin.name, bounds);
        let refusals = Refusals::new(&plugin.name);
        let wire = Wire::new(plugin, has_network, &refusals);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output.stream("stdout"))
            .stderr(output.stream("stderr"))
            .max_random_size(RANDOM_BYTES_MAX);
        wire.guard(&mut wasi);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        Self {
            work: None,
            breach: None,
            limiter: Limiter::new(bounds),
            log: LogBudget::new(bounds, job),
            output,
            table,
            wasi: wasi.build(),
            http,
            gate: Gate::new(plugin, has_network, &refusals),
            witness: None,
            wire,
            refusals,
            plugin: Arc::clone(plugin),
        }
    }

    /// The same guest, seen by a witness if there is one.
    pub(crate) fn seen_by(mut self, witness: Option<&Arc<Witness>>) -> Self {
        if let Some(witness) = witness {
            self.output.show(witness);
            self.gate.show(witness);
            self.witness = Some(Arc::clone(witness));
        }
        self
    }

    /// Who sees it.
    pub(crate) fn witness(&self) -> Option<&Arc<Witness>> {
        self.witness.as_ref()
    }

    /// What the guest did against the contract, if that ended the call.
    pub(crate) fn breach(&self) -> Option<&str> {
        self.breach.as_deref()
    }

    /// The end of what it wrote to standard error, on one line.
    pub(crate) fn last_words(&self) -> String {
        self.output.last_words()
    }

    /// Logs the end of what it wrote to standard error, for a fault that has no words of its own.
    pub(crate) fn tell_last_words(&self) {
        let said = self.last_words();
        if !said.is_empty() {
            let (plugin, job) = (&*self.plugin.name, self.log.job());
            tracing::warn!(plugin, job, "it was denied memory before it ended; it said: {said}");
        }
    }

    /// Ends the call: what was left unsaid is logged, and what was reported handed out.
    pub(crate) fn finish(self) -> Report {
        self.output.finish();
        self.refusals.finish();
        self.log.finish(&self.plugin.name);
        self.work.map(|work| work.report).unwrap_or_default()
    }

    fn names(&mut self) -> NamesView<'_> {
        let wire = Arc::clone(&self.wire);
        NamesView { sockets: self.sockets(), wire }
    }

    /// The job, for an import that is of no use without one.
    fn work(&mut self, asked: &str) -> wasmtime::Result<&mut Work> {
        if self.work.is_none() {
            return Err(self.break_off(format!("it called {asked} while there was no job")));
        }
        self.work.as_mut().ok_or_else(|| wasmtime::format_err!("no job"))
    }

    /// Ends the call because the contract was broken.
    fn break_off(&mut self, what: String) -> wasmtime::Error {
        let error = wasmtime::format_err!("{what}");
        self.breach = Some(what);
        error
    }

    /// Counts what is reported against its bound.
    fn account(&mut self, asked: &str, bytes: usize) -> wasmtime::Result<&mut Work> {
        let max = self.plugin.bounds.report_bytes_max;
        let work = self.work(asked)?;
        work.report_bytes = work.report_bytes.saturating_add(bytes as u64);
        if work.report_bytes > max {
            return Err(
                self.break_off(format!("it reported more than {max} bytes (report_bytes_max)"))
            );
        }
        self.work(asked)
    }
}

impl types::Host for Guest {}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.gate }
    }
}

/// What a handler can import.
pub(crate) fn for_workers(plugin: &Plugin) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = for_watchers(plugin)?;
    let l = &mut linker;
    bindings::params::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    bindings::stack_output::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    bindings::state::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    bindings::monitor::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    Ok(linker)
}

/// What a prober can import.
pub(crate) fn for_watchers(plugin: &Plugin) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(plugin.engine.wasmtime());
    let l = &mut linker;
    wasi(l)?;
    if plugin.grants.has_http() {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(l)?;
    }
    types::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    bindings::config::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    bindings::log::add_to_linker::<_, HasSelf<Guest>>(l, |guest| guest)?;
    Ok(linker)
}

fn wasi(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::{cli, filesystem, random};
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |guest| guest.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |guest| guest.ctx().ctx.random())?;
    cli::environment::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, Guest::cli)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, Guest::filesystem)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, Guest::filesystem)?;
    sockets::link(l)
}
