//! What planning costs while many jobs are open: the update of a port, three jobs.
//!
//! Wanted: at most 100 µs for a workflow.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement")]

mod measure;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use measure::{bounded, seconds};
use serde_json::json;
use stokehold::domain::{
    Content, Effect, Entry, Fact, Handler, Handlers, IdField, JobId, Json, Kind, Mapping, PathStep,
    Resource, ResourceRef, Revision, Schema, Schemas, State, Template, TemplateId, Test,
    UpdateStyle, Version, Walk,
};
use stokehold::plan::{About, Catalog, plan};

const OPEN_JOBS: usize = 10_000;
const WANTED: Duration = Duration::from_micros(100);

fn field(field: &str) -> Mapping {
    Mapping::Field { field: field.to_owned(), walk: Walk::default() }
}

fn walk(id: &str, kind: &str) -> Walk {
    let step = PathStep { id: IdField::Named(id.to_owned()), kind: Some(Kind::new(kind)) };
    Walk { steps: vec![step], ignore_missing: true }
}

fn output(key: &str, walk: Walk) -> Mapping {
    Mapping::Output { key: key.to_owned(), walk }
}

fn chosen(template: &str) -> Mapping {
    let (subject, pattern) = (field("device_owner"), json!("network:dhcp|network:empty"));
    Mapping::If {
        test: Test::Matches {
            subject: Box::new(subject),
            pattern: Box::new(Mapping::Constant(pattern)),
        },
        then: Box::new(Mapping::Constant(Json::Null)),
        otherwise: Box::new(Mapping::Constant(json!(template))),
    }
}

fn schema(kind: &str) -> Schema {
    let watch = format!("{kind}_monitoring");
    Schema {
        kind: Kind::new(kind),
        plural: format!("{kind}s"),
        prefix: format!("/v2.0/{kind}s"),
        relations: [("network_id".to_owned(), Kind::new("network"))].into(),
        templates: [
            ("heat_worker".into(), chosen(kind)),
            ("monitoring_worker".into(), chosen(&watch)),
        ]
        .into(),
    }
}

fn handlers() -> Handlers {
    let handler = |name: &str, update| Handler { name: name.into(), after: [].into(), update };
    let mut watch = handler("monitoring_worker", UpdateStyle::Recreate);
    watch.after.insert("heat_worker".into());
    Handlers::in_order(vec![handler("heat_worker", UpdateStyle::Modify), watch]).unwrap()
}

/// A catalog and its revision.
struct Bench {
    catalog: Catalog,
    revision: u64,
}

impl Bench {
    fn learn(&mut self, entry: Entry, content: Content) {
        self.revision += 1;
        let revision = Revision(self.revision);
        let created = Revision(0);
        self.catalog.learn(Fact { entry, content: Some(content), created, revision });
    }

    fn template(&mut self, id: &str, handler: &str, params: Vec<(&str, Mapping)>) {
        let params = params.into_iter().map(|(name, mapping)| (name.to_owned(), mapping));
        let template = Template {
            id: TemplateId::new(id),
            handler: handler.into(),
            text: String::new(),
            params: Ok(params.collect()),
        };
        self.learn(Entry::Template(TemplateId::new(id)), Content::Template(template));
    }

    fn config(&mut self, of: &ResourceRef, version: u64, network: usize) {
        let id = of.id.as_str();
        let body = json!({
            "id": id,
            "name": format!("common_function_gw_{id}_secondary_port"),
            "network_id": format!("network-{network}"),
            "device_id": format!("gateway-{network}"),
            "device_owner": "network:common_function_gateway",
            "status": "PENDING_CREATE",
            "description": "",
            "allowed_address_pairs": [],
            "admin_state_up": true,
            "segmentation_id": 1025,
            "segmentation_type": "vlan",
            "managed_by_service": true,
            "attached": true,
            "binding:vif_type": "vrouter",
            "tenant_id": "0b576f6f4cbf414f829cd12f008bf08f",
            "fake_delete": false,
            "mac_address": "fa:16:3e:0c:b0:eb",
            "fixed_ips": [{ "subnet_id": "subnet", "ip_address": "169.254.0.4" }],
            "tags": {},
        });
        let version = Version(version);
        let resource = Resource { of: of.clone(), body, version, marked_for_deletion: false };
        self.learn(Entry::Config(of.clone()), Content::Resource(resource));
    }

    fn post(&mut self, of: &ResourceRef) -> Vec<JobId> {
        let plan = plan(&mut self.catalog, of).unwrap();
        self.revision += 1;
        self.catalog.learn_committed(plan.transaction, Revision(self.revision));
        match plan.about {
            About::Workflow { jobs } => jobs,
            other => unreachable!("{other:?}"),
        }
    }

