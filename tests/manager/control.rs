//! What a start says to its handler, which starts are one, and what cancels and skips reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::gate::{
    Gate, cancelled_in, finish, gated, goes_well, initialized, named, of, rounds, status_of,
    wait_for,
};
use support::manager::{Records, handler_id, script, succeed};
use support::{id, join, until, within};
use syncmgr::testing::Action;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    CallbackError, HResult, HandlerFlags, InvokeFlags, ItemStatus, Phase, Registration, Run,
    SyncEvent, SyncFlags, SyncManager, SyncManagerBuilder, Verdict,
};

/// A handler that works on item `n` at a gate.
fn works(n: u128, gate: &Gate) -> Script {
    Script::new()
        .sync_item(named(n))
        .synchronize(gated(id(n), gate))
}

/// A manager of one thread, which handler 9 keeps busy until the gate is opened.
fn busy(manager: SyncManagerBuilder, records: &Records) -> (SyncManager, Gate, Run) {
    let manager = manager.concurrency(1).build();
    let gate = Gate::new();
    records.register(&manager, 9, works(9, &gate));
    let run = manager.sync_items(handler_id(9), [id(9)]).unwrap();
    gate.reached();
    (manager, gate, run)
}

/// A start of handler 1: what it is called and how it is made, its event where the docs name one, whether it is for the
/// settings only, and the cookie.
type Start = (
    &'static str,
    fn(&SyncManager) -> Run,
    Option<SyncEvent>,
    bool,
    Option<&'static [u8]>,
);

fn invoke(manager: &SyncManager, flags: InvokeFlags) -> Run {
    manager.update_items(handler_id(1), flags, b"x").unwrap()
}

const STARTS: [Start; 9] = {
    use SyncEvent::{Invoke, Manual, Scheduled};
    const X: Option<&[u8]> = Some(b"x");
    [
        ("all", |m| m.update_all(), Some(Manual), false, None),
        (
            "a program",
            |m| invoke(m, InvokeFlags::empty()),
            Some(Invoke),
            false,
            X,
        ),
        (
            "at once",
            |m| invoke(m, InvokeFlags::START_SYNC),
            Some(Invoke),
            false,
            X,
        ),
        (
            "minimized",
            |m| invoke(m, InvokeFlags::MINIMIZED),
            Some(Invoke),
            false,
            X,
        ),
        (
            "signal",
            |m| m.signal(SyncEvent::Scheduled),
            Some(Scheduled),
            false,
            None,
        ),
        (
            "items",
            |m| m.sync_items(handler_id(1), [id(1)]).unwrap(),
            None,
            false,
            None,
        ),
        (
            "enumerate",
            |m| m.enumerate(handler_id(1)).unwrap(),
            None,
            true,
            None,
        ),
        ("enumerate all", |m| m.enumerate_all(), None, true, None),
        (
            "properties",
            |m| m.show_properties(handler_id(1), None).unwrap(),
            None,
            true,
            None,
        ),
    ]
};

#[test]
fn every_start_tells_its_handler_what_it_is_for() {
    for dialogs in [true, false] {
        let manager = SyncManager::builder().dialogs(dialogs).build();
        let records = Records::default();
        let script = script(1)
            .flags(HandlerFlags::HAS_PROPERTIES)
            .show_properties([Step::complete_show_properties(HResult::S_OK)], Ok(()));
        records.register(&manager, 1, script);
        for (name, start, event, settings, cookie) in STARTS {
            goes_well(&start(&manager));
            let traces = records.traces();
            let (flags, told) = initialized(traces.last().unwrap());
            if let Some(event) = event {
                assert_eq!(flags.event(), event, "{name}");
            }
            assert_eq!(flags.contains(SyncFlags::SETTINGS), settings, "{name}");
            assert_eq!(told.as_deref(), cookie, "{name}");
            let bothers = !matches!(flags.event(), SyncEvent::Idle | SyncEvent::Scheduled);
            let may = flags.contains(SyncFlags::MAY_BOTHER_USER);
            assert_eq!(may, bothers && dialogs, "{name}, dialogs: {dialogs}");
        }
        records.judge();
    }
}

#[test]
fn every_start_returns_at_once() {
    let records = Records::default();
    let (manager, gate, first) = busy(SyncManager::builder(), &records);
    records.register(&manager, 1, script(1));
    let runs = within("the starts", move || {
        let runs = STARTS.map(|(_, start, ..)| start(&manager));
        assert!(runs.iter().all(|run| !run.is_over()));
        gate.open();
        runs
    });
    runs.iter().for_each(wait_for);
    wait_for(&first);
    records.judge();
}

