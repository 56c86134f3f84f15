//! Reporting allocates nothing once a text has found its room, and what can be repeated forever keeps no memory.

use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Waker};

use syncmgr::json::StreamReader;
use syncmgr::per_item::{self, HandlerBuilder, Task, from_fn};
use syncmgr::{
    HandlerId, ItemId, ItemList, ItemName, ItemReporter, ProgressUpdate, Registration, RunOptions,
    Session, SyncCallback, SyncItem, SyncManager, Verdict,
};

const ITEMS: u128 = 100;

fn session() -> Arc<Session> {
    let items =
        (1..=ITEMS).map(|n| SyncItem::new(ItemId::from_u128(n), ItemName::truncate_start("a")));
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

/// Asserts that calls of `work` on this thread keep no memory, once a thousand of them were made.
fn keeps_nothing(mut work: impl FnMut()) {
    (0..1_000).for_each(|_| work());
    let kept = allocation_counter::measure(|| (0..20_000).for_each(|_| work()));
    assert!(kept.bytes_current < 10_000, "{kept:?}");
}

const HANDLER: HandlerId = HandlerId::from_u128(1);

/// A manager whose handler has come to its list, and waits there until the barrier is passed.
fn listing() -> (SyncManager, Arc<Barrier>) {
    let (came, open) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let manager = SyncManager::new();
    let (told, held) = (Arc::clone(&came), Arc::clone(&open));
    let make = move || {
        let (told, held) = (Arc::clone(&told), Arc::clone(&held));
        let list = move || {
            told.wait();
            held.wait();
            Ok(ItemList::Complete(Vec::new()))
        };
        let name = "lists late".parse().expect("a short name");
        HandlerBuilder::new(name, from_fn(list, |_| Ok(()))).build()
    };
    let registered = manager.register(HANDLER, Registration::new(), make);
    assert_eq!(registered, Ok(()));
    let _ = manager.update_all();
    came.wait();
    (manager, open)
}

#[test]
fn starts_of_the_same_items_that_nobody_follows_keep_no_memory() {
    let (manager, open) = listing();
    keeps_nothing(|| {
        let items = [1, 2, 1].map(ItemId::from_u128);
        let _ = manager.sync_items(HANDLER, items);
    });
    drop(manager);
    open.wait();
}

#[test]
fn cancelling_the_same_item_before_it_is_listed_keeps_no_memory() {
    let (manager, open) = listing();
    let run = manager.update_all();
    keeps_nothing(|| {
        let item = ItemId::from_u128(1);
        assert_eq!(run.cancel_item(HANDLER, item), Ok(()));
        assert_eq!(run.skip_item(HANDLER, item), Ok(()));
    });
    drop(manager);
    open.wait();
}

#[test]
fn reporters_that_waited_for_a_cancellation_and_are_dropped_keep_no_memory() {
    let session = session();
    keeps_nothing(|| {
        let reporter = session.reporter(ItemId::from_u128(1)).expect("known");
        let guard = reporter.on_cancel(|| {}).expect("a session wakes");
        drop(guard);
    });
    // One that still waits is called all the same.
    let (called, reporter) = (
        Arc::new(Barrier::new(1)),
        session.reporter(ItemId::from_u128(1)).expect("known"),
    );
    let kept = Arc::clone(&called);
    let guard = reporter.on_cancel(move || drop(kept));
    assert_eq!(session.cancel_item(ItemId::from_u128(1)), Ok(()));
    assert!(guard.expect("a session wakes").was_called());
    assert_eq!(Arc::strong_count(&called), 1);
}

/// How many times an item asks for memory, on the thread that runs `work` with these names.
fn allocations_per_item(work: impl Fn(&[String])) -> f64 {
    let names: Vec<String> = (0..20_000).map(|n| format!("item {n:011}")).collect();
    // What is asked for once, or grows with the logarithm, falls out of the difference.
    let [few, many] = [&names[..10_000], &names].map(|names| allocations(|| work(names)) as f64);
    (many - few) / 10_000.0
}

#[test]
fn an_item_of_a_batch_takes_two_allocations_beside_its_worker() {
    let count = allocations_per_item(|names| {
        let items = names.iter().map(|name| (name, 7));
        let report = per_item::each(items, |_, n| Ok(*n)).run();
        assert!(report.is_success());
    });
    // Its name and its slot. The worker is another thread.
    assert!((1.9..2.1).contains(&count), "{count}");
}

#[test]
fn an_item_that_is_done_by_a_task_takes_three_allocations() {
    let tasks: Arc<Mutex<Vec<Task>>> = Arc::default();
    let count = allocations_per_item(|names| {
        let spawned = tasks.clone();
        let spawn = move |task| spawned.lock().unwrap().push(task);
        let items = names.iter().map(|name| (name, 7));
        let running = per_item::each_async(items, spawn, |item, n| async move {
            item.advance(1).await?;
            Ok(*n)
        })
        .start(RunOptions::new());
        let mut context = Context::from_waker(Waker::noop());
        while !running.is_over() {
            let task = tasks.lock().unwrap().pop();
            if let Some(mut task) = task {
                while task.as_mut().poll(&mut context).is_pending() {}
            }
        }
    });
    // Its name is made on this thread, too. Then its context and its future.
    assert!((2.9..3.1).contains(&count), "{count}");
}
