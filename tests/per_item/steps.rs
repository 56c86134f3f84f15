//! A handler of items that are done each for itself: what is done before the items, after them, and when the host lets go.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use support::works::handler;
use support::{id, item, items, receive, until, view};
use syncmgr::per_item::{Cancelled, Error, HandlerBuilder, ItemContext, PerItem};
use syncmgr::testing::{Action, Harness, Trace, explore_cancellations, explore_faults};
use syncmgr::{
    CallbackError, HResult, ItemList, ItemStatus, LogLevel, Phase, ProgressUpdate, RunOptions,
    Session, SyncEvent, SyncFlags, SyncHandler, run_handler,
};

/// What is done for an item.
type Kind = fn(&ItemContext) -> Result<(), Error>;

fn steps(work: &ItemContext) -> Result<(), Error> {
    for _ in 0..3 {
        work.advance(1)?;
    }
    Ok(())
}

/// Counts three, and asks at each.
fn three(work: &ItemContext) -> Result<u64, Error> {
    for _ in 0..3 {
        work.check()?;
    }
    Ok(3)
}

fn logged(trace: &Trace) -> Vec<(LogLevel, String)> {
    let calls = trace.calls().iter();
    let records = calls.filter_map(|call| match &call.action {
        Action::LogError { record } => Some((record.level, record.text.to_string())),
        _ => None,
    });
    records.collect()
}

#[test]
fn a_handler_that_measures_and_finishes_is_conformant_at_every_cancel_and_every_fault() {
    for workers in [1, 3] {
        for finished in [true, false] {
            let make = || {
                let handler = handler(4, steps).workers(workers).measure(three);
                let end = move || match finished {
                    true => Ok(()),
                    false => Err("not finished".into()),
                };
                handler.finish(end).wait_for_work(true).build()
            };
            explore_cancellations(make).assert_conformant();
            explore_faults(make).assert_conformant();
        }
    }
}

#[test]
fn all_items_are_measured_before_the_first_is_begun() {
    for workers in [1, 3] {
        let begun = Arc::new(AtomicUsize::new(0));
        let (count, seen) = (begun.clone(), begun.clone());
        let work = move |work: &ItemContext| {
            count.fetch_add(1, Ordering::SeqCst);
            steps(work)
        };
        let measure = move |work: &ItemContext| {
            assert_eq!(seen.load(Ordering::SeqCst), 0);
            three(work)
        };
        let handler = handler(5, work).measure(measure);
        let trace = Harness::new(handler.workers(workers).build()).run();
        trace.assert_conformant();
        let calls = trace.calls().iter();
        let before = calls.take_while(|call| call.action != Action::Synchronize);
        let maxima = before.filter(|call| match &call.action {
            Action::Progress { update, .. } => update.max == Some(3),
            _ => false,
        });
        assert_eq!(maxima.count(), 5, "{trace}");
        assert_eq!(begun.load(Ordering::SeqCst), 5);
        assert_eq!(logged(&trace), []);
    }
}

#[test]
fn what_cannot_be_measured_is_done_all_the_same() {
    let handler = handler(3, steps).measure(|work| match work.item().id {
        first if first == id(1) => Err("it cannot be counted".into()),
        second if second == id(2) => panic!("on purpose"),
        _ => Ok(3),
    });
    let trace = Harness::new(handler.build()).run();
    trace.assert_conformant();
    for n in [1, 2, 3] {
        assert_eq!(trace.status(id(n)), Some(ItemStatus::Succeeded));
    }
    let expected = ["it cannot be counted", "panicked: on purpose"]
        .map(|why| format!("how much there is to do is not known: {why}"))
        .map(|text| (LogLevel::Warning, text));
    assert_eq!(logged(&trace), expected);
}

#[test]
fn an_item_that_is_cancelled_while_it_is_measured_is_not_begun() {
    let begun = Arc::new(Mutex::new(Vec::new()));
    let seen = begun.clone();
    let work = move |work: &ItemContext| {
        seen.lock().unwrap().push(work.item().id);
        steps(work)
    };
    // The question before it, then the second while it is measured.
    let trace = Harness::new(handler(2, work).measure(three).build())
        .cancel_item_at(3)
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Skipped));
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Succeeded));
    assert_eq!(*begun.lock().unwrap(), [id(2)]);
    assert_eq!(logged(&trace), []);
}

#[test]
fn an_item_that_is_cancelled_before_the_prepare_is_not_measured() {
    let measured = Arc::new(Mutex::new(Vec::new()));
    let seen = measured.clone();
    let handler = handler(2, steps).measure(move |work| {
        seen.lock().unwrap().push(work.item().id);
        Ok(3)
    });
    let options = RunOptions::new().on_session(|session| session.cancel_item(id(1)).unwrap());
    let report = run_handler(handler.build(), options);
    assert_eq!(*measured.lock().unwrap(), [id(2)]);
    let view = report.session.unwrap().item(id(1)).unwrap();
    assert_eq!(view.status, ItemStatus::Skipped);
    assert!(view.max == 0 && !view.verdict.is_continue(), "{view:?}");
}

