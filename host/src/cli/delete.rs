//! `stokehold delete`.

use anyhow::{Context, Result, anyhow};

use super::plain::plain;
use super::{Answer, apply, config, entries, flags, follow, load};
use crate::domain::ResourceRef;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The resources' type, singular, as its schema calls it.
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Their ids.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Mark them, so that they are taken down but their configs stay [default].
    #[arg(long, conflicts_with = "purge")]
    mark: bool,
    /// Remove their configs, as the API server does when a marked resource has been taken down.
    #[arg(long)]
    purge: bool,
    /// Wait for the states of marked resources and print them, or for the states of removed ones to
    /// vanish.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: apply::Patience,
    #[command(flatten)]
    settings: flags::PlaceFlags,
}

pub(super) async fn delete(args: Args) -> Result<Answer> {
    let settings = load::places(&args.settings.0)?;
    let store = entries::open(&settings).await?;
    let schemas = entries::schemas(&settings, &*store).await?;
    let all: Vec<_> = args.ids.iter().map(|id| ResourceRef::new(&*args.kind, id)).collect();
    let keys: Result<Vec<_>> = all.iter().map(|of| entries::config_key(&schemas, of)).collect();
    let mut marked = Vec::new();
    for (of, key) in all.iter().zip(keys?) {
        if args.purge {
            let gone = entries::remove(&*store, &key).await;
            let gone = gone.with_context(|| format!("cannot remove config {of}"))?;
            let what = if gone { "removed" } else { "was not there" };
            println!("{}", plain(&format!("{of} {what}")));
            continue;
        }
        let what = entries::write(&*store, &key, |stored| {
            let stored = stored.ok_or_else(|| anyhow!("there is no config under {key}"))?;
            config::marked(stored)
        });
        let what = what.await.with_context(|| format!("cannot mark {of} for deletion"))?;
        println!("{}", plain(&format!("{of} {what}, marked for deletion")));
        marked.push((of, what));
    }
    if !args.wait {
        return Ok(Answer::Yes);
    }
    entries::warn_without_host(&*store).await?;
    let wait = async {
        if !args.purge {
            return apply::states(&*store, &schemas, marked.into_iter()).await;
        }
        for of in all.iter().filter(|of| apply::has_state(of)) {
            let key = entries::state_key(&schemas, of)?;
            follow::until(&*store, &key, |value| value.is_none().then_some(())).await?;
            println!("{}", plain(&format!("{of} gone")));
        }
        Ok(Answer::Yes)
    };
    args.patience.keep(wait).await
}
