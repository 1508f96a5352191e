//! Documents as a crash, a hand or a fault could leave them.

use serde_json::json;

use super::samples::{schemas, written};
use crate::domain::{Content, Entry};
use crate::wire::{read, spell};

/// Bytes that mean something to a reader of JSON or of mappings.
const BYTES: &[u8] = b"{}[]\",:0-9aPCOFMA&+\\ \xff";

/// Xorshift: the same documents in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn mutate(&mut self, document: &[u8]) -> Vec<u8> {
        let mut mutated = document.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(mutated.len().max(1));
            let byte = BYTES[self.below(BYTES.len())];
            match self.below(3) {
                0 if at < mutated.len() => mutated[at] = byte,
                1 if at < mutated.len() => drop(mutated.remove(at)),
                _ => mutated.insert(at, byte),
            }
        }
        mutated
    }
}

fn documents() -> Vec<(Entry, Vec<u8>)> {
    let template = json!({"version": 1, "body": {
        "handler": "h", "template_file": "t", "parameter_mappings": {
            "a": "ACx&Fa+b:c",
            "b": {
                "for_field": {"field": "x", "path": ["y", {"type": "t", "id": ""}]},
                "for_mapping": {
                    "if_mapping": {"regexp": [{"nested": ["a"]}, "b"]},
                    "then_mapping": "Mn:i:k",
                    "else_mapping": {"concatenate": ["x", {"version": 1}]},
                },
            },
        },
    }});
    let mut documents = vec![(Entry::Template("t".into()), template.to_string().into_bytes())];
    for (entry, content) in written() {
        let value = spell(&schemas(), &entry, &content).unwrap();
        documents.push((entry, value));
    }
    documents
}

#[test]
fn a_truncated_document_is_a_value_and_never_a_panic() {
    let schemas = schemas();
    for (entry, document) in documents() {
        for length in 0..document.len() {
            let content = read(&schemas, &entry, &document[..length]);
            let bare = matches!(content, Content::Handler(_) | Content::Host(_)) && length > 0;
            assert!(bare || matches!(content, Content::Unreadable(_)), "{entry:?}: {length}");
        }
    }
}

#[test]
fn a_mutated_document_is_unreadable_or_means_what_it_says() {
    let schemas = schemas();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut readable, mut unreadable) = (0, 0);
    for (entry, document) in documents() {
        for _ in 0..400 {
            match read(&schemas, &entry, &random.mutate(&document)) {
                Content::Unreadable(reason) => {
                    assert!(!reason.is_empty());
                    unreadable += 1;
                }
                Content::Template(_) => readable += 1,
                content => {
                    // What could be read can be written, and is then read the same.
                    let again = spell(&schemas, &entry, &content).unwrap();
                    assert_eq!(read(&schemas, &entry, &again), content);
                    readable += 1;
                }
            }
        }
    }
    assert!(readable > 100 && unreadable > 1000, "{readable} {unreadable}");
}
