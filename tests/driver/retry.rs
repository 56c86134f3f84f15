//! Errors that the user may look at, and the retries that follow: which entries are shown, and when another round begins.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use syncmgr::{
    CallbackError, Dialog, ErrorFlags, ErrorId, ErrorOutcome, HResult, HandlerError, ItemId,
    ItemStatus, LogLevel, LogRecord, Phase, Prepared, ProtocolViolation, RunOptions, Session,
    Verdict,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, ids, status, value, view};

const fn error(n: u128) -> ErrorId {
    ErrorId::from_u128(n)
}

/// A handler that logs these entries in `synchronize`, ends all its items FAILED the first time and SUCCEEDED later.
fn logging(records: Vec<LogRecord<'static>>) -> Script {
    let rounds = AtomicU32::new(0);
    Script::new(3).synchronize(move |handler| {
        let first = rounds.fetch_add(1, Ordering::SeqCst) == 0;
        if first {
            for record in &records {
                handler.callback().log_error(record)?;
            }
        }
        handler.finish_all(if first {
            ItemStatus::Failed
        } else {
            ItemStatus::Succeeded
        });
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

fn jump(n: u128) -> LogRecord<'static> {
    LogRecord::new(LogLevel::Error, "look").jump_text(error(n))
}

/// Answers `show_error` with a retry of these items.
fn retrying(script: Script, items: Vec<ItemId>) -> Script {
    script.show_error(move |handler, _| {
        handler
            .callback()
            .show_error_completed(ErrorOutcome::Retry(&items))?;
        Ok(())
    })
}

fn shown(handler: &Scripted) -> Vec<ErrorId> {
    let seen = handler.seen().into_iter();
    seen.filter_map(|seen| {
        if let Seen::ShowError(error) = seen {
            Some(error)
        } else {
            None
        }
    })
    .collect()
}

fn prepares(handler: &Scripted) -> Vec<Vec<ItemId>> {
    let seen = handler.seen().into_iter();
    seen.filter_map(|seen| {
        if let Seen::Prepare(items) = seen {
            Some(items)
        } else {
            None
        }
    })
    .collect()
}

#[test]
fn no_error_is_shown_unless_asked_for() {
    let (handler, report) = logging(vec![jump(1)]).run(RunOptions::new());
    assert_eq!(shown(&handler), []);
    assert_eq!(report.rounds, 1);
}

#[test]
fn only_entries_with_jump_text_and_id_are_shown() {
    let records = vec![
        LogRecord::new(LogLevel::Error, "no id"),
        LogRecord::new(LogLevel::Error, "an id without the flag").error_id(error(1)),
        LogRecord::new(LogLevel::Error, "the flag without an id")
            .flags(ErrorFlags::ENABLE_JUMP_TEXT),
        jump(2),
        LogRecord::new(LogLevel::Information, "of any level")
            .jump_text(error(3))
            .item(id(1)),
        LogRecord::new(LogLevel::Error, "another flag")
            .error_id(error(4))
            .flags(ErrorFlags::from_bits_retain(2)),
    ];
    let (handler, report) = logging(records).run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(
        shown(&handler),
        [error(2), error(3)],
        "in the order of the log"
    );
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert!(!handler.was_nested());
}

#[test]
fn only_entries_that_the_predicate_accepts_are_shown() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asking = Arc::clone(&asked);
    let options = RunOptions::new().show_error_if(move |entry| {
        asking
            .lock()
            .expect("no test thread panicked")
            .push((entry.error_id, entry.text.clone()));
        entry.error_id == Some(error(2))
    });
    let (handler, _) = logging(vec![jump(1), jump(2), jump(3)]).run(options);
    assert_eq!(shown(&handler), [error(2)]);
    let asked = asked.lock().expect("no test thread panicked");
    assert!(
        asked.contains(&(Some(error(3)), "look".to_owned())),
        "it sees the entry: {asked:?}"
    );
}

#[test]
fn a_deleted_entry_is_not_shown() {
    let (handler, _) = Script::new(1)
        .synchronize(|handler| {
            let callback = handler.callback();
            callback.log_error(&jump(1))?;
            callback.log_error(&jump(2))?;
            callback.delete_log_error(syncmgr::LogSelector::ById(error(1)))?;
            handler.finish_all(ItemStatus::Failed);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(shown(&handler), [error(2)]);
}

#[test]
fn errors_are_shown_once_the_synchronization_has_completed() {
    let session = Arc::new(OnceLock::<Arc<Session>>::new());
    let (keep, ask) = (Arc::clone(&session), session);
    let (handler, report) = logging(vec![jump(1)])
        .show_error(move |handler, _| {
            let session = ask.get().expect("on_session came before");
            assert_eq!(session.phase(), Phase::Completed);
            assert_eq!(
                handler.callback().enable_modeless(true)?,
                Dialog::Granted,
                "UI is allowed here"
            );
            handler
                .callback()
                .show_error_completed(ErrorOutcome::Done)?;
            Ok(())
        })
        .run(
            RunOptions::new()
                .show_error_if(|_| true)
                .on_session(move |session| drop(keep.set(session))),
        );
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert_eq!((report.result, report.rounds), (HResult::S_OK, 1));
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

#[test]
fn a_retry_runs_prepare_and_synchronize_again_with_the_named_items() {
    let script = retrying(logging(vec![jump(1)]), vec![id(3), id(1)]);
    let (handler, report) = script.run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(prepares(&handler), [ids(3), vec![id(3), id(1)]]);
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 2);
    assert_eq!(
        shown(&handler),
        [error(1)],
        "what was shown is not shown again"
    );
    assert_eq!(
        (report.result, report.phase, report.rounds),
        (HResult::S_OK, Phase::Completed, 2)
    );
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let session = report.session.as_ref().expect("the run has a session");
    let statuses = [1, 2, 3].map(|n| view(session, n).status);
    assert_eq!(
        statuses,
        [
            ItemStatus::Succeeded,
            ItemStatus::Failed,
            ItemStatus::Succeeded
        ]
    );
    assert!(
        !report.is_success(),
        "item 2 failed and was not tried again"
    );
    assert!(report.unfinished.is_empty());
}

#[test]
fn a_retry_of_all_that_failed_makes_a_success() {
    let script = retrying(logging(vec![jump(1)]), ids(3));
    let (_, report) = script.run(RunOptions::new().show_error_if(|_| true));
    assert!(report.is_success(), "{report:?}");
    assert_eq!(report.rounds, 2);
}

#[test]
fn the_callback_is_not_taken_back_between_the_rounds() {
    let script = retrying(logging(vec![jump(1)]), ids(3));
    let (handler, _) = script.run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(handler.count(|seen| *seen == Seen::Initialize), 1);
    assert_eq!(handler.count(|seen| *seen == Seen::ClearCallback), 1);
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

#[test]
fn a_success_code_other_than_ok_is_awaited_too() {
    let (handler, report) = logging(vec![jump(1)])
        .show_error(|handler, _| {
            let handler = Arc::clone(handler);
            std::thread::spawn(move || {
                support::until("the return of show_error", || !handler.is_inside());
                let answer = handler
                    .callback()
                    .show_error_completed(ErrorOutcome::Retry(&[id(1)]));
                assert_eq!(answer, Ok(()));
            });
            Err(HandlerError::Code(HResult::S_FALSE))
        })
        .run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(prepares(&handler), [ids(3), ids(1)]);
    assert_eq!(report.rounds, 2);
}

#[test]
fn a_failed_show_error_is_not_awaited() {
    let (handler, report) = logging(vec![jump(1), jump(2)])
        .show_error(|_, _| Err(HandlerError::NotImplemented))
        .run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(shown(&handler), [error(1), error(2)]);
    assert_eq!((report.result, report.rounds), (HResult::S_OK, 1));
}

#[test]
fn another_outcome_of_show_error_leads_to_no_retry() {
    let (handler, report) = logging(vec![jump(1)])
        .show_error(|handler, _| {
            handler
                .callback()
                .show_error_completed(ErrorOutcome::Other(HResult::E_FAIL))?;
            Ok(())
        })
        .run(RunOptions::new().show_error_if(|_| true));
    assert_eq!(prepares(&handler).len(), 1);
    assert_eq!((report.result, report.rounds), (HResult::S_OK, 1));
}

/// A handler that fails, logs jump text and asks for a retry of item 1 in every round.
fn never_content() -> Script {
    Script::new(1)
        .synchronize(|handler| {
            handler.callback().log_error(&jump(1))?;
            handler.finish_all(ItemStatus::Failed);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|handler, _| {
            handler
                .callback()
                .show_error_completed(ErrorOutcome::Retry(&[id(1)]))?;
            Ok(())
        })
}

#[test]
fn retries_are_bounded() {
    for (options, rounds) in [
        (RunOptions::new().max_retries(0), 1),
        (RunOptions::new().max_retries(3), 4),
        (RunOptions::new(), 17),
    ] {
        let (handler, report) = never_content().run(options.show_error_if(|_| true));
        assert_eq!(prepares(&handler).len(), rounds);
        assert_eq!(report.rounds as usize, rounds);
        assert_eq!(
            (report.result, report.phase),
            (HResult::S_OK, Phase::Completed)
        );
        assert!(!report.is_success(), "the item has failed");
    }
}

#[test]
fn a_retry_of_unknown_items_or_none_is_a_fault() {
    for (items, why) in [
        (vec![id(1), id(9)], CallbackError::UnknownItem),
        (vec![], CallbackError::InvalidArgument),
    ] {
        let script = retrying(logging(vec![jump(1)]), items);
        let (handler, report) = script.run(RunOptions::new().show_error_if(|_| true));
        assert_eq!(prepares(&handler).len(), 1, "{why:?}");
        assert_eq!((report.rounds, report.phase), (1, Phase::Completed));
        let bad = report
            .faults
            .iter()
            .any(|fault| matches!(fault, ProtocolViolation::BadRetry(error) if *error == why));
        assert!(bad, "{why:?}: {:?}", report.faults);
        assert!(!report.is_success());
        assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
    }
}

#[test]
fn there_is_no_retry_after_cancel_all() {
    let session = Arc::new(OnceLock::<Arc<Session>>::new());
    let (keep, cancel) = (Arc::clone(&session), session);
    let (handler, report) = logging(vec![jump(1)])
        .show_error(move |handler, _| {
            cancel.get().expect("on_session came before").cancel_all();
            handler
                .callback()
                .show_error_completed(ErrorOutcome::Retry(&[id(1)]))?;
            Ok(())
        })
        .run(
            RunOptions::new()
                .show_error_if(|_| true)
                .on_session(move |session| drop(keep.set(session))),
        );
    assert_eq!(prepares(&handler).len(), 1);
    assert_eq!((report.rounds, report.phase), (1, Phase::Completed));
}

#[test]
fn a_retry_opens_cancelled_items_again() {
    let session = Arc::new(OnceLock::<Arc<Session>>::new());
    let (keep, cancel) = (Arc::clone(&session), session);
    let rounds = AtomicU32::new(0);
    let script = Script::new(2).synchronize(move |handler| {
        let callback = handler.callback();
        if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
            assert_eq!(
                cancel
                    .get()
                    .expect("on_session came before")
                    .cancel_item(id(1)),
                Ok(())
            );
            assert_eq!(
                callback.progress(id(1), &status(ItemStatus::Stopped)),
                Ok(Verdict::CancelItem)
            );
            assert_eq!(
                callback.progress(id(2), &status(ItemStatus::Failed)),
                Ok(Verdict::Continue)
            );
            callback.log_error(&jump(1))?;
        } else {
            assert_eq!(callback.progress(id(1), &value(1)), Ok(Verdict::Continue));
            handler.finish_all(ItemStatus::Succeeded);
        }
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let options = RunOptions::new()
        .show_error_if(|_| true)
        .on_session(move |session| drop(keep.set(session)));
    let (_, report) = retrying(script, ids(2)).run(options);
    assert!(report.is_success(), "{report:?}");
}

#[test]
fn a_second_round_that_fails_gives_its_code() {
    let rounds = AtomicU32::new(0);
    let script = logging(vec![jump(1)]).prepare(move |handler| {
        if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
            handler.complete_prepare(HResult::S_OK);
            return Ok(Prepared::Started);
        }
        Err(HandlerError::Code(HResult::E_ACCESSDENIED))
    });
    let (handler, report) = retrying(script, ids(2)).run(RunOptions::new().show_error_if(|_| true));
    assert_eq!((report.result, report.rounds), (HResult::E_ACCESSDENIED, 2));
    assert_eq!(report.unfinished, ids(2), "those of the last round");
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 1);
}

#[test]
fn after_a_cancel_of_all_no_error_is_shown() {
    let session: Arc<OnceLock<Arc<Session>>> = Arc::default();
    let cancelled = session.clone();
    let script = Script::new(1).synchronize(move |handler| {
        handler.callback().log_error(&jump(1))?;
        cancelled.get().expect("it was handed out").cancel_all();
        handler.finish_all(ItemStatus::Failed);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let options = RunOptions::new()
        .on_session(move |given| _ = session.set(given))
        .show_error_if(|_| panic!("nobody wants to look"));
    let (handler, report) = script.run(options);
    assert_eq!(shown(&handler), []);
    assert_eq!(report.result, HResult::S_OK);
}
