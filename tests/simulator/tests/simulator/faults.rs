//! Failures on demand.

use super::{BOUND, NETWORK, client, post, shown, until};
use heat_simulator::{Effect, Fault, Options, Simulator};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn start(faults: Vec<Fault>) -> Simulator {
    Simulator::start(Options { faults, ..Options::default() }).unwrap()
}

fn wanted(name: &str) -> Json {
    json!({"stack_name": name, "template": NETWORK})
}

#[tokio::test]
async fn an_answer_on_demand_comes_as_often_as_it_was_told() {
    let busy = Effect::Answer {
        status: 503,
        body: json!({"error": "busy"}),
        headers: BTreeMap::from([("retry-after".into(), "1".into())]),
    };
    let heat = start(vec![Fault::new(busy).method("POST").stack("port_").skip(1).times(2)]);
    let client = client(&heat);
    let mut statuses = Vec::new();
    for number in 0..4 {
        let body = wanted(&format!("port_{number}"));
        let reply = client.send("POST", "/stacks", Some(&body)).await.unwrap();
        statuses.push(reply.status);
        if reply.status == 503 {
            assert_eq!(reply.body, json!({"error": "busy"}));
        }
    }
    assert_eq!(statuses, [201, 503, 503, 201]);
    let made: Vec<String> = heat.stacks().into_iter().map(|stack| stack.name).collect();
    assert_eq!(made, ["port_0", "port_3"], "what is answered on demand is not acted on");
    assert_eq!(heat.requests().len(), 4, "but it is remembered");
}

#[tokio::test]
async fn a_reset_cuts_the_connection_before_anything_is_done() {
    let heat = start(vec![Fault::new(Effect::Reset).times(1)]);
    let client = client(&heat);
    let error = client.send("POST", "/stacks", Some(&wanted("a"))).await.unwrap_err();
    assert!(format!("{error:?}").to_lowercase().contains("reset"), "{error:?}");
    assert_eq!(heat.stacks(), []);
    post(&client, "a", json!({})).await;
}

#[tokio::test]
async fn a_lost_answer_leaves_the_work_done() {
    let heat = start(vec![Fault::new(Effect::Lose).method("POST").times(1)]);
    let client = client(&heat);
    client.send("POST", "/stacks", Some(&wanted("a"))).await.unwrap_err();
    let reply = client.send("POST", "/stacks", Some(&wanted("a"))).await.unwrap();
    assert_eq!((reply.status, reply.body["error"]["type"].as_str()), (409, Some("StackExists")));
}

#[tokio::test]
async fn a_hanging_server_says_nothing_and_ends_at_its_bound() {
    let hang = Fault::hang(Duration::from_millis(150)).times(1);
    let heat = start(vec![hang.clone()]);
    let impatient = client(&heat).bound(Duration::from_millis(30));
    let error = impatient.get("/stacks").await.unwrap_err();
    assert!(format!("{error:?}").contains("deadline"), "{error:?}");
    // Whether the first request got there or not.
    heat.set_faults(vec![hang]);
    let begun = Instant::now();
    client(&heat).get("/stacks").await.unwrap_err();
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < BOUND);
    assert_eq!(client(&heat).get("/stacks").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_slow_answer_comes_late_but_whole() {
    let heat = start(vec![Fault::slow(Duration::from_millis(80)).times(1)]);
    let begun = Instant::now();
    assert_eq!(client(&heat).get("/stacks").await.unwrap().body, json!({"stacks": []}));
    assert!(begun.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn garbage_takes_the_place_of_the_body_only() {
    let garbage = Effect::Garbage { body: "<html>".into() };
    let heat = start(vec![Fault::new(garbage).method("POST").times(1)]);
    let reply = client(&heat).send("POST", "/stacks", Some(&wanted("a"))).await.unwrap();
    assert_eq!((reply.status, reply.body), (201, json!("<html>")));
    assert_eq!(heat.stacks().len(), 1);
}

#[tokio::test]
async fn an_action_fails_with_the_reason_it_was_given() {
    let heat = start(vec![
        Fault::fail("quota is used up").method("POST"),
        Fault::fail("no, again").method("PUT").times(1),
        Fault::fail("in use").method("DELETE").times(1),
    ]);
    let client = client(&heat);
    let path = post(&client, "a", json!({})).await;
    let stack = until(&client, &path, "CREATE_FAILED").await;
    assert_eq!(stack["stack_status_reason"], "quota is used up");
    let body = json!({"template": NETWORK});
    // A redirect starts nothing, so it does not use the failure up.
    assert_eq!(client.send("PUT", "/stacks/a", Some(&body)).await.unwrap().status, 302);
    client.send("PUT", &path, Some(&body)).await.unwrap();
    let stack = until(&client, &path, "UPDATE_FAILED").await;
    assert_eq!(stack["stack_status_reason"], "no, again");
    client.send("PUT", &path, Some(&body)).await.unwrap();
    until(&client, &path, "UPDATE_COMPLETE").await;
    client.send("DELETE", &path, None).await.unwrap();
    let stack = until(&client, &path, "DELETE_FAILED").await;
    assert_eq!(stack["stack_status_reason"], "in use");
    client.send("DELETE", &path, None).await.unwrap();
    until(&client, &path, "DELETE_COMPLETE").await;
}

#[tokio::test]
async fn faults_can_be_set_and_read_and_taken_back_over_http() {
    let heat = start(Vec::new());
    let control = heat_simulator::Client::new(&format!("{}/simulator", heat.origin()));
    let fault = json!({"method": "GET", "times": 1, "effect": {"answer": {"status": 500}}});
    let reply = control.send("POST", "/faults", Some(&fault)).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(client(&heat).get("/stacks").await.unwrap().status, 500);
    assert_eq!(client(&heat).get("/stacks").await.unwrap().status, 200);
    let left = control.get("/faults").await.unwrap().body;
    assert_eq!(left["faults"][0]["times"], 0);
    control.send("DELETE", "/faults", None).await.unwrap();
    assert_eq!(control.get("/faults").await.unwrap().body, json!({"faults": []}));
    let wrong = control.send("POST", "/faults", Some(&json!({"effect": "explode"}))).await.unwrap();
    assert_eq!(wrong.status, 400);
    assert!(wrong.body["error"].as_str().unwrap().contains("\"reset\", \"lose\""));
    let seen = control.get("/requests").await.unwrap().body;
    let seen: Vec<&str> =
        seen["requests"].as_array().unwrap().iter().map(|r| r["path"].as_str().unwrap()).collect();
    assert_eq!(seen, ["/v1/a-tenant/stacks", "/v1/a-tenant/stacks"]);
    let nowhere = control.get("/nope").await.unwrap();
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.body["error"].as_str().unwrap().contains("POST faults"));
}

#[tokio::test]
async fn bytes_that_are_no_request_harm_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let heat = start(Vec::new());
    let address = heat.origin().replace("http://", "");
    for bytes in [
        &b"\0\xff\xfe nothing\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/t/stacks HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n\xff\xfe\xfd",
        b"GET /%ff%00/%2f?%zz=%ff HTTP/1.1\r\nhost: \xff\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(BOUND, stream.read_to_end(&mut answer)).await;
        read.expect("the server must not hang").unwrap();
        let status = String::from_utf8_lossy(&answer);
        assert!(status.starts_with("HTTP/1.1 4"), "{status}");
    }
    let path = post(&client(&heat), "fine", json!({})).await;
    assert_eq!(shown(&client(&heat), &path).await["stack_name"], "fine");
}
