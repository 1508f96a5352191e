//! What `stokehold plugin check --against` adds: the changes of a WIT, each with what it does to others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::shown;
use crate::cli::plain::plain;
use crate::plugin::{self, Change, Effect, Wit};

/// What files are held against.
pub(super) struct Old {
    path: PathBuf,
    wit: Wit,
}

/// What became of it in one file.
pub(super) struct Comparison {
    old: PathBuf,
    file: PathBuf,
    /// Or why the file cannot be compared.
    changes: Result<Vec<Change>, String>,
}

/// Whether a file holds WIT and not a component.
pub(super) fn is_wit(file: &Path) -> bool {
    file.is_dir() || file.extension().is_some_and(|ending| ending == "wit")
}

impl Old {
    /// Reads the component or folder.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), wit: plugin::read_wit(path)? })
    }

    /// What changed from here to this file.
    pub(super) fn compare(&self, file: &Path) -> Comparison {
        let new = plugin::read_wit(file).map_err(|why| format!("{why:#}"));
        let changes = new.map(|new| plugin::compare(&self.wit, &new));
        Comparison { old: self.path.clone(), file: file.to_owned(), changes }
    }
}

impl Comparison {
    /// Whether it harms anybody, or cannot be told.
    pub(super) fn breaks(&self) -> bool {
        let breaking = |change: &Change| change.effect == Effect::Breaking;
        self.changes.as_ref().map_or(true, |changes| changes.iter().any(breaking))
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let (file, old) = (shown(&self.file), shown(&self.old));
        let changes = match &self.changes {
            Ok(changes) => changes,
            Err(why) => return format!("{file}: cannot be compared with {old}: {}\n", plain(why)),
        };
        let mut text = match (changes.is_empty(), self.breaks()) {
            (true, _) => format!("{file}: nothing changed since {old}\n"),
            (false, false) => format!("{file}: changed since {old}, and breaks nothing\n"),
            (false, true) => {
                format!("{file}: changed since {old}, and breaks what was built before\n")
            }
        };
        for change in changes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {:<10} {}", change.effect.word(), plain(&change.to_string()));
        }
        text
    }

    /// For machines.
    pub(super) fn json(&self) -> Json {
        let changes = match &self.changes {
            Ok(changes) => changes,
            Err(why) => return json!({"old": self.old.display().to_string(), "error": why}),
        };
        let changes = changes.iter().map(|change| {
            json!({
                "effect": change.effect.word(), "place": change.place, "what": change.what,
                "why": change.why,
            })
        });
        json!({
            "old": self.old.display().to_string(),
            "breaks": self.breaks(),
            "changes": changes.collect::<Vec<_>>(),
        })
    }
}
