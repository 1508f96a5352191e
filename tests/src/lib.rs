//! What the tests of the whole house share: where things lie, and a world with a store, a Heat and a host.

#![allow(clippy::missing_panics_doc)]

pub mod dns;
pub mod dns_life;
pub mod etcd;
pub mod example;
pub mod guests;
pub mod http_server;
pub mod kafka;
pub mod paths;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod random;
pub mod real_heat;
pub mod real_keystone;
pub mod real_nova;
pub mod snmpd;
pub mod stored;
pub mod world;

// What the guide shows is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../examples/README.md")]
struct Guide;
