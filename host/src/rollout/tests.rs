#![allow(clippy::unwrap_used)]

use super::*;

const RULES: Rules = Rules {
    canary_percent: 0,
    canary_calls_min: 4,
    rollback_calls: 3,
    breaker_faults_max: 2,
    breaker_ms_min: 100,
    breaker_ms_max: 350,
};

fn call(rollout: &mut Rollout, rules: &Rules, subject: &str, ended: Ended, now_ms: u64) -> Turn {
    let ticket = rollout.begin(rules, subject, now_ms).unwrap();
    rollout.end(rules, ticket, ended, now_ms)
}

#[test]
fn the_first_version_has_nothing_to_go_back_to_and_is_paused_instead() {
    let mut rollout = Rollout::default();
    assert_eq!(call(&mut rollout, &RULES, "a", Ended::Faulted, 0), Turn::None);
    let paused = call(&mut rollout, &RULES, "a", Ended::Faulted, 5);
    assert_eq!(paused, Turn::Paused { until_ms: 105 });
    assert_eq!(rollout.gate(104), Gate::Closed { until_ms: 105 });
    assert_eq!(rollout.begin(&RULES, "a", 104), None);
}

#[test]
fn faults_pause_only_in_a_row() {
    let mut rollout = Rollout::default();
    for _ in 0..10 {
        assert_eq!(call(&mut rollout, &RULES, "a", Ended::Faulted, 0), Turn::None);
        assert_eq!(call(&mut rollout, &RULES, "a", Ended::Good, 0), Turn::None);
    }
    let never = Rules { breaker_faults_max: 0, ..RULES };
    for _ in 0..100 {
        assert_eq!(call(&mut rollout, &never, "a", Ended::Faulted, 0), Turn::None);
    }
}

#[test]
fn after_a_pause_one_call_tries_and_pauses_grow_until_it_is_well() {
    let mut rollout = Rollout::default();
    call(&mut rollout, &RULES, "a", Ended::Faulted, 0);
    let mut now = 0;
    for (nth, pause) in [100, 200, 350, 350].into_iter().enumerate() {
        let turn = call(&mut rollout, &RULES, "a", Ended::Faulted, now);
        assert_eq!(turn, Turn::Paused { until_ms: now + pause }, "pause {nth}");
        now += pause;
        assert_eq!(rollout.gate(now), Gate::One);
    }
    let trying = rollout.begin(&RULES, "a", now).unwrap();
    assert_eq!(rollout.gate(now), Gate::Trying);
    assert_eq!(rollout.begin(&RULES, "b", now), None, "one call tries, no other beside it");
    assert_eq!(rollout.end(&RULES, trying, Ended::Good, now), Turn::Resumed);
    assert_eq!(rollout.gate(now), Gate::Open);
    call(&mut rollout, &RULES, "a", Ended::Faulted, now);
    let again = call(&mut rollout, &RULES, "a", Ended::Faulted, now);
    assert_eq!(again, Turn::Paused { until_ms: now + 100 }, "it begins with the shortest again");
}

#[test]
fn a_try_that_came_to_nothing_leaves_the_place_to_the_next() {
    let mut rollout = Rollout::default();
    call(&mut rollout, &RULES, "a", Ended::Faulted, 0);
    call(&mut rollout, &RULES, "a", Ended::Faulted, 0);
    let trying = rollout.begin(&RULES, "a", 100).unwrap();
    rollout.abandon(trying);
    assert_eq!(rollout.gate(100), Gate::One);
}

#[test]
fn what_was_begun_before_a_pause_says_nothing_after_it() {
    let mut rollout = Rollout::default();
    let early: Vec<_> = (0..4).map(|_| rollout.begin(&RULES, "a", 0).unwrap()).collect();
    let turns: Vec<_> =
        early.into_iter().map(|it| rollout.end(&RULES, it, Ended::Faulted, 0)).collect();
    let paused = Turn::Paused { until_ms: 100 };
    assert_eq!(turns, [Turn::None, paused, Turn::None, Turn::None]);
    assert_eq!(rollout.gate(50), Gate::Closed { until_ms: 100 });
}

#[test]
fn a_new_version_is_trusted_after_its_first_good_calls() {
    let mut rollout = Rollout::default();
    assert!(rollout.replace(&RULES, "two"));
    let turns: Vec<_> = (0..4).map(|_| call(&mut rollout, &RULES, "a", Ended::Good, 0)).collect();
    assert_eq!(turns, [Turn::None, Turn::None, Turn::Trusted, Turn::None]);
    assert_eq!(call(&mut rollout, &RULES, "a", Ended::Faulted, 0), Turn::None);
}

