//! A released contract changes for nobody who was built for it.

use std::collections::BTreeSet;
use std::path::Path;

use stokehold::plugin::{Effect, compare, read_wit};
use stokehold_tests::paths;
use wit_parser::decoding::decode;
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use super::kept::versions;

/// The functions of our own interfaces in a world: `params.resolve`.
fn functions(resolve: &Resolve, world: WorldId) -> BTreeSet<String> {
    let world = &resolve.worlds[world];
    let mut all = BTreeSet::new();
    for (key, item) in world.imports.iter().chain(&world.exports) {
        let (WorldKey::Interface(_), WorldItem::Interface { id, .. }) = (key, item) else {
            continue;
        };
        let name = resolve.id_of(*id).unwrap();
        if let Some(name) = name.strip_prefix("stokehold:worker/") {
            let name = name.split('@').next().unwrap();
            let functions = resolve.interfaces[*id].functions.keys();
            all.extend(functions.map(|function| format!("{name}.{function}")));
        }
    }
    all
}

/// The contract's folder of a version that is kept.
fn contract(version: &Path) -> std::path::PathBuf {
    let name = version.file_name().unwrap().to_string_lossy();
    paths::root().join(format!("wit/worker@{name}"))
}

#[test]
fn whoever_was_built_for_a_released_contract_meets_it_unbroken() {
    for version in versions() {
        let today = read_wit(&contract(&version)).unwrap();
        for name in ["kept_worker.wasm", "kept_prober.wasm", "echo_worker.wasm"] {
            let kept = read_wit(&version.join(name)).unwrap();
            let changes = compare(&kept, &today);
            let breaking: Vec<_> =
                changes.iter().filter(|change| change.effect == Effect::Breaking).collect();
            assert!(breaking.is_empty(), "{name}: {breaking:#?}");
        }
    }
}

#[test]
fn the_kept_components_touch_all_that_was_there_to_touch() {
    for version in versions() {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(contract(&version)).unwrap();
        for (world, name) in [("worker", "kept_worker.wasm"), ("watcher", "kept_prober.wasm")] {
            let world = resolve.select_world(&[package], Some(world)).unwrap();
            let offered = functions(&resolve, world);
            assert!(offered.len() > 3, "{offered:?}");
            let bytes = std::fs::read(version.join(name)).unwrap();
            let decoded = decode(&bytes).unwrap();
            let wit_parser::decoding::DecodedWasm::Component(kept, world) = decoded else {
                panic!("{name} is no component")
            };
            let touched = functions(&kept, world);
            let missed: Vec<_> = offered.difference(&touched).collect();
            assert!(missed.is_empty(), "{name} does not touch {missed:?}");
        }
    }
}
