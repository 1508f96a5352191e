//! A simulator of `OpenStack` Heat's stack API, for tests and demonstrations, with as much of
//! Keystone, Contrail's analytics and Gohan's schema endpoint as goes with it.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use heat_simulator::{Fault, Options, Simulator};
//!
//! let heat = Simulator::start(Options::default())?;
//! heat.add_fault(Fault::answer(503, "busy".into()).method("POST").times(2));
//! println!("POST {}/a-tenant/stacks fails twice, then works", heat.url());
//! # Ok(())
//! # }
//! ```
//!
//! A request goes through `server` (failures on demand, the record) to one of `heat`, `keystone`,
//! `contrail`, `gohan` and `control`; all of them look at one state behind one lock. Time moves the
//! stacks when someone looks, so nothing runs in between. `contract` is a script of requests that
//! the simulator and a real Heat must answer alike.

mod answer;
mod call;
mod client;
mod contrail;
mod control;
mod faults;
mod gohan;
mod heat;
mod keystone;
mod options;
mod overrides;
mod server;
mod shared;
mod simulator;
mod text;

pub mod contract;

pub use client::{Client, Reply};
pub use faults::{Effect, Fault};
pub use heat::show::Snapshot;
pub use heat::status::{Action, Progress, Status};
pub use options::{Credentials, Options, Pace, Schemas};
pub use overrides::Overrides;
pub use shared::Recorded;
pub use simulator::Simulator;
