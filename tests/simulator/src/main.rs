//! The simulator as a program.

use anyhow::{Context, Result};
use clap::Parser;
use heat_simulator::{Credentials, Fault, Options, Overrides, Pace, Schemas, Simulator};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Simulates Heat's stack API on 127.0.0.1, with Keystone, Contrail analytics and Gohan's schemas.
///
/// Prints `ready http://127.0.0.1:PORT/v1` once it answers; ends on SIGTERM or ctrl-C. State is
/// kept in memory only.
#[derive(Debug, Parser)]
#[command(name = "heat-simulator", version, after_long_help = EXAMPLES)]
struct Arguments {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8004)]
    port: u16,
    /// How long a stack is in progress, in milliseconds
    #[arg(long, default_value_t = 300, value_name = "MS")]
    progress_ms: u64,
    /// The same for stacks whose name contains PART; can be given again
    #[arg(long, value_name = "PART=MS", value_parser = pace_of)]
    progress_of: Vec<(String, Duration)>,
    /// How long each request waits, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    latency_ms: u64,
    /// Stacks stay in progress until POST /simulator/finish {"stack": NAME}
    #[arg(long)]
    manual: bool,
    /// JSON: resource type to attributes to values, or output key to value
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// JSON: a failure or a list of them, as POST /simulator/faults takes them
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Heat wants this X-Auth-Token, or one from POST /v3/auth/tokens
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The user who may get a token; anyone by default
    #[arg(long, value_name = "NAME", requires = "password")]
    user: Option<String>,
    /// The user's password
    #[arg(long, value_name = "PASSWORD", requires = "user")]
    password: Option<String>,
    /// The file that GET /gohan/v0.1/schemas serves
    #[arg(long, value_name = "FILE")]
    schemas: Option<PathBuf>,
    /// The first N requests for schemas get a 503
    #[arg(long, default_value_t = 0, value_name = "N", requires = "schemas")]
    schemas_failures: u32,
    /// Gohan wants this X-Auth-Token
    #[arg(long, value_name = "TOKEN", requires = "schemas")]
    schemas_token: Option<String>,
}

const EXAMPLES: &str = r#"Resources whose name contains "fail" fail; "slow-N" takes N seconds.

Values as a backend would answer them, --outputs FILE:
  {"OS::Contrail::VirtualMachineInterface": {
     "virtual_networks": "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
     "virtual_machine_interface_allowed_address_pairs": "null"},
   "an_output_key": {"$error": "no such thing"},
   "$reasons": {"UPDATE_COMPLETE": "Stack successfully updated"}}

Failures while it runs:
  curl -d '{"stack": "port_", "method": "POST", "times": 2,
            "effect": {"answer": {"status": 503}}}' http://127.0.0.1:8004/simulator/faults
  effects: answer {status, body, headers}, "reset", "lose" (done, but not answered), hang {ms},
           garbage {body}, slow {ms}, fail {reason} (the stack ends *_FAILED)
  counts:  skip N requests first, then befall "times" of them (all without it)
  curl -X DELETE http://127.0.0.1:8004/simulator/faults

Looking and steering:
  curl http://127.0.0.1:8004/simulator/requests     what was asked, in order
  curl http://127.0.0.1:8004/simulator/stacks
  curl -d '{"stack": "s", "status": "CREATE_FAILED", "reason": "why"}' \
       http://127.0.0.1:8004/simulator/finish       with --manual
  curl -d '{"fq_name": "default-domain:admin:x"}' http://127.0.0.1:8004/simulator/down   (or up)"#;

fn pace_of(text: &str) -> Result<(String, Duration), String> {
    let wanted = || format!("PART=MS is wanted, like port_=2000, not {text}");
    let (part, ms) = text.rsplit_once('=').ok_or_else(wanted)?;
    let ms = ms.parse().map_err(|_| wanted())?;
    Ok((part.to_owned(), Duration::from_millis(ms)))
}

fn options(arguments: Arguments) -> Result<Options> {
    let mut pace = Pace::even(Duration::from_millis(arguments.progress_ms));
    pace.of = arguments.progress_of;
    let overrides =
        arguments.outputs.as_deref().map(Overrides::read).transpose()?.unwrap_or_default();
    let faults = match &arguments.faults {
        None => Vec::new(),
        Some(file) => {
            let read = || format!("cannot read faults {}", file.display());
            let text = std::fs::read_to_string(file).with_context(read)?;
            Fault::from_json(serde_json::from_str(&text).with_context(read)?)?
        }
    };
    let credentials = arguments
        .user
        .zip(arguments.password)
        .map(|(user, password)| Credentials { user, password });
    let schemas = arguments.schemas.map(|file| Schemas {
        file,
        failures: arguments.schemas_failures,
        token: arguments.schemas_token,
    });
    Ok(Options {
        port: arguments.port,
        latency: Duration::from_millis(arguments.latency_ms),
        pace,
        manual: arguments.manual,
        overrides,
        token: arguments.token,
        credentials,
        schemas,
        faults,
        ..Options::default()
    })
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = options(Arguments::parse())?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let simulator = Simulator::start(options)?;
    let mut out = std::io::stdout();
    writeln!(out, "ready {}", simulator.url()).context("cannot print")?;
    out.flush().context("cannot print")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
