//! What a host shows to those who watch over it: `meters` counts, `server` answers.
//!
//! Only what is known anyway is counted; nobody asks the store for it.

mod meters;
mod server;

pub use meters::Meters;
pub use server::{Server, serve};
