//! Laws of `watch`.

use std::time::Duration;

use stokehold::store::{Event, StoreError};

use crate::store::place::{Place, delete, in_time, put, revision, shown, write};

fn event(key: &str, value: Option<&str>, created: u64, revision: u64) -> Event {
    let value = value.map(|value| value.as_bytes().to_vec());
    Event { key: key.to_owned(), value, created, revision }
}

pub async fn a_watch_shows_exactly_the_changes_in_order(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/a/", "/c"], begin).await.unwrap();
    let one = write(&*store, [put("/a/1", "one")]).await;
    write(&*store, [put("/b/1", ""), put("/a", "")]).await;
    let two = write(&*store, [put("/a/1", "two")]).await;
    let three = write(&*store, [delete("/a/1"), delete("/a/2"), put("/b/1", "")]).await;
    let four = write(&*store, [put("/a/1", "")]).await;
    let end = write(&*store, [put("/c", "end")]).await;
    let expected = [
        event("/a/1", Some("one"), one, one),
        event("/a/1", Some("two"), one, two),
        event("/a/1", None, 0, three),
        event("/a/1", Some(""), four, four),
        event("/c", Some("end"), end, end),
    ];
    assert_eq!(shown(&mut *watch, end).await, expected);
}

pub async fn a_watch_shows_the_past_and_then_what_comes(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let past = write(&*store, [put("/k", "past")]).await;
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    assert_eq!(shown(&mut *watch, past).await, [event("/k", Some("past"), past, past)]);
    for n in 0..20 {
        let value = n.to_string();
        let now = write(&*store, [put("/k", &value)]).await;
        assert_eq!(shown(&mut *watch, now).await, [event("/k", Some(&value), past, now)]);
    }
}

pub async fn a_watch_shows_nothing_up_to_its_beginning(place: &impl Place) {
    let store = place.open().await;
    let first = write(&*store, [put("/k", "1")]).await;
    let second = write(&*store, [put("/k", "2")]).await;
    let third = write(&*store, [put("/k", "3")]).await;
    for (after, expected) in [(first, vec![second, third]), (second, vec![third])] {
        let mut watch = store.watch(&["/k"], after).await.unwrap();
        let events = shown(&mut *watch, third).await;
        let revisions: Vec<u64> = events.iter().map(|event| event.revision).collect();
        assert_eq!(revisions, expected);
    }
    let mut watch = store.watch(&["/k"], third).await.unwrap();
    let fourth = write(&*store, [put("/k", "4")]).await;
    assert_eq!(shown(&mut *watch, fourth).await, [event("/k", Some("4"), first, fourth)]);
}

pub async fn a_revision_is_shown_whole(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let writer = store.clone();
    let task = tokio::spawn(async move {
        for n in 0..100 {
            let value = n.to_string();
            write(&*writer, (0..10).map(|key| put(format!("/k/{key}"), &value))).await;
        }
    });
    let mut watch = store.watch(&["/k/"], begin).await.unwrap();
    let mut reached = begin;
    while reached < begin + 100 {
        let batch = in_time(watch.next()).await.unwrap();
        for revisions in batch.events.chunk_by(|a, b| a.revision == b.revision) {
            assert_eq!(revisions.len(), 10, "revision {}", revisions[0].revision);
            assert!(revisions.iter().all(|event| event.value == revisions[0].value));
        }
        assert_eq!(batch.events.len() as u64, (batch.revision - reached) * 10);
        reached = batch.revision;
    }
    task.await.unwrap();
}

pub async fn a_watch_may_begin_in_the_future(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k"], begin + 2).await.unwrap();
    for n in 0..4 {
        write(&*store, [put("/k", n.to_string())]).await;
    }
    let events = shown(&mut *watch, begin + 4).await;
    let revisions: Vec<u64> = events.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, [begin + 3, begin + 4]);
}

pub async fn two_watches_see_the_same(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let mut one = store.watch(&["/k"], begin).await.unwrap();
    let mut other = store.watch(&["/k"], begin).await.unwrap();
    let mut end = begin;
    for n in 0..50 {
        end = write(&*store, [put("/k", n.to_string())]).await;
    }
    let seen = shown(&mut *one, end).await;
    drop(one);
    assert_eq!(seen.len(), 50);
    assert_eq!(shown(&mut *other, end).await, seen);
}

pub async fn a_slow_watch_misses_nothing(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k/"], begin).await.unwrap();
    let mut end = begin;
    for n in 0..120 {
        let value = vec![b'x'; 1_000];
        end = write(&*store, (0..100).map(|key| put(format!("/k/{n}/{key}"), &value))).await;
    }
    let events = shown(&mut *watch, end).await;
    assert_eq!(events.len(), 12_000);
    assert_eq!(events.iter().map(|event| event.revision).min(), Some(begin + 1));
}

pub async fn giving_up_waiting_loses_nothing(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    let writer = store.clone();
    let task = tokio::spawn(async move {
        for n in 0..100 {
            write(&*writer, [put("/k", n.to_string())]).await;
        }
    });
    let mut seen = Vec::new();
    let all = async {
        while seen.len() < 100 {
            // Too short to wait for a commit: most of these give up at some point on the way.
            let waited = tokio::time::timeout(Duration::from_micros(300), watch.next());
            if let Ok(batch) = waited.await {
                seen.extend(batch.unwrap().events.into_iter().map(|event| event.revision));
            }
        }
    };
    in_time(all).await;
    assert_eq!(seen, (begin + 1..=begin + 100).collect::<Vec<_>>());
    task.await.unwrap();
}

pub async fn forgotten_history_is_compacted(place: &impl Place) {
    let store = place.open().await;
    let first = write(&*store, [put("/k", "1"), put("/still", "here")]).await;
    for n in 0..30 {
        write(&*store, [put("/k", n.to_string())]).await;
    }
    let before = store.list("", None, 10).await.unwrap();
    let store = place.forget(store).await;
    assert_eq!(store.list("", None, 10).await.unwrap().entries, before.entries);

    let refused = match store.watch(&["/k"], first).await {
        Ok(mut watch) => in_time(watch.next()).await.unwrap_err(),
        Err(error) => error,
    };
    let StoreError::Compacted { wanted, oldest } = refused else { panic!("{refused}") };
    assert_eq!(wanted, first);
    assert!(oldest > first && oldest <= before.revision);

    let mut watch = store.watch(&["/still"], before.revision).await.unwrap();
    let now = write(&*store, [put("/still", "there")]).await;
    assert_eq!(shown(&mut *watch, now).await, [event("/still", Some("there"), first, now)]);
}
