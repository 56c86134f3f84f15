//! Faults around the driver: skips that outlive their round, panics outside the handler's methods, late completions.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use support::handler::{Script, Scripted, Seen};
use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, HResult, HandlerError, ItemId, ItemStatus, LogLevel,
    LogRecord, Phase, ProgressUpdate, ProtocolViolation, RunOptions, Session, SyncHandler, Verdict,
    run_handler,
};

const A: ItemId = ItemId::from_u128(1);
const B: ItemId = ItemId::from_u128(2);
const ERROR: ErrorId = ErrorId::from_u128(7);

/// The items of each prepare.
fn rounds(handler: &Scripted) -> Vec<Vec<ItemId>> {
    let prepares = handler.seen().into_iter().filter_map(|seen| match seen {
        Seen::Prepare(items) => Some(items),
        _ => None,
    });
    prepares.collect()
}

/// The items that the handler was told to skip.
fn skipped(handler: &Scripted) -> Vec<ItemId> {
    let skips = handler.seen().into_iter().filter_map(|seen| match seen {
        Seen::SetItemStatus(item, status) => {
            assert_eq!(status, ItemStatus::Skipped);
            Some(item)
        }
        _ => None,
    });
    skips.collect()
}

/// Ends the items of the round that are not ended yet, each as its verdict says.
fn finish(handler: &Scripted) -> Result<(), HandlerError> {
    let callback = handler.callback();
    for item in handler.round() {
        let last = match callback.can_continue(Some(item)) {
            Ok(Verdict::Continue) => ItemStatus::Succeeded,
            Ok(_) => ItemStatus::Skipped,
            Err(CallbackError::ItemFinished) => continue,
            Err(error) => return Err(error.into()),
        };
        let _ = callback.progress(item, &ProgressUpdate::new().status(last))?;
    }
    Ok(())
}

/// Ends the items that are left, and completes.
fn finish_and_complete(handler: &Scripted) -> Result<(), HandlerError> {
    finish(handler)?;
    handler.callback().synchronize_completed(HResult::S_OK)?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the session for the handler's hooks, which then play the user.
fn kept() -> (Arc<Mutex<Option<Arc<Session>>>>, RunOptions) {
    let session = Arc::new(Mutex::new(None));
    let keep = session.clone();
    let options = RunOptions::new().on_session(move |session| *lock(&keep) = Some(session));
    (session, options)
}

fn user(session: &Mutex<Option<Arc<Session>>>) -> Arc<Session> {
    lock(session).clone().expect("on_session came first")
}

/// The user skips A so late in the first round that the handler cannot be told, and B in the second round, which has
/// these items. Answers the items that the handler was told to skip.
fn told_after_a_late_skip(second: &'static [ItemId]) -> Vec<ItemId> {
    let (session, options) = kept();
    let script = Script::new(2)
        .synchronize({
            let session = session.clone();
            move |handler| {
                if rounds(handler).len() > 1 {
                    user(&session).skip_item(B)?;
                    return Ok(()); // completed when B is told, see below
                }
                user(&session).skip_item(A)?;
                let record = LogRecord::new(LogLevel::Error, "again?").jump_text(ERROR);
                handler.callback().log_error(&record)?;
                finish_and_complete(handler)
            }
        })
        .set_item_status(|handler, item| match item {
            B => finish_and_complete(handler),
            _ => Ok(()),
        })
        .show_error(move |handler, _| {
            let outcome = ErrorOutcome::Retry(second);
            handler.callback().show_error_completed(outcome)?;
            Ok(())
        });
    let (handler, report) = script.run(options.show_error_if(|_| true).max_retries(1));
    assert_eq!(report.faults, []);
    assert_eq!(rounds(&handler), [vec![A, B], second.to_vec()]);
    skipped(&handler)
}

#[test]
fn a_skip_of_an_earlier_round_is_not_told_after_the_retry_took_it_back() {
    assert_eq!(told_after_a_late_skip(&[A, B]), [B]);
}

#[test]
fn a_skip_of_an_earlier_round_is_not_told_in_a_round_without_the_item() {
    assert_eq!(told_after_a_late_skip(&[B]), [B]);
}

#[test]
fn a_skip_of_an_item_that_is_not_selected_is_not_told() {
    let script = Script::new(2)
        .synchronize(|_| Ok(())) // completed when B is told
        .set_item_status(|handler, item| match item {
            B => finish_and_complete(handler),
            _ => Ok(()),
        });
    let options = RunOptions::new().select([B]).on_session(|session| {
        assert_eq!(session.skip_item(A), Ok(()));
        assert_eq!(session.skip_item(B), Ok(()));
    });
    let (handler, report) = script.run(options);
    support::went_through(&report);
    assert_eq!(skipped(&handler), [B]);
}

#[test]
fn a_panic_in_on_session_releases_the_session() {
    let (session, options) = kept();
    let options = options.on_session(|_| panic!("the host's own code"));
    let handler: Arc<dyn SyncHandler> = Script::new(2).build();
    let ended = catch_unwind(AssertUnwindSafe(|| run_handler(handler, options)));
    assert!(ended.is_err(), "the host's own panic goes on to the host");
    assert_eq!(user(&session).phase(), Phase::Released); // so whoever follows it stops
}

/// An error that cannot even say what it is.
#[derive(Debug)]
struct Speechless;

impl fmt::Display for Speechless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no words");
    }
}

