//! The simulator from outside: against recorded exchanges, against its contract and a real Heat,
//! and its failures on demand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod contract;
mod faults;
mod manual;
mod neighbours;
mod session;
mod values;
