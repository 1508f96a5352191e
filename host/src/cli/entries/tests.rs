#![allow(clippy::unwrap_used)]

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::cli::{config, follow};
use crate::domain::Json;
use crate::store::embedded::{Embedded, Options};

fn host(dir: &TempDir) -> Embedded {
    Embedded::open(&dir.path().join("store"), Options::new(Role::Host)).unwrap()
}

fn settings(dir: &TempDir) -> Settings {
    let store = dir.path().join("store").display().to_string();
    let flags = crate::settings::Flags {
        values: [("store".to_owned(), store)].into(),
        ..Default::default()
    };
    Settings::from_sources(&flags, &std::collections::BTreeMap::new(), None).unwrap()
}

async fn put(store: &dyn Store, key: &str, value: &[u8]) {
    let write = Write::Put { key: key.to_owned(), value: value.to_vec(), lease: None };
    store.commit(Txn { compares: Vec::new(), writes: vec![write] }).await.unwrap();
}

#[tokio::test]
async fn a_missing_store_is_not_made_but_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let said = open(&settings(&dir)).await.err().unwrap().to_string();
    assert!(said.starts_with("there is no store in ") && said.contains("--store"), "{said}");
    assert!(!dir.path().join("store").exists());
    // Nor is one made in a folder that has something else in it.
    std::fs::create_dir(dir.path().join("store")).unwrap();
    assert!(open(&settings(&dir)).await.is_err());
    assert_eq!(std::fs::read_dir(dir.path().join("store")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_config_is_written_once_read_back_and_removed_beside_a_running_host() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let store = open(&settings(&dir)).await.unwrap();
    let key = "/config/v2.0/ports/1";
    let next =
        |body: Json| write(&*store, key, move |stored| config::applied(stored, &body, None, false));
    let first = next(json!({"id": "1"})).await.unwrap();
    let since = store.get(key).await.unwrap().unwrap().modified;
    assert_eq!(first, Written::New(Version(1), since));
    assert_eq!(next(json!({"id": "1"})).await.unwrap(), Written::Unchanged(Version(1)));
    let second = next(json!({"id": "1", "n": 2})).await.unwrap();
    assert_eq!((second.version(), second.since() > since), (Version(2), true));
    let seen = host.get(key).await.unwrap().unwrap();
    assert_eq!(Config::read(&seen.value).unwrap().body, json!({"id": "1", "n": 2}));
    put(&host, key, b"not a config").await;
    let said = format!("{:#}", next(json!({"id": "1"})).await.unwrap_err());
    assert!(said.starts_with(&format!("cannot read what is under key {key}: ")), "{said}");
    assert!(remove(&*store, key).await.unwrap());
    assert!(!remove(&*store, key).await.unwrap());
}

#[tokio::test]
async fn every_page_of_a_prefix_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let writes = (0..PAGE + 5).map(|n| Write::Put {
        key: format!("/a/{n:06}"),
        value: Vec::new(),
        lease: None,
    });
    let writes = writes.chain([Write::Put { key: "/b".into(), value: Vec::new(), lease: None }]);
    host.commit(Txn { compares: Vec::new(), writes: writes.collect() }).await.unwrap();
    assert_eq!(all(&host, "/a/").await.unwrap().len(), PAGE + 5);
    assert_eq!(all(&host, "/c/").await.unwrap(), []);
}

#[tokio::test]
async fn schemas_come_from_the_store_where_no_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let said = schemas(&settings(&dir), &host).await.unwrap_err().to_string();
    assert!(said.contains("--schemas"), "{said}");
    let text = br#"{"schemas": [{"id": "port", "plural": "ports", "prefix": "/v2.0/ports"}]}"#;
    put(&host, key::SCHEMAS, text).await;
    let known = schemas(&settings(&dir), &host).await.unwrap();
    let port = ResourceRef::new("port", "1");
    assert_eq!(config_key(&known, &port).unwrap(), "/config/v2.0/ports/1");
    assert_eq!(state_key(&known, &port).unwrap(), "/state/v2.0/ports/1");
    let template = ResourceRef::new(input::TEMPLATE, "port");
    assert_eq!(config_key(&known, &template).unwrap(), "/config/v2.0/heat_templates/port");
    let other = config_key(&known, &ResourceRef::new("nope", "1")).unwrap_err().to_string();
    assert!(other.contains("there is no type nope; the schemas know port"), "{other}");
}

#[tokio::test]
async fn a_wait_ends_with_what_is_there_or_with_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = host(&dir);
    let is_two = |seen: Option<follow::Seen>| (seen?.0 == b"2").then_some(());
    let waiting = follow::until(&store, "/a", is_two);
    let puts = async {
        put(&store, "/a", b"1").await;
        // A longer key is another key.
        put(&store, "/a/b", b"2").await;
        put(&store, "/a", b"2").await;
    };
    let (waited, ()) = tokio::join!(waiting, puts);
    waited.unwrap();
    follow::until(&store, "/a", is_two).await.unwrap();
    assert_eq!(store.get("/a").await.unwrap().unwrap().value, b"2");
}

#[test]
fn a_host_is_dead_only_where_its_process_is_known_to_be_gone() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let host = |pid, node: &str| Presence { pid, node: node.to_owned(), ..Presence::default() };
    let here = presence::node();
    assert!(!alive(&host(child.id(), &here)));
    assert!(alive(&host(std::process::id(), &here)));
    assert!(alive(&host(0, &here)));
    assert!(alive(&host(child.id(), "another machine")), "its processes cannot be seen from here");
}

#[test]
fn schemas_that_make_no_sense_are_told_with_their_file_and_what_they_must_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.json");
    std::fs::write(&path, "7").unwrap();
    let said = format!("{:#}", schema_file(&path).unwrap_err());
    assert!(said.starts_with(&format!("cannot read schemas from {}: ", path.display())), "{said}");
    assert!(said.ends_with("it must be what Gohan answers to GET /gohan/v0.1/schemas"), "{said}");
}
