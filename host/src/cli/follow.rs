//! Waits until an entry says what is hoped for.

use anyhow::{Context, Result};

use crate::store::{Store, StoreError, Watch};

/// A value and the revision at which it came.
pub(super) type Seen<'a> = (&'a [u8], u64);

/// The first thing that `found` finds in the value of `key`, now or after a change; `None` is an
/// absent key.
pub(super) async fn until<T>(
    store: &dyn Store,
    key: &str,
    mut found: impl FnMut(Option<Seen>) -> Option<T>,
) -> Result<T> {
    loop {
        let (value, revision) = now(store, key).await?;
        if let Some(found) = found(value.as_ref().map(|(value, modified)| (&**value, *modified))) {
            return Ok(found);
        }
        let mut watch = match store.watch(&[key], revision).await {
            Ok(watch) => watch,
            // History was cut meanwhile: look again.
            Err(StoreError::Compacted { .. }) => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot watch key {key}")),
        };
        if let Some(found) = changed(&mut *watch, key, &mut found).await? {
            return Ok(found);
        }
    }
}

/// `None` when the watch fell behind.
async fn changed<T>(
    watch: &mut dyn Watch,
    key: &str,
    found: &mut impl FnMut(Option<Seen>) -> Option<T>,
) -> Result<Option<T>> {
    loop {
        let batch = match watch.next().await {
            Ok(batch) => batch,
            Err(StoreError::Compacted { .. }) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot watch key {key}")),
        };
        for event in batch.events.into_iter().filter(|event| event.key == key) {
            if let Some(found) = found(event.value.as_deref().map(|value| (value, event.revision)))
            {
                return Ok(Some(found));
            }
        }
    }
}

/// The value of a key and the revision from which a watch misses nothing.
async fn now(store: &dyn Store, key: &str) -> Result<(Option<(Vec<u8>, u64)>, u64)> {
    // Of all keys that begin with this one, it is itself the first.
    let page = store.list(key, None, 1).await.with_context(|| format!("cannot read key {key}"))?;
    let found = page.entries.into_iter().find(|entry| entry.key == key);
    Ok((found.map(|entry| (entry.value, entry.modified)), page.revision))
}
