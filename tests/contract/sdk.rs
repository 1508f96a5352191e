//! What the SDK's package holds.

use std::path::Path;
use std::process::Command;

use stokehold_tests::paths;

/// The files under `folder`, by their paths from it.
fn files(folder: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let below = files(&path).into_iter();
            found.extend(below.map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_contract_of_the_sdk_is_the_contract() {
    let contract = files(&paths::root().join("wit/worker@0.1.0"));
    assert!(contract.contains_key("deps/http.wit") && contract.contains_key("handler.wit"));
    assert_eq!(files(&paths::root().join("plugins/sdk/wit")), contract);
}

#[test]
fn a_package_of_the_sdk_holds_all_it_is_built_from() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(paths::root())
        .args(["package", "--package", "stokehold-sdk", "--list", "--allow-dirty", "--offline"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let listed: Vec<_> = listed.lines().map(|line| line.replace('\\', "/")).collect();
    let contract = files(&paths::root().join("wit/worker@0.1.0"));
    let contract = contract.keys().map(|name| format!("wit/{name}"));
    let sources = files(&paths::root().join("plugins/sdk/src"));
    let sources = sources
        .keys()
        .filter(|name| Path::new(name).extension().is_none_or(|ending| ending != "py"));
    let beside = ["README.md", "LICENSE", "Cargo.toml"].map(str::to_owned);
    for wanted in contract.chain(sources.map(|name| format!("src/{name}"))).chain(beside) {
        assert!(listed.contains(&wanted), "the package lacks {wanted}");
    }
}
