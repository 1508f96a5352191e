//! Stokehold runs infrastructure handlers as sandboxed WebAssembly components. ARCHITECTURE.md shows the house.

pub mod cli;
pub mod domain;
pub mod settings;
pub mod store;
pub mod wire;
