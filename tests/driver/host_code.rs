//! Code of the host that panics while a handler is driven: its connector, and what its closures have captured.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::handler::{Script, Scripted};
use support::within;
use syncmgr::{
    CallbackError, HResult, HandlerError, HandlerFlags, HandlerInfo, HandlerName, HandlerReport,
    ItemStatus, LogLevel, Prepared, RunOptions, SyncCallback, run_handler,
};

/// A handler of one item that may connect.
fn may_connect() -> Script {
    Script::new(1).info(|_| {
        let info = HandlerInfo::new(HandlerName::try_from("connects")?);
        Ok(info.flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
    })
}

fn no_line(_: Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError> {
    panic!("no line today")
}

/// The handler was refused and went on, and the log says why.
#[track_caller]
fn assert_refused_and_logged(report: &HandlerReport) {
    assert!(report.is_success(), "{report:?}");
    let session = report.session.as_ref().expect("it listed its items");
    let log = session.log();
    let logged: Vec<_> = log
        .iter()
        .map(|entry| (entry.level, &*entry.text))
        .collect();
    let panic = (LogLevel::Error, "the connector panicked: no line today");
    assert_eq!(logged, [panic]);
}

#[track_caller]
fn assert_not_connected(callback: &Arc<dyn SyncCallback>) {
    let answer = callback.establish_connection(Some("office"));
    assert_eq!(answer, Err(CallbackError::NotConnected));
}

#[test]
fn a_connector_that_panics_on_a_thread_of_the_handler_does_not_end_that_thread() {
    let script = may_connect().synchronize(|handler: &Arc<Scripted>| {
        let handler = Arc::clone(handler);
        thread::spawn(move || {
            assert_not_connected(&handler.callback());
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
        });
        Ok(())
    });
    let (_, report) = script.run(RunOptions::new().connector(no_line));
    assert_refused_and_logged(&report);
}

#[test]
fn a_connector_that_panics_inside_a_call_is_not_a_fault_of_the_handler() {
    let script = may_connect().prepare(|handler| {
        assert_not_connected(&handler.callback());
        handler.complete_prepare(HResult::S_OK);
        Ok(Prepared::Started)
    });
    let (_, report) = script.run(RunOptions::new().connector(no_line));
    assert_refused_and_logged(&report);
    assert_eq!(report.faults, []);
}

/// Counts its drop, and panics in it.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("the drop of a captured value");
    }
}

#[test]
fn all_closures_of_the_options_may_panic_when_they_are_dropped_uncalled() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let [connects, first, second, shows] = [(); 4].map(|()| Bomb(Arc::clone(&dropped)));
    let options = RunOptions::new()
        .connector(move |name: Option<&str>| {
            let _captured = &connects;
            no_line(name)
        })
        .on_session(move |_| drop(first))
        .on_session(move |_| drop(second))
        .show_error_if(move |_| {
            let _captured = &shows;
            false
        });
    let handler = Script::new(1)
        .items(|_| Err(HandlerError::failed("no list today")))
        .build();
    let report = within("the run", move || run_handler(handler, options));
    assert_eq!(report.error.as_deref(), Some("items: no list today"));
    assert_eq!(dropped.load(Ordering::SeqCst), 4);
}

#[test]
fn closures_that_panic_when_they_are_dropped_do_not_replace_a_panic_of_the_host() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let handler = Script::new(1).build();
    let options = RunOptions::new().on_session(|_| panic!("no display today"));
    let later = Bomb(Arc::clone(&dropped));
    let options = options.on_session(move |_| drop(later));
    let shows = Bomb(Arc::clone(&dropped));
    let options = options.show_error_if(move |_| {
        let _captured = &shows;
        false
    });
    let run = AssertUnwindSafe(|| run_handler(handler, options));
    let payload = catch_unwind(run).expect_err("the host panics");
    assert_eq!(payload.downcast_ref(), Some(&"no display today"));
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}
