//! The files of the checkout, and Rust without its comments, texts and tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// All files under `folder` of the checkout, by their paths from the root, without what is built or
/// hidden.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    let root = root();
    let mut found: Vec<_> =
        found.iter().map(|path| path.strip_prefix(&root).unwrap().to_path_buf()).collect();
    found.sort();
    assert!(!found.is_empty(), "no files under {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let built = name == "target" && folder == root();
        let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
        if built || hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The text of a file; `None` when it is no text.
pub(crate) fn text(path: &Path) -> Option<String> {
    String::from_utf8(fs::read(root().join(path)).unwrap()).ok()
}

/// All Rust files under `folder`, with their texts.
pub(crate) fn rust(folder: &str) -> Vec<(PathBuf, String)> {
    let files = files(folder).into_iter();
    let rust = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| (path.clone(), text(&path).unwrap())).collect()
}

/// Whether a file holds nothing but tests.
pub(crate) fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs")
    })
}

/// What is compiled into the program: no comments, no texts, nothing after the line that begins the
/// tests.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let tests = line.trim() == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        if tests {
            break;
        }
        code.push_str(&without_comment_and_texts(line));
        code.push('\n');
    }
    code
}

fn without_comment_and_texts(line: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if inside => {
                letters.next();
            }
            '\'' if !inside && letters.peek() == Some(&'"') => {
                // The letter '"' is no text.
                letters.nth(1);
            }
            '"' => inside = !inside,
            '/' if !inside && letters.peek() == Some(&'/') => return kept,
            _ if inside => {}
            letter => kept.push(letter),
        }
    }
    kept
}

/// The words of a text: names of Rust.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(move |c: char| !part(c)).filter(|word| !word.is_empty())
}

#[test]
fn comments_texts_and_tests_are_no_code() {
    let text = "use a; // tokio\nlet b = \"env \\\" // x\"; c('\"');\n/// await\n\
                #[cfg(test)]\nmod tests {\n d";
    assert_eq!(code(text), "use a; \nlet b = ; c();\n\n");
    assert_eq!(words(&code(text)).collect::<Vec<_>>(), ["use", "a", "let", "b", "c"]);
}
