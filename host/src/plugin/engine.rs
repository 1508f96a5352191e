//! The engine that compiles and runs guests: one per process, with its pool, its ticker and its HTTP client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::component::Component;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use super::cache::Cache;
use crate::http_client::HttpClient;

/// Components that carry an interpreter link some forty core instances.
pub(crate) const CORE_INSTANCES_MAX: u32 = 64;
/// Linear memories of one guest.
pub(crate) const MEMORIES_MAX: u32 = 4;
/// Tables of one guest.
pub(crate) const TABLES_MAX: u32 = 16;
/// Elements of one table; interpreters have large ones.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// Bytes a slot of the pool spans; what a guest may use of it is bounded per call.
const MEMORY_SLOT_BYTES: usize = 4 << 30;
/// Bytes of bookkeeping of one component, with all its core instances.
const INSTANCE_BYTES_MAX: usize = 32 << 20;

/// Requests of all guests together that wait for an answer; further ones wait for a place.
const REQUESTS_MAX: usize = 256;

/// The engine's own bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Calls that may run at the same time; further ones wait for a place.
    pub instances_max: u32,
    /// Bytes of a guest's memory that stay resident for the next guest: wiping is cheaper than mapping anew.
    pub keep_resident_bytes: usize,
    /// Milliseconds a guest may compute before it lets others have the thread.
    pub tick_ms: u64,
    /// Whether traps are told with file and line, where components have line tables. For authors: a stranger's debug
    /// information is not read by a host that serves.
    pub reads_lines: bool,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { instances_max: 128, keep_resident_bytes: 1 << 20, tick_ms: 10, reads_lines: false }
    }
}

/// Compiles and runs components; clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    http: HttpClient,
    slots: Semaphore,
    requests: Arc<Semaphore>,
    compilations: AtomicU64,
    pooled: bool,
    _ticker: Ticker,
}

impl Engine {
    /// Starts an engine. Where the pool of instances cannot be reserved, each instance is made on demand.
    ///
    /// # Errors
    /// The machine cannot run compiled WebAssembly, or there is no thread or TLS to be had.
    pub fn new(settings: &EngineSettings) -> anyhow::Result<Self> {
        let (engine, pooled) = match wasmtime::Engine::new(&config(settings, true)) {
            Ok(engine) => (engine, true),
            Err(why) => {
                tracing::warn!(
                    "cannot reserve a pool of {} instances, they are made on demand, which is \
                     slower: lower instances_max or allow more address space (ulimit -v): {why:#}",
                    settings.instances_max
                );
                let engine =
                    wasmtime::Engine::new(&config(settings, false)).map_err(anyhow::Error::from);
                (engine.context("cannot start the WebAssembly engine")?, false)
            }
        };
        let ticker = Ticker::start(&engine, Duration::from_millis(settings.tick_ms.max(1)))?;
        let slots = usize::try_from(settings.instances_max.max(1)).unwrap_or(usize::MAX);
        Ok(Self(Arc::new(Inner {
            engine,
            http: HttpClient::new()?,
            slots: Semaphore::new(slots.min(Semaphore::MAX_PERMITS)),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            compilations: AtomicU64::new(0),
            pooled,
            _ticker: ticker,
        })))
    }

    /// How many components were compiled since the start; what comes from the cache does not count.
    pub fn compilations(&self) -> u64 {
        self.0.compilations.load(Ordering::Relaxed)
    }

    /// Whether instances come from a reserved pool.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }

    /// The client whose connections guests use.
    pub fn http(&self) -> &HttpClient {
        &self.0.http
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    /// Waits for a place to run a guest.
    pub(crate) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        self.0.slots.acquire().await.ok()
    }

    /// The places of requests on their way.
    pub(crate) fn requests(&self) -> &Arc<Semaphore> {
        &self.0.requests
    }

    /// Machine code for a component, from the cache if it knows it, else compiled, which takes its time; and whether
    /// it came from the cache.
    pub(crate) fn component(
        &self,
        bytes: &[u8],
        digest: &str,
        cache: Option<&Cache>,
    ) -> wasmtime::Result<(Component, bool)> {
        let entry = cache.map(|cache| (cache, Cache::name(&self.0.engine, digest)));
        if let Some((cache, name)) = &entry
            && let Some(component) = cache.get(&self.0.engine, name)
        {
            return Ok((component, true));
        }
        let component = Component::from_binary(&self.0.engine, bytes)?;
        self.0.compilations.fetch_add(1, Ordering::Relaxed);
        if let Some((cache, name)) = &entry {
            cache.put(name, &component);
        }
        Ok((component, false))
    }
}

fn config(settings: &EngineSettings, pooled: bool) -> Config {
    let lines = if settings.reads_lines {
        WasmBacktraceDetails::Enable
    } else {
        WasmBacktraceDetails::Disable
    };
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .memory_init_cow(true)
        // Where it is not asked for, a stranger's debug information is not read: its function names are enough.
        .wasm_backtrace_details(lines);
    if pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(settings)));
    }
    config
}

fn pooling(settings: &EngineSettings) -> PoolingAllocationConfig {
    let instances = settings.instances_max.max(1);
    let mut pool = PoolingAllocationConfig::new();
    // Every place may hold the largest guest that is allowed, so that whoever has a place also finds room.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(instances.saturating_mul(MEMORIES_MAX))
        .total_tables(instances.saturating_mul(TABLES_MAX))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_SLOT_BYTES)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(settings.keep_resident_bytes)
        .table_keep_resident(settings.keep_resident_bytes)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The thread that moves the epoch on, so that guests that compute for long let others go on.
struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: &wasmtime::Engine, tick: Duration) -> anyhow::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let engine = engine.weak();
        let thread = std::thread::Builder::new()
            .name("epoch ticker".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(tick) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let Some(engine) = engine.upgrade() else { return };
                    engine.increment_epoch();
                }
            })
            .context("cannot start the epoch ticker")?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread only waits and counts; it has no way to panic that were worth telling.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pool_that_cannot_be_reserved_is_done_without() {
        let small = EngineSettings { instances_max: 2, ..EngineSettings::default() };
        assert!(Engine::new(&small).unwrap().is_pooled());
        let vast = EngineSettings { instances_max: 1_000_000, ..EngineSettings::default() };
        assert!(!Engine::new(&vast).unwrap().is_pooled());
    }

    #[test]
    fn the_ticker_ends_with_its_engine() {
        let engine = Engine::new(&EngineSettings::default()).unwrap();
        let weak = engine.wasmtime().weak();
        drop(engine);
        assert!(weak.upgrade().is_none(), "the ticker's thread was joined and holds nothing");
    }
}
