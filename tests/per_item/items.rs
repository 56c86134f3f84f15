//! A handler of items that are done each for itself: conformant, whatever the work does.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use support::works::handler;
use support::{id, item, items, receive};
use syncmgr::per_item::{self, Cancelled, Error, HandlerBuilder, ItemContext};
use syncmgr::testing::{Action, Harness, Trace, explore_cancellations, explore_faults};
use syncmgr::{
    CallbackError, ErrorId, HResult, ItemId, ItemList, ItemStatus, LogLevel, ProgressUpdate,
    SyncItem,
};

fn run(handler: HandlerBuilder) -> Trace {
    Harness::new(handler.build()).run()
}

/// What is done for an item.
type Kind = fn(&ItemContext) -> Result<(), Error>;

/// Some steps, each of which asks.
fn steps(work: &ItemContext) -> Result<(), Error> {
    work.max(3)?;
    work.text("at work")?;
    for _ in 0..3 {
        work.advance(1)?;
    }
    Ok(())
}

fn logged(trace: &Trace) -> Vec<(Option<ItemId>, String)> {
    let calls = trace.calls().iter();
    let texts = calls.filter_map(|call| match &call.action {
        Action::LogError { record } => Some((record.item, record.text.to_string())),
        _ => None,
    });
    texts.collect()
}

#[test]
fn every_cancel_and_every_fault_finds_it_conformant() {
    for workers in [1, 3] {
        let make = || handler(4, steps).workers(workers).build();
        explore_cancellations(make).assert_conformant();
        explore_faults(make).assert_conformant();
    }
}

#[test]
fn work_of_every_kind_is_conformant_at_every_cancel() {
    let kinds: [Kind; 8] = [
        |_| Ok(()),
        |_| Err("broken".into()),
        |_| panic!("on purpose"),
        |work| {
            let _ = (work.set(1), work.set(2), work.set(3)); // never looks
            Ok(())
        },
        |work| {
            let _ = work.set(1);
            Err("broken after all".into())
        },
        |work| {
            work.wrap_iter([1, 2, 3]).for_each(drop);
            Ok(())
        },
        |work| {
            let mut text = String::new();
            work.wrap_read(&b"some text"[..])
                .read_to_string(&mut text)?;
            work.wrap_write(Vec::new()).write_all(text.as_bytes())?;
            Ok(())
        },
        |work| {
            let final_status = ProgressUpdate::new().status(ItemStatus::Succeeded).value(1);
            work.report(&final_status)?; // it is not given before the end
            work.log(LogLevel::Information, "still here")?;
            work.check()?;
            Ok(())
        },
    ];
    for (place, kind) in kinds.into_iter().enumerate() {
        for workers in [1, 2] {
            let exploration = explore_cancellations(|| handler(2, kind).workers(workers).build());
            assert!(
                exploration.failures().is_empty(),
                "kind {place}: {exploration}"
            );
        }
    }
}

#[test]
fn an_ok_succeeds_and_an_error_fails_with_its_sources() {
    #[derive(Debug)]
    struct NotCopied(io::Error);
    impl fmt::Display for NotCopied {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "not copied")
        }
    }
    impl std::error::Error for NotCopied {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    let trace = run(handler(3, |work| match work.item().id {
        second if second == id(2) => Err(NotCopied(io::Error::other("the disk is full")).into()),
        _ => Ok(()),
    }));
    trace.assert_conformant();
    let statuses = [1, 2, 3].map(|n| trace.status(id(n)));
    let expected = [
        ItemStatus::Succeeded,
        ItemStatus::Failed,
        ItemStatus::Succeeded,
    ];
    assert_eq!(statuses, expected.map(Some));
    let text = "not copied: the disk is full".to_owned();
    assert_eq!(logged(&trace), [(Some(id(2)), text)]);
}

#[test]
fn a_panic_fails_its_item_with_its_text_and_the_others_go_on() {
    for workers in [1, 2] {
        let trace = run(handler(3, |work| {
            assert_ne!(work.item().id, id(2), "the second is bad");
            Ok(())
        })
        .workers(workers));
        trace.assert_conformant();
        assert_eq!(trace.status(id(2)), Some(ItemStatus::Failed));
        assert_eq!(trace.status(id(3)), Some(ItemStatus::Succeeded));
        let logged = logged(&trace);
        assert!(logged[0].1.contains("the second is bad"), "{logged:?}");
    }
}

