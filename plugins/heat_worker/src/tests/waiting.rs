//! How long is waited, and for what.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

/// Calls the worker, a minute apart, until it fails; says after how many minutes.
fn minutes_to_failure(host: &ScriptedHost, job: &Job) -> (u64, Failure) {
    let mut checkpoint = None;
    for minutes in 0..100 {
        match HeatWorker::handle(host, job, checkpoint) {
            Ok(Next::Pending { checkpoint: next, .. }) => checkpoint = Some(next),
            Ok(Next::Completed) => panic!("the job succeeds"),
            Err(failure) => return (minutes, failure),
        }
        host.pass_ms(60_000);
    }
    panic!("the job does not end");
}

fn still(status: &str, minutes: u64) -> Failure {
    let words = format!("is still {status} after {minutes} min: Heat does not end it");
    Failure::fatal(format!("stack port_p1 {words}"))
}

#[test]
fn a_stack_that_runs_for_ever_does_not_hold_its_job() {
    // The time of what was asked for begins with the call after the question.
    let cases = [
        (Action::Create, "CREATE_IN_PROGRESS", None, 15),
        (Action::Modify, "UPDATE_IN_PROGRESS", Some("30"), 35),
        (Action::Delete, "CREATE_IN_PROGRESS", Some("30"), 15),
        (Action::LogicalDelete, "DELETE_IN_PROGRESS", None, 15),
    ];
    for (action, status, timeout, minutes) in cases {
        let mut host = host().network(move |request| match request.method {
            Method::Delete => answer(204, Json::Null),
            _ => stack(status, None),
        });
        if let Some(timeout) = timeout {
            host = host.param("heat_timeout", timeout);
        }
        let begun = u64::from(action.takes_down());
        let (after, failure) = minutes_to_failure(&host, &a_job(action));
        assert_eq!((after, failure), (minutes + begun, still(status, minutes)), "{action:?}");
        let seen = host.finish();
        let record = seen.stack.unwrap();
        assert_eq!((&*record.status, &*record.tenant_id), (status, "t1"));
        assert_eq!(record.status_reason, format!("it is {status}"));
        assert!(seen.reports.contains_key("orchestration_state"));
    }
}

#[test]
fn a_creation_that_never_ends_is_given_up_too() {
    let made = Cell::new(false);
    let host = host().param("heat_timeout", 1).network(move |request| {
        if request.method == Method::Post {
            made.set(true);
            return created();
        }
        if made.get() { stack("CREATE_IN_PROGRESS", None) } else { missing() }
    });
    let (after, failure) = minutes_to_failure(&host, &a_job(Action::Create));
    assert_eq!((after, failure), (7, still("CREATE_IN_PROGRESS", 6)));
}

#[test]
fn a_heat_that_is_busy_for_ever_is_given_up() {
    let host = host().network(|request| match request.method {
        Method::Put => conflict("ActionInProgress"),
        _ => stack("UPDATE_COMPLETE", None),
    });
    let (after, failure) = minutes_to_failure(&host, &a_job(Action::Modify));
    assert_eq!((after, failure), (15, still("UPDATE_COMPLETE", 15)));
}

#[test]
fn a_checkpoint_without_a_deadline_gets_one() {
    let old = json!({"phase": "create", "stack": "s1", "before": {"status": "", "updated": ""},
        "ran": true, "polls": 0, "rounds": 0});
    let host = host().network(|_| stack("CREATE_IN_PROGRESS", None));
    host.pass_ms(7_000);
    let next = HeatWorker::handle(&host, &a_job(Action::Create), Some(old)).unwrap();
    let Next::Pending { checkpoint, .. } = next else { panic!("{next:?}") };
    assert_eq!((&checkpoint["since_s"], &checkpoint["until_s"]), (&json!(7), &json!(907)));
}

#[test]
fn short_polls_do_not_shorten_the_wait_for_what_was_asked() {
    let asked = Rc::new(Cell::new(0));
    let puts = Rc::clone(&asked);
    let host = host().setting("poll_ms", "10").network(move |request| {
        if request.method == Method::Put {
            puts.set(puts.get() + 1);
            return answer(202, json!({}));
        }
        stack("UPDATE_COMPLETE", Some("1"))
    });
    let mut checkpoint = None;
    let mut looks = 0;
    while asked.get() < 2 {
        match HeatWorker::handle(&host, &a_job(Action::Modify), checkpoint).unwrap() {
            Next::Pending { checkpoint: next, .. } => checkpoint = Some(next),
            Next::Completed => panic!("an old status is taken for the new one"),
        }
        looks += 1;
    }
    // The question, 500 looks 10 ms apart, the one that gives up, the next question.
    assert_eq!(looks, 503);
}
