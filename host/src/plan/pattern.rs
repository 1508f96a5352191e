//! Regular expressions as Python's `re.match` reads them, compiled once.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

/// So many patterns are kept compiled; there are a handful in the schemas.
const PATTERNS_MAX: usize = 256;
/// What a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The patterns met so far.
#[derive(Debug, Default)]
pub(super) struct Patterns(HashMap<String, Result<Regex, String>>);

impl Patterns {
    /// Whether the text matches from its start; the complaint if the pattern is none.
    pub(super) fn matches(&mut self, pattern: &str, text: &str) -> Result<bool, String> {
        if let Some(known) = self.0.get(pattern) {
            return known.as_ref().map(|regex| regex.is_match(text)).map_err(Clone::clone);
        }
        let compiled = compile(pattern);
        let answer = compiled.as_ref().map(|regex| regex.is_match(text)).map_err(Clone::clone);
        if self.0.len() >= PATTERNS_MAX {
            self.0.clear();
        }
        self.0.insert(pattern.to_owned(), compiled);
        answer
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    // Checked alone first, so that a stray bracket cannot pair with those put around it.
    let build = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})"))).map_err(|why| {
        // The last line says it; those before draw the pattern.
        let why = why.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{pattern}` is no usable regular expression: {why}")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_pattern_matches_from_the_start_and_need_not_reach_the_end() {
        let mut patterns = Patterns::default();
        let pattern = "network:dhcp|network:empty";
        for (text, expected) in [
            ("network:dhcp", true),
            ("network:empty_too", true),
            ("my network:dhcp", false),
            ("network:empt", false),
            ("", false),
        ] {
            assert_eq!(patterns.matches(pattern, text), Ok(expected), "{text}");
        }
        assert_eq!(patterns.matches("(?i)A|b", "B"), Ok(true));
        assert_eq!(patterns.matches("b$", "ab"), Ok(false));
    }

    #[test]
    fn a_pattern_that_is_none_is_a_complaint_each_time() {
        let mut patterns = Patterns::default();
        for pattern in ["(", "a)|(b", "(?=a)", "(a{1000}){1000}"] {
            let complaint = patterns.matches(pattern, "a").unwrap_err();
            assert!(complaint.starts_with(&format!("`{pattern}` is no usable")), "{complaint}");
            assert_eq!(patterns.matches(pattern, "a"), Err(complaint));
        }
        assert_eq!(
            patterns.matches("(", "a"),
            Err("`(` is no usable regular expression: unclosed group".to_owned())
        );
    }

    #[test]
    fn the_number_of_kept_patterns_is_bounded() {
        let mut patterns = Patterns::default();
        for n in 0..=PATTERNS_MAX {
            assert_eq!(patterns.matches(&format!("a{n}"), "b"), Ok(false));
        }
        assert!(patterns.0.len() <= PATTERNS_MAX);
    }
}
