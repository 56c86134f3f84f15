//! A handler of items whose work is a future: conformant, whatever the work, the one that spawns and the host do.

use std::fmt;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use support::forward_the_rest;
use support::{id, item, items, join, receive, until};
use syncmgr::per_item::{self, AsyncPerItem, Cancelled, Error, HandlerBuilder, Task, TaskContext};
use syncmgr::testing::{Action, Harness, Recorder, Rule, Trace};
use syncmgr::{
    CallbackError, HResult, ItemId, ItemList, ItemStatus, Phase, ProgressUpdate, RunOptions,
    Session, SyncCallback, SyncEvent, SyncFlags, SyncHandler, SyncItem, Verdict, run_handler,
};

fn name() -> syncmgr::HandlerName {
    "test".parse().expect("a short name")
}

/// A handler of items 1 to `n`, each task on a thread of its own.
fn handler<W, F>(n: u128, work: W) -> HandlerBuilder
where
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    spawned(n, work, per_item::on_thread)
}

fn spawned<W, F>(n: u128, work: W, spawn: impl Fn(Task) + Send + Sync + 'static) -> HandlerBuilder
where
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    HandlerBuilder::new_async(name(), per_item::from_async_items(items(n), work), spawn)
}

fn completions(trace: &Trace) -> Vec<HResult> {
    let calls = trace.calls().iter();
    let results = calls.filter_map(|call| match &call.action {
        Action::SynchronizeCompleted { result } => Some(*result),
        _ => None,
    });
    results.collect()
}

/// Each of items 1 to `n` has its end, and there is one completion, unless the host has let go.
#[track_caller]
fn is_whole(trace: &Trace, n: u128) {
    trace.assert_conformant();
    if trace.was_released() {
        return;
    }
    for n in 1..=n {
        let last = trace.status(id(n));
        assert!(last.is_some_and(ItemStatus::is_final), "item {n}: {trace}");
    }
    assert_eq!(completions(trace).len(), 1, "{trace}");
}

/// Runs it at every point with one and with three workers.
#[track_caller]
fn explore<W, F>(n: u128, work: W)
where
    W: Fn(TaskContext) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    for workers in [1, 3] {
        let make = || {
            let handler = handler(n, work.clone()).workers(workers).build();
            (Harness::new(handler), ())
        };
        Harness::explore(make, |trace, ()| is_whole(trace, n)).assert_conformant();
    }
}

/// Gives the thread back to the executor once.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Some steps, each of which asks.
async fn steps(work: TaskContext) -> Result<(), Error> {
    work.max(3).await?;
    for _ in 0..3 {
        pause().await;
        work.advance(1).await?;
    }
    Ok(())
}

#[test]
fn work_that_succeeds() {
    explore(4, steps);
    let trace = Harness::new(handler(4, steps).workers(3).build()).run();
    is_whole(&trace, 4);
    for n in 1..=4 {
        assert_eq!(trace.status(id(n)), Some(ItemStatus::Succeeded));
    }
    assert_eq!(completions(&trace), [HResult::S_OK]);
}

#[test]
fn work_that_fails() {
    let work = |work: TaskContext| async move {
        work.advance(1).await?;
        pause().await;
        Err("broken".into())
    };
    explore(3, work);
    let trace = Harness::new(handler(3, work).build()).run();
    assert_eq!(trace.status(id(3)), Some(ItemStatus::Failed));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped on purpose");
    }
}

/// An error whose text is not to be had.
#[derive(Debug)]
struct Mute;

impl fmt::Display for Mute {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("shown on purpose");
    }
}

impl std::error::Error for Mute {}

#[test]
fn work_that_panics() {
    /// Fails the items, and nothing else.
    #[track_caller]
    fn fails<W, F>(work: W)
    where
        W: Fn(TaskContext) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        explore(2, work.clone());
        let trace = Harness::new(handler(2, work).build()).run();
        is_whole(&trace, 2);
        for n in 1..=2 {
            assert_eq!(trace.status(id(n)), Some(ItemStatus::Failed), "{trace}");
        }
        assert_eq!(completions(&trace), [HResult::S_OK]);
    }
    fails(|_| -> std::future::Ready<Result<(), Error>> { panic!("called on purpose") });
    fails(|_| async { panic!("polled on purpose") });
    fails(|work| async move {
        pause().await;
        work.advance(1).await?;
        panic!("polled on purpose, later")
    });
    fails(|_| async {
        let _bomb = Bomb;
        pause().await;
        Ok(())
    });
    fails(|_| async { Err(Mute.into()) });
    fails(|_| async { std::panic::panic_any(Bomb) });
}

#[test]
fn a_panic_where_the_future_is_dropped_after_its_end_changes_nothing() {
    /// Ready at once; panics in its drop.
    struct Ready(Bomb);
    impl Future for Ready {
        type Output = Result<(), Error>;
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            let _ = &self.0;
            Poll::Ready(Ok(()))
        }
    }
    explore(2, |_| Ready(Bomb));
    let trace = Harness::new(handler(2, |_| Ready(Bomb)).build()).run();
    is_whole(&trace, 2);
    for n in 1..=2 {
        assert_eq!(trace.status(id(n)), Some(ItemStatus::Succeeded), "{trace}");
    }
    assert_eq!(completions(&trace), [HResult::S_OK]);
}

