//! Completions reach the driver from any thread, before or after the call's return; those that break the rules are refused and
//! reported.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use syncmgr::{
    CallbackError, Completion, ErrorOutcome, HResult, HandlerError, HandlerReport, ItemStatus,
    Phase, Prepared, PropertiesOutcome, ProtocolViolation, RunOptions,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, join, receive, status};

/// Where and when a completion is made.
#[derive(Clone, Copy, Debug)]
enum From {
    /// By the called thread, inside the call.
    Inside,
    /// By another thread, whose completion returns before the call does.
    ThreadBefore,
    /// By another thread, once the host calls no method any more.
    ThreadAfter,
}

const WAYS: [From; 3] = [From::Inside, From::ThreadBefore, From::ThreadAfter];

/// Makes a completion in the given way; to be called last in a method of the handler.
fn complete(
    handler: &Arc<Scripted>,
    from: From,
    completion: impl FnOnce(&Scripted) + Send + 'static,
) {
    match from {
        From::Inside => completion(handler),
        From::ThreadBefore => {
            let handler = Arc::clone(handler);
            join(
                "the completing thread",
                thread::spawn(move || completion(&handler)),
            );
        }
        From::ThreadAfter => {
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                support::until("the return of the call", || !handler.is_inside());
                completion(&handler);
            });
        }
    }
}

#[track_caller]
fn assert_clean(report: &HandlerReport, context: &str) {
    assert_eq!(
        (report.result, report.phase, report.rounds),
        (HResult::S_OK, Phase::Completed, 1),
        "{context}"
    );
    assert!(report.faults.is_empty(), "{context}: {:?}", report.faults);
    assert!(report.is_success(), "{context}");
}

#[test]
fn completions_may_come_from_any_thread_in_both_orders() {
    for prepare in WAYS {
        for synchronize in WAYS {
            let (handler, report) = Script::new(2)
                .prepare(move |handler| {
                    complete(handler, prepare, |handler| {
                        handler.complete_prepare(HResult::S_OK)
                    });
                    Ok(Prepared::Started)
                })
                .synchronize(move |handler| {
                    complete(handler, synchronize, |handler| {
                        handler.finish_all(ItemStatus::Succeeded);
                        handler.complete_synchronize(HResult::S_OK);
                    });
                    Ok(())
                })
                .run(RunOptions::new());
            assert_clean(
                &report,
                &format!("prepare {prepare:?}, synchronize {synchronize:?}"),
            );
            assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 1);
            assert!(!handler.was_nested());
        }
    }
}

