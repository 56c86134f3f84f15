//! For each rule a handler that comes as close to a breach as is allowed, and is clean.

use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use support::handler;
use support::rules;

use syncmgr::testing::{Harness, Intervention};
use syncmgr::{
    CallbackError, Dialog, ErrorFlags, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags,
    HandlerInfo, HandlerName, ItemFlags, ItemList, ItemName, ItemReporter, ItemStatus, LogLevel,
    LogRecord, LogSelector, Participation, Prepared, ProgressUpdate, PropertiesOutcome,
    SyncCallback, SyncFlags, SyncItem, Uuid, Verdict,
};

use support::handler::{Script, Seen};
use support::rules::{
    Skipped, bothering, clean, copy, copy_all, copy_parts, finish, obedient, reports,
};
use support::{LIMIT, id, ids, item, status, text, until, value};

/// A handler whose whole synchronization is this, on the host's thread, with its completion made for it.
fn working(
    n: u128,
    work: impl Fn(&Arc<dyn SyncCallback>) -> Result<(), CallbackError> + Send + Sync + 'static,
) -> Script {
    obedient(n).synchronize(move |handler| {
        work(&handler.callback())?;
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    })
}

fn run(script: Script) {
    clean(&Harness::new(script.build()).run());
}

#[test]
fn h01_any_first_report_asks_unless_it_tells_of_work() {
    let firsts: [fn() -> ProgressUpdate<'static>; 7] = [
        || ProgressUpdate::CHECK,
        || status(ItemStatus::Updating),
        || status(ItemStatus::Pending),
        || text("waiting"),
        || value(0),
        || ProgressUpdate::new().max(5),
        || status(ItemStatus::Resuming).value(0).max(5),
    ];
    for first in firsts {
        run(working(1, move |callback| {
            let _ = callback.progress(id(1), &first())?;
            let _ = callback.progress(id(1), &status(ItemStatus::Succeeded).value(5))?;
            Ok(())
        }));
    }
}

#[test]
fn h01_an_item_that_was_never_started_may_end_by_its_first_report() {
    for end in [
        ItemStatus::Skipped,
        ItemStatus::Failed,
        ItemStatus::Stopped,
        ItemStatus::Deleted,
    ] {
        run(working(1, move |callback| {
            finish(&**callback, id(1), end);
            Ok(())
        }));
    }
}

#[test]
fn h01_can_continue_asks_too() {
    run(working(1, |callback| {
        assert_eq!(callback.can_continue(Some(id(1)))?, Verdict::Continue);
        finish(&**callback, id(1), ItemStatus::Succeeded);
        Ok(())
    }));
}

#[test]
fn h02_after_the_cancel_it_asks_logs_and_ends() {
    let script = working(2, |callback| {
        let told = callback.progress(id(1), &status(ItemStatus::Updating))?;
        assert_eq!(told, Verdict::CancelItem);
        assert_eq!(callback.can_continue(Some(id(1)))?, Verdict::CancelItem);
        assert_eq!(
            callback.progress(id(1), &ProgressUpdate::CHECK)?,
            Verdict::CancelItem
        );
        callback.log_error(&LogRecord::new(LogLevel::Information, "stopped").item(id(1)))?;
        // The last report may tell how far it came.
        let last = status(ItemStatus::Stopped)
            .value(1)
            .max(2)
            .text("stopped half-way");
        assert_eq!(callback.progress(id(1), &last)?, Verdict::CancelItem);
        copy(&**callback, id(2));
        Ok(())
    });
    let trace = Harness::new(script.build()).cancel_item_at(1).run();
    clean(&trace);
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Succeeded));
}

#[test]
fn h02_an_item_that_was_nearly_done_may_succeed_and_then_fail() {
    let script = working(1, |callback| {
        let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
        finish(&**callback, id(1), ItemStatus::Succeeded);
        finish(&**callback, id(1), ItemStatus::Failed);
        Ok(())
    });
    clean(&Harness::new(script.build()).cancel_item_at(1).run());
}

