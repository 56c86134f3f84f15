//! Handlers that break one rule about completions and the end, each as somebody would write it: H05 to H10, H13, H18.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use support::rules;

use syncmgr::testing::{Action, Harness, Recorder, Rule, Severity, Trace};
use syncmgr::{
    ErrorId, ErrorOutcome, HResult, HandlerError, ItemId, ItemStatus, LogLevel, LogRecord,
    Prepared, PropertiesOutcome, Session, SyncCallback, SyncHandler, Verdict,
};

use support::handler::{Script, Scripted, Seen};
use support::rules::{clean, copy, copy_all, finish, named, obedient, only, tells};
use support::{LIMIT, id, items, status};

/// How long the tests wait for what never comes.
const SOON: Duration = Duration::from_millis(400);

fn run(script: Script) -> Trace {
    Harness::new(script.build()).run()
}

// H05 -------------------------------------------------------------------------------------------------------------

#[test]
fn h05_a_way_out_of_the_prepare_that_forgets_the_completion() {
    let script = obedient(1).prepare(|handler| {
        let handler = Arc::clone(handler);
        thread::spawn(move || {
            let server: Result<(), HandlerError> = Err(HandlerError::failed("no such server"));
            server?; // and nobody hears of it
            handler.complete_prepare(HResult::S_OK);
            Ok::<_, HandlerError>(())
        });
        Ok(Prepared::Started)
    });
    let trace = Harness::new(script.build()).deadline(SOON).run();
    let found = only(&trace, Rule::PrepareCompletedOnce);
    tells(
        found,
        named(&trace, "prepare_for_sync")[0],
        &[],
        &["prepare_for_sync"],
    );
    assert_eq!(found.severity, Severity::Must);
    assert_eq!(found.repeats, 0);
    assert_eq!(found.item, None);
}

#[test]
fn h05_the_error_path_completes_and_so_does_the_end() {
    let script = obedient(1).prepare(|handler| {
        let callback = handler.callback();
        let checked: Result<(), HResult> = Ok(());
        if checked.is_ok() {
            let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
        }
        let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    });
    let trace = run(script);
    let completions = named(&trace, "prepare_for_sync_completed");
    let found = only(&trace, Rule::PrepareCompletedOnce);
    tells(found, completions[1], &[completions[0]], &[]);
}

#[test]
fn h05_it_is_completed_before_it_was_asked_for() {
    // "Ready" is told as soon as there is somebody to tell.
    let script = obedient(1).callback_set(|handler| {
        let _refused = handler.callback().prepare_for_sync_completed(HResult::S_OK);
        Ok(())
    });
    let trace = run(script);
    let found = only(&trace, Rule::PrepareCompletedOnce);
    tells(
        found,
        named(&trace, "prepare_for_sync_completed")[0],
        &[],
        &[],
    );
}

// H06 -------------------------------------------------------------------------------------------------------------

#[test]
fn h06_the_refusal_is_told_in_two_ways() {
    for answer in [Ok(Prepared::NeedsUser), Err(HResult::E_FAIL)] {
        let script = obedient(1).prepare(move |handler| {
            let code = answer.map_or_else(|code| code, HResult::from);
            let _taken = handler.callback().prepare_for_sync_completed(code);
            Ok(answer?)
        });
        let trace = run(script);
        let found = only(&trace, Rule::NoPrepareCompletedAfterRefusal);
        let prepare = named(&trace, "prepare_for_sync")[0];
        let completed = named(&trace, "prepare_for_sync_completed")[0];
        tells(found, completed, &[prepare], &["prepare_for_sync"]);
    }
}

#[test]
fn h06_a_thread_was_started_before_the_refusal() {
    // The worker is on its way when the prepare gives up; it completes while the refusal is not told yet.
    let script = obedient(1).prepare(|handler| {
        let callback = handler.callback();
        let worker = thread::spawn(move || {
            let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
        });
        worker.join().unwrap();
        Err(HandlerError::failed(
            "the second thread could not be started",
        ))
    });
    let trace = run(script);
    let found = only(&trace, Rule::NoPrepareCompletedAfterRefusal);
    tells(
        found,
        named(&trace, "prepare_for_sync_completed")[0],
        &[],
        &[],
    );
}

// H07 -------------------------------------------------------------------------------------------------------------

