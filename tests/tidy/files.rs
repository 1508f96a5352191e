//! Sizes, names and words of files.

use std::path::Path;

use super::source::{files, rust, text, words};

const LINES_MAX: usize = 400;
const CODE_COLUMNS_MAX: usize = 100;
/// Comments, and texts that would be harder to read in pieces.
const PROSE_COLUMNS_MAX: usize = 120;

#[test]
fn a_file_can_be_read_in_one_go() {
    let long = rust(".").into_iter().filter(|(_, text)| text.lines().count() > LINES_MAX);
    let long: Vec<_> = long.map(|(path, text)| (path, text.lines().count())).collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:#?}");
}

#[test]
fn a_line_fits_the_screen() {
    let mut long = Vec::new();
    for (path, text) in rust(".") {
        for (nth, line) in text.lines().enumerate() {
            let prose = line.contains("//") || line.contains('"');
            let most = if prose { PROSE_COLUMNS_MAX } else { CODE_COLUMNS_MAX };
            let columns = line.chars().count();
            if columns > most {
                long.push(format!("{}:{}: {columns} columns", path.display(), nth + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn a_name_says_what_is_inside() {
    let empty = ["utils", "util", "common", "helpers", "helper", "manager", "service", "misc"];
    for path in files(".") {
        let parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let stems = parts.map(|part| part.split('.').next().unwrap_or("").to_owned());
        for stem in stems {
            assert!(!empty.contains(&stem.as_str()), "{} says nothing", path.display());
        }
    }
}

/// Words that promise work for later. They are put together here so that this file has none of
/// them.
fn promises() -> [String; 7] {
    [
        ["to", "do!"].concat(),
        ["unimple", "mented!"].concat(),
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
        ["HA", "CK"].concat(),
        ["#[igno", "re"].concat(),
    ]
}

#[test]
fn nothing_is_left_for_later() {
    let ours = |path: &&std::path::PathBuf| {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or("");
        ["rs", "md", "toml", "wit", "yaml"].contains(&end)
    };
    for path in files(".").iter().filter(ours) {
        let text = text(path).unwrap();
        for promise in promises() {
            let bare = promise.chars().all(char::is_alphabetic);
            let found = if bare {
                words(&text).any(|word| word == promise)
            } else {
                text.contains(&promise)
            };
            assert!(!found, "{} says {promise}", path.display());
        }
    }
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let homes =
        [["/", "home/"], ["/", "Users/"], ["/", "root/"], ["/", "work/"]].map(|h| h.concat());
    for path in files(".").iter().filter(|path| !path.starts_with(Path::new("wit"))) {
        let Some(text) = text(path) else { continue };
        for home in &homes {
            // Behind a letter it is a part of something else, such as an address.
            let at = text.match_indices(home.as_str()).find(|(at, _)| {
                !text[..*at].ends_with(|c: char| c.is_alphanumeric() || "_-.}/".contains(c))
            });
            assert!(at.is_none(), "{} names {home}", path.display());
        }
    }
}
