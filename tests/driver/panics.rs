//! A handler that panics, wherever it does, ends its own run and nothing else.

use std::sync::Arc;
use std::thread;

use syncmgr::{
    ErrorId, HResult, HandlerReport, ItemReporter, ItemStatus, LogLevel, LogRecord, Phase,
    Prepared, ProtocolViolation, RunOptions,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, receive, view};

/// The report of a run that ended by a panic in `call`.
#[track_caller]
fn assert_panicked(report: &HandlerReport, call: &'static str) {
    let fault = ProtocolViolation::Panicked {
        call,
        message: format!("in {call}"),
    };
    assert_eq!(report.faults, [fault]);
    assert_eq!(report.result, HResult::E_UNEXPECTED);
    assert!(!report.is_success());
    let error = report.error.as_deref().expect("the panic's text");
    assert!(error.contains(&format!("in {call}")), "{error}");
}

/// The panic's text stands in the session's log, at level Error.
#[track_caller]
fn assert_logged(report: &HandlerReport, call: &str) {
    let session = report.session.as_ref().expect("a session");
    let text = format!("in {call}");
    let found = session
        .log()
        .into_iter()
        .any(|entry| entry.level == LogLevel::Error && entry.text.contains(&text));
    assert!(found, "{:?}", session.log());
}

/// The callback was taken away once, after everything else (rule M03).
#[track_caller]
fn assert_let_go(handler: &Scripted) {
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
    assert_eq!(handler.count(|seen| *seen == Seen::ClearCallback), 1);
}

#[test]
fn before_there_is_a_session() {
    let scripts = [
        (
            "initialize",
            Script::new(1).initialize(|_, _| panic!("in initialize")),
        ),
        ("info", Script::new(1).info(|_| panic!("in info"))),
        ("items", Script::new(1).items(|_| panic!("in items"))),
    ];
    for (call, script) in scripts {
        let (handler, report) = script.run(RunOptions::new());
        assert_panicked(&report, call);
        assert_eq!((report.phase, report.rounds), (Phase::Idle, 0));
        assert!(report.session.is_none());
        assert_eq!(
            handler.count(|seen| matches!(seen, Seen::SetCallback | Seen::ClearCallback)),
            0
        );
    }
}

#[test]
fn when_the_callback_is_set() {
    let script = Script::new(1).callback_set(|_| panic!("in set_progress_callback"));
    let (handler, report) = script.run(RunOptions::new());
    assert_panicked(&report, "set_progress_callback");
    assert_logged(&report, "set_progress_callback");
    assert_let_go(&handler);
    assert_eq!(handler.count(|seen| matches!(seen, Seen::Prepare(_))), 0);
}

#[test]
fn when_the_callback_is_taken_away() {
    let script = Script::new(1).callback_cleared(|_| panic!("in set_progress_callback"));
    let (handler, report) = script.run(RunOptions::new());
    assert_panicked(&report, "set_progress_callback");
    assert_logged(&report, "set_progress_callback");
    assert_let_go(&handler);
    assert_eq!(report.phase, Phase::Completed);
    let session = report.session.as_ref().expect("a session");
    assert_eq!(session.phase(), Phase::Released);
}

#[test]
fn in_prepare() {
    let script = Script::new(2).prepare(|_| panic!("in prepare_for_sync"));
    let (handler, report) = script.run(RunOptions::new());
    assert_panicked(&report, "prepare_for_sync");
    assert_logged(&report, "prepare_for_sync");
    assert_let_go(&handler);
    assert_eq!((report.phase, report.rounds), (Phase::Completed, 1));
    assert_eq!(report.unfinished, support::ids(2));
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 0);
}

#[test]
fn in_synchronize() {
    let script = Script::new(2).synchronize(|_| panic!("in synchronize"));
    let (handler, report) = script.run(RunOptions::new());
    assert_panicked(&report, "synchronize");
    assert_logged(&report, "synchronize");
    assert_let_go(&handler);
    assert_eq!((report.phase, report.rounds), (Phase::Completed, 1));
    assert_eq!(report.unfinished, support::ids(2));
}