#[test]
fn work_that_swallows_the_cancel_or_never_looks() {
    explore(3, |work| async move {
        for _ in 0..3 {
            if work.advance(1).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    explore(3, |work| async move {
        for _ in 0..3 {
            let _ = work.advance(1).await;
            pause().await;
        }
        Err("broken after all".into())
    });
    explore(3, |_| async { Ok(()) });
    explore(3, |work| async move {
        let done = work.until_cancelled(pause()).await;
        done.or(Ok(()))
    });
}

/// Cancels an item that waits for ever; answers what became of it.
#[test]
fn work_that_waits_for_ever_is_ended_by_the_cancel() {
    let cancels: [fn(&Arc<syncmgr::Session>); 3] = [
        |session| session.cancel_item(id(1)).expect("it takes part"),
        |session| session.skip_item(id(1)).expect("it takes part"),
        |session| session.cancel_all(),
    ];
    for cancel in cancels {
        for workers in [1, 3] {
            let (waits, waiting) = mpsc::channel();
            let work = move |work: TaskContext| {
                let waits = waits.clone();
                async move {
                    work.advance(1).await?;
                    if work.item().id == id(1) {
                        waits.send(()).expect("the test waits");
                        work.until_cancelled(pending::<()>()).await?;
                    }
                    Ok(())
                }
            };
            let recorder = Recorder::new();
            let handler = recorder.handler(handler(3, work).workers(workers).build());
            let (sent, session) = mpsc::channel();
            let options = RunOptions::new().on_session(move |session| {
                sent.send(session).expect("the test waits");
            });
            let run = thread::spawn(move || run_handler(handler, options));
            let session = receive("the session", &session);
            receive("the work", &waiting);
            cancel(&session);
            let report = join("the run", run);
            assert_eq!(report.phase, Phase::Completed, "{report:?}");
            let view = session.item(id(1)).expect("it is listed");
            assert_eq!(view.status, ItemStatus::Stopped);
            assert!(report.unfinished.is_empty(), "{report:?}");
            recorder.trace().assert_conformant();
        }
    }
}

#[test]
fn work_that_waits_for_ever_is_conformant_wherever_it_is_cancelled() {
    // The first run has to end by itself, so the wait is for ever only where something is done to the handler: the host's
    // predicate cancels what waits.
    for (n, workers) in [(1, 1), (3, 1), (3, 3)] {
        for all in [false, true] {
            let work = |work: TaskContext| async move {
                work.advance(1).await?;
                work.until_cancelled(pending::<()>()).await?;
                Ok(())
            };
            let harness = Harness::new(handler(n, work).workers(workers).build());
            // The wait's own registration is the moment: it is cancelled while the task registers.
            let waits =
                |call: &syncmgr::testing::Call| matches!(call.action, Action::WakeOnCancel { .. });
            let harness = match all {
                true => harness.cancel_all_when(waits),
                false if n == 1 => {
                    harness.cancel_item_when(|call| call.action.reported().is_some())
                }
                false => harness.cancel_all_when(waits),
            };
            is_whole(&harness.run(), n);
        }
    }
}

#[test]
fn work_that_fails_by_what_its_callback_has_done_is_stopped() {
    let work = |work: TaskContext| async move {
        let (sent, closed) = mpsc::channel();
        let guard = work.on_cancel(move || _ = sent.send(()))?;
        work.advance(1).await?;
        pause().await;
        drop(guard);
        match closed.try_recv() {
            Ok(()) => Err("the socket was closed".into()),
            Err(_) => Ok(()),
        }
    };
    explore(3, work);
    // It makes no report after the cancel: only its callback tells it.
    let (ready, is_ready) = mpsc::channel();
    let reads = move |work: TaskContext| {
        let ready = ready.clone();
        async move {
            let (sent, closed) = mpsc::channel();
            let _guard = work.on_cancel(move || _ = sent.send(()))?;
            ready.send(()).expect("the test waits");
            receive("the close of the socket", &closed);
            Err("the socket was closed".into())
        }
    };
    let (sent, session) = mpsc::channel();
    let options = RunOptions::new().on_session(move |session| sent.send(session).unwrap());
    let handler = handler(1, reads).build();
    let run = thread::spawn(move || run_handler(handler, options));
    let session = receive("the session", &session);
    receive("the work", &is_ready);
    session.cancel_item(id(1)).expect("it takes part");
    assert_eq!(join("the run", run).result, HResult::S_OK);
    let view = session.item(id(1)).expect("it is listed");
    assert_eq!(view.status, ItemStatus::Stopped);
}

#[test]
fn the_future_is_dropped_at_its_await_by_until_cancelled_only() {
    let (began, begun) = mpsc::channel();
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let inside = Arc::clone(&dropped);
    let work = move |work: TaskContext| {
        let (began, count) = (began.clone(), Arc::clone(&inside));
        async move {
            let ended = {
                let inner = async {
                    let _count = Count(Arc::clone(&count));
                    began.send(()).expect("the test waits");
                    pending::<()>().await;
                };
                work.until_cancelled(inner).await
            };
            assert_eq!(ended, Err(Cancelled::All));
            assert_eq!(count.load(Ordering::SeqCst), 1, "it is dropped by now");
            ended?;
            Ok(())
        }
    };
    let (sent, session) = mpsc::channel();
    let options = RunOptions::new().on_session(move |session| sent.send(session).unwrap());
    let handler = handler(1, work).build();
    let run = thread::spawn(move || run_handler(handler, options));
    let session = receive("the session", &session);
    receive("the work", &begun);
    session.cancel_all();
    let report = join("the run", run);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    let view = session.item(id(1)).expect("it is listed");
    assert_eq!(
        (view.status, report.result),
        (ItemStatus::Stopped, HResult::S_OK)
    );
}

#[test]
fn an_item_that_is_cancelled_already_does_not_poll_what_is_raced() {
    let polled = Arc::new(AtomicUsize::new(0));
    let inside = Arc::clone(&polled);
    let work = move |work: TaskContext| {
        let polled = Arc::clone(&inside);
        async move {
            let verdict = work.callback()?.can_continue(Some(work.item().id))?;
            assert_eq!(verdict, Verdict::CancelItem);
            let raced = poll_fn(|_| {
                polled.fetch_add(1, Ordering::SeqCst);
                Poll::Ready(())
            });
            work.until_cancelled(raced).await?;
            Ok(())
        }
    };
    // The second report is the work's own question.
    let harness = Harness::new(handler(1, work).build()).cancel_item_at(2);
    is_whole(&harness.run(), 1);
    assert_eq!(polled.load(Ordering::SeqCst), 0);
}

/// The output of a future that is ready.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is not ready"),
    }
}

#[test]
fn what_the_work_leaves_behind_is_refused() {
    let (left, leaves) = mpsc::channel::<TaskContext>();
    let work = move |work: TaskContext| {
        let left = left.clone();
        async move {
            work.advance(1).await?;
            left.send(work.clone()).expect("the test waits");
            Ok(())
        }
    };
    let recorder = Recorder::new();
    let report = run_handler(
        recorder.handler(handler(2, work).build()),
        RunOptions::new(),
    );
    assert!(report.is_success(), "{report:?}");
    let before = recorder.trace().calls().len();
    let released = Cancelled::Refused(CallbackError::Released);
    for work in leaves.try_iter() {
        let shared = work.share();
        let answers = [
            shared.set(2),
            shared.advance(1),
            shared.check(),
            shared.max(9),
            shared.text("late"),
            shared.wait_cancelled(Duration::MAX),
            ready(work.set(2)),
            ready(work.advance(1)),
            ready(work.check()),
            ready(work.max(9)),
            ready(work.text("late")),
        ];
        assert_eq!(answers, [Err(released); 11]);
        let late = work.on_cancel(|| panic!("nothing was cancelled"));
        assert_eq!(late.err(), Some(CallbackError::Released));
        let logged = work.log(syncmgr::LogLevel::Error, "late");
        assert_eq!(logged, Err(CallbackError::Released));
        assert_eq!(work.add_item(item(9)), Err(CallbackError::Released));
        assert!(work.callback().is_err());
        let mut context = Context::from_waker(Waker::noop());
        let mut cancelled = std::pin::pin!(work.cancelled());
        let polled = cancelled.as_mut().poll(&mut context);
        assert_eq!(polled, Poll::Ready(released));
    }
    let trace = recorder.trace();
    assert_eq!(
        trace.calls().len(),
        before,
        "no call is made any more (rule H13): {trace}"
    );
    trace.assert_conformant();
}

#[test]
fn what_the_work_leaves_behind_is_refused_while_the_round_goes_on() {
    // Item 1 returns and leaves its `ItemContext` to item 2, which is in work then.
    let kept: Arc<Mutex<Option<TaskContext>>> = Arc::default();
    let answers: Arc<Mutex<Vec<bool>>> = Arc::default();
    let (into, told) = (Arc::clone(&kept), Arc::clone(&answers));
    let work = move |work: TaskContext| {
        let (kept, told) = (Arc::clone(&into), Arc::clone(&told));
        async move {
            work.advance(1).await?;
            if work.item().id == id(1) {
                *kept.lock().unwrap() = Some(work);
                return Ok(());
            }
            let first = kept.lock().unwrap().take().expect("it was done before");
            let late = [
                first.set(7).await.is_err(),
                first.check().await.is_err(),
                first.text("late").await.is_err(),
                first.share().wait_cancelled(Duration::MAX).is_err(),
                first.on_cancel(|| panic!("it was not cancelled")).is_err(),
                first.add_item(item(9)).is_err(),
            ];
            told.lock().unwrap().extend(late);
            Ok(())
        }
    };
    let trace = Harness::new(handler(2, work).build()).run();
    is_whole(&trace, 2);
    assert_eq!(*answers.lock().unwrap(), [true; 6]);
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded));
    assert_eq!(trace.status(id(9)), None);
}

