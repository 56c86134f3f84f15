//! Runs of several handlers: they go on together, within the bound, never twice at once for one handler, and whatever one of
//! them does the others go on.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use support::manager::{REMOVED, Records, handler_id, remove, script};
use support::{id, receive, until, within};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    HResult, ItemStatus, Phase, Registration, SyncEvent, SyncHandler, SyncManager, Verdict,
};

#[test]
fn every_handler_of_a_run_is_reported_in_the_order_of_registration() {
    let records = Records::default();
    let manager = SyncManager::new();
    for n in [3, 1, 2] {
        records.register(&manager, n, script(n));
    }
    let report = within("the run", move || manager.update_all().wait());
    let ids: Vec<_> = report.handlers.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [3, 1, 2].map(handler_id));
    assert!(report.is_success(), "{report:?}");
    for (handler, report) in &report.handlers {
        let session = report.session.as_ref().expect("the handler told its items");
        let items = session.snapshot().items;
        assert_eq!(items.len(), 1, "{handler}");
        assert_eq!(items[0].status, ItemStatus::Succeeded, "{handler}");
    }
    records.judge();
}

#[test]
fn a_start_returns_before_the_handler_has_done_anything() {
    let records = Records::default();
    let manager = SyncManager::new();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let wait = Step::run(move || receive("the gate", &gate.lock().unwrap()));
    records.register(
        &manager,
        1,
        Script::new().item(id(1), "item").prepare([wait]),
    );
    let run = manager.update_all();
    assert!(!run.is_over());
    let unfinished = run.wait_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(unfinished.handlers[0].0, handler_id(1));
    open.send(()).unwrap();
    assert!(within("the run", move || run.wait()).is_success());
    records.judge();
}

#[test]
fn no_more_handlers_run_at_once_than_the_setting_says_and_that_many_do() {
    let records = Records::default();
    let manager = SyncManager::builder().concurrency(3).build();
    let together = Arc::new(Barrier::new(3));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for n in 1..=9 {
        let (together, enter, most, leave) =
            (together.clone(), now.clone(), most.clone(), now.clone());
        let script = Script::new().inline().item(id(n), "item").synchronize([
            Step::run(move || {
                let running = enter.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(running, Ordering::SeqCst);
                together.wait(); // three are here at once, or this hangs
            }),
            Step::run(move || {
                leave.fetch_sub(1, Ordering::SeqCst);
            }),
        ]);
        records.register(&manager, n, script);
    }
    assert!(within("the run", move || manager.update_all().wait()).is_success());
    assert_eq!(most.load(Ordering::SeqCst), 3);
    records.judge();
}

