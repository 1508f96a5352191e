//! Which host probes what.

use super::*;

const KINDS: &[&str] = &["switch"];

/// How many of the hosts probe each resource; panics unless it is one.
fn each_has_one(hosts: &[&Schedule], resources: usize) -> Vec<usize> {
    for id in 0..resources {
        let probing = hosts.iter().filter(|host| host.watched[&of(id)].is_mine);
        assert_eq!(probing.count(), 1, "{}", of(id));
    }
    hosts.iter().map(|host| host.mine()).collect()
}

#[test]
fn each_resource_is_probed_by_one_host_however_hosts_come_and_go() {
    const RESOURCES: usize = 2_000;
    let names = ["a", "b", "c"];
    let mut hosts: Vec<_> = names.iter().map(|name| host(name, KINDS)).collect();
    for host in &mut hosts {
        for id in 0..RESOURCES {
            host.learn(registered(&of(id), &[("switch", "switch")], 1, 1), 0);
        }
        assert_eq!(host.mine(), 0, "nothing before it sees itself among the others");
    }
    for there in [&names[..1], &names[..2], &names[..], &names[1..], &names[2..], &names[..]] {
        let all: Vec<_> = there.iter().map(|name| (*name, KINDS)).collect();
        for host in &mut hosts {
            host.meet(peers(&all), true, 0);
        }
        let there: Vec<_> = hosts.iter().filter(|host| there.contains(&host.me.as_str())).collect();
        let mine = each_has_one(&there, RESOURCES);
        let share = RESOURCES / mine.len();
        assert!(mine.iter().all(|count| count.abs_diff(share) < share / 5 + 1), "{mine:?}");
    }
}

#[test]
fn a_host_that_cannot_be_sure_of_its_lease_probes_and_tells_nothing() {
    let mut schedule = alone();
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 1), 0);
    schedule.learn(stated(&of(1), 1, 1), 0);
    let (at, probe) = probe(&mut schedule);
    schedule.meet(peers(&[("a", KINDS)]), false, at);
    schedule.take(&probe, Ok("UP".to_owned()), at);
    assert_eq!(schedule.next(u64::MAX), Next::Nothing);
    assert_eq!(schedule.tell(), []);
    schedule.meet(peers(&[("a", KINDS)]), true, at);
    assert!(matches!(schedule.next(u64::MAX), Next::Probe(_)));
}

#[test]
fn a_resource_goes_to_a_host_that_can_probe_all_of_it() {
    let targets = [("s", "switch"), ("v", "nova_vm"), ("x", "unheard_of")];
    let (some, all): (&[&str], &[&str]) = (&["switch"], &["switch", "nova_vm"]);
    let mut partly = host("a", some);
    let mut wholly = host("b", all);
    for id in 0..50 {
        for host in [&mut partly, &mut wholly] {
            host.learn(registered(&of(id), &targets, 1, 1), 0);
            host.meet(peers(&[("a", some), ("b", all)]), true, 0);
        }
    }
    assert_eq!((partly.mine(), wholly.mine()), (0, 50));
    // Without that host the other one does what it can.
    partly.meet(peers(&[("a", some)]), true, 0);
    assert_eq!(partly.mine(), 50);
    assert_eq!(partly.unprobed(&of(1)), [("v", "nova_vm"), ("x", "unheard_of")]);
    assert_eq!(wholly.unprobed(&of(1)), [("x", "unheard_of")]);
}

#[test]
fn a_prober_that_comes_or_goes_at_run_time_counts_at_once() {
    let mut schedule = host("a", &[]);
    schedule.learn(registered(&of(1), &[("switch", "switch")], 1, 1), 0);
    schedule.meet(peers(&[("a", &[])]), true, 0);
    assert_eq!(schedule.next(u64::MAX), Next::Nothing);
    schedule.offer(["switch".to_owned()].into(), 0);
    assert!(matches!(schedule.next(u64::MAX), Next::Probe(_)));
    schedule.offer(BTreeSet::new(), 0);
    assert_eq!(schedule.next(u64::MAX), Next::Nothing);
}
