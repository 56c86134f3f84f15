//! Identical starts that share one run while it is pending.

use std::sync::Arc;
use std::time::Duration;

use support::gate::{
    Gate, finish, gated, goes_well, named, of, rounds, status_of, succeed_in, wait_for,
};
use support::manager::{Records, handler_id, succeed};
use support::{id, join};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    CallbackError, HResult, ItemId, ItemStatus, ProgressUpdate, Run, SyncEvent, SyncManager,
};

/// A manager whose handler runs its item 1 at a gate. Later runs do items 2 and 3.
fn running(records: &Records) -> (SyncManager, Gate, Run) {
    let (manager, gate) = (SyncManager::new(), Gate::new());
    let script = || {
        (2..=3).fold(Script::new().sync_item(named(1)), |script, n| {
            script.sync_item(named(n).checked(false))
        })
    };
    let first = script().synchronize(gated(id(1), &gate));
    let later = script().synchronize([2, 3].into_iter().flat_map(|n| succeed(id(n))));
    records.register_made(&manager, 1, move |time| match time {
        1 => first.clone(),
        _ => later.clone(),
    });
    let run = manager.update_all();
    gate.reached();
    (manager, gate, run)
}

fn start(manager: &SyncManager) -> Run {
    manager
        .sync_items(handler_id(1), [id(2), id(3)])
        .expect("it is registered")
}

#[test]
fn a_skip_in_one_run_holds_for_the_runs_that_share_it() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let runs = [start(&manager), start(&manager)];
    assert_eq!(runs[1].skip_item(handler_id(1), id(2)), Ok(()));
    gate.open();
    goes_well(&first);
    for run in &runs {
        let report = finish(run);
        assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Skipped));
        assert_eq!(status_of(of(&report, 1), 3), Some(ItemStatus::Succeeded));
    }
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn a_start_does_not_share_a_run_of_which_an_item_is_cancelled() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let cancelled = start(&manager);
    assert_eq!(cancelled.cancel_item(handler_id(1), id(2)), Ok(()));
    let whole = start(&manager);
    gate.open();
    goes_well(&first);
    wait_for(&cancelled);
    let report = succeed_in(&whole); // item 3 is done by the run before, which began after both starts
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    assert_eq!(records.made(), 3);
    records.judge();
}

#[test]
fn starts_that_differ_in_event_cookie_or_items_do_not_share() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let one = handler_id(1);
    let flags = syncmgr::InvokeFlags::empty();
    let runs = [
        manager.sync_items(one, [id(2)]).unwrap(),
        start(&manager),
        manager.update_items(one, flags, b"a").unwrap(),
        manager.update_items(one, flags, b"b").unwrap(),
        manager.signal_handler(one, SyncEvent::Scheduled).unwrap(),
        manager.enumerate(one).unwrap(),
        manager.show_properties(one, None).unwrap(),
        manager.show_properties(one, id(1)).unwrap(),
    ];
    gate.open();
    for run in runs.iter().chain([&first]) {
        wait_for(run);
    }
    assert_eq!(records.made(), 1 + runs.len());
    records.judge();
}

#[test]
fn a_start_does_not_share_a_run_of_which_an_item_is_done_already() {
    let records = Records::default();
    let manager = SyncManager::builder().concurrency(1).build();
    let (gate, other) = (Gate::new(), Gate::new());
    let script = || {
        Script::new()
            .sync_item(named(1))
            .sync_item(named(3).checked(false))
    };
    let takes = Step::add_item(named(2));
    let done = succeed(id(2));
    let first = script().synchronize(gated(id(1), &gate).into_iter().chain([takes]).chain(done));
    let later = script()
        .sync_item(named(2).checked(false))
        .synchronize([2, 3].into_iter().flat_map(|n| succeed(id(n))));
    records.register_made(&manager, 1, move |time| match time {
        1 => first.clone(),
        _ => later.clone(),
    });
    records.register(
        &manager,
        2,
        Script::new()
            .sync_item(named(9))
            .synchronize(gated(id(9), &other)),
    );
    let run = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.reached();
    let rest = start(&manager);
    // It runs between the two, so that the rest is still pending when item 2 is done.
    let between = manager.sync_items(handler_id(2), [id(9)]).unwrap();
    gate.open();
    goes_well(&run);
    other.reached();
    let again = start(&manager);
    other.open();
    goes_well(&between);
    let report = succeed_in(&again);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    goes_well(&rest);
    let mut done: Vec<_> = records.traces().iter().map(rounds).collect();
    done.sort();
    assert!(done.contains(&vec![vec![id(3)]]), "{done:?}");
    assert_eq!(records.made(), 4);
    records.judge();
}