#[test]
fn a_cancel_travels_by_the_question_mark() {
    let trace = Harness::new(handler(2, steps).build())
        .cancel_item_at(3)
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Stopped));
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Succeeded));
    assert_eq!(logged(&trace), []);
}

#[test]
fn after_a_cancel_of_all_nothing_is_started() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let work = move |work: &ItemContext| {
        count.fetch_add(1, Ordering::SeqCst);
        steps(work)
    };
    let trace = Harness::new(handler(4, work).build())
        .cancel_all_at(3)
        .run();
    trace.assert_conformant();
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Stopped));
    assert_eq!(trace.status(id(4)), Some(ItemStatus::Skipped));
}

#[test]
fn a_cancel_that_the_work_swallows_still_stops_the_item() {
    let ends: [fn(Cancelled) -> Result<(), Error>; 3] = [
        |_| Ok(()),
        |_| Err("something else".into()),
        |interrupted| Err(io::Error::other(interrupted).into()),
    ];
    for end in ends {
        let work = move |work: &ItemContext| match steps(work) {
            Err(error) => end(Cancelled::find(&*error).expect("only that can come")),
            Ok(()) => Ok(()),
        };
        let trace = Harness::new(handler(1, work).build())
            .cancel_item_at(3)
            .run();
        trace.assert_conformant();
        assert_eq!(trace.status(id(1)), Some(ItemStatus::Stopped));
    }
}

#[test]
fn an_iteration_that_a_cancel_ends_early_is_no_success() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let found = seen.clone();
    let work = move |work: &ItemContext| {
        found.lock().unwrap().extend(work.wrap_iter(1..=10));
        Ok(())
    };
    // The question before the item, that it is in work, the maximum, the first question of the iterator, then the first step.
    let trace = Harness::new(handler(1, work).build())
        .cancel_item_at(5)
        .run();
    trace.assert_conformant();
    assert_eq!(*seen.lock().unwrap(), [1]);
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Stopped));
}

#[test]
fn a_whole_iteration_tells_its_maximum_and_each_step() {
    let trace = run(handler(1, |work| {
        work.wrap_iter([7; 3]).for_each(drop);
        Ok(())
    }));
    trace.assert_conformant();
    let view = trace.item(id(1)).to_string();
    for told in ["max 3", "value 1", "value 2", "value 3"] {
        assert!(view.contains(told), "{told} is missing in\n{view}");
    }
}

#[test]
fn a_cancel_ends_a_copy_of_std() {
    /// Never ends by itself.
    struct Zeros;
    impl Read for Zeros {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            Ok(buffer.len())
        }
    }
    for writing in [false, true] {
        let work = move |work: &ItemContext| {
            if writing {
                io::copy(&mut Zeros, &mut work.wrap_write(io::sink()))?;
            } else {
                io::copy(&mut work.wrap_read(Zeros), &mut io::sink())?;
            }
            Ok(())
        };
        let trace = Harness::new(handler(1, work).build())
            .cancel_item_at(20)
            .run();
        trace.assert_conformant();
        assert_eq!(trace.status(id(1)), Some(ItemStatus::Stopped));
    }
}

#[test]
fn what_was_written_before_a_cancel_is_counted() {
    let work = |work: &ItemContext| {
        let mut writer = work.wrap_write(Vec::new());
        writer.write_all(b"12345")?;
        assert_eq!(writer.into_inner(), b"12345");
        Ok(())
    };
    let trace = run(handler(1, work));
    assert!(trace.item(id(1)).to_string().contains("value 5"), "{trace}");
}

#[test]
fn items_are_begun_in_the_order_of_the_prepare_or_in_one_of_ones_own() {
    let order = |own: bool| {
        let begun = Arc::new(Mutex::new(Vec::new()));
        let seen = begun.clone();
        let mut handler = handler(3, move |work| {
            seen.lock().unwrap().push(work.item().id);
            Ok(())
        });
        if own {
            handler = handler.order_by(|a, b| b.id.cmp(&a.id));
        }
        let harness = Harness::new(handler.build()).select([id(2), id(3), id(1)]);
        harness.run().assert_conformant();
        let begun = begun.lock().unwrap();
        begun.clone()
    };
    assert_eq!(order(false), [2, 3, 1].map(id));
    assert_eq!(order(true), [3, 2, 1].map(id));
}

