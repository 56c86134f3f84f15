//! Hosts and observers that call back, wait for other threads, or panic, from inside the calls of a handler of items.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;

use support::works::handler;
use support::{driven, id, ids, item, items, receive, until, view, within};
use syncmgr::per_item::{self, Error, HandlerBuilder, SharedContext, Task, TaskContext};
use syncmgr::{
    CallbackError, HResult, ItemId, ItemStatus, LogRecord, LogSelector, Phase, ProgressUpdate,
    Session, SyncCallback, SyncFlags, SyncHandler, SyncItem, Verdict,
};

/// A host that passes calls on to a session and calls `hook` with each of them, after the session has taken it.
struct Host {
    session: Arc<Session>,
    hook: Box<dyn Fn(Call) + Send + Sync>,
}

/// A call of the handler.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Progress(ItemId, Option<u64>, Option<u64>),
    Other(&'static str),
}

impl Host {
    fn new(session: &Arc<Session>, hook: impl Fn(Call) + Send + Sync + 'static) -> Arc<Self> {
        let (session, hook) = (Arc::clone(session), Box::new(hook));
        Arc::new(Self { session, hook })
    }

    fn after<T>(&self, call: &'static str, answer: T) -> T {
        (self.hook)(Call::Other(call));
        answer
    }
}

impl SyncCallback for Host {
    fn progress(&self, id: ItemId, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        let answer = self.session.progress(id, update);
        (self.hook)(Call::Progress(id, update.value, update.max));
        answer
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.after("log_error", self.session.log_error(record))
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.after("delete_log_error", self.session.delete_log_error(which))
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        let answer = self.session.prepare_for_sync_completed(result);
        self.after("prepare_for_sync_completed", answer)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        let answer = self.session.synchronize_completed(result);
        self.after("synchronize_completed", answer)
    }

    fn show_error_completed(
        &self,
        outcome: syncmgr::ErrorOutcome<'_>,
    ) -> Result<(), CallbackError> {
        self.session.show_error_completed(outcome)
    }

    fn show_properties_completed(
        &self,
        outcome: syncmgr::PropertiesOutcome,
    ) -> Result<(), CallbackError> {
        self.session.show_properties_completed(outcome)
    }

    fn enable_modeless(&self, enable: bool) -> Result<syncmgr::Dialog, CallbackError> {
        self.session.enable_modeless(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.session.establish_connection(connection)
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.after("add_item", self.session.add_item(item))
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.after("additional_items", self.session.additional_items())
    }
}

/// Leads a handler under this host into its synchronization.
fn synchronize(
    handler: &Arc<dyn SyncHandler>,
    session: &Arc<Session>,
    host: Arc<dyn SyncCallback>,
    n: u128,
) {
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.items().unwrap();
    handler.set_progress_callback(Some(host)).unwrap();
    session.driver().begin_prepare(&ids(n)).unwrap();
    Arc::clone(handler).prepare_for_sync(&ids(n)).unwrap();
    until("the prepare", || session.phase() == Phase::Prepared);
    session.driver().begin_synchronize().unwrap();
    Arc::clone(handler).synchronize().unwrap();
}

fn completed(session: &Session) {
    until("the completion", || session.phase() == Phase::Completed);
}

/// The work of the one item, once it is there, for a host or an observer.
#[derive(Clone, Default)]
struct Known(Arc<OnceLock<SharedContext>>);

impl Known {
    /// A handler of item 1 that keeps its work here.
    fn handler(&self, work: fn(&SharedContext) -> Result<(), Error>) -> Arc<dyn SyncHandler> {
        let known = self.clone();
        let source = per_item::from_async_items(items(1), move |own: TaskContext| {
            let own = own.share();
            let _ = known.0.set(own.clone());
            async move { work(&own) }
        });
        HandlerBuilder::new_async("test".parse().unwrap(), source, per_item::on_thread).build()
    }

