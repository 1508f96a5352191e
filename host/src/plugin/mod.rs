//! Hand 2: strangers at work. Components are loaded from a directory and called in a sandbox.
//!
//! In reading order: the `engine` and its bounds, what a plugin is granted (`grant`), how a directory of files
//! becomes workers and probers (`load`, with `cache` for compiled code and `asked` for what they want; a `loader`
//! does it again for what changes while the host runs), one `call` of a worker and one `probe` of a prober, what
//! guests may import (`import`), what a file says without being run (`inspect`), and the contract in Rust
//! (`bindings`, `convert`); a `witness` sees a call from beside.
//! Nothing of a guest outlives a call, and no fault of a guest is more than a value here.

mod asked;
mod bindings;
mod cache;
mod call;
mod convert;
mod engine;
mod grant;
mod import;
mod inspect;
mod load;
mod loader;
mod probe;
mod witness;

pub use call::{Answer, Call, Lookup, Worker};
pub use engine::{Engine, EngineSettings};
pub use grant::{AskedBounds, Bounds, PluginGrants, PluginSettings};
pub use inspect::{
    About, Checkup, Finding, Import, Inspection, Kind, Offer, Severity, check, inspect,
};
pub use load::{Found, Loaded, PluginFault, load, load_file};
pub use loader::{Loader, Mark};
pub use probe::{Prober, Subject};
pub use witness::{Frame, Seen, Witness};
