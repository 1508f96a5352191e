//! Text ⇄ nouns: how every entry is spelled in the store, and how what stands there is read.
//!
//! The only room that types a slash or a quote. Reading never fails: what makes no sense is a noun
//! too (`Entry::Unknown`, `Content::Unreadable`) and says where it went wrong, without quoting
//! values, which may be secrets. Spelling fails only for what has no name or could not be read
//! again (`Unspellable`).
//!
//! In reading order: the key of an entry, what it holds (one file per noun), the mapping language
//! in its two spellings, the API server's schemas, and the store's envelopes around all of it.

pub mod key;

mod content;
mod document;

mod announcement;
mod applied;
mod exchange;
mod job;
mod presence;
mod python;
mod recording;
mod registration;
mod resource;
mod stack;
mod state;
mod step;
mod template;

pub mod clauses;
mod letters;

pub mod schemas;

mod envelope;

pub use announcement::{Announced, announcement};
pub use content::{read, spell};
pub use envelope::{event, fact, transaction};
pub use exchange::{read_answers, spell_answers};
pub use python::python_json;
pub use recording::{overlay_params, read_recording, spell_recording};
pub use resource::BODY_DEPTH_MAX;

/// Something that has no spelling in the store; nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot spell {what}: {why}")]
pub struct Unspellable {
    /// The entry, by family and name: `state port:1`.
    pub what: String,
    /// What is in the way.
    pub why: String,
}

#[cfg(test)]
mod tests;
