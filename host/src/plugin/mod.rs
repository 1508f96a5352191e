//! Hand 2: strangers at work. Components are loaded from a directory and called in a sandbox.
//!
//! In reading order: the `engine` and its bounds, what a plugin is granted (`grant`), how a directory of files
//! becomes workers and probers (`load`, with `cache` for compiled code and `asked` for what they want), one `call`
//! of a worker and one `probe` of a prober, what guests may import (`import`), what is put into their requests
//! (`inject`, and `keystone` for OpenStack's tokens), and the contract in Rust (`bindings`, `convert`).
//! Nothing of a guest outlives a call, and no fault of a guest is more than a value here.

mod asked;
mod bindings;
mod cache;
mod call;
mod convert;
mod engine;
mod grant;
mod import;
mod inject;
mod keystone;
mod load;
mod probe;

pub use asked::{Asked, Standing, Wish, wishes};
pub use call::{Answer, Call, Lookup, Worker};
pub use engine::{Engine, EngineSettings};
pub use grant::{AskedBounds, Bounds, GrantSource, InjectedSecret, PluginGrants, PluginSettings};
pub use keystone::{Hidden, Identity, Keystone, Scope};
pub use load::{Loaded, PluginFault, load};
pub use probe::{Prober, Subject};
