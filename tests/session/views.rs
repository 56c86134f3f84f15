//! What an observer may rely on while threads report: nothing between snapshot and changes is lost, nor a last value; value
//! and maximum belong together; totals count what takes part.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use syncmgr::{
    Cursor, HResult, ItemId, ItemStatus, ItemView, ProgressUpdate, Session, SyncCallback, Verdict,
};

use support::{
    Deadline, driven, id, item, items, join, open, start_round, status, synchronizing, until, value,
};

/// What an observer knows that took one snapshot and then applied changes.
struct Observer {
    items: HashMap<ItemId, ItemView>,
    cursor: Cursor,
}

impl Observer {
    fn new(session: &Session) -> Self {
        let snapshot = session.snapshot();
        let items = snapshot
            .items
            .into_iter()
            .map(|view| (view.id, view))
            .collect();
        Self {
            items,
            cursor: snapshot.cursor,
        }
    }

    fn look(&mut self, session: &Session) {
        let changes = session.changes(self.cursor);
        if changes.is_complete() {
            self.items
                .extend(changes.items().iter().map(|view| (view.id, view.clone())));
            self.cursor = changes.cursor();
        } else {
            *self = Self::new(session);
        }
    }

    #[track_caller]
    fn agrees_with(&self, session: &Session) {
        for view in session.snapshot().items {
            assert_eq!(self.items.get(&view.id), Some(&view));
        }
    }
}

fn watch_while_they_work(build: impl Fn() -> Arc<Session>) {
    const WORKERS: u128 = 2;
    const ITEMS: u128 = 60;
    for _ in 0..40 {
        let session = build();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let session = Arc::clone(&session);
                thread::spawn(move || {
                    for n in (1..=ITEMS).filter(|n| n % WORKERS == worker) {
                        let reporter = session
                            .reporter(id(n))
                            .expect("a known item has a reporter");
                        for step in 1..=30 {
                            assert_eq!(reporter.set(step), Ok(Verdict::Continue));
                        }
                        let last = if n % 3 == 0 {
                            ItemStatus::Failed
                        } else {
                            ItemStatus::Succeeded
                        };
                        let update = ProgressUpdate::new().value(1_000 + n as u64).status(last);
                        assert_eq!(reporter.report(&update), Ok(Verdict::Continue));
                    }
                })
            })
            .collect();
        let mut observers = Vec::new();
        let deadline = Deadline::new("the end of the workers");
        while !workers.iter().all(|worker| worker.is_finished()) {
            deadline.tick();
            if observers.len() < 8 {
                observers.push(Observer::new(&session));
            }
            observers
                .iter_mut()
                .for_each(|observer| observer.look(&session));
        }
        workers
            .into_iter()
            .for_each(|worker| join("a worker", worker));
        for mut observer in observers {
            observer.look(&session);
            observer.agrees_with(&session);
            assert!(
                observer
                    .items
                    .values()
                    .all(|view| view.value > 1_000 && view.status.is_final())
            );
        }
    }
}

#[test]
fn no_change_falls_between_a_snapshot_and_its_changes() {
    watch_while_they_work(|| open(60));
}

#[test]
fn a_journal_that_runs_over_loses_no_state() {
    watch_while_they_work(|| {
        Session::builder()
            .items(items(60))
            .journal_capacity(4)
            .build()
            .expect("distinct items build")
    });
}

#[test]
fn the_last_value_before_a_silence_is_seen() {
    for round in 1..=200 {
        let session = synchronizing(1);
        let writer = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                let reporter = session
                    .reporter(id(1))
                    .expect("a known item has a reporter");
                (1..=round).for_each(|step| assert_eq!(reporter.set(step), Ok(Verdict::Continue)));
            })
        };
        let mut observer = Observer::new(&session);
        until("the last value", || {
            observer.look(&session);
            observer.items[&id(1)].value == round
        });
        join("the writer", writer);
    }
}

#[test]
fn the_last_value_before_the_end_is_kept_and_late_stores_are_not() {
    for round in 0..300 {
        let session = synchronizing(1);
        let started = Arc::new(AtomicBool::new(false));
        let writer = {
            let (session, started) = (Arc::clone(&session), Arc::clone(&started));
            thread::spawn(move || {
                let reporter = session
                    .reporter(id(1))
                    .expect("a known item has a reporter");
                let deadline = Deadline::new("the end of the item");
                let mut step = 0;
                loop {
                    step += 1;
                    let answer = reporter.set(step);
                    started.store(true, Ordering::Relaxed);
                    if answer.is_err() {
                        return (step, answer);
                    }
                    deadline.tick();
                }
            })
        };
        until("the first value", || started.load(Ordering::Relaxed));
        assert_eq!(
            session.progress(id(1), &status(ItemStatus::Succeeded)),
            Ok(Verdict::Continue)
        );
        let at_the_end = support::view(&session, 1);
        let (refused, answer) = join("the writer", writer);
        assert_eq!(
            answer,
            Err(syncmgr::CallbackError::ItemFinished),
            "round {round}"
        );
        assert!(
            at_the_end.value < refused,
            "round {round}: a refused value is seen"
        );
        assert_eq!(
            support::view(&session, 1),
            at_the_end,
            "round {round}: a late value is seen"
        );
        assert_eq!(session.snapshot().items[0], at_the_end, "round {round}");
        assert_eq!(
            session.changes(Cursor::default()).items()[0],
            at_the_end,
            "round {round}"
        );
    }
}

