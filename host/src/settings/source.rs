//! Where a setting's text comes from: flags, environment, file or its default.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail, ensure};

use super::value::{Setting, without_login};
use super::{Flags, Form, ROWS, Row};

pub(super) struct File {
    pub(super) name: String,
    pub(super) table: toml::Table,
}

impl File {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self> {
        match text.parse::<toml::Table>() {
            Ok(table) => Ok(Self { name: name.to_owned(), table }),
            // The error's own text quotes the line, and that may hold a secret.
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
                bail!("{name}, line {}: {}", before.matches('\n').count() + 1, error.message())
            }
        }
    }

    pub(super) fn only_known_keys(&self) -> Result<()> {
        let known = |key: &String| ROWS.iter().any(|row| row.name == key);
        if let Some(key) = self.table.keys().find(|key| !known(key)) {
            let all: Vec<_> = ROWS.iter().map(|row| row.name).collect();
            bail!("{}: unknown key {key}; known are {}, plugins.<name>", self.name, all.join(", "));
        }
        Ok(())
    }
}

pub(super) struct Sources<'a> {
    pub(super) flags: &'a Flags,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) file: Option<File>,
}

impl Sources<'_> {
    pub(super) fn value<T: Setting>(&self, row: &Row) -> Result<T> {
        let (origin, text) = self.find(row)?;
        let wrong = |allowed: String| match row.form {
            Form::Secret => anyhow!("{origin} must be {allowed}"),
            Form::Text | Form::Number(..) => {
                anyhow!("{origin} must be {allowed}, not {:?}", without_login(&text))
            }
        };
        if let Form::Number(least, most) = row.form {
            let fits = text.parse().is_ok_and(|number: u64| (least..=most).contains(&number));
            ensure!(fits, wrong(number_from(least, most)));
        }
        T::parse(&text).map_err(wrong)
    }

    /// The origin, for messages, and the text of the first source that has the setting.
    fn find(&self, row: &Row) -> Result<(String, String)> {
        if let Some(text) = self.flags.values.get(row.name) {
            return Ok((format!("--{}", row.flag()), text.clone()));
        }
        if let Some(text) = self.environment.get(&row.variable()) {
            return Ok((row.variable(), text.clone()));
        }
        let Some((file, value)) =
            self.file.as_ref().and_then(|file| Some((&file.name, file.table.get(row.name)?)))
        else {
            return Ok((row.name.to_owned(), row.default.to_owned()));
        };
        let origin = format!("{file}: {}", row.name);
        match (row.form, value) {
            (Form::Text | Form::Secret, toml::Value::String(text)) => Ok((origin, text.clone())),
            (Form::Number(..), toml::Value::Integer(number)) => Ok((origin, number.to_string())),
            (Form::Text | Form::Secret, other) => {
                bail!("{origin} must be a text in quotes, not a value of type {}", other.type_str())
            }
            (Form::Number(least, most), other) => bail!(
                "{origin} must be {}, not a value of type {}",
                number_from(least, most),
                other.type_str()
            ),
        }
    }
}

pub(super) fn number_from(least: u64, most: u64) -> String {
    format!("a whole number from {least} to {most}")
}
