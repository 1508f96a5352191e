//! What the sandbox costs: a call, a rendering beside the same function run natively, and a start with and
//! without compiled code.
//!
//! Wanted: rendering 4 KB of input at most 2.5 times native, the small port template at most 12 times, a start
//! from compiled code at least 50 times faster than compiling, a start with ten such plugins below 100 ms.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a measurement")]

#[path = "../../tests/src/guests.rs"]
#[allow(dead_code, reason = "the tests have more of it")]
mod guests;
mod measure;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use measure::{Wanted, bounded, ratio, seconds};
use serde_json::{Map, json};
use stokehold::domain::{
    Action, HandlerName, Job, JobId, Json, OnFailure, Param, ParamValue, Posted, ResourceRef,
    Stack, TemplateId, Verdict, Version,
};
use stokehold::plugin::{
    Call, Engine, EngineSettings, Loaded, Lookup, PluginSettings, Worker, load,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A template of the usual size: a port with its addresses.
const PORT: &str = "\
heat_template_version: 2013-05-23
parameters:
  name: {type: string}
resources:
  port:
    type: OS::Neutron::Port
    properties:
      name: {get_param: name}
      network: {{ jinja_network }}
      {% if jinja_ips %}fixed_ips:
      {% for ip in jinja_ips %}- ip_address: {{ ip.address }}
        subnet: {{ ip.subnet | replace('_', '-') }}
      {% endfor %}{% else %}fixed_ips: []
      {% endif %}
outputs:
  ips: {value: {get_attr: [port, fixed_ips]}}
";

/// A template that makes much of its input.
const GATEWAY: &str = "\
heat_template_version: 2013-05-23
resources:
{% for interface in jinja_interfaces %}
  interface_{{ loop.index0 }}:
    type: OS::Contrail::VirtualMachineInterface
    properties:
      name: {{ interface.name ~ '_' ~ jinja_tenant }}
      {% if interface.vlan is defined and interface.vlan != 0 -%}
      vlan: {{ interface.vlan }}{% endif %}
      {% set parts = interface.cidr | split('/') %}
      prefix: {{ parts[0] }}
      length: {{ parts[1] }}
      {% for ip in interface.ips %}
      ip_{{ loop.index }}: {{ ip if ip else 'none' }}
      {% endfor %}
      description: {{ interface.description | replace('gateway', 'GW') | string }}
{% endfor %}
";

fn port() -> Json {
    json!({
        "jinja_network": "0a50df0b-1001-4e75-85c5-1d9b3c3a3c86",
        "jinja_ips": [
            {"address": "192.168.1.2", "subnet": "subnet_one"},
            {"address": "192.168.2.2", "subnet": "subnet_two"},
        ],
        "name": "port_1",
        "tenant": "e5f1a36c",
    })
}

/// Four kilobytes.
fn gateway() -> Json {
    let interfaces: Vec<_> = (0..20)
        .map(|n| {
            json!({
                "name": format!("interface_{n}"), "vlan": n % 3, "cidr": format!("10.{n}.0.0/24"),
                "ips": [format!("10.{n}.0.1"), format!("10.{n}.0.2"), null],
                "description": format!("gateway interface number {n} of the common function gateway"),
            })
        })
        .collect();
    json!({"jinja_interfaces": interfaces, "jinja_tenant": "e5f1a36c", "name": "gateway"})
}

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

fn posted(params: &Map<String, Json>) -> Arc<Posted> {
    let param = |(name, value): (&String, &Json)| Param {
        name: name.clone(),
        value: ParamValue::Value(value.clone()),
        resources: Vec::new(),
    };
    let job = Job {
        id: JobId::new("create:guest_render:port:p1:1:abcde"),
        action: Action::Create,
        handler: HandlerName::new("guest_render"),
        target: ResourceRef::new("port", "p1"),
        version: Version(1),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: BTreeSet::new(),
        params: params.iter().map(param).collect(),
        input: json!({}),
    };
    Arc::new(Posted { job, attempts: 0 })
}

async fn handle(worker: &Worker, posted: &Arc<Posted>, template: &str, checkpoint: Option<Json>) {
    let call = Call {
        job: Arc::clone(posted),
        template_id: TemplateId::new("template"),
        template_text: template.to_owned(),
        checkpoint,
        lookup: Arc::new(Nothing),
    };
    let answer = worker.handle(call).await;
    assert_eq!(answer.outcome, Ok(Verdict::Completed));
}

fn plugins() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(guests::build("guest_render"), dir.path().join("guest_render.wasm")).unwrap();
    dir
}

