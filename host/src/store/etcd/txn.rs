//! A transaction in etcd's words.

use etcd_client::{Compare as Theirs, CompareOp, PutOptions, Txn as TheirTxn, TxnOp};

use crate::store::{Compare, Limits, Txn, Write};

/// What an etcd with its own defaults takes: 128 operations, and requests of 1.5 MiB, of which the
/// framing of so many operations takes less than 16 KiB.
pub(super) const LIMITS: Limits =
    Limits { operations_max: 128, bytes_max: (1 << 20) + (512 << 10) - (32 << 10) };

/// The same transaction.
pub(super) fn translate(txn: &Txn) -> TheirTxn {
    let compares: Vec<Theirs> = txn.compares.iter().map(compare).collect();
    let writes: Vec<TxnOp> = txn.writes.iter().map(write).collect();
    TheirTxn::new().when(compares).and_then(writes)
}

fn compare(compare: &Compare) -> Theirs {
    let key = compare.key();
    match compare {
        Compare::Absent(_) => Theirs::create_revision(key, CompareOp::Equal, 0),
        Compare::Present(_) => Theirs::create_revision(key, CompareOp::Greater, 0),
        Compare::Modified(_, revision) => match at(*revision) {
            Some(revision) => Theirs::mod_revision(key, CompareOp::Equal, revision),
            None => never(key),
        },
        Compare::Created(_, revision) => match at(*revision) {
            Some(revision) => Theirs::create_revision(key, CompareOp::Equal, revision),
            None => never(key),
        },
    }
}

/// etcd takes a missing key for one of revision 0; with us it has none.
fn at(revision: u64) -> Option<i64> {
    i64::try_from(revision).ok().filter(|revision| *revision > 0)
}

/// What holds for no key.
fn never(key: &str) -> Theirs {
    Theirs::create_revision(key, CompareOp::Less, 0)
}

fn write(write: &Write) -> TxnOp {
    match write {
        Write::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.0));
            TxnOp::put(key.as_str(), value.as_slice(), options)
        }
        Write::Delete { key } => TxnOp::delete(key.as_str(), None),
    }
}
