//! A version that comes into service while the host runs, or back, has what its plugin is granted now.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stokehold::plugin::{Found, GrantSource, Loader, PluginGrants};
use stokehold_tests::paths;

use super::network::{Server, fetch, refused};
use super::{House, done};

/// An operator who changes their mind.
#[derive(Debug, Default)]
struct Operator(Mutex<Vec<String>>);

impl Operator {
    fn grants(&self, http: &[&str]) {
        *self.0.lock().unwrap() = http.iter().map(|&site| site.to_owned()).collect();
    }
}

impl GrantSource for Operator {
    fn named(&self) -> Vec<String> {
        vec!["guest_http".to_owned()]
    }

    fn granted(&self, _: &str) -> Result<PluginGrants, String> {
        let http = self.0.lock().unwrap().clone();
        Ok(PluginGrants { http, ..PluginGrants::default() })
    }
}

fn get(server: &Server) -> Value {
    json!({"url": format!("http://{}/", server.authority), "method": "GET"})
}

#[tokio::test]
async fn what_was_taken_back_does_not_come_back_with_an_older_version() {
    let (first, second) = (Server::start().await, Server::start().await);
    let operator = Arc::new(Operator::default());
    operator.grants(&[&first.authority]);
    let mut house = House::new().guest("guest_http");
    house.settings.source = Some(operator.clone());
    let loader = Loader::new(&house.engine, house.dir.path(), &house.settings);
    let file = house.dir.path().join("guest_http.wasm");
    let found = loader.load(&file).await.unwrap();

    operator.grants(&[&second.authority]);
    let anew = loader.granted_anew(&file, &found).await.unwrap();
    assert_eq!(anew.digest(), found.digest());
    let (Found::Worker(old), Found::Worker(anew)) = (&found, &anew) else { panic!("no workers") };
    done(fetch(old, get(&first)).await);
    done(fetch(anew, get(&second)).await);
    let why = refused(fetch(anew, get(&first)).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");

    operator.grants(&[]);
    let why = loader.granted_anew(&file, &found).await.err().unwrap();
    assert!(why.contains("imports wasi:http/") && why.contains("not granted"), "{why}");
}

#[tokio::test]
async fn settings_that_a_plugin_cannot_use_do_not_take_over() {
    let bytes = std::fs::read(paths::handlers().unwrap().join("heat_worker.wasm")).unwrap();
    let try_with = async |poll_ms: &str| {
        let mut grants = PluginGrants { http: vec!["heat:8004".into()], ..PluginGrants::default() };
        for (key, value) in [("heat_url", "http://heat:8004/v1"), ("poll_ms", poll_ms)] {
            grants.config.insert(key.to_owned(), value.to_owned());
        }
        let house = House::new().file("heat_worker.wasm", &bytes).grant("heat_worker", grants);
        let loader = Loader::new(&house.engine, house.dir.path(), &house.settings);
        let file = house.dir.path().join("heat_worker.wasm");
        loader.load_and_try(&file).await.map(|found| found.name().to_owned())
    };
    assert_eq!(try_with("500").await, Ok("heat_worker".to_owned()));
    let why = try_with("often").await.unwrap_err();
    assert!(why.starts_with("says that it cannot work: setting poll_ms of heat_worker"), "{why}");
}
