//! Attacks on the manager: moments that are hard to hit, made certain by gates.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use support::gate::prepared;
use support::hooked::{Gate, Hooked, closing, connects, held, register_hooked};
use support::manager::{REMOVED, Records, handler_id, remove, script};
use support::{id, item, until, within};
use syncmgr::testing::mock::Step;
use syncmgr::{
    HResult, InvokeFlags, ItemId, ItemStatus, Registration, SyncEvent, SyncHandler, SyncManager,
};

#[test]
fn what_is_asked_for_while_the_handler_is_let_go_is_done_afterwards() {
    let records = Records::default();
    let manager = SyncManager::new();
    let (dropping, gate) = (Gate::default(), Gate::default());
    let prepares = Arc::new(AtomicUsize::new(0));
    let (at_drop, held, count) = (dropping.clone(), gate.clone(), prepares.clone());
    register_hooked(
        &records,
        &manager,
        1,
        script(1).inline(),
        move |call| match call {
            "prepare" => _ = count.fetch_add(1, Ordering::SeqCst),
            "drop" => {
                at_drop.open();
                held.pass();
            }
            _ => {}
        },
    );
    let first = manager.update_all();
    let is_dropped = dropping.clone();
    within("the drop", move || is_dropped.pass());
    // The session is released: it takes no requests any more.
    let second = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    gate.open();
    let _ = within("the first run", move || first.wait());
    assert!(within("the second run", move || second.wait()).is_success());
    assert_eq!(prepares.load(Ordering::SeqCst), 2);
}

#[test]
fn a_nil_item_among_those_asked_for_takes_none_of_the_others_with_it() {
    let records = Records::default();
    let manager = SyncManager::new();
    let gate = Gate::default();
    let two = held(1, &gate).sync_item(item(2).checked(false));
    records.register(&manager, 1, two);
    let first = manager.update_all();
    until("it has begun", || records.made() == 1);
    let second = manager
        .sync_items(handler_id(1), [ItemId::NIL, id(2)])
        .unwrap();
    gate.open();
    let _ = within("the first run", move || first.wait());
    let _ = within("the second run", move || second.wait());
    let rounds: Vec<_> = records.traces().iter().map(prepared).collect();
    assert_eq!(rounds, [[id(1)], [id(2)]]);
}

#[test]
fn a_handler_that_was_given_up_is_called_no_more_when_it_comes_back() {
    let records = Records::default();
    for hangs in [
        "the factory",
        "initialize",
        "info",
        "items",
        "take callback",
    ] {
        let manager = SyncManager::builder()
            .deadline(Duration::from_millis(50))
            .build();
        let (come_back, second_gate) = (Gate::default(), Gate::default());
        let (gone, made) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
        let old_calls = Arc::new(Mutex::new(Vec::new()));
        let (back, held, told, calls) = (
            come_back.clone(),
            second_gate.clone(),
            gone.clone(),
            old_calls.clone(),
        );
        let recorded = records.clone();
        let make = move || -> Arc<dyn SyncHandler> {
            if made.fetch_add(1, Ordering::SeqCst) > 0 {
                // A second life, in work while the first comes back. It is never silent.
                let held = held.clone();
                let second = script(1).prepare([Step::call(move |callback| {
                    until("the gate", || {
                        let _ = callback.can_continue(None);
                        held.is_open()
                    });
                })]);
                return recorded.record(second.handler());
            }
            let (back, told, calls) = (back.clone(), told.clone(), calls.clone());
            if hangs == "the factory" {
                back.pass();
            }
            let first = Hooked::around(script(1).inline().handler(), move |call| {
                calls.lock().unwrap().push(call);
                if call == hangs {
                    back.pass();
                }
                if call == "drop" {
                    told.open();
                }
            });
            recorded.record(first)
        };
        manager
            .register(handler_id(1), Registration::new(), make)
            .unwrap();
        let first = manager.update_all();
        let report = within("the first run", move || first.wait());
        assert_eq!(report.handlers[0].1.abandoned_threads, 1, "{hangs}");
        let second = manager.update_all();
        let before = old_calls.lock().unwrap().len();
        come_back.open();
        within("the old handler is dropped", move || gone.pass());
        let calls = old_calls.lock().unwrap()[before..].to_vec();
        assert_eq!(calls, ["drop"], "{hangs}");
        second_gate.open();
        assert!(within("the second run", move || second.wait()).is_success());
    }
}