#[test]
fn what_panics_on_a_thread_left_behind_makes_no_call() {
    let (left, leaves) = mpsc::channel::<TaskContext>();
    let work = move |work: TaskContext| {
        let left = left.clone();
        async move { left.send(work).map_err(Error::from) }
    };
    let recorder = Recorder::new();
    let report = run_handler(
        recorder.handler(handler(1, work).build()),
        RunOptions::new(),
    );
    assert!(report.is_success(), "{report:?}");
    let before = recorder.trace().calls().len();
    let work = receive("the work", &leaves);
    let panics = thread::spawn(move || {
        let _work = work;
        panic!("on purpose");
    });
    assert!(panics.join().is_err());
    let trace = recorder.trace();
    assert_eq!(trace.calls().len(), before, "rule H13: {trace}");
    assert!(!trace.breaks(Rule::NoCallAfterRelease), "{trace}");
}

#[test]
fn items_listed_twice_are_told_by_name() {
    let twice = || {
        let listed = [item(1), item(2), item(1)];
        let source = per_item::from_async_items(listed, steps);
        HandlerBuilder::new_async(name(), source, per_item::on_thread).build()
    };
    let report = run_handler(twice(), RunOptions::new());
    assert!(!report.is_success());
    let error = report.error.expect("the list is refused");
    assert!(error.contains("item 1"), "{error}");
    // Nothing was begun, so nothing is to be completed.
    let trace = Harness::new(twice()).run();
    assert!(trace.violations().is_empty(), "{trace}");
    assert_eq!(completions(&trace), []);
}