    /// Calls this with the work: on this thread, or on another one that is waited for.
    fn call(&self, on_this_thread: bool, call: fn(&SharedContext)) {
        let Some(work) = self.0.get().cloned() else {
            return;
        };
        match on_this_thread {
            true => call(&work),
            false => within("a report of another thread", move || call(&work)),
        }
    }
}

/// Calls a closure the first time it is woken.
struct Hook(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Hook {
    fn wake(self: Arc<Self>) {
        let hook = self.0.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
    }
}

#[test]
fn an_observer_that_reports_a_maximum_when_it_is_woken_by_one_blocks_nobody() {
    for on_this_thread in [true, false] {
        let known = Known::default();
        // The status is journalled, so the observer is woken inside the report.
        let handler = known.handler(|work| {
            work.report(&ProgressUpdate::new().status(ItemStatus::Paused).max(10))?;
            Ok(())
        });
        let session = driven(1);
        let host = Host::new(&session, {
            let (known, session) = (known.clone(), session.clone());
            move |call| {
                // The last question before the work begins.
                if call == Call::Progress(id(1), None, None) {
                    let known = known.clone();
                    let hook = Box::new(move || {
                        known.call(on_this_thread, |work| assert_eq!(work.max(20), Ok(())));
                    });
                    let cursor = session.snapshot().cursor;
                    let waker = Waker::from(Arc::new(Hook(Mutex::new(Some(hook)))));
                    let _ = session.wake_on_change(cursor, &waker);
                }
            }
        });
        synchronize(&handler, &session, host, 1);
        completed(&session);
        assert_eq!(view(&session, 1).status, ItemStatus::Succeeded);
    }
}

#[test]
fn a_host_that_reports_a_maximum_inside_one_or_waits_for_one_blocks_nobody() {
    for on_this_thread in [true, false] {
        let known = Known::default();
        let handler = known.handler(|work| {
            work.max(10)?;
            work.set(5)?;
            Ok(())
        });
        let session = driven(1);
        let host = Host::new(&session, move |call| {
            if call == Call::Progress(id(1), None, Some(10)) {
                known.call(on_this_thread, |work| assert_eq!(work.max(20), Ok(())));
            }
        });
        synchronize(&handler, &session, host, 1);
        completed(&session);
        let view = view(&session, 1);
        assert_eq!((view.value, view.max), (5, 20));
    }
}

#[test]
fn what_is_reported_while_a_maximum_is_being_raised_is_told_in_order_and_never_exceeds_it() {
    let known = Known::default();
    let handler = known.handler(|work| {
        work.max(10)?;
        work.set(12)?;
        work.advance(1)?;
        Ok(())
    });
    let session = driven(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = Host::new(&session, {
        let (seen, session) = (seen.clone(), session.clone());
        move |call| {
            if let Call::Progress(_, value, max) = call {
                if value.is_some() || max.is_some() {
                    let view = view(&session, 1);
                    seen.lock().unwrap().push((view.value, view.max));
                }
                if max == Some(12) {
                    known.call(true, |work| {
                        work.set(30).unwrap();
                        work.set(3).unwrap();
                        work.advance(37).unwrap();
                        work.report(&ProgressUpdate::new().text("text")).unwrap();
                    });
                }
            }
        }
    });
    synchronize(&handler, &session, host, 1);
    completed(&session);
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter().all(|(value, max)| *max == 0 || value <= max),
        "{seen:?}"
    );
    let view = view(&session, 1);
    assert_eq!((view.value, view.max), (41, 41), "{seen:?}");
    assert_eq!(view.text, "text");
}

#[test]
fn what_was_left_to_a_thread_that_stays_in_the_host_is_told_with_the_end() {
    let (come, came) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let (come, left) = (Mutex::new(come), Mutex::new(left));
    let came = Arc::new(Mutex::new(came));
    let source = per_item::from_async_items(items(1), move |work: TaskContext| {
        let came = came.clone();
        async move {
            work.max(10).await?;
            let other = work.share();
            thread::spawn(move || other.max(20));
            receive("a thread in the host", &came.lock().unwrap());
            work.set(30).await?;
            Ok(())
        }
    });
    let name = "test".parse().unwrap();
    let handler = HandlerBuilder::new_async(name, source, per_item::on_thread).build();
    let session = driven(1);
    let host = Host::new(&session, move |call| {
        if call == Call::Progress(id(1), None, Some(20)) {
            come.lock().unwrap().send(()).unwrap();
            let _ = left.lock().unwrap().recv();
        }
    });
    synchronize(&handler, &session, host, 1);
    completed(&session);
    let view = view(&session, 1);
    assert_eq!((view.value, view.max), (30, 30));
    drop(leave);
}

/// Tasks of a runtime with one thread, which the test runs.
#[derive(Clone, Default)]
struct Runtime(Arc<Mutex<VecDeque<Task>>>);

impl Runtime {
    fn spawn(&self) -> impl Fn(Task) + Send + Sync + 'static + use<> {
        let tasks = self.0.clone();
        move |task| tasks.lock().unwrap().push_back(task)
    }

    /// Polls one task after the other until all have ended.
    fn run(&self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let next = self.0.lock().unwrap().pop_front();
            let Some(mut task) = next else { return };
            if task.as_mut().poll(&mut context).is_pending() {
                self.0.lock().unwrap().push_back(task);
            }
        }
    }

    /// Drops all tasks that are not being polled.
    fn drop_all(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        drop(tasks);
    }
}

/// Gives the thread back to the runtime.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut paused, true) {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    })
    .await;
}

