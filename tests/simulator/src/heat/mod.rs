//! Heat: a template is read (`yaml`, `version`, `catalogue`, `parameters`, `functions`,
//! `template`), a request asks for it (`request`), a `stack` goes through its phases (`turn`), the
//! `world` holds them all, and the `api` shows them (`show`).

mod catalogue;
mod functions;
mod parameters;
mod request;
mod stack;
mod template;
mod turn;
mod version;
mod yaml;

pub(crate) mod api;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod world;

pub(crate) use stack::Moment;
