//! The traits, answered by the contract's imports.

use super::convert::json;
use super::worker::stokehold::worker::{config, log, monitor, params, stack_output, state};
use crate::{
    Host, HttpError, Json, Level, Mapping, NamedError, Outside, ParamError, Request, ResourceRef,
    Response, Stack, Target,
};

/// The host outside the sandbox.
pub(super) struct Imports {
    /// What the plugin calls itself; asked for where a message wants it.
    pub(super) plugin: fn() -> String,
}

impl Outside for Imports {
    fn config(&self, key: &str) -> Option<String> {
        config::get(key)
    }

    fn log(&self, level: Level, message: &str) {
        log::write(level.into(), message);
    }

    fn http(&self, request: &Request) -> Result<Response, HttpError> {
        super::http::send(request, self.plugin)
    }
}

impl Host for Imports {
    fn param_names(&self) -> Vec<String> {
        params::names()
    }

    fn resolve(&self, name: &str) -> Result<Json, ParamError> {
        Ok(json(&params::resolve(name)?))
    }

    fn resolve_all(&self) -> Result<Json, Box<NamedError>> {
        Ok(json(&params::resolve_all().map_err(|e| Box::new(e.into()))?))
    }

    fn publish(&self, stack: &Stack) {
        stack_output::publish(&stack.into());
    }

    fn find_stack(&self, of: &ResourceRef) -> Result<Option<Stack>, String> {
        Ok(stack_output::find(&of.into())?.map(Into::into))
    }

    fn report(&self, field: &str, value: &Json) {
        state::report(field, &value.to_string());
    }

    fn find_state(&self, of: &ResourceRef) -> Result<Option<Json>, String> {
        Ok(state::find(&of.into())?.map(|text| json(&text)))
    }

    fn register(&self, target: &Target) {
        monitor::register(&target.into());
    }

    fn unregister(&self, name: &str) {
        monitor::unregister(name);
    }

    fn add_mapping(&self, mapping: &Mapping) {
        monitor::add_mapping(&mapping.into());
    }

    fn remove_mapping(&self, mapping: &Mapping) {
        monitor::remove_mapping(&mapping.into());
    }

    fn clear(&self) {
        monitor::clear();
    }
}
