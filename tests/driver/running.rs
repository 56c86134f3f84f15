//! A handler that runs on a thread of its own: its session, its cancellation, and who may wait for it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use support::{LIMIT, Wakes, id, item, items, join, receive, until, within};
use syncmgr::per_item::{self, HandlerBuilder, ItemContext, from_fn, from_items};
use syncmgr::{
    HResult, ItemList, ItemStatus, Phase, RunOptions, Running, SyncHandler, WaitError, start,
};

fn builder(source: impl per_item::PerItem + 'static) -> HandlerBuilder {
    HandlerBuilder::new("test".parse().expect("it is short"), source)
}

/// Works until it is cancelled.
fn endless(work: &ItemContext) -> Result<(), per_item::Error> {
    loop {
        work.advance(1)?;
        thread::yield_now();
    }
}

/// A handler of one item that works until it is cancelled.
fn working() -> Arc<dyn SyncHandler> {
    builder(from_items(items(1), endless)).build()
}

#[track_caller]
fn is_cancelled(running: &Running) {
    let report = running.wait_timeout(LIMIT).expect("it ends");
    assert!(report.was_cancelled(), "{report:?}");
}

#[test]
fn a_run_gives_its_report_to_each_who_waits() {
    let handler = builder(from_items(items(2), |work| Ok(work.set(3)?))).build();
    let running = Arc::new(start(handler, RunOptions::new()));
    let others: Vec<_> = (0..3)
        .map(|_| {
            let running = Arc::clone(&running);
            thread::spawn(move || running.wait().expect("it is outside"))
        })
        .collect();
    let mut reports = vec![running.wait().expect("it is outside")];
    reports.push(running.wait().expect("a second time"));
    reports.extend(others.into_iter().map(|thread| join("who waits", thread)));
    for report in reports {
        assert!(report.is_success(), "{report:?}");
        assert_eq!((report.phase, report.rounds), (Phase::Completed, 1));
    }
    assert!(running.is_over());
    assert_eq!(running.session().expect("it has one").items().len(), 2);
    assert_eq!(format!("{running:?}"), "Running { is_over: true, .. }");
}

#[test]
fn the_session_is_there_while_the_handler_works() {
    let running = start(working(), RunOptions::new());
    let session = running.session().expect("it lists its items");
    until("some work", || {
        session.item(id(1)).is_some_and(|view| view.value > 0)
    });
    assert!(!running.is_over());
    let short = Duration::from_millis(1);
    assert_eq!(running.wait_timeout(short).err(), Some(WaitError::TimedOut));
    assert_eq!(
        running.wait_timeout(Duration::ZERO).err(),
        Some(WaitError::TimedOut)
    );
    session.cancel_item(id(1)).expect("it takes part");
    let report = running.wait_timeout(Duration::MAX).expect("it ends");
    assert_eq!(report.items()[0].status, ItemStatus::Stopped);
    assert!(!report.was_cancelled(), "one item was");
}

#[test]
fn a_cancellation_while_the_handler_lists_its_items_holds_for_them() {
    let (began, begins) = mpsc::channel();
    let (let_on, gate) = mpsc::channel();
    let (began, gate) = (Mutex::new(began), Mutex::new(gate));
    let source = from_fn(
        move || {
            began.lock().unwrap().send(()).expect("the test waits");
            receive("leave to go on", &gate.lock().unwrap());
            Ok(ItemList::Complete(items(2)))
        },
        |work| Ok(work.set(1)?),
    );
    let running = start(builder(source).build(), RunOptions::new());
    receive("the listing", &begins);
    running.cancel_all();
    running.cancel_all();
    let_on.send(()).expect("the handler waits");
    let report = running.wait_timeout(LIMIT).expect("it ends");
    assert!(report.was_cancelled());
    for item in report.items() {
        assert_eq!((item.status, item.value), (ItemStatus::Skipped, 0));
    }
}

#[test]
fn a_dropped_handle_leaves_the_run_alone_unless_it_cancels() {
    for cancels in [false, true] {
        let (ended, ends) = mpsc::channel();
        let (give, given) = mpsc::channel();
        let go_on = Arc::new(AtomicBool::new(true));
        let goes_on = Arc::clone(&go_on);
        let source = from_items(items(1), move |work| {
            let answer = loop {
                if let Err(cancelled) = work.advance(1) {
                    break Err(cancelled.into());
                }
                if !goes_on.load(Ordering::SeqCst) {
                    break Ok(());
                }
                thread::yield_now();
            };
            ended.send(answer.is_ok()).expect("the test waits");
            answer
        });
        let options = RunOptions::new().on_session(move |session| {
            give.send(session).expect("the test waits");
        });
        let mut running = start(builder(source).build(), options);
        if cancels {
            running = running.cancel_on_drop();
        }
        let session = receive("the session", &given);
        until("some work", || {
            session.item(id(1)).is_some_and(|view| view.value > 0)
        });
        drop(running);
        if !cancels {
            let seen = session.item(id(1)).expect("it is there").value;
            until("more work", || {
                session.item(id(1)).is_some_and(|view| view.value > seen)
            });
            go_on.store(false, Ordering::SeqCst);
        }
        assert_eq!(receive("the end of the work", &ends), !cancels);
    }
}