#[test]
fn an_item_that_comes_later_is_measured_before_its_work() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (done, counted) = (order.clone(), order.clone());
    let work = move |work: &ItemContext| {
        done.lock().unwrap().push(("done", work.item().id));
        if work.item().id == id(1) {
            work.add_item(item(7))?;
        }
        Ok(())
    };
    let measure = move |work: &ItemContext| {
        counted.lock().unwrap().push(("counted", work.item().id));
        let refused = work.add_item(item(9));
        if work.item().id == id(1) {
            assert_eq!(refused, Err(CallbackError::WrongPhase));
        }
        Ok(3)
    };
    let handler = handler(1, work).measure(measure);
    let trace = Harness::new(handler.build()).run();
    trace.assert_conformant();
    // An item that is late may find others.
    let expected = [
        ("counted", 1),
        ("done", 1),
        ("counted", 7),
        ("done", 7),
        ("counted", 9),
        ("done", 9),
    ];
    let expected = expected.map(|(what, n)| (what, id(n)));
    assert_eq!(*order.lock().unwrap(), expected);
}

#[test]
fn the_round_is_finished_when_every_item_has_ended_and_before_it_is_complete() {
    for workers in [1, 3] {
        let session = Arc::new(Mutex::new(None::<Arc<Session>>));
        let open = Arc::new(AtomicUsize::new(usize::MAX));
        let (keep, given, seen) = (session.clone(), session.clone(), open.clone());
        let handler = handler(4, steps).workers(workers).finish(move || {
            let session = given.lock().unwrap().clone().unwrap();
            seen.store(session.driver().unfinished_items().len(), Ordering::SeqCst);
            assert_eq!(session.phase(), syncmgr::Phase::Synchronizing);
            Ok(())
        });
        let options = RunOptions::new().on_session(move |given| {
            *keep.lock().unwrap() = Some(given);
        });
        let report = run_handler(handler.build(), options);
        assert!(report.is_success(), "{report:?}");
        assert_eq!(open.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_round_that_cannot_be_finished_has_failed_and_says_why() {
    let ends: [fn() -> Result<(), Error>; 2] = [
        || Err("the index was not written".into()),
        || panic!("the index was not written"),
    ];
    for (end, text) in ends.into_iter().zip(["", "panicked: "]) {
        // After a cancel of everything too.
        for cancelled in [false, true] {
            let handler = handler(2, steps).finish(end).build();
            let mut harness = Harness::new(handler);
            if cancelled {
                harness = harness.cancel_all_at(2);
            }
            let trace = harness.run();
            trace.assert_conformant();
            let expected = (LogLevel::Error, format!("{text}the index was not written"));
            assert_eq!(logged(&trace), [expected]);
            let completed = trace.calls().iter().any(|call| {
                call.action
                    == Action::SynchronizeCompleted {
                        result: HResult::E_FAIL,
                    }
            });
            assert!(completed, "{trace}");
        }
    }
}

#[test]
fn work_that_has_logged_what_went_wrong_fails_its_item_and_nothing_more_is_logged() {
    for cancelled in [false, true] {
        let work = |work: &ItemContext| {
            work.text("two of three")?;
            work.log(LogLevel::Error, "the third is missing")?;
            work.set_outcome(ItemStatus::Failed);
            let _ = work.check();
            Ok(())
        };
        let mut harness = Harness::new(handler(1, work).build());
        if cancelled {
            harness = harness.cancel_item_at(4);
        }
        let trace = harness.show_errors().run();
        trace.assert_conformant();
        assert_eq!(trace.status(id(1)), Some(ItemStatus::Failed), "{trace}");
        let expected = (LogLevel::Error, "the third is missing".to_owned());
        assert_eq!(logged(&trace), [expected]);
    }
}

#[test]
fn the_last_words_go_with_the_final_status_whatever_it_is() {
    let words = |end: fn(&ItemContext) -> Result<(), Error>, cancelled: bool| {
        let work = move |work: &ItemContext| {
            work.text("at work")?;
            work.set_final_text("one of two");
            work.check()?;
            end(work)
        };
        let mut harness = Harness::new(handler(1, work).build());
        if cancelled {
            harness = harness.cancel_item_at(4);
        }
        let trace = harness.run();
        trace.assert_conformant();
        let update = trace
            .calls()
            .iter()
            .rev()
            .find_map(|call| match &call.action {
                Action::Progress { update, .. } => Some((update.status, update.text.clone())),
                _ => None,
            });
        update.unwrap()
    };
    let said = |status| (Some(status), Some("one of two".into()));
    assert_eq!(words(|_| Ok(()), false), said(ItemStatus::Succeeded));
    assert_eq!(words(|_| Ok(()), true), said(ItemStatus::Stopped));
    assert_eq!(words(|_| Err("x".into()), false), said(ItemStatus::Failed));
    let skips: fn(&ItemContext) -> Result<(), Error> = |work| {
        work.set_outcome(ItemStatus::Skipped);
        Ok(())
    };
    assert_eq!(words(skips, false), said(ItemStatus::Skipped));
}

#[test]
fn work_that_calls_itself_deep_down_gets_the_stack_that_it_asks_for() {
    fn deep(levels: usize) -> usize {
        let here = std::hint::black_box([levels; 128]); // a kilobyte
        match levels {
            0 => 0,
            more => deep(more - 1) + std::hint::black_box(here)[0] - more + 1,
        }
    }
    // 16 MiB at least: more than a thread has by itself, so that without the stack the process ends here.
    let levels = 16 << 10;
    let handler = handler(1, move |work| {
        assert_eq!(deep(levels), levels);
        work.advance(1)?;
        Ok(())
    });
    let handler = handler
        .measure(move |_| Ok(deep(levels) as u64))
        .stack_size(256 << 20);
    let trace = Harness::new(handler.build()).run();
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
}

#[test]
fn a_hand_may_be_kept_on_what_the_handler_does() {
    struct Counted(AtomicUsize);
    impl PerItem for Counted {
        fn items(&self) -> Result<ItemList, Error> {
            Ok(ItemList::Complete(items(3)))
        }
        fn synchronize(&self, _: &ItemContext) -> Result<(), Error> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }
    let counted = Arc::new(Counted(AtomicUsize::new(0)));
    let handler = HandlerBuilder::new("test".parse().unwrap(), counted.clone()).build();
    Harness::new(handler).run().assert_conformant();
    assert_eq!(counted.0.load(Ordering::SeqCst), 3);
}

/// A handler in the middle of its work.
fn begin(handler: &Arc<dyn SyncHandler>, session: &Arc<Session>) {
    let flags = SyncFlags::new(SyncEvent::Manual);
    let _ = handler.initialize(flags, None).unwrap();
    let _ = handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&[id(1)]).unwrap();
    let _ = handler.clone().prepare_for_sync(&[id(1)]).unwrap();
    session.driver().begin_synchronize().unwrap();
    handler.clone().synchronize().unwrap();
}

fn driven() -> Arc<Session> {
    let builder = Session::builder().items(items(1));
    builder.driven().build().unwrap()
}

#[test]
fn a_host_that_takes_its_callback_away_waits_for_the_work() {
    let (begin_work, begun) = mpsc::channel();
    let begin_work = Mutex::new(begin_work);
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let handler = handler(1, move |work| {
        begin_work.lock().unwrap().send(()).unwrap();
        while work.check().is_ok() {
            std::thread::yield_now();
        }
        for _ in 0..1000 {
            std::thread::yield_now(); // it cleans up
        }
        end.store(true, Ordering::SeqCst);
        Ok(())
    });
    let handler = handler.wait_for_work(true).build();
    let session = driven();
    begin(&handler, &session);
    receive("the work", &begun);
    handler.set_progress_callback(None).unwrap();
    assert!(ended.load(Ordering::SeqCst));
    assert_eq!(session.item(id(1)).unwrap().status, ItemStatus::Updating);
}

#[test]
fn who_takes_the_callback_away_on_a_worker_does_not_wait_for_itself() {
    let own = Arc::new(Mutex::new(None::<Arc<dyn SyncHandler>>));
    let (left, has_left) = mpsc::channel();
    let (given, left) = (own.clone(), Mutex::new(left));
    // The work stands for a host that does it from inside an answer.
    let work = move |work: &ItemContext| {
        let handler = given.lock().unwrap().take();
        handler.unwrap().set_progress_callback(None).unwrap();
        left.lock().unwrap().send(work.check()).unwrap();
        Ok(())
    };
    let handler = handler(1, work).wait_for_work(true).build();
    *own.lock().unwrap() = Some(handler.clone());
    let session = driven();
    begin(&handler, &session);
    let answer = receive("the end of the wait", &has_left);
    assert_eq!(answer, Err(Cancelled::Refused(CallbackError::Released)));
    handler.set_progress_callback(Some(session)).unwrap();
    handler.set_progress_callback(None).unwrap(); // waits for nobody
}

#[test]
fn a_value_above_the_maximum_raises_it() {
    let kinds: [Kind; 5] = [
        |work| {
            work.max(3)?;
            Ok(work.advance(30)?)
        },
        |work| {
            work.max(3)?;
            work.set(30)?;
            Ok(work.max(7)?)
        },
        |work| {
            work.advance(30)?;
            Ok(work.max(3)?)
        },
        |work| {
            work.report(&ProgressUpdate::new().max(3))?;
            Ok(work.report(&ProgressUpdate::new().value(30))?)
        },
        |work| {
            let mut grown = std::io::repeat(0).take(30);
            work.max(3)?;
            std::io::copy(&mut work.wrap_read(&mut grown), &mut std::io::sink())?;
            Ok(())
        },
    ];
    for kind in kinds {
        let make = || handler(2, kind).workers(2).build();
        explore_cancellations(make).assert_conformant();
        let session = Arc::new(Mutex::new(None));
        let seen = session.clone();
        let options = RunOptions::new().on_session(move |it| *seen.lock().unwrap() = Some(it));
        assert!(run_handler(make(), options).is_success());
        let session = session.lock().unwrap().take().unwrap();
        let item = session.item(id(1)).unwrap();
        assert_eq!((item.value, item.max), (30, 30));
    }
    // What was measured is a maximum too.
    let measured = handler(2, |work| Ok(work.advance(30)?)).measure(|_| Ok(3));
    Harness::new(measured.build()).run().assert_conformant();
}

#[test]
fn threads_of_the_work_raise_the_maximum_together() {
    let work = |work: &ItemContext| {
        work.max(1)?;
        let shared = work.share();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).try_for_each(|_| shared.advance(1)));
            }
        });
        Ok(())
    };
    for _ in 0..20 {
        let trace = Harness::new(handler(1, work).build()).run();
        trace.assert_conformant();
    }
}

