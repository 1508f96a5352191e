//! `params`: the job's parameters, resolved at the moment they are asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Guest, KNOWN_MAX, LOOKUPS_MAX, NAME_BYTES_MAX, Stacks};
use crate::domain::{Json, Output, ParamValue, Posted, ResourceRef, Stack};
use crate::plugin::bindings::params::{Host, NamedError, OutputFault, ParamError};
use crate::plugin::bindings::types::ResourceRef as Asked;
use crate::plugin::convert;

impl Host for Guest {
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        let work = self.work("params.names")?;
        let mut names: Vec<_> = work.posted.job.params.iter().map(|p| p.name.clone()).collect();
        names.sort();
        Ok(names)
    }

    async fn resolve(&mut self, name: String) -> wasmtime::Result<Result<String, ParamError>> {
        let work = self.work("params.resolve")?;
        let posted = Arc::clone(&work.posted);
        let Some(param) = posted.job.params.iter().find(|param| param.name == name) else {
            return Ok(Err(ParamError::Unknown(name)));
        };
        Ok(resolve(&param.value, &mut work.stacks).await.map(|value| value.to_string()))
    }

    async fn resolve_all(&mut self) -> wasmtime::Result<Result<String, NamedError>> {
        let work = self.work("params.resolve-all")?;
        let posted = Arc::clone(&work.posted);
        match resolve_all(&posted, &mut work.stacks).await {
            Ok(all) => Ok(Ok(serde_json::to_string(&all)?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

async fn resolve_all<'a>(
    posted: &'a Posted,
    stacks: &mut Stacks,
) -> Result<BTreeMap<&'a str, Cow<'a, Json>>, NamedError> {
    let mut all = BTreeMap::new();
    for param in &posted.job.params {
        let value = resolve(&param.value, stacks)
            .await
            .map_err(|error| NamedError { name: param.name.clone(), error })?;
        all.insert(param.name.as_str(), value);
    }
    Ok(all)
}

async fn resolve<'a>(
    value: &'a ParamValue,
    stacks: &mut Stacks,
) -> Result<Cow<'a, Json>, ParamError> {
    match value {
        ParamValue::Value(value) => Ok(Cow::Borrowed(value)),
        ParamValue::Output { key, of } => output(key, of, stacks).await.map(Cow::Owned),
        ParamValue::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for item in items {
                list.push(Box::pin(resolve(&item.value, stacks)).await?.into_owned());
            }
            Ok(Cow::Owned(Json::Array(list)))
        }
    }
}

async fn output(key: &str, of: &ResourceRef, stacks: &mut Stacks) -> Result<Json, ParamError> {
    let fault =
        |reason: String| OutputFault { of: convert::of(of), output_key: key.to_owned(), reason };
    let stack = match stacks.find(of).await.map_err(ParamError::Unavailable)? {
        None => return Err(ParamError::MissingStack(fault(format!("{of} has no stack yet")))),
        // A deletion leaves a record without a name behind.
        Some(stack) if stack.stack_id.is_empty() => {
            return Err(ParamError::MissingStack(fault(format!("the stack of {of} was deleted"))));
        }
        Some(stack) => stack,
    };
    match stack.outputs.iter().find(|output| output.key == key) {
        None => {
            let there: Vec<_> = stack.outputs.iter().map(|output| output.key.as_str()).collect();
            let reason = format!("the stack of {of} has no such output, only {there:?}");
            Err(ParamError::MissingOutput(fault(reason)))
        }
        Some(Output { value: Json::Null, error: Some(error), .. }) => {
            Err(ParamError::FailedOutput(fault(error.clone())))
        }
        Some(output) => Ok(output.value.clone()),
    }
}

impl Stacks {
    /// The committed stack of a resource that the job names, asked for once a call.
    ///
    /// # Errors
    /// Why the store could not be asked.
    pub(super) async fn find(&mut self, of: &ResourceRef) -> Result<Option<Arc<Stack>>, String> {
        if let Some(known) = self.known.get(of) {
            return Ok(known.clone());
        }
        let found = self.lookup.stack(of).await.map_err(|why| format!("{why:#}"))?.map(Arc::new);
        self.known.insert(of.clone(), found.clone());
        Ok(found)
    }

    /// Counts what the guest itself asks for, and looks whether it can be a resource at all.
    ///
    /// # Errors
    /// Why the store is not asked.
    pub(super) fn admit(&mut self, of: &Asked) -> Result<(), String> {
        let Some(fewer) = self.lookups_left.checked_sub(1) else {
            return Err(format!(
                "no more than {LOOKUPS_MAX} resources can be looked up in one call"
            ));
        };
        self.lookups_left = fewer;
        if of.resource_type.len().max(of.resource_id.len()) > NAME_BYTES_MAX {
            return Err(format!("no kind or id is longer than {NAME_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    /// The committed stack of any resource. What is not there may come, so only what was found is remembered.
    ///
    /// # Errors
    /// Why the store could not be asked.
    pub(super) async fn ask(&mut self, of: ResourceRef) -> Result<Option<Arc<Stack>>, String> {
        if let Some(Some(known)) = self.known.get(&of) {
            return Ok(Some(Arc::clone(known)));
        }
        let found = self.lookup.stack(&of).await.map_err(|why| format!("{why:#}"))?.map(Arc::new);
        if found.is_some() && self.known.len() < KNOWN_MAX {
            self.known.insert(of, found.clone());
        }
        Ok(found)
    }
}