impl Error for Speechless {}

fn speechless() -> HandlerError {
    HandlerError::Failed(Box::new(Speechless))
}

#[test]
fn an_error_whose_text_panics_ends_the_run_as_a_panic_of_the_method() {
    let in_items = Script::new(2).items(|_| Err(speechless()));
    let in_synchronize = Script::new(2).synchronize(|_| Err(speechless()));
    for (script, name) in [(in_items, "items"), (in_synchronize, "synchronize")] {
        let (_, report) = script.run(RunOptions::new());
        assert_eq!(report.result, HResult::E_UNEXPECTED, "{name}");
        let fault = ProtocolViolation::Panicked {
            call: name,
            message: "no words".to_owned(),
        };
        assert_eq!(report.faults, [fault]);
    }
}

#[test]
fn a_completion_that_comes_while_the_callback_is_taken_away_is_a_fault() {
    let script = Script::new(2).callback_cleared(|handler| {
        let callback = handler.callback();
        callback.show_error_completed(ErrorOutcome::Done)?;
        Ok(())
    });
    let (_, report) = script.run(RunOptions::new());
    let fault = ProtocolViolation::UnexpectedCompletion {
        call: "show_error_completed",
    };
    assert_eq!(report.faults, [fault]);
}

#[test]
fn a_session_that_the_user_releases_ends_the_run_wherever_it_is() {
    // In on_session.
    let (_, report) =
        Script::new(2).run(RunOptions::new().on_session(|session| session.driver().release()));
    assert_eq!((report.rounds, report.phase), (0, Phase::Released));
    assert!(!report.is_success());
    // While its completion is awaited, for ever and with a deadline that does not come.
    for deadline in [None, Some(Duration::MAX)] {
        let (session, mut options) = kept();
        if let Some(deadline) = deadline {
            options = options.deadline(deadline);
        }
        let script = Script::new(2).synchronize(move |_| {
            let session = user(&session);
            thread::spawn(move || session.driver().release());
            Ok(())
        });
        let (_, report) = script.run(options);
        assert_eq!(report.result, HResult::E_ABORT);
        assert_eq!(
            (report.phase, report.unfinished),
            (Phase::Released, vec![A, B])
        );
        assert_eq!(report.faults, []);
    }
}

#[test]
fn a_deadline_of_nothing_ends_a_silent_wait_and_takes_a_completion_that_is_there() {
    let options = || RunOptions::new().deadline(Duration::ZERO);
    let (_, report) = Script::new(2).run(options());
    assert!(report.is_success(), "{report:?}");
    let (_, report) = Script::new(2).synchronize(|_| Ok(())).run(options());
    assert_eq!(report.result, HResult::E_ABORT);
    let fault = ProtocolViolation::NotCompleted {
        call: "synchronize_completed",
        after: Duration::ZERO,
    };
    assert_eq!(report.faults, [fault]);
}
