//! When what is probed.

use super::*;

#[test]
fn a_burst_of_registrations_does_not_probe_in_step() {
    let mut schedule = alone();
    for id in 0..1_000 {
        schedule.learn(registered(&of(id), &[("switch", "switch")], 1, 1), 0);
    }
    let (mut firsts, mut seconds) = ([0; 10], [0; 10]);
    for _ in 0..1_000 {
        let at = answer(&mut schedule, Ok("UP"));
        firsts[usize::try_from(at / 500).unwrap()] += 1;
    }
    for _ in 0..1_000 {
        let at = answer(&mut schedule, Ok("UP"));
        seconds[usize::try_from(at / 6_000).unwrap() % 10] += 1;
    }
    // The first probes are spread over five seconds, all further ones over the whole minute.
    assert!(firsts.iter().all(|count| (60..140).contains(count)), "{firsts:?}");
    assert!(seconds.iter().all(|count| (60..140).contains(count)), "{seconds:?}");
}

#[test]
fn a_target_is_probed_once_in_each_interval_and_never_twice_at_a_time() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 1), 0);
    let (_, first) = probe(&mut schedule);
    assert_eq!(schedule.next(1_000_000), Next::Nothing, "it is under way");
    schedule.take(&first, Ok("UP".to_owned()), 1_000_000);
    let times: Vec<_> = (0..4).map(|_| answer(&mut schedule, Ok("UP"))).collect();
    assert!((1_030_000..1_090_000).contains(&times[0]), "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 60_000), "{times:?}");
}

#[test]
fn a_registration_may_ask_for_another_interval_but_not_for_none() {
    for (asked, got) in [(5_000, 5_000), (0, 100), (7, 100), (3_600_000, 3_600_000)] {
        let asking = Target { interval_ms: Some(asked), ..target("switch", "switch") };
        let now_ms = 10_000_000;
        let first = PACE.first(&of(1), &asking, now_ms) - now_ms;
        assert!(first < got.min(5_000), "{asked}: {first}");
        let slot = PACE.slot(&of(1), &asking, now_ms);
        assert_eq!(PACE.slot(&of(1), &asking, slot), slot + got);
        assert!(((got / 2)..=(got * 3 / 2)).contains(&(slot - now_ms)), "{asked}");
    }
}

#[test]
fn a_change_is_looked_at_again_soon_and_a_silent_target_is_not() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 1), 0);
    answer(&mut schedule, Ok("UP"));
    let changed = answer(&mut schedule, Ok("DOWN"));
    let again = answer(&mut schedule, Err(()));
    assert_eq!(again - changed, 1_000);
    let (after, _) = probe(&mut schedule);
    assert!(after - again >= 30_000, "{after}");
}

#[test]
fn what_the_store_shows_of_a_target_is_not_probed_before_its_turn() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 2, 1), 0);
    schedule.learn(shown(&of(1), 2, &[("switch", "UP")], 2), 0);
    let (taken_over, _) = probe(&mut schedule);
    assert!(taken_over >= 30_000, "{taken_over}");
    // What it was at an earlier version says nothing.
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 2, 1), 0);
    schedule.learn(shown(&of(1), 1, &[("switch", "UP")], 2), 0);
    let (new, _) = probe(&mut schedule);
    assert!(new < 5_000, "{new}");
}

#[test]
fn what_is_not_registered_any_more_is_not_probed() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 1), 0);
    schedule.learn(fact(Entry::Registration(of(1)), None, 2), 0);
    assert_eq!(schedule.next(u64::MAX), Next::Nothing);
    // Nor does a probe of an earlier registration count for a later one.
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 3), 0);
    let (_, old) = probe(&mut schedule);
    schedule.learn(registered(&of(1), &[("switch", "switch")], 2, 4), 0);
    assert!(!schedule.take(&old, Err(()), 0));
    assert_eq!(probe(&mut schedule).1.at, Revision(4));
}

#[test]
fn a_target_that_tells_nothing_is_worth_one_word() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 1), 0);
    let mut words = Vec::new();
    for outcome in [Err(()), Err(()), Ok("UP".to_owned()), Err(())] {
        let (at, probe) = probe(&mut schedule);
        words.push(schedule.take(&probe, outcome, at));
    }
    assert_eq!(words, [true, false, false, true]);
}
