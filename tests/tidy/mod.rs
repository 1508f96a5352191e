//! The house rules that a compiler does not know: read from the sources themselves.

mod contract;
mod documents;
mod files;
mod rooms;
mod source;
