//! Connections: shared by the handlers of a run, and kept until the last of them was let go.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use support::gate::{
    Gate, fails, finish, gated, goes_well, is_cancelled, may_connect, named, of, shows_errors,
    status_of, wait_for,
};
use support::manager::{REMOVED, Records, handler_id, remove, script};
use support::{id, join, until};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    CallbackError, ErrorId, HResult, HandlerFlags, ItemStatus, LogLevel, LogRecord,
    ProtocolViolation, SyncManager, SyncManagerBuilder,
};

/// What is open.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<usize>>);

struct Line(Lines);

impl Drop for Line {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() -= 1;
    }
}

impl Lines {
    fn manager(&self) -> SyncManagerBuilder {
        let lines = self.clone();
        SyncManager::builder().connector(
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                *lines.0.lock().unwrap() += 1;
                Ok(Box::new(Line(lines.clone())))
            },
        )
    }

    fn open(&self) -> usize {
        *self.0.lock().unwrap()
    }
}

#[test]
fn stopped_while_connections_are_open() {
    let lines = Lines::default();
    let manager = Arc::new(lines.manager().concurrency(2).build());
    let records = Records::default();
    let (gate, other) = (Gate::new(), Gate::new());
    let steps = [Step::connect(Some("office"))]
        .into_iter()
        .chain(gated(id(1), &gate));
    records.register(&manager, 1, may_connect(1).synchronize(steps));
    let busy = Script::new()
        .sync_item(named(2))
        .synchronize(gated(id(2), &other));
    records.register(&manager, 2, busy);
    let run = manager.update_all();
    gate.reached();
    other.reached();
    assert_eq!(lines.open(), 1);
    let same = manager.clone();
    let gone = thread::spawn(move || remove(&same, 1));
    is_cancelled(&run, 1);
    gate.open();
    assert_eq!(join("the stop", gone), REMOVED);
    assert_eq!(lines.open(), 1, "another handler of the run goes on (M08)");
    assert!(!run.is_over());
    other.open();
    let report = finish(&run);
    assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Stopped));
    assert_eq!(status_of(of(&report, 2), 2), Some(ItemStatus::Succeeded));
    until("the connection is closed", || lines.open() == 0);
    records.judge();
}

#[test]
fn hung_while_a_connection_is_open() {
    let lines = Lines::default();
    let manager = lines.manager().deadline(Duration::from_millis(200)).build();
    let records = Records::default();
    let hang = Gate::new();
    let steps = [Step::connect(None), hang.step()];
    records.register(&manager, 1, may_connect(1).prepare(steps));
    records.register(&manager, 2, script(2));
    let run = manager.update_all();
    let report = finish(&run);
    let hung = of(&report, 1);
    assert_eq!((hung.result, hung.abandoned_threads), (HResult::E_ABORT, 1));
    assert!(of(&report, 2).is_success());
    until("the connection is closed", || lines.open() == 0);
    hang.open();
    records.judge();
}

#[test]
fn a_panic_while_an_error_is_shown_with_a_turn_and_a_connection() {
    let open = Arc::new(AtomicUsize::new(0));
    struct Line(Arc<AtomicUsize>);
    impl Drop for Line {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let opens = open.clone();
    let manager = shows_errors()
        .connector(
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                opens.fetch_add(1, Ordering::SeqCst);
                Ok(Box::new(Line(opens.clone())))
            },
        )
        .build();
    let records = Records::default();
    let steps = [
        Step::connect(None),
        Step::enable_modeless(true),
        Step::run(|| panic!("cannot show it")),
    ];
    let script = fails()
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .show_error(steps, Ok(()));
    records.register(&manager, 1, script);
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert!(
        matches!(&one.faults[..], [ProtocolViolation::Panicked { call, .. }] if *call == "show_error"),
        "{:?}",
        one.faults
    );
    assert_eq!(status_of(one, 1), Some(ItemStatus::Succeeded));
    assert!(!manager.dialog_arbiter().is_taken());
    until("the connection is closed", || {
        open.load(Ordering::SeqCst) == 0
    });
    records.judge();
}

#[test]
fn a_connection_is_opened_by_its_name() {
    let names: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let asked = names.clone();
    let manager = SyncManager::builder()
        .connector(
            move |name: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                asked.lock().unwrap().push(name.map(str::to_owned));
                Ok(Box::new(()))
            },
        )
        .build();
    let records = Records::default();
    let steps = [Some("office"), None, Some(""), Some("office")].map(Step::connect);
    records.register(&manager, 1, may_connect(1).prepare(steps));
    goes_well(&manager.update_all());
    let asked = [Some("office"), None, Some(""), Some("office")];
    let asked = asked.map(|name| name.map(str::to_owned));
    assert_eq!(*names.lock().unwrap(), asked);
    records.judge();
}

#[test]
fn the_connections_of_one_run_do_not_wait_for_another_run() {
    let lines = Lines::default();
    let manager = lines.manager().concurrency(2).build();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    for (n, gate) in (1..).zip(&gates) {
        let steps = [Step::connect(None)].into_iter().chain(gated(id(n), gate));
        records.register(&manager, n, may_connect(n).synchronize(steps));
    }
    let runs = [1, 2].map(|n| manager.sync_items(handler_id(n), [id(n)]).unwrap());
    gates.iter().for_each(Gate::reached);
    assert_eq!(lines.open(), 2);
    gates[0].open();
    goes_well(&runs[0]);
    until("the connection is closed", || lines.open() == 1);
    gates[1].open();
    goes_well(&runs[1]);
    until("the connection is closed", || lines.open() == 0);
    records.judge();
}

#[test]
fn a_connection_that_panics_when_it_is_closed_harms_nobody() {
    struct Breaks;
    impl Drop for Breaks {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("the line is dead");
            }
        }
    }
    let manager = SyncManager::builder()
        .connector(
            |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                Ok(Box::new(Breaks))
            },
        )
        .build();
    let records = Records::default();
    records.register(&manager, 1, may_connect(1).prepare([Step::connect(None)]));
    for _ in 0..3 {
        wait_for(&manager.update_all());
    }
    assert_eq!(records.made(), 3);
    records.judge();
}

#[test]
fn a_connection_stays_open_over_the_retries() {
    let lines = Lines::default();
    let manager = lines
        .manager()
        .show_error_if(|_| true)
        .max_retries(1)
        .build();
    let records = Records::default();
    let gate = Gate::at(2);
    let error = ErrorId::from_u128(7);
    let log = Step::log(&LogRecord::new(LogLevel::Error, "e").jump_text(error));
    let steps = [log].into_iter().chain(gated(id(1), &gate));
    let again = Step::complete_show_error(HResult::S_SYNCMGR_RETRYSYNC, [id(1)]);
    let once = AtomicUsize::new(0);
    let connect = Step::call(move |callback| {
        if once.fetch_add(1, Ordering::SeqCst) == 0 {
            assert_eq!(callback.establish_connection(None), Ok(()));
        }
    });
    let script = may_connect(1)
        .prepare([connect])
        .synchronize(steps)
        .show_error([again], Ok(()));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    assert_eq!(lines.open(), 1);
    gate.open();
    wait_for(&run);
    until("the connection is closed", || lines.open() == 0);
    records.judge();
}
