//! Cancels and skips while a handler runs: the verdicts, and SKIPPED in its two windows and nowhere else.

use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;

use syncmgr::{
    ErrorId, HResult, HandlerError, ItemId, ItemReporter, ItemStatus, LogLevel, LogRecord, Phase,
    Prepared, RunOptions, Session, SyncCallback, Verdict,
};

use support::handler::{Script, Scripted, Seen};
use support::{Deadline, id, ids, join, receive, status, value, view};

/// The session of the run, for the handler's own use.
type Known = Arc<OnceLock<Arc<Session>>>;

fn known() -> (Known, RunOptions) {
    let known = Known::default();
    let keep = Arc::clone(&known);
    let options = RunOptions::new().on_session(move |session| {
        assert!(keep.set(session).is_ok(), "on_session is called once");
    });
    (known, options)
}

#[track_caller]
fn skip(known: &Known, item: ItemId) {
    let session = known.get().expect("on_session came before");
    assert_eq!(session.skip_item(item), Ok(()), "skip {item}");
}

fn skips(handler: &Scripted) -> Vec<(ItemId, ItemStatus)> {
    let seen = handler.seen().into_iter();
    seen.filter_map(|seen| match seen {
        Seen::SetItemStatus(item, status) => Some((item, status)),
        _ => None,
    })
    .collect()
}

#[test]
fn a_skip_reaches_the_handler_between_the_return_of_prepare_and_its_completion() {
    let (session, options) = known();
    let (handler, report) = Script::new(2)
        .prepare(move |_| {
            skip(&session, id(2));
            Ok(Prepared::Started)
        })
        .set_item_status(|handler, item| {
            assert_eq!(
                handler.callback().can_continue(Some(item)),
                Ok(Verdict::CancelItem)
            );
            handler.complete_prepare(HResult::S_OK);
            Ok(())
        })
        .run(options);
    assert!(!handler.was_nested(), "prepare had returned");
    let expected = [
        Seen::SetCallback,
        Seen::Prepare(ids(2)),
        Seen::SetItemStatus(id(2), ItemStatus::Skipped),
        Seen::Synchronize,
        Seen::ClearCallback,
    ];
    assert_eq!(handler.seen()[3..], expected);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert_eq!(report.result, HResult::S_OK);
}

