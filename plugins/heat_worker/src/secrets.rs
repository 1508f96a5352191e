//! What no text may show.

use std::cell::RefCell;
use std::fmt::Write as _;

use stokehold_sdk::Json;

/// The token of a call.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Spelling and what is shown in its place, the longest first.
    hidden: RefCell<Vec<(String, &'static str)>>,
}

impl Secrets {
    /// Hides a text from now on; an empty one cannot be hidden.
    pub(crate) fn add(&self, secret: &str, shown: &'static str) {
        if secret.is_empty() {
            return;
        }
        let mut hidden = self.hidden.borrow_mut();
        for spelling in spellings(secret) {
            if !hidden.iter().any(|(known, _)| *known == spelling) {
                hidden.push((spelling, shown));
            }
        }
        // A spelling may be part of another one, which would leave the rest of that to be read.
        hidden.sort_by_key(|(spelling, _)| std::cmp::Reverse(spelling.len()));
    }

    /// The text without what is hidden.
    pub(crate) fn hide(&self, text: &str) -> String {
        let hidden = self.hidden.borrow();
        hidden.iter().fold(text.to_owned(), |text, (spelling, shown)| text.replace(spelling, shown))
    }
}

/// As it is, and as it stands in JSON (in ASCII too, and in JSON within JSON) and in Rust's quotes.
fn spellings(secret: &str) -> Vec<String> {
    let json = escaped(secret);
    let ascii = ascii(&json);
    let inner = [escaped(&json), escaped(&ascii)];
    let debug = format!("{secret:?}").trim_matches('"').to_owned();
    let slashed = json.replace('/', "\\/");
    [secret.to_owned(), json, ascii, debug, slashed].into_iter().chain(inner).collect()
}

fn escaped(text: &str) -> String {
    let quoted = Json::String(text.to_owned()).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// Python's way: what is not ASCII is told in UTF-16.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_spelling() {
        let secret = "a\"b\\c/ż";
        let secrets = Secrets::default();
        secrets.add("", "(nothing)");
        secrets.add(secret, "(password)");
        let json = Json::String(secret.to_owned()).to_string();
        let twice = Json::String(json.clone()).to_string();
        let python = r#"a\"b\\c/\u017c"#.to_owned();
        for text in [secret.to_owned(), json, twice, python, format!("{secret:?}")] {
            let shown = secrets.hide(&format!("x {text} y"));
            assert!(shown.contains("(password)"), "{shown}");
            assert!(!shown.contains('b') && !shown.contains('c'), "{shown}");
        }
        assert_eq!(secrets.hide("x"), "x");
    }
}