/// A source of its own, whose list fails.
struct Unlisted;

impl AsyncPerItem for Unlisted {
    fn items(&self) -> Result<ItemList, Error> {
        Err("the server is down".into())
    }

    async fn synchronize(&self, _: TaskContext) -> Result<(), Error> {
        unreachable!("there is no item")
    }
}

#[test]
fn a_list_that_fails_fails_the_run() {
    let handler = HandlerBuilder::new_async(name(), Unlisted, per_item::on_thread);
    let report = run_handler(handler.build(), RunOptions::new());
    let error = report.error.expect("there is no list");
    assert!(error.contains("the server is down"), "{error}");
}

/// Polls a task so many times, and drops it.
fn poll_some(mut task: Task, polls: usize) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if task.as_mut().poll(&mut context).is_ready() {
            return;
        }
    }
}

/// Explores a handler of four items with this spawner; `end` looks at what comes of it where nothing is done to it.
fn explore_spawner<S: Fn(Task) + Send + Sync + 'static>(
    workers: usize,
    spawner: impl Fn() -> S,
    end: impl Fn(&Trace),
) {
    let make = || spawned(4, steps, spawner()).workers(workers).build();
    let trace = Harness::new(make()).run();
    is_whole(&trace, 4);
    end(&trace);
    let explored = Harness::explore(
        || (Harness::new(make()), ()),
        |trace, ()| is_whole(trace, 4),
    );
    assert!(explored.failures().is_empty(), "{workers}: {explored}");
}

fn statuses(trace: &Trace) -> [Option<ItemStatus>; 4] {
    [1, 2, 3, 4].map(|n| trace.status(id(n)))
}

const SKIPPED: [Option<ItemStatus>; 4] = [Some(ItemStatus::Skipped); 4];
const SUCCEEDED: [Option<ItemStatus>; 4] = [Some(ItemStatus::Succeeded); 4];

fn logs(trace: &Trace, part: &str) -> bool {
    trace.calls().iter().any(|call| match &call.action {
        Action::LogError { record } => record.text.contains(part),
        _ => false,
    })
}

#[test]
fn a_spawner_that_panics_at_once() {
    for workers in [1, 3] {
        explore_spawner(
            workers,
            || |_: Task| panic!("no runtime here"),
            |trace| {
                assert_eq!(statuses(trace), SKIPPED, "{trace}");
                assert_eq!(completions(trace), [HResult::E_ABORT]);
                assert!(logs(trace, "no runtime here"), "{trace}");
            },
        );
    }
}

#[test]
fn a_spawner_that_panics_later() {
    explore_spawner(
        3,
        || {
            let count = AtomicUsize::new(0);
            move |task| {
                assert!(count.fetch_add(1, Ordering::SeqCst) < 1, "full");
                per_item::on_thread(task);
            }
        },
        |trace| {
            assert_eq!(statuses(trace), SUCCEEDED, "{trace}");
            assert_eq!(completions(trace), [HResult::S_OK]);
            assert!(logs(trace, "full"), "{trace}");
        },
    );
}

#[test]
fn a_spawner_that_panics_after_it_has_run_the_task() {
    explore_spawner(
        3,
        || {
            |task| {
                per_item::on_thread(task);
                panic!("after all");
            }
        },
        |trace| assert_eq!(statuses(trace), SUCCEEDED, "{trace}"),
    );
    explore_spawner(
        3,
        || {
            |task| {
                poll_some(task, 2);
                panic!("after some");
            }
        },
        |trace| assert_eq!(completions(trace), [HResult::E_ABORT], "{trace}"),
    );
}

