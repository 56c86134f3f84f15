//! Items with payloads: their ids and names, their values, and every moment of a run.

use std::collections::HashSet;
use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use support::{LIMIT, id, item, until, within};
use syncmgr::per_item::{BatchItem, BatchReport, Error, ItemContext, each};
use syncmgr::testing::{Harness, explore_cancellations, explore_faults};
use syncmgr::{
    HandlerFlags, ItemFlags, ItemId, ItemStatus, Outcome, Phase, RunOptions, SyncItem, run_handler,
};

/// Does the number of steps that the payload says, and returns their sum.
fn steps(work: &ItemContext, count: &u64) -> Result<u64, Error> {
    work.max(*count)?;
    let mut sum = 0;
    for step in 0..*count {
        work.advance(1)?;
        sum += step;
    }
    Ok(sum)
}

fn names<T, R>(report: &BatchReport<T, R>) -> Vec<String> {
    let entries = report.entries();
    entries
        .map(|entry| entry.view.name.as_str().to_owned())
        .collect()
}

#[test]
fn each_item_is_done_with_its_payload_and_its_value_is_reported() {
    for workers in [1, 3] {
        let batch = each((1..=9).map(|n| (format!("item {n}"), n)), steps)
            .name("a name of a handler that is far too long for one")
            .workers(workers)
            .measure(|count| Ok(*count));
        assert!(format!("{batch:?}").ends_with(", items: 9, .. }"));
        let report = batch.run();
        assert!(report.is_success(), "{report:?}");
        assert_eq!(report.counts().succeeded, 9);
        let values = report.entries().map(|entry| {
            assert_eq!(entry.view.name.as_str(), format!("item {}", entry.payload));
            assert_eq!(
                (entry.view.value, entry.view.max),
                (*entry.payload, *entry.payload)
            );
            (*entry.payload, *entry.value.expect("it succeeded"))
        });
        assert!(values.eq((1..=9).map(|n| (n, (0..n).sum()))));
        let info = report.info.as_ref().expect("it was asked");
        assert_eq!(info.name, "a name of a handler that is far");
        // Again, with the same ids.
        let again = batch.run_with(RunOptions::new().select([report.items()[4].id]));
        assert_eq!(again.counts().total(), 1);
        assert_eq!(again.into_report().phase, Phase::Completed);
    }
}

#[test]
fn the_id_of_an_item_depends_on_its_key_alone() {
    let ids = |items: Vec<BatchItem<()>>| -> Vec<ItemId> {
        let report = each(items, |_, ()| Ok(())).run();
        assert!(report.is_success(), "{report:?}");
        report.items().iter().map(|item| item.id).collect()
    };
    let named = |name: &str| BatchItem::new(name, ());
    let first = ids(vec![named("a"), named("b")]);
    assert_eq!(ids(vec![named("b"), named("a")]), [first[1], first[0]]);
    assert_eq!(ids(vec![named("renamed").key("a")]), [first[0]]);
    assert_eq!(ids(vec![named("a").key(b"\0\xff")]).len(), 1);
    // Written down once: a change of the derivation would lose every user's choices.
    assert_eq!(first[0].to_string(), "942985a3-bed0-8898-8717-cd5730bd097d");
}

#[test]
fn items_of_one_name_are_told_apart_by_their_order() {
    let report = each(["a", "b", "a", "a"].map(|name| (name, ())), |_, ()| Ok(())).run();
    assert!(report.is_success(), "{report:?}");
    let ids: Vec<ItemId> = report.items().iter().map(|item| item.id).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 4);
    let again = each(["a", "a"].map(|name| (name, ())), |_, ()| Ok(())).run();
    let two: Vec<ItemId> = again.items().iter().map(|item| item.id).collect();
    assert_eq!(two, [ids[0], ids[2]]);
}

#[test]
fn names_never_fail() {
    let long = "x".repeat(10_000) + "/end";
    let controls = "\u{1b}[2J\n\0\u{202e}";
    let items = ["", &long, controls, "", "日本語"].map(|name| (name, name.len()));
    let report = each(items, |work, length| {
        assert_eq!(work.name(), work.item().name.as_str());
        Ok(*length)
    })
    .run();
    assert!(report.is_success(), "{report:?}");
    let names = names(&report);
    assert_eq!((names[0].as_str(), names[3].as_str()), ("", ""));
    assert!(names[1].starts_with('…') && names[1].ends_with("x/end"));
    assert!(!names[2].contains('\0'), "it would end the name");
    let values: Vec<_> = report.entries().map(|entry| entry.value.copied()).collect();
    assert_eq!(values[1], Some(10_004));
}

#[test]
fn an_empty_list_is_a_run_without_items() {
    let report = each(Vec::<(&str, ())>::new(), |_, ()| Ok(())).run();
    assert!(report.is_success(), "{report:?}");
    assert_eq!((report.counts().total(), report.entries().count()), (0, 0));
    assert_eq!(report.phase, Phase::Idle);
}

