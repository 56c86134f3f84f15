//! The contexts of an item: of one thread, of several, and of a task.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use support::works::handler;
use support::{id, item, items, receive, until, within};
use syncmgr::per_item::{self, Cancelled, HandlerBuilder, ItemContext, SharedContext};
use syncmgr::testing::mock::ForwardingCallback;
use syncmgr::testing::{Harness, Recorder, explore_cancellations, explore_faults};
use syncmgr::{
    CallbackError, ItemId, ItemStatus, LogLevel, LogRecord, Phase, ProgressUpdate, RunOptions,
    Session, SyncCallback, SyncFlags, SyncHandler, SyncItem, Verdict, run_handler, start,
};

#[test]
fn no_step_of_any_thread_is_lost_whenever_the_context_is_shared() {
    for before in [0, 1, 100] {
        let report = per_item::each([("steps", ())], move |item, ()| {
            for _ in 0..before {
                item.advance(1)?;
            }
            let shared = item.share();
            thread::scope(|scope| {
                for _ in 0..3 {
                    let shared = shared.clone();
                    scope.spawn(move || (0..1_000).try_for_each(|_| shared.advance(1)));
                }
                (0..1_000).try_for_each(|_| item.advance(1))
            })?;
            Ok(())
        })
        .run();
        assert!(report.is_success(), "{report:?}");
        assert_eq!(report.items()[0].value, before + 4_000);
    }
}

#[test]
fn a_value_that_is_set_and_one_that_is_advanced_are_the_same_value() {
    let report = per_item::each([("mixed", ())], |item, ()| {
        item.max(10)?;
        item.advance(3)?;
        item.set(5)?;
        item.advance(2)?; // 7
        item.report(&ProgressUpdate::new().value(8).text("eight"))?;
        item.advance(1)?; // 9
        item.advance(6)?; // 15, more than the maximum
        item.advance(1)?; // 16
        item.max(20)?;
        item.advance(1)?; // 17
        let shared = item.share();
        shared.advance(1)?;
        item.advance(1)?; // 19
        shared.set(4)?;
        item.advance(1)?; // 5
        Ok(())
    })
    .run();
    let item = &report.items()[0];
    assert_eq!((item.value, item.max), (5, 20));
    assert_eq!(item.text, "eight");
}

#[test]
fn a_total_past_the_largest_number_wraps() {
    let report = per_item::each([("large", ())], |item, ()| {
        item.set(u64::MAX - 1)?;
        item.advance(3)?;
        Ok(())
    })
    .run();
    assert_eq!(report.items()[0].value, 1);
}

#[test]
fn a_value_that_another_reporter_sets_is_overwritten() {
    let report = per_item::each([("two reporters", ())], |item, ()| {
        item.advance(5)?;
        let other = syncmgr::ItemReporter::new(item.callback()?, item.item().id);
        let _ = other.set(100)?;
        item.advance(1)?;
        Ok(())
    })
    .run();
    assert_eq!(report.items()[0].value, 6);
}

/// Begins the synchronization of items 1 to `n` by hand.
fn begun(handler: &Arc<dyn SyncHandler>, n: u128) -> Arc<Session> {
    let session = support::driven(n);
    let ids: Vec<_> = (1..=n).map(id).collect();
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.info().unwrap();
    handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&ids).unwrap();
    Arc::clone(handler).prepare_for_sync(&ids).unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    session.driver().begin_synchronize().unwrap();
    Arc::clone(handler).synchronize().unwrap();
    session
}

#[test]
fn a_step_that_costs_a_store_hears_of_a_cancel_and_of_a_host_that_lets_go() {
    type Stop = fn(&Arc<dyn SyncHandler>, &Arc<Session>);
    let stops: [(Stop, Cancelled); 3] = [
        (
            |_, session| session.cancel_item(id(1)).unwrap(),
            Cancelled::Item,
        ),
        (|_, session| session.cancel_all(), Cancelled::All),
        (
            |handler, _| handler.set_progress_callback(None).unwrap(),
            Cancelled::Refused(CallbackError::Released),
        ),
    ];
    for (stop, answer) in stops {
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(tell);
        let handler = handler(1, move |item| {
            item.advance(1)?;
            tell.lock().unwrap().send(None).unwrap();
            let cancelled = loop {
                if let Err(cancelled) = item.advance(1) {
                    break cancelled;
                }
            };
            // And so is whatever it reports afterwards.
            assert!(item.set(7).is_err() && item.check().is_err() && item.text("x").is_err());
            tell.lock().unwrap().send(Some(cancelled)).unwrap();
            Err(cancelled.into())
        })
        .build();
        let session = begun(&handler, 1);
        assert_eq!(receive("the work", &told), None);
        stop(&handler, &session);
        assert_eq!(receive("the answer", &told), Some(answer));
        session.driver().release();
    }
}

