//! Cancels: of one item, of all, as a skip, and from another thread while reports stream. A cancel is never missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use syncmgr::{
    CallbackError, HResult, ItemReporter, ItemStatus, ProgressUpdate, Session, SyncCallback,
    Verdict,
};

use support::{
    Deadline, Stage, driven, id, item, items, join, open, status, synchronizing, until, value, view,
};

#[test]
fn a_cancel_changes_the_verdict_and_nothing_else() {
    for stage in [
        Stage::Open,
        Stage::Idle,
        Stage::Preparing,
        Stage::Prepared,
        Stage::Synchronizing,
    ] {
        let session = stage.session(2);
        let before = view(&session, 1);
        assert_eq!(session.cancel_item(id(1)), Ok(()), "{stage:?}");
        let after = view(&session, 1);
        assert_eq!(after.verdict, Verdict::CancelItem, "{stage:?}");
        assert_eq!(
            (after.status, after.value, after.max),
            (before.status, before.value, before.max),
            "{stage:?}"
        );
        assert_eq!(view(&session, 2).verdict, Verdict::Continue, "{stage:?}");
    }
}

#[test]
fn a_skip_answers_like_a_cancel() {
    let session = synchronizing(2);
    assert_eq!(session.skip_item(id(1)), Ok(()));
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::CancelItem));
    assert_eq!(session.progress(id(2), &value(1)), Ok(Verdict::Continue));
    let skipped = view(&session, 1);
    assert_eq!(skipped.verdict, Verdict::CancelItem);
    assert_eq!(
        skipped.status,
        ItemStatus::Updating,
        "the status is the handler's to tell"
    );
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Skipped)),
        Ok(Verdict::CancelItem)
    );
    assert_eq!(view(&session, 1).status, ItemStatus::Skipped);
}

#[test]
fn cancels_may_be_repeated_and_mixed() {
    let session = synchronizing(2);
    for _ in 0..3 {
        assert_eq!(session.cancel_item(id(1)), Ok(()));
        assert_eq!(session.skip_item(id(1)), Ok(()));
    }
    assert_eq!(
        session.progress(id(1), &ProgressUpdate::CHECK),
        Ok(Verdict::CancelItem)
    );
    session.cancel_all();
    session.cancel_all();
    assert_eq!(
        session.progress(id(1), &ProgressUpdate::CHECK),
        Ok(Verdict::CancelAll)
    );
    assert_eq!(view(&session, 1).verdict, Verdict::CancelAll);
    assert_eq!(session.cancel_item(id(2)), Ok(()));
    assert_eq!(
        session.progress(id(2), &ProgressUpdate::CHECK),
        Ok(Verdict::CancelAll)
    );
}

#[test]
fn cancelling_a_finished_item_changes_nothing() {
    let session = synchronizing(1);
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    let before = view(&session, 1);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(session.skip_item(id(1)), Ok(()));
    assert_eq!(view(&session, 1), before);
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Failed)),
        Ok(Verdict::Continue)
    );
}

#[test]
fn an_unknown_item_cannot_be_cancelled() {
    let session = driven(2);
    assert_eq!(session.cancel_item(id(9)), Err(CallbackError::UnknownItem));
    assert_eq!(session.skip_item(id(9)), Err(CallbackError::UnknownItem));
    support::start_round(&session, &[id(1)]);
    assert_eq!(
        session.cancel_item(id(2)),
        Err(CallbackError::UnknownItem),
        "it is not in the round"
    );
    assert_eq!(
        session.skip_item(id(2)),
        Err(CallbackError::UnknownItem),
        "it is not in the round"
    );
    session.driver().release();
    assert_eq!(session.cancel_item(id(1)), Err(CallbackError::Released));
}

#[test]
fn an_item_added_after_cancel_all_is_born_cancelled() {
    for stage in [
        Stage::Open,
        Stage::Preparing,
        Stage::Prepared,
        Stage::Synchronizing,
    ] {
        let session = stage.session(1);
        session.cancel_all();
        assert_eq!(session.add_item(item(2)), Ok(()), "{stage:?}");
        assert_eq!(view(&session, 2).verdict, Verdict::CancelAll, "{stage:?}");
        let reporter = session
            .reporter(id(2))
            .expect("an added item has a reporter");
        assert_eq!(reporter.check(), Ok(Verdict::CancelAll), "{stage:?}");
        assert_eq!(reporter.set(1), Ok(Verdict::CancelAll), "{stage:?}");
        assert_eq!(
            session.progress(id(2), &value(1)),
            Ok(Verdict::CancelAll),
            "{stage:?}"
        );
    }
}

