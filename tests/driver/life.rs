//! `run_handler` takes one handler from start to release: the calls in their order, and every way in which it ends early.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use syncmgr::{
    BuildError, CallbackError, HResult, HandlerError, HandlerReport, ItemId, ItemList, ItemStatus,
    LogLevel, LogRecord, Participation, Phase, Prepared, ProtocolViolation, RunOptions, Session,
    SyncEvent, SyncFlags, SyncHandler, Verdict, run_handler,
};

use support::handler::{Script, Scripted, Seen};
use support::{id, ids, item, items, receive, status, value, within};

/// The session of a report, which must have one.
#[track_caller]
fn session(report: &HandlerReport) -> &Arc<Session> {
    report.session.as_ref().expect("the run has a session")
}

/// What the host called, which must end with the callback taken back, without that last call.
#[track_caller]
fn seen_before_the_end(handler: &Scripted) -> Vec<Seen> {
    let mut seen = handler.seen();
    assert_eq!(
        seen.pop(),
        Some(Seen::ClearCallback),
        "the last call takes the callback back: {seen:?}"
    );
    seen
}

#[test]
fn the_whole_life_goes_in_order() {
    let (handler, report) = Script::new(2).run(RunOptions::new());
    let expected = [
        Seen::Initialize,
        Seen::Info,
        Seen::Items,
        Seen::SetCallback,
        Seen::Prepare(ids(2)),
        Seen::Synchronize,
        Seen::ClearCallback,
    ];
    assert_eq!(handler.seen(), expected);
    assert_eq!(
        (report.result, report.phase, report.rounds),
        (HResult::S_OK, Phase::Completed, 1)
    );
    assert_eq!(
        (report.unfinished.as_slice(), report.abandoned_threads),
        ([].as_slice(), 0)
    );
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert!(report.is_success());
    assert!(!handler.was_nested());
    let session = session(&report);
    assert_eq!(session.phase(), Phase::Released);
    assert!(
        session
            .snapshot()
            .items
            .iter()
            .all(|view| view.status == ItemStatus::Succeeded)
    );
}

