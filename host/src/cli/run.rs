//! `stokehold run`.

use std::process;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{Answer, flags, house, load, logging};
use crate::admin::{self, Meters, Server};
use crate::flow;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: flags::AllFlags,
}

pub(super) async fn run(args: Args) -> Result<Answer> {
    let settings = load::all(&args.settings.0)?;
    logging::begin(&settings)?;
    for name in &settings.unknown_variables {
        tracing::warn!(name, "unknown variable in the environment, ignored");
    }
    let shutdown = shutdown()?;
    tokio::pin!(shutdown);
    let meters = Meters::new();
    // Whoever watches over it sees it alive, and not ready, while it waits for what it needs.
    let mut serving = JoinSet::new();
    if let Some(address) = &settings.metrics {
        serving.spawn(admin::serve(Server::bind(address, meters.clone()).await?));
    }
    let house = tokio::select! {
        house = house::build(&settings, meters) => house?,
        // Store and API server may be asked for a long time.
        () = &mut shutdown => return Ok(Answer::Yes),
    };
    flow::run(house, shutdown).await?;
    Ok(Answer::Yes)
}

/// Resolves at the first SIGTERM or SIGINT; the second ends the process at once.
fn shutdown() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => 143,
                _ = interrupt.recv() => 130,
            }
        };
        next().await;
        tracing::info!("ending: running calls may finish, a second signal ends at once");
        // Nobody waits any more when the host is ending by itself.
        let _ = tell.send(());
        process::exit(next().await);
    });
    Ok(async {
        let _ = told.await;
    })
}
