//! Another try.

use super::*;

#[test]
fn another_try_comes_after_a_pause_that_doubles_up_to_its_limit() {
    for (attempts, wake_ms) in [(0, 1100), (1, 1150)] {
        let queue = queue(&[job(&spec("a", "p", &[]))], attempts);
        let failed = Ok(Verdict::Failed(Failure::Retry("503".into())));
        let settled = settle(&queue, &closing("a", failed), &LIMITS).unwrap();
        let attempts = attempts + 1;
        let trouble = "503".to_owned();
        assert_eq!(settled.about, About::Retry { attempts, wake_ms, trouble });
        let Some(Content::Job(posted)) = put(only(&settled), &Entry::Job("a".into())) else {
            panic!("no job in {settled:?}")
        };
        assert_eq!(posted.attempts, attempts);
        names_each_entry_once(only(&settled));
    }
}

#[test]
fn every_fault_is_worth_another_try_until_there_were_enough() {
    let faults = [
        Fault::Trap("unreachable".into()),
        Fault::Deadline { call_ms_max: 30_000 },
        Fault::Memory { memory_bytes_max: 1 },
        Fault::Breach("checkpoint is not JSON".into()),
        Fault::Host("no instance".into()),
    ];
    for fault in faults {
        let mut jobs = queue(&[job(&spec("a", "p", &[]))], 1);
        let closed = closing("a", Err(fault.clone()));
        let settled = settle(&jobs, &closed, &LIMITS).unwrap();
        assert!(matches!(settled.about, About::Retry { attempts: 2, .. }), "{settled:?}");
        jobs = queue(&[job(&spec("a", "p", &[]))], 2);
        let settled = settle(&jobs, &closed, &LIMITS).unwrap();
        let told = state(only(&settled), "p").unwrap();
        assert!(told.error.contains(&fault.to_string()), "{}", told.error);
        assert!(told.error.contains("3 tries failed"), "{}", told.error);
    }
}

#[test]
fn what_could_not_be_told_is_tried_for_as_long_as_it_takes_and_counts_as_no_failed_try() {
    for (attempts, on_failure) in [(0, OnFailure::Fail), (2, OnFailure::Ignore)] {
        let job = Job { on_failure, ..job(&spec("a", "p", &[])) };
        let jobs = queue(&[job], attempts);
        let away = "cannot deliver to kafka a:9092".to_owned();
        let settled = settle(&jobs, &closing("a", Err(Fault::Undelivered(away.clone()))), &LIMITS);
        let settled = settled.unwrap();
        let expected = About::Retry { attempts, wake_ms: 1150, trouble: away };
        assert_eq!(settled.about, expected);
        assert_eq!(put(only(&settled), &Entry::Job("a".into())), None, "{settled:?}");
        assert!(removes(only(&settled), &Entry::Working("a".into())), "{settled:?}");
        names_each_entry_once(only(&settled));
    }
}
