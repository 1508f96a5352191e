//! Compiled code between starts: used if this host wrote it, ignored and written anew otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use stokehold::plugin::{Engine, EngineSettings};

use super::component::Wat;
use super::{House, Logs, act, done};

struct Kept {
    house: House,
    cache: PathBuf,
}

impl Kept {
    fn new() -> Self {
        let mut house = House::new().file("plain.wasm", Wat::default().worker());
        let cache = house.dir.path().join("state").join("cache");
        house.settings.cache_dir = Some(cache.clone());
        Self { house, cache }
    }

    /// A start of the host: how many plugins it compiled. What it loaded works.
    async fn start(&mut self) -> u64 {
        self.house.engine = Engine::new(&EngineSettings::default()).unwrap();
        let worker = self.house.worker().await;
        done(act(&worker, "", 0).await);
        self.house.engine.compilations()
    }

    fn compiled(&self) -> PathBuf {
        let files = fs::read_dir(&self.cache).unwrap().map(|entry| entry.unwrap().path());
        let mut code = files.filter(|path| path.extension().is_some_and(|e| e == "cwasm"));
        let only = code.next().expect("compiled code is kept");
        assert_eq!(code.next(), None);
        only
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_second_start_compiles_nothing() {
    let mut kept = Kept::new();
    assert_eq!(kept.start().await, 1);
    assert_eq!(kept.start().await, 0);
    assert_eq!(mode(&kept.cache), 0o700);
    assert_eq!(mode(&kept.cache.join("key")), 0o600);
    assert_eq!(mode(&kept.compiled()), 0o600);
    assert_eq!(fs::read_dir(&kept.cache).unwrap().count(), 2, "no drafts are left");
}

#[tokio::test]
async fn a_changed_plugin_is_compiled() {
    let mut kept = Kept::new();
    assert_eq!(kept.start().await, 1);
    kept.house = kept.house.file("plain.wasm", Wat { handle: "nop", ..Wat::default() }.worker());
    assert_eq!(kept.start().await, 1);
    assert_eq!(kept.start().await, 0);
}

#[tokio::test]
async fn tampered_code_is_refused_and_written_anew() {
    let mut kept = Kept::new();
    kept.start().await;
    let file = kept.compiled();
    let good = fs::read(&file).unwrap();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let tampered =
        [changed(0), changed(40), changed(good.len() - 1), good[..100].to_vec(), Vec::new()];
    for bytes in tampered {
        fs::write(&file, bytes).unwrap();
        assert_eq!(kept.start().await, 1, "it was refused");
        assert_eq!(kept.start().await, 0, "and written anew");
    }
}

#[tokio::test]
async fn code_of_another_name_is_refused() {
    let mut kept = Kept::new();
    kept.start().await;
    let old = kept.compiled();
    kept.house = kept.house.file("plain.wasm", Wat { handle: "nop", ..Wat::default() }.worker());
    let first = fs::read(&old).unwrap();
    fs::remove_file(&old).unwrap();
    kept.start().await;
    fs::write(kept.compiled(), first).unwrap();
    assert_eq!(kept.start().await, 1);
}

#[tokio::test]
async fn code_that_others_could_have_written_is_refused() {
    let mut kept = Kept::new();
    kept.start().await;
    set_mode(&kept.compiled(), 0o620);
    assert_eq!(kept.start().await, 1);
    assert_eq!(mode(&kept.compiled()), 0o600);

    set_mode(&kept.cache.join("key"), 0o604);
    assert_eq!(kept.start().await, 1, "a key that others could read is made anew");
    assert_eq!(mode(&kept.cache.join("key")), 0o600);
    assert_eq!(kept.start().await, 0);
}

#[tokio::test]
async fn a_cache_that_cannot_be_trusted_costs_time_and_nothing_else() {
    let mut kept = Kept::new();
    kept.start().await;
    set_mode(&kept.cache, 0o777);
    let (logs, _guard) = Logs::record();
    assert_eq!(kept.start().await, 1);
    let line = logs.line("plugins are compiled at every start");
    assert!(line.contains("WARN") && line.contains("chmod 700"), "{line}");

    let file = kept.house.dir.path().join("plain.wasm");
    kept.house.settings.cache_dir = Some(file);
    assert_eq!(kept.start().await, 1);
}

#[tokio::test]
async fn what_is_not_used_for_long_and_drafts_of_the_dead_are_removed() {
    let mut kept = Kept::new();
    kept.start().await;
    let hours = |hours| SystemTime::now() - Duration::from_hours(hours);
    let age = |path: &Path, since| fs::File::open(path).unwrap().set_modified(since).unwrap();
    let used = kept.compiled();
    age(&used, hours(31 * 24));
    let file = |name: &str, since| {
        let path = kept.cache.join(name);
        fs::write(&path, "x").unwrap();
        age(&path, since);
        path
    };
    let gone = [
        file("old.cwasm", hours(30 * 24 + 1)),
        file("new.0123456789abcdef", hours(2)),
        file("key.0123456789abcdef", hours(2)),
    ];
    let stay = [
        file("rare.cwasm", hours(29 * 24)),
        file("new.fedcba9876543210", SystemTime::now()),
        file("notes.txt", hours(99 * 24)),
        kept.cache.join("key"),
        used,
    ];
    age(&kept.cache.join("key"), hours(99 * 24));
    assert_eq!(kept.start().await, 0, "what is used is kept, however old");
    for path in gone {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in stay {
        assert!(path.exists(), "{}", path.display());
    }
}
