//! The contract in Rust, made from `wit/`. A new version of the contract is a new module here and in `convert`.

#![allow(missing_docs, clippy::pedantic, reason = "made by a macro")]

/// The world of handlers.
pub(crate) mod worker {
    wasmtime::component::bindgen!({
        path: "../wit/worker@0.1.0",
        world: "worker",
        imports: {
            "stokehold:worker/params.resolve": async | trappable,
            "stokehold:worker/params.resolve-all": async | trappable,
            "stokehold:worker/stack-output.find": async | trappable,
            "stokehold:worker/state.find": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
        },
    });
}

/// The world of probers; what both worlds import is shared.
pub(crate) mod watcher {
    wasmtime::component::bindgen!({
        path: "../wit/worker@0.1.0",
        world: "watcher",
        imports: { default: trappable },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "stokehold:worker/config": super::worker::stokehold::worker::config,
            "stokehold:worker/log": super::worker::stokehold::worker::log,
            "stokehold:worker/types": super::worker::stokehold::worker::types,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
        },
    });
}

pub(crate) use watcher::exports::stokehold::worker::prober;
pub(crate) use worker::exports::stokehold::worker::handler;
pub(crate) use worker::stokehold::worker::{
    config, log, monitor, params, stack_output, state, types,
};