#[test]
fn a_context_that_was_kept_is_refused_while_its_worker_does_the_next_items() {
    let kept: Arc<Mutex<Vec<SharedContext>>> = Arc::default();
    let refused = Arc::new(AtomicUsize::new(0));
    let (keep, count) = (kept.clone(), refused.clone());
    let report = per_item::each((1..=5).map(|n| (n.to_string(), n)), move |item, n| {
        item.advance(*n)?;
        for old in keep.lock().unwrap().iter() {
            let answers = [
                old.advance(100),
                old.set(100),
                old.check(),
                old.max(100),
                old.text("late"),
                old.report(&ProgressUpdate::new().value(100)),
            ];
            count.fetch_add(
                answers.iter().filter(|answer| answer.is_err()).count(),
                Ordering::Relaxed,
            );
            assert!(old.add_item(support::item(99)).is_err());
        }
        // Every other one is kept, so that some contexts are used again.
        if n % 2 == 1 {
            keep.lock().unwrap().push(item.share());
        }
        Ok(())
    })
    .run();
    assert!(report.is_success(), "{report:?}");
    let values: Vec<u64> = report.items().iter().map(|item| item.value).collect();
    assert_eq!(values, [1, 2, 3, 4, 5]);
    assert!(report.items().iter().all(|item| item.text.is_empty()));
    // Items 2 to 5 found 1, 1, 2 and 2 of them.
    assert_eq!(refused.load(Ordering::Relaxed), 6 * 6);
}

#[test]
fn an_outcome_and_a_text_do_not_pass_to_the_next_item() {
    let report = per_item::each((1..=3).map(|n| (n.to_string(), n)), |item, n| {
        if *n == 1 {
            item.max(10)?;
            item.set_outcome(ItemStatus::Deleted);
            item.set_final_text("gone");
        }
        if *n == 2 {
            let _guard = item.on_cancel(|| {})?;
        }
        Ok(())
    })
    .run();
    let ends: Vec<_> = report
        .items()
        .iter()
        .map(|item| (item.status, item.text.clone(), item.max))
        .collect();
    let plain = (ItemStatus::Succeeded, String::new(), 0);
    assert_eq!(
        ends,
        [
            (ItemStatus::Deleted, "gone".to_owned(), 10),
            plain.clone(),
            plain
        ]
    );
}

/// Work that shares its item with two threads, at every kind of report.
fn shares(item: &ItemContext) -> Result<(), per_item::Error> {
    let shared = item.share();
    assert_eq!(
        (shared.item(), shared.name(), shared.flags()),
        (item.item(), item.name(), item.flags())
    );
    shared.max(4)?;
    thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            let shared = shared.clone();
            scope.spawn(move || {
                let mut source: &[u8] = &[0; 2];
                io::copy(&mut shared.wrap_read(&mut source), &mut io::sink())?;
                shared.text("read")?;
                shared.check()?;
                Ok(())
            })
        });
        let ends = threads.map(|thread| thread.join().expect("it does not panic"));
        ends.into_iter().collect::<Result<(), per_item::Error>>()
    })?;
    Ok(())
}

#[test]
fn work_that_shares_its_item_is_conformant_at_every_cancel_and_fault() {
    let make = || handler(2, shares).workers(2).build();
    explore_cancellations(make).assert_conformant();
    explore_faults(make).assert_conformant();
}

