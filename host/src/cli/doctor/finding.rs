//! What a check found, and how it is told.

use std::fmt::Write as _;

use serde_json::json;

use crate::cli::plain::plain;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It does not work.
    Problem,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Which check it is of.
    check: &'static str,
    mark: Mark,
    what: String,
    /// What to do about it; empty where all is well.
    remedy: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, mark: Mark::Ok, what: what.into(), remedy: String::new() }
    }

    pub(super) fn warning(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, mark: Mark::Warning, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn problem(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, mark: Mark::Problem, what: what.into(), remedy: remedy.into() }
    }

    /// For the tables of the tests: the mark and what is said.
    #[cfg(test)]
    pub(super) fn told(&self) -> String {
        format!("{} {}", self.mark.word(), self.what)
    }
}

/// Whether there is no problem.
pub(super) fn well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.mark < Mark::Problem)
}

/// A line for each, what to do below it, and the sum.
pub(super) fn as_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { check, mark, what, remedy } in findings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<8} {check:<10} {}", mark.word(), plain(what));
        if !remedy.is_empty() {
            let _ = writeln!(text, "{:<8} {:<10} do: {}", "", "", plain(remedy));
        }
    }
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let plural = |n: usize, word: &str| match n {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    };
    let (problems, warnings) = (count(Mark::Problem), count(Mark::Warning));
    let _ = writeln!(text, "\n{}, {}", plural(problems, "problem"), plural(warnings, "warning"));
    text
}

pub(super) fn as_json(findings: &[Finding]) -> String {
    let each = findings.iter().map(|Finding { check, mark, what, remedy }| {
        json!({"check": check, "mark": mark.word(), "what": what, "do": remedy})
    });
    let each: Vec<_> = each.collect();
    format!("{}\n", json!({"ok": well(findings), "findings": each}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_what_to_do_stands_below() {
        let findings = [
            Finding::ok("settings", "can be read"),
            Finding::warning("clock", "is\nahead", "set it"),
            Finding::problem("store", "is away", "start it"),
        ];
        let expected = "\
ok       settings   can be read
warning  clock      is\\nahead
                    do: set it
problem  store      is away
                    do: start it

1 problem, 1 warning
";
        assert_eq!(as_text(&findings), expected);
        assert!(!well(&findings));
        let told: crate::domain::Json =
            serde_json::from_str(&as_json(&findings)).unwrap_or_default();
        assert_eq!(told["ok"], false);
        assert_eq!(
            told["findings"][2],
            json!({"check": "store", "mark": "problem", "what": "is away", "do": "start it"})
        );
    }

    #[test]
    fn warnings_alone_are_no_problem() {
        let findings = [Finding::warning("clock", "is ahead", "set it")];
        assert!(well(&findings) && well(&[]));
        assert!(as_text(&findings).ends_with("\nno problems, 1 warning\n"));
    }
}