#[test]
fn when_it_is_told_of_a_skip() {
    // The completion never comes: the run ends by the panic alone, and does not wait.
    let script = Script::new(1)
        .prepare(|_| Ok(Prepared::Started))
        .set_item_status(|_, _| panic!("in set_item_status"));
    let options = RunOptions::new().on_session(|session| {
        session.skip_item(id(1)).expect("the item is known");
    });
    let (handler, report) = script.run(options);
    assert_panicked(&report, "set_item_status");
    assert_logged(&report, "set_item_status");
    assert_let_go(&handler);
    assert_eq!(report.phase, Phase::Preparing);
}

#[test]
fn when_it_shows_an_error() {
    let script = Script::new(1)
        .synchronize(|handler| {
            let record = LogRecord::new(LogLevel::Error, "full").jump_text(ErrorId::from_u128(1));
            handler.callback().log_error(&record)?;
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|_, _| panic!("in show_error"));
    let (handler, report) = script.run(RunOptions::new().show_error_if(|_| true));
    assert_panicked(&report, "show_error");
    assert_logged(&report, "show_error");
    assert_let_go(&handler);
}

#[test]
fn a_text_of_any_kind_is_kept_or_done_without() {
    let owned = Script::new(1).prepare(|_| panic!("{} items", 1));
    let (_, report) = owned.run(RunOptions::new());
    let message = |report: &HandlerReport| match report.faults.as_slice() {
        [ProtocolViolation::Panicked { message, .. }] => message.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(message(&report), "1 items");

    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("the payload panics too");
        }
    }
    let other = Script::new(1).prepare(|_| std::panic::panic_any(Loud));
    let (_, report) = other.run(RunOptions::new());
    assert_eq!(message(&report), "it gave no text");
    assert_eq!(report.result, HResult::E_UNEXPECTED);
}

#[test]
fn a_panic_in_the_hosts_own_choice_lets_the_handler_go_first() {
    let handler = Script::new(1)
        .synchronize(|handler| {
            let record = LogRecord::new(LogLevel::Error, "full").jump_text(ErrorId::from_u128(1));
            handler.callback().log_error(&record)?;
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .build();
    let runner = Arc::clone(&handler);
    let outcome = support::within("the run", move || {
        thread::spawn(move || {
            syncmgr::run_handler(
                runner,
                RunOptions::new().show_error_if(|_| panic!("the host's own")),
            )
        })
        .join()
        .is_err()
    });
    assert!(outcome, "the host's panic goes to the host");
    assert_let_go(&handler);
}

#[test]
fn a_worker_that_panics_with_its_reporter_ends_its_item_failed() {
    let (_, report) = Script::new(2)
        .synchronize(|handler| {
            let handler = Arc::clone(handler);
            let (done, joined) = std::sync::mpsc::channel();
            let callback = handler.callback();
            let worker = thread::spawn(move || {
                let reporter = ItemReporter::new(&callback, id(1));
                assert!(reporter.set(5).is_ok());
                panic!("the worker's own");
            });
            thread::spawn(move || {
                assert!(worker.join().is_err());
                done.send(()).expect("the test waits");
            });
            receive("the worker's end", &joined);
            let second = ItemReporter::new(&handler.callback(), id(2));
            second.succeed()?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(RunOptions::new());
    let session = report.session.as_ref().expect("a session");
    let first = view(session, 1);
    assert_eq!(
        (first.status, first.value, first.text.as_str()),
        (ItemStatus::Failed, 5, "worker panicked")
    );
    assert_eq!(view(session, 2).status, ItemStatus::Succeeded);
    assert!(report.unfinished.is_empty());
    assert_eq!(report.result, HResult::S_OK);
    assert!(!report.is_success(), "an item failed");
    let logged = session.log();
    assert!(
        logged
            .iter()
            .any(|entry| entry.item == Some(id(1)) && entry.level == LogLevel::Error),
        "{logged:?}"
    );
}

#[test]
fn a_handler_whose_drop_panics_does_not_take_the_report_away() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("the handler's drop");
        }
    }
    let loud = Loud;
    let handler = Script::new(1)
        .info(move |_| {
            let _ = &loud;
            Ok(syncmgr::HandlerInfo::new(
                syncmgr::HandlerName::truncate_start("loud"),
            ))
        })
        .build();
    let report = support::within("the run", move || {
        syncmgr::run_handler(handler, RunOptions::new())
    });
    assert!(report.is_success());
}