#[test]
fn a_spawner_that_drops_tasks_unpolled() {
    for workers in [1, 3] {
        explore_spawner(
            workers,
            || drop::<Task>,
            |trace| {
                assert_eq!(statuses(trace), SKIPPED, "{trace}");
                assert_eq!(completions(trace), [HResult::E_ABORT]);
            },
        );
    }
}

#[test]
fn a_spawner_that_drops_tasks_after_some_polls() {
    for polls in 1..12 {
        explore_spawner(
            1,
            || move |task| poll_some(task, polls),
            |trace| {
                let ends = statuses(trace);
                let done = ends
                    .iter()
                    .filter(|end| **end == Some(ItemStatus::Succeeded));
                let failed = ends.iter().filter(|end| **end == Some(ItemStatus::Failed));
                let (done, failed) = (done.count(), failed.count());
                // Three pauses in an item, and one after it.
                assert_eq!(
                    (done, failed),
                    (polls / 4, usize::from(polls % 4 != 0)),
                    "{trace}"
                );
                let result = match done + failed {
                    4 => HResult::S_OK,
                    _ => HResult::E_ABORT,
                };
                assert_eq!(completions(trace), [result], "{polls}: {trace}");
            },
        );
    }
}

#[test]
fn a_task_that_is_dropped_leaves_its_items_to_the_others() {
    explore_spawner(
        3,
        || {
            let count = AtomicUsize::new(0);
            move |task| match count.fetch_add(1, Ordering::SeqCst) {
                2 => per_item::on_thread(task),
                _ => drop(task),
            }
        },
        |trace| {
            assert_eq!(statuses(trace), SUCCEEDED, "{trace}");
            assert_eq!(completions(trace), [HResult::S_OK]);
        },
    );
}

#[test]
fn a_spawner_that_runs_them_inline() {
    for workers in [1, 3] {
        explore_spawner(
            workers,
            || |task| poll_some(task, usize::MAX),
            |trace| {
                assert_eq!(statuses(trace), SUCCEEDED, "{trace}");
                assert_eq!(completions(trace), [HResult::S_OK]);
            },
        );
    }
}

#[test]
fn a_spawner_that_never_runs_them_is_given_up_by_the_deadline() {
    let kept: Arc<Mutex<Vec<Task>>> = Arc::default();
    let into = Arc::clone(&kept);
    let never = spawned(2, steps, move |task| into.lock().unwrap().push(task));
    let deadline = Duration::from_millis(50);
    let recorder = Recorder::new();
    let handler = recorder.handler(never.workers(2).build());
    let report = run_handler(handler, RunOptions::new().deadline(deadline));
    assert!(!report.is_success());
    assert_eq!(report.unfinished, [id(1), id(2)], "{report:?}");
    // The runtime comes too late: the host has let go, and nothing is done or told.
    let before = recorder.trace().calls().len();
    for task in std::mem::take(&mut *kept.lock().unwrap()) {
        poll_some(task, usize::MAX);
    }
    let trace = recorder.trace();
    assert_eq!(trace.calls().len(), before, "rule H13: {trace}");
}

#[test]
fn a_host_that_gives_up_lets_the_waits_go_without_being_asked() {
    let (ended, ends) = mpsc::channel();
    let ended = Mutex::new(ended);
    let work = move |work: TaskContext| {
        let ended = ended.lock().unwrap().clone();
        async move {
            let (sent, closed) = mpsc::channel();
            let guard = work.on_cancel(move || _ = sent.send(()))?;
            receive("the release", &closed);
            drop(guard);
            ended.send(()).expect("the test waits");
            Ok(())
        }
    };
    let recorder = Recorder::new();
    let handler = recorder.handler(handler(1, work).build());
    let options = RunOptions::new().deadline(Duration::from_millis(100));
    let report = run_handler(handler, options);
    assert_eq!(report.unfinished, [id(1)], "{report:?}");
    receive("the work", &ends);
    let trace = recorder.trace();
    assert!(!trace.breaks(Rule::NoCallAfterRelease), "{trace}");
}

#[test]
fn an_item_that_was_cancelled_and_whose_task_is_dropped_is_stopped() {
    let kept: Arc<Mutex<Option<Task>>> = Arc::default();
    let into = Arc::clone(&kept);
    let work = |work: TaskContext| async move {
        work.cancelled().await;
        pending::<()>().await;
        Ok(())
    };
    let handler = spawned(1, work, move |task| *into.lock().unwrap() = Some(task));
    let recorder = Recorder::new();
    let handler = recorder.handler(handler.build());
    let (sent, session) = mpsc::channel();
    let options = RunOptions::new().on_session(move |session| sent.send(session).unwrap());
    let run = thread::spawn(move || run_handler(handler, options));
    let session = receive("the session", &session);
    support::until("the task", || kept.lock().unwrap().is_some());
    let mut task = kept.lock().unwrap().take().expect("it is there");
    let mut context = Context::from_waker(Waker::noop());
    assert!(task.as_mut().poll(&mut context).is_pending());
    session.cancel_item(id(1)).expect("it takes part");
    assert!(task.as_mut().poll(&mut context).is_pending());
    drop(task);
    let report = join("the run", run);
    assert_eq!(report.result, HResult::S_OK, "{report:?}");
    let view = session.item(id(1)).expect("it is listed");
    assert_eq!(view.status, ItemStatus::Stopped);
    recorder.trace().assert_conformant();
}

