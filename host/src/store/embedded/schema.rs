//! The file: how a connection to it is opened, and what it holds.
//!
//! Values lie in `history` only, in the order they were written; `entry` points at the newest of
//! each key. A commit so writes each value once. A row of `history` that is no longer anyone's
//! newest stays until the bounds of the history are reached. What `stored` holds may be packed: then
//! `unpacked_bytes` says what the value weighs.
//!
//! Entries lie in the order in which their keys came into being, not in the order of the keys: what
//! was posted together changes together, so that a commit touches few pages.

use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::folder::{BUSY_MS, Folder};
use super::{Options, Role};
use crate::store::StoreError;

/// What marks a file as ours: "STKH".
const APPLICATION_ID: i64 = 0x5354_4b48;
/// Rises with every change of the tables.
const SCHEMA_VERSION: i64 = 3;
/// The version without packed values, which is brought up when it is opened.
const UNPACKED_VERSION: i64 = 2;
const PAGE_BYTES: u64 = 4096;
/// Pages (64 MiB) at which the writer carries the write-ahead log over into the file and begins it
/// anew. A page that changes often is then carried over once for many commits.
const CHECKPOINT_PAGES: i64 = 16_000;
const WAL_BYTES_MAX: i64 = 128 << 20;
const CACHE_KIB: i64 = 32 << 10;
/// Statements kept prepared by one connection: all of them.
const STATEMENTS_MAX: usize = 64;

/// The place of a row in `history`: its revision and its place within that.
pub(super) const ORDINAL_BITS: u32 = 20;

const TABLES: &str = "
    CREATE TABLE entry (
        id INTEGER NOT NULL PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        created INTEGER NOT NULL,
        lease INTEGER
    ) STRICT;
    CREATE INDEX entry_by_lease ON entry (lease) WHERE lease IS NOT NULL;
    CREATE TABLE history (
        at INTEGER NOT NULL PRIMARY KEY,
        key BLOB NOT NULL,
        created INTEGER NOT NULL,
        stored BLOB,
        unpacked_bytes INTEGER
    ) STRICT;
    CREATE TABLE lease (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        ttl_ms INTEGER NOT NULL,
        ends_ms INTEGER NOT NULL,
        of_host INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE counter (
        one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        revision INTEGER NOT NULL,
        oldest INTEGER NOT NULL,
        history_bytes INTEGER NOT NULL
    ) STRICT;
    INSERT INTO counter VALUES (1, 0, 0, 0);
";

/// From `UNPACKED_VERSION` to the present one. The new name keeps programs of that version, which may
/// have the file open, from taking packed values for plain ones: they get an error.
const RENEWAL: &str = "
    ALTER TABLE history RENAME COLUMN value TO stored;
    ALTER TABLE history ADD COLUMN unpacked_bytes INTEGER;
";

/// What the file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    New,
    Present,
    /// Of `UNPACKED_VERSION`.
    Older,
}

/// Opens the connection that writes; makes the tables in a new file, refuses a file that is not
/// ours.
pub(super) fn open_writer(folder: &Folder, options: Options) -> Result<Connection, StoreError> {
    let explain = |error| folder.unusable(explain(&error));
    let mut connection = connect(folder).map_err(explain)?;
    let found = examine(folder, &connection)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(explain)?;
    if mode != "wal" {
        return Err(folder.unusable(
            "its file system has no shared memory between processes; use a folder on a local disk",
        ));
    }
    match found {
        Found::New => change_tables(&mut connection, TABLES).map_err(explain)?,
        Found::Older => renew(folder, &mut connection, options.role)?,
        Found::Present => {}
    }
    tune_writer(&connection, options.file_bytes_max).map_err(explain)?;
    Ok(connection)
}

/// Opens one more connection, to make checkpoints with.
pub(super) fn open_checkpoints(folder: &Folder) -> rusqlite::Result<Connection> {
    let connection = connect(folder)?;
    // The file must be on disk before the log is begun anew.
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

/// Opens one more connection, to read from.
pub(super) fn open_reader(folder: &Folder) -> rusqlite::Result<Connection> {
    let connection = connect(folder)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(folder: &Folder) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(folder.file())?;
    connection.busy_handler(Some(|waits: i32| {
        std::thread::sleep(Duration::from_millis(1));
        u64::try_from(waits).is_ok_and(|waits| waits < BUSY_MS)
    }))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// Whether the file is still empty, or of which version.
fn examine(folder: &Folder, connection: &Connection) -> Result<Found, StoreError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = || {
        let sql = "SELECT count(*) FROM sqlite_schema";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0))
    };
    let read = || Ok((pragma("application_id")?, pragma("user_version")?, tables()?));
    match read().map_err(|error| folder.unusable(explain(&error)))? {
        (0, 0, 0) => Ok(Found::New),
        (APPLICATION_ID, SCHEMA_VERSION, _) => Ok(Found::Present),
        (APPLICATION_ID, UNPACKED_VERSION, _) => Ok(Found::Older),
        (APPLICATION_ID, version, _) if version > SCHEMA_VERSION => Err(folder.unusable(format!(
            "store.db was written by a newer version of this program (schema {version}, \
             this one knows {SCHEMA_VERSION}); use that version, or another folder"
        ))),
        _ => Err(folder.unusable("store.db belongs to another program; use another folder")),
    }
}

/// Brings the file up to the present version, unless a host that may not know it runs on it.
fn renew(folder: &Folder, connection: &mut Connection, role: Role) -> Result<(), StoreError> {
    let _host = match role {
        Role::Host => None,
        Role::Guest => Some(folder.lock_host().map_err(|_| {
            folder.unusable(format!(
                "store.db was written by an older version of this program (schema \
                 {UNPACKED_VERSION}, this one writes {SCHEMA_VERSION}) and a host runs on it; \
                 start that host anew with this version first"
            ))
        })?),
    };
    change_tables(connection, RENEWAL).map_err(|error| folder.unusable(explain(&error)))
}

fn change_tables(connection: &mut Connection, sql: &str) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    tx.commit()
}

fn tune_writer(connection: &Connection, file_bytes_max: u64) -> rusqlite::Result<()> {
    // FULL: a commit returns after its part of the write-ahead log is on disk.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    let pages = u32::try_from(file_bytes_max / PAGE_BYTES).unwrap_or(u32::MAX - 1);
    connection.pragma_update(None, "max_page_count", pages)
}

/// What an error of the file means to its owner.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    const DAMAGED: &str =
        "store.db is damaged or no store at all; put back a copy, or use another folder";
    let meaning = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => DAMAGED,
        None if matches!(error, rusqlite::Error::FromSqlConversionFailure(..)) => DAMAGED,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "store.db cannot be written; this user must own the folder and the files in it"
        }
        Some(ErrorCode::DiskFull) => {
            "the disk is full or store.db has reached `file_bytes_max`; make room or raise it"
        }
        Some(ErrorCode::DatabaseBusy) => "another process is writing to store.db for too long",
        _ => return error.to_string(),
    };
    format!("{meaning} ({error})")
}
