//! What a report says in plain words: how the items ended, whether everything was done, and retries with a delay.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{id, ids, items, within};
use syncmgr::per_item::{self, HandlerBuilder, ItemContext, from_items};
use syncmgr::{
    HandlerReport, ItemStatus, Outcome, OutcomeCounts, RunOptions, Session, SyncHandler,
    run_handler,
};

fn handler(
    n: u128,
    work: impl Fn(&ItemContext) -> Result<(), per_item::Error> + Send + Sync + 'static,
) -> Arc<dyn SyncHandler> {
    let name = "test".parse().expect("it is short");
    let builder = HandlerBuilder::new(name, from_items(items(n), work));
    builder.retry(true).build()
}

/// Item 1 succeeds, 2 fails, 3 ends itself as skipped, 4 is cancelled in its work, 5 before it.
fn each_way(work: &ItemContext) -> Result<(), per_item::Error> {
    work.set(1)?;
    match work.item().id.as_u128() {
        2 => Err("broken".into()),
        3 => {
            work.set_outcome(ItemStatus::Skipped);
            Ok(())
        }
        4 => loop {
            work.advance(1)?;
        },
        _ => Ok(()),
    }
}

fn ids_of(report: &HandlerReport, outcome: Outcome) -> Vec<u128> {
    let items = report.items_with(outcome).into_iter();
    items.map(|item| item.id.as_u128()).collect()
}

#[test]
fn items_are_listed_and_counted_by_how_they_ended() {
    let options = RunOptions::new()
        .select(ids(4).into_iter().chain([id(5)]))
        .on_session(|session| session.cancel_item(id(5)).expect("it is listed"));
    let started = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&started);
    let work = move |work: &ItemContext| {
        count.fetch_add(1, Ordering::SeqCst);
        each_way(work)
    };
    let options = options.on_session(move |session| {
        std::thread::spawn(move || {
            support::until("item 4", || {
                session.item(id(4)).is_some_and(|view| view.value > 1)
            });
            session.cancel_item(id(4)).expect("it takes part");
        });
    });
    let report = within("the run", move || run_handler(handler(6, work), options));
    assert_eq!(ids_of(&report, Outcome::Succeeded), [1]);
    assert_eq!(ids_of(&report, Outcome::Failed), [2]);
    assert_eq!(ids_of(&report, Outcome::Skipped), [3]);
    assert_eq!(ids_of(&report, Outcome::Cancelled), [4, 5]);
    assert_eq!(ids_of(&report, Outcome::Unfinished), [0_u128; 0]);
    assert_eq!(report.failed_items(), [id(2)]);
    let counts = report.counts();
    let text = "1 succeeded, 1 failed, 2 cancelled, 1 skipped";
    assert_eq!((counts.to_string().as_str(), counts.total()), (text, 5));
    let not_selected = report.items()[5].clone();
    assert_eq!((not_selected.id, Outcome::of(&not_selected)), (id(6), None));
    assert_eq!(started.load(Ordering::SeqCst), 4);
    assert_eq!(OutcomeCounts::default().to_string(), "no items");
}

#[test]
fn a_run_is_a_success_only_if_everything_was_done() {
    type Case = (
        &'static str,
        fn(&ItemContext) -> Result<(), per_item::Error>,
        fn(&Session),
        bool,
    );
    let cases: [Case; 8] = [
        ("all done", |work| Ok(work.set(1)?), |_| {}, true),
        ("one failed", |_| Err("broken".into()), |_| {}, false),
        (
            "skipped by the handler",
            |work| {
                work.set_outcome(ItemStatus::Skipped);
                Ok(())
            },
            |_| {},
            true,
        ),
        (
            "skipped by the host",
            |work| Ok(work.set(1)?),
            |session| session.skip_item(id(1)).expect("it is listed"),
            false,
        ),
        (
            "cancelled before the start",
            |work| Ok(work.set(1)?),
            |session| session.cancel_item(id(1)).expect("it is listed"),
            false,
        ),
        (
            "everything cancelled",
            |work| Ok(work.set(1)?),
            |session| session.cancel_all(),
            false,
        ),
        (
            "stopped by the handler",
            |work| {
                work.set(1)?;
                work.set_outcome(ItemStatus::Stopped);
                Ok(())
            },
            |_| {},
            false,
        ),
        (
            "deleted",
            |work| {
                work.set_outcome(ItemStatus::Deleted);
                Ok(())
            },
            |_| {},
            true,
        ),
    ];
    for (what, work, before, success) in cases {
        let options = RunOptions::new().on_session(move |session| before(&session));
        let report = run_handler(handler(2, work), options);
        assert_eq!(report.is_success(), success, "{what}: {report:?}");
    }
}

#[test]
fn failed_items_are_retried_after_a_delay_that_a_cancellation_ends() {
    let delays = Arc::new(Mutex::new(Vec::new()));
    let attempts = Arc::new(AtomicU32::new(0));
    let flaky = |failures: u32| {
        let attempts = Arc::clone(&attempts);
        attempts.store(0, Ordering::SeqCst);
        handler(1, move |_| {
            match attempts.fetch_add(1, Ordering::SeqCst) < failures {
                true => Err("the server is busy".into()),
                false => Ok(()),
            }
        })
    };
    let told = Arc::clone(&delays);
    let delay = move |retry| {
        told.lock().unwrap().push(retry);
        Duration::from_millis(1)
    };
    let options = RunOptions::new().retries(5).retry_delay(delay);
    let report = run_handler(flaky(3), options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(
        (report.rounds, &*delays.lock().unwrap()),
        (4, &vec![1, 2, 3])
    );

    // No more than are allowed, and none without being asked for.
    let report = run_handler(flaky(9), RunOptions::new().retries(2));
    assert_eq!((report.rounds, report.is_success()), (3, false));
    let report = run_handler(flaky(9), RunOptions::new());
    assert_eq!((report.rounds, report.is_success()), (1, false));

    // The delay would be for ever.
    let ends: [fn(&Session); 2] = [Session::cancel_all, |session| session.driver().release()];
    for end in ends {
        let sessions = Arc::new(Mutex::new(None::<Arc<Session>>));
        let (keep, kept) = (Arc::clone(&sessions), sessions);
        let options = RunOptions::new()
            .retries(2)
            .on_session(move |session| *keep.lock().unwrap() = Some(session))
            .retry_delay(move |_| {
                let session = kept.lock().unwrap().clone().expect("it is there");
                std::thread::spawn(move || end(&session));
                Duration::MAX
            });
        let handler = flaky(9);
        let report = within("the end", move || run_handler(handler, options));
        assert_eq!((report.rounds, report.is_success()), (1, false));
    }
}

#[test]
fn an_item_that_the_handler_does_not_end_is_unfinished() {
    let silent = handler(2, |work| Ok(work.wait_cancelled(Duration::MAX)?));
    let options = RunOptions::new().deadline(Duration::from_millis(50));
    let report = within("the deadline", move || run_handler(silent, options));
    assert_eq!(report.counts().unfinished, report.unfinished.len());
    assert_eq!(ids_of(&report, Outcome::Unfinished), [1, 2]);
    assert_eq!(report.counts().total(), 2);
    assert!(report.counts().to_string().contains("2 unfinished"));
    assert!(!report.is_success());
}
