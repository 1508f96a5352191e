//! Stokehold runs infrastructure handlers as sandboxed WebAssembly components. ARCHITECTURE.md shows the house.

pub mod domain;
pub mod http_client;
pub mod plugin;
pub mod store;