    fn finish(&mut self, job: JobId) {
        self.revision += 1;
        let revision = Revision(self.revision);
        let fact = Fact { entry: Entry::Job(job), content: None, created: revision, revision };
        self.catalog.learn(fact);
    }
}

/// Networks with open jobs, ports on them with open jobs, and one port that is up and gets its
/// second version.
fn world() -> (Bench, ResourceRef) {
    let schemas = ["port", "network"].map(schema);
    let catalog = Catalog::new(Schemas::new(schemas), handlers());
    let mut bench = Bench { catalog, revision: 0 };
    let subnets = Mapping::For {
        field: "fixed_ips".to_owned(),
        walk: Walk::default(),
        each: Box::new(output("id", walk("subnet_id", "network"))),
    };
    bench.template(
        "port",
        "heat_worker",
        vec![
            ("virtual_network", output("id", walk("network_id", "network"))),
            ("virtual_machine", field("device_id")),
            ("name", field("id")),
            ("admin_state_up", field("admin_state_up")),
            ("allowed_address_pairs", field("allowed_address_pairs")),
            ("mac_address", field("mac_address")),
            ("device_owner", field("device_owner")),
            ("uuid", field("id")),
            ("jinja_fixed_ips", field("fixed_ips")),
            ("jinja_subnets", subnets),
        ],
    );
    bench.template(
        "port_monitoring",
        "monitoring_worker",
        vec![
            ("device_owner", field("device_owner")),
            ("attached", field("attached")),
            ("vmi_fq_name", output("fq_name", Walk::default())),
            ("vmi_uuid", output("id", Walk::default())),
        ],
    );
    bench.template("network", "heat_worker", vec![("name", field("name"))]);
    bench.template("network_monitoring", "monitoring_worker", vec![("name", field("name"))]);
    let subnet = ResourceRef::new("network", "subnet");
    bench.config(&subnet, 1, 0);
    let port = ResourceRef::new("port", "a778c668-6ccb-4d46-9ec3-956693262d63");
    bench.config(&port, 1, 0);
    for job in bench.post(&port) {
        bench.finish(job);
    }
    let state = State::new(Version(1), "CREATE_COMPLETED");
    bench.learn(Entry::State(port.clone()), Content::State(state));
    // Four jobs each: a network and a port on it.
    for n in 0..OPEN_JOBS / 4 {
        let network = ResourceRef::new("network", format!("network-{n}"));
        let other = ResourceRef::new("port", format!("port-{n}"));
        bench.config(&network, 1, n);
        bench.post(&network);
        bench.config(&other, 1, n);
        bench.post(&other);
    }
    bench.config(&port, 2, 7);
    (bench, port)
}

fn planning(c: &mut Criterion) {
    let (mut bench, port) = world();
    let waited_for = ResourceRef::new("network", "network-9");
    bench.config(&waited_for, 2, 9);
    let fresh = ResourceRef::new("port", "fresh");
    bench.config(&fresh, 1, 11);
    let settled = ResourceRef::new("network", "network-13");
    let catalog = &mut bench.catalog;
    for (name, of, jobs) in [
        ("create, 2 jobs", &fresh, 2),
        ("update, 3 jobs", &port, 3),
        ("update of what others wait for, 3 jobs", &waited_for, 3),
    ] {
        let about = plan(catalog, of).unwrap().about;
        assert!(matches!(about, About::Workflow { jobs: posted } if posted.len() == jobs));
        let name = format!("{OPEN_JOBS} open jobs: {name}");
        c.bench_function(&name, |b| b.iter(|| plan(catalog, black_box(of))));
        let round = || seconds(100, || drop(black_box(plan(catalog, black_box(of)))));
        bounded(&name, WANTED, 301, round);
    }
    assert_eq!(plan(catalog, &settled), None);
    c.bench_function(&format!("{OPEN_JOBS} open jobs: nothing to do"), |b| {
        b.iter(|| plan(catalog, black_box(&settled)));
    });
    let mut revision = bench.revision;
    let job = plan(catalog, &fresh).unwrap().transaction.effects.into_iter().find_map(|effect| {
        match effect {
            Effect::Put(entry @ Entry::Job(_), content) => Some((entry, content)),
            _ => None,
        }
    });
    let (entry, content) = job.unwrap();
    c.bench_function(&format!("{OPEN_JOBS} open jobs: learn one more"), |b| {
        b.iter_batched(
            || {
                revision += 1;
                let (created, revision) = (Revision(revision), Revision(revision));
                let (entry, content) = (entry.clone(), Some(content.clone()));
                Fact { entry, content, created, revision }
            },
            |fact| catalog.learn(fact),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, planning);
criterion_main!(benches);