#[test]
fn whole_items_keep_their_ids_and_flags() {
    let whole = item(7).flags(ItemFlags::HAS_PROPERTIES).checked(false);
    let items: [(SyncItem, u8); 2] = [(whole.clone(), 1), (item(8), 2)];
    let report = each(items, |_, payload| Ok(*payload)).run();
    let entries: Vec<_> = report.entries().collect();
    assert_eq!((entries[0].view.id, entries[0].value), (id(7), None));
    assert_eq!(Outcome::of(&entries[0].view), None, "it is not checked");
    assert_eq!((entries[1].view.id, entries[1].value), (id(8), Some(&2)));
    // The same id twice is what it is everywhere.
    let twice = each([(item(1), ()), (item(1), ())], |_, ()| Ok(())).run();
    let error = twice.error.as_deref().unwrap_or_default();
    assert!(error.starts_with("items: the item \"item 1\" is listed twice"));
}

#[test]
fn the_value_of_the_last_attempt_counts() {
    let attempts = AtomicU32::new(0);
    let batch = each([("a", 0), ("b", 2), ("c", 9)], move |_, failures| {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst);
        match attempt < 3 + failures && *failures > 0 {
            true => Err("busy".into()),
            false => Ok(attempt),
        }
    });
    let report = batch.run_with(RunOptions::new().retries(4));
    let values: Vec<_> = report.entries().map(|entry| entry.value.copied()).collect();
    assert_eq!(values[0], Some(0));
    assert!(values[1].is_some_and(|attempt| attempt >= 3), "{values:?}");
    assert_eq!(values[2], None, "it failed each time");
    assert_eq!(report.failed_items().len(), 1);
}

#[test]
fn a_batch_runs_in_the_background_and_is_cancelled() {
    let batch = each([("endless", ())], |work, ()| -> Result<u8, Error> {
        loop {
            work.advance(1)?;
        }
    });
    let running = batch.start(RunOptions::new());
    let session = running.session().expect("it has items");
    until("some work", || session.snapshot().totals.value > 0);
    running.cancel_all();
    let report = running.wait_timeout(LIMIT).expect("it ends");
    assert_eq!(report.counts().cancelled, 1);
    assert!(report.entries().all(|entry| entry.value.is_none()));
}

#[test]
fn a_handler_of_a_batch_has_its_values_at_the_batch() {
    let batch = each([("a", 3), ("b", 4)], steps).configure(|builder| {
        builder
            .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
            .workers(2)
    });
    let values = batch.values();
    let report = run_handler(batch.handler(), RunOptions::new());
    assert!(report.is_success());
    let info = report.info.as_ref().expect("it was asked");
    assert!(info.flags.contains(HandlerFlags::MAY_ESTABLISH_CONNECTION));
    let all: Vec<_> = report
        .items()
        .iter()
        .map(|item| values.get(item.id, |value| *value))
        .collect();
    assert_eq!(all, [Some(3), Some(6)]);
    assert_eq!(values.get(id(99), |value| *value), None);
    assert_eq!(format!("{values:?}"), "BatchValues(2)");
}

#[test]
fn an_item_that_is_not_of_the_batch_fails_and_is_not_among_the_entries() {
    let batch = each([("a", 1)], |work, count| {
        work.add_item(item(50))?;
        Ok(*count)
    });
    let report = batch.measure(|count| Ok(*count)).run();
    let statuses: Vec<_> = report.items().iter().map(|item| item.status).collect();
    assert_eq!(statuses, [ItemStatus::Succeeded, ItemStatus::Failed]);
    assert_eq!(names(&report), ["a"]);
    let session = report.session.as_ref().expect("it has one");
    assert_eq!(session.log()[0].text, "the item is not one of the batch");
    let text = format!("{report:?}");
    assert!(text.starts_with("BatchReport { report: HandlerReport {"));
    assert!(text.ends_with(", values: 1, .. }"), "{text}");
}

#[test]
fn a_key_does_not_change_the_id_of_a_whole_item() {
    let whole = BatchItem::from((item(7), ())).key("a key");
    let batch = each([whole], |_, ()| -> Result<u8, Error> {
        Err("broken".into())
    });
    let values = batch.values();
    let report = run_handler(batch.handler(), RunOptions::new());
    assert_eq!(report.failed_items(), [id(7)]);
    assert_eq!(values.get(id(7), |value| *value), None, "it failed");
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped on purpose");
    }
}

