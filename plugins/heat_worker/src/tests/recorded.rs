//! What a running installation asked of Heat.

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

#[test]
fn the_recorded_requests_are_made_byte_for_byte() {
    let (Some(requests), Some(config), Some(jobs)) =
        (lines("heat_requests.jsonl"), lines("config.jsonl"), lines("jobs.jsonl"))
    else {
        return;
    };
    let template_of = |id: &str| {
        let key = format!("/config/v2.0/heat_templates/{id}");
        let entry = config.iter().rfind(|line| line["key"] == key.as_str()).unwrap();
        let body = entry["value"]["body"].as_str().unwrap();
        let body: Json = serde_json::from_str(body).unwrap();
        body["template_file"].as_str().unwrap().to_owned()
    };
    for request in &requests {
        let recorded = jobs
            .iter()
            .map(|line| &line["value"][1])
            .find(|job| job["id"] == request["job_id"])
            .unwrap();
        let target = ResourceRef::new(
            recorded["resource_type"].as_str().unwrap(),
            recorded["resource_id"].as_str().unwrap(),
        );
        let name = request["stack_name"].as_str().unwrap();
        let modifies = request["method"] == "PUT";
        let action = if modifies { Action::Modify } else { Action::Create };
        let template = template_of(request["template_id"].as_str().unwrap());
        let mut job = job(action, target, &template);
        job.resource_input = recorded["resource_input"].clone();
        let tenant = job.resource_input["tenant_id"].as_str().unwrap();

        let stacks = format!("http://heat/v1/{tenant}/stacks");
        let by_name = format!("{stacks}/{name}?resolve_outputs=false");
        let mut host = host().params(&request["parameters"]).params(&request["jinja_parameters"]);
        if let Some(minutes) = request["timeout_mins"].as_u64() {
            host = host.param("heat_timeout", minutes.to_string());
        }
        host = if modifies {
            host.expect(Method::Get, &by_name, stack("CREATE_COMPLETE", None)).expect(
                Method::Put,
                &format!("{stacks}/{name}/s1"),
                answer(202, json!({})),
            )
        } else {
            host.expect(Method::Get, &by_name, missing()).expect(Method::Post, &stacks, created())
        };
        HeatWorker::handle(&host, &job, None).unwrap();
        let sent = host.finish().body(1);
        assert_eq!(sent["template"], request["template"], "{name}");
        assert_eq!(sent["parameters"], request["parameters"], "{name}");
        assert_eq!(sent["timeout_mins"], request["timeout_mins"].as_u64().unwrap_or(10), "{name}");
        assert_eq!(sent["disable_rollback"], true);
    }
    assert_eq!(requests.len(), 12);
}
