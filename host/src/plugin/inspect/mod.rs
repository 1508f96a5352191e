//! What a file says of itself without being run: its world, what it imports and who offers that, which tools made
//! it. The file is a stranger's: everything that is read of it is checked first, and bounded when it is shown.

mod check;
mod contract;
mod offers;
mod read;

pub use check::{About, Checkup, Finding, Severity, check};
pub(crate) use contract::files as contract_files;
pub use read::inspect;

/// What a component is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It handles jobs.
    Handler,
    /// It probes what is registered.
    Prober,
}

impl Kind {
    /// As it is called: `handler`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Prober => "prober",
        }
    }
}

/// Who offers an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The host, to everybody.
    Host,
    /// The host, where the operator granted this kind: `http`.
    Grant(&'static str),
    /// Nobody; why, and what is meant perhaps.
    Missing(String),
}

/// One import of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// With its version: `wasi:http/types@0.2.12`.
    pub name: String,
    /// The functions that are used of it.
    pub functions: Vec<String>,
    /// Who has it.
    pub offer: Offer,
}

/// One component, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The length of the file.
    pub bytes: u64,
    /// The SHA-256 of the file, in hex.
    pub digest: String,
    /// What it is for; `None` if it fits neither world of the contract, or both.
    pub kind: Option<Kind>,
    /// The version of the contract it was built for, `0.1.0`; `None` if it does not say.
    pub contract: Option<String>,
    /// What it needs.
    pub imports: Vec<Import>,
    /// What it offers.
    pub exports: Vec<String>,
    /// Its world as a WIT document.
    pub world: String,
    /// The packages that its world names, as WIT documents.
    pub packages: String,
    /// The languages it was written in, with versions where it tells: `Rust`.
    pub languages: Vec<String>,
    /// The tools that made it, with versions.
    pub tools: Vec<String>,
    /// Whether a trap can be told with file and line.
    pub has_lines: bool,
    /// What keeps it from being loaded, one sentence each.
    pub flaws: Vec<String>,
}