#[test]
fn value_and_maximum_belong_together() {
    let session = synchronizing(1);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (session, stop) = (Arc::clone(&session), Arc::clone(&stop));
        thread::spawn(move || {
            for step in 1_u64.. {
                let update = ProgressUpdate::new().value(step).max(2 * step).text("pair");
                assert_eq!(session.progress(id(1), &update), Ok(Verdict::Continue));
                if stop.load(Ordering::Relaxed) {
                    return step;
                }
            }
            0
        })
    };
    let pair = |view: &ItemView, from: &str| {
        assert_eq!(
            view.max,
            2 * view.value,
            "{from} shows halves of two updates"
        );
        view.value
    };
    let deadline = Deadline::new("twenty thousand looks");
    let mut last = 0;
    for look in 0..20_000 {
        let seen = [
            pair(&support::view(&session, 1), "item"),
            pair(&session.snapshot().items[0], "snapshot"),
            session
                .changes(Cursor::default())
                .items()
                .first()
                .map_or(last, |view| pair(view, "changes")),
        ];
        for value in seen {
            assert!(
                value >= last,
                "look {look}: the value went back from {last} to {value}"
            );
            last = value;
        }
        if look % 256 == 0 {
            deadline.tick();
        }
    }
    stop.store(true, Ordering::Relaxed);
    let written = join("the writer", writer);
    assert_eq!(support::view(&session, 1).value, written);
}

#[test]
fn totals_add_up_what_takes_part() {
    let session = driven(4);
    let idle = session.snapshot().totals;
    assert_eq!(
        (idle.items, idle.finished, idle.value, idle.max),
        (4, 0, 0, 0)
    );

    start_round(&session, &[id(1), id(2), id(4)]);
    for (n, done, max) in [(1, 10, 100), (2, 30, 40), (4, 5, 0)] {
        let update = ProgressUpdate::new().value(done).max(max);
        assert_eq!(session.progress(id(n), &update), Ok(Verdict::Continue));
    }
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Skipped)),
        Ok(Verdict::Continue)
    );
    let totals = session.snapshot().totals;
    assert_eq!(
        (totals.items, totals.finished, totals.value, totals.max),
        (3, 1, 45, 140)
    );

    assert_eq!(session.add_item(item(9)), Ok(()));
    assert_eq!(
        session.progress(id(9), &ProgressUpdate::new().value(1).max(2)),
        Ok(Verdict::Continue)
    );
    let totals = session.snapshot().totals;
    assert_eq!(
        (totals.items, totals.finished, totals.value, totals.max),
        (4, 1, 46, 142)
    );
}

#[test]
fn totals_count_the_items_of_all_rounds() {
    let session = driven(3);
    start_round(&session, &[id(1), id(2)]);
    for n in 1..=2 {
        let update = ProgressUpdate::new()
            .status(ItemStatus::Failed)
            .value(3)
            .max(10);
        assert_eq!(session.progress(id(n), &update), Ok(Verdict::Continue));
    }
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    start_round(&session, &[id(2)]);
    let totals = session.snapshot().totals;
    assert_eq!(
        (totals.items, totals.finished, totals.value, totals.max),
        (2, 1, 3, 10)
    );
}

#[test]
fn totals_of_the_largest_values_do_not_fall() {
    let session = open(2);
    for n in 1..=2 {
        let update = ProgressUpdate::new().value(u64::MAX).max(u64::MAX);
        assert_eq!(session.progress(id(n), &update), Ok(Verdict::Continue));
    }
    let totals = session.snapshot().totals;
    assert_eq!(
        (totals.value, totals.max),
        (u64::MAX, u64::MAX),
        "the sum stops at the largest value"
    );
}

#[test]
fn a_snapshot_of_many_items_is_whole() {
    const ITEMS: u128 = 5_000;
    let session = open(ITEMS);
    for n in 1..=ITEMS {
        assert_eq!(
            session.progress(id(n), &value(n as u64)),
            Ok(Verdict::Continue)
        );
    }
    let snapshot = session.snapshot();
    assert_eq!(snapshot.items.len(), 5_000);
    for (view, n) in snapshot.items.iter().zip(1..) {
        assert_eq!((view.id, view.value), (id(n), n as u64));
    }
    let expected: u64 = (1..=5_000).sum();
    assert_eq!(snapshot.totals.value, expected);
    assert_eq!(
        session.changes(snapshot.cursor).items().len(),
        5_000,
        "all are in work"
    );
}
