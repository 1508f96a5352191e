//! The folder of plugins, loaded as a host loads it.

use super::Patient;
use super::finding::Finding;
use crate::cli::house;
use crate::plugin::Loaded;
use crate::settings::Settings;

const CHECK: &str = "plugins";

pub(super) async fn look(patient: Patient) -> Vec<Finding> {
    let dir = &patient.settings.handlers;
    if !dir.is_dir() {
        let what = format!("there is no folder {} with plugins", dir.display());
        let remedy = "correct the setting `handlers`; `cargo xtask guests` fills target/handlers";
        return vec![Finding::problem(CHECK, what, remedy)];
    }
    match house::plugins(&patient.settings).await {
        Ok(loaded) => judge(&patient.settings, &loaded),
        Err(error) => {
            let what = format!("the sandbox cannot be started: {error:#}");
            let remedy = "give the process more address space, or lower `instances_max` and \
                          `memory_bytes_max`";
            vec![Finding::problem(CHECK, what, remedy)]
        }
    }
}

fn judge(settings: &Settings, loaded: &Loaded) -> Vec<Finding> {
    let mut findings = Vec::new();
    for worker in loaded.workers.values() {
        findings.push(Finding::ok(CHECK, format!("handler {} can be loaded", worker.name())));
    }
    for prober in &loaded.probers {
        let kinds = prober.kinds().join(", ");
        let what = format!("prober {} can be loaded, for {kinds}", prober.name());
        findings.push(Finding::ok(CHECK, what));
    }
    for fault in &loaded.faults {
        let what = format!("{} is not used: {}", fault.file.display(), fault.reason);
        findings.push(Finding::problem(CHECK, what, remedy(&fault.reason)));
    }
    let dir = settings.handlers.display();
    if loaded.workers.is_empty() {
        let what = format!("no handler can be loaded from {dir}: no job can run");
        let remedy = "put plugins there, or correct the setting `handlers`";
        findings.push(Finding::problem(CHECK, what, remedy));
    }
    for name in settings.plugins.keys() {
        if !settings.handlers.join(format!("{name}.wasm")).exists() {
            let what = format!(
                "settings speak of the plugin {name}, but there is no {name}.wasm in {dir}"
            );
            let remedy =
                "put it there, or correct its name in [plugins.…], --grant-http or --config";
            findings.push(Finding::warning(CHECK, what, remedy));
        }
    }
    findings
}

/// What the loader says of a missing grant has the remedy in it.
fn remedy(reason: &str) -> &'static str {
    let of_grants = ["cannot use its grants", "cannot use its http_ca_file", "cannot use secret"];
    if of_grants.iter().any(|begin| reason.starts_with(begin)) || reason.contains(" grant \"") {
        "correct what the settings, or the .toml beside it, say of this plugin; a running host reads \
         the .toml by itself, and the settings when it is started again"
    } else if reason.contains("not granted") {
        "grant it, as the message says; a running host reads the .toml beside the plugin by itself, \
         and the settings when it is started again"
    } else {
        "put a working plugin in its place, or remove it; a running host takes it by itself"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::PluginFault;
    use crate::settings::Flags;

    #[test]
    fn a_plugin_that_cannot_be_used_is_told_with_its_remedy() {
        let flags = Flags { grant_http: vec!["none=a:1".to_owned()], ..Flags::default() };
        let settings = Settings::from_sources(&flags, &[].into(), None);
        let settings = settings.unwrap_or_else(|error| panic!("{error:#}"));
        let fault =
            |file: &str, reason: &str| PluginFault { file: file.into(), reason: reason.to_owned() };
        let faults = vec![
            fault("a.wasm", "imports x, which it was not granted: set `http`"),
            fault("b.wasm", "is not a WebAssembly component"),
            fault("c.wasm", "cannot use its grants: cannot read secret x"),
            fault("d.wasm", "cannot read udp grant \"x\": write"),
        ];
        let findings = judge(&settings, &Loaded { faults, ..Loaded::default() });
        let text = crate::cli::doctor::finding::as_text(&findings);
        for words in [
            "problem  plugins    a.wasm is not used: imports x, which it was not granted",
            "do: grant it, as the message says; a running host reads",
            "problem  plugins    b.wasm is not used: is not a WebAssembly component",
            "do: put a working plugin in its place, or remove it",
            "problem  plugins    c.wasm is not used: cannot use its grants",
            "do: correct what the settings, or the .toml beside it, say of this plugin",
            "problem  plugins    no handler can be loaded from ./handlers: no job can run",
            "warning  plugins    settings speak of the plugin none, but there is no none.wasm in",
        ] {
            assert!(text.contains(words), "`{words}` is not in:\n{text}");
        }
    }
}