/// A run whose handler is given the handle on it, and what each of its ways to wait returned.
#[track_caller]
fn waits_inside(make: impl FnOnce(Asks) -> Arc<dyn SyncHandler>) {
    let own: Arc<OnceLock<Running>> = Arc::default();
    let (answer, answers) = mpsc::channel();
    let asks = Asks {
        own: Arc::clone(&own),
        answer: Arc::new(Mutex::new(answer)),
    };
    let handler = make(asks);
    assert!(own.set(start(handler, RunOptions::new())).is_ok());
    let answered = receive("the answers", &answers);
    assert_eq!(answered, [Some(WaitError::InsideHandler); 3]);
    let report = own.get().expect("it was set").wait_timeout(LIMIT);
    assert!(report.expect("it is outside").is_success());
}

#[derive(Clone)]
struct Asks {
    own: Arc<OnceLock<Running>>,
    answer: Arc<Mutex<mpsc::Sender<[Option<WaitError>; 3]>>>,
}

impl Asks {
    /// The handle, once the test has it.
    fn running(&self) -> &Running {
        until("the handle", || self.own.get().is_some());
        self.own.get().expect("it was set")
    }

    fn ask(&self) {
        let running = self.running();
        let wakes = Wakes::new();
        let waker = wakes.waker();
        let polled = pin!(running.finished()).poll(&mut Context::from_waker(&waker));
        let polled = match polled {
            Poll::Ready(answer) => answer.err(),
            Poll::Pending => None,
        };
        let answers = [
            running.wait().err(),
            running.wait_timeout(Duration::MAX).err(),
            polled,
        ];
        let answer = self.answer.lock().unwrap();
        answer.send(answers).expect("the test waits");
    }
}

#[test]
fn a_worker_of_the_handler_cannot_wait_for_its_own_run() {
    for workers in [1, 3] {
        waits_inside(|asks| {
            let source = from_items(items(1), move |_| {
                asks.ask();
                Ok(())
            });
            builder(source).workers(workers).build()
        });
    }
    waits_inside(|asks| {
        let source = per_item::from_async_items(items(1), move |_| {
            let asks = asks.clone();
            async move {
                asks.ask();
                Ok(())
            }
        });
        let name = "test".parse().expect("it is short");
        HandlerBuilder::new_async(name, source, per_item::on_thread).build()
    });
}

#[test]
fn a_handler_that_lists_its_items_cannot_wait_for_its_own_run_or_session() {
    waits_inside(|asks| {
        let source = from_fn(
            move || {
                assert!(asks.running().session().is_none());
                asks.ask();
                Ok(ItemList::Complete(items(1)))
            },
            |work| Ok(work.set(1)?),
        );
        builder(source).build()
    });
}

#[test]
fn a_handler_may_wait_for_another_run() {
    let source = from_items(items(1), |work| {
        work.set(1)?;
        let other = builder(from_items(items(2), |work| Ok(work.set(2)?))).build();
        let report = start(other, RunOptions::new()).wait()?;
        assert!(report.is_success());
        Ok(())
    });
    let running = start(builder(source).build(), RunOptions::new());
    let report = running.wait_timeout(LIMIT).expect("it ends");
    assert!(report.is_success(), "{report:?}");
}

#[test]
fn a_task_is_woken_at_the_end_of_the_run() {
    let running = start(working(), RunOptions::new());
    let (first, second) = (Wakes::new(), Wakes::new());
    let (waker, other) = (first.waker(), second.waker());
    let mut future = pin!(running.finished());
    for waker in [&waker, &waker, &other] {
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    }
    running.cancel_all();
    is_cancelled(&running);
    until("the wakes", || (first.count(), second.count()) == (1, 1));
    let polled = future.poll(&mut Context::from_waker(&waker));
    assert!(matches!(polled, Poll::Ready(Ok(report)) if report.was_cancelled()));
}

#[test]
fn a_run_without_items_has_no_session_to_wait_for() {
    let broken = from_fn(|| Err("no such list".into()), endless);
    let running = start(builder(broken).build(), RunOptions::new());
    let session = within("the answer", move || (running.session(), running.wait()));
    let (session, report) = session;
    assert!(session.is_none());
    let report = report.expect("it is outside");
    assert!(!report.is_success());
    assert_eq!(report.error.as_deref(), Some("items: no such list"));
}

#[test]
fn a_host_that_panics_is_reported() {
    let handler = builder(from_items([item(1)], |work| Ok(work.set(1)?))).build();
    let options = RunOptions::new().on_session(|_| panic!("on purpose"));
    let running = start(handler, options);
    let report = running.wait_timeout(LIMIT).expect("it ends");
    assert_eq!(report.result, HResult::E_UNEXPECTED);
    let text = report.error.as_deref();
    assert_eq!(text, Some("the host panicked: on purpose"));
    assert!(!report.is_success());
}
