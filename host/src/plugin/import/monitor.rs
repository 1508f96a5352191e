//! `monitor`: what is to be watched about the job's resource.

use super::Guest;
use crate::domain::{Alias, MonitorCall};
use crate::plugin::bindings::monitor::{Host, Mapping, Target};
use crate::plugin::convert;

impl Guest {
    fn monitor(&mut self, asked: &str, bytes: usize, call: MonitorCall) -> wasmtime::Result<()> {
        // Even an empty call takes its place in the list.
        let bytes = bytes + size_of::<MonitorCall>();
        self.account(asked, bytes)?.report.monitor.push(call);
        Ok(())
    }

    fn alias(&mut self, asked: &str, mapping: Mapping) -> wasmtime::Result<(usize, Alias)> {
        let bytes = mapping.mapped_id.len()
            + mapping.relation.len()
            + mapping.resource_type.as_ref().map_or(0, String::len)
            + mapping.resource_id.as_ref().map_or(0, String::len);
        let own = &self.work(asked)?.posted.job.target;
        Ok((bytes, convert::alias(mapping, own)))
    }
}

impl Host for Guest {
    fn register(&mut self, target: Target) -> wasmtime::Result<()> {
        let bytes =
            target.name.len() + target.kind.len() + target.topic.len() + target.properties.len();
        match convert::target(target) {
            Ok(target) => self.monitor("monitor.register", bytes, MonitorCall::Register(target)),
            Err(what) => Err(self.break_off(what)),
        }
    }

    fn unregister(&mut self, name: String) -> wasmtime::Result<()> {
        self.monitor("monitor.unregister", name.len(), MonitorCall::Unregister(name))
    }

    fn add_mapping(&mut self, mapping: Mapping) -> wasmtime::Result<()> {
        let asked = "monitor.add-mapping";
        let (bytes, alias) = self.alias(asked, mapping)?;
        self.monitor(asked, bytes, MonitorCall::AddAlias(alias))
    }

    fn remove_mapping(&mut self, mapping: Mapping) -> wasmtime::Result<()> {
        let asked = "monitor.remove-mapping";
        let (bytes, alias) = self.alias(asked, mapping)?;
        self.monitor(asked, bytes, MonitorCall::RemoveAlias(alias))
    }

    fn clear(&mut self) -> wasmtime::Result<()> {
        self.monitor("monitor.clear", 0, MonitorCall::Clear)
    }
}
