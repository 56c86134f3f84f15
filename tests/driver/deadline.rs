//! A completion that never comes ends the run past the deadline, and no sign of life is taken for silence.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::{
    CallbackError, ErrorId, HResult, HandlerReport, ItemReporter, ItemStatus, LogLevel, LogRecord,
    Phase, Prepared, ProgressUpdate, ProtocolViolation, RunOptions, SyncCallback,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, ids, value};

/// Short, for runs that are to reach it.
const SOON: Duration = Duration::from_millis(40);

#[track_caller]
fn assert_late(report: &HandlerReport, call: &'static str, phase: Phase) {
    let after = SOON;
    assert_eq!(
        report.faults,
        [ProtocolViolation::NotCompleted { call, after }]
    );
    assert_eq!((report.result, report.phase), (HResult::E_ABORT, phase));
    assert_eq!(
        report.abandoned_threads, 0,
        "the driver calls on its own thread"
    );
    assert!(!report.is_success());
}

#[test]
fn a_prepare_that_is_never_completed() {
    let script = Script::new(3).prepare(|_| Ok(Prepared::Started));
    let (handler, report) = script.run(RunOptions::new().deadline(SOON));
    assert_late(&report, "prepare_for_sync_completed", Phase::Preparing);
    assert_eq!(report.unfinished, ids(3));
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

#[test]
fn a_synchronize_that_is_never_completed_names_the_open_items() {
    let script = Script::new(3).synchronize(|handler| {
        let callback = handler.callback();
        let done = ProgressUpdate::new().status(ItemStatus::Succeeded);
        let _ = callback.progress(id(2), &done)?;
        let _ = callback.progress(id(3), &value(7))?;
        Ok(())
    });
    let (handler, report) = script.run(RunOptions::new().deadline(SOON));
    assert_late(&report, "synchronize_completed", Phase::Synchronizing);
    assert_eq!(report.unfinished, [id(1), id(3)]);
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

#[test]
fn a_show_error_that_is_never_completed() {
    let script = Script::new(1)
        .synchronize(|handler| {
            let record = LogRecord::new(LogLevel::Error, "full").jump_text(ErrorId::from_u128(1));
            handler.callback().log_error(&record)?;
            handler.finish_all(ItemStatus::Failed);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|_, _| Ok(()));
    let options = RunOptions::new().deadline(SOON).show_error_if(|_| true);
    let (handler, report) = script.run(options);
    assert_late(&report, "show_error_completed", Phase::Completed);
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

#[test]
fn without_a_deadline_a_late_completion_is_waited_for() {
    let (go, gate) = mpsc::channel();
    let gate = std::sync::Mutex::new(Some(gate));
    let handler = Script::new(1)
        .prepare(move |handler| {
            let handler = Arc::clone(handler);
            let gate = gate.lock().expect("no panic").take().expect("one round");
            thread::spawn(move || {
                support::receive("the gate", &gate);
                handler.complete_prepare(HResult::S_OK);
            });
            Ok(Prepared::Started)
        })
        .build();
    let runner = Arc::clone(&handler);
    let run = thread::spawn(move || runner.run(RunOptions::new()));
    support::until("the return of prepare", || {
        handler.count(|seen| matches!(seen, Seen::Prepare(_))) == 1 && !handler.is_inside()
    });
    go.send(()).expect("the handler waits");
    assert!(support::join("the run", run).is_success());
}

/// For runs that are not to reach it: so long that a thread which is ready to run gets its turn within it.
const LATER: Duration = Duration::from_millis(500);

/// Runs a handler whose synchronize does `alive` over and over, from a thread, for longer than the deadline.
fn busy(alive: impl Fn(&dyn SyncCallback, u64) + Send + Sync + 'static) -> HandlerReport {
    let alive = Arc::new(alive);
    let script = Script::new(1).unrecorded().synchronize(move |handler| {
        let (handler, alive) = (Arc::clone(handler), Arc::clone(&alive));
        thread::spawn(move || work(&handler, &*alive));
        Ok(())
    });
    script.run(RunOptions::new().deadline(LATER)).1
}

fn work(handler: &Scripted, alive: &dyn Fn(&dyn SyncCallback, u64)) {
    let callback = handler.callback();
    let begun = Instant::now();
    let mut n = 0;
    while begun.elapsed() < 2 * LATER {
        n += 1;
        alive(&*callback, n);
        thread::yield_now();
    }
    handler.finish_all(ItemStatus::Succeeded);
    handler.complete_synchronize(HResult::S_OK);
}

#[track_caller]
fn assert_alive(report: &HandlerReport) {
    assert!(report.is_success(), "{report:?}");
}

#[test]
fn values_that_change_are_a_sign_of_life() {
    assert_alive(&busy(|callback, n| {
        let _ = callback.progress(id(1), &value(n)).expect("open");
    }));
}

#[test]
fn checks_of_an_item_in_work_are_a_sign_of_life() {
    assert_alive(&busy(|callback, n| {
        let update = if n == 1 {
            value(1)
        } else {
            ProgressUpdate::CHECK
        };
        let _ = callback.progress(id(1), &update).expect("open");
    }));
}

#[test]
fn checks_of_an_item_that_waits_are_a_sign_of_life() {
    assert_alive(&busy(|callback, _| {
        let _ = callback.can_continue(Some(id(1))).expect("open");
    }));
}

#[test]
fn checks_of_a_reporter_are_a_sign_of_life() {
    let script = Script::new(1).unrecorded().synchronize(|handler| {
        let handler = Arc::clone(handler);
        thread::spawn(move || {
            let reporter = ItemReporter::new(&handler.callback(), id(1));
            // In work and with nothing left to tell, as while a server is asked.
            let _ = reporter.set(1).expect("open");
            work(&handler, &|_, _| {
                let _ = reporter.check().expect("open");
            });
        });
        Ok(())
    });
    let (_, report) = script.run(RunOptions::new().deadline(LATER));
    assert_alive(&report);
}

#[test]
fn checks_of_the_whole_handler_are_a_sign_of_life() {
    assert_alive(&busy(|callback, _| {
        let _ = callback.can_continue(None).expect("open");
    }));
}

#[test]
fn log_entries_even_refused_ones_are_a_sign_of_life() {
    assert_alive(&busy(|callback, _| {
        // More than the log takes.
        let _ = callback.log_error(&LogRecord::new(LogLevel::Information, "still here"));
    }));
}

#[test]
fn refused_reports_are_a_sign_of_life() {
    assert_alive(&busy(|callback, _| {
        let answer = callback.progress(id(9), &ProgressUpdate::CHECK);
        assert_eq!(answer, Err(CallbackError::UnknownItem));
    }));
}

#[test]
fn texts_are_a_sign_of_life() {
    assert_alive(&busy(|callback, _| {
        let update = ProgressUpdate::new().text("still here");
        let _ = callback.progress(id(1), &update).expect("open");
    }));
}

#[test]
fn the_longest_deadline_is_no_deadline() {
    let (_, report) = Script::new(1).run(RunOptions::new().deadline(Duration::MAX));
    assert!(report.is_success());
}
