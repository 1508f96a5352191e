//! `stokehold get`.

use std::io::Write;

use anyhow::{Context, Result};

use super::plain::plain;
use super::{Answer, entries, flags, load};
use crate::domain::Json;
use crate::store::KeyValue;

#[derive(clap::Args)]
#[command(after_help = super::KEYS)]
pub(super) struct Args {
    /// A key, or a prefix that ends in a slash.
    #[arg(value_name = "KEY|PREFIX")]
    key: String,
    /// Take it for a prefix even without a slash at its end.
    #[arg(long)]
    prefix: bool,
    /// Print values as they are stored, not as readable JSON.
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    settings: flags::StoreFlags,
}

pub(super) async fn get(args: Args) -> Result<Answer> {
    let store = entries::open(&load::places(&args.settings.0)?).await?;
    let mut out = std::io::stdout().lock();
    if !args.prefix && !args.key.ends_with('/') {
        let found = store.get(&args.key).await;
        let Some(entry) = found.with_context(|| format!("cannot read key {}", args.key))? else {
            eprintln!(
                "there is nothing under the key {}; keys are whole, and `stokehold get /state/`, \
                 with a slash at its end, lists all states",
                plain(&args.key)
            );
            return Ok(Answer::No);
        };
        out.write_all(&shown(&entry.value, args.raw))?;
        return Ok(Answer::Yes);
    }
    let found = entries::all(&*store, &args.key).await?;
    for KeyValue { key, value, .. } in &found {
        writeln!(out, "{key}")?;
        out.write_all(&shown(value, args.raw))?;
    }
    if found.is_empty() {
        eprintln!("there is nothing under the prefix {}", args.key);
        return Ok(Answer::No);
    }
    Ok(Answer::Yes)
}

/// A value for eyes, or as it is; with a line's end.
fn shown(value: &[u8], raw: bool) -> Vec<u8> {
    let pretty = |json: Json| serde_json::to_vec_pretty(&json).ok();
    let readable = serde_json::from_slice(value).ok().and_then(pretty).filter(|_| !raw);
    let mut bytes = readable.unwrap_or_else(|| value.to_vec());
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_made_readable_and_all_else_is_left_alone() {
        assert_eq!(shown(br#"{"b":1,"a":[]}"#, false), b"{\n  \"a\": [],\n  \"b\": 1\n}\n");
        assert_eq!(shown(br#"{"b":1}"#, true), b"{\"b\":1}\n");
        assert_eq!(shown(b"heat_worker", false), b"heat_worker\n");
        assert_eq!(shown(&[0xff], false), [0xff, b'\n']);
    }
}