#[test]
fn payloads_and_values_that_panic_when_they_are_dropped_hurt_nobody() {
    within("the run", || {
        let batch = each((0..3).map(|n| (n.to_string(), Bomb)), |_, _| Ok(Bomb)).workers(2);
        let report = batch.run_with(RunOptions::new().retries(1));
        assert!(report.is_success(), "{report:?}");
        let running = batch.start(RunOptions::new());
        drop(batch);
        drop(report);
        assert!(running.wait().expect("it is outside").is_success());
    });
}

#[test]
fn a_batch_is_conformant_at_every_point() {
    for workers in [1, 3] {
        let batch = || {
            let items = (1..=3).map(|n| (format!("item {n}"), n));
            each(items, steps).workers(workers).handler()
        };
        explore_cancellations(batch).assert_conformant();
        explore_faults(batch).assert_conformant();
        let measured = || {
            let items = (1..=3).map(|n| (format!("item {n}"), n));
            let batch = each(items, steps).workers(workers);
            (Harness::new(batch.measure(|n| Ok(*n)).handler()), ())
        };
        Harness::explore(measured, |_, ()| {}).assert_conformant();
    }
}

#[test]
fn a_copy_reports_and_ends_with_a_cancellation() {
    const LENGTH: usize = 10 << 20;
    let source: Vec<u8> = (0..LENGTH).map(|n| (n % 251) as u8).collect();
    let copies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&copies);
    let report = each([("content", source.clone())], move |work, content| {
        let mut target = Vec::new();
        let count = work.copy(Cursor::new(content), &mut target)?;
        kept.lock().unwrap().push(target);
        Ok(count)
    })
    .run();
    let entry = report.entries().next().expect("there is one");
    assert_eq!(entry.value, Some(&(LENGTH as u64)));
    assert_eq!(entry.view.value, LENGTH as u64);
    assert!(*copies.lock().unwrap() == [source]);

    // A reader without end is left at the next step.
    let endless = each([("endless", ())], |work, ()| {
        Ok(work.copy(io::repeat(1), io::sink())?)
    });
    let running = endless.start(RunOptions::new());
    let session = running.session().expect("it has an item");
    until("some steps", || session.snapshot().totals.value > 0);
    running.cancel_all();
    let report = running.wait_timeout(LIMIT).expect("it ends");
    let ended = report.items()[0].clone();
    assert_eq!(ended.status, ItemStatus::Stopped);
    assert_eq!(ended.value % (4 << 20), 0);

    // What fails fails the item.
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is out"))
        }
    }
    let broken = each([("broken", ())], |work, ()| {
        Ok(work.copy(Broken, io::sink())?)
    })
    .run();
    assert_eq!(broken.counts().failed, 1);
    let session = broken.session.as_ref().expect("it has one");
    assert_eq!(session.log()[0].text, "the cable is out");
}

#[test]
fn files_are_copied_whole() {
    use std::fs::{self, File};
    let directory = tempfile::tempdir().expect("there is room");
    let lengths = [0_u64, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 9 << 20];
    let items = lengths.map(|length| {
        let path = directory.path().join(length.to_string());
        fs::write(&path, vec![7; usize::try_from(length).unwrap()]).expect("there is room");
        (length.to_string(), path)
    });
    let report = each(items, |work, path| {
        let source = File::open(path)?;
        work.max(source.metadata()?.len())?;
        Ok(work.copy(source, File::create(path.with_extension("copy"))?)?)
    })
    .workers(2)
    .run();
    assert!(report.is_success(), "{report:?}");
    for (entry, length) in report.entries().zip(lengths) {
        assert_eq!(entry.value, Some(&length));
        let copy = fs::read(entry.payload.with_extension("copy")).expect("it was made");
        assert_eq!(copy.len() as u64, length);
        assert!(copy.iter().all(|byte| *byte == 7));
    }
}

#[test]
fn the_handlers_of_a_batch_share_their_values_and_the_last_run_counts() {
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    let batch = each([("first", ()), ("second", ())], move |item, ()| {
        let run = count.load(Ordering::SeqCst);
        match (item.name(), run) {
            ("second", 1) => Err("the second run fails".into()),
            _ => Ok(run),
        }
    });
    let values = batch.values();
    let ids: Vec<ItemId> = {
        let report = run_handler(batch.handler(), RunOptions::new());
        report.items().iter().map(|item| item.id).collect()
    };
    let now = |values: &syncmgr::per_item::BatchValues<u32>| {
        [ids[0], ids[1]].map(|id| values.get(id, |value| *value))
    };
    assert_eq!(now(&values), [Some(0), Some(0)]);
    for (run, expected) in [(1, [Some(1), None]), (2, [Some(2), Some(2)])] {
        runs.store(run, Ordering::SeqCst);
        let _ = run_handler(batch.handler(), RunOptions::new());
        assert_eq!(now(&values), expected);
    }
    assert_eq!(format!("{values:?}"), "BatchValues(2)");
    assert_eq!(values.get(id(99), |value| *value), None);
}
