use super::samples::{JOB, port, schemas, written};
use crate::domain::{Entry, ResourceRef};
use crate::wire::key;

#[test]
fn every_entry_has_the_key_that_the_world_knows() {
    let job = |family: &str| format!("{family}{JOB}");
    let table = [
        (Entry::Config(port()), "/config/v2.0/ports/a778".to_owned()),
        (
            Entry::Config(ResourceRef::new("tenant", "0b57")),
            "/config/common/v1.0/tenants/0b57".to_owned(),
        ),
        (Entry::Template("port".into()), "/config/v2.0/heat_templates/port".to_owned()),
        (Entry::State(port()), "/state/v2.0/ports/a778".to_owned()),
        (Entry::Monitoring(port()), "/monitoring/v2.0/ports/a778".to_owned()),
        (Entry::Job(JOB.into()), job("/jobs/all/")),
        (Entry::Waiting(JOB.into()), job("/jobs/waiting/")),
        (Entry::Ready(JOB.into()), job("/jobs/ready/")),
        (Entry::Working(JOB.into()), job("/jobs/working/")),
        (Entry::Step(JOB.into()), job("/stokehold/steps/")),
        (Entry::Stack(port()), "/esi-worker/heat_stacks/v2.0/ports/a778".to_owned()),
        (Entry::JobState(port()), "/esi-worker/job_state/v2.0/ports/a778".to_owned()),
        (Entry::Applied(port()), "/stokehold/applied/v2.0/ports/a778".to_owned()),
        (Entry::Registration(port()), "/stokehold/monitored/v2.0/ports/a778".to_owned()),
        (Entry::PlanMark, "/stokehold/plan".to_owned()),
        (Entry::Leader, "/stokehold/leader".to_owned()),
        (Entry::Host("h1".into()), "/stokehold/hosts/h1".to_owned()),
        (Entry::Unknown("/elsewhere".into()), "/elsewhere".to_owned()),
    ];
    let schemas = schemas();
    for (entry, expected) in table {
        assert_eq!(key::spell(&schemas, &entry), Ok(expected.clone()));
        assert_eq!(key::parse(&schemas, &expected), entry);
    }
    for (entry, _) in written() {
        assert_eq!(key::parse(&schemas, &key::spell(&schemas, &entry).unwrap()), entry);
    }
}

#[test]
fn a_doubled_slash_counts_as_one() {
    for text in ["/config//v2.0/ports/a778", "//config/v2.0///ports//a778"] {
        assert_eq!(key::parse(&schemas(), text), Entry::Config(port()));
    }
}

#[test]
fn a_key_that_no_rule_explains_is_kept_as_it_is() {
    let keys = [
        "",
        "/",
        "/config",
        "/config/",
        "/config/a778",
        "/config/v2.0/ports",
        "/config/v2.0/ports/",
        "/config/v2.0/ports/a/b",
        "/config/v2.0/servers/x",
        "/config/v2.0//servers/x",
        "/config/v2.0/heat_templates/",
        "/config/v2.0/heat_templates/a/b",
        "/configuration/v2.0/ports/a778",
        "/jobs/all/",
        "/jobs/all/a/b",
        "/jobs/finished/a",
        "/stokehold/plan/a",
        "/stokehold/leaders",
        "config/v2.0/ports/a778",
    ];
    for text in keys {
        assert_eq!(key::parse(&schemas(), text), Entry::Unknown(text.into()));
    }
}

#[test]
fn an_entry_without_a_place_of_its_own_has_no_key() {
    let table = [
        (
            Entry::State(ResourceRef::new("server", "1")),
            "cannot spell state server:1: no schema describes the kind server",
        ),
        (
            Entry::Config(ResourceRef::new("port", "")),
            "cannot spell config port:: its name must be one segment of a key: not empty, no slash",
        ),
        (Entry::Job("a/b".into()), "cannot spell job a/b: its name must be one segment of a key"),
        (Entry::Template("".into()), "cannot spell template : its name must be one segment"),
        (
            Entry::Config(ResourceRef::new("heat_template", "port")),
            "cannot spell config heat_template:port: its place is that of a template",
        ),
    ];
    for (entry, expected) in table {
        let complaint = key::spell(&schemas(), &entry).unwrap_err().to_string();
        assert!(complaint.starts_with(expected), "{complaint}");
    }
}

#[test]
fn the_prefix_of_a_kind_holds_its_entries_and_no_others() {
    let prefix = key::prefix_of(&schemas(), key::STATE, &"port".into()).unwrap();
    assert_eq!(prefix, "/state/v2.0/ports/");
    let complaint = key::prefix_of(&schemas(), key::STATE, &"server".into()).unwrap_err();
    assert_eq!(
        complaint.to_string(),
        "cannot spell keys of server: no schema describes the kind server"
    );
}
