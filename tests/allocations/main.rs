//! Reporting allocates nothing once a text has found its room, and a stream reader keeps no long buffer.

use std::hint::black_box;
use std::sync::Arc;

use syncmgr::json::StreamReader;
use syncmgr::{
    ItemId, ItemName, ItemReporter, ProgressUpdate, Session, SyncCallback, SyncItem, Verdict,
};

const ITEMS: u128 = 100;

fn session() -> Arc<Session> {
    let items = (1..=ITEMS).map(|n| SyncItem::new(ItemId::from_u128(n), ItemName::shortened("a")));
    let session = Session::builder().items(items).build();
    session.expect("the ids are distinct")
}

/// How many times memory was asked for while `work` ran on this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn a_million_values_through_reporters_allocate_nothing() {
    let session = session();
    let reporters: Vec<ItemReporter> = (1..=ITEMS)
        .map(|n| session.reporter(ItemId::from_u128(n)).expect("known"))
        .collect();
    for reporter in &reporters {
        assert_eq!(reporter.set(0), Ok(Verdict::Continue)); // the first value begins the item
    }
    let count = allocations(|| {
        for n in 0..1_000_000 / ITEMS as u64 / 2 {
            for reporter in &reporters {
                assert_eq!(reporter.set(n), Ok(Verdict::Continue));
                assert_eq!(reporter.advance(1), Ok(Verdict::Continue));
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_million_values_by_id_allocate_nothing() {
    let session = session();
    let callback: Arc<dyn SyncCallback> = session.clone();
    let report = |n: u128, value| {
        let update = ProgressUpdate::new().value(value);
        callback.progress(ItemId::from_u128(n), &update)
    };
    for n in 1..=ITEMS {
        assert_eq!(report(n, 0), Ok(Verdict::Continue));
    }
    let count = allocations(|| {
        for value in 0..1_000_000 / ITEMS as u64 {
            for n in 1..=ITEMS {
                assert_eq!(report(n, value), Ok(Verdict::Continue));
            }
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn texts_allocate_nothing_once_they_have_room() {
    let session = session();
    let reporter = session.reporter(ItemId::from_u128(1)).expect("known");
    let texts = [
        "a long text, that makes the room for those that follow",
        "short",
        "",
    ];
    let report = |n: u64| {
        let update = ProgressUpdate::new()
            .text(texts[n as usize % 3])
            .value(n)
            .max(9);
        assert_eq!(reporter.report(&update), Ok(Verdict::Continue));
    };
    report(0);
    let count = allocations(|| (1..100_000).for_each(report));
    assert_eq!(count, 0);
}

#[test]
fn a_stream_reader_releases_the_buffer_of_a_long_line() {
    const LONG: usize = 64 << 20;
    let blank = " ".repeat(LONG); // an empty line is passed over
    let text = format!("{{\"syncmgr_stream\":1}}\n{blank}\n{{\"unknown\":1}}\nno JSON\n");
    let mut lines = StreamReader::new(text.as_bytes()).expect("a head");
    let held = allocation_counter::measure(|| {
        let error = lines.next().expect("a line").expect_err("no JSON");
        drop(error);
    });
    assert!(held.bytes_max >= LONG as u64, "the line was read whole");
    assert!(
        held.bytes_current < LONG as i64 / 8,
        "{} bytes are kept",
        held.bytes_current
    );
}
