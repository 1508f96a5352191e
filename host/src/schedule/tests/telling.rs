//! What is written, and when.

use super::*;

/// A host with one resource of these objects, registered and reported.
fn with(targets: &[(&str, &str)]) -> Schedule {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), targets, 3, 5), 0);
    schedule.learn(stated(&of(1), 3, 6), 0);
    schedule.reach(Revision(6));
    schedule
}

fn guards(Transaction { guards, .. }: &Transaction) -> &[Guard] {
    guards
}

use crate::domain::{Effect, Guard};

#[test]
fn a_change_is_written_once_and_only_while_nobody_else_has_written() {
    let mut schedule = with(&[("switch", "switch")]);
    assert_eq!(schedule.tell(), []);
    answer(&mut schedule, Ok("UP"));
    let (tell, text) = tells(&mut schedule).pop().unwrap();
    assert_eq!((text.as_str(), tell.version), ("switch=UP", Version(3)));
    let monitoring = Entry::Monitoring(of(1));
    let others = [
        Guard::Unchanged(Entry::Registration(of(1)), Revision(5)),
        Guard::Absent(monitoring.clone()),
    ];
    let own = Guard::Present(Entry::Host("a".into()));
    assert_eq!(guards(&tell.transaction), [&others[..], &[own]].concat());
    // It is under way, then shown: there is nothing more to say.
    answer(&mut schedule, Ok("UP"));
    assert_eq!(schedule.tell(), []);
    schedule.told(tell, Ok(Revision(7)));
    assert_eq!(schedule.tell(), []);
    answer(&mut schedule, Ok("DOWN"));
    assert_eq!(schedule.tell(), [], "one probe is no change yet");
    answer(&mut schedule, Ok("DOWN"));
    let (tell, text) = tells(&mut schedule).pop().unwrap();
    assert_eq!(text, "switch=DOWN");
    assert_eq!(guards(&tell.transaction)[1], Guard::Unchanged(monitoring, Revision(7)));
}

#[test]
fn all_objects_of_a_resource_are_told_together() {
    let mut schedule = with(&[("one", "switch"), ("other", "switch")]);
    answer(&mut schedule, Ok("MASTER"));
    assert_eq!(schedule.tell(), []);
    answer(&mut schedule, Ok("MASTER"));
    assert_eq!(tells(&mut schedule)[0].1, "one=MASTER other=MASTER");
}

#[test]
fn an_object_that_says_nothing_does_not_hide_the_others_and_is_never_down() {
    let mut schedule = with(&[("one", "switch"), ("other", "switch")]);
    let (at, first) = probe(&mut schedule);
    schedule.take(&first, Ok("UP".to_owned()), at);
    answer(&mut schedule, Err(()));
    assert_eq!(tells(&mut schedule)[0].1, format!("{}=UP", first.target.name));
}

#[test]
fn an_object_without_a_prober_is_never_down_and_does_not_hide_the_others() {
    let mut schedule = with(&[("router", "switch"), ("session", "bgp_session")]);
    answer(&mut schedule, Ok("UP"));
    assert_eq!(tells(&mut schedule)[0].1, "router=UP");
    let mut schedule = with(&[("session", "bgp_session")]);
    assert_eq!(schedule.next(u64::MAX), Next::Nothing);
    assert_eq!(schedule.tell(), []);
    assert_eq!(schedule.unprobed(&of(1)), [("session", "bgp_session")]);
}

#[test]
fn nothing_is_told_before_the_state_of_that_version_is_there() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 3, 5), 0);
    schedule.learn(stated(&of(1), 2, 4), 0);
    answer(&mut schedule, Ok("UP"));
    assert_eq!(schedule.tell(), []);
    schedule.learn(stated(&of(1), 3, 6), 0);
    assert_eq!(tells(&mut schedule)[0].1, "switch=UP");
}

#[test]
fn a_status_of_an_earlier_version_is_written_again_under_the_new_one() {
    let mut schedule = with(&[("switch", "switch")]);
    schedule.learn(shown(&of(1), 2, &[("switch", "UP")], 6), 0);
    answer(&mut schedule, Ok("UP"));
    assert_eq!(tells(&mut schedule)[0].0.version, Version(3));
}

#[test]
fn a_host_that_takes_over_writes_nothing_as_long_as_nothing_changes() {
    let mut schedule = with(&[("switch", "switch")]);
    schedule.learn(shown(&of(1), 3, &[("switch", "UP")], 6), 0);
    for (status, told) in [("UP", 0), ("DOWN", 0), ("UP", 0), ("DOWN", 0), ("DOWN", 1)] {
        answer(&mut schedule, Ok(status));
        assert_eq!(schedule.tell().len(), told, "{status}");
    }
}

#[test]
fn whoever_was_overtaken_looks_at_what_the_store_shows_first() {
    let mut schedule = with(&[("switch", "switch")]);
    answer(&mut schedule, Ok("UP"));
    let (tell, _) = tells(&mut schedule).pop().unwrap();
    schedule.told(tell, Err(Some(Revision(9))));
    assert_eq!(schedule.tell(), []);
    schedule.learn(shown(&of(1), 3, &[("switch", "UP")], 8), 0);
    schedule.reach(Revision(9));
    assert_eq!(schedule.tell(), [], "the other one has written the same");
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let mut schedule = with(&[("switch", "switch")]);
    answer(&mut schedule, Ok("UP"));
    let (tell, _) = tells(&mut schedule).pop().unwrap();
    schedule.told(tell.clone(), Err(None));
    assert_eq!(schedule.tell(), [tell]);
}

