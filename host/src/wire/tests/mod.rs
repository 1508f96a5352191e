//! Laws of the room as a whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod announcements;
mod keys;
mod malformed;
mod mutations;
mod recordings;
mod round_trips;
mod samples;
mod schemas;
