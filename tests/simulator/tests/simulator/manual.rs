//! Stacks that a test steps by hand, and time.

use super::{BOUND, client, post, shown, until};
use heat_simulator::{Options, Pace, Simulator};
use serde_json::json;
use std::time::Duration;

fn by_hand() -> Simulator {
    Simulator::start(Options { manual: true, ..Options::default() }).unwrap()
}

#[tokio::test]
async fn a_stack_stays_in_progress_until_the_test_ends_it() {
    let heat = by_hand();
    let client = client(&heat);
    let path = post(&client, "a", json!({})).await;
    let stack = heat.wait_in_progress("a", BOUND).await.unwrap();
    assert_eq!(stack.status.to_string(), "CREATE_IN_PROGRESS");
    assert_eq!(shown(&client, &path).await["outputs"][1]["output_value"], json!(null));
    heat.finish("a").unwrap();
    let stack = shown(&client, &path).await;
    assert_eq!(stack["stack_status"], "CREATE_COMPLETE");
    assert_eq!(stack["outputs"][1]["output_value"], "net");
    let error = heat.finish("a").unwrap_err().to_string();
    assert_eq!(error, "cannot finish stack a: it is CREATE_COMPLETE and nothing runs");
    let error = heat.finish("b").unwrap_err().to_string();
    assert_eq!(error, "cannot finish stack b: there is none of this name");
}

#[tokio::test]
async fn a_stack_ends_exactly_as_it_was_told() {
    let heat = by_hand();
    let client = client(&heat);
    let path = post(&client, "a", json!({})).await;
    let outputs = vec![json!({"output_key": "x", "output_value": null, "output_error": "none"})];
    heat.finish_with("a", "CREATE_COMPLETE", "as told", outputs.clone()).unwrap();
    let stack = shown(&client, &path).await;
    assert_eq!(
        (&stack["stack_status_reason"], &stack["outputs"]),
        (&json!("as told"), &json!(outputs))
    );
    let one = client.get(&format!("{path}/outputs/x")).await.unwrap();
    assert_eq!(one.body, json!({"output": outputs[0]}));
    client.send("PUT", &path, Some(&json!({"template": super::NETWORK}))).await.unwrap();
    let error = heat.finish_with("a", "CREATE_COMPLETE", "", Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "cannot finish stack a as CREATE_COMPLETE: it is UPDATE_IN_PROGRESS");
    let error = heat.finish_with("a", "DONE", "", Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "cannot read status DONE: CREATE_COMPLETE and its like are known");
    heat.finish_as("a", "UPDATE_FAILED", "no").unwrap();
    let stack = shown(&client, &path).await;
    assert_eq!(stack["stack_status"], "UPDATE_FAILED");
    assert_eq!(stack["outputs"][1]["output_value"], "net", "computed again");
    client.send("DELETE", &path, None).await.unwrap();
    heat.finish_with("a", "DELETE_COMPLETE", "gone", Vec::new()).unwrap();
    assert_eq!(client.get("/stacks/a").await.unwrap().status, 404);
    assert!(shown(&client, &path).await.get("outputs").is_none());
}

#[tokio::test]
async fn a_deletion_during_a_create_goes_through_its_phases_and_finish_through_all() {
    let heat = by_hand();
    let client = client(&heat);
    for name in ["stepped", "finished"] {
        let path = post(&client, name, json!({})).await;
        client.send("DELETE", &path, None).await.unwrap();
        if name == "stepped" {
            for status in
                ["CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
            {
                assert_eq!(shown(&client, &path).await["stack_status"], status);
                let _ = heat.step(name);
            }
        } else {
            heat.finish(name).unwrap();
            assert_eq!(shown(&client, &path).await["stack_status"], "DELETE_COMPLETE");
            assert!(heat.stack(name).unwrap().deleted);
        }
    }
}

#[tokio::test]
async fn waiting_for_a_stack_that_never_comes_ends_with_its_state() {
    let heat = by_hand();
    let error = heat.wait_in_progress("a", Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot wait for stack a: after 20ms it is not there");
    let client = client(&heat);
    let (waited, _) =
        tokio::join!(heat.wait_in_progress("late", BOUND), post(&client, "late", json!({})));
    assert_eq!(waited.unwrap().name, "late");
}

#[tokio::test]
async fn a_stack_that_takes_longer_than_its_timeout_fails() {
    let pace = Pace { of: vec![("slow".into(), Duration::from_hours(1))], ..Pace::default() };
    let minute = Duration::from_millis(20);
    let heat = Simulator::start(Options { pace, minute, ..Options::default() }).unwrap();
    let client = client(&heat);
    let path = post(&client, "slow_one", json!({"timeout_mins": 1})).await;
    let stack = until(&client, &path, "CREATE_FAILED").await;
    assert_eq!(stack["stack_status_reason"], "Create timed out");
    let path = post(&client, "quick", json!({"timeout_mins": 1000})).await;
    until(&client, &path, "CREATE_COMPLETE").await;
}

#[tokio::test]
async fn the_pace_of_a_name_is_its_own() {
    let pace = Pace { of: vec![("still".into(), Duration::from_hours(1))], ..Pace::default() };
    let heat = Simulator::start(Options { pace, ..Options::default() }).unwrap();
    let client = client(&heat);
    let still = post(&client, "still_1", json!({})).await;
    let quick = post(&client, "quick_1", json!({})).await;
    until(&client, &quick, "CREATE_COMPLETE").await;
    assert_eq!(shown(&client, &still).await["stack_status"], "CREATE_IN_PROGRESS");
}

#[tokio::test]
async fn requests_are_remembered_in_order_with_their_bodies() {
    let options = Options { requests_kept_max: 2, ..Options::default() };
    let heat = Simulator::start(options).unwrap();
    let client = client(&heat);
    client.get("/forgotten").await.unwrap();
    client.send("POST", "/stacks?x=1", Some(&json!("no json"))).await.unwrap();
    client.send("PUT", "/stacks/a", Some(&json!({"a": [1]}))).await.unwrap();
    let seen: Vec<_> =
        heat.requests().into_iter().map(|seen| (seen.method, seen.path, seen.body)).collect();
    let wanted = [
        ("POST".to_owned(), "/v1/a-tenant/stacks?x=1".to_owned(), json!("no json")),
        ("PUT".to_owned(), "/v1/a-tenant/stacks/a".to_owned(), json!({"a": [1]})),
    ];
    assert_eq!(seen, wanted);
    heat.forget_requests();
    assert_eq!(heat.requests(), []);
}

#[tokio::test]
async fn a_dropped_simulator_is_gone_with_its_connections() {
    let heat = by_hand();
    let client = client(&heat);
    assert_eq!(client.get("/stacks").await.unwrap().status, 200);
    drop(heat);
    let gone = async { while client.get("/stacks").await.is_ok() {} };
    tokio::time::timeout(BOUND, gone).await.expect("the port must be closed");
}

#[test]
fn outside_a_runtime_a_start_says_what_it_wants() {
    let error = Simulator::start(Options::default()).err().unwrap().to_string();
    assert_eq!(error, "cannot start the simulator outside a tokio runtime");
}
