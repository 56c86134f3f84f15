//! A wrapper between host and handler that forwards every call sees every call, and changes nothing.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, ItemReporter, ItemStatus,
    LogLevel, LogRecord, LogSelector, Prepared, ProgressUpdate, PropertiesOutcome, RunOptions,
    Session, SyncCallback, Verdict, run_handler,
};

use support::forward::{Counts, Forward, WrappingHandler};
use support::handler::{Script, Scripted, Seen};
use support::{Wakes, id, item, join, synchronizing, value, view, within};

/// A session that synchronizes, behind a wrapper.
fn wrapped(n: u128) -> (Arc<Session>, Arc<dyn SyncCallback>, Arc<Counts>) {
    let session = synchronizing(n);
    let counts = Counts::new();
    let wrapper = Arc::new(Forward {
        inner: session.clone(),
        counts: Arc::clone(&counts),
    });
    (session, wrapper, counts)
}

#[track_caller]
fn reporter(callback: &Arc<dyn SyncCallback>, n: u128) -> ItemReporter {
    ItemReporter::new(callback, id(n))
}

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

#[test]
fn a_reporter_on_a_wrapper_goes_by_calls() {
    let (session, wrapper, counts) = wrapped(1);
    let reporter = reporter(&wrapper, 1);
    assert_eq!(
        counts.of("progress"),
        0,
        "making one is no call of progress"
    );
    for n in 1..=10 {
        assert_eq!(reporter.set(n), Ok(Verdict::Continue));
        assert_eq!(counts.of("progress"), n as usize);
    }
    assert_eq!(reporter.check(), Ok(Verdict::Continue));
    let asked = counts.of("progress") + counts.of("can_continue");
    assert_eq!(asked, 11, "a check is a call too");
    assert_eq!(
        reporter.report(&ProgressUpdate::new().text("t").max(20)),
        Ok(Verdict::Continue)
    );
    assert_eq!(counts.values(), (1..=10).collect::<Vec<_>>());
    let seen = view(&session, 1);
    assert_eq!((seen.value, seen.max, seen.text.as_str()), (10, 20, "t"));
}

#[test]
fn a_reporter_on_a_wrapper_keeps_its_own_total() {
    let (session, wrapper, counts) = wrapped(1);
    let reporter = reporter(&wrapper, 1);
    for step in [3, 4, 0, 5] {
        assert_eq!(reporter.advance(step), Ok(Verdict::Continue));
    }
    assert_eq!(counts.values(), [3, 7, 7, 12]);
    assert_eq!(view(&session, 1).value, 12);
}

#[test]
fn a_refused_report_does_not_count_in_the_total_of_a_reporter_on_a_wrapper() {
    let session = support::driven(1);
    let wrapper: Arc<dyn SyncCallback> = Arc::new(Forward {
        inner: session.clone(),
        counts: Counts::new(),
    });
    let reporter = reporter(&wrapper, 1);
    assert_eq!(reporter.advance(5), Err(CallbackError::WrongPhase));
    support::start_round(&session, &[id(1)]);
    assert_eq!(reporter.advance(3), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 3);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(reporter.set(100), Err(CallbackError::WrongPhase));
    assert_eq!(reporter.advance(50), Err(CallbackError::WrongPhase));
    support::start_round(&session, &[id(1)]);
    assert_eq!(reporter.advance(4), Ok(Verdict::Continue));
    assert_eq!(view(&session, 1).value, 7, "what was taken, and no more");
}

#[test]
fn a_reporter_on_a_wrapper_hears_cancels() {
    let (session, wrapper, _) = wrapped(2);
    let (first, second) = (reporter(&wrapper, 1), reporter(&wrapper, 2));
    assert_eq!(first.set(1), Ok(Verdict::Continue));
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(first.set(2), Ok(Verdict::CancelItem));
    assert_eq!(first.advance(2), Ok(Verdict::CancelItem));
    assert_eq!(first.check(), Ok(Verdict::CancelItem));
    assert_eq!(first.stop(), Ok(()));
    assert_eq!(view(&session, 1).status, ItemStatus::Stopped);
    session.cancel_all();
    assert_eq!(second.check(), Ok(Verdict::CancelAll));
}