#[test]
fn a_host_that_ends_the_workers_while_it_adds_an_item_does_not_wait_for_itself() {
    within("the end of add_item", || {
        let runtime = Runtime::default();
        let known = Known::default();
        let keep = known.clone();
        let source = per_item::from_async_items(items(1), move |work: TaskContext| {
            let _ = keep.0.set(work.share());
            async move {
                loop {
                    pause().await;
                }
            }
        });
        let handler =
            HandlerBuilder::new_async("test".parse().unwrap(), source, runtime.spawn()).build();
        let session = driven(1);
        let tasks = runtime.clone();
        let host = Host::new(&session, move |call| {
            if call == Call::Other("add_item") {
                tasks.drop_all();
            }
        });
        synchronize(&handler, &session, host, 1);
        let mut task = runtime.0.lock().unwrap().pop_front().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut context).is_pending());
        runtime.0.lock().unwrap().push_back(task);

        // A thread of the work's own, as the worker is not being polled.
        known.call(true, |work| assert_eq!(work.add_item(item(9)), Ok(())));
        completed(&session);
        assert_eq!(session.result(), Some(HResult::E_ABORT));
        let late = view(&session, 9);
        assert_eq!(
            (late.status, &*late.text),
            (ItemStatus::Skipped, "not started")
        );
        assert_eq!(view(&session, 1).status, ItemStatus::Failed);
    });
}

#[test]
fn a_host_that_lets_go_inside_an_answer_to_a_task_does_not_wait_for_the_others_on_its_thread() {
    within("the end of all tasks", || {
        let runtime = Runtime::default();
        let source = per_item::from_async_items(items(3), |work: TaskContext| async move {
            while work.check().await.is_ok() {
                pause().await;
                if work.item().id == id(1) {
                    work.set(5).await?;
                }
            }
            Ok(())
        });
        // The third task has not been polled when the host lets go.
        let handler = HandlerBuilder::new_async("test".parse().unwrap(), source, runtime.spawn());
        let handler = handler.workers(3).wait_for_work(true).build();
        let own: Arc<OnceLock<Weak<dyn SyncHandler>>> = Arc::default();
        assert!(own.set(Arc::downgrade(&handler)).is_ok());
        let session = driven(3);
        let host = Host::new(&session, move |call| {
            if call == Call::Progress(id(1), Some(5), None) {
                let handler = own.get().and_then(Weak::upgrade).unwrap();
                handler.set_progress_callback(None).unwrap();
            }
        });
        synchronize(&handler, &session, host, 3);
        runtime.run();
        assert_eq!(session.phase(), Phase::Synchronizing, "it was let go");
    });
}

/// Whether this is a thread of the handler.
fn is_worker() -> bool {
    thread::current().name() == Some("syncmgr-item")
}

/// A host that panics in one call of a worker, and only there.
fn panics_at(session: &Arc<Session>, place: usize) -> (Arc<Host>, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let host = Host::new(session, move |_| {
        if !is_worker() {
            return;
        }
        assert_ne!(
            count.fetch_add(1, Ordering::SeqCst),
            place,
            "the host panics"
        );
    });
    (host, calls)
}

/// Runs handlers under hosts that panic in one of their calls, in each of them once, and under one that panics in all.
fn panics_everywhere(make: impl Fn() -> Arc<dyn SyncHandler>) {
    for place in 0.. {
        let (handler, session) = (make(), driven(3));
        let (host, calls) = panics_at(&session, place);
        synchronize(&handler, &session, host, 3);
        completed(&session);
        // The workers have ended too.
        until("the last worker", || Arc::strong_count(&handler) == 1);
        for n in 1..=3 {
            let view = view(&session, n);
            assert!(view.is_finished(), "call {place}: {view:?}");
        }
        if calls.load(Ordering::SeqCst) <= place {
            break;
        }
    }
    let (handler, session) = (make(), driven(3));
    let synchronizes = session.clone();
    let host = Host::new(&session, move |_| {
        assert_ne!(synchronizes.phase(), Phase::Synchronizing, "it panics");
    });
    synchronize(&handler, &session, host, 3);
    completed(&session);
    until("the last worker", || Arc::strong_count(&handler) == 1);
}

/// One item that succeeds, one that fails, and one whose work panics.
fn outcomes(work: &SharedContext) -> Result<(), Error> {
    work.max(2)?;
    work.set(1)?;
    match work.item().id {
        first if first == id(1) => Ok(work.set(3)?),
        second if second == id(2) => Err("it fails".into()),
        _ => panic!("the work panics"),
    }
}

#[test]
fn a_host_that_panics_in_a_call_of_a_worker_ends_neither_the_process_nor_the_round() {
    panics_everywhere(|| {
        handler(3, |item| outcomes(&item.share()))
            .workers(2)
            .build()
    });
    let measured = || {
        handler(3, |item| outcomes(&item.share()))
            .measure(|_| Ok(2))
            .finish(|| Ok(()))
    };
    panics_everywhere(|| measured().build());
}

