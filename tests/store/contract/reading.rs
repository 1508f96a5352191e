//! Laws of `get` and `list`.

use stokehold::store::{KeyValue, Store};

use crate::store::place::{Place, put, revision, write};

/// All entries under a prefix, in pages of `limit`.
async fn list_all(store: &dyn Store, prefix: &str, limit: usize) -> Vec<KeyValue> {
    let mut entries: Vec<KeyValue> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.key.clone());
        let page = store.list(prefix, after.as_deref(), limit).await.unwrap();
        assert!(page.entries.len() <= limit);
        assert!(!page.more || !page.entries.is_empty(), "a page that goes on has entries");
        entries.extend(page.entries);
        if !page.more {
            return entries;
        }
    }
}

async fn keys(store: &dyn Store, prefix: &str, limit: usize) -> Vec<String> {
    list_all(store, prefix, limit).await.into_iter().map(|entry| entry.key).collect()
}

pub async fn a_key_comes_back_as_it_was_put(place: &impl Place) {
    let store = place.open().await;
    let revision = write(&*store, [put("/k", b"\0bytes\xff")]).await;
    let expected = KeyValue {
        key: "/k".to_owned(),
        value: b"\0bytes\xff".to_vec(),
        created: revision,
        modified: revision,
        lease: None,
    };
    assert_eq!(store.get("/k").await.unwrap(), Some(expected.clone()));
    let page = store.list("/k", None, 10).await.unwrap();
    assert_eq!((page.entries, page.more, page.revision), (vec![expected], false, revision));
}

pub async fn a_missing_key_is_none(place: &impl Place) {
    let store = place.open().await;
    write(&*store, [put("/key", "")]).await;
    for missing in ["/ke", "/key/", "/KEY", "key"] {
        assert_eq!(store.get(missing).await.unwrap(), None, "{missing}");
    }
}

pub async fn an_empty_value_is_a_value(place: &impl Place) {
    let store = place.open().await;
    write(&*store, [put("/k", "")]).await;
    assert_eq!(store.get("/k").await.unwrap().unwrap().value, b"");
}

pub async fn a_listing_holds_its_prefix_in_the_order_of_bytes(place: &impl Place) {
    let store = place.open().await;
    let last = "/a\u{10ffff}";
    let mut all = [
        "/",
        "/A",
        "/a",
        "/a\0",
        "/a/",
        "/a/1",
        "/a/10",
        "/a/2",
        "/a0",
        "/aÿ",
        last,
        "/b",
        "a",
        "~",
        "\u{7f}",
        "ÿ",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
    ];
    write(&*store, all.map(|key| put(key, key))).await;
    all.sort_unstable_by_key(|key| key.as_bytes());
    for prefix in ["", "/", "/a", "/a/", "/a/1", last, "\u{7f}", "\u{10ffff}", "/none", "\0"] {
        let expected: Vec<&str> = all.into_iter().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(keys(&*store, prefix, 100).await, expected, "{prefix:?}");
    }
}

pub async fn pages_of_any_size_make_the_whole_listing(place: &impl Place) {
    let store = place.open().await;
    let all: Vec<String> = (0..50).map(|n| format!("/p/{n:02}")).collect();
    write(&*store, all.iter().map(|key| put(key, key))).await;
    write(&*store, [put("/o", ""), put("/q", "")]).await;
    for limit in [1, 3, 49, 50, 51, usize::MAX] {
        assert_eq!(keys(&*store, "/p/", limit).await, all, "pages of {limit}");
    }
    assert!(store.list("/p/", None, 49).await.unwrap().more);
    assert!(!store.list("/p/", None, 50).await.unwrap().more);
}

pub async fn a_page_begins_after_any_text(place: &impl Place) {
    let store = place.open().await;
    write(&*store, ["/a", "/p/1", "/p/1\0", "/p/3", "/z"].map(|key| put(key, ""))).await;
    let cases: [(&str, &[&str]); 7] = [
        ("", &["/p/1", "/p/1\0", "/p/3"]),
        ("/a", &["/p/1", "/p/1\0", "/p/3"]),
        ("/p/1", &["/p/1\0", "/p/3"]),
        ("/p/2", &["/p/3"]),
        ("/p/3", &[]),
        ("/p/4", &[]),
        ("/z", &[]),
    ];
    for (after, expected) in cases {
        let page = store.list("/p/", Some(after), 10).await.unwrap();
        let keys: Vec<&str> = page.entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!((keys.as_slice(), page.more), (expected, false), "after {after:?}");
    }
}

pub async fn a_page_of_none_has_one(place: &impl Place) {
    let store = place.open().await;
    write(&*store, [put("/1", ""), put("/2", "")]).await;
    let page = store.list("/", None, 0).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (1, true));
}

pub async fn large_values_come_back_whole(place: &impl Place) {
    let store = place.open().await;
    let value = |n: usize| {
        (0..1 << 20).map(|at: usize| (at * 31 + n).to_le_bytes()[0]).collect::<Vec<u8>>()
    };
    for n in 0..8 {
        write(&*store, [put(format!("/large/{n}"), value(n))]).await;
    }
    assert_eq!(store.get("/large/3").await.unwrap().unwrap().value, value(3));
    let all = list_all(&*store, "/large/", 100).await;
    assert_eq!(all.len(), 8);
    for (n, entry) in all.iter().enumerate() {
        assert!(entry.value == value(n), "value {n}");
    }
}

pub async fn five_thousand_keys_come_in_pages(place: &impl Place) {
    let store = place.open().await;
    let all: Vec<String> = (0..5_000).map(|n| format!("/many/{n:05}")).collect();
    for part in all.chunks(100) {
        write(&*store, part.iter().map(|key| put(key, format!("value of {key}")))).await;
    }
    let entries = list_all(&*store, "/many/", 700).await;
    let keys: Vec<&String> = entries.iter().map(|entry| &entry.key).collect();
    assert_eq!(keys, all.iter().collect::<Vec<_>>());
    assert!(
        entries.iter().all(|entry| entry.value == format!("value of {}", entry.key).as_bytes())
    );
}

pub async fn reopening_keeps_everything(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    write(&*store, [put("/1", "a"), put("/2", "b")]).await;
    write(&*store, [put("/1", "c"), crate::store::place::delete("/2")]).await;
    let end = write(&*store, [put("/3", "d")]).await;
    let before = store.list("", None, 10).await.unwrap();
    let mut watch = store.watch(&[""], begin).await.unwrap();
    let history = crate::store::place::shown(&mut *watch, end).await;
    drop((watch, store));

    let store = place.open().await;
    assert_eq!(store.list("", None, 10).await.unwrap(), before);
    let mut watch = store.watch(&[""], begin).await.unwrap();
    assert_eq!(crate::store::place::shown(&mut *watch, end).await, history);
    assert!(write(&*store, [put("/4", "")]).await > end);
}
