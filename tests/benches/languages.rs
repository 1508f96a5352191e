//! The same handler in Rust, Python and JavaScript, beside the same work in native Rust: a record is sent to a DNS
//! server on this machine, in times and in ratios. And what a call costs that gives up at once, as its setting is
//! missing, in Python and JavaScript beside Rust.
//!
//! Python and JavaScript come from `cargo xtask languages`; without them they are left out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a measurement")]

// One module for all that compares two sides.
#[path = "../../host/benches/measure/mod.rs"]
mod measure;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use measure::{Wanted, ratio, seconds};
use serde_json::{Value as Json, json};
use stokehold::domain::{
    Action, Failure, HandlerName, Job, JobId, OnFailure, Param, ParamValue, Posted, ResourceRef,
    Stack, TemplateId, Verdict, Version,
};
use stokehold::http_client::{HttpClient, Limits};
use stokehold::plugin::{
    Call, Engine, EngineSettings, Lookup, PluginGrants, PluginSettings, Worker, load,
};
use stokehold_tests::dns::DnsServer;
use stokehold_tests::{guests, paths};
use tokio::runtime::Runtime;

struct Nothing;

#[async_trait::async_trait]
impl Lookup for Nothing {
    async fn stack(&self, _: &ResourceRef) -> anyhow::Result<Option<Stack>> {
        Ok(None)
    }

    async fn state(&self, _: &ResourceRef) -> anyhow::Result<Option<Json>> {
        Ok(None)
    }
}

fn params() -> Json {
    json!({"name": "www", "values": ["10.0.0.6", "10.0.0.5"]})
}

fn posted(handler: &str) -> Arc<Posted> {
    let params = params();
    let param = |(name, value): (&String, &Json)| Param {
        name: name.clone(),
        value: ParamValue::Value(value.clone()),
        resources: Vec::new(),
    };
    let job = Job {
        id: JobId::new(format!("create:{handler}:port:p1:1:abcde")),
        action: Action::Create,
        handler: HandlerName::new(handler),
        target: ResourceRef::new("port", "p1"),
        version: Version(1),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: BTreeSet::new(),
        params: params.as_object().unwrap().iter().map(param).collect(),
        input: json!({}),
    };
    Arc::new(Posted { job, attempts: 0 })
}

async fn handle(worker: &Worker, posted: &Arc<Posted>) -> Verdict {
    let call = Call {
        job: Arc::clone(posted),
        template_id: TemplateId::new("port_dns"),
        template_text: String::new(),
        checkpoint: None,
        lookup: Arc::new(Nothing),
    };
    worker.handle(call).await.outcome.unwrap()
}

/// What the handlers do, without a sandbox, over the client that they send by.
async fn native(client: &HttpClient, params: &str, url: &str) {
    let params: Json = serde_json::from_str(params).unwrap();
    let values = params.get("values").and_then(Json::as_array).unwrap();
    let values: BTreeSet<&str> = values.iter().filter_map(Json::as_str).collect();
    let record = json!({"name": params.get("name"), "type": "A", "values": values}).to_string();
    let body = Full::from(record).map_err(|never| match never {}).boxed_unsync();
    let request = Request::put(url).header("content-type", "application/json").body(body).unwrap();
    let answer = client.send(request, Limits::default()).await.unwrap();
    assert!(answer.status().is_success());
    answer.into_body().collect().await.unwrap();
}

/// The handlers that are there, by language.
fn components() -> Vec<(&'static str, PathBuf)> {
    let languages = paths::target().unwrap().join("languages");
    let python = ("python", languages.join("python_dns_worker.wasm"));
    let javascript = ("javascript", languages.join("javascript_dns_worker.wasm"));
    let mut there = vec![("rust", guests::build("dns_worker"))];
    there.extend([python, javascript].into_iter().filter(|(language, file)| {
        let is_there = file.exists();
        if !is_there {
            println!("not run: {language} is not there; `cargo xtask languages` gets it");
        }
        is_there
    }));
    there
}

