//! What a client of Heat may count on, as a script that the simulator and a real Heat must answer
//! alike. The real one needs the stand-ins of the vendor's resource types.

#![allow(clippy::indexing_slicing, reason = "a field that a Json value lacks is null")]

mod failures;
mod life;
mod refusals;
mod script;
mod values;

use anyhow::Result;
use script::Script;
use serde_json::Value as Json;
use std::fmt;

/// How much of a value a report shows.
const SHOWN_CHARS_MAX: usize = 500;

/// What was asked and what came.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// A law in plain words.
    pub law: String,
    /// What the contract says.
    pub wanted: Json,
    /// What the server answered.
    pub got: Json,
}

impl Check {
    /// Whether the server keeps the law.
    pub fn held(&self) -> bool {
        self.wanted == self.got
    }
}

/// The outcome of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// All checks in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// The checks that did not hold.
    pub fn broken(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| !check.held()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let broken = self.broken();
        writeln!(to, "{} of {} checks hold", self.checks.len() - broken.len(), self.checks.len())?;
        for check in broken {
            let short =
                |value: &Json| value.to_string().chars().take(SHOWN_CHARS_MAX).collect::<String>();
            let (wanted, got) = (short(&check.wanted), short(&check.got));
            writeln!(to, "{}\n  wanted {wanted}\n  got    {got}", check.law)?;
        }
        Ok(())
    }
}

/// Runs the script against a server; `base` is `http://host:port/v1`. It works in a project of
/// its own, with names of its own, as a Heat without Keystone lists the stacks of all projects; it
/// deletes what it makes.
///
/// # Errors
/// When the server cannot be asked at all, or a stack never settles.
pub async fn run(base: &str) -> Result<Report> {
    let mut script = Script::new(base);
    life::run(&mut script).await?;
    refusals::run(&mut script).await?;
    values::run(&mut script).await?;
    failures::run(&mut script).await?;
    script.tidy().await?;
    Ok(script.report)
}
