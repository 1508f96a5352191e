//! What the host offers to import, and what is to be said of an import that it does not.

use std::collections::BTreeSet;

use super::contract::interfaces;
use super::{Kind, Offer};

/// The package of the contract.
pub(super) const CONTRACT: &str = "stokehold:worker";
/// Its version, without the patch that does not matter.
pub(super) const CONTRACT_TRACK: &str = "0.1";
/// The WASI that the host speaks.
const WASI_TRACK: &str = "0.2";

/// Interfaces of the contract that handlers and probers have, and those that handlers alone have.
const SHARED: [&str; 3] = ["types", "config", "log"];
const FOR_HANDLERS: [&str; 4] = ["params", "stack-output", "state", "monitor"];

/// What is linked for everybody: harmless, empty as files and environment are, or denied as sockets are.
const WASI: [(&str, &[&str]); 6] = [
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:filesystem", &["types", "preopens"]),
    (
        "wasi:sockets",
        &[
            "network",
            "instance-network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
            "ip-name-lookup",
        ],
    ),
];

/// What is linked where it was granted: package, interfaces, kind of grant.
const GRANTED: [(&str, &[&str], &str); 1] = [("wasi:http", &["types", "outgoing-handler"], "http")];

/// The parts of `wasi:http/types@0.2.12`.
pub(super) struct Name<'a> {
    pub(super) package: &'a str,
    pub(super) interface: &'a str,
    pub(super) version: &'a str,
}

