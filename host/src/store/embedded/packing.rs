//! How values lie in the file: large ones packed, so that a commit writes and syncs fewer pages.
//!
//! Packing is the caller's work, done before its transaction is queued: the writer is one thread,
//! callers are many.

use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

use super::LIMITS;
use crate::store::{Compare, LeaseId, Txn, Write};

/// Smaller values lie as they are: several of them share a page anyway.
const PACKED_BYTES_MIN: usize = 256;

/// A value as it lies in the file.
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// What it weighs unpacked; none if it lies as it is.
    pub(super) unpacked_bytes: Option<u32>,
}

impl Packed {
    /// Packs a value if that makes it smaller by an eighth at least.
    fn new(value: Vec<u8>) -> Self {
        if value.len() >= PACKED_BYTES_MIN
            && let Ok(unpacked_bytes) = u32::try_from(value.len())
        {
            let bytes = lz4_flex::block::compress(&value);
            if bytes.len() <= value.len() - value.len() / 8 {
                return Self { bytes, unpacked_bytes: Some(unpacked_bytes) };
            }
        }
        Self { bytes: value, unpacked_bytes: None }
    }
}

/// A write as the writer takes it.
pub(super) enum PackedWrite {
    Put { key: String, value: Packed, lease: Option<LeaseId> },
    Delete { key: String },
}

/// A transaction as the writer takes it.
pub(super) struct PackedTxn {
    pub(super) compares: Vec<Compare>,
    pub(super) writes: Vec<PackedWrite>,
}

impl From<Txn> for PackedTxn {
    fn from(txn: Txn) -> Self {
        let pack = |write| match write {
            Write::Put { key, value, lease } => {
                PackedWrite::Put { key, value: Packed::new(value), lease }
            }
            Write::Delete { key } => PackedWrite::Delete { key },
        };
        Self { compares: txn.compares, writes: txn.writes.into_iter().map(pack).collect() }
    }
}

/// The value of a row: what is stored in one column, what it weighs unpacked in the next. None is a
/// deletion.
pub(super) fn unpacked(row: &Row<'_>, column: usize) -> Result<Option<Vec<u8>>> {
    let Some(stored) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(None) };
    let Some(unpacked_bytes) = row.get::<_, Option<u32>>(column + 1)? else {
        return Ok(Some(stored.to_owned()));
    };
    let size = usize::try_from(unpacked_bytes).unwrap_or(usize::MAX);
    let damaged = |why: String| Error::FromSqlConversionFailure(column, Type::Blob, why.into());
    if size > LIMITS.bytes_max {
        return Err(damaged(format!("a packed value of {size} bytes")));
    }
    let mut value = vec![0; size];
    match lz4_flex::block::decompress_into(stored, &mut value) {
        Ok(written) if written == size => Ok(Some(value)),
        Ok(written) => Err(damaged(format!("a packed value of {written} bytes, not {size}"))),
        Err(error) => Err(damaged(format!("a packed value: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rusqlite::{Connection, params};

    use super::*;

    fn read(stored: &[u8], unpacked_bytes: Option<u32>) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT ?1, ?2";
        let connection = Connection::open_in_memory().unwrap();
        connection.query_row(sql, params![stored, unpacked_bytes], |row| unpacked(row, 0))
    }

    fn pattern(bytes: usize) -> Vec<u8> {
        (0..bytes)
            .flat_map(|n| format!("\"field_{n}\":\"value\",").into_bytes())
            .take(bytes)
            .collect()
    }

    #[test]
    fn whatever_is_packed_comes_back() {
        // A generator that repeats after 2^32: noise is not packed, text is.
        let noise = std::iter::successors(Some(7_u32), |n| {
            Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
        });
        let noise: Vec<u8> = noise.map(|n| n.to_be_bytes()[0]).take(5_000).collect();
        let values = [0, 1, 255, 256, 4_096, 3 << 20].map(pattern).into_iter().chain([noise]);
        for value in values {
            let packed = Packed::new(value.clone());
            assert!(packed.bytes.len() <= value.len());
            let back = read(&packed.bytes, packed.unpacked_bytes).unwrap().unwrap();
            assert!(back == value, "a value of {} bytes", value.len());
        }
    }

    #[test]
    fn only_what_becomes_smaller_is_packed() {
        assert!(Packed::new(pattern(PACKED_BYTES_MIN)).unpacked_bytes.is_some());
        assert!(Packed::new(pattern(PACKED_BYTES_MIN - 1)).unpacked_bytes.is_none());
        let distinct: Vec<u8> = (0..=255).collect();
        assert!(Packed::new(distinct).unpacked_bytes.is_none());
    }

    #[test]
    fn a_damaged_value_is_an_error_and_no_panic() {
        let packed = Packed::new(pattern(1_000));
        let size = packed.unpacked_bytes.unwrap();
        for (stored, size) in [
            (packed.bytes.as_slice(), size - 1),
            (packed.bytes.as_slice(), size + 1),
            (packed.bytes.as_slice(), u32::MAX),
            (packed.bytes.split_at(20).0, size),
            (b"", size),
            (&[0xff; 100], size),
        ] {
            let text = read(stored, Some(size)).unwrap_err().to_string();
            assert!(text.contains("a packed value"), "{text}");
        }
    }
}