#[test]
fn items_that_the_current_run_did_before_an_identical_start_are_done_again() {
    let records = Records::default();
    let (manager, gate, after) = (SyncManager::new(), Gate::new(), Gate::new());
    let takes = [2, 3].map(|n| Step::add_item(named(n)));
    let done = [2, 3].into_iter().flat_map(|n| succeed(id(n)));
    let steps = gated(id(1), &gate).into_iter().chain(takes).chain(done);
    let first = Script::new()
        .sync_item(named(1))
        .synchronize(steps.chain([after.step()]));
    let later = (2..=3).fold(Script::new(), |script, n| script.sync_item(named(n)));
    let later = later.synchronize([2, 3].into_iter().flat_map(|n| succeed(id(n))));
    records.register_made(&manager, 1, move |time| match time {
        1 => first.clone(),
        _ => later.clone(),
    });
    let run = manager.update_all();
    gate.reached();
    let early = start(&manager);
    gate.open();
    after.reached();
    let late = start(&manager);
    after.open();
    goes_well(&run);
    for run in [&early, &late] {
        goes_well(run);
    }
    let of_late = late.session(handler_id(1)).unwrap();
    assert!(!Arc::ptr_eq(&of_late, &run.session(handler_id(1)).unwrap()));
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn a_run_that_leaves_a_shared_start_is_over_and_the_other_is_done() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let (left, kept) = (start(&manager), start(&manager));
    let mut observer = left.observe();
    assert!(!observer.refresh().is_over());
    left.cancel_all();
    left.clone().cancel_all(); // once more: this is not the other's share
    assert!(left.is_over());
    let changes = observer.refresh();
    assert_eq!((changes.is_over(), changes.sessions.len()), (true, 0));
    let report = finish(&left);
    assert_eq!(of(&report, 1).result, HResult::E_ABORT);
    assert_eq!(of(&report, 1).rounds, 0);
    assert_eq!(
        left.cancel_item(handler_id(1), id(2)),
        Err(CallbackError::Released)
    );
    gate.open();
    goes_well(&first);
    let report = succeed_in(&kept);
    assert_eq!(status_of(of(&report, 1), 2), Some(ItemStatus::Succeeded));
    assert!(left.session(handler_id(1)).is_none(), "it is not its own");
    assert!(left.info(handler_id(1)).is_none());
    assert_eq!(left.progress().totals.items, 0);
    records.judge();
}

#[test]
fn a_shared_start_that_every_run_cancels_is_not_done() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let runs = [(); 3].map(|()| start(&manager));
    for run in &runs {
        run.cancel_handler(handler_id(1));
    }
    gate.open();
    goes_well(&first);
    for run in &runs {
        assert_eq!(of(&finish(run), 1).result, HResult::E_ABORT);
    }
    goes_well(&start(&manager)); // and a new one is not lost with them
    assert_eq!(records.made(), 2);
    records.judge();
}

#[test]
fn a_stop_of_the_handler_ends_every_run_that_shares_a_pending_start() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let runs = [start(&manager), start(&manager)];
    let manager = Arc::new(manager);
    let same = Arc::clone(&manager);
    let stop = std::thread::spawn(move || same.stop_handler(handler_id(1)));
    for run in &runs {
        assert_eq!(of(&finish(run), 1).result, HResult::E_ABORT);
    }
    gate.open();
    assert!(join("the stop", stop));
    wait_for(&first);
    records.judge();
}

#[test]
fn more_pending_items_than_a_handler_is_offered_are_done_all_the_same() {
    const STARTS: u128 = 5_010;
    let manager = SyncManager::new();
    let gate = Gate::new();
    let offered = Arc::new(std::sync::Mutex::new(Vec::new()));
    let takes = |offered: Arc<std::sync::Mutex<Vec<usize>>>| {
        Step::call(move |callback| {
            let more = callback.additional_items().expect("it is not released");
            offered.lock().unwrap().push(more.len());
            for item in more {
                if callback.add_item(named(item.as_u128())).is_ok() {
                    let done = ProgressUpdate::new().status(ItemStatus::Succeeded);
                    let _ = callback.progress(item, &done);
                }
            }
        })
    };
    let (at, seen) = (gate.clone(), offered.clone());
    let make = move || {
        let steps = gated(id(1), &at).into_iter().chain([takes(seen.clone())]);
        Script::new()
            .sync_item(named(1))
            .synchronize(steps)
            .handler()
    };
    manager
        .register(handler_id(1), syncmgr::Registration::new(), make)
        .unwrap();
    let first = manager.update_all();
    gate.reached();
    let runs: Vec<_> = (0..STARTS)
        .map(|n| {
            manager
                .sync_items(handler_id(1), [ItemId::from_u128(1_000 + n)])
                .unwrap()
        })
        .collect();
    gate.open();
    goes_well(&first);
    for run in &runs {
        let _ = run.wait_timeout(Duration::from_secs(60)).expect("in time");
    }
    let offered = offered.lock().unwrap();
    assert_eq!(offered[0], 5_000, "a start and its item count as two");
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn tasks_and_threads_that_wait_for_a_run_that_leaves_a_shared_start_are_woken() {
    let records = Records::default();
    let (manager, gate, first) = running(&records);
    let (left, kept) = (start(&manager), start(&manager));
    let mut observer = left.observe();
    let _ = observer.refresh();
    let woken = Arc::new(Woken::default());
    let waker = std::task::Waker::from(woken.clone());
    assert!(observer.wake_on_change(&waker));
    let same = left.clone();
    let waits = std::thread::spawn(move || drop(same.wait()));
    left.cancel_all();
    assert_eq!(woken.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    join("the wait", waits); // though the start is still pending
    gate.open();
    goes_well(&first);
    goes_well(&kept);
    records.judge();
}
