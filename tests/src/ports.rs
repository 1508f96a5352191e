//! Ports for what is started again where it was.

use std::hash::BuildHasher;
use std::net::TcpListener;

use anyhow::{Context, Result};

/// Where ports are taken from: systems give none of these to connections that go out, so whoever
/// is started again finds its own.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Ports that are free now.
///
/// # Errors
/// There are not so many.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    for _ in 0..1_000 {
        if held.len() == N {
            break;
        }
        let chance = std::hash::RandomState::new().hash_one(0);
        let span = u64::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(chance % span)?;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
    }
    let ports: Vec<u16> = held.into_iter().map(|(port, _)| port).collect();
    ports.try_into().ok().context("there is no free port")
}

/// This port, or one that is free now.
///
/// # Errors
/// There is none.
pub fn this_or_free(port: Option<u16>) -> Result<u16> {
    match port {
        Some(port) => Ok(port),
        None => free().map(|[port]| port),
    }
}
