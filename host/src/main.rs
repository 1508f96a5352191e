//! The `stokehold` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    stokehold::cli::main()
}
