//! `config`: settings and secrets the operator granted. Their values go to the guest and nowhere else.

use super::Guest;
use crate::plugin::bindings::config::Host;

impl Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.plugin.grants.config.get(&key).cloned())
    }
}