#[test]
fn a_stop_that_is_held_up_lets_nothing_begin_that_waited() {
    let records = Records::default();
    let (closes, close_gate) = (Gate::default(), Gate::default());
    let (told, held_close) = (closes.clone(), close_gate.clone());
    let manager = closing(move || {
        told.open();
        held_close.pass();
    });
    let manager = Arc::new(manager.concurrency(4).build());
    let gate = Gate::default();
    records.register(&manager, 1, held(1, &gate));
    let first = manager.update_all();
    until("it has begun", || records.made() == 1);
    records.register(&manager, 2, connects(2));
    // Handler 1 waits in both; the connection of the first of them is closed when that is ended.
    let waits = manager.update_all();
    until("the other is done", || waits.progress().finished == 1);
    let scheduled = manager.signal(SyncEvent::Scheduled);
    let same = manager.clone();
    let stop = std::thread::spawn(move || remove(&same, 1));
    within("the close", move || closes.pass());
    gate.open(); // the first run ends, and the second one that waits comes to its turn
    let _ = within("the first run", move || first.wait());
    // It has had its chance once a start that came later is done.
    let later = manager.sync_items(handler_id(2), [id(2)]).unwrap();
    let _ = within("a later run", move || later.wait());
    let made = records.made();
    close_gate.open();
    assert_eq!(support::join("the stop", stop), REMOVED);
    for run in [waits, scheduled] {
        let report = within("a run", move || run.wait());
        assert_eq!(report.handlers[0].1.result, HResult::E_ABORT);
    }
    let of_one = records
        .traces()
        .iter()
        .filter(|trace| prepared(trace) == [id(1)])
        .count();
    assert_eq!(of_one, 1, "of {made}");
}

#[test]
fn what_has_not_begun_is_over_as_soon_as_it_is_cancelled_or_stopped() {
    let records = Records::default();
    let manager = Arc::new(SyncManager::builder().concurrency(1).build());
    let gate = Gate::default();
    records.register(&manager, 1, held(1, &gate));
    let blocks = manager.update_all();
    until("it has begun", || records.made() == 1);
    for n in 2..=3 {
        records.register(&manager, n, script(n));
    }
    let one = |n| manager.update_items(handler_id(n), InvokeFlags::empty(), b"");
    let behind = one(1).unwrap();
    let (ready, gone) = (one(2).unwrap(), one(3).unwrap());
    behind.cancel_all();
    ready.cancel_handler(handler_id(2));
    let same = manager.clone();
    assert_eq!(within("the stop", move || remove(&same, 3)), REMOVED);
    for run in [behind, ready, gone] {
        assert!(run.is_over());
        let report = run.wait();
        assert_eq!(report.handlers[0].1.result, HResult::E_ABORT);
    }
    let next = one(2).unwrap();
    gate.open();
    let _ = within("the first run", move || blocks.wait());
    assert!(within("the next run", move || next.wait()).is_success());
    assert_eq!(records.made(), 2);
}

#[test]
fn an_item_that_the_run_before_cancelled_is_done_by_the_run_that_asked_for_it() {
    let manager = SyncManager::builder().concurrency(1).build();
    let (records, gate) = (Records::default(), Gate::default());
    records.register(&manager, 2, held(2, &gate));
    let blocks = manager.update_all();
    until("it has begun", || records.made() == 1);
    records.register(&manager, 1, script(1));
    // Handler 1 has not begun: the item is asked of the first run, whose round names it.
    let first = manager
        .update_items(handler_id(1), InvokeFlags::empty(), b"")
        .unwrap();
    let second = manager.sync_items(handler_id(1), [id(1)]).unwrap();
    assert_eq!(first.cancel_item(handler_id(1), id(1)), Ok(()));
    gate.open();
    for run in [blocks, first] {
        let _ = within("a run before", move || run.wait());
    }
    let report = within("the second run", move || second.wait());
    let session = report.handlers[0].1.session.clone().unwrap();
    assert_eq!(session.item(id(1)).unwrap().status, ItemStatus::Succeeded);
}

