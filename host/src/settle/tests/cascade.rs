//! What falls with a failure, and what does not.

use super::*;

#[test]
fn a_failure_fails_its_workflow_and_all_that_depends_on_it_however_far() {
    let jobs = [
        job(&Spec { last: false, ..spec("a", "p", &[]) }),
        job(&Spec { first: false, ..spec("a2", "p", &["a"]) }),
        job(&Spec { action: Action::Modify, ..spec("b", "q", &["a"]) }),
        job(&Spec { action: Action::LogicalDelete, ..spec("c", "r", &["b"]) }),
        job(&spec("free", "s", &[])),
    ];
    let queue = queue(&jobs, 0);
    let settled = settle(&queue, &failed("a", "no quota"), &LIMITS).unwrap();
    let transaction = only(&settled);
    let told = |of: &str| state(transaction, of).map(|s| s.fields["worker_state"].clone());
    assert_eq!(told("p"), Some(json!("CREATE_FAILED")));
    assert_eq!(told("q"), Some(json!("MODIFY_FAILED")));
    assert_eq!(told("r"), Some(json!("DELETE_FAILED")));
    assert_eq!(told("s"), None);
    for of in ["p", "q", "r"] {
        let error = &state(transaction, of).unwrap().error;
        assert!(error.contains("job a failed") && error.contains("no quota"), "{error}");
    }
    for id in ["a", "a2", "b", "c"] {
        assert!(removes(transaction, &Entry::Job(id.into())), "{id} is left");
    }
    let cancelled = vec!["a2".into(), "b".into(), "c".into()];
    assert_eq!(settled.about, About::Failed { trouble: "no quota".into(), cancelled });
    assert!(transaction.guards.contains(&Guard::Absent(Entry::PlanMark)));
    names_each_entry_once(transaction);
}

#[test]
fn a_newer_version_does_not_fall_with_the_older_one() {
    let jobs = [
        job(&spec("v1", "p", &[])),
        job(&Spec { of: ("p", 2), ..spec("v2", "p", &["v1"]) }),
        job(&spec("user", "q", &["v1"])),
    ];
    let settled = settle(&queue(&jobs, 0), &failed("v1", "no"), &LIMITS).unwrap();
    let transaction = only(&settled);
    assert!(put(transaction, &Entry::Ready("v2".into())).is_some());
    assert!(removes(transaction, &Entry::Job("user".into())));
    assert_eq!(state(transaction, "p").unwrap().version, Version(1));
}

#[test]
fn of_two_cancelled_versions_of_one_resource_only_the_newer_one_is_told() {
    let jobs = [
        job(&spec("cause", "x", &[])),
        job(&spec("v1", "p", &["cause"])),
        job(&Spec { of: ("p", 2), ..spec("v2", "p", &["v1", "cause"]) }),
    ];
    let settled = settle(&queue(&jobs, 0), &failed("cause", "no"), &LIMITS).unwrap();
    let transaction = only(&settled);
    names_each_entry_once(transaction);
    assert_eq!(state(transaction, "p").unwrap().version, Version(2));
}

#[test]
fn an_ignored_failure_lets_the_workflow_go_on() {
    let mut first = job(&Spec { last: false, ..spec("a", "p", &[]) });
    first.on_failure = OnFailure::Ignore;
    let queue = queue(&[first, job(&spec("b", "p", &["a"]))], 0);
    let settled = settle(&queue, &failed("a", "no"), &LIMITS).unwrap();
    assert_eq!(settled.about, About::Ignored { trouble: "no".into() });
    assert!(put(only(&settled), &Entry::Ready("b".into())).is_some());
}

