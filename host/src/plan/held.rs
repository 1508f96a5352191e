//! The resources that cannot be planned now, and what each of them wants.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{HandlerName, ResourceRef, TemplateId};

use super::open::Index;

/// Something whose arrival or change makes it worth looking again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Want {
    Resource(ResourceRef),
    Template(TemplateId),
    Handler(HandlerName),
}

/// Why a resource cannot be planned. A change of its own config needs no want.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) reason: String,
    pub(super) wants: BTreeSet<Want>,
}

/// All resources held back.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    by_resource: BTreeMap<ResourceRef, Held>,
    by_want: Index<Want, ResourceRef>,
}

impl HeldBack {
    pub(super) fn hold(&mut self, of: &ResourceRef, held: Held) {
        self.release(of);
        for want in &held.wants {
            self.by_want.add(want, of);
        }
        self.by_resource.insert(of.clone(), held);
    }

    pub(super) fn release(&mut self, of: &ResourceRef) {
        let Some(held) = self.by_resource.remove(of) else { return };
        for want in &held.wants {
            self.by_want.take(want, of);
        }
    }

    pub(super) fn holds(&self, of: &ResourceRef) -> bool {
        self.by_resource.contains_key(of)
    }

    pub(super) fn wanting(&self, want: &Want) -> Vec<ResourceRef> {
        self.by_want.get(want).cloned().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ResourceRef, &str)> {
        self.by_resource.iter().map(|(of, held)| (of, held.reason.as_str()))
    }
}