#[test]
fn as_many_items_are_done_at_once_as_there_are_workers() {
    let together = Arc::new(std::sync::Barrier::new(3));
    let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let count = most.clone();
    let work = move |_: &ItemContext| {
        let now = count.0.fetch_add(1, Ordering::SeqCst) + 1;
        count.1.fetch_max(now, Ordering::SeqCst);
        together.wait(); // three are here at once, or this hangs
        count.0.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    };
    run(handler(6, work).workers(3)).assert_conformant();
    assert_eq!(most.1.load(Ordering::SeqCst), 3);
}

#[test]
fn an_item_that_failed_is_done_again_and_its_error_is_taken_back() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let work = move |_: &ItemContext| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err("not yet".into()),
        _ => Ok(()),
    };
    let trace = Harness::new(handler(1, work).build()).show_errors().run();
    trace.assert_conformant();
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
    let deleted = trace.calls().iter().filter(|call| match &call.action {
        Action::DeleteLogError { error } => *error == Some(ErrorId::from(id(1).as_uuid())),
        _ => false,
    });
    assert_eq!(
        deleted.count(),
        2,
        "the first in favour of the second, that at the success"
    );

    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let once = handler(1, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Err("never".into())
    });
    let trace = Harness::new(once.retry(false).build()).show_errors().run();
    trace.assert_conformant();
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

#[test]
fn an_ok_may_stand_for_another_end() {
    for (said, end) in [
        (ItemStatus::Skipped, ItemStatus::Skipped),
        (ItemStatus::Deleted, ItemStatus::Deleted),
        (ItemStatus::Stopped, ItemStatus::Stopped),
        (ItemStatus::Succeeded, ItemStatus::Succeeded),
        (ItemStatus::Updating, ItemStatus::Succeeded),
        (ItemStatus::Failed, ItemStatus::Failed),
        (ItemStatus::Paused, ItemStatus::Succeeded),
    ] {
        let trace = run(handler(1, move |work| {
            work.set_outcome(said);
            Ok(())
        }));
        trace.assert_conformant();
        assert_eq!(trace.status(id(1)), Some(end), "{said}");
    }
}

#[test]
fn a_skipped_item_is_not_started() {
    for workers in [1, 2] {
        let trace = Harness::new(handler(2, steps).workers(workers).build())
            .skip(id(2))
            .run();
        trace.assert_conformant();
        assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
        assert_eq!(trace.status(id(2)), Some(ItemStatus::Skipped));
    }
}

#[test]
fn an_item_that_the_work_finds_is_done_too() {
    let work = |work: &ItemContext| {
        if work.item().id == id(1) {
            work.add_item(item(7))?;
            let again = work.add_item(item(7));
            assert_eq!(again, Err(CallbackError::InvalidArgument));
        }
        steps(work)
    };
    for workers in [1, 2] {
        let trace = run(handler(2, work).workers(workers));
        trace.assert_conformant();
        assert_eq!(trace.status(id(7)), Some(ItemStatus::Succeeded));
    }
}

#[test]
fn items_that_are_asked_for_meanwhile_are_taken_in() {
    let harness = Harness::new(handler(3, steps).build());
    let trace = harness
        .select([id(1)])
        .request_items([id(3), id(1), id(9)])
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status(id(3)), Some(ItemStatus::Succeeded));
    assert_eq!(trace.status(id(2)), None, "nobody asked for it");
    assert_eq!(trace.status(id(9)), None, "it is not listed");
}

#[test]
fn an_item_that_is_listed_twice_is_named() {
    for (list, named) in [
        (vec![item(1), item(1)], "twice"),
        (vec![SyncItem::new(ItemId::NIL, item(1).name)], "nil"),
    ] {
        let handler = HandlerBuilder::new(
            "test".parse().unwrap(),
            per_item::from_fn(move || Ok(ItemList::Complete(list.clone())), |_| Ok(())),
        );
        let error = handler.build().items().unwrap_err();
        assert_eq!(error.hresult(), HResult::E_FAIL);
        let text = error.to_string();
        assert!(
            text.contains(named) && text.contains(item(1).name.as_str()),
            "{text}"
        );
    }
}

