//! Where the resource types come from, and whether they can be had.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::finding::Finding;
use super::{Patient, out_of_reach};
use crate::cli::entries;
use crate::domain::Schemas;
use crate::flow::schemas as source;
use crate::http_client::HttpClient;
use crate::settings::{SchemaSource, Settings};
use crate::store::Store;
use crate::wire::{self, key};

const CHECK: &str = "schemas";
/// How long Gohan may take.
const WITHIN: Duration = Duration::from_secs(10);

type Read = (Schemas, Vec<String>);

pub(super) async fn look(patient: Patient) -> Vec<Finding> {
    let (place, read) = match &patient.settings.schemas {
        Some(SchemaSource::File(path)) => (format!("the file {}", path.display()), file(path)),
        Some(SchemaSource::Url(url)) => {
            (format!("Gohan at {url}"), gohan(&patient.settings, url).await)
        }
        None => {
            let Some(store) = &patient.store else { return vec![out_of_reach(CHECK)] };
            match stored(&**store).await {
                Ok(None) => return vec![unknown()],
                Ok(Some(read)) => ("the store".to_owned(), Ok(read)),
                Err(error) => ("the store".to_owned(), Err(error)),
            }
        }
    };
    judge(&place, read)
}

fn file(path: &Path) -> Result<Read> {
    entries::schema_file(path)
}

async fn gohan(settings: &Settings, url: &str) -> Result<Read> {
    let token = settings.gohan_token.as_ref().map_or("", |token| token.reveal());
    let client = HttpClient::new()?;
    let text = timeout(WITHIN, source::ask(&client, url, token)).await;
    let text = text.with_context(|| format!("no answer within {} s", WITHIN.as_secs()))??;
    wire::schemas::read(&text)
}

async fn stored(store: &dyn Store) -> Result<Option<Read>> {
    let found = store.get(key::SCHEMAS).await.context("cannot read the store")?;
    found.map(|entry| wire::schemas::read(&entry.value)).transpose()
}

fn unknown() -> Finding {
    let what = "no schemas are known: none are set, and no host has left any in the store";
    let remedy = "name a file or the address of Gohan with --schemas, STOKEHOLD_SCHEMAS or `schemas` \
                  in the settings file";
    Finding::problem(CHECK, what, remedy)
}

fn judge(place: &str, read: Result<Read>) -> Vec<Finding> {
    let (schemas, complaints) = match read {
        Ok(read) => read,
        Err(error) => {
            let what = format!("no schemas from {place}: {error:#}");
            let remedy = "correct the setting `schemas` (and `gohan_token`), or what it names; a host \
                          asks Gohan until it answers, and ends when a file cannot be read";
            return vec![Finding::problem(CHECK, what, remedy)];
        }
    };
    let complaint = |text: &String| {
        let what = format!("a schema from {place} is not used as it is: {text}");
        Finding::warning(CHECK, what, "correct it in the API server")
    };
    let mut findings: Vec<_> = complaints.iter().map(complaint).collect();
    findings.push(match schemas.iter().count() {
        0 => {
            let what =
                format!("{place} has no schemas: no type is known, and nothing will be done");
            Finding::problem(CHECK, what, "correct the setting `schemas`")
        }
        n => Finding::ok(CHECK, format!("{n} types are known from {place}")),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_judged_by_what_can_be_read_of_them() {
        let told = |text: &[u8]| {
            let findings = judge("here", wire::schemas::read(text));
            findings.iter().map(Finding::told).collect::<Vec<_>>()
        };
        let empty = told(br#"{"schemas": []}"#);
        assert_eq!(
            empty,
            ["problem here has no schemas: no type is known, and nothing will be done"]
        );
        let broken = told(b"no");
        assert!(broken[0].starts_with("problem no schemas from here: "), "{broken:?}");
        let good = include_bytes!("../../../../examples/network/schemas.json");
        let good = told(good);
        assert!(good.len() == 1 && good[0].ends_with(" types are known from here"), "{good:?}");
    }
}
