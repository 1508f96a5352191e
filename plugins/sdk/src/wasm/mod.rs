//! The only place that knows generated code: the contract's bindings and what joins them to the
//! traits.

mod convert;
mod exports;
mod http;
mod imports;

pub use exports::{ExportedProber, ExportedTrial, ExportedWorker};

/// Bindings of a handler of jobs.
#[allow(unsafe_code, missing_docs, unused, clippy::all, clippy::pedantic)]
pub mod worker {
    wit_bindgen::generate!({
        path: "wit",
        world: "worker",
        pub_export_macro: true,
        with: {
            "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
            "wasi:http/outgoing-handler@0.2.12": wasip2::http::outgoing_handler,
            "wasi:http/types@0.2.12": wasip2::http::types,
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
        },
    });
}

/// Bindings of a prober; what both worlds import is taken from the worker's.
#[allow(unsafe_code, missing_docs, unused, clippy::all, clippy::pedantic)]
pub mod watcher {
    wit_bindgen::generate!({
        path: "wit",
        world: "watcher",
        pub_export_macro: true,
        with: {
            "stokehold:worker/config@0.1.0": super::worker::stokehold::worker::config,
            "stokehold:worker/log@0.1.0": super::worker::stokehold::worker::log,
            "stokehold:worker/types@0.1.0": super::worker::stokehold::worker::types,
            "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
            "wasi:http/outgoing-handler@0.2.12": wasip2::http::outgoing_handler,
            "wasi:http/types@0.2.12": wasip2::http::types,
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
        },
    });
}

/// Bindings of a dry call alone: a crate exports it beside its worker or prober.
#[allow(unsafe_code, missing_docs, unused, clippy::all, clippy::pedantic)]
pub mod trial {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package stokehold:sdk;
            world trial {
                export stokehold:worker/trial@0.1.0;
            }
        ",
        world: "stokehold:sdk/trial",
        pub_export_macro: true,
    });
}