#[test]
fn h07_a_cancel_ends_the_worker_without_a_completion() {
    let script = || {
        obedient(2).synchronize(|handler| {
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                let callback = handler.callback();
                for item in handler.round() {
                    let told = callback.progress(item, &status(ItemStatus::Updating));
                    if told == Ok(Verdict::CancelAll) {
                        for item in handler.round() {
                            finish(&*callback, item, ItemStatus::Stopped);
                        }
                        return;
                    }
                }
                for item in handler.round() {
                    finish(&*callback, item, ItemStatus::Succeeded);
                }
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
    };
    clean(&run(script()));
    let trace = Harness::new(script().build())
        .cancel_all_at(1)
        .deadline(SOON)
        .run();
    let found = only(&trace, Rule::SynchronizeCompletedOnce);
    tells(
        found,
        named(&trace, "synchronize")[0],
        &[],
        &["synchronize"],
    );
}

#[test]
fn h07_two_workers_both_think_that_they_are_the_last() {
    let script = obedient(2).synchronize(|handler| {
        let callback = handler.callback();
        let open = AtomicUsize::new(2);
        let both = Barrier::new(2);
        thread::scope(|scope| {
            for item in handler.round() {
                let (callback, open, both) = (&callback, &open, &both);
                scope.spawn(move || {
                    copy(&**callback, item);
                    open.fetch_sub(1, Ordering::SeqCst);
                    both.wait(); // they race; here the race is always lost
                    if open.load(Ordering::SeqCst) == 0 {
                        let _ = callback.synchronize_completed(HResult::S_OK);
                    }
                });
            }
        });
        Ok(())
    });
    let trace = run(script);
    let completions = named(&trace, "synchronize_completed");
    let found = only(&trace, Rule::SynchronizeCompletedOnce);
    tells(found, completions[1], &[completions[0]], &[]);
    assert_eq!(found.repeats, 0);
}

#[test]
fn h07_the_prepare_completes_both() {
    let script = obedient(1).prepare(|handler| {
        let callback = handler.callback();
        let _refused = callback.synchronize_completed(HResult::S_OK);
        let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
        Ok(Prepared::Started)
    });
    let trace = run(script);
    let found = only(&trace, Rule::SynchronizeCompletedOnce);
    tells(found, named(&trace, "synchronize_completed")[0], &[], &[]);
}

// H08 -------------------------------------------------------------------------------------------------------------

#[test]
fn h08_the_error_path_completes_too() {
    let script = obedient(1).synchronize(|handler| {
        copy_all(handler);
        let _taken = handler.callback().synchronize_completed(HResult::E_FAIL);
        Err(HandlerError::failed("the disk is full"))
    });
    let trace = run(script);
    let found = only(&trace, Rule::NoSynchronizeCompletedAfterFailure);
    let synchronize = named(&trace, "synchronize")[0];
    let completed = named(&trace, "synchronize_completed")[0];
    tells(found, completed, &[synchronize], &["synchronize"]);
}

#[test]
fn h08_the_completion_of_a_panicking_call() {
    // A guard completes when it is dropped, and does so while the method panics.
    struct Guard(Arc<dyn SyncCallback>);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _taken = self.0.synchronize_completed(HResult::E_FAIL);
        }
    }
    let script = obedient(1).synchronize(|handler| {
        let _guard = Guard(handler.callback());
        copy_all(handler);
        panic!("index out of range");
    });
    let trace = run(script);
    println!("{}", trace.report());
    assert_eq!(
        rules::broken(&trace),
        [Rule::NoSynchronizeCompletedAfterFailure],
        "{trace}"
    );
    assert_eq!(trace.incidents().len(), 1, "{trace}");
}

// H09 -------------------------------------------------------------------------------------------------------------

const DISK: ErrorId = ErrorId::from_u128(0xD15C);

