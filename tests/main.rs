//! One binary for all tests that need more than one crate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod authoring;
mod contract;
mod dns;
mod heat;
mod hostile;
mod hosts;
mod kill;
mod monitoring;
mod process;
mod replay;
mod sandbox;
mod scenario;
mod store;
mod swap;
mod tidy;