#[test]
fn a_host_that_does_not_wake_fails_the_item_and_hangs_nobody() {
    use support_forward::Deaf;
    let work = |work: TaskContext| async move {
        work.until_cancelled(pending::<()>()).await?;
        Ok(())
    };
    let recorder = Recorder::new();
    let handler = Arc::new(Deaf(handler(2, work).build()));
    let report = run_handler(recorder.handler(handler), RunOptions::new());
    assert_eq!(report.result, HResult::S_OK, "{report:?}");
    let trace = recorder.trace();
    is_whole(&trace, 2);
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Failed), "{trace}");
}

#[test]
fn an_item_that_the_work_adds_is_done_too() {
    for workers in [1, 3] {
        let work = |work: TaskContext| async move {
            if work.item().id == id(1) {
                work.add_item(item(9))?;
            }
            pause().await;
            work.advance(1).await?;
            Ok(())
        };
        let trace = Harness::new(handler(2, work).workers(workers).build()).run();
        is_whole(&trace, 2);
        assert_eq!(trace.status(id(9)), Some(ItemStatus::Succeeded), "{trace}");
    }
}

#[test]
fn a_failed_item_is_done_again_where_the_host_shows_its_error() {
    let make = || {
        let tries = Arc::new(AtomicUsize::new(0));
        let work = move |work: TaskContext| {
            let tries = Arc::clone(&tries);
            async move {
                pause().await;
                work.advance(1).await?;
                match tries.fetch_add(1, Ordering::SeqCst) {
                    0 => Err("broken".into()),
                    _ => Ok(()),
                }
            }
        };
        Harness::new(handler(1, work).build()).show_errors()
    };
    let trace = make().run();
    trace.assert_conformant();
    assert_eq!(trace.status(id(1)), Some(ItemStatus::Succeeded), "{trace}");
    assert_eq!(completions(&trace), [HResult::S_OK; 2]);
    let explored = Harness::explore(|| (make(), ()), |_, ()| {});
    explored.assert_conformant();
}

/// A handler whose host does not wake.
mod support_forward {
    use std::sync::Arc;

    use syncmgr::{
        CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, ItemId,
        ItemList, ItemStatus, LogRecord, LogSelector, Participation, Prepared, ProgressUpdate,
        PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler, Verdict,
    };

    pub struct Deaf(pub Arc<dyn SyncHandler>);

    impl SyncHandler for Deaf {
        fn initialize(
            &self,
            flags: SyncFlags,
            cookie: Option<&[u8]>,
        ) -> Result<Participation, HandlerError> {
            self.0.initialize(flags, cookie)
        }

        fn info(&self) -> Result<HandlerInfo, HandlerError> {
            self.0.info()
        }

        fn items(&self) -> Result<ItemList, HandlerError> {
            self.0.items()
        }

        fn set_progress_callback(
            &self,
            callback: Option<Arc<dyn SyncCallback>>,
        ) -> Result<(), HandlerError> {
            let deaf = |callback| Arc::new(Old(callback)) as Arc<dyn SyncCallback>;
            self.0.set_progress_callback(callback.map(deaf))
        }

        fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
            Arc::clone(&self.0).prepare_for_sync(items)
        }

        fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
            Arc::clone(&self.0).synchronize()
        }

        fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
            self.0.set_item_status(item, status)
        }

        fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
            Arc::clone(&self.0).show_error(error)
        }
    }

    /// A callback of the older interface alone.
    struct Old(Arc<dyn SyncCallback>);

    impl SyncCallback for Old {
        fn progress(
            &self,
            item: ItemId,
            update: &ProgressUpdate<'_>,
        ) -> Result<Verdict, CallbackError> {
            self.0.progress(item, update)
        }

        fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
            self.0.log_error(record)
        }

        fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
            self.0.delete_log_error(which)
        }

        fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
            self.0.prepare_for_sync_completed(result)
        }

        fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
            self.0.synchronize_completed(result)
        }

        fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
            self.0.show_error_completed(outcome)
        }

        fn show_properties_completed(
            &self,
            outcome: PropertiesOutcome,
        ) -> Result<(), CallbackError> {
            self.0.show_properties_completed(outcome)
        }

        fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
            self.0.enable_modeless(enable)
        }

        fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
            self.0.establish_connection(connection)
        }
    }
}