#[test]
fn h02_a_thread_that_was_not_told_makes_its_next_report() {
    let script = working(1, |callback| {
        let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
        thread::scope(|scope| {
            for part in 1..=3 {
                let worker = scope.spawn(move || callback.progress(id(1), &value(part)));
                assert_eq!(worker.join().unwrap(), Ok(Verdict::CancelItem));
            }
        });
        finish(&**callback, id(1), ItemStatus::Stopped);
        Ok(())
    });
    let trace = Harness::new(script.build()).cancel_item_at(2).run();
    clean(&trace);
    assert_eq!(reports(&trace, id(1)).len(), 5);
}

#[test]
fn h02_a_retry_begins_anew() {
    let error = ErrorId::from_u128(1);
    let script = obedient(1)
        .synchronize(move |handler| {
            let callback = handler.callback();
            copy(&*callback, id(1));
            let record = LogRecord::new(LogLevel::Error, "was stopped").jump_text(error);
            callback.log_error(&record)?;
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|handler, _| {
            let once = handler.count(|seen| matches!(seen, Seen::Prepare(_))) == 1;
            let again = [id(1)];
            let outcome = if once {
                ErrorOutcome::Retry(&again)
            } else {
                ErrorOutcome::Done
            };
            handler.callback().show_error_completed(outcome)?;
            Ok(())
        });
    let trace = Harness::new(script.build())
        .cancel_item_at(2)
        .show_errors()
        .run();
    clean(&trace);
    assert_eq!(
        trace.status(id(1)),
        Some(ItemStatus::Succeeded),
        "the same thread works again"
    );
}

#[test]
fn h03_the_first_report_of_every_other_item_is_free() {
    let script = working(3, |callback| {
        copy(&**callback, id(1));
        for other in [id(2), id(3)] {
            let told = callback.progress(other, &status(ItemStatus::Updating).max(2))?;
            assert_eq!(told, Verdict::CancelAll);
            finish(&**callback, other, ItemStatus::Stopped);
        }
        Ok(())
    });
    clean(&Harness::new(script.build()).cancel_all_at(2).run());
}

#[test]
fn h03_the_handlers_own_question_tells_no_thread_of_an_item() {
    let script = working(2, |callback| {
        let _ = callback.progress(id(1), &ProgressUpdate::CHECK)?;
        assert_eq!(callback.can_continue(None)?, Verdict::CancelAll);
        assert_eq!(callback.set_handler_text("stopping")?, Verdict::CancelAll);
        // It had no answer for item 2 yet.
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        finish(&**callback, id(1), ItemStatus::Stopped);
        finish(&**callback, id(2), ItemStatus::Stopped);
        Ok(())
    });
    clean(&Harness::new(script.build()).cancel_all_at(1).run());
}

#[test]
fn h03_many_workers_each_with_its_next_report() {
    const WORKERS: u128 = 6;
    let script = obedient(WORKERS).synchronize(|handler| {
        let callback = handler.callback();
        let begun = Barrier::new(WORKERS as usize);
        thread::scope(|scope| {
            for item in handler.round() {
                let (callback, begun) = (&*callback, &begun);
                scope.spawn(move || {
                    let first = callback.progress(item, &status(ItemStatus::Updating).max(2));
                    begun.wait();
                    let end = copy_parts(callback, item, first);
                    finish(callback, item, end);
                });
            }
        });
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    clean(
        &Harness::new(script.build())
            .cancel_all_at(WORKERS as usize + 3)
            .run(),
    );
}

#[test]
fn h04_an_item_that_was_added_may_be_reported() {
    run(working(1, |callback| {
        copy(&**callback, id(1));
        callback.add_item(item(2))?;
        copy(&**callback, id(2));
        Ok(())
    }));
}

#[test]
fn h04_an_item_that_was_proposed_may_be_reported_and_committed_once_it_has_succeeded() {
    for is_committed in [false, true] {
        run(working(1, move |callback| {
            copy(&**callback, id(1));
            callback.propose_item(item(2))?;
            copy(&**callback, id(2));
            if is_committed {
                callback.commit_item(id(2))?;
            }
            Ok(())
        }));
    }
}

#[test]
fn h15_a_proposed_item_needs_no_end_and_neither_does_one_that_is_only_listed() {
    run(working(1, |callback| {
        callback.propose_item(item(2))?;
        let _ = callback.progress(id(2), &status(ItemStatus::Updating))?;
        callback.propose_item(item(3))?;
        callback.commit_item(id(3))?;
        copy(&**callback, id(1));
        Ok(())
    }));
}

#[test]
fn h04_what_is_logged_need_not_take_part() {
    let script = working(2, |callback| {
        callback.log_error(&LogRecord::new(LogLevel::Warning, "left out").item(id(2)))?;
        copy(&**callback, id(1));
        Ok(())
    });
    clean(&Harness::new(script.build()).select([id(1)]).run());
}

#[test]
fn h05_the_completion_may_come_before_or_after_the_answer_and_from_any_thread() {
    run(obedient(1)); // before
    run(obedient(1).prepare(|handler| {
        let callback = handler.callback();
        thread::spawn(move || callback.prepare_for_sync_completed(HResult::S_OK));
        Ok(Prepared::Started)
    }));
    // After the answer for certain: the host's next window is open, a skip was told.
    let (sender, told) = mpsc::channel();
    let told = Arc::new(Mutex::new(told));
    let script = obedient(1)
        .prepare(move |handler| {
            let (callback, told) = (handler.callback(), Arc::clone(&told));
            thread::spawn(move || {
                told.lock().unwrap().recv_timeout(LIMIT).unwrap();
                callback.prepare_for_sync_completed(HResult::S_OK)
            });
            Ok(Prepared::Started)
        })
        .set_item_status(move |_, _| {
            sender.send(()).map_err(HandlerError::failed)?;
            Ok(())
        })
        .synchronize(|handler| {
            let _asked = handler.callback().can_continue(Some(id(1)))?;
            finish(&*handler.callback(), id(1), ItemStatus::Skipped);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
    let trace = Harness::new(script.build()).skip(id(1)).run();
    clean(&trace);
    let completed = rules::named(&trace, "prepare_for_sync_completed")[0];
    let told = rules::named(&trace, "set_item_status")[0];
    assert!(told < completed, "{trace}");
}

#[test]
fn h05_a_prepare_that_fails_completes_with_its_code() {
    for code in [HResult::E_FAIL, HResult::S_FALSE, HResult::E_ABORT] {
        run(obedient(1).prepare(move |handler| {
            handler.complete_prepare(code);
            Ok(Prepared::Started)
        }));
    }
}

#[test]
fn h06_a_prepare_that_refuses_completes_nothing() {
    run(obedient(1).prepare(|_| Ok(Prepared::NeedsUser)));
    run(obedient(1).prepare(|_| Err(HandlerError::failed("no server"))));
}

#[test]
fn h07_the_completion_may_come_from_the_last_worker() {
    run(obedient(3).synchronize(|handler| {
        let open = Arc::new(std::sync::atomic::AtomicUsize::new(3));
        for item in handler.round() {
            let (callback, open) = (handler.callback(), Arc::clone(&open));
            thread::spawn(move || {
                copy(&*callback, item);
                if open.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                    let _taken = callback.synchronize_completed(HResult::S_OK);
                }
            });
        }
        Ok(())
    }));
}

#[test]
fn h07_the_completion_may_carry_a_failure() {
    run(obedient(1).synchronize(|handler| {
        copy_all(handler);
        handler.complete_synchronize(HResult::E_FAIL);
        Ok(())
    }));
}

#[test]
fn h08_a_failure_completes_nothing_and_leaves_items_open() {
    // H15 is not judged then.
    run(obedient(2).synchronize(|handler| {
        let _ = handler
            .callback()
            .progress(id(1), &status(ItemStatus::Updating))?;
        Err(HandlerError::failed("the disk is full"))
    }));
}

const DISK: ErrorId = ErrorId::from_u128(0xD15C);

/// Runs a handler whose error is shown like this; answers how many rounds it had.
fn with_error(
    show: impl Fn(&Arc<handler::Scripted>) -> Result<(), HandlerError> + Send + Sync + 'static,
) -> usize {
    let script = obedient(1)
        .synchronize(|handler| {
            let again = handler.count(|seen| matches!(seen, Seen::Prepare(_))) > 1;
            if !again {
                let record = LogRecord::new(LogLevel::Error, "full").jump_text(DISK);
                handler.callback().log_error(&record)?;
            }
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(move |handler, _| show(handler));
    let trace = Harness::new(script.build()).show_errors().run();
    clean(&trace);
    rules::named(&trace, "prepare_for_sync").len()
}

#[test]
fn h09_a_success_completes_once_and_a_failure_never() {
    with_error(|_| Err(HandlerError::NotImplemented));
    with_error(|_| Err(HandlerError::failed("no screen")));
    with_error(|handler| {
        Ok(handler
            .callback()
            .show_error_completed(ErrorOutcome::Done)?)
    });
    with_error(|handler| {
        let callback = handler.callback();
        thread::spawn(move || {
            let outcome = ErrorOutcome::Other(HResult::E_ABORT);
            let _taken = callback.show_error_completed(outcome);
        });
        Ok(())
    });
}

#[test]
fn h09_a_success_code_that_is_not_s_ok_is_completed_too() {
    // Judged by the code: an `Err` whose code is a success.
    with_error(|handler| {
        handler
            .callback()
            .show_error_completed(ErrorOutcome::Done)?;
        Err(HResult::S_FALSE.into())
    });
}

#[test]
fn h10_a_success_completes_once_and_a_failure_never() {
    let shows = |outcome: Option<PropertiesOutcome>| {
        let script = obedient(2).show_properties(move |handler, _| match outcome {
            Some(outcome) => Ok(handler.callback().show_properties_completed(outcome)?),
            None => Err(HandlerError::InvalidArgument),
        });
        let trace = Harness::new(script.build())
            .show_properties(None)
            .show_properties(id(1))
            .run();
        clean(&trace);
        assert_eq!(rules::named(&trace, "show_properties").len(), 2, "{trace}");
    };
    shows(None);
    shows(Some(PropertiesOutcome::Done));
    shows(Some(PropertiesOutcome::ItemsChanged));
    shows(Some(PropertiesOutcome::Other(HResult::E_ABORT)));
}

#[test]
fn h10_a_success_code_that_is_not_s_ok_is_completed_too() {
    let script = obedient(1).show_properties(|handler, _| {
        handler
            .callback()
            .show_properties_completed(PropertiesOutcome::Done)?;
        Err(HResult::S_FALSE.into())
    });
    clean(&Harness::new(script.build()).show_properties(id(1)).run());
}

#[test]
fn h11_each_granted_turn_is_given_back_once_and_a_denied_one_never() {
    let script = || {
        working(1, |callback| {
            for _ in 0..2 {
                if callback.enable_modeless(true)? == Dialog::Granted {
                    // From another thread than the one that asked.
                    let _back = thread::scope(|scope| {
                        scope
                            .spawn(|| callback.enable_modeless(false))
                            .join()
                            .unwrap()
                    })?;
                }
            }
            copy(&**callback, id(1));
            Ok(())
        })
    };
    let run = |harness: Harness| clean(&harness.flags(bothering()).run());
    run(Harness::new(script().build()));
    run(Harness::new(script().build()).deny_dialogs());
    run(Harness::new(script().build()).intervene(Intervention::DenyDialog(1)));
    run(Harness::new(script().build()).intervene(Intervention::DenyDialog(2)));
}

#[test]
fn h11_a_denied_question_may_be_asked_again() {
    let script = working(1, |callback| {
        assert_eq!(callback.enable_modeless(true)?, Dialog::Denied);
        assert_eq!(callback.enable_modeless(true)?, Dialog::Granted);
        let _ = callback.enable_modeless(false)?;
        copy(&**callback, id(1));
        Ok(())
    });
    clean(
        &Harness::new(script.build())
            .flags(bothering())
            .intervene(Intervention::DenyDialog(1))
            .run(),
    );
}

#[test]
fn h11_who_has_the_turn_may_ask_for_it_again() {
    let script = working(1, |callback| {
        assert_eq!(callback.enable_modeless(true)?, Dialog::Granted);
        assert_eq!(callback.enable_modeless(true)?, Dialog::Denied);
        let _ = callback.enable_modeless(false)?;
        copy(&**callback, id(1));
        Ok(())
    });
    clean(&Harness::new(script.build()).flags(bothering()).run());
}

#[test]
fn h12_a_dialog_while_an_error_is_shown_needs_no_flag() {
    with_error(|handler| {
        let callback = handler.callback();
        if callback.enable_modeless(true)? == Dialog::Granted {
            let _ = callback.enable_modeless(false)?;
        }
        Ok(callback.show_error_completed(ErrorOutcome::Done)?)
    });
}

#[test]
fn h12_a_prepare_that_needs_the_user_says_so() {
    let script = || {
        let flags = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&flags);
        obedient(1)
            .initialize(move |flags, _| {
                *kept.lock().unwrap() = Some(flags);
                Ok(Participation::Joins)
            })
            .prepare(move |handler| {
                let may = flags
                    .lock()
                    .unwrap()
                    .unwrap()
                    .contains(SyncFlags::MAY_BOTHER_USER);
                if !may {
                    return Ok(Prepared::NeedsUser);
                }
                let callback = handler.callback();
                if callback.enable_modeless(true)? == Dialog::Granted {
                    let _ = callback.enable_modeless(false)?;
                }
                rules::prepared(handler)
            })
    };
    clean(&Harness::new(script().build()).run());
    clean(&Harness::new(script().build()).flags(bothering()).run());
}

#[test]
fn h13_the_last_call_is_made_while_the_callback_is_taken_away() {
    // Before that call has returned: not a breach.
    run(obedient(1).callback_cleared(|handler| {
        let _taken = handler
            .callback()
            .log_error(&LogRecord::new(LogLevel::Information, "bye"));
        Ok(())
    }));
}

#[test]
fn h13_a_worker_has_finished_when_the_callback_is_taken_away() {
    let (stop, stopped) = mpsc::channel::<()>();
    let ends = Mutex::new(Some((stop, stopped)));
    let worker = Arc::new(Mutex::new(None));
    let joined = Arc::clone(&worker);
    run(obedient(1)
        .callback_set(move |handler| {
            let callback = handler.callback();
            let (stop, stopped) = ends.lock().unwrap().take().unwrap();
            let thread = thread::spawn(move || {
                let _stop = stopped.recv();
                let _ = callback.log_error(&LogRecord::new(LogLevel::Information, "bye"));
            });
            *worker.lock().unwrap() = Some((stop, thread));
            Ok(())
        })
        .callback_cleared(move |_| {
            let (stop, thread) = joined.lock().unwrap().take().unwrap();
            drop(stop);
            thread.join().unwrap();
            Ok(())
        }));
}

#[test]
fn h13_a_callback_that_is_kept_and_not_called_is_no_breach() {
    let kept = Arc::new(Mutex::new(None));
    let place = Arc::clone(&kept);
    let script = obedient(1).callback_set(move |handler| {
        *place.lock().unwrap() = Some(handler.callback());
        Ok(())
    });
    run(script);
    assert!(kept.lock().unwrap().is_some());
}

#[test]
fn h14_the_item_is_begun_under_the_lock_that_the_skip_takes() {
    let script = || {
        let skipped = Skipped::new();
        let told = skipped.clone();
        obedient(3)
            .synchronize(move |handler| {
                let (handler, skipped) = (Arc::clone(handler), skipped.clone());
                thread::spawn(move || {
                    let callback = handler.callback();
                    for item in handler.round() {
                        let begun = skipped.look(|skipped| {
                            (!skipped.contains(&item))
                                .then(|| callback.progress(item, &status(ItemStatus::Updating)))
                        });
                        let end = match begun {
                            None => ItemStatus::Skipped,
                            Some(first) => copy_parts(&*callback, item, first),
                        };
                        finish(&*callback, item, end);
                    }
                    let _taken = callback.synchronize_completed(HResult::S_OK);
                });
                Ok(())
            })
            .set_item_status(move |_, item| {
                told.insert(item);
                Ok(())
            })
    };
    for item in ids(3) {
        let skips: [&dyn Fn(Harness) -> Harness; 2] = [&|harness| harness.skip(item), &|harness| {
            harness.intervene(Intervention::SkipInSynchronize(item.into()))
        }];
        for skip in skips {
            let trace = skip(Harness::new(script().build())).run();
            clean(&trace);
            // The worker may be first: the lock is held while the harness waits to tell of the skip.
            let end = trace.status(item);
            assert!(
                end == Some(ItemStatus::Skipped) || end == Some(ItemStatus::Stopped),
                "{trace}"
            );
        }
        for report in 1..=4 {
            clean(
                &Harness::new(script().build())
                    .intervene(Intervention::Skip {
                        item: item.into(),
                        report,
                    })
                    .run(),
            );
        }
    }
    clean(
        &Harness::new(script().build())
            .intervene(Intervention::SkipNext {
                item: id(1).into(),
                report: 1,
            })
            .run(),
    );
}

#[test]
fn h14_a_skipped_item_may_be_asked_about_and_has_to_end() {
    let script = obedient(2).synchronize(|handler| {
        let handler = Arc::clone(handler);
        thread::spawn(move || {
            let callback = handler.callback();
            let asked = callback.progress(id(1), &status(ItemStatus::Updating));
            let end = copy_parts(&*callback, id(1), asked);
            finish(&*callback, id(1), end);
            // It knows nothing of the skip, and learns of it by the answer.
            match callback.progress(id(2), &ProgressUpdate::CHECK) {
                Ok(Verdict::Continue) => copy(&*callback, id(2)),
                _ => finish(&*callback, id(2), ItemStatus::Skipped),
            }
            let _taken = callback.synchronize_completed(HResult::S_OK);
        });
        Ok(())
    });
    let trace = Harness::new(script.build())
        .intervene(Intervention::SkipInSynchronize(id(2).into()))
        .run();
    clean(&trace);
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Skipped));
}

#[test]
fn h14_an_item_in_work_is_told_by_its_next_report() {
    // It had a report when `set_item_status` returned: H02 alone binds it.
    let seen = Skipped::new();
    let told = seen.clone();
    let script = obedient(1)
        .synchronize(move |handler| {
            let (handler, seen) = (Arc::clone(handler), seen.clone());
            thread::spawn(move || {
                let callback = handler.callback();
                let _ = callback.progress(id(1), &status(ItemStatus::Updating));
                // Another thread asks, and is skipped; so this one was told nothing.
                let other = callback.clone();
                let asks = thread::spawn(move || other.progress(id(1), &ProgressUpdate::CHECK));
                assert_eq!(asks.join().unwrap(), Ok(Verdict::CancelItem));
                until("the skip is told", || seen.contains(id(1)));
                assert_eq!(callback.progress(id(1), &value(1)), Ok(Verdict::CancelItem));
                finish(&*callback, id(1), ItemStatus::Stopped);
                let _taken = callback.synchronize_completed(HResult::S_OK);
            });
            Ok(())
        })
        .set_item_status(move |_, item| {
            told.insert(item);
            Ok(())
        });
    clean(
        &Harness::new(script.build())
            .intervene(Intervention::Skip {
                item: id(1).into(),
                report: 2,
            })
            .run(),
    );
}

#[test]
fn h15_any_final_status_will_do_and_the_last_may_come_just_before() {
    let ends = [
        ItemStatus::Succeeded,
        ItemStatus::Failed,
        ItemStatus::Skipped,
        ItemStatus::Stopped,
        ItemStatus::Deleted,
    ];
    run(working(ends.len() as u128, move |callback| {
        for item in ids(ends.len() as u128) {
            let _ = callback.progress(item, &status(ItemStatus::Updating))?;
        }
        for (item, end) in ids(ends.len() as u128).into_iter().zip(ends) {
            finish(&**callback, item, end);
        }
        Ok(())
    }));
}

#[test]
fn h15_items_that_are_not_of_the_round_need_no_end() {
    let script = obedient(2);
    clean(&Harness::new(script.build()).select([id(2)]).run());
    // An addition that was refused adds nothing.
    run(working(1, |callback| {
        assert_eq!(
            callback.add_item(item(1)),
            Err(CallbackError::InvalidArgument)
        );
        copy(&**callback, id(1));
        Ok(())
    }));
}

#[test]
fn h16_failed_may_follow_any_end_and_a_question_too() {
    for end in [
        ItemStatus::Succeeded,
        ItemStatus::Skipped,
        ItemStatus::Failed,
    ] {
        run(working(1, move |callback| {
            let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
            finish(&**callback, id(1), end);
            let _finished = callback.can_continue(Some(id(1)));
            let _finished = callback.progress(id(1), &ProgressUpdate::CHECK);
            finish(&**callback, id(1), ItemStatus::Failed);
            finish(&**callback, id(1), ItemStatus::Failed);
            Ok(())
        }));
    }
}

#[test]
fn h16_a_retry_opens_the_item_again() {
    let rounds = with_error(|handler| {
        let callback = handler.callback();
        Ok(callback.show_error_completed(ErrorOutcome::Retry(&[id(1)]))?)
    });
    assert_eq!(rounds, 2);
}

#[test]
fn h17_the_value_reaches_the_maximum_and_grows_with_it() {
    run(working(1, |callback| {
        let _ = callback.progress(id(1), &status(ItemStatus::Updating).max(2))?;
        let _ = callback.progress(id(1), &value(2))?;
        let _ = callback.progress(id(1), &value(3).max(3))?;
        let _ = callback.progress(id(1), &ProgressUpdate::new().max(u64::MAX))?;
        let _ = callback.progress(id(1), &value(u64::MAX))?;
        finish(&**callback, id(1), ItemStatus::Succeeded);
        Ok(())
    }));
}

#[test]
fn h17_there_is_no_maximum_or_it_is_not_known() {
    run(working(2, |callback| {
        // None was told, and then it is 0, which is none.
        let _ = callback.progress(id(1), &status(ItemStatus::Updating))?;
        let _ = callback.progress(id(1), &value(1_000))?;
        let _ = callback.progress(id(1), &ProgressUpdate::new().max(0))?;
        finish(&**callback, id(1), ItemStatus::Succeeded);
        // It is told, and the status says that it means nothing.
        let first = status(ItemStatus::UpdatingIndeterminate).max(1);
        let _ = callback.progress(id(2), &first)?;
        let _ = callback.progress(id(2), &value(1_000))?;
        let _ = callback.progress(id(2), &status(ItemStatus::Updating).max(2_000))?;
        finish(&**callback, id(2), ItemStatus::Succeeded);
        Ok(())
    }));
}

#[test]
fn h17_an_end_after_an_unknown_maximum_says_nothing_of_the_value() {
    // The report sets neither value nor maximum.
    run(working(1, |callback| {
        let first = status(ItemStatus::UpdatingIndeterminate).max(1);
        let _ = callback.progress(id(1), &first)?;
        let _ = callback.progress(id(1), &value(5))?;
        finish(&**callback, id(1), ItemStatus::Succeeded);
        Ok(())
    }));
}

#[test]
fn h18_a_retry_may_name_what_was_listed_or_added() {
    // Item 2 is listed and was not selected, item 3 was added.
    let script = obedient(2)
        .synchronize(|handler| {
            let callback = handler.callback();
            if handler.count(|seen| matches!(seen, Seen::Prepare(_))) == 1 {
                callback.add_item(item(3))?;
                copy(&*callback, id(3));
                let record = LogRecord::new(LogLevel::Error, "full").jump_text(DISK);
                callback.log_error(&record)?;
            }
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|handler, _| {
            let again = [id(2), id(3)];
            let callback = handler.callback();
            Ok(callback.show_error_completed(ErrorOutcome::Retry(&again))?)
        });
    let trace = Harness::new(script.build())
        .select([id(1)])
        .show_errors()
        .run();
    clean(&trace);
    assert_eq!(rules::named(&trace, "prepare_for_sync").len(), 2, "{trace}");
}

#[test]
fn h19_not_implemented_in_any_spelling() {
    let interface = Uuid::from_u128(5);
    let spelled = obedient(1).item_object(|_, _| Err(HResult::E_NOTIMPL.into()));
    let as_code = obedient(1).item_object(|_, _| Err(HandlerError::Code(HResult::E_NOTIMPL)));
    for script in [obedient(1), spelled, as_code] {
        clean(
            &Harness::new(script.build())
                .item_object(id(1), interface)
                .run(),
        );
    }
}

#[test]
fn h20_what_was_logged_may_be_deleted_and_everything_always() {
    run(working(1, |callback| {
        callback.delete_log_error(LogSelector::All)?;
        callback.log_error(&LogRecord::new(LogLevel::Error, "full").error_id(DISK))?;
        callback.delete_log_error(LogSelector::ById(DISK))?;
        // Deleted already, and yet it was logged.
        let _unknown = callback.delete_log_error(LogSelector::ById(DISK));
        callback.delete_log_error(LogSelector::All)?;
        copy(&**callback, id(1));
        Ok(())
    }));
}

#[test]
fn h20_an_entry_that_the_full_log_refused_was_named_all_the_same() {
    let script = working(1, |callback| {
        let _full = callback.log_error(&LogRecord::new(LogLevel::Error, "x").error_id(DISK));
        let _unknown = callback.delete_log_error(LogSelector::ById(DISK));
        copy(&**callback, id(1));
        Ok(())
    });
    clean(&Harness::new(script.build()).full_log().run());
}

#[test]
fn h21_names_of_just_the_allowed_length_and_the_time_without_its_flag() {
    let longest = ItemName::try_from("x".repeat(127)).unwrap();
    let notes = ItemName::try_from(format!("{}x", "𝄞".repeat(63))).unwrap();
    let mut timed = item(3);
    timed.last_update = Some(std::time::SystemTime::UNIX_EPOCH);
    let list = vec![
        SyncItem::new(id(1), longest),
        SyncItem::new(id(2), notes.clone()).flags(ItemFlags::HAS_PROPERTIES),
        timed,
        SyncItem::new(id(4), notes), // the same name is allowed
    ];
    run(obedient(4)
        .items(move |_| Ok(ItemList::Incomplete(list.clone())))
        .info(|_| Ok(HandlerInfo::new(HandlerName::try_from("x".repeat(31))?))));
}

#[test]
fn h22_with_the_flag_a_connection_may_be_asked_for_and_refused() {
    let script = || {
        working(1, |callback| {
            let _ = callback.establish_connection(None);
            let _ = callback.establish_connection(Some("vpn"));
            copy(&**callback, id(1));
            Ok(())
        })
        .info(|_| {
            let name = HandlerName::try_from("connects")?;
            Ok(HandlerInfo::new(name).flags(HandlerFlags::MAY_ESTABLISH_CONNECTION))
        })
    };
    clean(&Harness::new(script().build()).run());
    clean(&Harness::new(script().build()).refuse_connections().run());
}

#[test]
fn a_handler_that_takes_no_part_is_clean() {
    run(obedient(1).initialize(|_, _| Ok(Participation::Declines)));
    run(obedient(0));
    run(obedient(1).items(|_| Ok(ItemList::Complete(vec![item(1).checked(false)]))));
    run(obedient(1).initialize(|_, _| Err(HandlerError::failed("no settings"))));
    run(obedient(1).info(|_| Err(HandlerError::failed("no name"))));
    run(obedient(1).items(|_| Err(HandlerError::failed("no list"))));
}

#[test]
fn reporters_keep_the_rules() {
    let script = || {
        obedient(4).synchronize(|handler| {
            let callback = handler.callback();
            thread::scope(|scope| {
                for item in handler.round() {
                    let callback = &callback;
                    scope.spawn(move || -> Result<(), CallbackError> {
                        let reporter = ItemReporter::new(callback, item);
                        if !reporter.check()?.is_continue() {
                            return reporter.skip();
                        }
                        for _ in 0..5 {
                            if !reporter.advance(3)?.is_continue() {
                                return reporter.stop();
                            }
                        }
                        match item == id(3) {
                            true => reporter.fail_as(&CallbackError::NotConnected, DISK),
                            false => reporter.succeed(),
                        }
                    });
                }
            });
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
    };
    clean(&Harness::new(script().build()).run());
    clean(&Harness::new(script().build()).full_log().run());
    for report in 1..=28 {
        clean(&Harness::new(script().build()).cancel_all_at(report).run());
        clean(&Harness::new(script().build()).cancel_item_at(report).run());
    }
}

#[test]
fn log_flags_are_the_handlers_own_matter() {
    run(working(1, |callback| {
        let bare = LogRecord::new(LogLevel::Error, "x").flags(ErrorFlags::ENABLE_JUMP_TEXT);
        callback.log_error(&bare)?;
        copy(&**callback, id(1));
        Ok(())
    }));
}