/// Fails its item with an error that can be shown.
fn fails(
    show: impl Fn(&Arc<Scripted>) -> Result<(), HandlerError> + Send + Sync + 'static,
) -> Script {
    obedient(1)
        .synchronize(|handler| {
            let callback = handler.callback();
            let again = handler.count(|seen| matches!(seen, Seen::Prepare(_))) > 1;
            for item in handler.round() {
                let _ = callback.progress(item, &status(ItemStatus::Updating))?;
                if again {
                    finish(&*callback, item, ItemStatus::Succeeded);
                } else {
                    let record = LogRecord::new(LogLevel::Error, "the disk is full");
                    callback.log_error(&record.item(item).jump_text(DISK))?;
                    finish(&*callback, item, ItemStatus::Failed);
                }
            }
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(move |handler, _| show(handler))
}

fn show(script: Script) -> Trace {
    Harness::new(script.build())
        .show_errors()
        .deadline(SOON)
        .run()
}

#[test]
fn h09_the_error_is_shown_and_nobody_hears_when_it_is_closed() {
    let trace = show(fails(|_| Ok(())));
    let found = only(&trace, Rule::ShowErrorCompletedOnce);
    tells(found, named(&trace, "show_error")[0], &[], &["show_error"]);
}

#[test]
fn h09_both_buttons_complete() {
    let trace = show(fails(|handler| {
        let callback = handler.callback();
        let _retry = callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]));
        let _closed = callback.show_error_completed(ErrorOutcome::Done);
        Ok(())
    }));
    let completions = named(&trace, "show_error_completed");
    let found = only(&trace, Rule::ShowErrorCompletedOnce);
    tells(found, completions[1], &[completions[0]], &[]);
}

#[test]
fn h09_an_error_that_cannot_be_shown_is_completed_all_the_same() {
    let trace = show(fails(|handler| {
        let code = HResult::E_FAIL;
        let _ = handler
            .callback()
            .show_error_completed(ErrorOutcome::Other(code));
        Err(code.into())
    }));
    let found = only(&trace, Rule::ShowErrorCompletedOnce);
    let shown = named(&trace, "show_error")[0];
    tells(
        found,
        named(&trace, "show_error_completed")[0],
        &[shown],
        &["show_error"],
    );
}

#[test]
fn h09_the_retry_is_asked_for_without_an_error_being_shown() {
    // At the end of the synchronization it wants another go.
    let script = obedient(1).synchronize(|handler| {
        copy_all(handler);
        let callback = handler.callback();
        let _ = callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]));
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = run(script);
    let found = only(&trace, Rule::ShowErrorCompletedOnce);
    tells(found, named(&trace, "show_error_completed")[0], &[], &[]);
}

// H10 -------------------------------------------------------------------------------------------------------------

fn properties(
    show: impl Fn(&Arc<Scripted>, Option<ItemId>) -> Result<(), HandlerError> + Send + Sync + 'static,
) -> Trace {
    let script = obedient(1).show_properties(show);
    Harness::new(script.build())
        .show_properties(id(1))
        .deadline(SOON)
        .run()
}

#[test]
fn h10_the_properties_are_closed_and_nobody_hears_of_it() {
    let trace = properties(|_, _| Ok(()));
    let found = only(&trace, Rule::ShowPropertiesCompletedOnce);
    tells(
        found,
        named(&trace, "show_properties")[0],
        &[],
        &["show_properties"],
    );
}

#[test]
fn h10_the_item_was_deleted_and_the_window_closed() {
    let trace = properties(|handler, _| {
        let callback = handler.callback();
        let _deleted = callback.show_properties_completed(PropertiesOutcome::ItemsChanged);
        let _closed = callback.show_properties_completed(PropertiesOutcome::Done);
        Ok(())
    });
    let completions = named(&trace, "show_properties_completed");
    let found = only(&trace, Rule::ShowPropertiesCompletedOnce);
    tells(found, completions[1], &[completions[0]], &[]);
}

#[test]
fn h10_an_item_without_properties_is_completed_all_the_same() {
    let trace = properties(|handler, _| {
        let outcome = PropertiesOutcome::Other(HResult::E_INVALIDARG);
        let _ = handler.callback().show_properties_completed(outcome);
        Err(HandlerError::InvalidArgument)
    });
    let shown = named(&trace, "show_properties")[0];
    let found = only(&trace, Rule::ShowPropertiesCompletedOnce);
    let completed = named(&trace, "show_properties_completed")[0];
    tells(found, completed, &[shown], &["show_properties"]);
}

// H13 -------------------------------------------------------------------------------------------------------------

/// Runs a handler whose worker keeps the callback, and makes its last call when the handler is gone: its channel is
/// closed then.
fn with_worker(last: impl Fn(&dyn SyncCallback) + Copy + Send + Sync + 'static) -> Trace {
    let alive = Mutex::new(None);
    let script = obedient(1).callback_set(move |handler| {
        let callback = handler.callback();
        let (sender, closed) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _closed = closed.recv();
            last(&*callback);
        });
        *alive.lock().unwrap() = Some(sender);
        Ok(())
    });
    Harness::new(script.build()).linger(LIMIT).run()
}

