//! How the members of an etcd are, judged by what they say.

use super::finding::Finding;
use crate::store::etcd::{MemberState, MemberStatus};

const CHECK: &str = "etcd";
/// Parts of a hundred of its quota that an etcd may use before it is told, and before it is bad.
const FULL_SOON: u64 = 80;
const FULL: u64 = 95;
/// The quota of an etcd whose operator set none.
const QUOTA_BYTES: u64 = 2 << 30;
/// The oldest that the store is tried with.
const VERSION_MIN: (u64, u64) = (3, 4);
/// Releases that may lose acknowledged writes.
const FORGETFUL: [&str; 3] = ["3.5.0", "3.5.1", "3.5.2"];

/// A member and the quota of its file, where it tells that.
pub(super) type Member = (MemberStatus, Option<u64>);

pub(super) fn judge(members: &[Member]) -> Vec<Finding> {
    let there: Vec<_> = members
        .iter()
        .filter_map(|(status, quota)| Some((status, status.state.as_ref().ok()?, *quota)))
        .collect();
    let mut findings = Vec::new();
    let enough = there.len() * 2 > members.len();
    for (status, _) in members {
        let Err(why) = &status.state else { continue };
        let what = format!("member {} cannot be reached: {why}", status.url);
        findings.push(if enough {
            let remedy = "start it again; the others go on without it, but with one less to lose";
            Finding::warning(CHECK, what, remedy)
        } else {
            let remedy = "start it, or correct the address in the setting `store`; look at its log \
                          and at what lies between";
            Finding::problem(CHECK, what, remedy)
        });
    }
    findings.extend(versions(&there));
    findings.extend(leading(&there));
    for (status, state, quota) in &there {
        findings.extend(complaints(&status.url, state));
        findings.push(size(&status.url, state.db_bytes, *quota));
    }
    findings
}

type There<'a> = (&'a MemberStatus, &'a MemberState, Option<u64>);

fn versions(there: &[There]) -> Vec<Finding> {
    let mut versions: Vec<_> = there.iter().map(|(_, state, _)| state.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    let mut findings = Vec::new();
    if let [_, _, ..] = versions[..] {
        let what = format!("the members have different versions: {}", versions.join(", "));
        let remedy = "fine while they are upgraded one by one; finish that";
        findings.push(Finding::warning(CHECK, what, remedy));
    }
    for version in versions.iter().filter(|version| FORGETFUL.contains(version)) {
        let what =
            format!("etcd {version} may lose what it has acknowledged when a member crashes");
        findings.push(Finding::warning(CHECK, what, "take 3.5.3 or a newer one"));
    }
    let old = |version: &&&str| {
        let mut parts = version.split('.').map(|part| part.parse::<u64>().unwrap_or_default());
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) < VERSION_MIN
    };
    if let Some(version) = versions.iter().find(old) {
        let what = format!("etcd {version} is older than what the store was tried with");
        let remedy = format!("take {}.{} or a newer one", VERSION_MIN.0, VERSION_MIN.1);
        findings.push(Finding::warning(CHECK, what, remedy));
    }
    findings
}

fn leading(there: &[There]) -> Vec<Finding> {
    if there.is_empty() {
        return Vec::new();
    }
    let leader = there.iter().find(|(_, state, _)| state.leads);
    if let Some((status, state, _)) = leader {
        let what = format!(
            "{} of version {} leads in term {}; {} answered",
            status.url,
            state.version,
            state.raft_term,
            match there.len() {
                1 => "1 member".to_owned(),
                n => format!("{n} members"),
            }
        );
        return vec![Finding::ok(CHECK, what)];
    }
    if there.iter().any(|(_, state, _)| state.has_leader) {
        let what = "the member that leads is none of those that answered";
        let remedy = "name all members in the setting `store`, so that the loss of one is none";
        return vec![Finding::warning(CHECK, what, remedy)];
    }
    let what = "no member leads: nothing can be written";
    let remedy =
        "more than half of the members must run and reach one another; start the missing ones";
    vec![Finding::problem(CHECK, what, remedy)]
}

fn complaints(url: &str, state: &MemberState) -> Vec<Finding> {
    let of_leader = |text: &&String| !text.contains("no leader");
    let each = state.errors.iter().filter(of_leader).map(|text| {
        let what = format!("member {url} complains: {text}");
        if text.contains("NOSPACE") {
            let remedy = "compact (`etcdctl compact <revision>`), defragment (`etcdctl defrag`), then \
                          `etcdctl alarm disarm`; raise its --quota-backend-bytes if that is too small";
            Finding::problem(CHECK, what, remedy)
        } else if text.contains("CORRUPT") {
            let remedy = "take the member out, empty its data folder and let it join anew";
            Finding::problem(CHECK, what, remedy)
        } else {
            Finding::warning(CHECK, what, "look at the member's log")
        }
    });
    each.collect()
}

fn size(url: &str, bytes: u64, quota: Option<u64>) -> Finding {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    // Without a limit of its own an etcd says 0.
    let known = quota.filter(|quota| *quota > 0);
    let of = known.unwrap_or(QUOTA_BYTES);
    let whose = if known.is_some() { "its quota" } else { "the usual quota" };
    let used = bytes.saturating_mul(100) / of;
    let what =
        format!("member {url} uses {} MiB of {} MiB, {whose} ({used} %)", mib(bytes), mib(of));
    let remedy =
        "let etcd compact by itself (--auto-compaction-retention=1h), then `etcdctl defrag`";
    match used {
        FULL.. => Finding::problem(CHECK, what, remedy),
        FULL_SOON.. => Finding::warning(CHECK, what, remedy),
        _ => Finding::ok(CHECK, what),
    }
}

