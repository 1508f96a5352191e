//! `stokehold plugin`: what authors and operators do with one plugin's file.

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

use super::{Answer, flags, grants, load};
use crate::plugin::PluginSettings;

mod against;
mod check;
mod componentize;
mod inspect;
mod new;
pub(super) mod outcome;
pub(in crate::cli) mod recorded;
pub(super) mod rehearsal;
mod run;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a small project to begin a plugin from, in one of four languages.
    New(new::Args),
    /// Write the C bindings of a world.
    Bindings(componentize::BindingsArgs),
    /// Make a component of a core module, as compilers for C give it.
    Componentize(componentize::Args),
    /// Look whether files can be used as plugins, and what has to be granted to them.
    Check(check::Args),
    /// Print what a file says of itself: handler, imports, tools, WIT.
    Inspect(inspect::Args),
    /// Call a plugin in the sandbox, without store or server, and print all that came of it.
    Run(run::Args),
}

pub(super) async fn plugin(args: Args) -> Result<Answer> {
    match args.command {
        Command::New(args) => new::new(&args),
        Command::Bindings(args) => componentize::bindings(&args),
        Command::Componentize(args) => componentize::componentize(&args),
        Command::Check(args) => check::check(args).await,
        Command::Inspect(args) => inspect::inspect(args).await,
        Command::Run(args) => run::run(args).await,
    }
}

/// What the operator says of a file's plugin, if the command line names any settings; who names none is not bothered
/// with a settings file that happens to lie in the working directory.
fn operator(named: &flags::Named, file: &Path) -> Result<Option<PluginSettings>> {
    if named.is_silent() {
        return Ok(None);
    }
    Ok(Some(grants::loading(&load::beside(named, file)?)))
}

/// As messages name a file.
fn shown(file: &Path) -> String {
    super::plain::plain(&file.display().to_string()).into_owned()
}