#[test]
fn what_is_measured_and_finished_and_waited_for_is_conformant_too() {
    for workers in [1, 3] {
        let make = || {
            let handler = handler(3, steps).workers(workers).measure(|work| {
                work.check()?;
                Ok(3)
            });
            let handler = handler.finish(|| Ok(())).wait_for_work(true);
            (Harness::new(handler.build()), ())
        };
        Harness::explore(make, |trace, ()| is_whole(trace, 3)).assert_conformant();
    }
}

/// A driven session in whose round the handler is at work on item 1.
fn at_work(handler: &Arc<dyn SyncHandler>) -> Arc<Session> {
    let session = Session::builder().items(items(1)).driven().build().unwrap();
    begin(handler, session, 1)
}

/// Begins a round of items 1 to `n`.
fn begin(handler: &Arc<dyn SyncHandler>, session: Arc<Session>, n: u128) -> Arc<Session> {
    let ids: Vec<ItemId> = (1..=n).map(id).collect();
    handler
        .initialize(SyncFlags::new(SyncEvent::Manual), None)
        .unwrap();
    handler.items().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&ids).unwrap();
    handler.clone().prepare_for_sync(&ids).unwrap();
    session.driver().begin_synchronize().unwrap();
    handler.clone().synchronize().unwrap();
    session
}