impl<'a> Name<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let (package, interface) = name.split_once('/')?;
        Some(Self { package, interface, version })
    }

    /// Whether it is of this line of versions: `0.2` has 0.2.0 and 0.2.12.
    fn is_of(&self, track: &str) -> bool {
        self.version
            .strip_prefix(track)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// What the host has for one import. `functions` are those the component uses of it.
pub(super) fn judge(text: &str, functions: &[String], kind: Option<Kind>) -> Offer {
    let Some(name) = Name::read(text) else {
        return Offer::Missing(format!(
            "imports {text}, which is no interface of a package: nobody offers that"
        ));
    };
    let offer = match offered(&name, kind) {
        Ok(offer) => offer,
        Err(why) => return Offer::Missing(format!("imports {text}, {why}")),
    };
    let bare = format!("{}/{}", name.package, name.interface);
    let Some(known) = interfaces().get(&bare) else { return offer };
    match functions.iter().find(|function| !known.contains(*function)) {
        None => offer,
        Some(missing) => {
            let near = nearest(missing, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; the nearest it has is {near}"));
            Offer::Missing(format!(
                "imports the function {missing} of {text}, which that interface does not have on \
                 this host{}",
                near.unwrap_or_default()
            ))
        }
    }
}

fn offered(name: &Name<'_>, kind: Option<Kind>) -> Result<Offer, String> {
    if name.package == CONTRACT {
        if !name.is_of(CONTRACT_TRACK) {
            let version = name.version;
            return Err(format!(
                "but this host speaks {CONTRACT}@{CONTRACT_TRACK}, not {version}: build it for \
                 that version, or run a host that speaks {version}"
            ));
        }
        if SHARED.contains(&name.interface) {
            return Ok(Offer::Host);
        }
        if FOR_HANDLERS.contains(&name.interface) {
            return match kind {
                Some(Kind::Prober) => {
                    Err("which handlers have and probers have not: there is no job".to_owned())
                }
                _ => Ok(Offer::Host),
            };
        }
        return Err(unknown(name));
    }
    let plain = WASI.iter().map(|(package, list)| (*package, *list, None));
    let granted = GRANTED.iter().map(|(package, list, grant)| (*package, *list, Some(*grant)));
    let mut of_package = plain.chain(granted).filter(|(package, ..)| *package == name.package);
    let Some((_, list, grant)) = of_package.next() else { return Err(unknown(name)) };
    if !name.is_of(WASI_TRACK) {
        let (package, version) = (name.package, name.version);
        return Err(format!("but this host speaks {package}@{WASI_TRACK}, not {version}"));
    }
    if !list.contains(&name.interface) {
        return Err(unknown(name));
    }
    Ok(grant.map_or(Offer::Host, Offer::Grant))
}

/// Why nobody has it, and what is meant perhaps.
fn unknown(name: &Name<'_>) -> String {
    let bare = format!("{}/{}", name.package, name.interface);
    let all = all();
    let near = nearest(&bare, all.iter().map(String::as_str).filter(|known| **known != bare));
    let near = near.map(|near| format!("; the nearest it offers is {near}"));
    format!("which this host does not offer{}", near.unwrap_or_default())
}

/// All interfaces that can be imported, without version.
fn all() -> BTreeSet<String> {
    let contract = SHARED.iter().chain(&FOR_HANDLERS).map(|name| format!("{CONTRACT}/{name}"));
    let list = |package: &'static str, list: &'static [&'static str]| {
        list.iter().map(move |name| format!("{package}/{name}"))
    };
    let wasi = WASI.iter().flat_map(|(package, names)| list(package, names));
    let granted = GRANTED.iter().flat_map(|(package, names, _)| list(package, names));
    contract.chain(wasi).chain(granted).collect()
}

/// The known name that differs least, if it can be a slip.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let by_distance = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (distance, near) = by_distance.min()?;
    (distance <= (name.chars().count() / 3).max(2)).then_some(near)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn missing(name: &str, functions: &[&str], kind: Kind) -> String {
        let functions: Vec<_> = functions.iter().map(|&name| name.to_owned()).collect();
        match judge(name, &functions, Some(kind)) {
            Offer::Missing(why) => why,
            offer => panic!("{name} is {offer:?}"),
        }
    }

    #[test]
    fn what_the_host_has_is_offered_in_every_patch_of_its_version() {
        for (name, offer) in [
            ("stokehold:worker/params@0.1.0", Offer::Host),
            ("stokehold:worker/types@0.1.3", Offer::Host),
            ("wasi:io/streams@0.2.0", Offer::Host),
            ("wasi:cli/stdin@0.2.12", Offer::Host),
            ("wasi:sockets/tcp@0.2.9", Offer::Host),
            ("wasi:http/outgoing-handler@0.2.3", Offer::Grant("http")),
        ] {
            assert_eq!(judge(name, &[], Some(Kind::Handler)), offer, "{name}");
        }
    }

    #[test]
    fn a_missing_import_is_told_with_its_version_and_the_nearest_known() {
        for (name, expected) in [
            (
                "stokehold:worker/parms@0.1.0",
                "imports stokehold:worker/parms@0.1.0, which this host does not offer; the nearest \
                 it offers is stokehold:worker/params",
            ),
            (
                "stokehold:worker/params@0.2.0",
                "imports stokehold:worker/params@0.2.0, but this host speaks stokehold:worker@0.1, \
                 not 0.2.0: build it for that version, or run a host that speaks 0.2.0",
            ),
            ("wasi:io/streams@0.3.0", "but this host speaks wasi:io@0.2, not 0.3.0"),
            ("wasi:io/streams@0.20.0", "but this host speaks wasi:io@0.2, not 0.20.0"),
            ("acme:queue/push@1.0.0", "which this host does not offer"),
            ("lonely", "imports lonely, which is no interface of a package"),
        ] {
            let why = missing(name, &[], Kind::Handler);
            assert!(why.contains(expected), "{name} gave: {why}");
        }
        let far = missing("acme:queue/push@1.0.0", &[], Kind::Handler);
        assert!(!far.contains("nearest"), "{far}");
    }

    #[test]
    fn a_missing_function_is_told_with_the_nearest_of_its_interface() {
        let why = missing("stokehold:worker/params@0.1.0", &["resolve-al"], Kind::Handler);
        assert!(why.contains("the function resolve-al of stokehold:worker/params@0.1.0"), "{why}");
        assert!(why.ends_with("the nearest it has is resolve-all"), "{why}");
    }

    #[test]
    fn a_prober_has_no_job_to_ask_about() {
        let why = missing("stokehold:worker/params@0.1.0", &[], Kind::Prober);
        assert!(
            why.ends_with("which handlers have and probers have not: there is no job"),
            "{why}"
        );
    }

    #[test]
    fn a_slip_has_a_nearest_name_and_a_stranger_none() {
        let known = ["config", "state", "log"];
        assert_eq!(nearest("confg", known.into_iter()), Some("config"));
        assert_eq!(nearest("sttae", known.into_iter()), Some("state"));
        assert_eq!(nearest("orchestrator", known.into_iter()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