#[test]
fn a_start_of_a_handler_that_runs_comes_after_it_and_equal_ones_are_one_run() {
    let records = Records::default();
    let manager = SyncManager::new();
    let (made, inside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (open, gate) = mpsc::channel::<()>();
    let (gate, count) = (Arc::new(Mutex::new(gate)), made.clone());
    let recorded = records.clone();
    let make = move || -> Arc<dyn SyncHandler> {
        count.fetch_add(1, Ordering::SeqCst);
        let (gate, enter, leave) = (gate.clone(), inside.clone(), inside.clone());
        let script = Script::new()
            .item(id(1), "item")
            .prepare([Step::run(move || {
                assert_eq!(enter.fetch_add(1, Ordering::SeqCst), 0, "two runs at once");
                receive("the gate", &gate.lock().unwrap());
            })])
            .release([Step::run(move || {
                leave.fetch_sub(1, Ordering::SeqCst);
            })]);
        recorded.record(script.handler())
    };
    manager
        .register(handler_id(1), Registration::new(), make)
        .unwrap();
    let first = manager.update_all();
    until("the first run has begun", || {
        made.load(Ordering::SeqCst) == 1
    });
    let second = manager.update_all();
    let third = manager.update_all();
    let scheduled = manager.signal(SyncEvent::Scheduled);
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    for run in [first, second, third, scheduled] {
        assert!(within("a run", move || run.wait()).is_success());
    }
    assert_eq!(made.load(Ordering::SeqCst), 3, "manual, manual, scheduled");
    records.judge();
}

#[test]
fn a_handler_that_panics_does_not_keep_the_others_from_going_on() {
    let records = Records::default();
    let manager = SyncManager::builder().concurrency(1).build();
    records.register(&manager, 1, script(1));
    manager
        .register(handler_id(2), Registration::new(), || {
            panic!("no handler today")
        })
        .unwrap();
    records.register(
        &manager,
        3,
        Script::new()
            .item(id(3), "item")
            .prepare([Step::run(|| panic!("not prepared"))]),
    );
    records.register(&manager, 4, script(4));
    let run = manager.update_all();
    let report = within("the run", move || run.wait());
    assert!(report.handler(handler_id(1)).unwrap().is_success());
    assert!(report.handler(handler_id(4)).unwrap().is_success());
    let two = report.handler(handler_id(2)).unwrap();
    assert_eq!(two.result, HResult::E_UNEXPECTED);
    assert!(
        two.error.as_ref().unwrap().contains("no handler today"),
        "{two:?}"
    );
    let three = report.handler(handler_id(3)).unwrap();
    assert!(
        three.error.as_ref().unwrap().contains("not prepared"),
        "{three:?}"
    );
    let log = manager.log(&syncmgr::LogFilter::new());
    for text in ["no handler today", "not prepared"] {
        assert!(log.iter().any(|entry| entry.text.contains(text)), "{log:?}");
    }
    records.judge();
}

#[test]
fn a_call_that_does_not_return_is_given_up_and_its_place_is_taken() {
    let records = Records::default();
    let manager = SyncManager::builder()
        .concurrency(1)
        .deadline(Duration::from_millis(50))
        .build();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let hang = Step::run(move || {
        let _ = gate.lock().unwrap().recv();
    });
    records.register(
        &manager,
        1,
        Script::new().item(id(1), "item").prepare([hang]),
    );
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    let report = within("the run", move || run.wait());
    let hung = report.handler(handler_id(1)).unwrap();
    assert_eq!(
        (hung.result, hung.abandoned_threads),
        (HResult::E_ABORT, 1),
        "{hung:?}"
    );
    assert_eq!(hung.phase, Phase::Preparing);
    assert_eq!(hung.unfinished, [id(1)]);
    assert!(report.handler(handler_id(2)).unwrap().is_success());
    drop(open); // the thread that was left behind ends
    records.judge();
}

#[test]
fn a_handler_is_cancelled_alone_and_an_item_is_skipped_before_it_is_listed() {
    let records = Records::default();
    let manager = SyncManager::builder().concurrency(1).build();
    records.register(&manager, 1, script(1));
    records.register(&manager, 2, script(2));
    records.register(&manager, 3, script(3));
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let first = Step::run(move || receive("the gate", &gate.lock().unwrap()));
    records.register(
        &manager,
        4,
        Script::new().item(id(4), "item").prepare([first]),
    );
    let blocker = manager.sync_items(handler_id(4), [id(4)]).unwrap();
    let run = manager.update_all();
    run.cancel_handler(handler_id(1));
    assert_eq!(run.skip_item(handler_id(2), id(2)), Ok(()));
    open.send(()).unwrap();
    open.send(()).unwrap();
    let report = within("the run", move || run.wait());
    let _ = within("the first run", move || blocker.wait());
    let cancelled = report.handler(handler_id(1)).unwrap();
    assert_eq!(cancelled.result, HResult::E_ABORT);
    assert!(cancelled.session.is_none());
    let skipped = report
        .handler(handler_id(2))
        .unwrap()
        .session
        .clone()
        .unwrap();
    let skipped = skipped.item(id(2)).unwrap();
    // Which of the two depends on whether the handler was told in time, or by its first report.
    let stopped = [ItemStatus::Skipped, ItemStatus::Stopped];
    assert!(stopped.contains(&skipped.status), "{skipped:?}");
    assert_eq!(skipped.verdict, Verdict::CancelItem);
    let done = report
        .handler(handler_id(3))
        .unwrap()
        .session
        .clone()
        .unwrap();
    assert_eq!(done.item(id(3)).unwrap().status, ItemStatus::Succeeded);
    records.judge();
}

#[test]
fn a_stop_cancels_what_runs_and_ends_what_waits() {
    let records = Records::default();
    let manager = Arc::new(SyncManager::new());
    let (began, begun) = mpsc::channel::<()>();
    let script = Script::new().item(id(1), "item").synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::call(move |callback| {
            began.send(()).unwrap();
            // Works until it is told to stop.
            until("the cancel", || {
                callback.can_continue(None) == Ok(Verdict::CancelAll)
            });
        }),
        Step::report(id(1)).value(1),
    ]);
    records.register(&manager, 1, script);
    let running = manager.update_all();
    receive("the handler", &begun);
    let waiting = manager.update_all();
    let same = manager.clone();
    assert_eq!(within("the stop", move || remove(&same, 1)), REMOVED);
    assert_eq!(manager.registration(handler_id(1)), None);
    let report = running
        .wait_timeout(Duration::ZERO)
        .expect("it was waited for");
    let session = report.handlers[0].1.session.clone().unwrap();
    assert_eq!(session.item(id(1)).unwrap().status, ItemStatus::Stopped);
    assert_eq!(session.phase(), Phase::Released);
    let report = waiting
        .wait_timeout(Duration::ZERO)
        .expect("it is not started any more");
    assert_eq!(report.handlers[0].1.result, HResult::E_ABORT);
    records.judge();
}