#[test]
fn a_host_that_panics_in_a_call_of_a_task_ends_neither_the_process_nor_the_round() {
    panics_everywhere(|| {
        let work = |work: TaskContext| async move { outcomes(&work.share()) };
        let source = per_item::from_async_items(items(3), work);
        let name = "test".parse().unwrap();
        HandlerBuilder::new_async(name, source, per_item::on_thread)
            .workers(2)
            .wait_for_work(true)
            .build()
    });
}

#[test]
fn a_value_one_above_the_maximum_raises_it() {
    let known = Known::default();
    let handler = known.handler(|item| {
        item.max(10)?;
        item.set(11)?;
        Ok(())
    });
    let session = driven(1);
    synchronize(&handler, &session, session.clone(), 1);
    completed(&session);
    let view = view(&session, 1);
    assert_eq!((view.value, view.max), (11, 11));
}

#[test]
fn what_is_left_to_the_thread_that_raises_a_maximum_is_reported_before_its_call_returns() {
    let session = driven(1);
    let known = Known::default();
    let (keep, seen) = (known.clone(), session.clone());
    let source = per_item::from_async_items(items(1), move |item: TaskContext| {
        let _ = keep.0.set(item.share());
        let session = seen.clone();
        async move {
            item.max(10).await?;
            item.set(12).await?;
            let view = view(&session, 1);
            assert_eq!((view.value, view.max), (30, 30));
            Ok(())
        }
    });
    let name = "test".parse().unwrap();
    let handler = HandlerBuilder::new_async(name, source, per_item::on_thread).build();
    let host = Host::new(&session, move |call| {
        if call == Call::Progress(id(1), Some(12), Some(12)) {
            known.call(true, |item| assert_eq!(item.set(30), Ok(())));
        }
    });
    synchronize(&handler, &session, host, 1);
    completed(&session);
    assert_eq!(view(&session, 1).status, ItemStatus::Succeeded);
}

#[test]
fn a_text_reported_inside_a_raise_takes_no_smaller_maximum_with_it() {
    let known = Known::default();
    let handler = known.handler(|item| {
        item.max(10)?;
        item.set(12)?;
        Ok(())
    });
    let session = driven(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = Host::new(&session, {
        let (seen, session) = (seen.clone(), session.clone());
        move |call| {
            let view = view(&session, 1);
            seen.lock().unwrap().push((view.value, view.max));
            if call == Call::Progress(id(1), Some(12), Some(12)) {
                known.call(true, |item| {
                    let update = ProgressUpdate::new().text("text").max(5);
                    assert_eq!(item.report(&update), Ok(()));
                });
            }
        }
    });
    synchronize(&handler, &session, host, 1);
    completed(&session);
    let seen = seen.lock().unwrap();
    let fits = |(value, max): &(u64, u64)| *max == 0 || value <= max;
    assert!(seen.iter().all(fits), "{seen:?}");
    assert_eq!(view(&session, 1).text, "text");
}

#[test]
fn a_round_is_not_completed_while_another_thread_adds_an_item() {
    let [adds, stays] = [(); 2].map(|()| mpsc::channel::<()>());
    let (come, came) = adds;
    let (leave, left) = stays;
    let (come, left) = (Mutex::new(come), Mutex::new(left));
    let came = Arc::new(Mutex::new(came));
    let threads = Arc::new(Mutex::new(Vec::new()));
    let added = threads.clone();
    let source = per_item::from_async_items(items(1), move |context: TaskContext| {
        let (added, came) = (added.clone(), came.clone());
        async move {
            for n in [2, 3] {
                let context = context.clone();
                let adds = thread::spawn(move || context.add_item(item(n)));
                added.lock().unwrap().push(adds);
                receive("a thread in the host", &came.lock().unwrap());
            }
            Ok(())
        }
    });
    let name = "test".parse().unwrap();
    let handler = HandlerBuilder::new_async(name, source, per_item::on_thread).build();
    let session = driven(1);
    // Both threads wait inside the host.
    let host = Host::new(&session, move |call| {
        if call == Call::Other("add_item") {
            come.lock().unwrap().send(()).unwrap();
            let _ = left.lock().unwrap().recv();
        }
    });
    synchronize(&handler, &session, host, 1);
    until("the end of the only worker", || {
        view(&session, 1).status == ItemStatus::Succeeded
    });
    leave.send(()).unwrap();
    until("the end of one thread", || {
        let mut threads = threads.lock().unwrap();
        threads.iter_mut().any(|thread| thread.is_finished())
    });
    assert_eq!(session.phase(), Phase::Synchronizing);
    leave.send(()).unwrap();
    completed(&session);
}