#[test]
fn a_show_error_completion_may_come_from_any_thread_in_both_orders() {
    let error = syncmgr::ErrorId::from_u128(4);
    for from in WAYS {
        let (handler, report) = Script::new(1)
            .synchronize(move |handler| {
                let record =
                    syncmgr::LogRecord::new(syncmgr::LogLevel::Error, "look").jump_text(error);
                handler.callback().log_error(&record)?;
                handler.finish_all(ItemStatus::Succeeded);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
            .show_error(move |handler, _| {
                complete(handler, from, |handler| {
                    let answer = handler.callback().show_error_completed(ErrorOutcome::Done);
                    assert_eq!(answer, Ok(()));
                });
                Ok(())
            })
            .run(RunOptions::new().show_error_if(|_| true));
        assert_clean(&report, &format!("{from:?}"));
        assert_eq!(handler.count(|seen| *seen == Seen::ShowError(error)), 1);
    }
}

#[test]
fn synchronize_waits_for_the_completion_of_prepare() {
    let (finish, finishing) = mpsc::channel::<()>();
    let finishing = Arc::new(Mutex::new(finishing));
    let handler = Script::new(1)
        .prepare(move |handler| {
            let (handler, finishing) = (Arc::clone(handler), Arc::clone(&finishing));
            thread::spawn(move || {
                receive(
                    "the test's leave",
                    &finishing.lock().expect("no test thread panicked"),
                );
                handler.complete_prepare(HResult::S_OK);
            });
            Ok(Prepared::Started)
        })
        .build();
    let run = {
        let handler = Arc::clone(&handler);
        thread::spawn(move || handler.run(RunOptions::new()))
    };
    support::until("prepare", || {
        handler.seen().contains(&Seen::Prepare(support::ids(1)))
    });
    support::until("its return", || !handler.is_inside());
    assert_eq!(
        handler.count(|seen| *seen == Seen::Synchronize),
        0,
        "M01: prepare has not completed"
    );
    assert!(finish.send(()).is_ok(), "the worker waits for it");
    assert_clean(&join("the run", run), "after the wait");
}

#[test]
fn the_callback_is_kept_until_the_completion_of_synchronize() {
    let (finish, finishing) = mpsc::channel::<()>();
    let finishing = Arc::new(Mutex::new(finishing));
    let handler = Script::new(1)
        .synchronize(move |handler| {
            let (handler, finishing) = (Arc::clone(handler), Arc::clone(&finishing));
            thread::spawn(move || {
                receive(
                    "the test's leave",
                    &finishing.lock().expect("no test thread panicked"),
                );
                handler.finish_all(ItemStatus::Succeeded);
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
        .build();
    let run = {
        let handler = Arc::clone(&handler);
        thread::spawn(move || handler.run(RunOptions::new()))
    };
    support::until("synchronize", || {
        handler.seen().contains(&Seen::Synchronize)
    });
    support::until("its return", || !handler.is_inside());
    assert_eq!(handler.count(|seen| *seen == Seen::ClearCallback), 0);
    assert!(finish.send(()).is_ok(), "the worker waits for it");
    assert_clean(&join("the run", run), "after the wait");
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

/// The refused completions that a report names.
fn refused(report: &HandlerReport) -> Vec<(Completion, HResult, Phase)> {
    let refused = report.faults.iter().filter_map(|fault| match fault {
        ProtocolViolation::RefusedCompletion(refused) => {
            Some((refused.call, refused.result, refused.phase))
        }
        _ => None,
    });
    refused.collect()
}

#[test]
fn a_second_completion_of_prepare_is_refused_and_reported() {
    let (_, report) = Script::new(1)
        .prepare(|handler| {
            handler.complete_prepare(HResult::S_OK);
            let again = handler
                .callback()
                .prepare_for_sync_completed(HResult::E_FAIL);
            assert_eq!(again, Err(CallbackError::WrongPhase));
            Ok(Prepared::Started)
        })
        .run(RunOptions::new());
    assert_eq!(
        (report.result, report.phase),
        (HResult::S_OK, Phase::Completed),
        "the first counts"
    );
    assert_eq!(
        refused(&report),
        [(Completion::Prepare, HResult::E_FAIL, Phase::Prepared)]
    );
    assert!(!report.is_success(), "a fault is no success");
}

#[test]
fn a_second_completion_of_synchronize_is_refused_and_reported() {
    let (_, report) = Script::new(1)
        .synchronize(|handler| {
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            let again = handler.callback().synchronize_completed(HResult::E_ABORT);
            assert_eq!(again, Err(CallbackError::WrongPhase));
            Ok(())
        })
        .run(RunOptions::new());
    assert_eq!(report.result, HResult::S_OK, "the first counts");
    assert_eq!(
        refused(&report),
        [(Completion::Synchronize, HResult::E_ABORT, Phase::Completed)]
    );
    assert!(!report.is_success());
}

#[test]
fn early_completions_are_refused_and_reported() {
    let (_, report) = Script::new(1)
        .callback_set(|handler| {
            let early = handler.callback().prepare_for_sync_completed(HResult::S_OK);
            assert_eq!(early, Err(CallbackError::WrongPhase));
            Ok(())
        })
        .prepare(|handler| {
            let early = handler.callback().synchronize_completed(HResult::S_OK);
            assert_eq!(early, Err(CallbackError::WrongPhase));
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
        .run(RunOptions::new());
    let expected = [
        (Completion::Prepare, HResult::S_OK, Phase::Idle),
        (Completion::Synchronize, HResult::S_OK, Phase::Preparing),
    ];
    assert_eq!(refused(&report), expected);
    assert_eq!(
        (report.result, report.phase),
        (HResult::S_OK, Phase::Completed),
        "the run goes on"
    );
    assert!(report.unfinished.is_empty());
}

#[test]
fn a_completion_beside_needs_user_does_not_lead_to_synchronize() {
    let (handler, report) = Script::new(1)
        .prepare(|handler| {
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::NeedsUser)
        })
        .run(RunOptions::new());
    assert_eq!(
        report.result,
        HResult::S_FALSE,
        "what the call returned counts"
    );
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 0);
}

#[test]
fn a_completion_beside_an_error_of_synchronize_makes_no_success() {
    let (_, report) = Script::new(1)
        .synchronize(|handler| {
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Err(syncmgr::HandlerError::Code(HResult::E_FAIL))
        })
        .run(RunOptions::new());
    assert!(!report.is_success(), "{report:?}");
    assert_eq!(report.phase, Phase::Completed);
}

#[test]
fn a_late_completion_after_the_run_is_released() {
    let kept = Arc::new(Mutex::new(None));
    let keeping = Arc::clone(&kept);
    let (_, report) = Script::new(1)
        .callback_set(move |handler| {
            *keeping.lock().expect("no test thread panicked") = Some(handler.callback());
            Ok(())
        })
        .run(RunOptions::new());
    let callback = kept
        .lock()
        .expect("no test thread panicked")
        .take()
        .expect("the handler was given a callback");
    assert_eq!(
        callback.synchronize_completed(HResult::E_FAIL),
        Err(CallbackError::Released)
    );
    assert_eq!(
        callback.prepare_for_sync_completed(HResult::E_FAIL),
        Err(CallbackError::Released)
    );
    assert_eq!(
        callback.show_error_completed(ErrorOutcome::Retry(&[id(1)])),
        Err(CallbackError::Released)
    );
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[test]
fn a_show_error_completion_that_nobody_waits_for_is_reported() {
    let (handler, report) = Script::new(1)
        .synchronize(|handler| {
            let callback = handler.callback();
            callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]))?;
            let _ = callback.progress(id(1), &status(ItemStatus::Succeeded))?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(RunOptions::new().show_error_if(|_| true));
    let call = "show_error_completed";
    assert_eq!(
        report.faults,
        [ProtocolViolation::UnexpectedCompletion { call }]
    );
    assert_eq!(
        (report.result, report.rounds),
        (HResult::S_OK, 1),
        "it leads to no retry"
    );
    assert_eq!(handler.count(|seen| matches!(seen, Seen::Prepare(_))), 1);
    assert!(!report.is_success());
}

#[test]
fn many_runs_with_racing_completions_all_end() {
    for run in 0..300 {
        let (_, report) = Script::new(1)
            .prepare(|handler| {
                let handler = Arc::clone(handler);
                thread::spawn(move || handler.complete_prepare(HResult::S_OK));
                Ok(Prepared::Started)
            })
            .synchronize(|handler| {
                let handler = Arc::clone(handler);
                thread::spawn(move || {
                    handler.finish_all(ItemStatus::Succeeded);
                    handler.complete_synchronize(HResult::S_OK);
                });
                Ok(())
            })
            .run(RunOptions::new());
        assert_clean(&report, &format!("run {run}"));
    }
}

#[test]
fn completions_that_nobody_waits_for_are_reported_sixteen_times_at_most() {
    let many = |handler: &Scripted| {
        for _ in 0..1_000 {
            let _ = handler
                .callback()
                .show_error_completed(ErrorOutcome::Retry(&[id(1)]));
        }
    };
    let (_, report) = Script::new(1)
        .prepare(move |handler| {
            many(handler);
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
        .synchronize(move |handler| {
            many(handler);
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(RunOptions::new());
    let call = "show_error_completed";
    assert_eq!(
        report.faults,
        vec![ProtocolViolation::UnexpectedCompletion { call }; 16]
    );
    assert_eq!((report.result, report.rounds), (HResult::S_OK, 1));
}

#[test]
fn a_prepare_that_is_completed_and_then_fails_is_at_fault() {
    let (_, report) = Script::new(1)
        .prepare(|handler| {
            handler.complete_prepare(HResult::S_OK);
            Err(HandlerError::Code(HResult::E_FAIL))
        })
        .run(RunOptions::new());
    let call = "prepare_for_sync_completed";
    assert_eq!(
        report.faults,
        [ProtocolViolation::UnexpectedCompletion { call }]
    );
    assert_eq!(report.result, HResult::E_FAIL);
}

#[test]
fn a_show_properties_that_returns_another_success_code_is_waited_for() {
    let (_, report) = Script::new(1)
        .show_properties(|handler, _| {
            let outcome = PropertiesOutcome::Done;
            handler.callback().show_properties_completed(outcome)?;
            Err(HandlerError::Code(HResult::S_FALSE))
        })
        .run(RunOptions::new().show_properties(None));
    assert_eq!(report.properties, [(None, PropertiesOutcome::Done)]);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}
