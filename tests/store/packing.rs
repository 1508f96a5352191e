//! Large values lie packed in the embedded store's file; nobody who reads sees it.

use rusqlite::{Connection, params};
use stokehold::store::StoreError;
use stokehold::store::embedded::{Embedded, Options, Role};

use super::place::{Folder, Place, put, shown, write};

/// The tables before values were packed.
const OLDER: &str = "
    PRAGMA journal_mode = wal;
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
        value BLOB
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
    INSERT INTO counter VALUES (1, 1, 0, 2066);
    PRAGMA application_id = 0x53544b48;
    PRAGMA user_version = 2;
";

fn text(bytes: usize) -> Vec<u8> {
    b"{\"device\": \"primary\"}, ".iter().copied().cycle().take(bytes).collect()
}

/// A folder that an older version has left, with `/k` in it.
async fn older() -> Folder {
    let place = Folder::new().await;
    let file = Connection::open(place.path().join("store.db")).unwrap();
    file.execute_batch(OLDER).unwrap();
    let insert = "INSERT INTO entry (key, at, created) VALUES (?1, ?2, 1)";
    file.execute(insert, params![b"/k".as_slice(), 1 << 20]).unwrap();
    let insert = "INSERT INTO history VALUES (?1, ?2, 1, ?3)";
    file.execute(insert, params![1 << 20, b"/k".as_slice(), text(2_000)]).unwrap();
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_take_less_room_and_read_the_same() {
    let place = Folder::new().await;
    let store = place.open().await;
    let values = [("/small", text(100)), ("/job", text(4_000)), ("/large", text(1 << 20))];
    let end = write(&*store, values.clone().map(|(key, value)| put(key, value))).await;
    let mut watch = store.watch(&["/"], 0).await.unwrap();
    let events = shown(&mut *watch, end).await;
    for (key, value) in &values {
        assert!(store.get(key).await.unwrap().unwrap().value == *value, "{key} by its name");
        let event = events.iter().find(|event| event.key == *key).unwrap();
        assert!(event.value.as_ref() == Some(value), "{key} in the history");
    }
    let listed = store.list("/", None, 10).await.unwrap().entries;
    assert!(listed.iter().all(|entry| values.contains(&(entry.key.as_str(), entry.value.clone()))));
    drop(store);
    let file = Connection::open(place.path().join("store.db")).unwrap();
    let bytes = "SELECT sum(length(stored)) FROM history";
    let stored: i64 = file.query_row(bytes, [], |row| row.get(0)).unwrap();
    assert!(stored < 10_000, "{stored} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_an_older_version_goes_on() {
    for role in [Role::Host, Role::Guest] {
        let place = older().await;
        let store = place.open_with(Options::new(role));
        let end = write(&*store, [put("/new", text(4_000))]).await;
        assert_eq!(end, 2);
        assert!(store.get("/k").await.unwrap().unwrap().value == text(2_000));
        let mut watch = store.watch(&["/"], 0).await.unwrap();
        let events = shown(&mut *watch, end).await;
        let sizes: Vec<_> = events.iter().map(|e| e.value.as_ref().map(Vec::len)).collect();
        assert_eq!(sizes, [Some(2_000), Some(4_000)]);
        drop((watch, store));
        // It was brought up once, and opens as any other.
        assert!(place.open().await.get("/k").await.unwrap().unwrap().value == text(2_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_of_an_older_version_does_not_take_packed_values_for_plain_ones() {
    let place = older().await;
    let file = Connection::open(place.path().join("store.db")).unwrap();
    let mut read = file.prepare("SELECT key, value FROM history").unwrap();
    assert!(read.exists([]).unwrap());
    drop(place.open().await);
    let error = read.exists([]).unwrap_err().to_string();
    assert!(error.contains("no such column: value"), "{error}");
}

#[tokio::test]
async fn the_folder_of_an_older_host_that_runs_is_left_as_it_is() {
    let place = older().await;
    let lock = std::fs::File::create(place.path().join("host.lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = Embedded::open(place.path(), Options::new(Role::Guest)).err().unwrap();
    assert_eq!(
        refused.to_string(),
        format!(
            "cannot open store {}: store.db was written by an older version of this program \
             (schema 2, this one writes 3) and a host runs on it; start that host anew with this \
             version first",
            place.path().display()
        )
    );
    let file = Connection::open(place.path().join("store.db")).unwrap();
    let version = "PRAGMA user_version";
    assert_eq!(file.query_row(version, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_value_is_said_to_be_so_and_the_others_are_read() {
    let place = Folder::new().await;
    let store = place.open().await;
    write(&*store, [put("/bad", text(4_000)), put("/good", text(4_000))]).await;
    drop(store);
    let file = Connection::open(place.path().join("store.db")).unwrap();
    let damage = "UPDATE history SET stored = zeroblob(10) WHERE key = ?1";
    assert_eq!(file.execute(damage, [b"/bad".as_slice()]).unwrap(), 1);
    drop(file);
    let store = place.open().await;
    let StoreError::Unavailable(why) = store.get("/bad").await.unwrap_err() else { panic!() };
    let why = format!("{why:#}");
    let expected = "cannot read store.db: store.db is damaged or no store at all; put back a copy, \
                    or use another folder (";
    assert!(why.starts_with(expected), "{why}");
    assert!(store.get("/good").await.unwrap().unwrap().value == text(4_000));
    assert_eq!(write(&*store, [put("/bad", "mended")]).await, 2);
    assert_eq!(store.get("/bad").await.unwrap().unwrap().value, b"mended");
}
