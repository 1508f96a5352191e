//! Counts and states, in the text format of Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper ends of the buckets of a call's duration, in seconds.
const CALL_SECONDS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];

type Plugin = [(&'static str, String); 1];
type PluginKind = [(&'static str, String); 2];
type Histograms = Family<Plugin, Histogram, fn() -> Histogram>;

/// The meters of one host; clones are the same meters.
#[derive(Clone)]
pub struct Meters(Arc<Inner>);

struct Inner {
    registry: Registry,
    calls: Family<Plugin, Counter>,
    faults: Family<PluginKind, Counter>,
    call_seconds: Histograms,
    loads: Family<Plugin, Counter>,
    refusals: Family<Plugin, Counter>,
    rollbacks: Family<Plugin, Counter>,
    paused: Family<Plugin, Gauge>,
    jobs_ready: Gauge,
    jobs_running: Gauge,
    leads: Gauge,
    is_ready: AtomicBool,
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

fn histogram() -> Histogram {
    Histogram::new(CALL_SECONDS)
}

impl Meters {
    /// Meters that show nothing yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("stokehold");
        let new: fn() -> Histogram = histogram;
        let inner = Inner {
            calls: Family::default(),
            faults: Family::default(),
            call_seconds: Histograms::new_with_constructor(new),
            loads: Family::default(),
            refusals: Family::default(),
            rollbacks: Family::default(),
            paused: Family::default(),
            jobs_ready: Gauge::default(),
            jobs_running: Gauge::default(),
            leads: Gauge::default(),
            is_ready: AtomicBool::new(false),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("calls", "Calls of a plugin that have ended", inner.calls.clone());
        r.register("faults", "Calls without an answer, by their kind", inner.faults.clone());
        r.register("call_seconds", "Duration of the calls", inner.call_seconds.clone());
        r.register("plugin_loads", "Versions put in service", inner.loads.clone());
        r.register("plugin_refusals", "Versions not put in service", inner.refusals.clone());
        r.register("plugin_rollbacks", "Versions taken out again", inner.rollbacks.clone());
        r.register("plugin_paused", "1 while faults in a row pause it", inner.paused.clone());
        r.register("jobs_ready", "Jobs that wait for a host", inner.jobs_ready.clone());
        r.register("jobs_running", "Jobs that this host works on", inner.jobs_running.clone());
        r.register("leads", "1 while this host leads", inner.leads.clone());
        Self(Arc::new(Inner { registry, ..inner }))
    }

    /// A call has ended, with a fault of this kind if with any.
    pub fn call(&self, plugin: &str, took: Duration, fault: Option<&'static str>) {
        self.0.calls.get_or_create(&named(plugin)).inc();
        self.0.call_seconds.get_or_create(&named(plugin)).observe(took.as_secs_f64());
        if let Some(kind) = fault {
            let labels = [("plugin", plugin.to_owned()), ("kind", kind.to_owned())];
            self.0.faults.get_or_create(&labels).inc();
        }
    }

    /// A version was put in service.
    pub fn loaded(&self, plugin: &str) {
        self.0.loads.get_or_create(&named(plugin)).inc();
        self.0.paused.get_or_create(&named(plugin)).set(0);
    }

    /// A version was not put in service.
    pub fn refused(&self, plugin: &str) {
        self.0.refusals.get_or_create(&named(plugin)).inc();
    }

    /// A version was taken out again.
    pub fn rolled_back(&self, plugin: &str) {
        self.0.rollbacks.get_or_create(&named(plugin)).inc();
    }

    /// A plugin was paused, or is no more.
    pub fn paused(&self, plugin: &str, is_paused: bool) {
        self.0.paused.get_or_create(&named(plugin)).set(i64::from(is_paused));
    }

    /// How many jobs are ready in the store, and how many run here.
    pub fn jobs(&self, ready: usize, running: usize) {
        self.0.jobs_ready.set(i64::try_from(ready).unwrap_or(i64::MAX));
        self.0.jobs_running.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// Whether this host leads.
    pub fn leads(&self, leads: bool) {
        self.0.leads.set(i64::from(leads));
    }

    /// Whether this host takes part: it has a lease, and others see it.
    pub fn ready(&self, is_ready: bool) {
        self.0.is_ready.store(is_ready, Ordering::Relaxed);
    }

    /// What was last said of that.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Relaxed)
    }

    /// Everything as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A string takes whatever is written.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

fn named(plugin: &str) -> Plugin {
    [("plugin", plugin.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_was_counted_stands_in_the_text() {
        let meters = Meters::new();
        meters.loaded("heat_worker");
        meters.refused("heat_worker");
        meters.rolled_back("heat_worker");
        meters.call("heat_worker", Duration::from_millis(20), None);
        meters.call("heat_worker", Duration::from_millis(70), Some("trap"));
        meters.paused("heat_worker", true);
        meters.jobs(3, 2);
        meters.leads(true);
        let text = meters.text();
        for line in [
            "stokehold_calls_total{plugin=\"heat_worker\"} 2",
            "stokehold_faults_total{plugin=\"heat_worker\",kind=\"trap\"} 1",
            "stokehold_call_seconds_bucket{le=\"0.05\",plugin=\"heat_worker\"} 1",
            "stokehold_call_seconds_count{plugin=\"heat_worker\"} 2",
            "stokehold_plugin_loads_total{plugin=\"heat_worker\"} 1",
            "stokehold_plugin_refusals_total{plugin=\"heat_worker\"} 1",
            "stokehold_plugin_rollbacks_total{plugin=\"heat_worker\"} 1",
            "stokehold_plugin_paused{plugin=\"heat_worker\"} 1",
            "stokehold_jobs_ready 3",
            "stokehold_jobs_running 2",
            "stokehold_leads 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in:\n{text}");
        }
    }
}