#[test]
fn threads_report_through_readers_and_writers() {
    let report = per_item::each([("streams", ())], |item, ()| {
        let shared = item.share();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut reader = shared.wrap_read(&b"12345"[..]);
                assert_eq!(
                    format!("{reader:?}"),
                    "ProgressReader([49, 50, 51, 52, 53])"
                );
                let mut all = Vec::new();
                assert_eq!(reader.read_to_end(&mut all).unwrap(), 5);
                assert!(reader.into_inner().is_empty());
            });
            scope.spawn(|| {
                let mut writer = shared.wrap_write(Vec::new());
                assert_eq!(format!("{writer:?}"), "ProgressWriter([])");
                writer.write_all(b"123").unwrap();
                writer.flush().unwrap();
                assert_eq!(writer.into_inner(), b"123");
            });
        });
        Ok(())
    })
    .run();
    assert_eq!(report.items()[0].value, 8);
}

#[test]
fn a_thread_says_what_the_item_ends_as() {
    let report = per_item::each([("parts", ())], |item, ()| {
        let shared = item.share();
        thread::spawn(move || {
            shared.log(LogLevel::Information, "begun").unwrap();
            shared
                .log_record(&LogRecord::new(LogLevel::Warning, "slow"))
                .unwrap();
            let part: Result<u32, io::Error> = Err(io::Error::other("no such part"));
            assert_eq!(shared.record_part("part 1", part), Ok(None));
            assert_eq!(
                shared.record_part("part 2", Ok::<_, io::Error>(2)),
                Ok(Some(2))
            );
            shared.set_outcome(ItemStatus::Skipped);
            shared.set_final_text("in parts");
            assert!(shared.callback().is_ok());
            assert!(format!("{shared:?}").starts_with("SharedContext { item: SyncItem {"));
        })
        .join()
        .map_err(|_| "it panicked")?;
        Ok(())
    })
    .run();
    let item = &report.items()[0];
    assert_eq!(
        (item.status, item.text.as_str()),
        (ItemStatus::Skipped, "in parts")
    );
    let log = report.session.as_ref().unwrap().log();
    let texts: Vec<&str> = log.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["begun", "slow", "part 1: no such part"]);
    assert!(log.iter().all(|entry| entry.item == Some(item.id)));
}

#[test]
fn a_thread_that_is_blocked_is_woken_by_a_cancel() {
    within("the cancel", || {
        let running = per_item::each([("blocked", ())], |item, ()| {
            let shared = item.share();
            thread::spawn(move || shared.wait_cancelled(std::time::Duration::MAX))
                .join()
                .map_err(|_| "it panicked")??;
            Ok(())
        })
        .start(RunOptions::new());
        let session = running.session().unwrap();
        until("the item", || {
            session.snapshot().items[0].status == ItemStatus::Updating
        });
        running.cancel_all();
        assert_eq!(
            running.wait().unwrap().items()[0].status,
            ItemStatus::Stopped
        );
    });
}

#[test]
fn a_context_that_is_shared_twice_is_the_same_one() {
    let report = per_item::each([("twice", ())], |item, ()| {
        item.advance(2)?;
        let (first, second) = (item.share(), item.share());
        first.advance(3)?;
        second.advance(4)?;
        item.log_record(&LogRecord::new(LogLevel::Information, "shared"))?;
        Ok(())
    })
    .run();
    assert_eq!(report.items()[0].value, 9);
    let log = report.session.as_ref().unwrap().log();
    assert_eq!(
        (log[0].text.as_str(), log[0].item),
        ("shared", Some(report.items()[0].id))
    );
}

#[test]
fn an_item_that_the_host_knows_from_an_earlier_list_is_done_in_its_order() {
    let count = Arc::new(AtomicUsize::new(0));
    let lists = count.clone();
    // The second list has items of the first no more.
    let list = move || {
        let all = items(3);
        Ok(syncmgr::ItemList::Complete(
            match lists.fetch_add(1, Ordering::SeqCst) {
                0 => all,
                _ => all.into_iter().take(1).collect(),
            },
        ))
    };
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let begun = order.clone();
    let source = per_item::from_fn(list, move |item| {
        begun.lock().unwrap().push(item.name().to_owned());
        Ok(())
    });
    let handler = HandlerBuilder::new("test".parse().unwrap(), source)
        .order_by(|a, b| b.id.cmp(&a.id))
        .build();
    let session = support::driven(3);
    let ids: Vec<_> = (1..=3).map(id).collect();
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.items().unwrap();
    handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&ids).unwrap();
    Arc::clone(&handler).prepare_for_sync(&ids).unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    session.driver().begin_synchronize().unwrap();
    Arc::clone(&handler).synchronize().unwrap();
    until("the end", || session.phase() == Phase::Completed);
    let begun = order.lock().unwrap().clone();
    let unknown = |n| syncmgr::ItemName::truncate_start(&id(n).to_string());
    assert_eq!(
        begun,
        [
            unknown(3).as_str(),
            unknown(2).as_str(),
            item(1).name.as_str()
        ]
    );
}

