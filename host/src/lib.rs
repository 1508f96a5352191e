//! Stokehold runs infrastructure handlers as sandboxed WebAssembly components. ARCHITECTURE.md shows the house.

pub mod domain;
pub mod plan;
pub mod store;
