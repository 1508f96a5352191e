//! The store's promise, held against every implementation, and what the embedded one promises
//! beyond it.

mod contract;
mod crash;
mod embedded;
mod model;
mod place;
mod processes;
pub(crate) mod random;
