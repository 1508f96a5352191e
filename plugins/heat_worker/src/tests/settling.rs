//! Heat is in the middle of something, or not as it was a moment ago.

use super::*;

fn accepted() -> Answer {
    answer(202, json!({}))
}

#[test]
fn an_action_that_runs_is_waited_for_before_the_update() {
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_IN_PROGRESS", None))
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("1")))
        .expect(Method::Get, FULL, stack("UPDATE_COMPLETE", Some("1")));
    completed(host, Action::Create);
}

#[test]
fn a_name_that_is_taken_meanwhile_is_looked_up_again() {
    let host = host()
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, conflict("StackExists"))
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("1")))
        .expect(Method::Get, FULL, stack("UPDATE_COMPLETE", Some("1")));
    completed(host, Action::Create);
}

#[test]
fn an_update_that_another_action_forbids_is_tried_again() {
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Put, FULL, conflict("ActionInProgress"))
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("1")))
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, stack("UPDATE_IN_PROGRESS", Some("2")))
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("2")))
        .expect(Method::Get, FULL, stack("UPDATE_COMPLETE", Some("2")));
    completed(host, Action::Modify);
}

#[test]
fn the_status_before_an_update_is_not_taken_for_its_end() {
    let old = || stack("UPDATE_COMPLETE", Some("1"));
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, old())
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, old())
        .expect(Method::Get, PLAIN, old())
        .expect(Method::Get, PLAIN, stack("UPDATE_IN_PROGRESS", Some("2")))
        .expect(Method::Get, PLAIN, stack("UPDATE_FAILED", Some("2")));
    let (failure, _) = failed(host, Action::Modify);
    let words = "stack port_p1 is UPDATE_FAILED: it is UPDATE_FAILED";
    assert_eq!(failure, Failure::fatal(words));
}

#[test]
fn an_update_within_the_same_second_as_the_last_is_asked_for_again() {
    let old = || stack("UPDATE_COMPLETE", Some("1"));
    let mut host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, old())
        .expect(Method::Put, FULL, accepted());
    for _ in 0..6 {
        host = host.expect(Method::Get, PLAIN, old());
    }
    let new = || stack("UPDATE_COMPLETE", Some("2"));
    let host = host
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, old())
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, new())
        .expect(Method::Get, FULL, new());
    completed(host, Action::Modify);
}

#[test]
fn an_update_that_never_begins_is_asked_for_again() {
    let mut host = host();
    for _ in 0..2 {
        host = host
            .expect(Method::Get, NAME, found())
            .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
            .expect(Method::Put, FULL, accepted());
        for _ in 0..6 {
            host = host.expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None));
        }
    }
    host = host
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("1")))
        .expect(Method::Get, FULL, stack("UPDATE_COMPLETE", Some("1")));
    completed(host, Action::Modify);
}

#[test]
fn a_heat_that_never_does_what_it_accepts_is_given_up() {
    let host = host().network(|request| match request.method {
        Method::Put => accepted(),
        _ => stack("CREATE_COMPLETE", None),
    });
    let (failure, seen) = failed(host, Action::Modify);
    let words = "cannot get hold of stack port_p1: something else keeps changing it, or Heat \
                 accepts and does nothing";
    assert_eq!(failure, Failure::retry(words));
    assert_eq!(seen.requests.iter().filter(|request| request.method == Method::Put).count(), 6);
}

#[test]
fn a_stack_that_vanishes_under_way_is_created_anew() {
    let vanished = [missing(), stack("DELETE_COMPLETE", None), stack("DELETE_IN_PROGRESS", None)];
    for gone in vanished {
        for (first, asked) in [(missing(), None), (found(), Some(accepted()))] {
            let mut host = host().expect(Method::Get, NAME, first);
            host = match asked {
                None => host.expect(Method::Post, STACKS, created()),
                Some(accepted) => host
                    .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
                    .expect(Method::Put, FULL, accepted),
            };
            host = host
                .expect(Method::Get, PLAIN, gone.clone())
                .expect(Method::Get, NAME, missing())
                .expect(Method::Post, STACKS, created())
                .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
                .expect(Method::Get, FULL, stack("CREATE_COMPLETE", None));
            completed(host, Action::Modify);
        }
    }
}

#[test]
fn a_stack_that_goes_between_look_and_update_is_created() {
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Put, FULL, missing())
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Get, FULL, stack("CREATE_COMPLETE", None));
    completed(host, Action::Modify);
}

#[test]
fn what_could_not_be_deleted_once_is_deleted_before_the_creation() {
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("DELETE_FAILED", None))
        .expect(Method::Delete, FULL, answer(204, Json::Null))
        .expect(Method::Get, PLAIN, stack("DELETE_FAILED", None))
        .expect(Method::Get, PLAIN, stack("DELETE_IN_PROGRESS", None))
        .expect(Method::Get, PLAIN, missing())
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Get, FULL, stack("CREATE_COMPLETE", None));
    completed(host, Action::Create);
}

#[test]
fn after_a_deletion_was_asked_for_only_its_own_statuses_count() {
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_IN_PROGRESS", None))
        .expect(Method::Delete, FULL, answer(204, Json::Null))
        .expect(Method::Get, PLAIN, stack("CREATE_IN_PROGRESS", None))
        .expect(Method::Get, PLAIN, stack("CREATE_FAILED", None))
        .expect(Method::Get, PLAIN, stack("DELETE_IN_PROGRESS", None))
        .expect(Method::Get, PLAIN, stack("DELETE_COMPLETE", None));
    completed(host, Action::Delete);
}

#[test]
fn a_deletion_that_runs_is_waited_for_and_not_asked_again() {
    let host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("DELETE_IN_PROGRESS", None))
        .expect(Method::Get, PLAIN, missing());
    completed(host, Action::LogicalDelete);
}

#[test]
fn a_deletion_that_never_begins_is_asked_for_again() {
    let mut host = host()
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Delete, FULL, answer(204, Json::Null));
    for _ in 0..6 {
        host = host.expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None));
    }
    host = host
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Delete, FULL, missing());
    completed(host, Action::Delete);
}

#[test]
fn the_outputs_of_a_stack_that_moves_on_are_not_published() {
    let host = host()
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, created())
        .expect(Method::Get, PLAIN, stack("CREATE_COMPLETE", None))
        .expect(Method::Get, FULL, stack("UPDATE_IN_PROGRESS", Some("1")))
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("1")))
        .expect(Method::Put, FULL, accepted())
        .expect(Method::Get, PLAIN, stack("UPDATE_COMPLETE", Some("2")))
        .expect(Method::Get, FULL, stack("UPDATE_COMPLETE", Some("2")));
    completed(host, Action::Create);
}

#[test]
fn a_heat_that_answers_by_name_without_a_redirect_is_understood() {
    let host = host().expect(Method::Get, NAME, stack("CREATE_COMPLETE", None)).expect(
        Method::Delete,
        FULL,
        missing(),
    );
    completed(host, Action::Delete);
}

#[test]
fn a_creation_whose_id_is_not_said_is_looked_up() {
    let host = host()
        .expect(Method::Get, NAME, missing())
        .expect(Method::Post, STACKS, answer(201, Json::Null))
        .expect(Method::Get, NAME, found())
        .expect(Method::Get, PLAIN, stack("CREATE_FAILED", None))
        .expect(Method::Put, FULL, answer(400, json!({"title": "no"})));
    let (failure, _) = failed(host, Action::Create);
    assert_eq!(failure, Failure::fatal("cannot update stack port_p1: Heat answered 400: no"));
}