async fn worker(engine: &Engine, component: &Path, granted: PluginGrants) -> Worker {
    let folder = tempfile::tempdir().unwrap();
    let name = component.file_stem().unwrap().to_string_lossy().into_owned();
    std::fs::copy(component, folder.path().join(format!("{name}.wasm"))).unwrap();
    let per_plugin = BTreeMap::from([(name, granted)]);
    let settings = PluginSettings { per_plugin, ..PluginSettings::default() };
    let loaded = load(engine, folder.path(), &settings).await;
    assert_eq!(loaded.faults, []);
    loaded.workers.into_values().next().unwrap()
}

/// A handler that sends a record, and the same one without the setting that it needs.
struct Handler {
    language: &'static str,
    posted: Arc<Posted>,
    sends: Worker,
    gives_up: Worker,
}

impl Handler {
    async fn load(
        engine: &Engine,
        dns: &DnsServer,
        language: &'static str,
        component: &Path,
    ) -> Self {
        let name = component.file_stem().unwrap().to_string_lossy().into_owned();
        let http = vec![dns.authority()];
        let unset = PluginGrants { http: http.clone(), ..PluginGrants::default() };
        let config = BTreeMap::from([("dns_url".to_owned(), dns.url())]);
        let set = PluginGrants { http, config, ..PluginGrants::default() };
        let sends = worker(engine, component, set).await;
        let gives_up = worker(engine, component, unset).await;
        Self { language, posted: posted(&name), sends, gives_up }
    }

    async fn put(&self) {
        let verdict = handle(&self.sends, &self.posted).await;
        assert!(matches!(verdict, Verdict::Pending { .. }), "{verdict:?}");
    }

    async fn give_up(&self) {
        let verdict = handle(&self.gives_up, &self.posted).await;
        assert!(matches!(verdict, Verdict::Failed(Failure::Fatal(_))), "{verdict:?}");
    }
}

fn languages(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let dns = runtime.block_on(DnsServer::start(0)).unwrap();
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let (client, params) = (engine.http().clone(), params().to_string());
    let url = format!("{}/records/p1", dns.url());
    let handlers: Vec<_> = components()
        .into_iter()
        .map(|(language, file)| runtime.block_on(Handler::load(&engine, &dns, language, &file)))
        .collect();

    let mut group = criterion.benchmark_group("languages");
    group.measurement_time(Duration::from_secs(5)).sample_size(50);
    group.bench_function(BenchmarkId::new("put", "native"), |bencher| {
        bencher.to_async(&runtime).iter(|| native(&client, &params, &url));
    });
    for handler in &handlers {
        group.bench_function(BenchmarkId::new("put", handler.language), |bencher| {
            bencher.to_async(&runtime).iter(|| handler.put());
        });
        group.bench_function(BenchmarkId::new("give up", handler.language), |bencher| {
            bencher.to_async(&runtime).iter(|| handler.give_up());
        });
    }
    group.finish();

    let sends = || seconds(100, || runtime.block_on(native(&client, &params, &url)));
    for handler in &handlers {
        let (times, most) = bounds(handler.language);
        let name = format!("languages/put: {} to native", handler.language);
        let puts = || seconds(times, || runtime.block_on(handler.put()));
        ratio(&name, Wanted::AtMost(most.put), ROUNDS, puts, sends);
    }
    let Some((rust, others)) = handlers.split_first() else { return };
    let gives_up = || seconds(1000, || runtime.block_on(rust.give_up()));
    for handler in others {
        let (times, most) = bounds(handler.language);
        let name = format!("languages/give up: {} to rust", handler.language);
        let other = || seconds(times, || runtime.block_on(handler.give_up()));
        ratio(&name, Wanted::AtMost(most.give_up), ROUNDS, other, gives_up);
    }
}

/// Rounds of a ratio; each side works for some 10 to 30 ms in one.
const ROUNDS: usize = 60;

/// What a call may cost: so many of the other side's.
struct Most {
    put: f64,
    give_up: f64,
}

/// Calls in a round, and what they may cost: some one and a half times what ARCHITECTURE.md tells. Whoever is above has
/// something to look for.
fn bounds(language: &str) -> (u32, Most) {
    match language {
        "python" => (10, Most { put: 55.0, give_up: 120.0 }),
        "javascript" => (20, Most { put: 25.0, give_up: 65.0 }),
        // It gives up beside itself.
        _ => (50, Most { put: 3.0, give_up: 1.0 }),
    }
}

criterion_group!(benches, languages);
criterion_main!(benches);
