//! The door: one thin file per subcommand. What a command decides is in functions that need no
//! store.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

mod apply;
mod config;
mod crew;
mod delete;
mod doctor;
mod entries;
mod flags;
mod follow;
mod get;
mod grants;
mod house;
mod input;
mod job;
mod leader;
mod load;
mod logging;
mod place;
mod plain;
mod plugin;
mod plugins;
mod run;
mod status;
mod watch;

pub use load::settings as load_settings;

const EXIT_CODES: &str = "\
Exit codes:
  0  all was done
  1  it failed, or the answer is no: nothing found, a failed state, a time that ran out
  2  the command line or the settings make no sense";

/// How long the program waits at its end for what cannot be called back.
const LINGER: Duration = Duration::from_secs(1);

/// What `get` and `watch` find where.
const KEYS: &str = "\
Keys begin with:
  /config/               what is wanted, by the path of its type: /config/v2.0/ports/<id>
  /config/v2.0/heat_templates/  templates
  /state/                what became of it: /state/v2.0/ports/<id>
  /monitoring/           what is up and what is down
  /jobs/                 open jobs: all/, waiting/, ready/, working/
  /esi-worker/           stacks (heat_stacks/) and what running jobs reported (job_state/)
  /stokehold/            the hosts' own: hosts/, leader, plan, steps/, applied/, monitored/, schemas";

/// Runs infrastructure handlers as sandboxed WebAssembly components.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a host: plan jobs, call handlers, report states.
    Run(run::Args),
    /// Write desired resources and templates, as the API server would.
    Apply(apply::Args),
    /// Mark resources for deletion, or remove them.
    Delete(delete::Args),
    /// Print what is stored under a key or a prefix.
    Get(get::Args),
    /// Print changes as they come.
    Watch(watch::Args),
    /// Print what is running, what waits, and what is wrong.
    Status(status::Args),
    /// Print which host leads, and which others there are.
    Leader(leader::Args),
    /// Print which plugins are in service on each host, in which version, and which files are not.
    Plugins(plugins::Args),
    /// Look for what is wrong with settings, store, hosts, plugins and network, and say what to do.
    Doctor(doctor::Args),
    /// List recorded calls, and make the calls of a job again.
    Job(job::Args),
    /// Check, inspect and try out a plugin's file.
    Plugin(plugin::Args),
}

/// What the program answers to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// All was done.
    Yes,
    /// It was done, and the answer is no: nothing found, a failed state, a time that ran out.
    No,
}

/// Settings that cannot be used: a mistake of the caller, as a wrong command line is one.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
struct Misuse(anyhow::Error);

/// Runs the command of the command line: exit code 0 when all was done, 1 when not, 2 when the
/// command line or the settings make no sense.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match perform(cli.command) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::FAILURE,
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", plain::plain(&format!("{error:#}")));
            if error.is::<Misuse>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn perform(command: Command) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let answer = runtime.block_on(async {
        match command {
            Command::Run(args) => run::run(args).await,
            Command::Apply(args) => apply::apply(args).await,
            Command::Delete(args) => delete::delete(args).await,
            Command::Get(args) => get::get(args).await,
            Command::Watch(args) => watch::watch(args).await,
            Command::Status(args) => status::status(args).await,
            Command::Leader(args) => leader::leader(args).await,
            Command::Plugins(args) => plugins::plugins(args).await,
            Command::Doctor(args) => doctor::doctor(args).await,
            Command::Job(args) => job::job(args).await,
            Command::Plugin(args) => plugin::plugin(args).await,
        }
    });
    // A question to a name server or a disk that hangs cannot be called back.
    runtime.shutdown_timeout(LINGER);
    answer
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let gone = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&gone.context("cannot print")));
        assert!(!is_broken_pipe(&anyhow::anyhow!("broken pipe")));
    }
}
