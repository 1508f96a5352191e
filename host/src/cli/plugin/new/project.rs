//! A project, as files: pure.

use std::collections::BTreeMap;

use super::language::{Language, README_END, SHARED};
use crate::plugin::contract_files;

/// What stands in the templates for the plugin's name.
const NAME: &str = "my_worker";
/// Bytes of a name; it becomes a part of paths, of keys and of names of settings.
const NAME_BYTES_MAX: usize = 64;
/// Names that cargo and npm keep for themselves: Rust's keywords, the crates that every program finds, the folder of
/// packages. They hold in all languages, as a handler may be written anew in another one; for Python and C the name is
/// a mere text.
const KEPT: [&str; 57] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "node_modules",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Whether a plugin may be called so.
///
/// # Errors
/// Why not, and what a name looks like.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(format!(
            "use lower case letters, digits and \"_\", a letter first, at most {NAME_BYTES_MAX}: \
             the name is that of the handler in templates, of the folder and of the file"
        ));
    }
    if KEPT.contains(&name) {
        return Err(format!(
            "the tools keep \"{name}\" for themselves: use another, \"{name}_worker\""
        ));
    }
    Ok(())
}

/// All files of a new project by their paths.
pub(super) fn files(name: &str, language: Language) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (path, text) in SHARED.iter().chain(language.templates()) {
        files.insert((*path).to_owned(), named(text, name));
    }
    if let Some(readme) = files.get_mut("README.md") {
        let component = named(language.component(), name);
        readme.push_str(&named(README_END, name).replace("COMPONENT", &component));
    }
    for (file, text) in contract_files() {
        files.insert(place(file), text.to_owned());
    }
    files
}

/// Where a file of the contract lies in a project: packages side by side in `wit/deps`.
fn place(name: &str) -> String {
    match name.strip_prefix("deps/") {
        Some(package) => format!("wit/deps/{package}"),
        None => format!("wit/deps/stokehold-worker/{name}"),
    }
}

/// What to do next, a command a line.
pub(super) fn next_steps(name: &str, language: Language, folder: &str) -> Vec<String> {
    let component = named(language.component(), name);
    let mut steps = vec![format!("cd {}", quoted(folder))];
    steps.extend(language.commands().iter().map(|command| (*command).to_owned()));
    steps.push(format!("stokehold plugin check {component}"));
    steps.push(format!("stokehold plugin run {component} --job job.json"));
    steps
}

/// One word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    // What begins with a dash would be an option.
    let begin = if text.starts_with('-') { "./" } else { "" };
    if !text.is_empty() && text.chars().all(is_plain) {
        return format!("{begin}{text}");
    }
    format!("'{begin}{}'", text.replace('\'', r"'\''"))
}

fn named(text: &str, name: &str) -> String {
    text.replace(NAME, name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::collections::BTreeSet;
    use std::path::Path;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_name_fits_templates_files_and_tools() {
        for name in ["dns", "dns_worker", "a1", &"a".repeat(NAME_BYTES_MAX)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "1a", "_a", "Dns", "dns-worker", "dns worker", "../x", "ä", &long] {
            let said = check_name(name).unwrap_err();
            assert!(said.starts_with("use lower case letters, digits and \"_\""), "{name}: {said}");
        }
        let said = check_name("match").unwrap_err();
        assert_eq!(said, "the tools keep \"match\" for themselves: use another, \"match_worker\"");
        for kept in ["use", "where", "while", "unsafe", "yield", "try", "typeof", "virtual"] {
            assert!(check_name(kept).is_err(), "{kept}");
        }
        assert!(KEPT.is_sorted());
    }

    #[test]
    fn a_folder_is_one_word_for_the_shell() {
        for (folder, word) in [
            ("dns", "dns"),
            ("../my-plugins/dns_2.0", "../my-plugins/dns_2.0"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~dns", "'~dns'"),
            ("-dns", "./-dns"),
            ("-d s", "'./-d s'"),
        ] {
            let steps = next_steps("dns", Language::C, folder);
            assert_eq!(steps.first().unwrap(), &format!("cd {word}"));
        }
    }

    #[test]
    fn a_project_gets_the_whole_contract() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/worker@0.1.0");
        let names = |below: &str| -> Vec<String> {
            let entries = std::fs::read_dir(folder.join(below)).unwrap();
            let files = entries.map(|entry| entry.unwrap()).filter(|it| it.path().is_file());
            files.map(|it| format!("{below}{}", it.file_name().to_string_lossy())).collect()
        };
        let there: BTreeSet<_> = names("").into_iter().chain(names("deps/")).collect();
        let taken: BTreeSet<_> = contract_files().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(taken, there);
    }

    #[test]
    fn every_project_bears_its_name_and_has_a_test_a_world_and_the_contract() {
        for language in Language::value_variants() {
            let files = files("dns_worker", *language);
            let text = |path: &str| files.get(path).unwrap_or_else(|| panic!("no {path}")).clone();
            for (path, text) in &files {
                let left = text.contains(NAME) || text.contains("COMPONENT");
                assert!(!left, "{language}: {path} has the name of the template");
            }
            assert!(files.values().any(|text| text.contains("dns_worker")), "{language}");
            assert!(files.keys().any(|path| path.contains("test") || path == "src/lib.rs"));
            assert!(text("wit/world.wit").contains("export stokehold:worker/handler@0.1.0"));
            assert!(files.contains_key("wit/deps/stokehold-worker/types.wit"));
            assert!(files.contains_key("wit/deps/http.wit"));
            let readme = text("README.md");
            for step in next_steps("dns_worker", *language, "dns_worker").iter().skip(1) {
                assert!(readme.contains(step), "{language}: README.md does not tell `{step}`");
            }
        }
    }
}
