//! `stokehold watch`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{Answer, entries, flags, load};
use crate::domain::Json;
use crate::store::{Event, Store, StoreError};

#[derive(clap::Args)]
#[command(after_help = super::KEYS)]
pub(super) struct Args {
    /// Show keys that begin with one of these.
    #[arg(value_name = "PREFIX", required = true)]
    prefixes: Vec<String>,
    /// One JSON object a line: revision, key, action (put or delete), value.
    #[arg(long)]
    json: bool,
    /// End after this many changes.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after this time; with --count and too few changes, with exit code 1.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Begin after this revision instead of now; 0 shows all that is still known.
    #[arg(long, value_name = "REVISION")]
    after: Option<u64>,
    #[command(flatten)]
    settings: flags::StoreFlags,
}

pub(super) async fn watch(args: Args) -> Result<Answer> {
    let store = entries::open(&load::places(&args.settings.0)?).await?;
    let prefixes: Vec<_> = args.prefixes.iter().map(String::as_str).collect();
    let after = match args.after {
        Some(revision) => revision,
        None => store.list("/", None, 1).await.context("cannot read the store")?.revision,
    };
    let end = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    tokio::select! {
        shown = show(&*store, &prefixes, after, &args) => shown.map(|()| Answer::Yes),
        ended = tokio::signal::ctrl_c() => {
            ended.context("cannot listen for SIGINT")?;
            Ok(Answer::Yes)
        }
        () = time_out(end) => {
            Ok(if args.count.is_some() { Answer::No } else { Answer::Yes })
        }
    }
}

async fn time_out(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

async fn show(store: &dyn Store, prefixes: &[&str], after: u64, args: &Args) -> Result<()> {
    let mut left = args.count;
    if left == Some(0) {
        return Ok(());
    }
    let mut watch = store.watch(prefixes, after).await.context("cannot watch")?;
    eprintln!("watching {} after revision {after}", prefixes.join(" "));
    let mut wants_all = after == 0;
    loop {
        let batch = match watch.next().await {
            // All that is still known begins there.
            Err(StoreError::Compacted { oldest, .. }) if wants_all => {
                wants_all = false;
                eprintln!("what was up to revision {oldest} is not known any more");
                watch = store.watch(prefixes, oldest).await.context("cannot watch")?;
                continue;
            }
            batch => batch.context("cannot watch on")?,
        };
        wants_all = false;
        let mut out = std::io::stdout().lock();
        for event in &batch.events {
            writeln!(out, "{}", if args.json { as_json(event) } else { as_text(event) })?;
            left = left.map(|left| left - 1);
            if left == Some(0) {
                break;
            }
        }
        out.flush()?;
        if left == Some(0) {
            return Ok(());
        }
    }
}

fn as_text(event: &Event) -> String {
    let Event { key, revision, .. } = event;
    match &event.value {
        None => format!("{revision} delete {key}"),
        Some(value) => match String::from_utf8_lossy(value) {
            // Our own values have no line's end in them, others' may.
            text if text.contains('\n') => format!("{revision} put {key} {}", json_or_text(value)),
            text => format!("{revision} put {key} {text}"),
        },
    }
}

fn as_json(event: &Event) -> String {
    let action = if event.value.is_some() { "put" } else { "delete" };
    let value = event.value.as_deref().map(json_or_text);
    json!({"revision": event.revision, "key": event.key, "action": action, "value": value})
        .to_string()
}

fn json_or_text(value: &[u8]) -> Json {
    let text = || Json::String(String::from_utf8_lossy(value).into_owned());
    serde_json::from_slice(value).unwrap_or_else(|_| text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: Option<&str>) -> Event {
        let value = value.map(|text| text.as_bytes().to_vec());
        Event { key: "/a/b".into(), value, created: 1, revision: 7 }
    }

    #[test]
    fn a_change_is_one_line() {
        assert_eq!(as_text(&event(Some("{\"a\": 1}"))), "7 put /a/b {\"a\": 1}");
        assert_eq!(as_text(&event(Some("{\n\"a\": 1}"))), "7 put /a/b {\"a\":1}");
        assert_eq!(as_text(&event(Some("a\nb"))), "7 put /a/b \"a\\nb\"");
        assert_eq!(as_text(&event(None)), "7 delete /a/b");
    }

    #[test]
    fn a_change_as_json_has_its_value_as_json_where_it_is_json() {
        let put = r#"{"action":"put","key":"/a/b","revision":7,"value":{"a":1}}"#;
        assert_eq!(as_json(&event(Some("{\"a\": 1}"))), put);
        let text = r#"{"action":"put","key":"/a/b","revision":7,"value":"heat_worker"}"#;
        assert_eq!(as_json(&event(Some("heat_worker"))), text);
        let gone = r#"{"action":"delete","key":"/a/b","revision":7,"value":null}"#;
        assert_eq!(as_json(&event(None)), gone);
    }
}