#[test]
fn a_part_that_fails_is_logged_and_the_others_go_on() {
    let work = |work: &ItemContext| {
        for part in 1..=4 {
            let done = match part {
                2 => Err(std::io::Error::other("it is broken")),
                _ => work.advance(1).map(|()| part).map_err(Into::into),
            };
            if let Some(done) = work.record_part(format_args!("part {part}"), done)? {
                assert_eq!(done, part);
            }
        }
        Ok(())
    };
    let trace = Harness::new(handler(1, work).build()).run();
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Failed));
    assert_eq!(
        logged(&trace),
        [(LogLevel::Error, "part 2: it is broken".to_owned())]
    );

    // A cancel is none, whether the part passes it on or fails by it.
    type Part = fn(&ItemContext, u32) -> Result<(), Error>;
    let kinds: [Part; 2] = [
        |work, _| Ok(work.advance(1)?),
        |work, _| work.advance(1).map_err(|_| "the socket is closed".into()),
    ];
    for kind in kinds {
        let make = || {
            let parts = move |work: &ItemContext| {
                for part in 0..5 {
                    work.record_part(part, kind(work, part))?;
                }
                Ok(())
            };
            (Harness::new(handler(2, parts).build()), ())
        };
        Harness::explore(make, |trace, ()| assert_eq!(logged(trace), [])).assert_conformant();
    }
}