#[test]
fn the_handler_is_called_on_the_calling_thread() {
    let threads = Arc::new(Mutex::new(Vec::new()));
    let note = {
        let threads = Arc::clone(&threads);
        move || {
            threads
                .lock()
                .expect("no test thread panicked")
                .push(thread::current().id())
        }
    };
    let (in_prepare, in_synchronize, in_clear) = (note.clone(), note.clone(), note);
    let handler = Script::new(1)
        .prepare(move |handler| {
            in_prepare();
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
        .synchronize(move |handler| {
            in_synchronize();
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .callback_cleared(move |_| {
            in_clear();
            Ok(())
        })
        .build();
    let caller = within("run_handler", move || {
        let _ = run_handler(handler, RunOptions::new());
        thread::current().id()
    });
    assert_eq!(
        *threads.lock().expect("no test thread panicked"),
        [caller; 3]
    );
}

/// What `initialize` was given in a run with these options, and the report.
fn initialized(options: RunOptions) -> (SyncFlags, Option<Vec<u8>>, HandlerReport) {
    let (told, seen) = mpsc::channel();
    let told = Mutex::new(told);
    let (_, report) = Script::new(1)
        .initialize(move |flags, cookie| {
            let told = told.lock().expect("no test thread panicked");
            assert!(told.send((flags, cookie.map(<[u8]>::to_vec))).is_ok());
            Ok(Participation::Joins)
        })
        .run(options);
    assert!(report.is_success());
    let (flags, cookie) = receive("initialize", &seen);
    (flags, cookie, report)
}

#[test]
fn the_flags_are_passed_and_no_cookie() {
    let default = SyncFlags::new(SyncEvent::Manual);
    let idle = SyncFlags::new(SyncEvent::Idle) | SyncFlags::MAY_BOTHER_USER;
    for (options, expected) in [
        (RunOptions::new(), default),
        (RunOptions::new().flags(idle), idle),
    ] {
        let (flags, cookie, _) = initialized(options);
        assert_eq!((flags, cookie), (expected, None));
    }
}

#[test]
fn a_cookie_goes_with_invoke_alone_and_one_that_is_left_out_is_logged() {
    let scheduled = SyncFlags::new(SyncEvent::Scheduled);
    let invoke = SyncFlags::new(SyncEvent::Invoke);
    for options in [
        RunOptions::new().cookie("c"),
        RunOptions::new().flags(scheduled).cookie("c"),
    ] {
        let (flags, cookie, report) = initialized(options);
        assert_eq!((flags, cookie.as_deref()), (invoke, Some(&b"c"[..])));
        assert_eq!(session(&report).log(), []);
    }
    let (flags, cookie, report) = initialized(RunOptions::new().cookie("c").flags(scheduled));
    assert_eq!((flags, cookie), (scheduled, None));
    let log = session(&report).log();
    let [entry] = &log[..] else {
        panic!("{log:?}");
    };
    assert_eq!(entry.level, LogLevel::Warning);
    assert_eq!(
        entry.text,
        "the cookie is left out: it goes with the event invoke, and the run has scheduled (rule M06)",
    );
}

#[test]
fn a_handler_that_declines_is_left_alone() {
    let (handler, report) = Script::new(1)
        .initialize(|_, _| Ok(Participation::Declines))
        .run(RunOptions::new());
    assert_eq!(handler.seen(), [Seen::Initialize]);
    assert_eq!(
        (report.result, report.phase, report.rounds),
        (HResult::S_FALSE, Phase::Idle, 0)
    );
    assert!(report.session.is_none());
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert!(report.unfinished.is_empty());
}

#[test]
fn a_handler_that_needs_the_user_is_released_without_synchronize() {
    let (handler, report) = Script::new(2)
        .prepare(|_| Ok(Prepared::NeedsUser))
        .run(RunOptions::new());
    let seen = seen_before_the_end(&handler);
    assert_eq!(seen.last(), Some(&Seen::Prepare(ids(2))));
    assert_eq!(
        (report.result, report.phase, report.rounds),
        (HResult::S_FALSE, Phase::Completed, 1)
    );
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

fn failed<T>() -> Result<T, HandlerError> {
    Err(HandlerError::Code(HResult::E_ACCESSDENIED))
}

#[test]
fn a_failure_before_prepare_ends_the_run_with_its_code() {
    let scripts: [(&str, Script); 4] = [
        ("initialize", Script::new(1).initialize(|_, _| failed())),
        ("info", Script::new(1).info(|_| failed())),
        ("items", Script::new(1).items(|_| failed())),
        (
            "set_progress_callback",
            Script::new(1).callback_set(|_| failed()),
        ),
    ];
    for (name, script) in scripts {
        let (handler, report) = script.run(RunOptions::new());
        assert_eq!(
            (report.result, report.phase),
            (HResult::E_ACCESSDENIED, Phase::Idle),
            "{name}"
        );
        assert_eq!(report.rounds, 0, "{name}");
        assert!(!report.is_success(), "{name}");
        let worked = handler.count(|seen| matches!(seen, Seen::Prepare(_) | Seen::Synchronize));
        assert_eq!(worked, 0, "{name}: {:?}", handler.seen());
    }
}

#[test]
fn an_error_in_prepare_ends_the_run_with_its_code() {
    for error in [
        HResult::E_ACCESSDENIED,
        HResult::E_FAIL,
        HResult::S_SYNCMGR_RETRYSYNC,
    ] {
        let (handler, report) = Script::new(1)
            .prepare(move |_| Err(HandlerError::Code(error)))
            .run(RunOptions::new());
        assert_eq!(
            seen_before_the_end(&handler).last(),
            Some(&Seen::Prepare(ids(1))),
            "{error}"
        );
        assert_eq!(
            (report.result, report.phase, report.rounds),
            (error, Phase::Completed, 1)
        );
        assert_eq!(report.unfinished, ids(1), "{error}");
        assert!(!report.is_success(), "{error}");
    }
}

#[test]
fn a_prepare_that_completes_with_a_failure_ends_the_run_with_its_code() {
    for result in [HResult::E_FAIL, HResult::S_FALSE] {
        let (handler, report) = Script::new(1)
            .prepare(move |handler| {
                handler.complete_prepare(result);
                Ok(Prepared::Started)
            })
            .run(RunOptions::new());
        assert_eq!(
            seen_before_the_end(&handler).last(),
            Some(&Seen::Prepare(ids(1))),
            "{result}"
        );
        assert_eq!(
            (report.result, report.phase, report.rounds),
            (result, Phase::Completed, 1)
        );
        assert_eq!(report.unfinished, ids(1));
    }
}

#[test]
fn an_error_in_synchronize_ends_the_run_with_its_code() {
    let (handler, report) = Script::new(1)
        .synchronize(|_| Err(HandlerError::Failed("it broke".into())))
        .run(RunOptions::new());
    assert_eq!(
        seen_before_the_end(&handler).last(),
        Some(&Seen::Synchronize)
    );
    assert_eq!(
        (report.result, report.phase, report.rounds),
        (HResult::E_FAIL, Phase::Completed, 1)
    );
    assert_eq!(report.unfinished, ids(1));
    assert!(!report.is_success());
}

#[test]
fn an_error_of_prepare_counts_even_after_its_completion() {
    let (handler, report) = Script::new(1)
        .prepare(|handler| {
            handler.complete_prepare(HResult::S_OK);
            failed()
        })
        .run(RunOptions::new());
    assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), 0);
    assert_eq!(report.result, HResult::E_ACCESSDENIED);
    assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
}

#[test]
fn an_incomplete_list_runs_like_a_complete_one() {
    let (handler, report) = Script::new(0)
        .items(|_| Ok(ItemList::Incomplete(items(2))))
        .run(RunOptions::new());
    assert!(handler.seen().contains(&Seen::Prepare(ids(2))));
    assert!(report.is_success());
}

#[test]
fn duplicate_and_nil_ids_are_a_fault_that_names_the_item() {
    let nil = syncmgr::SyncItem::new(ItemId::NIL, item(3).name);
    for (list, name) in [
        (vec![item(1), item(2), item(1)], "item 1"),
        (vec![item(1), nil], "item 3"),
    ] {
        let (handler, report) = Script::of(list).run(RunOptions::new());
        assert!(report.result.is_failure(), "{:?}", report.result);
        assert_eq!((report.phase, report.rounds), (Phase::Idle, 0));
        match report.faults.as_slice() {
            [
                fault @ ProtocolViolation::BadItems(
                    BuildError::DuplicateItem { .. } | BuildError::NilItem { .. },
                ),
            ] => {
                assert!(fault.to_string().contains(name), "{fault}");
            }
            other => panic!("one fault is expected, got {other:?}"),
        }
        assert!(!report.is_success());
        assert_eq!(
            handler.count(|seen| matches!(seen, Seen::SetCallback | Seen::Prepare(_))),
            0
        );
    }
}

#[test]
fn the_session_is_handed_over_before_prepare() {
    let (hand_over, handed) = mpsc::channel();
    let prepared = Arc::new(Mutex::new(None));
    let options = {
        let prepared = Arc::clone(&prepared);
        RunOptions::new().on_session(move |session| {
            *prepared.lock().expect("no test thread panicked") = Some(session.phase());
            assert!(hand_over.send(session).is_ok());
        })
    };
    let (_, report) = Script::new(1).run(options);
    assert_eq!(
        *prepared.lock().expect("no test thread panicked"),
        Some(Phase::Idle)
    );
    let handed = receive("on_session", &handed);
    assert!(
        Arc::ptr_eq(&handed, session(&report)),
        "it is the session of the report"
    );
}

#[test]
fn cancels_made_in_on_session_stay() {
    type Cancel = fn(&Session);
    let cancels: [(Cancel, Verdict, Verdict); 2] = [
        (
            |session| assert_eq!(session.cancel_item(id(1)), Ok(())),
            Verdict::CancelItem,
            Verdict::Continue,
        ),
        (Session::cancel_all, Verdict::CancelAll, Verdict::CancelAll),
    ];
    for (cancel, first, second) in cancels {
        let (_, report) = Script::new(2)
            .synchronize(move |handler| {
                let callback = handler.callback();
                assert_eq!(callback.progress(id(1), &value(1)), Ok(first));
                assert_eq!(callback.progress(id(2), &value(1)), Ok(second));
                handler.finish_all(ItemStatus::Stopped);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
            .run(RunOptions::new().on_session(move |session| cancel(&session)));
        support::went_through(&report);
        assert!(report.faults.is_empty(), "{:?}", report.faults);
    }
}

#[test]
fn a_failed_item_is_no_success_though_the_run_went_through() {
    let (_, report) = Script::new(2)
        .synchronize(|handler| {
            let callback = handler.callback();
            let _ = callback.progress(id(1), &status(ItemStatus::Failed))?;
            let _ = callback.progress(id(2), &status(ItemStatus::Succeeded))?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(RunOptions::new());
    assert_eq!(report.result, HResult::S_OK);
    assert!(!report.is_success());
}

#[test]
fn the_result_is_the_code_of_the_completion() {
    for (result, success) in [
        (HResult::S_OK, true),
        (HResult::S_FALSE, true),
        (HResult::E_ABORT, false),
        (HResult(0x8123_4567_u32 as i32), false),
    ] {
        let (_, report) = Script::new(1)
            .synchronize(move |handler| {
                handler.finish_all(ItemStatus::Succeeded);
                handler.complete_synchronize(result);
                Ok(())
            })
            .run(RunOptions::new());
        assert_eq!((report.result, report.phase), (result, Phase::Completed));
        assert_eq!(report.is_success(), success, "{result}");
    }
}

#[test]
fn items_left_open_are_listed_in_the_order_of_the_prepare() {
    let (_, report) = Script::new(4)
        .synchronize(|handler| {
            let callback = handler.callback();
            let _ = callback.progress(id(1), &status(ItemStatus::Succeeded))?;
            let _ = callback.progress(id(3), &value(1))?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(RunOptions::new());
    assert_eq!(report.unfinished, [id(2), id(3), id(4)]);
    assert_eq!(report.result, HResult::S_OK);
    assert!(!report.is_success());
}

#[test]
fn an_item_added_while_it_runs_counts_like_the_others() {
    for (last, open) in [(Some(ItemStatus::Succeeded), vec![]), (None, vec![id(5)])] {
        let (_, report) = Script::new(1)
            .synchronize(move |handler| {
                let callback = handler.callback();
                callback.add_item(item(5))?;
                let _ = callback.progress(id(5), &value(1))?;
                if let Some(last) = last {
                    let _ = callback.progress(id(5), &status(last))?;
                }
                handler.finish_all(ItemStatus::Succeeded);
                handler.complete_synchronize(HResult::S_OK);
                Ok(())
            })
            .run(RunOptions::new());
        assert_eq!(report.unfinished, open);
        assert_eq!(report.is_success(), open.is_empty());
    }
}

#[test]
fn a_kept_callback_is_released_after_the_run() {
    let (handler, report) = {
        let kept = Arc::new(Mutex::new(None));
        let keeping = Arc::clone(&kept);
        let (_, report) = Script::new(1)
            .callback_set(move |handler| {
                *keeping.lock().expect("no test thread panicked") = Some(handler.callback());
                Ok(())
            })
            .run(RunOptions::new());
        let kept = kept.lock().expect("no test thread panicked").take();
        (kept.expect("the handler was given a callback"), report)
    };
    assert_eq!(
        handler.progress(id(1), &value(1)),
        Err(CallbackError::Released)
    );
    assert_eq!(
        handler.synchronize_completed(HResult::S_OK),
        Err(CallbackError::Released)
    );
    let record = LogRecord::new(LogLevel::Error, "late");
    assert_eq!(handler.log_error(&record), Err(CallbackError::Released));
    assert!(
        report.is_success(),
        "what comes after the run changes no report"
    );
}

#[test]
fn a_handler_can_run_again() {
    let handler = Script::new(2).build();
    for run in 1..=3 {
        let report = handler.run(RunOptions::new());
        assert!(report.is_success(), "run {run}");
        assert_eq!(handler.count(|seen| *seen == Seen::Synchronize), run);
    }
}

#[test]
fn options_and_handler_may_come_from_another_thread() {
    fn sendable<T: Send>(_: &T) {}
    let options = RunOptions::new().dialogs(true).max_retries(1);
    sendable(&options);
    let handler: Arc<dyn SyncHandler> = Script::new(1).build();
    let report = within("run_handler", move || run_handler(handler, options));
    assert!(report.is_success());
}
