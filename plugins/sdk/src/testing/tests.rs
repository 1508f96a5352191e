use super::*;
use crate::{Description, json};

/// Counts its calls in the checkpoint, and is done at the third.
struct Third;

impl Worker for Third {
    fn describe() -> Description {
        Description::new("third")
    }

    fn handle(_host: &dyn Host, _job: &Job, checkpoint: Option<Json>) -> Verdict {
        match crate::read_checkpoint::<u64>(checkpoint.as_ref())?.unwrap_or(1) {
            3 => Ok(Next::Completed),
            calls => Next::pending(10 * calls, &(calls + 1)),
        }
    }
}

fn create() -> Job {
    job(Action::Create, ResourceRef::new("port", "p1"), "")
}

#[test]
fn a_worker_is_called_with_each_checkpoint_after_the_time_it_asked_for() {
    let host = ScriptedHost::new();
    assert_eq!(to_the_end::<Third>(&host, &create(), 3), Ok(Next::Completed));
    assert_eq!(host.now_ms(), 30);
}

#[test]
#[should_panic(expected = "still pending after 2 calls, with the checkpoint Some(Number(3))")]
fn a_worker_that_never_ends_fails_its_test() {
    let _ = to_the_end::<Third>(&ScriptedHost::new(), &create(), 2);
}

#[test]
#[should_panic(expected = "requests that were expected and not sent")]
fn a_script_that_is_not_played_to_its_end_fails_the_test() {
    let host = ScriptedHost::new().expect(Method::Get, "http://a", no_answer());
    host.finish();
}

#[test]
fn outputs_make_the_stack_they_belong_to() {
    let network = ResourceRef::new("network", "n1");
    let host = ScriptedHost::new().output(network.clone(), "id", "n1").output(
        network.clone(),
        "mtu",
        1500,
    );
    let stack = host.find_stack(&network).unwrap().unwrap();
    assert_eq!(stack.output("mtu"), Some(&json!(1500)));
    assert_eq!(host.find_stack(&ResourceRef::new("network", "n2")), Ok(None));
    let host = host.out_of_reach("store is away");
    assert_eq!(host.find_stack(&network), Err("store is away".to_owned()));
    assert_eq!(host.find_state(&network), Err("store is away".to_owned()));
}
