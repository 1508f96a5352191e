//! What a running installation registered and reported.

use std::path::Path;

use super::*;

const RECORDINGS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/recordings/common_function_gateway");

fn lines(file: &str) -> Option<Vec<Json>> {
    let path = Path::new(RECORDINGS).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        let wanted = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!wanted, "there is no {}", path.display());
        println!("not run: no recordings");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

struct Recorded {
    config: Vec<Json>,
    jobs: Vec<Json>,
    stacks: Vec<Json>,
    messages: Vec<Json>,
    statuses: Vec<Json>,
    mappings: Vec<Json>,
    schemas: Json,
}

impl Recorded {
    fn read() -> Option<Self> {
        let schemas = std::fs::read_to_string(Path::new(RECORDINGS).join("schemas.json"));
        Some(Self {
            config: lines("config.jsonl")?,
            jobs: lines("jobs.jsonl")?,
            stacks: lines("heat_stacks.jsonl")?,
            messages: lines("monitoring_messages.jsonl")?,
            statuses: lines("monitoring_status.jsonl")?,
            mappings: lines("resource_mappings.jsonl")?,
            schemas: serde_json::from_str(&schemas.unwrap()).unwrap(),
        })
    }

    fn job(&self, id: &Json) -> &Json {
        let jobs = self.jobs.iter().map(|line| &line["value"][1]);
        jobs.into_iter().find(|job| job["id"] == *id).unwrap()
    }

    fn template(&self, resource_type: &str) -> String {
        let id = format!("{resource_type}_monitoring");
        let key = format!("/config/v2.0/heat_templates/{id}");
        let entry = self.config.iter().rfind(|line| line["key"] == key.as_str()).unwrap();
        let body: Json = serde_json::from_str(entry["value"]["body"].as_str().unwrap()).unwrap();
        body["template_file"].as_str().unwrap().to_owned()
    }

    /// The value of a param. Outputs are those of the stack as it last was: no monitoring job
    /// changes one.
    fn value(&self, param: &Json) -> Json {
        let value = &param["value"];
        match param["type"].as_str().unwrap() {
            "value" => value.clone(),
            "list" => value.as_array().unwrap().iter().map(|item| self.value(item)).collect(),
            _ => {
                let of = |key: &str| value[key].as_str().unwrap();
                let id = format!("{}:{}", of("resource_type"), of("resource_id"));
                let stack = self.stacks.iter().rfind(|line| line["value"]["id"] == id.as_str());
                let outputs = stack.unwrap()["value"]["output"].as_array().unwrap();
                let output = outputs.iter().find(|o| o["output_key"] == value["output_key"]);
                output.unwrap()["output_value"].clone()
            }
        }
    }

    fn run(&self, recorded: &Json) -> Seen {
        let text = |key: &str| recorded[key].as_str().unwrap();
        let action = match text("action") {
            "create" => Action::Create,
            "delete" => Action::Delete,
            other => panic!("no such action is recorded: {other}"),
        };
        let target = ResourceRef::new(text("resource_type"), text("resource_id"));
        let template = self.template(text("resource_type"));
        let params = recorded["params"].as_array().unwrap();
        let host = params.iter().fold(ScriptedHost::new(), |host, param| {
            host.param(param["param"].as_str().unwrap(), self.value(param))
        });
        let job = job(action, target, &template);
        assert_eq!(MonitoringWorker::handle(&host, &job, None), Ok(Next::Completed));
        host.finish()
    }

    fn plural(&self, resource_type: &str) -> &Json {
        let schemas = self.schemas.get("schemas").unwrap_or(&self.schemas);
        &schemas.as_array().unwrap().iter().find(|s| s["id"] == resource_type).unwrap()["plural"]
    }
}

#[test]
fn the_recorded_jobs_register_and_report_what_they_did() {
    let Some(recorded) = Recorded::read() else { return };
    let (mut messages, mut aliases) = (0, Vec::new());
    for status in &recorded.statuses {
        let id = &status["job_id"];
        let job = recorded.job(id);
        let seen = recorded.run(job);
        let reported = seen.reports.get("state_monitoring").unwrap_or(&Json::Null);
        assert_eq!(*reported, status["status"], "{id}");

        let mut sent: Vec<_> = recorded
            .messages
            .iter()
            .filter(|message| message["job_id"] == *id)
            .map(|message| json!([message["topic"], message["message"]]).to_string())
            .collect();
        sent.sort();
        let resource_type = job["resource_type"].as_str().unwrap();
        let mut registered: Vec<_> = targets(&seen)
            .into_iter()
            .map(|target| {
                let message = json!({
                    "action": job["action"],
                    "gohan_id": job["resource_id"],
                    "gohan_resource_type": recorded.plural(resource_type),
                    "name": target.name,
                    "tenant_id": job["resource_input"]["tenant_id"],
                    "version": job["version"],
                    "properties": target.properties,
                });
                json!([target.topic, message]).to_string()
            })
            .collect();
        registered.sort();
        assert_eq!(registered, sent, "{id}");
        messages += registered.len();

        for call in &seen.monitor {
            if let MonitorCall::AddMapping(mapping) = call {
                aliases.push(json!({
                    "tenant_id": job["resource_input"]["tenant_id"],
                    "resource_type": mapping.resource_type.as_deref().unwrap_or(resource_type),
                    "resource_id":
                        mapping.resource_id.as_deref().or(job["resource_id"].as_str()).unwrap(),
                    "mapped_id": mapping.mapped_id,
                    "relation": mapping.relation,
                }));
            }
        }
    }
    assert_eq!((recorded.statuses.len(), messages), (19, 16));
    assert_eq!(aliases, recorded.mappings);
}
