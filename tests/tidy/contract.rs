//! The contract explains itself: an author has nothing else.

use super::source::{files, text};

const ITEMS: [&str; 8] =
    ["interface ", "world ", "record ", "variant ", "enum ", "flags ", "resource ", "type "];

/// Lines that begin something an author can name: types, functions, fields, cases.
fn names_something(line: &str) -> bool {
    if ITEMS.iter().any(|item| line.starts_with(item)) {
        return true;
    }
    let name = line.split([':', ',', '(']).next().unwrap_or("");
    let named =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "%-".contains(c));
    named && name.len() < line.len()
}

/// The items without a line of documentation above them.
fn unexplained(wit: &str) -> Vec<&str> {
    let mut bare = Vec::new();
    let mut before = "";
    for line in wit.lines().map(str::trim) {
        let skipped = ["import ", "export ", "use ", "include ", "package ", "@"];
        let other = skipped.iter().any(|word| line.starts_with(word));
        if names_something(line) && !other && !before.starts_with("///") {
            bare.push(line);
        }
        // An attribute such as @since stands between an item and its words.
        if !line.starts_with('@') {
            before = line;
        }
    }
    bare
}

#[test]
fn an_item_without_words_is_found() {
    let wit = "
        package a:b;
        /// A.
        interface a {
            use c.{d};
            /// B.
            @since(version = 1.0.0)
            record b {
                e: u8,
            }
            f: func();
            enum g { h, }
            variant i {
                j(u8),
            }
        }";
    assert_eq!(
        unexplained(wit),
        ["e: u8,", "f: func();", "enum g { h, }", "variant i {", "j(u8),"]
    );
}

#[test]
fn every_item_of_the_contract_is_explained() {
    let wits =
        files("wit").into_iter().filter(|path| path.extension().is_some_and(|end| end == "wit"));
    let ours = wits.filter(|path| !path.components().any(|part| part.as_os_str() == "deps"));
    for path in ours {
        let wit = text(&path).unwrap();
        let bare = unexplained(&wit);
        assert!(bare.is_empty(), "{} does not explain {bare:#?}", path.display());
    }
}