#[test]
fn a_host_that_synchronizes_without_a_prepare_gets_an_empty_round() {
    let handler = handler(2, |item| Ok(item.advance(1)?)).build();
    let session = begun(&handler, 2);
    until("the end", || session.phase() == Phase::Completed);
    // Against rule M01: there is no prepare, and so nothing to do.
    assert!(Arc::clone(&handler).synchronize().is_ok());
    assert!(session.snapshot().items.iter().all(|item| item.value == 1));
}

#[test]
fn a_wrapper_of_the_host_sees_every_step() {
    let recorder = Recorder::new();
    let plain = handler(2, |item| {
        item.max(4)?;
        (0..2).try_for_each(|_| item.advance(1))?;
        let shared = item.share();
        (0..2).try_for_each(|_| shared.advance(1))?;
        Ok(())
    });
    let report = run_handler(recorder.handler(plain.build()), RunOptions::new());
    assert!(report.is_success(), "{report:?}");
    let trace = recorder.trace();
    trace.assert_conformant();
    let values = trace.calls().iter().filter_map(|call| match &call.action {
        syncmgr::testing::Action::Progress { item, update } if *item == id(2) => update.value,
        _ => None,
    });
    assert_eq!(values.collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_maximum_that_was_measured_belongs_to_its_item_in_any_order() {
    let list = items(6);
    let source = per_item::from_items(list, |item| {
        item.advance(1)?;
        Ok(())
    });
    let handler = HandlerBuilder::new("test".parse().unwrap(), source)
        .workers(2)
        .order_by(|a, b| b.id.cmp(&a.id))
        .measure(|item| Ok(item.item().id.as_u128() as u64 * 10))
        .build();
    let select = RunOptions::new().select([id(2), id(5), id(3)]);
    let report = run_handler(handler, select);
    assert!(report.is_success(), "{report:?}");
    for item in report.items() {
        let max = match item.selected {
            true => item.id.as_u128() as u64 * 10,
            false => 0,
        };
        assert_eq!(item.max, max, "{}", item.name);
    }
}

#[test]
fn a_context_that_outlives_the_run_keeps_nobody_waiting() {
    let (send, sent) = mpsc::channel();
    let send = Mutex::new(send);
    let running = start(
        handler(1, move |item| {
            send.lock().unwrap().send(item.share()).unwrap();
            Ok(())
        })
        .build(),
        RunOptions::new(),
    );
    let shared = receive("the context", &sent);
    assert!(running.wait().unwrap().is_success());
    assert_eq!(
        shared.advance(1),
        Err(Cancelled::Refused(CallbackError::Released))
    );
    assert_eq!(shared.item(), &item(1));
}

#[test]
fn one_harness_finds_each_context_conformant() {
    let steps: fn(&ItemContext) -> Result<(), per_item::Error> = |item| {
        item.advance(1)?;
        item.share().advance(1)?;
        item.advance(1)?;
        Ok(())
    };
    let trace = Harness::new(handler(3, steps).build()).run();
    trace.assert_conformant();
}

#[test]
fn an_item_that_has_ended_before_its_turn_is_left_alone() {
    let source = per_item::from_items(items(3), |item| {
        if item.item().id == id(1) {
            let callback = item.callback()?;
            let ended = ProgressUpdate::new().value(7).status(ItemStatus::Succeeded);
            let _ = callback.progress(id(2), &ended)?;
        }
        item.advance(1)?;
        Ok(())
    });
    let handler = HandlerBuilder::new("test".parse().unwrap(), source).build();
    let report = run_handler(handler, RunOptions::new());
    let values: Vec<u64> = report.items().iter().map(|item| item.value).collect();
    assert_eq!(values, [1, 7, 1]);
}

#[test]
fn an_item_that_nobody_has_listed_is_nobodys() {
    let batch = per_item::each([("listed", ())], |item, ()| Ok(item.advance(1)?));
    let handler = batch.measure(|()| Ok(3)).handler();
    let handler_items = handler.items().unwrap();
    let listed = handler_items.items()[0].clone();
    let session = Session::builder()
        .item(listed.clone())
        .driven()
        .build()
        .unwrap();
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&[listed.id]).unwrap();
    // Against rule M02: the second is in no list.
    Arc::clone(&handler)
        .prepare_for_sync(&[listed.id, id(99)])
        .unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    session.driver().begin_synchronize().unwrap();
    Arc::clone(&handler).synchronize().unwrap();
    until("the end", || session.phase() == Phase::Completed);
    let view = session.item(listed.id).unwrap();
    assert_eq!(
        (view.value, view.max, view.status),
        (1, 3, ItemStatus::Succeeded)
    );
}

#[test]
fn a_part_that_passes_a_cancel_on_ends_all_reports() {
    let report = per_item::each([("parts", ())], |item, ()| {
        item.advance(1)?;
        let part: Result<(), Cancelled> = Err(Cancelled::Item);
        assert_eq!(item.record_part("part", part), Err(Cancelled::Item));
        assert!(item.advance(1).is_err() && item.set(9).is_err());
        Ok(())
    })
    .run();
    let item = &report.items()[0];
    assert_eq!((item.value, item.status), (1, ItemStatus::Stopped));
}

#[test]
fn what_was_counted_while_an_added_item_was_measured_stays_counted() {
    let source = per_item::from_items(items(1), |item| {
        if item.item().id == id(1) {
            item.add_item(support::item(2))?;
        }
        item.advance(1)?;
        Ok(())
    });
    let handler = HandlerBuilder::new("test".parse().unwrap(), source).measure(|item| {
        item.advance(4)?;
        Ok(10)
    });
    let report = run_handler(handler.build(), RunOptions::new());
    // Each round of the first begins anew; the second is measured in its work.
    let values: Vec<u64> = report.items().iter().map(|item| item.value).collect();
    assert_eq!(values[1], 5, "{report:?}");
}

#[test]
fn a_maximum_is_no_less_than_what_was_counted_while_it_was_measured() {
    let source = per_item::from_items(items(1), |_| Ok(()));
    let handler = HandlerBuilder::new("test".parse().unwrap(), source).measure(|item| {
        (0..3).try_for_each(|_| item.advance(5))?;
        Ok(7)
    });
    let report = run_handler(handler.build(), RunOptions::new());
    let item = &report.items()[0];
    assert_eq!((item.value, item.max), (15, 15));
}

#[test]
fn a_context_that_was_kept_from_measuring_is_refused_afterwards() {
    let kept: Arc<Mutex<Vec<SharedContext>>> = Arc::default();
    let (keep, own) = (kept.clone(), kept.clone());
    let source = per_item::from_items(items(2), move |item| {
        if item.item().id == id(1) {
            item.add_item(support::item(3))?;
        }
        item.advance(1)?;
        for old in own.lock().unwrap().iter() {
            assert!(old.advance(100).is_err() && old.max(100).is_err() && old.check().is_err());
            assert!(old.add_item(support::item(9)).is_err());
        }
        item.advance(1)?;
        Ok(())
    });
    let handler = HandlerBuilder::new("test".parse().unwrap(), source).measure(move |item| {
        keep.lock().unwrap().push(item.share());
        Ok(2)
    });
    let report = run_handler(handler.build(), RunOptions::new());
    assert!(report.is_success(), "{report:?}");
    let ends: Vec<_> = report
        .items()
        .iter()
        .map(|item| (item.value, item.max))
        .collect();
    assert_eq!(ends, [(2, 2); 3]);
    assert_eq!(kept.lock().unwrap().len(), 3);
}

/// A host that panics at some reports.
struct Panics(
    Arc<dyn SyncCallback>,
    fn(&ProgressUpdate<'_>) -> bool,
    AtomicUsize,
);

impl ForwardingCallback for Panics {
    fn inner(&self) -> &dyn SyncCallback {
        &*self.0
    }

    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        let answer = self.0.progress(item, update);
        if (self.1)(update) {
            assert_ne!(
                self.2.fetch_add(1, Ordering::SeqCst),
                0,
                "the host panics once"
            );
        }
        answer
    }
}

/// Runs a handler on a session behind this host.
fn run_on(
    handler: &Arc<dyn SyncHandler>,
    n: u128,
    panics: fn(&ProgressUpdate<'_>) -> bool,
) -> Arc<Session> {
    let session = support::driven(n);
    let host: Arc<dyn SyncCallback> =
        Arc::new(Panics(session.clone(), panics, AtomicUsize::new(0)));
    let ids: Vec<_> = (1..=n).map(id).collect();
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.items().unwrap();
    handler.set_progress_callback(Some(host)).unwrap();
    session.driver().begin_prepare(&ids).unwrap();
    Arc::clone(handler).prepare_for_sync(&ids).unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    session.driver().begin_synchronize().unwrap();
    Arc::clone(handler).synchronize().unwrap();
    until("the end", || session.phase() == Phase::Completed);
    session
}

#[test]
fn a_host_that_panics_at_the_maximum_of_an_added_item_fails_that_item_only() {
    for tasks in [false, true] {
        let adds = |item: &SyncItem| item.id == id(1);
        let max = |item: &SyncItem| if item.id == id(4) { 7 } else { 1 };
        let name = "test".parse().unwrap();
        let builder = match tasks {
            false => HandlerBuilder::new(
                name,
                per_item::from_items(items(3), move |item| {
                    if adds(item.item()) {
                        item.add_item(support::item(4))?;
                        item.add_item(support::item(5))?;
                    }
                    Ok(item.advance(1)?)
                }),
            ),
            true => {
                let source = per_item::from_async_items(items(3), move |item| async move {
                    if adds(item.item()) {
                        item.add_item(support::item(4))?;
                        item.add_item(support::item(5))?;
                    }
                    Ok(item.advance(1).await?)
                });
                HandlerBuilder::new_async(name, source, per_item::on_thread)
            }
        };
        let handler = builder.measure(move |item| Ok(max(item.item()))).build();
        let session = run_on(&handler, 3, |update| update.max == Some(7));
        let items = session.snapshot().items;
        let failed: Vec<_> = items
            .iter()
            .filter(|item| item.status == ItemStatus::Failed)
            .map(|item| item.id)
            .collect();
        assert_eq!((items.len(), failed), (5, vec![id(4)]), "{items:?}");
        assert!(items.iter().all(|item| item.is_finished()));
    }
}

#[test]
fn a_panic_of_the_host_that_the_work_catches_loses_no_value() {
    let handler = handler(1, |item| {
        item.max(7)?;
        let caught = catch_unwind(AssertUnwindSafe(|| item.advance(5)));
        assert!(caught.is_err());
        item.advance(5)?;
        Ok(())
    })
    .build();
    let session = run_on(&handler, 1, |update| update.value == Some(5));
    let item = &session.snapshot().items[0];
    assert!(item.value <= item.max, "{item:?}");
    assert_eq!(item.value, 10);
}

#[test]
fn only_items_that_take_reports_are_measured() {
    let measured: Arc<Mutex<Vec<ItemId>>> = Arc::default();
    let seen = measured.clone();
    let source = per_item::from_items(items(4), |_| Ok(()));
    let handler = HandlerBuilder::new("test".parse().unwrap(), source)
        .measure(move |item| {
            seen.lock().unwrap().push(item.item().id);
            Ok(1)
        })
        .build();
    let session = support::driven(4);
    let ids: Vec<_> = (1..=4).map(id).collect();
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&ids[..2]).unwrap();
    handler.prepare_for_sync(&ids).unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    assert_eq!(*measured.lock().unwrap(), ids[..2]);
}

#[test]
fn each_item_that_is_measured_is_a_sign_of_life() {
    let session = support::driven(3);
    let signs: Arc<Mutex<Vec<bool>>> = Arc::default();
    let (seen, host) = (signs.clone(), session.clone());
    let source = per_item::from_items(items(3), |_| Ok(()));
    // It reports nothing, and what it returns is not logged.
    let handler = HandlerBuilder::new("test".parse().unwrap(), source)
        .measure(move |_| {
            seen.lock().unwrap().push(host.driver().take_activity());
            Err(Cancelled::Item.into())
        })
        .build();
    let ids: Vec<_> = (1..=3).map(id).collect();
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&ids).unwrap();
    handler.prepare_for_sync(&ids).unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    assert_eq!(*signs.lock().unwrap(), [true; 3]);
}
