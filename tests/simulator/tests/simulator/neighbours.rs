//! Keystone, Contrail's analytics and Gohan's schemas.

use super::{BOUND, client, post, until};
use heat_simulator::{Client, Credentials, Options, Overrides, Schemas, Simulator};
use serde_json::{Value as Json, json};

fn login(user: &str, password: &str) -> Json {
    json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "domain": {"id": "default"}, "password": password,
        }}},
        "scope": {"project": {"id": "a-tenant"}},
    }})
}

#[tokio::test]
async fn a_token_is_had_for_a_password_and_opens_heat_until_it_is_revoked() {
    let credentials = Credentials { user: "worker".into(), password: "secret".into() };
    let options = Options { credentials: Some(credentials), ..Options::default() };
    let heat = Simulator::start(options).unwrap();
    let keystone = Client::new(&heat.auth_url());
    for (user, password) in [("worker", "wrong"), ("nobody", "secret")] {
        let reply =
            keystone.send("POST", "/auth/tokens", Some(&login(user, password))).await.unwrap();
        assert_eq!((reply.status, reply.subject_token), (401, None));
        assert_eq!(reply.body["error"]["title"], "Unauthorized");
    }
    let reply = keystone.send("POST", "/auth/tokens", Some(&json!({"auth": {}}))).await.unwrap();
    assert_eq!((reply.status, &reply.body["error"]["code"]), (400, &json!(400)));
    let login = login("worker", "secret");
    let reply = keystone.send("POST", "/auth/tokens", Some(&login)).await.unwrap();
    assert_eq!(reply.status, 201);
    let endpoint = &reply.body["token"]["catalog"][0]["endpoints"][0]["url"];
    assert_eq!(endpoint, &json!(format!("{}/a-tenant", heat.url())));
    let open = client(&heat).token(&reply.subject_token.unwrap());
    assert_eq!(client(&heat).get("/stacks").await.unwrap().status, 401);
    assert_eq!(open.get("/stacks").await.unwrap().status, 200);
    heat.revoke_tokens();
    assert_eq!(open.get("/stacks").await.unwrap().status, 401);
    let reply = keystone.send("POST", "/auth/tokens", Some(&login)).await.unwrap();
    let open = client(&heat).token(&reply.subject_token.unwrap());
    assert_eq!(open.get("/stacks").await.unwrap().status, 200);
}

#[tokio::test]
async fn analytics_knows_what_heat_has_made() {
    let heat = Simulator::start(Options { manual: true, ..Options::default() }).unwrap();
    let client = client(&heat);
    let analytics = Client::new(&heat.analytics_url()).bound(BOUND);
    let uve = "/analytics/uves/virtual-network/default-domain%3Aadmin:net?flat";
    let known = || async { analytics.get(uve).await.unwrap().status };
    assert_eq!(known().await, 404);
    let path = post(&client, "a", json!({})).await;
    assert_eq!(known().await, 404, "not before it is complete");
    heat.finish("a").unwrap();
    assert_eq!(known().await, 200);
    let other = uve.replace("virtual-network", "virtual-machine-interface");
    assert_eq!(analytics.get(&other).await.unwrap().status, 404, "of its own type only");
    heat.set_down("default-domain:admin:net");
    assert_eq!(known().await, 404);
    heat.set_up("default-domain:admin:net");
    assert_eq!(known().await, 200);
    let name = json!({"fq_name": "default-domain:admin:net"});
    let control = Client::new(&format!("{}/simulator", heat.origin()));
    control.send("POST", "/down", Some(&name)).await.unwrap();
    assert_eq!(known().await, 404);
    control.send("POST", "/up", Some(&name)).await.unwrap();
    client.send("DELETE", &path, None).await.unwrap();
    heat.finish("a").unwrap();
    assert_eq!(known().await, 404, "not after it is deleted");
}

#[tokio::test]
async fn analytics_knows_an_overridden_name() {
    let overrides = Overrides::new(json!({
        "OS::Contrail::VirtualNetwork": {"fq_name": ["default-domain", "lab", "n1"]},
    }));
    let options = Options { overrides: overrides.unwrap(), ..Options::default() };
    let heat = Simulator::start(options).unwrap();
    let path = post(&client(&heat), "a", json!({})).await;
    until(&client(&heat), &path, "CREATE_COMPLETE").await;
    let uve = "/analytics/uves/virtual-network/default-domain:lab:n1?flat";
    let reply = Client::new(&heat.analytics_url()).get(uve).await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.body["UveVirtualNetworkAgent"].is_object(), "{}", reply.body);
}

#[tokio::test]
async fn schemas_come_from_the_file_after_the_failures_that_were_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("schemas.json");
    let schemas = Schemas { file: file.clone(), failures: 2, token: Some("t".into()) };
    let heat = Simulator::start(Options { schemas: Some(schemas), ..Options::default() }).unwrap();
    let closed = Client::new(&heat.schemas_url());
    assert_eq!(closed.get("").await.unwrap().status, 401);
    let open = closed.token("t");
    assert_eq!(open.get("").await.unwrap().status, 503);
    assert_eq!(open.get("").await.unwrap().status, 503);
    let reply = open.get("").await.unwrap();
    assert_eq!(reply.status, 500);
    assert!(reply.body["error"].as_str().unwrap().starts_with("cannot read schemas "));
    std::fs::write(&file, "{\"schemas\": [{\"id\": \"port\"}]}").unwrap();
    let reply = open.get("").await.unwrap();
    assert_eq!((reply.status, reply.body), (200, json!({"schemas": [{"id": "port"}]})));
    assert_eq!(reply.content_type.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn without_a_file_there_are_no_schemas() {
    let heat = Simulator::start(Options::default()).unwrap();
    let reply = Client::new(&heat.schemas_url()).get("").await.unwrap();
    let why = json!({"error": "the simulator was given no schemas (--schemas FILE)"});
    assert_eq!((reply.status, reply.body), (404, why));
}