#[test]
fn h13_a_worker_keeps_the_callback_and_says_good_bye() {
    let trace = with_worker(|callback| {
        let _ = callback.log_error(&LogRecord::new(LogLevel::Information, "good-bye"));
    });
    let released = *named(&trace, "set_progress_callback").last().unwrap();
    let found = only(&trace, Rule::NoCallAfterRelease);
    tells(
        found,
        named(&trace, "log_error")[0],
        &[released],
        &["log_error"],
    );
    assert_eq!(found.repeats, 0);
}

#[test]
fn h13_a_late_call_is_judged_by_no_other_rule() {
    let trace = with_worker(|callback| {
        let _ = callback.progress(id(7), &status(ItemStatus::Succeeded));
    });
    only(&trace, Rule::NoCallAfterRelease);
    let trace = with_worker(|callback| {
        let _ = callback.synchronize_completed(HResult::S_OK);
    });
    only(&trace, Rule::NoCallAfterRelease);
    let trace = with_worker(|callback| {
        let _ = callback.enable_modeless(true);
        let _ = callback.enable_modeless(true);
    });
    let late = trace
        .violations()
        .iter()
        .all(|found| found.rule == Rule::NoCallAfterRelease);
    assert!(late && !trace.violations().is_empty(), "{trace}");
}

#[test]
fn h13_the_callback_was_replaced_and_the_old_one_is_used() {
    let recorder = Recorder::new();
    let session = Session::builder().items(items(1)).driven().build().unwrap();
    let old: Mutex<Option<Arc<dyn SyncCallback>>> = Mutex::new(None);
    let old = Arc::new(old);
    let kept = Arc::clone(&old);
    let script = obedient(1)
        .callback_set(move |handler| {
            kept.lock()
                .unwrap()
                .get_or_insert_with(|| handler.callback());
            Ok(())
        })
        .synchronize(move |handler| {
            let first = old.lock().unwrap().take().unwrap();
            let _ = first.log_error(&LogRecord::new(LogLevel::Warning, "by the old one"));
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
    let handler = recorder.handler(script.build());
    drive(&session, &handler, |handler, session| {
        handler
            .set_progress_callback(Some(session.clone()))
            .unwrap();
    });
    drop(handler);
    let trace = recorder.trace();
    let replaced = named(&trace, "set_progress_callback")[1];
    let found = only(&trace, Rule::NoCallAfterRelease);
    tells(
        found,
        named(&trace, "log_error")[0],
        &[replaced],
        &["log_error"],
    );
}

/// A host by hand that does all in order; `more` comes once the callback is set.
fn drive(
    session: &Arc<Session>,
    handler: &Arc<dyn SyncHandler>,
    more: impl FnOnce(&Arc<dyn SyncHandler>, &Arc<Session>),
) {
    use syncmgr::{SyncEvent, SyncFlags};
    let _joins = handler
        .initialize(SyncFlags::new(SyncEvent::Manual), None)
        .unwrap();
    handler.info().unwrap();
    handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    more(handler, session);
    session.driver().begin_prepare(&[id(1)]).unwrap();
    let _started = Arc::clone(handler).prepare_for_sync(&[id(1)]).unwrap();
    session.driver().begin_synchronize().unwrap();
    Arc::clone(handler).synchronize().unwrap();
    handler.set_progress_callback(None).unwrap();
    session.driver().release();
}

// H18 -------------------------------------------------------------------------------------------------------------

#[test]
fn h18_a_retry_names_an_item_that_nobody_knows() {
    // It asks for the folder's parts, which are no items.
    let trace = show(fails(|handler| {
        let parts = [id(1), id(100)];
        let _ = handler
            .callback()
            .show_error_completed(ErrorOutcome::Retry(&parts));
        Ok(())
    }));
    let found = only(&trace, Rule::RetryOnlyKnownItems);
    tells(found, named(&trace, "show_error_completed")[0], &[], &[]);
    assert_eq!(found.item, Some(id(100)));
    let retried = trace.calls().iter().any(|call| match &call.action {
        Action::PrepareForSync { items } => items.contains(&id(100)),
        _ => false,
    });
    assert!(!retried, "{trace}");
}