#[test]
fn an_error_after_a_cancellation_is_logged_and_the_item_is_stopped() {
    let started = Arc::new(OnceLock::<Arc<Session>>::new());
    let of_work = Arc::clone(&started);
    let handler = handler(1, move |work| {
        let session = of_work.get().expect("it was started with a session");
        session.cancel_item(work.item().id)?;
        assert!(work.check().is_err());
        Err("the disk is full".into())
    });
    let options = RunOptions::new().on_session(move |session| {
        assert!(started.set(session).is_ok());
    });
    let report = run_handler(handler.build(), options);
    let session = report.session.expect("it has items");
    assert_eq!(
        session.item(id(1)).map(|view| view.status),
        Some(ItemStatus::Stopped)
    );
    let log = session.log();
    let logged: Vec<_> = log
        .iter()
        .map(|entry| (entry.level, &*entry.text))
        .collect();
    assert_eq!(logged, [(LogLevel::Information, "the disk is full")]);
}

#[test]
fn an_item_that_was_skipped_is_done_when_a_retry_names_it() {
    let handler = handler(1, steps).build();
    let session = support::driven(1);
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    for (skipped, expected) in [(true, ItemStatus::Skipped), (false, ItemStatus::Succeeded)] {
        assert_eq!(session.driver().begin_prepare(&[id(1)]), Ok(()));
        Arc::clone(&handler).prepare_for_sync(&[id(1)]).unwrap();
        assert_eq!(session.phase(), Phase::Prepared);
        assert_eq!(session.driver().begin_synchronize(), Ok(()));
        if skipped {
            handler.set_item_status(id(1), ItemStatus::Skipped).unwrap();
        }
        Arc::clone(&handler).synchronize().unwrap();
        until("the completion", || session.phase() == Phase::Completed);
        assert_eq!(view(&session, 1).status, expected);
    }
    handler.set_progress_callback(None).unwrap();
}
