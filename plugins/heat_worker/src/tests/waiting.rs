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
    // What the job asks for, what the stack has, and when the job fails: the margin after the longer of them. Null is
    // Heat's own default, which 0 asks for. The time of what was asked for begins with the call after the question.
    let cases = [
        (Action::Create, "CREATE_IN_PROGRESS", None, json!(10), 15),
        (Action::Create, "CREATE_IN_PROGRESS", Some("0"), Json::Null, 65),
        (Action::Modify, "UPDATE_IN_PROGRESS", Some("30"), json!(10), 35),
        (Action::Modify, "UPDATE_IN_PROGRESS", Some("0"), json!(10), 65),
        (Action::Modify, "UPDATE_IN_PROGRESS", Some("6"), json!(60), 65),
        (Action::Delete, "CREATE_IN_PROGRESS", Some("30"), json!(6), 15),
        (Action::Delete, "DELETE_IN_PROGRESS", None, json!(60), 65),
        (Action::LogicalDelete, "DELETE_IN_PROGRESS", None, Json::Null, 65),
        (Action::LogicalDelete, "DELETE_IN_PROGRESS", None, json!(10), 15),
    ];
    for (action, status, timeout, of_stack, minutes) in cases {
        let mut host = host().network(move |request| match request.method {
            Method::Delete => answer(204, Json::Null),
            _ => timed(status, None, &of_stack),
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
        if made.get() { timed("CREATE_IN_PROGRESS", None, &json!(1)) } else { missing() }
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
fn a_wait_that_an_earlier_release_began_is_as_long_as_the_stack_may_take() {
    let old = json!({"phase": "delete", "stack": "s1", "before":
        {"status": "CREATE_COMPLETE", "updated": ""}, "ran": true, "polls": 0, "unseen_ms": 0,
        "since_s": 0, "until_s": 900, "rounds": 0});
    let host = host().network(|_| timed("DELETE_IN_PROGRESS", None, &json!(60)));
    host.pass_ms(20 * 60_000);
    let next = HeatWorker::handle(&host, &a_job(Action::Delete), Some(old)).unwrap();
    let Next::Pending { checkpoint, .. } = next else { panic!("{next:?}") };
    host.pass_ms(45 * 60_000);
    let end = HeatWorker::handle(&host, &a_job(Action::Delete), Some(checkpoint)).unwrap_err();
    assert_eq!(end, still("DELETE_IN_PROGRESS", 65));
}

#[test]
fn undoing_what_failed_has_its_own_time() {
    // The version before had an hour, and so has the way back to it, whatever Heat shows.
    for (before, bound) in [(json!(10), 15), (json!(60), 65)] {
        let looks = Cell::new(0);
        let host = host().setting("rollback", "true").network(move |request| {
            if request.method == Method::Put {
                return answer(202, json!({}));
            }
            looks.set(looks.get() + 1);
            match looks.get() {
                1 => timed("CREATE_COMPLETE", None, &before),
                2..=14 => timed("UPDATE_IN_PROGRESS", Some("1"), &json!(10)),
                _ => timed("ROLLBACK_IN_PROGRESS", Some("1"), &json!(10)),
            }
        });
        let (after, failure) = minutes_to_failure(&host, &a_job(Action::Modify));
        assert_eq!((after, failure), (14 + bound, still("ROLLBACK_IN_PROGRESS", bound)));
    }
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

/// The pauses between the looks at a stack that is created for so many seconds.
fn pauses(host: ScriptedHost, seconds: u64) -> Vec<u64> {
    let made = Cell::new(false);
    let host = host.network(move |request| {
        if request.method == Method::Post {
            made.set(true);
            return created();
        }
        if made.get() { stack("CREATE_IN_PROGRESS", None) } else { missing() }
    });
    let (mut checkpoint, mut waited_ms, mut pauses) = (None, 0, Vec::new());
    while waited_ms < seconds * 1000 {
        match HeatWorker::handle(&host, &a_job(Action::Create), checkpoint).unwrap() {
            Next::Completed => panic!("the stack does not end"),
            Next::Pending { checkpoint: next, after_ms } => {
                checkpoint = Some(next);
                host.pass_ms(after_ms);
                waited_ms += after_ms;
                pauses.push(after_ms);
            }
        }
    }
    let seen = host.finish();
    let looks = seen.requests.iter().filter(|request| request.method == Method::Get);
    assert!(looks.clone().all(|look| look.url.ends_with("?resolve_outputs=false")));
    pauses
}

#[test]
fn looks_are_quick_at_first_then_slower_and_bounded() {
    let default = ScriptedHost::new().setting("heat_url", "http://heat/v1");
    let pauses_a = pauses(default, 600);
    assert_eq!(pauses_a[..8], [500; 8]);
    assert!(pauses_a.is_sorted(), "{pauses_a:?}");
    assert_eq!(pauses_a.last(), Some(&10_000));
    // 500 ms apart throughout they would be 1200.
    assert!(pauses_a.len() < 100, "{} looks in ten minutes", pauses_a.len());
    let set = host().setting("poll_ms_max", "2000");
    let pauses_b = pauses(set, 60);
    assert_eq!((pauses_b.first(), pauses_b.last()), (Some(&1000), Some(&2000)));
}

#[test]
fn a_first_pause_above_the_usual_longest_is_taken_as_it_is() {
    assert_eq!(pauses(host().setting("poll_ms", "30000"), 60), [30_000, 30_000]);
}

#[test]
fn the_time_of_a_stack_and_the_margin_beyond_it_are_settings() {
    let cases = [
        (None, [("timeout_mins", "20"), ("timeout_margin_mins", "3")], 20, 23),
        (Some("6"), [("timeout_mins", "20"), ("timeout_margin_mins", "0")], 6, 6),
    ];
    for (param, settings, told, bound) in cases {
        let made = Rc::new(Cell::new(Json::Null));
        let body = Rc::clone(&made);
        let mut host = host().network(move |request| match request.method {
            Method::Put => {
                body.set(serde_json::from_slice(&request.body).unwrap());
                answer(202, json!({}))
            }
            _ => timed(
                if body_is_set(&body) { "UPDATE_IN_PROGRESS" } else { "CREATE_COMPLETE" },
                None,
                &json!(told),
            ),
        });
        for (key, value) in settings {
            host = host.setting(key, value);
        }
        if let Some(param) = param {
            host = host.param("heat_timeout", param);
        }
        let (after, failure) = minutes_to_failure(&host, &a_job(Action::Modify));
        assert_eq!((after, failure), (bound + 1, still("UPDATE_IN_PROGRESS", bound)));
        assert_eq!(made.take()["timeout_mins"], told);
    }
}

fn body_is_set(body: &Cell<Json>) -> bool {
    let value = body.take();
    let is_set = !value.is_null();
    body.set(value);
    is_set
}