/// Ten different plugins: each has another name, in its file's name and in its data.
fn ten() -> TempDir {
    const NAME: &[u8] = b"guest_render";
    let dir = tempfile::tempdir().unwrap();
    let original = std::fs::read(guests::build("guest_render")).unwrap();
    for number in 0..10 {
        let name = format!("guest_rende{number}");
        let mut bytes = original.clone();
        let places: Vec<usize> =
            (0..bytes.len() - NAME.len()).filter(|at| bytes[*at..].starts_with(NAME)).collect();
        for at in places {
            bytes[at..at + NAME.len()].copy_from_slice(name.as_bytes());
        }
        std::fs::write(dir.path().join(format!("{name}.wasm")), bytes).unwrap();
    }
    dir
}

fn only(loaded: Loaded) -> Worker {
    assert_eq!(loaded.faults, []);
    loaded.workers.into_values().next().unwrap()
}

fn calls(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let dir = plugins();
    let settings = PluginSettings::default();
    let worker = only(runtime.block_on(load(&engine, dir.path(), &settings)));
    let nothing = posted(&Map::new());
    c.bench_function("call/nothing", |b| {
        b.to_async(&runtime).iter(|| handle(&worker, &nothing, "", Some(json!(1))));
    });
    for (name, template, params) in [("4kb", GATEWAY, gateway()), ("port", PORT, port())] {
        let text = params.to_string();
        c.bench_function(&format!("render/{name}/native"), |b| {
            b.iter(|| guest_render::render(black_box(template), black_box(&text)).unwrap());
        });
        let posted = posted(params.as_object().unwrap());
        c.bench_function(&format!("render/{name}/sandbox"), |b| {
            b.to_async(&runtime).iter(|| handle(&worker, &posted, template, None));
        });
    }
}

/// Rounds of a few milliseconds: shorter than what another process takes the processor for.
fn ratios(_: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let dir = plugins();
    let worker = only(runtime.block_on(load(&engine, dir.path(), &PluginSettings::default())));
    for (name, template, params, wanted, calls) in [
        ("4kb", GATEWAY, gateway(), Wanted::AtMost(2.5), 20),
        ("port", PORT, port(), Wanted::AtMost(12.0), 100),
    ] {
        let text = params.to_string();
        let posted = posted(params.as_object().unwrap());
        ratio(
            &format!("render/{name}: sandbox beside native"),
            wanted,
            301,
            || seconds(calls, || runtime.block_on(handle(&worker, &posted, template, None))),
            || {
                seconds(calls, || {
                    guest_render::render(black_box(template), black_box(&text)).unwrap();
                })
            },
        );
    }
}

fn starts(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let dir = plugins();
    let mut group = c.benchmark_group("start");
    group.sample_size(10).measurement_time(Duration::from_secs(6));
    for (name, cache_dir) in [("compile", None), ("cached", Some(dir.path().join("cache")))] {
        let settings = PluginSettings { cache_dir, ..PluginSettings::default() };
        // The first load fills the cache; it is not measured.
        only(runtime.block_on(load(&engine, dir.path(), &settings)));
        group.bench_function(name, |b| {
            b.to_async(&runtime).iter(async || only(load(&engine, dir.path(), &settings).await));
        });
    }
    let ten = ten();
    let cache_dir = Some(ten.path().join("cache"));
    let settings = PluginSettings { cache_dir, ..PluginSettings::default() };
    assert_eq!(runtime.block_on(load(&engine, ten.path(), &settings)).workers.len(), 10);
    group.bench_function("ten cached", |b| {
        b.to_async(&runtime)
            .iter(async || load(&engine, ten.path(), &settings).await.workers.len());
    });
}

/// Compiling takes half a second: a few rounds.
fn starts_beside_what_is_wanted(_: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let start = |dir: &TempDir, cache: Option<&str>, plugins: usize| {
        let cache_dir = cache.map(|cache| dir.path().join(cache));
        let settings = PluginSettings { cache_dir, ..PluginSettings::default() };
        seconds(1, || {
            let loaded = runtime.block_on(load(&engine, dir.path(), &settings));
            assert_eq!(loaded.workers.len(), plugins);
        })
    };
    let one = plugins();
    ratio(
        "start: compiling beside the compiled cache",
        Wanted::AtLeast(50.0),
        15,
        || start(&one, None, 1),
        || start(&one, Some("cache"), 1),
    );
    let ten = ten();
    bounded("start: ten cached plugins", Duration::from_millis(100), 51, || {
        start(&ten, Some("cache"), 10)
    });
}

criterion_group!(benches, calls, starts, starts_beside_what_is_wanted, ratios);
criterion_main!(benches);
