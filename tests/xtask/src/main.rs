//! The chores: `cargo xtask <chore>`. It depends on nothing of the project, so that it is built in
//! seconds.

mod cargo;
mod demo;
mod etcd;
mod guests;
mod heat;
mod kafka;
mod languages;
mod pip;
mod recordings;
mod snmpd;
mod suites;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask <chore>

  guests           build the plugins and the test guests for wasm32-wasip2
  test [--fast]    everything that must hold: format, lints, all tests; --fast leaves out what
                   needs guests or processes
  demo             the network scenario, from config to monitoring, against a simulated Heat
  bench            the benchmarks
  heat             a real OpenStack Heat in a Python environment under target/
  keystone         a real OpenStack Keystone likewise
  nova             a real OpenStack Nova likewise
  etcd             a real etcd: the one on the PATH, or one under target/
  languages        toolchains for Python, JavaScript and C under target/, and the examples in them
  snmpd            a real SNMP agent: the one on the PATH, or one under target/
  kafka            a broker that speaks Kafka's protocol, under target/
  deny             licences and advisories of the dependencies";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match perform(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(args: &[&str]) -> Result<ExitCode> {
    match args {
        ["guests"] => guests::build(&cargo::Workspace::find()?).map(|()| ExitCode::SUCCESS),
        ["test"] => suites::test(suites::Breadth::All),
        ["test", "--fast"] => suites::test(suites::Breadth::Fast),
        ["demo"] => demo::run(),
        ["bench"] => suites::bench().map(|()| ExitCode::SUCCESS),
        ["heat"] => install(&heat::HEAT),
        ["keystone"] => install(&heat::KEYSTONE),
        ["nova"] => install(&heat::NOVA),
        ["etcd"] => etcd::install().map(|program| {
            println!("export {}={}", etcd::VARIABLE, program.display());
            ExitCode::SUCCESS
        }),
        ["languages"] => {
            let languages::Languages { folder, lacking } = languages::install()?;
            println!("export {}={}", languages::VARIABLE, folder.display());
            if !lacking.is_empty() {
                bail!("cannot get all languages: {}", lacking.join("; "));
            }
            Ok(ExitCode::SUCCESS)
        }
        ["snmpd"] => snmpd::install().map(|program| {
            println!("export {}={}", snmpd::VARIABLE, program.display());
            ExitCode::SUCCESS
        }),
        ["kafka"] => kafka::install().map(|program| {
            println!("export {}={}", kafka::VARIABLE, program.display());
            ExitCode::SUCCESS
        }),
        ["deny"] => {
            println!("{}", suites::deny()?);
            Ok(ExitCode::SUCCESS)
        }
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("{USAGE}"),
    }
}

fn install(service: &heat::Service) -> Result<ExitCode> {
    let place = service.install()?;
    println!("export {}={}", service.variable, place.display());
    Ok(ExitCode::SUCCESS)
}
