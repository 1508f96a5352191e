//! `state`: what the API server will read.

use super::Guest;
use crate::plugin::bindings::state::{Host, ResourceRef};
use crate::plugin::convert;

impl Host for Guest {
    fn report(&mut self, field: String, value: String) -> wasmtime::Result<()> {
        let asked = "state.report";
        self.account(asked, field.len() + value.len())?;
        match convert::json(&format!("state field \"{field}\""), &value) {
            Ok(value) => {
                self.work(asked)?.report.fields.insert(field, value);
                Ok(())
            }
            Err(what) => Err(self.break_off(what)),
        }
    }

    async fn find(&mut self, of: ResourceRef) -> wasmtime::Result<Result<Option<String>, String>> {
        let stacks = &mut self.work("state.find")?.stacks;
        if let Err(why) = stacks.admit(&of) {
            return Ok(Err(why));
        }
        let found = stacks.lookup.state(&convert::resource_ref(of)).await;
        Ok(found.map(|state| state.map(|s| s.to_string())).map_err(|why| format!("{why:#}")))
    }
}
