//! How much of the machine a guest may take.

use wasmtime::ResourceLimiter;

use crate::plugin::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use crate::plugin::grant::Bounds;

/// Says yes or no to growth and remembers a no.
pub(crate) struct Limiter {
    memory_bytes_max: u64,
    memory_bytes: u64,
    table_elements_max: u64,
    modules_max: usize,
    denied: bool,
}

impl Limiter {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let modules = usize::try_from(bounds.modules_max).unwrap_or(usize::MAX);
        Self {
            memory_bytes_max: bounds.memory_bytes_max,
            memory_bytes: 0,
            table_elements_max: bounds.table_elements_max.min(TABLE_ELEMENTS_MAX as u64),
            modules_max: modules.min(CORE_INSTANCES_MAX as usize),
            denied: false,
        }
    }

    /// Bytes of memory that the guest has; a memory never shrinks.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Whether the guest wanted more memory than it may have.
    pub(crate) fn denied(&self) -> bool {
        self.denied
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory_bytes.saturating_add((desired.saturating_sub(current)) as u64);
        if wanted > self.memory_bytes_max {
            self.denied = true;
            return Ok(false);
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired as u64 <= self.table_elements_max)
    }

    fn instances(&self) -> usize {
        self.modules_max
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