#[test]
fn an_added_item_can_be_cancelled_alone() {
    let session = synchronizing(1);
    for n in 2..=200 {
        assert_eq!(session.add_item(item(n)), Ok(()));
    }
    let reporter = session
        .reporter(id(150))
        .expect("an added item has a reporter");
    assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    assert_eq!(session.cancel_item(id(150)), Ok(()));
    assert_eq!(reporter.set(2), Ok(Verdict::CancelItem));
    for n in (1..=200).filter(|&n| n != 150) {
        assert_eq!(
            session.progress(id(n), &value(1)),
            Ok(Verdict::Continue),
            "item {n}"
        );
    }
    session.cancel_all();
    assert_eq!(reporter.set(3), Ok(Verdict::CancelAll));
    assert_eq!(session.progress(id(200), &value(2)), Ok(Verdict::CancelAll));
}

/// One way in which a worker reports.
type Report = fn(&Session, &ItemReporter, u64) -> Result<Verdict, CallbackError>;

const REPORTS: [(&str, Report); 6] = [
    ("set", |_, reporter, n| reporter.set(n)),
    ("advance", |_, reporter, _| reporter.advance(1)),
    ("check", |_, reporter, _| reporter.check()),
    ("progress", |session, reporter, n| {
        session.progress(reporter.item(), &value(n))
    }),
    ("can_continue", |session, reporter, _| {
        session.can_continue(Some(reporter.item()))
    }),
    ("report", |_, reporter, n| {
        reporter.report(&ProgressUpdate::new().value(n).max(2 * n))
    }),
];

/// A thread that reports item `n` until it is told to stop; it answers what it was told.
fn stream(
    session: &Arc<Session>,
    n: u128,
    report: Report,
) -> (thread::JoinHandle<Verdict>, Arc<AtomicUsize>) {
    let reports = Arc::new(AtomicUsize::new(0));
    let (session, counted) = (Arc::clone(session), Arc::clone(&reports));
    let worker = thread::spawn(move || {
        let reporter = session
            .reporter(id(n))
            .expect("a known item has a reporter");
        let deadline = Deadline::new(format!("the cancel of item {n}"));
        for step in 1_u64.. {
            let verdict = report(&session, &reporter, step).expect("an item in work takes reports");
            if verdict != Verdict::Continue {
                return verdict;
            }
            counted.fetch_add(1, Ordering::Relaxed);
            if step % 64 == 0 {
                deadline.tick();
            }
        }
        unreachable!("the steps do not end")
    });
    (worker, reports)
}

#[test]
fn a_cancel_from_another_thread_reaches_a_stream_of_reports() {
    for (name, report) in REPORTS {
        let session = synchronizing(2);
        let (first, reports_of_first) = stream(&session, 1, report);
        let (second, reports_of_second) = stream(&session, 2, report);
        until("both streams", || {
            reports_of_first.load(Ordering::Relaxed) > 0
                && reports_of_second.load(Ordering::Relaxed) > 0
        });
        assert_eq!(session.cancel_item(id(1)), Ok(()));
        assert_eq!(
            join("the stream of item 1", first),
            Verdict::CancelItem,
            "{name}"
        );
        let so_far = reports_of_second.load(Ordering::Relaxed);
        until("item 2 going on", || {
            reports_of_second.load(Ordering::Relaxed) > so_far
        });
        session.cancel_all();
        assert_eq!(
            join("the stream of item 2", second),
            Verdict::CancelAll,
            "{name}"
        );
    }
}

#[test]
fn a_skip_from_another_thread_reaches_a_stream_of_reports() {
    let session = synchronizing(1);
    let (worker, reports) = stream(&session, 1, |_, reporter, n| reporter.set(n));
    until("the stream", || reports.load(Ordering::Relaxed) > 0);
    assert_eq!(session.skip_item(id(1)), Ok(()));
    assert_eq!(join("the stream", worker), Verdict::CancelItem);
}

#[test]
fn a_cancel_is_seen_by_reporters_made_before_and_after_it() {
    let session = synchronizing(1);
    let before = session
        .reporter(id(1))
        .expect("a known item has a reporter");
    assert_eq!(before.set(1), Ok(Verdict::Continue));
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    let after = session
        .reporter(id(1))
        .expect("a cancelled item has a reporter");
    assert_eq!(before.set(2), Ok(Verdict::CancelItem));
    assert_eq!(after.set(3), Ok(Verdict::CancelItem));
    assert_eq!(view(&session, 1).value, 3);
}

