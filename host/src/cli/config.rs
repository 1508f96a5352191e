//! A config entry as the API server keeps it, and what follows from one that is already there.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;

use crate::domain::{Json, Version};

/// One `/config` entry, resource or template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    /// The desired fields.
    pub(super) body: Json,
    /// Grows with every change.
    pub(super) version: Version,
    /// The first step of a deletion.
    pub(super) marked: bool,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing: it is there in this version.
    Unchanged(Version),
    /// Write this.
    Write(Config),
}

impl Config {
    /// Reads a stored entry, whose body is an object or the text of one.
    ///
    /// # Errors
    /// It is no such entry; its text is not repeated.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut value: Json = serde_json::from_slice(bytes).context("it is not JSON")?;
        let body = match value.get_mut("body").map(Json::take) {
            Some(Json::String(text)) => {
                serde_json::from_str(&text).context("its body is not JSON")?
            }
            Some(body) => body,
            None => bail!("it has no body"),
        };
        let version = value.get("version").and_then(Json::as_u64);
        let marked = value.get("marked_for_deletion").and_then(Json::as_bool).unwrap_or(false);
        let version = version.ok_or_else(|| anyhow!("its version is no number"))?;
        Ok(Self { body, version: Version(version), marked })
    }

    /// As the API server writes it: the body as text.
    pub(super) fn spell(&self) -> Vec<u8> {
        let entry = json!({
            "body": self.body.to_string(),
            "version": self.version.0,
            "marked_for_deletion": self.marked,
        });
        entry.to_string().into_bytes()
    }
}

/// What to write so that `body` is wanted; `version` is the one asked for, if any; `again`
/// makes a new version even where nothing changed.
///
/// # Errors
/// The version asked for is not above the stored one: no host would look at it.
pub(super) fn applied(
    stored: Option<&Config>,
    body: &Json,
    version: Option<Version>,
    again: bool,
) -> Result<Next> {
    let write = |version| Next::Write(Config { body: body.clone(), version, marked: false });
    match (stored, version) {
        (Some(old), None) if old.body == *body && !old.marked && !again => {
            Ok(Next::Unchanged(old.version))
        }
        (Some(old), Some(v)) if old.version == v && old.body == *body && !old.marked => {
            Ok(Next::Unchanged(v))
        }
        (Some(old), Some(v)) if v <= old.version => {
            bail!("version {} is stored, so the next must be above it, not {v}", old.version)
        }
        (_, Some(v)) => Ok(write(v)),
        (Some(old), None) => Ok(write(after(old.version)?)),
        (None, None) => Ok(write(Version(1))),
    }
}

/// What to write so that the resource is taken down.
///
/// # Errors
/// There is no version after the stored one.
pub(super) fn marked(stored: &Config) -> Result<Next> {
    if stored.marked {
        return Ok(Next::Unchanged(stored.version));
    }
    let version = after(stored.version)?;
    Ok(Next::Write(Config { body: stored.body.clone(), version, marked: true }))
}

fn after(version: Version) -> Result<Version> {
    let next = version.0.checked_add(1).map(Version);
    next.with_context(|| format!("version {version} is stored, and no version comes after it"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn config(n: u64, version: u64, marked: bool) -> Config {
        Config { body: json!({"id": "1", "n": n}), version: Version(version), marked }
    }

    #[test]
    fn the_version_grows_by_one_unless_nothing_changed() {
        let body = json!({"id": "1", "n": 1});
        let next = |stored: Option<&Config>, v: Option<u64>| {
            applied(stored, &body, v.map(Version), false).map_err(|e| e.to_string())
        };
        let write = |version| Ok::<_, String>(Next::Write(config(1, version, false)));
        assert_eq!(next(None, None), write(1));
        assert_eq!(next(None, Some(7)), write(7));
        assert_eq!(next(Some(&config(1, 3, false)), None), Ok(Next::Unchanged(Version(3))));
        assert_eq!(next(Some(&config(1, 3, false)), Some(3)), Ok(Next::Unchanged(Version(3))));
        assert_eq!(applied(Some(&config(1, 3, false)), &body, None, true).ok(), write(4).ok());
        assert_eq!(next(Some(&config(2, 3, false)), None), write(4));
        assert_eq!(next(Some(&config(1, 3, true)), None), write(4));
        assert_eq!(next(Some(&config(1, 3, false)), Some(9)), write(9));
        for stored in [config(2, 3, false), config(1, 3, true), config(2, 4, false)] {
            let said = next(Some(&stored), Some(3)).unwrap_err();
            assert!(said.contains("so the next must be above it, not 3"), "{said}");
        }
    }

    #[test]
    fn a_mark_is_set_once_and_keeps_the_body() {
        assert_eq!(marked(&config(1, 3, false)).unwrap(), Next::Write(config(1, 4, true)));
        assert_eq!(marked(&config(1, 4, true)).unwrap(), Next::Unchanged(Version(4)));
        let last = marked(&config(1, u64::MAX, false)).unwrap_err().to_string();
        assert_eq!(last, "version 18446744073709551615 is stored, and no version comes after it");
    }

    #[test]
    fn a_body_is_written_as_text_and_read_as_text_or_object() {
        let entry = config(1, 2, true);
        let spelled: Json = serde_json::from_slice(&entry.spell()).unwrap();
        assert!(spelled.get("body").is_some_and(Json::is_string), "{spelled}");
        assert_eq!(Config::read(&entry.spell()).unwrap(), entry);
        let open = br#"{"body": {"id": "1", "n": 1}, "version": 2, "marked_for_deletion": true}"#;
        assert_eq!(Config::read(open).unwrap(), entry);
        for bad in ["x", "{}", r#"{"body": "x", "version": 1}"#, r#"{"body": {}, "version": "1"}"#]
        {
            assert!(Config::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