#[test]
fn starts_that_ask_for_the_same_are_one_run_and_others_are_not() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let manager = SyncManager::builder()
        .chooser(move |_, _, chosen| {
            count.fetch_add(1, Ordering::SeqCst);
            chosen.to_vec()
        })
        .build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, works(1, &gate));
    let mut runs = vec![manager.sync_items(handler_id(1), [id(1)]).unwrap()];
    gate.reached();
    for cookie in [b"a", b"b", b"a"] {
        for flags in [InvokeFlags::empty(), InvokeFlags::START_SYNC] {
            let run = manager.update_items(handler_id(1), flags, cookie);
            runs.push(run.unwrap());
        }
    }
    gate.open();
    for run in &runs {
        goes_well(run);
    }
    let traces = records.traces();
    let mut cookies: Vec<_> = traces[1..]
        .iter()
        .map(|trace| initialized(trace).1.unwrap())
        .collect();
    cookies.sort();
    assert_eq!(cookies, [b"a", b"a", b"b", b"b"]);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        2,
        "not where it is to start at once"
    );
    records.judge();
}

#[test]
fn starts_that_ask_for_the_same_are_one_run_also_where_other_handlers_are_before_it() {
    let records = Records::default();
    let (manager, gate, first) = busy(SyncManager::builder(), &records);
    records.register(&manager, 1, script(1));
    let runs = [(); 3].map(|()| {
        let run = manager.update_items(handler_id(1), InvokeFlags::empty(), b"x");
        run.unwrap()
    });
    gate.open();
    let sessions = runs.each_ref().map(|run| {
        goes_well(run);
        run.session(handler_id(1)).unwrap()
    });
    assert!(Arc::ptr_eq(&sessions[0], &sessions[1]));
    assert!(Arc::ptr_eq(&sessions[0], &sessions[2]));
    wait_for(&first);
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn a_cancel_of_one_of_two_starts_that_are_one_run_leaves_it_to_the_other() {
    let records = Records::default();
    let (manager, gate, first) = busy(SyncManager::builder(), &records);
    records.register(&manager, 1, script(1));
    let one = handler_id(1);
    let start = || {
        manager
            .update_items(one, InvokeFlags::empty(), b"")
            .unwrap()
    };
    let (left, kept) = (start(), start());
    left.cancel_all();
    gate.open();
    let report = finish(&kept);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    wait_for(&left);
    wait_for(&first);
    records.judge();
}

#[test]
fn an_item_is_cancelled_alone() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2))
        .synchronize(gated(id(1), &gate).into_iter().chain(succeed(id(2))));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let other = run.clone();
    let cancel = thread::spawn(move || other.cancel_item(handler_id(1), id(1)));
    assert_eq!(join("the cancel", cancel), Ok(()));
    gate.open();
    let report = cancelled_in(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    records.judge();
}

#[test]
fn a_cancel_of_an_item_is_remembered_until_the_handler_tells_its_items() {
    let records = Records::default();
    let (manager, gate, first) = busy(SyncManager::builder(), &records);
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2))
        .synchronize([1, 2].into_iter().flat_map(|n| succeed(id(n))));
    records.register(&manager, 1, script);
    let run = manager.update_items(handler_id(1), InvokeFlags::empty(), b"");
    let run = run.unwrap();
    assert_eq!(run.cancel_item(handler_id(1), id(1)), Ok(()));
    gate.open();
    let report = cancelled_in(&run);
    let view = &of(&report, 1).items()[0];
    assert_eq!(view.verdict, Verdict::CancelItem);
    assert_ne!(view.status, ItemStatus::Succeeded);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    wait_for(&first);
    records.judge();
}

#[test]
fn a_skipped_item_is_told_to_the_handler_in_its_window() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .sync_item(named(2))
        .synchronize(gated(id(1), &gate).into_iter().chain(succeed(id(2))));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.skip_item(handler_id(1), id(2)), Ok(()));
    until("the skip was told", || {
        let trace = &records.traces()[0];
        let skip = Action::SetItemStatus {
            item: id(2),
            status: ItemStatus::Skipped,
        };
        let mut calls = trace.calls().iter();
        calls.any(|call| call.action == skip && call.has_returned())
    });
    gate.open();
    let report = cancelled_in(&run);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Skipped));
    records.judge();
}

#[test]
fn what_is_not_in_the_run_cannot_be_cancelled_or_skipped() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, works(1, &gate));
    records.register(&manager, 2, script(2));
    let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.reached();
    let unknown = Err(CallbackError::UnknownItem);
    for (handler, item) in [(1, 9), (2, 2), (3, 3)] {
        let (handler, item) = (handler_id(handler), id(item));
        assert_eq!(run.cancel_item(handler, item), unknown, "{handler}");
        assert_eq!(run.skip_item(handler, item), unknown, "{handler}");
    }
    run.cancel_handler(handler_id(2));
    gate.open();
    goes_well(&run);
    let released = Err(CallbackError::Released);
    assert_eq!(run.cancel_item(handler_id(1), id(1)), released);
    assert_eq!(run.skip_item(handler_id(1), id(1)), released);
    records.judge();
}