/// M10 on real threads: for each of many items a worker reports all the while; a report begun after the cancel call has
/// returned must answer the cancel.
fn no_late_report_continues(name: &str, report: Report) {
    const ROUNDS: usize = 5_000;
    let session = Session::builder()
        .items(items(ROUNDS as u128))
        .build()
        .expect("distinct items build");
    // The item that the worker reports, and the last item whose cancel has returned.
    let (working, cancelled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let worker = {
        let (session, working, cancelled) = (
            Arc::clone(&session),
            Arc::clone(&working),
            Arc::clone(&cancelled),
        );
        thread::spawn(move || {
            let deadline = Deadline::new("the cancels of all items");
            for round in 1..=ROUNDS {
                let reporter = session
                    .reporter(id(round as u128))
                    .expect("a known item has a reporter");
                let mut step = 0;
                loop {
                    // Acquire pairs with the canceller's release, so that what follows happens after the cancel's return.
                    let late = cancelled.load(Ordering::Acquire) >= round;
                    step += 1;
                    match report(&session, &reporter, step).expect("an item in work takes reports")
                    {
                        Verdict::Continue => {
                            assert!(!late, "item {round}: a late report was told to go on")
                        }
                        verdict => assert_eq!(verdict, Verdict::CancelItem, "item {round}"),
                    }
                    if late {
                        break;
                    }
                    working.store(round, Ordering::Release);
                    if step % 1_024 == 0 {
                        deadline.tick();
                    }
                }
            }
        })
    };
    for round in 1..=ROUNDS {
        until("the worker reaching the next item", || {
            working.load(Ordering::Acquire) >= round || worker.is_finished()
        });
        if worker.is_finished() {
            break;
        }
        assert_eq!(session.cancel_item(id(round as u128)), Ok(()), "{name}");
        cancelled.store(round, Ordering::Release);
    }
    join(name, worker);
    assert_eq!(cancelled.load(Ordering::Acquire), ROUNDS, "{name}");
}

#[test]
fn cancel_is_seen_by_a_late_set() {
    no_late_report_continues("set", |_, reporter, n| reporter.set(n));
}

#[test]
fn cancel_is_seen_by_a_late_advance() {
    no_late_report_continues("advance", |_, reporter, _| reporter.advance(1));
}

#[test]
fn cancel_is_seen_by_a_late_progress_call() {
    no_late_report_continues("progress", |session, reporter, n| {
        session.progress(reporter.item(), &value(n))
    });
}

#[test]
fn cancel_all_is_seen_by_a_late_report_of_any_item() {
    for _ in 0..300 {
        let session = open(2);
        let cancelled = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (1..=2)
            .map(|n| {
                let (session, cancelled) = (Arc::clone(&session), Arc::clone(&cancelled));
                thread::spawn(move || {
                    let deadline = Deadline::new("the cancel of all");
                    let reporter = session
                        .reporter(id(n))
                        .expect("a known item has a reporter");
                    loop {
                        // Acquire pairs with the canceller's release.
                        let late = cancelled.load(Ordering::Acquire) == 1;
                        let answer = reporter.advance(1);
                        if late {
                            return answer;
                        }
                        deadline.tick();
                    }
                })
            })
            .collect();
        until("both items in work", || {
            view(&session, 1).value > 0 && view(&session, 2).value > 0
        });
        session.cancel_all();
        cancelled.store(1, Ordering::Release);
        for worker in workers {
            assert_eq!(join("a worker", worker), Ok(Verdict::CancelAll));
        }
    }
}

#[test]
fn an_item_added_while_all_are_cancelled_is_never_missed() {
    for round in 0..300 {
        let session = open(1);
        let adding = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                (2..20).for_each(|n| assert_eq!(session.add_item(item(n)), Ok(())))
            })
        };
        session.cancel_all();
        join("the adding thread", adding);
        for n in 1..20 {
            let answer = session.progress(id(n), &ProgressUpdate::CHECK);
            assert_eq!(answer, Ok(Verdict::CancelAll), "item {n} in round {round}");
        }
    }
}

#[test]
fn a_cancel_that_meets_the_end_of_its_item_leaves_one_of_two_outcomes() {
    for round in 0..500 {
        let session = synchronizing(1);
        let cancelling = {
            let session = Arc::clone(&session);
            thread::spawn(move || session.cancel_item(id(1)))
        };
        let last = session.progress(id(1), &status(ItemStatus::Succeeded));
        assert_eq!(
            join("the cancelling thread", cancelling),
            Ok(()),
            "round {round}"
        );
        let seen = view(&session, 1);
        assert_eq!(seen.status, ItemStatus::Succeeded, "round {round}");
        assert_eq!(
            last,
            Ok(seen.verdict),
            "the last report and the view agree, round {round}"
        );
        assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    }
}

#[test]
fn a_cancel_is_acknowledged_by_the_last_report() {
    for all in [false, true] {
        let session = synchronizing(1);
        let report = |kind| session.progress(id(1), &status(kind));
        assert_eq!(report(ItemStatus::Updating), Ok(Verdict::Continue));
        assert!(!view(&session, 1).is_cancelling());
        let told = if all {
            session.cancel_all();
            Verdict::CancelAll
        } else {
            assert_eq!(session.cancel_item(id(1)), Ok(()));
            Verdict::CancelItem
        };
        assert!(
            view(&session, 1).is_cancelling(),
            "nobody has acknowledged it"
        );
        assert_eq!(report(ItemStatus::Stopped), Ok(told));
        assert!(!view(&session, 1).is_cancelling());
        assert_eq!(view(&session, 1).verdict, told, "it stays to be seen");
        let again = report(ItemStatus::Stopped);
        assert_eq!(again, Err(CallbackError::ItemFinished));
    }
}