/// Set for the process in which no thread can be had.
const NO_THREADS: &str = "SYNCMGR_TEST_NO_THREADS";

/// Runs this test of this file alone, in a process of its own that gives threads stacks of this size.
/// Returns `true` in that process, where the test goes on.
fn in_a_process(test: &str, mut child: Command, stack: u64) -> bool {
    if std::env::var_os(NO_THREADS).is_some() {
        return true;
    }
    let (_, module) = module_path!().split_once("::").expect("a path has parts");
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("{module}::{test}"), "--test-threads=1"]);
    child
        .env(NO_THREADS, "1")
        .env("RUST_MIN_STACK", stack.to_string());
    let output = within("the other process", move || child.output()).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    false
}

/// The process has room for two stacks of 1 GiB: that of the test itself and that of one worker.
#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_has_closed_connections_goes_on_if_no_thread_can_be_created() {
    let mut child = Command::new("sh");
    child.args(["-c", "ulimit -v 2883584 && exec \"$0\" \"$@\""]);
    let test = "a_worker_that_has_closed_connections_goes_on_if_no_thread_can_be_created";
    if !in_a_process(test, child, 1 << 30) {
        return;
    }
    let records = Records::default();
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let manager = closing(move || _ = count.fetch_add(1, Ordering::SeqCst))
        .concurrency(1)
        .build();
    let gate = Gate::default();
    let pass = gate.clone();
    let steps = [Step::connect(None), Step::run(move || pass.pass())];
    records.register(&manager, 1, connects(1).inline().prepare(steps));
    for n in 2..=4 {
        records.register(&manager, n, connects(n).inline());
    }
    let one = |n| manager.sync_items(handler_id(n), [id(n)]).unwrap();
    let runs = [1, 2, 3, 4].map(one);
    // The worker has its thread. Whatever room is left is taken until the process ends.
    let taken = (0..9).filter(|_| std::thread::Builder::new().spawn(std::thread::park).is_ok());
    assert!(taken.count() < 9, "the limit has no effect");
    gate.open();
    for run in runs {
        let report = run.wait_timeout(support::LIMIT).expect("it ends");
        assert!(report.is_success(), "{report:?}");
    }
    until("all connections are closed", || {
        closed.load(Ordering::SeqCst) == 4
    });
}

#[test]
#[cfg_attr(windows, ignore = "the test's own harness needs a thread there")]
fn where_no_thread_is_to_be_had_what_waits_behind_fails_too() {
    // So large a stack that no thread gets one.
    let test = "where_no_thread_is_to_be_had_what_waits_behind_fails_too";
    if !in_a_process(test, Command::new("env"), 1 << 60) {
        return;
    }
    let records = Records::default();
    let (manager, together) = (SyncManager::new(), Barrier::new(2));
    records.register(&manager, 1, script(1));
    // A thread of the test's own asks for a stack that it can have. Some start comes while another one fails.
    let start = |event| {
        let (manager, together) = (&manager, &together);
        move || {
            together.wait();
            manager.signal(event)
        }
    };
    let small = || std::thread::Builder::new().stack_size(1 << 20);
    for _ in 0..2_000 {
        let runs = std::thread::scope(|scope| {
            let other = small().spawn_scoped(scope, start(SyncEvent::Scheduled));
            let run = start(SyncEvent::Manual)();
            [run, other.unwrap().join().unwrap()]
        });
        for run in runs {
            let report = run.wait_timeout(Duration::ZERO).expect("it is over");
            assert_eq!(report.handlers[0].1.result, HResult::E_OUTOFMEMORY);
        }
    }
}
