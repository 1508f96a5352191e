//! For authors of Stokehold plugins: write a type, implement [`Worker`] or [`Prober`], export it.
//!
//! ```
//! use stokehold_sdk::{Description, Host, Job, Json, Next, Verdict, Worker, export_worker};
//!
//! struct Echo;
//!
//! impl Worker for Echo {
//!     fn describe() -> Description {
//!         Description::new("echo_worker")
//!     }
//!
//!     fn handle(host: &dyn Host, _job: &Job, _checkpoint: Option<Json>) -> Verdict {
//!         host.report("echo", &host.resolve_all()?);
//!         Ok(Next::Completed)
//!     }
//! }
//!
//! export_worker!(Echo);
//! ```
//!
//! A plugin is an ordinary library: natively the export is empty and tests run against
//! `testing::ScriptedHost` (feature `testing`); for `wasm32-wasip2` it becomes a component.

mod contract;
mod failure;
mod host;
mod http;
#[cfg(feature = "jinja")]
pub mod jinja;
#[cfg(feature = "testing")]
pub mod testing;
mod typed;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod wasm;

pub use contract::{
    Action, Description, Grant, Job, Level, Limit, Mapping, Next, Output, Probing, ResourceRef,
    Stack, Subject, Target, UpdateStyle,
};
pub use failure::{Failure, NamedError, OutputFault, ParamError, Verdict};
pub use host::{Host, Outside, Prober, Trial, Worker};
pub use http::{HttpError, Method, Request, Response, base_url, path_segment};
pub use serde_json::json;
pub use typed::{read, read_checkpoint};

// What the package's page shows is compiled, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A JSON value; [`json!`] writes one.
pub type Json = serde_json::Value;

/// Makes the component of a crate from a type that is a [`Worker`]. Natively it is nothing.
#[macro_export]
macro_rules! export_worker {
    ($worker:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::wasm::ExportedWorker<$worker>;
    $crate::wasm::worker::export!(Exported with_types_in $crate::wasm::worker);
        };
    };
}

/// Makes the component of a crate from a type that is a [`Prober`]. Natively it is nothing.
#[macro_export]
macro_rules! export_prober {
    ($prober:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::wasm::ExportedProber<$prober>;
    $crate::wasm::watcher::export!(Exported with_types_in $crate::wasm::watcher);
        };
    };
}

/// Adds a dry call to the component of a crate, from a type that is a [`Trial`]. Natively it is
/// nothing.
#[macro_export]
macro_rules! export_trial {
    ($trial:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::wasm::ExportedTrial<$trial>;
    $crate::wasm::trial::export!(Exported with_types_in $crate::wasm::trial);
        };
    };
}