#[test]
fn a_fault_among_the_first_calls_takes_a_new_version_out() {
    for good in 0..3 {
        let mut rollout = Rollout::default();
        rollout.replace(&RULES, "two");
        for _ in 0..good {
            assert_eq!(call(&mut rollout, &RULES, "a", Ended::Good, 0), Turn::None);
        }
        let others = rollout.begin(&RULES, "b", 0).unwrap();
        assert_eq!(call(&mut rollout, &RULES, "a", Ended::Faulted, 0), Turn::RolledBack);
        assert_eq!(rollout.end(&RULES, others, Ended::Faulted, 0), Turn::None, "once is enough");
        assert_eq!(rollout.on_trial(), None);
    }
}

#[test]
fn without_a_trial_nothing_is_kept_of_the_former_version() {
    let rules = Rules { rollback_calls: 0, ..RULES };
    let mut rollout = Rollout::default();
    assert!(!rollout.replace(&rules, "two"));
    assert_eq!(call(&mut rollout, &rules, "a", Ended::Faulted, 0), Turn::None);
}

#[test]
fn a_new_version_ends_the_pause_of_the_former() {
    let mut rollout = Rollout::default();
    call(&mut rollout, &RULES, "a", Ended::Faulted, 0);
    call(&mut rollout, &RULES, "a", Ended::Faulted, 0);
    rollout.replace(&RULES, "two");
    assert_eq!(rollout.gate(0), Gate::Open);
}

#[test]
fn a_canary_gets_its_share_of_the_jobs_and_each_job_always_the_same_side() {
    for percent in [1, 10, 50, 99] {
        let rules = Rules { canary_percent: percent, canary_calls_min: 10_000, ..RULES };
        let mut rollout = Rollout::default();
        rollout.replace(&rules, "two");
        let mut first = 0;
        for job in 0..10_000 {
            let subject = format!("create:heat_worker:port:{job}:1:abcde");
            let side = rollout.begin(&rules, &subject, 0).unwrap().side;
            assert_eq!(rollout.begin(&rules, &subject, 0).unwrap().side, side);
            first += u64::from(side == Side::Present);
        }
        let expected = percent * 100;
        assert!(first.abs_diff(expected) < 150, "{first} of {expected} at {percent} percent");
    }
}

#[test]
fn jobs_that_go_first_are_others_with_every_version() {
    let rules = Rules { canary_percent: 50, ..RULES };
    let sides = |digest: &str| {
        let mut rollout = Rollout::default();
        rollout.replace(&rules, digest);
        let side = |job: u32| rollout.begin(&rules, &job.to_string(), 0).unwrap().side;
        (0..100).map(side).collect::<Vec<_>>()
    };
    assert_ne!(sides("two"), sides("three"));
}

#[test]
fn a_canary_takes_all_after_its_good_calls_and_is_trusted_after_both_counts() {
    let rules = Rules { canary_percent: 50, canary_calls_min: 2, rollback_calls: 4, ..RULES };
    let mut rollout = Rollout::default();
    rollout.replace(&rules, "two");
    let first = (0..).map(|n: u32| n.to_string());
    let mut first = first.filter(|job| weight("two", job) % 100 < 50);
    let mut good = || call(&mut rollout, &rules, &first.next().unwrap(), Ended::Good, 0);
    assert_eq!(
        [good(), good(), good(), good()],
        [Turn::None, Turn::TakesAll, Turn::None, Turn::Trusted]
    );
}

#[test]
fn faults_of_the_former_version_do_not_take_the_canary_out() {
    let rules = Rules { canary_percent: 1, canary_calls_min: 100, ..RULES };
    let mut rollout = Rollout::default();
    rollout.replace(&rules, "two");
    let former = (0..10_000).map(|n: u32| n.to_string()).find(|job| weight("two", job) % 100 >= 1);
    let former = former.unwrap();
    assert_eq!(call(&mut rollout, &rules, &former, Ended::Faulted, 0), Turn::None);
    assert_eq!(rollout.on_trial(), Some(0));
}

#[test]
fn who_is_put_back_by_hand_is_on_no_trial_and_pays_for_no_fault_of_the_other() {
    let mut rollout = Rollout::default();
    rollout.replace(&RULES, "two");
    let ticket = rollout.begin(&RULES, "a", 0).unwrap();
    rollout.restore();
    assert_eq!(rollout.on_trial(), None);
    assert_eq!(rollout.end(&RULES, ticket, Ended::Faulted, 0), Turn::None, "it was of the other");
    assert_eq!(call(&mut rollout, &RULES, "a", Ended::Faulted, 0), Turn::None);
    let paused = call(&mut rollout, &RULES, "a", Ended::Faulted, 5);
    assert_eq!(paused, Turn::Paused { until_ms: 105 }, "there is nothing to go back to");
}