#[test]
fn an_unknown_item_shows_at_the_first_report_of_a_wrapper() {
    let (_, wrapper, counts) = wrapped(1);
    let reporter = reporter(&wrapper, 9);
    assert_eq!(counts.of("progress"), 0);
    assert_eq!(reporter.set(1), Err(CallbackError::UnknownItem));
    assert_eq!(reporter.check(), Err(CallbackError::UnknownItem));
}

#[test]
fn the_endings_go_through_a_wrapper() {
    let (session, wrapper, counts) = wrapped(4);
    assert_eq!(reporter(&wrapper, 1).succeed(), Ok(()));
    assert_eq!(reporter(&wrapper, 2).skip(), Ok(()));
    assert_eq!(reporter(&wrapper, 3).stop(), Ok(()));
    assert_eq!(counts.of("progress"), 3);
    assert_eq!(reporter(&wrapper, 4).fail(&Broken), Ok(()));
    assert_eq!((counts.of("progress"), counts.of("log_error")), (4, 1));
    let order = counts.order();
    assert_eq!(
        order[order.len() - 2..],
        ["log_error", "progress"],
        "fail logs first"
    );
    let statuses = [1, 2, 3, 4].map(|n| view(&session, n).status);
    let expected = [
        ItemStatus::Succeeded,
        ItemStatus::Skipped,
        ItemStatus::Stopped,
        ItemStatus::Failed,
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn a_panic_ends_an_item_through_a_wrapper() {
    let (session, wrapper, counts) = wrapped(1);
    let worker = reporter(&wrapper, 1);
    let panicked = thread::spawn(move || {
        assert_eq!(worker.set(5), Ok(Verdict::Continue));
        panic!("the worker breaks");
    })
    .join();
    assert!(panicked.is_err());
    assert_eq!(view(&session, 1).status, ItemStatus::Failed);
    assert!(counts.of("progress") >= 2);
}

#[test]
fn a_reporter_dropped_on_a_wrapper_reports_nothing() {
    let (_, wrapper, counts) = wrapped(1);
    let worker = reporter(&wrapper, 1);
    assert_eq!(worker.set(5), Ok(Verdict::Continue));
    drop(worker);
    assert_eq!(counts.of("progress"), 1);
}

#[test]
fn a_stale_reporter_is_no_stranger_through_a_wrapper() {
    // Without a slot the reporter cannot know of the retry: it goes by the answers of the calls.
    let (session, wrapper, _) = wrapped(1);
    let worker = reporter(&wrapper, 1);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(worker.set(1), Err(CallbackError::WrongPhase));
    session.driver().release();
    assert_eq!(worker.set(1), Err(CallbackError::Released));
}

/// Calls every method of the callback once, the two completions aside.
fn call_every_method(callback: &dyn SyncCallback) -> Result<(), CallbackError> {
    let verdict = callback.progress(id(1), &value(5))?;
    assert_eq!(verdict, Verdict::Continue);
    let error = ErrorId::from_u128(7);
    callback.log_error(&LogRecord::new(LogLevel::Error, "text").error_id(error))?;
    callback.delete_log_error(LogSelector::ById(error))?;
    callback.show_properties_completed(PropertiesOutcome::Done)?;
    assert_eq!(
        callback.enable_modeless(true)?,
        Dialog::Denied,
        "the user may not be bothered"
    );
    assert_eq!(callback.enable_modeless(false)?, Dialog::Granted);
    callback.establish_connection(Some("office"))?;
    assert_eq!(callback.can_continue(Some(id(1)))?, Verdict::Continue);
    assert_eq!(callback.can_continue(None)?, Verdict::Continue);
    callback.wake_on_cancel(Some(id(1)), &Wakes::new().waker())?;
    callback.add_item(item(3))?;
    assert_eq!(callback.set_handler_text("working")?, Verdict::Continue);
    callback.propose_item(item(4))?;
    callback.commit_item(id(4))?;
    assert_eq!(callback.additional_items()?, []);
    let _ = callback.progress(id(3), &ProgressUpdate::new().status(ItemStatus::Succeeded))?;
    Ok(())
}

#[test]
fn a_wrapped_handler_runs_and_every_call_is_seen() {
    let counts = Counts::new();
    let error = ErrorId::from_u128(1);
    let handler: Arc<Scripted> = Script::new(2)
        .synchronize(move |handler| {
            let callback = handler.callback();
            call_every_method(&*callback)?;
            callback.log_error(&LogRecord::new(LogLevel::Error, "look").jump_text(error))?;
            let worker = ItemReporter::new(&callback, id(2));
            for n in 1..=100 {
                assert_eq!(worker.set(n)?, Verdict::Continue);
            }
            worker.succeed()?;
            let _ =
                callback.progress(id(1), &ProgressUpdate::new().status(ItemStatus::Succeeded))?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .build();
    let wrapping = Arc::new(WrappingHandler {
        inner: handler.clone(),
        counts: Arc::clone(&counts),
    });
    let opened = Arc::new(AtomicUsize::new(0));
    let connector = {
        let opened = Arc::clone(&opened);
        move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
            opened.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(()))
        }
    };
    let options = RunOptions::new()
        .connector(connector)
        .show_error_if(|_| true);
    let report = within("run_handler", move || run_handler(wrapping, options));

    assert_eq!(report.result, HResult::S_OK);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert!(report.is_success());
    assert_eq!(handler.count(|seen| *seen == Seen::ShowError(error)), 1);
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    for (method, at_least) in [
        ("progress", 104),
        ("log_error", 2),
        ("delete_log_error", 1),
        ("prepare_for_sync_completed", 1),
        ("synchronize_completed", 1),
        ("show_error_completed", 1),
        ("show_properties_completed", 1),
        ("enable_modeless", 2),
        ("establish_connection", 1),
        ("can_continue", 2),
        ("wake_on_cancel", 1),
        ("add_item", 1),
        ("propose_item", 1),
        ("commit_item", 1),
        ("additional_items", 1),
        ("set_handler_text", 1),
    ] {
        assert_eq!(counts.of(method), at_least, "{method}");
    }
    let session = report.session.expect("the run has a session");
    assert_eq!(view(&session, 2).value, 100);
    assert!(report.unfinished.is_empty());
}

#[test]
fn a_wrapped_handler_hears_a_cancel_from_another_thread() {
    let counts = Counts::new();
    let handler = Script::new(1)
        .prepare(|handler| {
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
        .synchronize(|handler| {
            let callback = handler.callback();
            thread::spawn(move || {
                let worker = ItemReporter::new(&callback, id(1));
                let deadline = support::Deadline::new("the cancel");
                while worker.advance(1)?.is_continue() {
                    deadline.tick();
                }
                worker.stop()?;
                callback.synchronize_completed(HResult::S_OK)?;
                Ok::<_, HandlerError>(())
            });
            Ok(())
        })
        .build();
    let wrapping = Arc::new(WrappingHandler {
        inner: handler,
        counts: Arc::clone(&counts),
    });
    let (hand_over, session) = std::sync::mpsc::channel();
    let canceller = thread::spawn(move || {
        let session: Arc<Session> = support::receive("the session", &session);
        support::until("the first report", || view(&session, 1).value > 10);
        session.cancel_item(id(1))
    });
    let options = RunOptions::new().on_session(move |session| {
        assert!(
            hand_over.send(session).is_ok(),
            "the canceller waits for it"
        );
    });
    let report = within("run_handler", move || run_handler(wrapping, options));
    assert_eq!(join("the canceller", canceller), Ok(()));
    assert_eq!(report.result, HResult::S_OK);
    let session = report.session.expect("the run has a session");
    assert_eq!(view(&session, 1).status, ItemStatus::Stopped);
    assert!(counts.of("progress") > 10);
}

#[test]
fn outcomes_of_the_users_dialogs_go_through_a_wrapper() {
    let (session, wrapper, counts) = wrapped(2);
    assert_eq!(
        wrapper.show_properties_completed(PropertiesOutcome::ItemsChanged),
        Ok(())
    );
    assert_eq!(counts.of("show_properties_completed"), 1);
    assert_eq!(
        wrapper.show_error_completed(ErrorOutcome::Retry(&[id(2)])),
        Ok(())
    );
    assert_eq!(counts.of("show_error_completed"), 1);
    let events: Vec<_> =
        std::iter::from_fn(|| session.driver().next_event(std::time::Duration::ZERO)).collect();
    let retry = syncmgr::HostEvent::ShowErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, vec![id(2)]);
    assert!(events.contains(&retry), "{events:?}");
    let changed = syncmgr::HostEvent::ShowPropertiesCompleted(PropertiesOutcome::ItemsChanged);
    assert!(events.contains(&changed), "{events:?}");
}
