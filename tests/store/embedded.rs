//! What the embedded store promises beyond the contract: its folder, its bounds, its refusals.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use stokehold::store::StoreError;
use stokehold::store::embedded::{Embedded, Options, Role};

use super::place::{Folder, Place, delete, in_time, put, revision, shown, write, writes};
use stokehold_tests::random::Random;

/// Bytes that cannot be packed.
fn noise(bytes: usize) -> Vec<u8> {
    let mut random = Random::new(7);
    (0..bytes).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

fn refusal(dir: &Path) -> String {
    let refused = Embedded::open(dir, Options::new(Role::Host)).err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }));
    let text = refused.to_string();
    let begin = format!("cannot open store {}: ", dir.display());
    text.strip_prefix(&begin).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[tokio::test]
async fn only_its_owner_may_read_the_store() {
    let place = Folder::new().await;
    let dir = place.path().join("new/folder");
    let store = Embedded::open(&dir, Options::new(Role::Host)).unwrap();
    write(&store, [put("/k", "")]).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = dir.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let place = Folder::new().await;
    std::fs::write(place.path().join("store.db"), "no database at all ".repeat(1_000)).unwrap();
    let reason = refusal(place.path());
    let expected = "store.db is damaged or no store at all; put back a copy, or use another folder";
    assert!(reason.starts_with(expected), "{reason}");
}

#[tokio::test]
async fn a_file_of_another_program_is_refused() {
    let place = Folder::new().await;
    let other = Connection::open(place.path().join("store.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    assert_eq!(refusal(place.path()), "store.db belongs to another program; use another folder");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let place = Folder::new().await;
    drop(place.open().await);
    let file = Connection::open(place.path().join("store.db")).unwrap();
    file.pragma_update(None, "user_version", 7).unwrap();
    drop(file);
    assert_eq!(
        refusal(place.path()),
        "store.db was written by a newer version of this program (schema 7, this one knows 3); \
         use that version, or another folder"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_refused() {
    let place = Folder::new().await;
    std::fs::write(place.path().join("file"), "").unwrap();
    let reason = refusal(&place.path().join("file/store"));
    assert!(reason.ends_with("; it must be a folder that this user may write to"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_the_commit_and_nothing_else() {
    let place = Folder::new().await;
    let options = Options { file_bytes_max: 1 << 20, ..Options::new(Role::Host) };
    let store = place.open_with(options);
    let before = write(&*store, [put("/small", "before")]).await;
    let failed = store.commit(writes([put("/large", noise(2 << 20)), put("/small", "after")]));
    let StoreError::Unavailable(source) = failed.await.unwrap_err() else { panic!() };
    let text = format!("{source:#}");
    assert!(text.contains("the disk is full or store.db has reached `file_bytes_max`"), "{text}");
    assert_eq!(revision(&*store).await, before);
    assert_eq!(store.get("/small").await.unwrap().unwrap().value, b"before");
    assert_eq!(write(&*store, [put("/small", "again")]).await, before + 1);
    drop(store);
    let store = place.open().await;
    assert_eq!(store.get("/large").await.unwrap(), None);
    assert_eq!(store.get("/small").await.unwrap().unwrap().value, b"again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_too_slow_is_told_so() {
    let place = Folder::new().await;
    let options = Options { history_revisions_max: 10, ..Options::new(Role::Host) };
    let store = place.open_with(options);
    write(&*store, [put("/still", "here")]).await;
    let mut slow = store.watch(&["/"], 0).await.unwrap();
    let mut end = 0;
    for n in 0..40 {
        end = write(&*store, [put("/k", n.to_string())]).await;
    }
    let told = in_time(slow.next()).await.unwrap_err();
    assert!(matches!(told, StoreError::Compacted { wanted: 0, oldest } if oldest == end - 10));
    assert_eq!(
        told.to_string(),
        format!("cannot watch from revision 0: history begins at {}", end - 10)
    );
    let mut watch = store.watch(&["/"], end - 10).await.unwrap();
    assert_eq!(shown(&mut *watch, end).await.len(), 10);
    // What is older than the history is still there, until it is replaced or removed.
    assert_eq!(store.get("/still").await.unwrap().unwrap().value, b"here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_history_leaves_nothing_behind() {
    let place = Folder::new().await;
    let options = Options { history_revisions_max: 5, ..Options::new(Role::Host) };
    let store = place.open_with(options);
    write(&*store, (0..50).map(|n| put(format!("/{n}"), "old"))).await;
    for n in 0..100 {
        let key = format!("/{}", n % 40);
        write(&*store, [if n % 3 == 0 { delete(key) } else { put(key, "new") }]).await;
    }
    let entries = store.list("/", None, 100).await.unwrap().entries;
    drop(store);
    let file = Connection::open(place.path().join("store.db")).unwrap();
    let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    // A row of each living key, and of the last revisions; some are both.
    let rows = usize::try_from(count("SELECT count(*) FROM history")).unwrap();
    assert!((entries.len()..=entries.len() + 6).contains(&rows), "{rows} rows");
    let weight = "SELECT sum(length(key) + coalesce(length(stored), 0) + 64) FROM history, counter
                  WHERE at >= (oldest + 1) << 20";
    assert_eq!(count(weight), count("SELECT history_bytes FROM counter"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_bounded_in_bytes_too() {
    let place = Folder::new().await;
    let options = Options { history_bytes_max: 1 << 20, ..Options::new(Role::Host) };
    let store = place.open_with(options);
    let mut end = 0;
    for _ in 0..50 {
        end = write(&*store, [put("/k", noise(100_000))]).await;
    }
    let mut watch = store.watch(&["/"], 0).await.unwrap();
    let told = in_time(watch.next()).await.unwrap_err();
    let StoreError::Compacted { oldest, .. } = told else { panic!("{told}") };
    assert!((end - 11..=end - 9).contains(&oldest), "{oldest} of {end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_never_named_like_an_older_one() {
    let place = Folder::new().await;
    let store = place.open().await;
    let old = store.grant(Duration::from_mins(1)).await.unwrap();
    store.revoke(old).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_ne!(store.grant(Duration::from_mins(1)).await.unwrap(), old);
    store.keep(old).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_writes_what_is_queued() {
    let place = Folder::new().await;
    let store = place.open().await;
    let mut watch = store.watch(&["/"], 0).await.unwrap();
    for n in 0..200 {
        let mut commit = store.commit(writes([put(format!("/{n}"), "")]));
        // Asked once, then given up: it is queued and nobody waits for it.
        let asked = std::future::poll_fn(|context| {
            let _ = commit.as_mut().poll(context);
            std::task::Poll::Ready(())
        });
        asked.await;
        // Within one turn of a task, tokio lets only so many asks through.
        tokio::task::yield_now().await;
    }
    drop(store);
    while let Ok(batch) = in_time(watch.next()).await {
        assert!(batch.revision <= 200);
    }
    let store = place.open().await;
    assert_eq!(store.list("/", None, 1_000).await.unwrap().entries.len(), 200);
}