#[test]
fn a_long_cascade_is_cut_into_commits_with_the_dependants_first_and_the_cause_last() {
    let ids: Vec<String> = (0..60).map(|n| format!("j{n:02}")).collect();
    let jobs: Vec<Job> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| {
            let before: Vec<&str> = n.checked_sub(1).map(|n| ids[n].as_str()).into_iter().collect();
            job(&spec(id, id, &before))
        })
        .collect();
    let settled = settle(&queue(&jobs, 0), &failed("j00", "no"), &LIMITS).unwrap();
    assert!(settled.transactions.len() > 2, "{}", settled.transactions.len());
    let mut left = 60;
    for transaction in &settled.transactions {
        assert!(transaction.guards.len() + transaction.effects.len() <= LIMITS.operations_max);
        let told: Vec<_> =
            (0..60).rev().filter(|n| state(transaction, &ids[*n]).is_some()).collect();
        assert_eq!(told.first(), Some(&(left - 1)), "the farthest of the rest comes first");
        left -= told.len();
    }
    assert_eq!(left, 0);
    assert!(removes(settled.transactions.last().unwrap(), &Entry::Working("j00".into())));
}

#[test]
fn a_newer_version_goes_on_even_if_it_waits_for_others_that_fall() {
    let jobs = [
        job(&spec("v1", "p", &[])),
        job(&spec("user", "q", &["v1"])),
        job(&Spec { of: ("p", 2), ..spec("v2", "p", &["v1", "user"]) }),
    ];
    let settled = settle(&queue(&jobs, 0), &failed("v1", "no"), &LIMITS).unwrap();
    let transaction = only(&settled);
    assert!(removes(transaction, &Entry::Job("user".into())));
    assert!(put(transaction, &Entry::Ready("v2".into())).is_some());
    names_each_entry_once(transaction);
}

#[test]
fn the_take_down_of_a_vanished_resource_goes_on_when_its_creation_fails() {
    let jobs = [
        job(&spec("create", "p", &[])),
        job(&Spec { action: Action::Delete, ..spec("delete", "p", &["create"]) }),
    ];
    let settled = settle(&queue(&jobs, 0), &failed("create", "no"), &LIMITS).unwrap();
    assert!(put(only(&settled), &Entry::Ready("delete".into())).is_some());
    let told = state(only(&settled), "p").unwrap();
    assert_eq!(told.fields["worker_state"], json!("CREATE_FAILED"));
}

#[test]
fn no_outcome_has_more_operations_than_the_store_takes() {
    let ids: Vec<String> = (0..500).map(|n| format!("waits{n}")).collect();
    let mut jobs = vec![job(&Spec { last: false, ..spec("a", "p", &[]) })];
    jobs.extend(ids.iter().map(|id| job(&spec(id, id, &["a"]))));
    let queue = queue(&jobs, 0);
    let done = settle(&queue, &closing("a", Ok(Verdict::Completed)), &LIMITS).unwrap();
    let fell = settle(&queue, &failed("a", "no"), &LIMITS).unwrap();
    for transaction in done.transactions.iter().chain(&fell.transactions) {
        let operations = transaction.guards.len() + transaction.effects.len();
        assert!(operations <= LIMITS.operations_max, "{operations}");
        names_each_entry_once(transaction);
    }
    assert_eq!(done.transactions.len(), 1);
}

#[test]
fn every_piece_of_a_cascade_minds_the_plans_beside_it_and_they_mind_it() {
    let mut jobs = vec![job(&spec("cause", "x", &[]))];
    let names: Vec<String> = (0..20).map(|n| format!("user{n}")).collect();
    jobs.extend(names.iter().map(|name| job(&spec(name, name, &["cause"]))));
    let limits = Limits { operations_max: 30, ..LIMITS };
    let settled = settle(&queue(&jobs, 0), &failed("cause", "no"), &limits).unwrap();
    assert!(settled.transactions.len() > 2, "{}", settled.transactions.len());
    for transaction in &settled.transactions {
        assert!(transaction.guards.contains(&Guard::Absent(Entry::PlanMark)));
        assert!(put(transaction, &Entry::PlanMark).is_some());
        assert!(transaction.guards.len() + transaction.effects.len() <= 30);
    }
}