#[test]
fn one_handler_is_cancelled_and_the_others_go_on() {
    let manager = SyncManager::builder().concurrency(2).build();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    for (n, gate) in (1..).zip(&gates) {
        records.register(&manager, n, works(n, gate));
    }
    records.register(&manager, 3, script(3));
    let run = manager.update_all();
    gates.iter().for_each(Gate::reached);
    run.cancel_handler(handler_id(1));
    gates.iter().for_each(Gate::open);
    let report = finish(&run);
    let statuses = [1, 2, 3].map(|n| status_of(of(&report, n), n).unwrap());
    let (stopped, done) = (ItemStatus::Stopped, ItemStatus::Succeeded);
    assert_eq!(statuses, [stopped, done, done]);
    let done = [1, 2, 3].map(|n| of(&report, n).is_success());
    assert_eq!(done, [false, true, true], "{report:?}");
    support::went_through(of(&report, 1));
    records.judge();
}

#[test]
fn a_cancel_of_everything_stops_what_runs_and_ends_what_waits() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, works(1, &gate));
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    gate.reached();
    let others: Vec<_> = (0..3)
        .map(|_| {
            let run = run.clone();
            thread::spawn(move || run.cancel_all())
        })
        .collect();
    for other in others {
        join("a cancel", other);
    }
    gate.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    let two = of(&report, 2);
    assert_eq!((two.result, two.phase), (HResult::E_ABORT, Phase::Idle));
    assert!(two.session.is_none() && two.items().is_empty());
    assert_eq!(records.made(), 1);
    run.cancel_all();
    records.judge();
}

#[test]
fn the_last_report_of_a_cancelled_item_acknowledges_the_cancel() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let at = gate.clone();
    let script = Script::new().sync_item(named(1)).synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::call(move |callback| {
            at.pass();
            let update = syncmgr::ProgressUpdate::new();
            let stopped = callback.progress(id(1), &update.clone().status(ItemStatus::Stopped));
            assert_eq!(
                stopped,
                Ok(Verdict::CancelItem),
                "taken, and still cancelled"
            );
            let late = callback.progress(id(1), &update.value(1));
            assert_eq!(late, Err(CallbackError::ItemFinished));
            assert_eq!(callback.can_continue(None), Ok(Verdict::Continue));
        }),
    ]);
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    assert_eq!(run.cancel_item(handler_id(1), id(1)), Ok(()));
    gate.open();
    let report = cancelled_in(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
}

#[test]
fn a_run_that_nobody_holds_goes_on() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    records.register(&manager, 1, works(1, &gate));
    drop(manager.update_all());
    gate.reached();
    gate.open();
    let after = manager.enumerate(handler_id(1)).unwrap();
    goes_well(&after);
    let trace = &records.traces()[0];
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
    assert_eq!(rounds(trace), [vec![id(1)]]);
    records.judge();
}

#[test]
fn each_run_is_made_a_fresh_handler_on_its_own_thread() {
    let (manager, records) = (SyncManager::new(), Records::default());
    let here = thread::current().id();
    let made = Arc::new(AtomicUsize::new(0));
    let (count, recorded) = (made.clone(), records.clone());
    let registered = manager.register(handler_id(1), Registration::new(), move || {
        assert_ne!(thread::current().id(), here);
        count.fetch_add(1, Ordering::SeqCst);
        recorded.record(script(1).handler())
    });
    assert_eq!(registered, Ok(()));
    assert_eq!(made.load(Ordering::SeqCst), 0, "not before it is started");
    for time in 1..=3 {
        goes_well(&manager.update_all());
        assert_eq!(made.load(Ordering::SeqCst), time);
    }
}

#[test]
fn identical_starts_whose_runs_are_dropped_are_one_run() {
    let records = Records::default();
    let (manager, gate, first) = busy(SyncManager::builder(), &records);
    records.register(&manager, 1, script(1));
    let one = handler_id(1);
    let kept = manager.sync_items(one, [id(1)]).unwrap();
    for n in 0..500 {
        // Dropped at once: each of them waits all the same.
        drop(
            manager
                .update_items(one, InvokeFlags::empty(), b"a")
                .unwrap(),
        );
        drop(manager.sync_items(one, [id(1 + n % 2)]).unwrap());
    }
    let last = manager
        .update_items(one, InvokeFlags::empty(), b"a")
        .unwrap();
    let other = manager.sync_items(one, [id(2)]).unwrap();
    gate.open();
    for run in [first, kept, last, other] {
        wait_for(&run);
    }
    assert_eq!(
        records.made(),
        4,
        "the first, those of either item, that of the program"
    );
    records.judge();
}

#[test]
fn a_report_tells_whether_everything_was_cancelled() {
    let records = Records::default();
    let (manager, gate, first) = busy(SyncManager::builder(), &records);
    records.register(&manager, 1, script(1));
    let waits = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    waits.cancel_all(); // before it is started
    let report = waits.wait();
    assert!(report.was_cancelled() && report.handlers[0].1.was_cancelled());
    assert!(!report.is_success());

    first.cancel_item(handler_id(9), id(9)).unwrap(); // one item only
    gate.open();
    assert!(!first.wait().was_cancelled());

    let gate = Gate::new();
    records.register(&manager, 2, works(2, &gate));
    let run = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    gate.reached();
    run.cancel_all(); // in the middle
    gate.open();
    let report = run.wait();
    assert!(report.was_cancelled());
    assert!(!report.is_success());
}