#[test]
fn a_list_that_cannot_be_had_ends_the_run_with_its_error() {
    let source = per_item::from_fn(|| Err("the server is down".into()), |_| Ok(()));
    let handler = HandlerBuilder::new("test".parse().unwrap(), source).build();
    let report = syncmgr::run_handler(handler, syncmgr::RunOptions::new());
    assert_eq!(report.result, HResult::E_FAIL);
    assert!(report.error.unwrap().contains("the server is down"));
}

#[test]
fn work_that_hands_a_callback_away_and_returns_is_refused_afterwards() {
    let (send, late) = mpsc::channel();
    let send = Mutex::new(send);
    let work = move |work: &ItemContext| {
        let (callback, id) = (Arc::clone(work.callback()?), work.item().id);
        let send = send.lock().unwrap().clone();
        let (end, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let _ = ended.recv(); // the work has returned
            let answer = callback.progress(id, &ProgressUpdate::new().value(9));
            send.send(answer).unwrap();
        });
        drop(end);
        Ok(())
    };
    let session = Arc::new(Mutex::new(None));
    let keep = session.clone();
    let options = syncmgr::RunOptions::new().on_session(move |given| {
        *keep.lock().unwrap() = Some(given);
    });
    let report = syncmgr::run_handler(handler(1, work).build(), options);
    assert!(report.is_success(), "{report:?}");
    // It may have come before the final status, and else changes nothing.
    let _ = receive("the late report", &late);
    let session = session.lock().unwrap().take().unwrap();
    assert_eq!(session.item(id(1)).unwrap().status, ItemStatus::Succeeded);
}

#[test]
fn a_host_that_takes_its_callback_away_stops_the_work() {
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let (begin, end) = (Mutex::new(begin), Mutex::new(end));
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let handler = handler(1, move |work| {
        begin.lock().unwrap().send(()).unwrap();
        let _ = gone.lock().unwrap().recv();
        let answer = work.check();
        end.lock().unwrap().send(answer).unwrap();
        Ok(answer?)
    })
    .build();
    let session = syncmgr::Session::builder()
        .items(items(1))
        .driven()
        .build()
        .unwrap();
    let flags = syncmgr::SyncFlags::new(syncmgr::SyncEvent::Manual);
    let _ = handler.initialize(flags, None).unwrap();
    let _ = handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&[id(1)]).unwrap();
    let _ = handler.clone().prepare_for_sync(&[id(1)]).unwrap();
    session.driver().begin_synchronize().unwrap();
    handler.clone().synchronize().unwrap();
    receive("the work", &begun);
    handler.set_progress_callback(None).unwrap();
    drop(go);
    let answer = receive("the answer", &ended);
    assert_eq!(answer, Err(Cancelled::Refused(CallbackError::Released)));
    assert_eq!(session.item(id(1)).unwrap().status, ItemStatus::Updating);
}

/// An error whose text and whose drop panic.
#[derive(Debug)]
struct Hostile;

impl std::fmt::Display for Hostile {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("in the text")
    }
}

impl std::error::Error for Hostile {}

impl Drop for Hostile {
    fn drop(&mut self) {
        panic!("in the drop")
    }
}

#[test]
fn an_error_whose_text_and_drop_panic_fails_its_item() {
    let trace = run(handler(2, |work| match work.item().id {
        first if first == id(1) => Err(Hostile.into()),
        _ => Ok(work.advance(1)?),
    }));
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Failed));
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Succeeded));
}

/// An error that is its own source.
#[derive(Debug)]
struct Endless;

impl std::fmt::Display for Endless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("endless")
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

#[test]
fn an_error_among_its_own_sources_fails_its_item() {
    let trace = support::within("the run", || {
        run(handler(2, |work| match work.item().id {
            first if first == id(1) => Err(Endless.into()),
            _ => work
                .record_part("a part", Err::<(), _>(Endless))
                .map(drop)
                .map_err(Into::into),
        }))
    });
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Failed));
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Failed));
    let wrapped = std::io::Error::other(Endless);
    assert_eq!(Cancelled::find(&wrapped), None);
}
