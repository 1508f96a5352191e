//! What a running installation of the original wrote reads without complaint, and is spelled as it
//! was.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::domain::{Content, Entry, Schemas};
use crate::wire::{key, python_json, read, schemas, spell};

/// The folder of one recording; `None` where there is none, which is an error on the build server.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/recordings/common_function_gateway");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no recordings at {}", folder.display());
    println!("not run: no recordings");
    None
}

fn recorded_schemas(folder: &std::path::Path) -> Schemas {
    let text = fs::read(folder.join("schemas.json")).unwrap();
    let (schemas, complaints) = schemas::read(&text).unwrap();
    assert_eq!(complaints, Vec::<String>::new());
    schemas
}

/// Key and value of every recorded write in a file.
fn writes(folder: &std::path::Path, file: &str) -> Vec<(String, Value)> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["action"] == "put")
        .map(|mut line| (line["key"].as_str().unwrap().to_owned(), line["value"].take()))
        .collect()
}

/// Makes values comparable: sets in order, texts that hold JSON by what they mean.
fn comparable(entry: &Entry, mut value: Value) -> Value {
    match entry {
        Entry::Config(_) => {
            let body = value["body"].as_str().map(|text| serde_json::from_str(text).unwrap());
            value["body"] = body.unwrap();
        }
        Entry::Job(_) => {
            let dependency = value[1]["dependency"].as_array_mut().unwrap();
            dependency.sort_by_key(Value::to_string);
        }
        Entry::State(_) => {
            for (_, field) in value["state"].as_object_mut().unwrap() {
                let text = field.as_str().expect("state fields are texts");
                *field = serde_json::from_str(text).unwrap_or_else(|_| text.into());
            }
        }
        _ => {}
    }
    value
}

#[test]
fn everything_recorded_is_read_without_complaint_and_spelled_as_it_was() {
    let Some(folder) = folder() else { return };
    let schemas = recorded_schemas(&folder);
    let mut templates = 0;
    let files = ["config", "jobs", "heat_stacks", "job_state", "state", "monitoring"];
    for file in files {
        let writes = writes(&folder, &format!("{file}.jsonl"));
        assert!(!writes.is_empty(), "{file}");
        for (text, value) in writes {
            let entry = key::parse(&schemas, &text);
            assert!(!matches!(entry, Entry::Unknown(_)), "{text}");
            assert_eq!(key::spell(&schemas, &entry), Ok(text.clone()));
            let content = read(&schemas, &entry, value.to_string().as_bytes());
            match &content {
                Content::Unreadable(reason) => panic!("{text}: {reason}"),
                Content::Template(template) => {
                    templates += 1;
                    assert!(template.params.is_ok(), "{text}: {:?}", template.params);
                    assert!(spell(&schemas, &entry, &content).is_err());
                }
                _ => {
                    let again = spell(&schemas, &entry, &content).unwrap();
                    let again = serde_json::from_slice(&again).unwrap();
                    assert_eq!(comparable(&entry, again), comparable(&entry, value), "{text}");
                }
            }
        }
    }
    assert_eq!(templates, 58);
}

#[test]
fn every_recorded_schema_is_read_with_its_relations_and_mappings() {
    let Some(folder) = folder() else { return };
    let schemas = recorded_schemas(&folder);
    assert_eq!(schemas.iter().count(), 71);
    let mapped = |handler: &str| {
        schemas.iter().filter(|schema| schema.templates.contains_key(&handler.into())).count()
    };
    assert_eq!((mapped("heat_worker"), mapped("monitoring_worker")), (29, 23));
    let relation = |kind: &str, field: &str| {
        schemas.relation(&kind.into(), field).map(|kind| kind.as_str().to_owned())
    };
    assert_eq!(relation("port", "network_id").as_deref(), Some("network"));
    assert_eq!(relation("vnf_interface", "vnf_instance_id").as_deref(), Some("vnf_instance"));
    assert_eq!(relation("port", "device_id"), None);
    assert_eq!(schemas.kind_at("/common/v1.0/usage"), Some(&"billing_usage".into()));
}

#[test]
fn recorded_texts_in_states_have_pythons_style() {
    let Some(folder) = folder() else { return };
    let mut texts = 0;
    for (text, value) in writes(&folder, "state.jsonl") {
        for (_, field) in value["state"].as_object().unwrap() {
            let Some(field) = field.as_str() else { panic!("{text}: a field is no text") };
            if let Ok(json @ (Value::Array(_) | Value::Object(_))) = serde_json::from_str(field) {
                texts += 1;
                // Python kept another order of keys, so the pieces are compared, not the whole.
                let sorted = |text: &str| {
                    let mut letters: Vec<_> = text.bytes().collect();
                    letters.sort_unstable();
                    letters
                };
                assert_eq!(sorted(&python_json(&json)), sorted(field));
            }
        }
    }
    assert!(texts > 0);
}