/// The quota in what an etcd tells its monitoring.
pub(super) fn quota(metrics: &str) -> Option<u64> {
    let line = metrics.lines().find_map(|line| {
        line.strip_prefix("etcd_server_quota_backend_bytes").filter(|rest| rest.starts_with(' '))
    });
    let number: f64 = line?.trim().parse().ok()?;
    // Quotas are some gigabytes: a float holds them exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (number.is_finite() && number > 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(version: &str, leads: bool) -> MemberState {
        MemberState {
            version: version.to_owned(),
            leads,
            has_leader: true,
            raft_term: 3,
            db_bytes: 1 << 20,
            errors: Vec::new(),
        }
    }

    fn member(url: &str, state: Result<MemberState, &str>) -> Member {
        (MemberStatus { url: url.to_owned(), state: state.map_err(str::to_owned) }, Some(100 << 20))
    }

    fn bad(members: &[Member]) -> Vec<String> {
        judge(members).iter().map(Finding::told).filter(|told| !told.starts_with("ok")).collect()
    }

    #[test]
    fn three_well_members_are_well() {
        let members = [
            member("a", Ok(state("3.5.9", false))),
            member("b", Ok(state("3.5.9", true))),
            member("c", Ok(state("3.5.9", false))),
        ];
        let told: Vec<_> = judge(&members).iter().map(Finding::told).collect();
        let expected = [
            "ok b of version 3.5.9 leads in term 3; 3 members answered",
            "ok member a uses 1 MiB of 100 MiB, its quota (1 %)",
            "ok member b uses 1 MiB of 100 MiB, its quota (1 %)",
            "ok member c uses 1 MiB of 100 MiB, its quota (1 %)",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_wrong_with_members_is_told_by_how_bad_it_is() {
        let (well, leads) = (|| Ok(state("3.5.9", false)), || Ok(state("3.5.9", true)));
        let with = |change: &dyn Fn(&mut MemberState)| {
            let mut state = state("3.5.9", true);
            change(&mut state);
            vec![member("a", Ok(state))]
        };
        let cases: Vec<(Vec<Member>, &[&str])> = vec![
            (
                vec![member("a", leads()), member("b", well()), member("c", Err("refused"))],
                &["warning member c cannot be reached: refused"],
            ),
            (
                vec![member("a", leads()), member("b", Err("refused"))],
                &["problem member b cannot be reached: refused"],
            ),
            (vec![member("a", Err("refused"))], &["problem member a cannot be reached: refused"]),
            (
                with(&|it| (it.leads, it.has_leader) = (false, false)),
                &["problem no member leads: nothing can be written"],
            ),
            (
                with(&|it| it.leads = false),
                &["warning the member that leads is none of those that answered"],
            ),
            (
                with(&|it| it.errors.push("memberID:1 alarm:NOSPACE ".to_owned())),
                &["problem member a complains: memberID:1 alarm:NOSPACE "],
            ),
            (
                with(&|it| it.errors.push("memberID:1 alarm:CORRUPT ".to_owned())),
                &["problem member a complains: memberID:1 alarm:CORRUPT "],
            ),
            (
                with(&|it| it.db_bytes = 81 << 20),
                &["warning member a uses 81 MiB of 100 MiB, its quota (81 %)"],
            ),
            (
                with(&|it| it.db_bytes = 96 << 20),
                &["problem member a uses 96 MiB of 100 MiB, its quota (96 %)"],
            ),
            (
                vec![member("a", leads()), member("b", Ok(state("3.4.30", false)))],
                &["warning the members have different versions: 3.4.30, 3.5.9"],
            ),
            (
                with(&|it| it.version = "3.5.2".to_owned()),
                &["warning etcd 3.5.2 may lose what it has acknowledged when a member crashes"],
            ),
            (
                with(&|it| it.version = "3.3.9".to_owned()),
                &["warning etcd 3.3.9 is older than what the store was tried with"],
            ),
        ];
        for (members, expected) in cases {
            assert_eq!(bad(&members), expected);
        }
    }

    #[test]
    fn where_the_quota_is_unknown_the_usual_one_is_meant() {
        assert_eq!(
            size("a", 1 << 30, None).told(),
            "ok member a uses 1024 MiB of 2048 MiB, the usual quota (50 %)"
        );
        assert!(size("a", 1 << 30, Some(0)).told().contains("the usual quota"));
    }

    #[test]
    fn the_quota_is_found_in_what_an_etcd_tells_its_monitoring() {
        let metrics = "# HELP etcd_server_quota_backend_bytes Current.\n\
                       etcd_server_quota_backend_bytes 2.147483648e+09\n";
        assert_eq!(quota(metrics), Some(2 << 30));
        for none in ["", "etcd_server_quota_backend_bytes x", "etcd_server_quota_backend_bytes 0"] {
            assert_eq!(quota(none), None, "{none}");
        }
    }
}
