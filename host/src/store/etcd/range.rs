//! Pages of a prefix.

use etcd_client::GetOptions;

use super::link::Repeat;
use super::trouble::Trouble;
use super::{Etcd, revision};
use crate::store::{KeyValue, LeaseId, Page, StoreError};

/// An answer with several entries is kept below this.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// For answers with one entry: what it weighs was decided when it was written.
pub(super) const ANY_SIZE: usize = i32::MAX as usize;

/// The keys from one on, up to the end of a prefix.
pub(super) struct Range {
    from: Vec<u8>,
    /// The first key behind the prefix; `"\0"` stands for none.
    end: Vec<u8>,
}

impl Range {
    /// The keys that begin with `prefix` and come after `after`.
    pub(super) fn new(prefix: &str, after: Option<&str>) -> Self {
        let mut range = Self { from: first(prefix.as_bytes()), end: end(prefix.as_bytes()) };
        if let Some(after) = after {
            range.go_on(after.as_bytes().to_vec());
        }
        range
    }

    /// Leaves out what comes before this key, and the key itself.
    pub(super) fn go_on(&mut self, mut last: Vec<u8>) {
        last.push(0);
        self.from = std::mem::take(&mut self.from).max(last);
    }

    fn is_empty(&self) -> bool {
        self.end != [0] && self.from >= self.end
    }
}

/// etcd has no empty key: everything begins with the smallest.
fn first(prefix: &[u8]) -> Vec<u8> {
    if prefix.is_empty() { vec![0] } else { prefix.to_vec() }
}

fn end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

impl Etcd {
    /// One page, and the last key that was looked at. It is one answer, so it is of one revision.
    pub(super) async fn page(
        &self,
        range: &Range,
        limit: usize,
    ) -> Result<(Page, Option<Vec<u8>>), StoreError> {
        // There is nothing to find, but the revision to learn.
        let limit = if range.is_empty() { 1 } else { limit };
        let mut entries = self.pages.entries(limit);
        let mut answer = loop {
            let bytes = if entries > 1 { PAGE_BYTES_MAX } else { ANY_SIZE };
            let count = i64::try_from(entries).unwrap_or(i64::MAX);
            let asked = self.ask(Repeat::Freely, |client| {
                let options = GetOptions::new().with_range(range.end.as_slice()).with_limit(count);
                let from = range.from.as_slice();
                async move {
                    let mut kv = client.kv_client().max_decoding_message_size(bytes);
                    kv.get(from, Some(options)).await
                }
            });
            match asked.await {
                Ok(answer) => break answer,
                Err(Trouble::TooLarge) if entries > 1 => entries = self.pages.too_large(entries),
                Err(trouble) => return Err(trouble.told(None)),
            }
        };
        let (revision, more) = (revision(answer.header())?, answer.more());
        let found = answer.take_kvs();
        self.pages.came(found.len());
        let last = found.last().map(|kv| kv.key().to_vec());
        let entries = found.into_iter().filter_map(key_value).collect();
        Ok((Page { entries, more, revision }, last))
    }
}

/// An entry; `None` if its key is no text: it is not ours then.
pub(super) fn key_value(kv: etcd_client::KeyValue) -> Option<KeyValue> {
    let created = u64::try_from(kv.create_revision()).unwrap_or_default();
    let modified = u64::try_from(kv.mod_revision()).unwrap_or_default();
    let lease = Some(kv.lease()).filter(|lease| *lease != 0).map(LeaseId);
    let (key, value) = kv.into_key_value();
    Some(KeyValue { key: String::from_utf8(key).ok()?, value, created, modified, lease })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_prefix_after_a_key() {
        let cases: [(_, _, &[u8], &[u8]); 7] = [
            ("/a", None, b"/a", b"/b"),
            ("", None, b"\0", b"\0"),
            ("", Some("/k"), b"/k\0", b"\0"),
            ("/a", Some("/a/1"), b"/a/1\0", b"/b"),
            ("/b", Some("/a"), b"/b", b"/c"),
            ("\0", None, b"\0", b"\x01"),
            ("\u{10ffff}", None, b"\xf4\x8f\xbf\xbf", b"\xf4\x8f\xbf\xc0"),
        ];
        for (prefix, after, from, end) in cases {
            let range = Range::new(prefix, after);
            assert_eq!((range.from.as_slice(), range.end.as_slice()), (from, end), "{prefix:?}");
            assert!(!range.is_empty());
        }
        assert!(Range::new("/a", Some("/b")).is_empty());
        assert_eq!(end(&[b'a', 255, 255]), b"b");
        assert_eq!(end(&[255]), [0]);
    }
}
