//! The contract this host was built with, as data: which interfaces there are and which functions they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use wit_parser::{Resolve, SourceMap};

macro_rules! texts {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../../wit/worker@0.1.0/", $name)))),*]
    };
}

/// Packages of others, each after those it uses.
const DEPENDENCIES: [(&str, &str); 7] = texts!(
    "deps/io.wit",
    "deps/clocks.wit",
    "deps/random.wit",
    "deps/filesystem.wit",
    "deps/sockets.wit",
    "deps/cli.wit",
    "deps/http.wit"
);

/// The package of the contract itself, in files.
const CONTRACT: [(&str, &str); 11] = texts!(
    "config.wit",
    "handler.wit",
    "log.wit",
    "monitor.wit",
    "params.wit",
    "prober.wit",
    "stack-output.wit",
    "state.wit",
    "trial.wit",
    "types.wit",
    "worlds.wit"
);

/// All files of the contract's folder: their names in it, and their texts.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    DEPENDENCIES.into_iter().chain(CONTRACT)
}

/// Interface without its version → the names of its functions.
pub(super) type Interfaces = BTreeMap<String, BTreeSet<String>>;

/// All interfaces of the contract and of what it depends on.
pub(super) fn interfaces() -> &'static Interfaces {
    static INTERFACES: OnceLock<Interfaces> = OnceLock::new();
    // The texts are part of the program and read by a test; without them only fewer words can be said.
    INTERFACES.get_or_init(|| read().unwrap_or_default())
}

fn read() -> anyhow::Result<Interfaces> {
    let mut resolve = Resolve::default();
    for (name, text) in DEPENDENCIES {
        resolve.push_source(name, text)?;
    }
    let mut files = SourceMap::default();
    for (name, text) in CONTRACT {
        files.push_str(name, text);
    }
    let group = files.parse().map_err(|(_, why)| anyhow::anyhow!("{why}"))?;
    resolve.push_group(group)?;
    let mut interfaces = Interfaces::new();
    for (id, interface) in &resolve.interfaces {
        let Some(name) = resolve.id_of(id) else { continue };
        let name = name.split('@').next().unwrap_or_default().to_owned();
        interfaces.insert(name, interface.functions.keys().cloned().collect());
    }
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_contract_can_be_read_and_has_its_functions() {
        let all = read().unwrap();
        let has = |interface: &str, function: &str| {
            all.get(interface).is_some_and(|known| known.contains(function))
        };
        assert!(has("stokehold:worker/params", "resolve-all"));
        assert!(has("stokehold:worker/handler", "handle"));
        assert!(has("wasi:http/outgoing-handler", "handle"));
        assert!(has("wasi:io/streams", "[method]input-stream.read"));
        assert!(all.contains_key("wasi:sockets/tcp"));
    }
}