#[test]
fn a_handler_that_waits_has_no_thread() {
    let records = Records::default();
    let manager = SyncManager::builder().concurrency(2).build();
    let threads = Arc::new(Mutex::new(HashSet::new()));
    for n in 1..=200 {
        let (threads, recorded) = (threads.clone(), records.clone());
        let made = manager.register(handler_id(n), Registration::new(), move || {
            threads.lock().unwrap().insert(thread::current().id());
            recorded.record(script(n).handler())
        });
        assert_eq!(made, Ok(()));
    }
    let run = manager.update_all();
    let report = within("the run", move || run.wait());
    assert!(report.is_success());
    assert_eq!(report.handlers.len(), 200);
    // All were asked for at once, and two threads did them all.
    let threads = threads.lock().unwrap().len();
    assert!((1..=2).contains(&threads), "{threads} threads");
    records.judge();
}

/// A handler that works until the gate opens.
fn gated(n: u128, gate: mpsc::Receiver<()>) -> Script {
    let gate = Mutex::new(gate);
    let wait = Step::run(move || receive("the gate", &gate.lock().unwrap()));
    Script::new().item(id(n), "item").prepare([wait])
}

#[test]
fn a_run_that_is_cancelled_before_it_has_begun_is_over_at_once() {
    let records = Records::default();
    let manager = SyncManager::builder().concurrency(1).build();
    let (open, gate) = mpsc::channel();
    records.register(&manager, 1, gated(1, gate));
    records.register(&manager, 2, script(2));
    let first = manager.update_all();
    until("the first handler is made", || records.made() == 1);
    // One waits behind the handler itself, one for a thread.
    let behind = manager.signal(SyncEvent::Scheduled);
    behind.cancel_all();
    first.cancel_handler(handler_id(2));
    let report = behind.wait_timeout(Duration::ZERO).expect("it is over");
    assert!(behind.is_over());
    for n in 1..=2 {
        let handler = report.handler(handler_id(n)).unwrap();
        assert_eq!(handler.result, HResult::E_ABORT, "{n}");
    }
    assert_eq!(
        first.handler_report(handler_id(2)).unwrap().result,
        HResult::E_ABORT
    );
    assert!(first.handler_report(handler_id(1)).is_none(), "it works");

    // What was cancelled is not joined any more.
    let again = manager.signal(SyncEvent::Scheduled);
    open.send(()).unwrap();
    open.send(()).unwrap();
    let report = within("the run", move || again.wait());
    assert!(report.is_success(), "{report:?}");
    let report = within("the first run", move || first.wait());
    assert!(report.handler(handler_id(1)).unwrap().is_success());
    records.judge();
}

#[test]
fn items_of_which_none_was_chosen_do_not_count() {
    let records = Records::default();
    let manager = SyncManager::new();
    records.register(&manager, 1, script(1));
    manager.choose(handler_id(1), id(1), false);
    let run = manager.update_all();
    let progress = within("the run", move || {
        assert!(run.wait().is_success());
        run.progress()
    });
    assert_eq!(progress.totals.items, 0);
    records.judge();
}

#[test]
fn what_ends_a_handler_before_it_has_a_session_is_logged() {
    let manager = SyncManager::new();
    let records = Records::default();
    let broken = Script::new().participation(Err(HResult::E_FAIL));
    records.register(&manager, 1, broken);
    let run = manager.update_all();
    let report = within("the run", move || run.wait());
    let error = report.handlers[0].1.error.clone().expect("it failed");
    let log = manager.log(&syncmgr::LogFilter::new().handler(handler_id(1)));
    let texts: Vec<_> = log.into_iter().map(|entry| entry.text).collect();
    assert_eq!(texts, [error]);
    records.judge();
}
