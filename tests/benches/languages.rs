//! The same handler in Rust, Python and JavaScript, beside the same work in native Rust: a record is sent to a DNS
//! server on this machine. And what a call costs that gives up at once, as its setting is missing.
//!
//! Python and JavaScript come from `cargo xtask languages`; without them they are left out.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::{BodyExt as _, Full};
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

fn languages(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let dns = runtime.block_on(DnsServer::start(0)).unwrap();
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let mut group = criterion.benchmark_group("languages");
    group.measurement_time(Duration::from_secs(5)).sample_size(50);

    let (client, params) = (engine.http().clone(), params().to_string());
    let url = format!("{}/records/p1", dns.url());
    group.bench_function(BenchmarkId::new("put", "native"), |bencher| {
        bencher.to_async(&runtime).iter(|| native(&client, &params, &url));
    });
    for (language, component) in components() {
        let name = component.file_stem().unwrap().to_string_lossy().into_owned();
        let posted = posted(&name);
        let http = vec![dns.authority()];
        let unset = PluginGrants { http: http.clone(), ..PluginGrants::default() };
        let config = BTreeMap::from([("dns_url".to_owned(), dns.url())]);
        let set = PluginGrants { http, config, ..PluginGrants::default() };
        for (what, granted, gives_up) in [("put", set, false), ("give up", unset, true)] {
            let worker = runtime.block_on(worker(&engine, &component, granted));
            group.bench_function(BenchmarkId::new(what, language), |bencher| {
                bencher.to_async(&runtime).iter(async || {
                    let verdict = handle(&worker, &posted).await;
                    let fatal = matches!(verdict, Verdict::Failed(Failure::Fatal(_)));
                    let pending = matches!(verdict, Verdict::Pending { .. });
                    assert!(if gives_up { fatal } else { pending }, "{verdict:?}");
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, languages);
criterion_main!(benches);