#[test]
fn a_host_that_takes_its_callback_away_can_be_kept_waiting_for_the_tasks() {
    let ended = Arc::new(AtomicUsize::new(0));
    let (begun, has_begun) = mpsc::channel();
    let count = ended.clone();
    let work = move |work: TaskContext| {
        let (count, begun) = (count.clone(), begun.clone());
        async move {
            begun.send(()).unwrap();
            while work.check().await.is_ok() {
                pause().await;
            }
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    };
    let handler = handler(1, work).wait_for_work(true).build();
    let session = at_work(&handler);
    receive("the work", &has_begun);
    handler.set_progress_callback(None).unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    session.driver().release();
}

#[test]
fn a_release_on_another_thread_waits_for_a_suspended_task() {
    let (begun, has_begun) = mpsc::channel();
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let work = move |item: TaskContext| {
        let (count, begun) = (count.clone(), begun.clone());
        async move {
            begun.send(()).unwrap();
            let mut waking = false;
            poll_fn(|context| {
                if std::mem::replace(&mut waking, true) {
                    return Poll::Ready(());
                }
                // Nothing wakes the task before the release has begun.
                let (item, waker) = (item.clone(), context.waker().clone());
                thread::spawn(move || {
                    while item.share().check().is_ok() {
                        thread::yield_now();
                    }
                    waker.wake();
                });
                Poll::Pending
            })
            .await;
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    };
    let handler = handler(1, work).wait_for_work(true).build();
    let session = at_work(&handler);
    receive("the work", &has_begun);
    handler.set_progress_callback(None).unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    session.driver().release();
    // Nothing is counted wrong afterwards.
    handler.set_progress_callback(Some(session)).unwrap();
    handler.set_progress_callback(None).unwrap();
}

#[test]
fn who_takes_the_callback_away_on_a_task_does_not_wait_for_itself() {
    let own = Arc::new(Mutex::new(None::<Arc<dyn SyncHandler>>));
    let (left, has_left) = mpsc::channel();
    let given = own.clone();
    let work = move |work: TaskContext| {
        let (given, left) = (given.clone(), left.clone());
        async move {
            pause().await; // another poll than the first
            let handler = given.lock().unwrap().take();
            handler.unwrap().set_progress_callback(None).unwrap();
            left.send(work.check().await).unwrap();
            Ok(())
        }
    };
    let handler = handler(1, work).wait_for_work(true).build();
    *own.lock().unwrap() = Some(handler.clone());
    let session = at_work(&handler);
    let answer = receive("the end of the wait", &has_left);
    assert_eq!(answer, Err(Cancelled::Refused(CallbackError::Released)));
    handler.set_progress_callback(Some(session)).unwrap();
    handler.set_progress_callback(None).unwrap(); // waits for nobody
}

/// A handler of items 1 to `n`, and its tasks, which the test polls.
fn tasks<W, F>(n: u128, work: W) -> (Arc<dyn SyncHandler>, mpsc::Receiver<Task>)
where
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (give, given) = mpsc::channel();
    let spawn = move |task| give.send(task).expect("the test waits");
    let workers = usize::try_from(n).expect("it is small");
    let handler = spawned(n, work, spawn).workers(workers);
    (handler.wait_for_work(true).build(), given)
}

fn poll(task: &mut Task) -> Poll<()> {
    task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Gives a thread that does not wait as it should the time to show it.
fn dawdle() {
    for _ in 0..1_000 {
        thread::yield_now();
    }
}

#[test]
fn a_release_waits_for_a_task_that_its_thread_has_polled_before() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    let (handler, tasks) = tasks(1, move |work| {
        let count = count.clone();
        async move {
            while work.check().await.is_ok() {
                pause().await;
            }
            dawdle();
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let session = at_work(&handler);
    let mut task = receive("the task", &tasks);
    assert!(poll(&mut task).is_pending());
    let other = thread::spawn(move || while poll(&mut task).is_pending() {});
    handler.set_progress_callback(None).unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    join("the task", other);
    session.driver().release();
}

#[test]
fn a_release_inside_a_task_waits_for_those_that_run_and_not_for_those_that_are_suspended_or_gone() {
    let befores: [fn(Task) -> Option<Task>; 3] = [
        Some,
        |mut task| {
            assert!(poll(&mut task).is_pending());
            Some(task)
        },
        |task| {
            drop(task);
            None
        },
    ];
    for before in befores {
        let ended = Arc::new(AtomicUsize::new(0));
        let own = Arc::new(Mutex::new(None::<Arc<dyn SyncHandler>>));
        let (runs, running) = mpsc::channel();
        let (count, given) = (ended.clone(), own.clone());
        let (handler, tasks) = tasks(3, move |work| {
            let (count, given, runs) = (count.clone(), given.clone(), runs.clone());
            async move {
                if thread::current().name() == Some("runs") {
                    runs.send(()).unwrap();
                    while work.check().await.is_ok() {
                        thread::yield_now();
                    }
                    dawdle();
                    count.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                let handler = given.lock().unwrap().take();
                let Some(handler) = handler else {
                    pause().await;
                    return Ok(());
                };
                handler.set_progress_callback(None).unwrap();
                assert_eq!(count.load(Ordering::SeqCst), 1, "it has ended");
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        });
        let session = Session::builder().items(items(3)).driven().build();
        let session = begin(&handler, session.unwrap(), 3);
        let kept = before(receive("the first task", &tasks));
        let mut second = receive("the second task", &tasks);
        let runs = thread::Builder::new().name("runs".to_owned());
        let runs = runs.spawn(move || while poll(&mut second).is_pending() {});
        receive("the second task runs", &running);
        *own.lock().unwrap() = Some(handler.clone());
        let mut third = receive("the third task", &tasks);
        let third = thread::spawn(move || while poll(&mut third).is_pending() {});
        join("the third task", third);
        join("the second task", runs.unwrap());
        assert_eq!(ended.load(Ordering::SeqCst), 2);
        drop(kept);
        session.driver().release();
    }
}

/// Passes everything on to a session, and stands in `add_item` until it is let through.
struct Slow {
    inner: Arc<Session>,
    came: Mutex<mpsc::Sender<()>>,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl SyncCallback for Slow {
    fn progress(&self, id: ItemId, update: &ProgressUpdate<'_>) -> Result<Verdict, CallbackError> {
        self.inner.progress(id, update)
    }
    forward_the_rest!(inner);
    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let added = self.inner.add_item(item);
        self.came.lock().unwrap().send(()).unwrap();
        receive("leave to go on", &self.gate.lock().unwrap());
        added
    }
}

#[test]
fn a_round_is_not_over_while_an_item_is_being_added() {
    let (came, comes) = mpsc::channel();
    let (let_through, gate) = mpsc::channel();
    let (adds, added) = mpsc::channel();
    let comes = Arc::new(Mutex::new(comes));
    let work = move |work: TaskContext| {
        let (adds, comes) = (adds.clone(), comes.clone());
        async move {
            if work.item().id == id(1) {
                let adding = work.clone();
                thread::spawn(move || adds.send(adding.add_item(item(9))));
                receive("the host takes the item", &comes.lock().unwrap());
            }
            work.advance(1).await?;
            Ok(())
        }
    };
    let handler = handler(1, work).build();
    let session = Session::builder().items(items(1)).driven().build().unwrap();
    let host = Arc::new(Slow {
        inner: session.clone(),
        came: Mutex::new(came),
        gate: Mutex::new(gate),
    });
    handler.initialize(SyncFlags::default(), None).unwrap();
    handler.items().unwrap();
    handler.set_progress_callback(Some(host)).unwrap();
    session.driver().begin_prepare(&[id(1)]).unwrap();
    Arc::clone(&handler).prepare_for_sync(&[id(1)]).unwrap();
    session.driver().begin_synchronize().unwrap();
    Arc::clone(&handler).synchronize().unwrap();
    until("the end of the first item", || {
        session.item(id(1)).is_some_and(|view| view.is_finished())
    });
    // The worker finds nothing more to do, and waits.
    for _ in 0..100 {
        thread::yield_now();
        assert_eq!(session.phase(), Phase::Synchronizing);
    }
    let_through.send(()).unwrap();
    assert_eq!(receive("the answer", &added), Ok(()));
    until("the end", || session.phase() == Phase::Completed);
    // Nobody was left to do it, or somebody was just in time.
    let late = session.item(id(9)).expect("it was added");
    let expected = match late.status {
        ItemStatus::Succeeded => HResult::S_OK,
        _ => HResult::E_ABORT,
    };
    assert_eq!(session.result(), Some(expected));
    if expected == HResult::E_ABORT {
        assert_eq!(
            (late.status, &*late.text),
            (ItemStatus::Skipped, "not started")
        );
        let log = session.log();
        assert!(log[0].text.ends_with("not started: 1"), "{log:?}");
    }
}