#[test]
fn what_was_removed_while_it_was_written_is_taken_for_removed() {
    let mut schedule = with(&[("switch", "switch")]);
    answer(&mut schedule, Ok("UP"));
    let (tell, _) = tells(&mut schedule).pop().unwrap();
    schedule.learn(fact(Entry::Registration(of(1)), None, 8), 0);
    schedule.learn(fact(Entry::Monitoring(of(1)), None, 8), 0);
    schedule.reach(Revision(8));
    schedule.told(tell, Ok(Revision(7)));
    schedule.learn(registered(&of(1), &[("switch", "switch")], 3, 9), 0);
    answer(&mut schedule, Ok("UP"));
    let (tell, _) = tells(&mut schedule).pop().unwrap();
    assert_eq!(guards(&tell.transaction)[1], Guard::Absent(Entry::Monitoring(of(1))));
}

#[test]
fn what_cannot_be_read_is_written_anew_and_not_tried_for_ever() {
    let mut schedule = with(&[("switch", "switch")]);
    let monitoring = Entry::Monitoring(of(1));
    let unreadable = Some(Content::Unreadable("it is no JSON".to_owned()));
    let found = registered(&of(1), &[], 3, 7);
    schedule.learn(Fact { entry: monitoring.clone(), content: unreadable, ..found }, 0);
    schedule.reach(Revision(7));
    answer(&mut schedule, Ok("UP"));
    let (tell, text) = tells(&mut schedule).pop().unwrap();
    assert_eq!(text, "switch=UP");
    assert_eq!(guards(&tell.transaction)[1], Guard::Unchanged(monitoring, Revision(7)));
}

/// What is to be removed.
fn removals(schedule: &mut Schedule) -> usize {
    let gone = Effect::Remove(Entry::Monitoring(of(1)));
    let tells = schedule.tell();
    tells.iter().filter(|tell| tell.transaction.effects == [gone.clone()]).count()
}

#[test]
fn what_tells_nothing_for_long_counts_no_more() {
    let mut schedule = with(&[("one", "switch")]);
    answer(&mut schedule, Ok("UP"));
    let (tell, _) = tells(&mut schedule).pop().unwrap();
    schedule.told(tell, Ok(Revision(7)));
    schedule.reach(Revision(7));
    for _ in 1..SILENCES_MAX {
        answer(&mut schedule, Err(()));
        assert_eq!(schedule.tell(), [], "it may be back");
    }
    answer(&mut schedule, Err(()));
    let (tell, text) = tells(&mut schedule).pop().unwrap();
    assert_eq!(text, "");
    assert_eq!(tell.transaction.effects, [Effect::Remove(Entry::Monitoring(of(1)))]);
    assert_eq!(
        guards(&tell.transaction)[1],
        Guard::Unchanged(Entry::Monitoring(of(1)), Revision(7))
    );
    schedule.told(tell, Ok(Revision(8)));
    answer(&mut schedule, Err(()));
    assert_eq!(schedule.tell(), [], "it is told once");
    answer(&mut schedule, Ok("DOWN"));
    let (tell, text) = tells(&mut schedule).pop().unwrap();
    assert_eq!(text, "one=DOWN");
    assert_eq!(guards(&tell.transaction)[1], Guard::Absent(Entry::Monitoring(of(1))));
}

#[test]
fn what_has_lost_its_prober_counts_for_a_while_and_then_no_more() {
    let mut schedule = with(&[("one", "switch"), ("other", "router")]);
    schedule.learn(shown(&of(1), 3, &[("one", "UP"), ("other", "UP")], 6), 0);
    answer(&mut schedule, Ok("DOWN"));
    answer(&mut schedule, Ok("DOWN"));
    assert_eq!(tells(&mut schedule)[0].1, "one=DOWN other=UP", "its time is not up");
    let mut schedule = with(&[("other", "router")]);
    schedule.learn(shown(&of(1), 3, &[("other", "UP")], 6), 0);
    assert_eq!(schedule.next(PACE.interval_ms), Next::At(2 * PACE.interval_ms));
    assert_eq!(removals(&mut schedule), 0);
    assert_eq!(schedule.next(2 * PACE.interval_ms), Next::Nothing);
    assert_eq!(removals(&mut schedule), 1);
}

#[test]
fn a_prober_that_is_back_in_time_goes_on_from_what_is_shown() {
    let mut schedule = with(&[("one", "switch")]);
    schedule.learn(shown(&of(1), 3, &[("one", "UP")], 6), 0);
    schedule.offer(BTreeSet::new(), 0);
    schedule.meet(peers(&[("a", &[])]), true, 0);
    assert_eq!(schedule.next(PACE.interval_ms), Next::At(2 * PACE.interval_ms));
    schedule.offer(BTreeSet::from(["switch".to_owned()]), PACE.interval_ms);
    answer(&mut schedule, Ok("UP"));
    assert_eq!(schedule.tell(), []);
}
