//! What collectors outside are told.

use super::*;
use crate::domain::{Alias, Announcement, Registration};

fn target(name: &str, kind: &str) -> Target {
    Target {
        name: name.to_owned(),
        kind: kind.to_owned(),
        topic: "t".to_owned(),
        properties: json!({}),
        interval_ms: None,
    }
}

fn alias(id: &str) -> Alias {
    let of = ResourceRef::new("port", "p");
    Alias { mapped_id: id.to_owned(), relation: "r".to_owned(), of }
}

fn registration(targets: &[&str], aliases: &[&str]) -> Registration {
    Registration {
        targets: targets.iter().map(|name| ((*name).to_owned(), target(name, "old"))).collect(),
        aliases: aliases.iter().map(|id| alias(id)).collect(),
        ..Registration::default()
    }
}

#[test]
fn what_is_told_is_what_changes_in_the_end() {
    use Announcement::{Drop, Know, Unwatch, Watch};
    let register = |name: &str| MonitorCall::Register(target(name, "new"));
    let unregister = |name: &str| MonitorCall::Unregister(name.to_owned());
    let (add, remove) =
        (|id| MonitorCall::AddAlias(alias(id)), |id| MonitorCall::RemoveAlias(alias(id)));
    let (old, new) = (|name| target(name, "old"), |name| target(name, "new"));
    let cases = [
        // A first registration clears first, and so does one that is repeated after a crash.
        (
            registration(&[], &[]),
            vec![MonitorCall::Clear, register("a"), add("x")],
            vec![Watch(new("a")), Know(alias("x"))],
        ),
        (
            registration(&["a"], &["x"]),
            vec![MonitorCall::Clear, register("a"), add("x")],
            vec![Watch(new("a")), Know(alias("x"))],
        ),
        // What is left behind goes, as it was registered.
        (
            registration(&["a", "b"], &["x"]),
            vec![MonitorCall::Clear, register("b")],
            vec![Unwatch(old("a")), Drop(alias("x")), Watch(new("b"))],
        ),
        (
            registration(&["a"], &["x"]),
            vec![unregister("a"), remove("x"), MonitorCall::Clear],
            vec![Unwatch(old("a")), Drop(alias("x"))],
        ),
        // What comes and goes within one call, or was never there, is not worth a word.
        (registration(&[], &[]), vec![register("a"), unregister("a"), remove("x")], vec![]),
        (registration(&["a"], &[]), vec![], vec![]),
    ];
    let of = job(&spec("create:m:port:p:1:x", "p", &[]));
    for (before, calls, told) in cases {
        assert_eq!(announced(&of, Some(&before), &calls), told, "{calls:?}");
    }
}

#[test]
fn what_is_down_is_watched_no_more_and_only_then() {
    let fatal = || Ok(Verdict::Failed(Failure::Fatal("no".into())));
    for (action, last, outcome, down) in [
        (Action::Delete, true, Ok(Verdict::Completed), true),
        (Action::LogicalDelete, true, Ok(Verdict::Completed), true),
        (Action::Delete, false, Ok(Verdict::Completed), false),
        (Action::Delete, true, fatal(), false),
        (Action::Modify, true, Ok(Verdict::Completed), false),
    ] {
        let job = job(&Spec { action, last, ..spec("a", "p", &[]) });
        assert_eq!(is_taken_down(&job, &outcome), down, "{action} {last} {outcome:?}");
    }
}
