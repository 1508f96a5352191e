//! Stokehold runs infrastructure handlers as sandboxed WebAssembly components.
//! ARCHITECTURE.md shows the house.

pub mod admin;
pub mod cli;
pub mod domain;
pub mod flow;
pub mod http_client;
pub mod kafka;
pub mod plan;
pub mod plugin;
pub mod queue;
pub mod rollout;
pub mod schedule;
pub mod settings;
pub mod settle;
pub mod store;
pub mod wire;
