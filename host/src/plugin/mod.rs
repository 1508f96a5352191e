//! Hand 2: strangers at work. Components are loaded from a directory and called in a sandbox.
//!
//! In reading order: the `engine` and its bounds, what a plugin is granted (`grant`), how a directory of files
//! becomes workers and probers (`load`, with `cache` for compiled code and `asked` for what they want; a `loader`
//! does it again for what changes while the host runs), one `call` of a worker and one `probe` of a prober, what
//! guests may import (`import`), what is put into their requests (`inject`, and `keystone` for OpenStack's tokens),
//! what a file says without being run (`inspect`), what changed between two states of a WIT (`compare`), and the
//! contract in Rust (`bindings`, `convert`); a `trial` comes before a version takes over, a `witness` sees a call from
//! beside.
//! Nothing of a guest outlives a call, and no fault of a guest is more than a value here.

mod asked;
mod backtrace;
mod bindings;
mod cache;
mod call;
mod compare;
mod convert;
mod describe;
mod engine;
mod grant;
mod import;
mod inject;
mod inspect;
mod keystone;
mod load;
mod loader;
mod probe;
mod provenance;
mod trial;
mod witness;

pub use asked::{Asked, Standing, Wish, wishes};
pub use backtrace::Frame;
pub use call::{Answer, Call, Lookup, Worker};
pub use compare::{Change, Effect, Wit, compare, read as read_wit};
pub use engine::{Engine, EngineSettings};
pub use grant::{
    AskedBounds, Bounds, GrantSource, InjectedSecret, PluginGrants, PluginSettings,
    RecordingSettings,
};
pub(crate) use inspect::contract_files;
pub use inspect::{
    About, Checkup, Finding, Import, Inspection, Kind, Offer, Severity, check, inspect,
};
pub use keystone::{Hidden, Identity, Keystone, Scope};
pub use load::{Found, Loaded, PluginFault, load, load_file};
pub use loader::{Loader, Mark};
pub use probe::{Prober, Subject};
pub use provenance::{Rules, Trust, TrustSettings, admit};
pub use witness::{Seen, Witness};
