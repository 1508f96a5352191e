//! Documents say what is so.

use std::path::{Path, PathBuf};

use stokehold::settings::{Form, ROWS};

use super::source::{files, root, text};

fn document(name: &str) -> String {
    text(Path::new(name)).unwrap_or_else(|| panic!("{name} is no text"))
}

/// What stands between single backticks.
fn quoted(document: &str) -> Vec<&str> {
    document.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Whether a quoted word is meant as the path of a file of ours.
fn is_path(word: &str) -> bool {
    let file =
        [".rs", ".md", ".toml", ".json", ".wit", ".yaml"].iter().any(|end| word.ends_with(end));
    let plain = word.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c));
    plain && !word.starts_with('/') && (file || word.contains('/'))
}

#[test]
fn every_file_that_a_document_names_is_there() {
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for word in quoted(&document(name)).into_iter().filter(|word| is_path(word)) {
            // Made by running something, or named by the operator.
            let made =
                ["target/", "stokehold-", "stokehold.toml"].iter().any(|it| word.starts_with(it));
            let there = |base: &str| root().join(base).join(word).exists();
            assert!(
                made || there(".") || there("host/src"),
                "{name} names {word}, which is not there"
            );
        }
    }
}

#[test]
fn every_room_is_in_the_code_map() {
    let map = document("ARCHITECTURE.md");
    let rooms: std::collections::BTreeSet<PathBuf> = files("host/src")
        .into_iter()
        .map(|path| path.components().take(3).collect::<PathBuf>())
        .collect();
    for room in rooms {
        let name = room.display().to_string();
        // `queue/` is the room `queue.rs` and its tests.
        let beside = root().join(format!("{name}.rs")).exists();
        let wanted =
            if room.extension().is_some() { format!("`{name}`") } else { format!("`{name}/`") };
        let door = name.ends_with("lib.rs") || name.ends_with("main.rs");
        assert!(door || beside || map.contains(&wanted), "the code map lacks {wanted}");
    }
}

/// The table of settings as README.md has to show it.
fn settings_table() -> String {
    let mut table = String::from("| setting | default | what it decides |\n| --- | --- | --- |\n");
    for row in ROWS {
        let default = match row.default {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let range = match row.form {
            Form::Number(least, most) => format!(" {least} to {most}."),
            Form::Text | Form::Secret => String::new(),
        };
        let what = row.what.trim();
        table.push_str(&["| `", row.name, "` | ", &default, " | ", what, &range, " |\n"].concat());
    }
    table
}

/// What stands in README.md between two lines must be this; `UPDATE=1` writes it there.
fn readme_has(begin: &str, wanted: &str, end: &str) {
    let readme = document("README.md");
    let (before, rest) = readme.split_once(begin).expect("README.md lacks the line before");
    let (table, after) = rest.split_once(end).expect("README.md lacks the line after");
    if table != wanted && std::env::var_os("UPDATE").is_some() {
        let anew = [before, begin, wanted, end, after].concat();
        std::fs::write(root().join("README.md"), anew).unwrap();
        return;
    }
    assert_eq!(table, wanted, "README.md after {begin}; UPDATE=1 writes it anew");
}

// One test, as both parts write the same file.
#[test]
fn the_readme_shows_the_settings_and_the_smallest_worker_as_they_are() {
    readme_has("<!-- settings -->\n", &settings_table(), "<!-- end of settings -->\n");
    let worker = document("examples/echo_worker/src/lib.rs");
    let worker = worker.split("\n#[cfg(test)]").next().unwrap();
    readme_has("```rust\n", worker, "```\n");
}

#[test]
fn the_changelog_has_a_heading_for_the_host_and_one_for_the_contract() {
    let headings: Vec<_> = document("CHANGELOG.md")
        .lines()
        .filter(|line| line.starts_with("## "))
        .map(str::to_owned)
        .collect();
    assert_eq!(headings, ["## Host", "## Contract"]);
}
