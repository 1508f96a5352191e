//! The store's promise, held against every implementation, and what each of them promises
//! beyond it.

mod contract;
mod crash;
mod embedded;
mod etcd;
mod model;
mod packing;
mod place;
mod processes;