#[test]
fn a_skip_reaches_the_handler_between_the_return_of_synchronize_and_its_completion() {
    let (session, options) = known();
    let (handler, report) = Script::new(2)
        .synchronize(move |_| {
            skip(&session, id(1));
            Ok(())
        })
        .set_item_status(|handler, item| {
            let answer = handler
                .callback()
                .progress(item, &status(ItemStatus::Skipped));
            assert_eq!(answer, Ok(Verdict::CancelItem));
            assert!(
                handler
                    .callback()
                    .progress(id(2), &status(ItemStatus::Succeeded))
                    .is_ok()
            );
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(options);
    assert!(!handler.was_nested(), "synchronize had returned");
    assert_eq!(skips(&handler), [(id(1), ItemStatus::Skipped)]);
    support::went_through(&report);
}

#[test]
fn a_skip_from_another_thread_reaches_the_handler() {
    let (hand_over, handed) = mpsc::channel::<Arc<Session>>();
    let options = RunOptions::new().on_session(move |session| {
        assert!(
            hand_over.send(session).is_ok(),
            "the skipping thread waits for it"
        );
    });
    let handler = Script::new(2)
        .synchronize(|_| Ok(()))
        .set_item_status(|handler, item| {
            assert_eq!(
                handler
                    .callback()
                    .progress(item, &status(ItemStatus::Skipped)),
                Ok(Verdict::CancelItem)
            );
            if skips(handler).len() == 2 {
                handler.complete_synchronize(HResult::S_OK);
            }
            Ok(())
        })
        .build();
    let skipping = {
        let handler = Arc::clone(&handler);
        thread::spawn(move || {
            let session = receive("the session", &handed);
            support::until("synchronize", || {
                handler.seen().contains(&Seen::Synchronize)
            });
            assert_eq!(session.skip_item(id(2)), Ok(()));
            support::until("the first skip", || !skips(&handler).is_empty());
            assert_eq!(session.skip_item(id(1)), Ok(()));
        })
    };
    let report = handler.run(options);
    join("the skipping thread", skipping);
    assert_eq!(
        skips(&handler),
        [id(2), id(1)].map(|item| (item, ItemStatus::Skipped))
    );
    support::went_through(&report);
}

#[test]
fn a_skip_made_before_prepare_is_told_in_the_first_window() {
    let options =
        RunOptions::new().on_session(|session| assert_eq!(session.skip_item(id(1)), Ok(())));
    let (handler, _) = Script::new(2)
        .prepare(|_| Ok(Prepared::Started))
        .set_item_status(|handler, _| {
            handler.complete_prepare(HResult::S_OK);
            Ok(())
        })
        .run(options);
    assert_eq!(skips(&handler), [(id(1), ItemStatus::Skipped)]);
    assert!(!handler.was_nested());
}

#[test]
fn a_skip_is_told_once() {
    let (session, options) = known();
    let (handler, _) = Script::new(3)
        .prepare(move |_| {
            skip(&session, id(3));
            Ok(Prepared::Started)
        })
        .set_item_status(|handler, _| {
            handler.complete_prepare(HResult::S_OK);
            Ok(())
        })
        .synchronize(|handler| {
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                support::until("the return of synchronize", || !handler.is_inside());
                handler.finish_all(ItemStatus::Succeeded);
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
        .run(options);
    assert_eq!(
        skips(&handler),
        [(id(3), ItemStatus::Skipped)],
        "not again in the second window"
    );
}

#[test]
fn outside_its_windows_a_skip_changes_the_verdict_only() {
    let (session, options) = known();
    let (in_prepare, in_synchronize, in_show_error) = (
        Arc::clone(&session),
        Arc::clone(&session),
        Arc::clone(&session),
    );
    let error = ErrorId::from_u128(1);
    let (handler, report) = Script::new(4)
        .prepare(move |handler| {
            skip(&in_prepare, id(1));
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
        .synchronize(move |handler| {
            let callback = handler.callback();
            skip(&in_synchronize, id(2));
            for n in 1..=2 {
                assert_eq!(
                    callback.progress(id(n), &value(1)),
                    Ok(Verdict::CancelItem),
                    "item {n}"
                );
            }
            callback.log_error(&LogRecord::new(LogLevel::Error, "look").jump_text(error))?;
            for n in 1..=3 {
                let _ = callback.progress(id(n), &status(ItemStatus::Skipped))?;
            }
            handler.complete_synchronize(HResult::S_OK);
            skip(&in_synchronize, id(3));
            Ok(())
        })
        .show_error(move |handler, _| {
            // Item 4 is still open; whether the session takes the skip or not, the handler must not hear of it.
            let _ = in_show_error
                .get()
                .expect("on_session came before")
                .skip_item(id(4));
            handler
                .callback()
                .show_error_completed(syncmgr::ErrorOutcome::Done)?;
            Ok(())
        })
        .run(options.show_error_if(|_| true));
    assert_eq!(handler.count(|seen| *seen == Seen::ShowError(error)), 1);
    assert_eq!(skips(&handler), [], "{:?}", handler.seen());
    assert_eq!(report.unfinished, [id(4)]);
}

#[test]
fn a_cancel_alone_is_no_skip() {
    let (session, options) = known();
    let (handler, report) = Script::new(2)
        .synchronize(move |handler| {
            let session = session.get().expect("on_session came before");
            assert_eq!(session.cancel_item(id(1)), Ok(()));
            session.cancel_all();
            let handler = Arc::clone(handler);
            thread::spawn(move || {
                support::until("the return of synchronize", || !handler.is_inside());
                handler.finish_all(ItemStatus::Stopped);
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
        .run(options);
    assert_eq!(skips(&handler), []);
    support::went_through(&report);
}

#[test]
fn a_handler_may_refuse_a_skip() {
    let (session, options) = known();
    let (handler, report) = Script::new(1)
        .synchronize(move |_| {
            skip(&session, id(1));
            Ok(())
        })
        .set_item_status(|handler, _| {
            handler.finish_all(ItemStatus::Succeeded);
            handler.complete_synchronize(HResult::S_OK);
            Err(HandlerError::NotImplemented)
        })
        .run(options);
    assert_eq!(skips(&handler).len(), 1);
    assert_eq!(
        (report.result, report.phase),
        (HResult::S_OK, Phase::Completed)
    );
}

/// Works on one item until it is told to stop; answers what it was told.
fn work(callback: &Arc<dyn SyncCallback>, item: ItemId) -> Result<Verdict, HandlerError> {
    let worker = ItemReporter::new(callback, item);
    let deadline = Deadline::new("a cancel");
    loop {
        let verdict = worker.advance(1)?;
        if verdict != Verdict::Continue {
            worker.stop()?;
            return Ok(verdict);
        }
        deadline.tick();
    }
}

#[test]
fn cancels_from_another_thread_stop_the_workers_of_a_run() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let (hand_over, handed) = mpsc::channel::<Arc<Session>>();
    let options = RunOptions::new().on_session(move |session| {
        assert!(
            hand_over.send(session).is_ok(),
            "the cancelling thread waits for it"
        );
    });
    let cancelling = thread::spawn(move || {
        let session = receive("the session", &handed);
        support::until("all workers", || {
            (1..=3).all(|n| view(&session, n).value > 0)
        });
        assert_eq!(session.cancel_item(id(2)), Ok(()));
        support::until("the end of item 2", || {
            view(&session, 2).status == ItemStatus::Stopped
        });
        assert_eq!(
            view(&session, 1).status,
            ItemStatus::Updating,
            "the others go on"
        );
        session.cancel_all();
    });
    let (handler, report) = Script::new(3)
        .synchronize(move |handler| {
            let (handler, telling) = (Arc::clone(handler), Arc::clone(&telling));
            thread::spawn(move || {
                let workers: Vec<_> = handler
                    .round()
                    .into_iter()
                    .map(|item| {
                        let callback = handler.callback();
                        thread::spawn(move || (item, work(&callback, item)))
                    })
                    .collect();
                for worker in workers {
                    let (item, verdict) = join("a worker", worker);
                    let verdict = verdict.expect("a worker is told, not refused");
                    telling
                        .lock()
                        .expect("no test thread panicked")
                        .push((item, verdict));
                }
                handler.complete_synchronize(HResult::S_OK);
            });
            Ok(())
        })
        .run(options);
    join("the cancelling thread", cancelling);
    let expected = [
        (id(1), Verdict::CancelAll),
        (id(2), Verdict::CancelItem),
        (id(3), Verdict::CancelAll),
    ];
    assert_eq!(*told.lock().expect("no test thread panicked"), expected);
    assert_eq!(
        (report.result, report.phase),
        (HResult::S_OK, Phase::Completed)
    );
    support::went_through(&report);
    assert_eq!(skips(&handler), []);
}

#[test]
fn a_cancel_while_prepare_waits_is_seen_in_synchronize() {
    let (session, options) = known();
    let (_, report) = Script::new(1)
        .prepare(move |handler| {
            session.get().expect("on_session came before").cancel_all();
            assert_eq!(
                handler.callback().can_continue(None),
                Ok(Verdict::CancelAll)
            );
            handler.complete_prepare(HResult::S_OK);
            Ok(Prepared::Started)
        })
        .synchronize(|handler| {
            assert_eq!(
                handler
                    .callback()
                    .progress(id(1), &status(ItemStatus::Stopped)),
                Ok(Verdict::CancelAll)
            );
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .run(options);
    assert_eq!(report.result, HResult::S_OK);
}

#[test]
fn skips_that_stream_in_while_it_completes_are_told_in_the_windows_or_not_at_all() {
    for _ in 0..60 {
        let (session, options) = known();
        let (handler, report) = Script::new(20)
            .synchronize(move |handler| {
                let session = Arc::clone(session.get().expect("on_session came before"));
                thread::spawn(move || (1..=20).for_each(|n| _ = session.skip_item(id(n))));
                let handler = Arc::clone(handler);
                thread::spawn(move || {
                    handler.finish_all(ItemStatus::Skipped);
                    handler.complete_synchronize(HResult::S_OK);
                });
                Ok(())
            })
            .run(options);
        assert!(!handler.was_nested());
        assert_eq!(report.result, HResult::S_OK, "{report:?}");
        assert!(report.faults.is_empty(), "{report:?}");
        let told = skips(&handler);
        assert!(
            told.iter()
                .all(|(_, status)| *status == ItemStatus::Skipped),
            "{told:?}"
        );
        assert!(
            told.is_sorted_by(|one, next| one.0 < next.0),
            "in order, each once: {told:?}"
        );
        assert_eq!(handler.seen().last(), Some(&Seen::ClearCallback));
    }
}
