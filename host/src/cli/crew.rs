//! Who runs on the store and who leads, as the entries say.

use std::collections::BTreeMap;

use anyhow::Result;

use super::entries;
use crate::domain::{Content, Entry, Fact, HostId, Presence, Revision, Schemas};
use crate::store::Store;
use crate::wire::{self, key};

/// The hosts of one store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Crew {
    /// Those that run, as far as it can be told.
    pub(super) hosts: BTreeMap<HostId, Presence>,
    /// Those whose entries are there, but whose processes are not.
    pub(super) dead: BTreeMap<HostId, Presence>,
    /// Who leads, and the revision since when.
    pub(super) leader: Option<(HostId, Revision)>,
}

impl Crew {
    /// Reads it from the store.
    pub(super) async fn read(store: &dyn Store) -> Result<Self> {
        let mut facts = Vec::new();
        // The leader first: whoever comes to lead in between is there already.
        for prefix in [key::LEADER, key::HOSTS] {
            let found = entries::all(store, prefix).await?;
            facts.extend(found.iter().map(|entry| wire::fact(&Schemas::default(), entry)));
        }
        Ok(Self::of(&facts, &entries::alive))
    }

    pub(super) fn of(facts: &[Fact], alive: &dyn Fn(&Presence) -> bool) -> Self {
        let mut crew = Self::default();
        for Fact { entry, content, created, .. } in facts {
            match (entry, content) {
                (Entry::Host(id), Some(Content::Presence(host))) => {
                    let those = if alive(host) { &mut crew.hosts } else { &mut crew.dead };
                    those.insert(id.clone(), host.clone());
                }
                (Entry::Leader, Some(Content::Host(id))) => {
                    crew.leader = Some((id.clone(), *created));
                }
                _ => {}
            }
        }
        crew
    }

    /// The host that leads and is not known to be dead. Its own entry may not be there.
    pub(super) fn leads(&self) -> Option<(&HostId, Revision, Option<&Presence>)> {
        let (id, since) = self.leader.as_ref()?;
        (!self.dead.contains_key(id)).then(|| (id, *since, self.hosts.get(id)))
    }
}
