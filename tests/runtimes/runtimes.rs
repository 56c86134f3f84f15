//! The same async handler under tokio (on one thread and on several) and smol: driven, cancelled, explored, and left alone by a
//! runtime that is shut down.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use futures_lite::{FutureExt, StreamExt};
use syncmgr::per_item::{self, Cancelled, Error, HandlerBuilder, Task, TaskContext};
use syncmgr::testing::{Action, Harness, Recorder, Trace};
use syncmgr::{
    HResult, HandlerId, HandlerReport, ItemId, ItemName, ItemStatus, Observer, Registration,
    RunOptions, Session, SyncCallback, SyncHandler, SyncItem, SyncManager, Verdict, run_handler,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// No test waits longer than this for anything; one that does has failed.
const LIMIT: Duration = Duration::from_secs(20);

const fn id(n: u128) -> ItemId {
    ItemId::from_u128(n)
}

fn items(n: u128) -> Vec<SyncItem> {
    let name = |n: u128| ItemName::truncate_start(&format!("item {n}"));
    (1..=n).map(|n| SyncItem::new(id(n), name(n))).collect()
}

fn receive<T>(what: &str, channel: &mpsc::Receiver<T>) -> T {
    channel
        .recv_timeout(LIMIT)
        .unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A runtime, and how a task is given to it.
struct Place {
    name: &'static str,
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
    /// Keeps it running: dropped first.
    _stop: Option<tokio::sync::oneshot::Sender<()>>,
    runtime: Option<Runtime>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self._stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn tokio_of_many(workers: usize) -> Place {
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("threads are to be had");
    let handle = runtime.handle().clone();
    Place {
        name: "tokio, several threads",
        spawn: Arc::new(move |task| drop(handle.spawn(task))),
        _stop: None,
        runtime: Some(runtime),
        thread: None,
    }
}

fn tokio_of_one() -> Place {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it needs nothing");
    let handle = runtime.handle().clone();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = thread::spawn(move || _ = runtime.block_on(stopped));
    Place {
        name: "tokio, one thread",
        spawn: Arc::new(move |task| drop(handle.spawn(task))),
        _stop: Some(stop),
        runtime: None,
        thread: Some(thread),
    }
}

fn smol_place() -> Place {
    Place {
        name: "smol",
        spawn: Arc::new(|task| smol::spawn(task).detach()),
        _stop: None,
        runtime: None,
        thread: None,
    }
}

fn places() -> [Place; 3] {
    [tokio_of_many(2), tokio_of_one(), smol_place()]
}

/// Needs no runtime: a pause, as any `await` may be one.
async fn pause() {
    futures_lite::future::yield_now().await;
}

async fn steps(work: TaskContext) -> Result<(), Error> {
    work.max(3).await?;
    for _ in 0..3 {
        work.until_cancelled(pause()).await?;
        work.advance(1).await?;
    }
    Ok(())
}

fn handler<W, F>(n: u128, place: &Place, workers: usize, work: W) -> Arc<dyn SyncHandler>
where
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let spawn = Arc::clone(&place.spawn);
    let source = per_item::from_async_items(items(n), work);
    HandlerBuilder::new_async("test".parse().expect("short"), source, move |task| {
        spawn(task)
    })
    .workers(workers)
    .build()
}

fn completions(trace: &Trace) -> Vec<HResult> {
    let calls = trace.calls().iter();
    let results = calls.filter_map(|call| match &call.action {
        Action::SynchronizeCompleted { result } => Some(*result),
        _ => None,
    });
    results.collect()
}

/// Runs a handler on a thread of its own; answers its session and the thread.
fn start(
    handler: Arc<dyn SyncHandler>,
) -> (Arc<Session>, thread::JoinHandle<HandlerReport>, Recorder) {
    let recorder = Recorder::new();
    let handler = recorder.handler(handler);
    let (sent, session) = mpsc::channel();
    let options = RunOptions::new()
        .deadline(LIMIT)
        .on_session(move |session| sent.send(session).expect("the test waits"));
    let run = thread::spawn(move || run_handler(handler, options));
    (receive("the session", &session), run, recorder)
}

fn status(session: &Session, n: u128) -> ItemStatus {
    session.item(id(n)).expect("it is listed").status
}

#[test]
fn one_handler_runs_under_every_runtime() {
    for place in places() {
        for workers in [1, 4] {
            let (session, run, recorder) = start(handler(20, &place, workers, steps));
            let report = run.join().expect("the driver does not panic");
            assert!(report.is_success(), "{}: {report:?}", place.name);
            for n in 1..=20 {
                assert_eq!(status(&session, n), ItemStatus::Succeeded, "{}", place.name);
            }
            recorder.trace().assert_conformant();
        }
    }
}

#[test]
fn it_is_conformant_at_every_point_under_every_runtime() {
    for place in places() {
        for workers in [1, 4] {
            let make = || (Harness::new(handler(4, &place, workers, steps)), ());
            let explored = Harness::explore(make, |trace, ()| {
                if !trace.was_released() {
                    assert_eq!(completions(trace).len(), 1);
                    for n in 1..=4 {
                        let last = trace.status(id(n));
                        assert!(last.is_some_and(ItemStatus::is_final), "item {n}");
                    }
                }
            });
            assert!(explored.failures().is_empty(), "{}: {explored}", place.name);
            explored.assert_conformant();
        }
    }
}

#[test]
fn a_cancel_is_raced_by_the_select_of_tokio() {
    for place in [tokio_of_many(2), tokio_of_one()] {
        let (waits, waiting) = mpsc::channel();
        let work = move |work: TaskContext| {
            let waits = waits.clone();
            async move {
                work.advance(1).await?;
                waits.send(()).expect("the test waits");
                tokio::select! {
                    interrupted = work.cancelled() => Err(Error::from(interrupted)),
                    () = tokio::time::sleep(LIMIT) => Err("nobody cancelled it".into()),
                }
            }
        };
        let (session, run, recorder) = start(handler(2, &place, 2, work));
        for _ in 0..2 {
            receive("the work", &waiting);
        }
        session.cancel_item(id(1)).expect("it takes part");
        session.cancel_all();
        let report = run.join().expect("the driver does not panic");
        assert_eq!(report.result, HResult::S_OK, "{}", place.name);
        assert_eq!(status(&session, 1), ItemStatus::Stopped, "{}", place.name);
        assert_eq!(status(&session, 2), ItemStatus::Stopped, "{}", place.name);
        recorder.trace().assert_conformant();
    }
}

#[test]
fn a_cancel_is_raced_by_the_or_of_smol() {
    let place = smol_place();
    let (waits, waiting) = mpsc::channel();
    let work = move |work: TaskContext| {
        let waits = waits.clone();
        async move {
            work.advance(1).await?;
            waits.send(()).expect("the test waits");
            let cancelled = async { Err(Error::from(work.cancelled().await)) };
            let slow = async {
                smol::Timer::after(LIMIT).await;
                Ok(())
            };
            cancelled.or(slow).await
        }
    };
    let (session, run, recorder) = start(handler(1, &place, 1, work));
    receive("the work", &waiting);
    session.cancel_item(id(1)).expect("it takes part");
    let report = run.join().expect("the driver does not panic");
    assert_eq!(report.result, HResult::S_OK);
    assert_eq!(status(&session, 1), ItemStatus::Stopped);
    recorder.trace().assert_conformant();
}

#[test]
fn a_token_is_tied_to_an_item_in_one_line() {
    let session = Session::builder()
        .items(items(2))
        .build()
        .expect("distinct");
    let item = session.reporter(id(1)).expect("it is listed");
    let token = CancellationToken::new();
    let child = token.child_token();
    let _tied = item.on_cancel({
        let token = token.clone();
        move || token.cancel()
    });
    assert!(!child.is_cancelled());
    session.cancel_item(id(2)).expect("it takes part");
    assert!(!child.is_cancelled());
    session.cancel_item(id(1)).expect("it takes part");
    assert!(token.is_cancelled() && child.is_cancelled());
}

#[test]
fn a_token_ends_what_knows_nothing_of_this_crate() {
    let place = tokio_of_many(2);
    let (waits, waiting) = mpsc::channel();
    let work = move |work: TaskContext| {
        let waits = waits.clone();
        async move {
            let token = CancellationToken::new();
            let guard = work.on_cancel({
                let token = token.clone();
                move || token.cancel()
            })?;
            work.advance(1).await?;
            waits.send(()).expect("the test waits");
            token.cancelled().await;
            drop(guard);
            Err("the transfer was broken off".into())
        }
    };
    let (session, run, recorder) = start(handler(1, &place, 1, work));
    receive("the work", &waiting);
    session.cancel_item(id(1)).expect("it takes part");
    let report = run.join().expect("the driver does not panic");
    assert_eq!(report.result, HResult::S_OK);
    assert_eq!(status(&session, 1), ItemStatus::Stopped);
    recorder.trace().assert_conformant();
}

#[test]
fn a_cancel_ends_a_read_of_a_socket() {
    use tokio::io::AsyncReadExt;
    for place in [tokio_of_many(2), tokio_of_one()] {
        let (waits, waiting) = mpsc::channel();
        let work = move |work: TaskContext| {
            let waits = waits.clone();
            async move {
                // Nobody writes at the other end.
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let (here, there) = tokio::join!(
                    TcpStream::connect(listener.local_addr()?),
                    listener.accept()
                );
                let (mut here, _there) = (here?, there?);
                work.advance(1).await?;
                waits.send(()).expect("the test waits");
                let mut bytes = [0; 8];
                work.until_cancelled(here.read(&mut bytes)).await??;
                Ok(())
            }
        };
        let (session, run, recorder) = start(handler(1, &place, 1, work));
        receive("the work", &waiting);
        session.cancel_all();
        let report = run.join().expect("the driver does not panic");
        assert_eq!(report.result, HResult::S_OK, "{}", place.name);
        assert_eq!(status(&session, 1), ItemStatus::Stopped, "{}", place.name);
        recorder.trace().assert_conformant();
    }
}

/// A manager of these many handlers, each of some items, all of them in the runtime of this place.
fn manager(place: &Place, handlers: u128) -> SyncManager {
    let manager = SyncManager::builder().concurrency(2).build();
    for n in 1..=handlers {
        let spawn = Arc::clone(&place.spawn);
        let make = move || {
            let spawn = Arc::clone(&spawn);
            let source = per_item::from_async_items(items(5), steps);
            let name = "test".parse().expect("short");
            HandlerBuilder::new_async(name, source, move |task| spawn(task))
                .workers(2)
                .build()
        };
        let registered = manager.register(HandlerId::from_u128(n), Registration::new(), make);
        registered.expect("the ids are distinct");
    }
    manager
}

#[test]
fn a_run_is_awaited_and_followed_in_tokio_while_the_manager_drives() {
    let handlers = tokio_of_many(2);
    let manager = manager(&handlers, 6);
    for runtime in [
        Builder::new_current_thread().enable_all().build(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
    ] {
        let runtime = runtime.expect("threads are to be had");
        let run = manager.update_all();
        let (report, last, sessions) = runtime.block_on(async {
            let follower = tokio::spawn({
                let mut stream = run.observe();
                async move {
                    let mut last = None;
                    let mut sessions = 0;
                    while let Some(changes) = stream.next().await {
                        sessions += changes.sessions.len();
                        last = Some(changes);
                    }
                    (last, sessions)
                }
            });
            let report = tokio::time::timeout(LIMIT, run.finished());
            let report = report.await.expect("it ends");
            let (last, sessions) = follower.await.expect("it does not panic");
            (report, last, sessions)
        });
        assert!(report.is_success(), "{report:?}");
        assert_eq!(report.items().count(), 30);
        assert!(last.expect("there is a first look").is_over());
        assert!(sessions >= 6);
    }
}

#[test]
fn an_observer_is_a_stream_of_looks() {
    let session = Session::builder()
        .items(items(3))
        .build()
        .expect("distinct");
    let observer = Observer::new(session.clone());
    let (looked, looks) = mpsc::channel();
    let follower = thread::spawn(move || {
        smol::block_on(
            observer
                .inspect(|_| _ = looked.send(()))
                .collect::<Vec<_>>(),
        )
    });
    receive("the first look", &looks);
    for n in 1..=3 {
        session
            .reporter(id(n))
            .expect("it is listed")
            .succeed()
            .expect("it is open");
        receive("the next look", &looks);
    }
    session
        .synchronize_completed(HResult::S_OK)
        .expect("it is open");
    let all = follower.join().expect("it does not panic");
    assert_eq!(all.len(), 5);
    assert!(all[4].is_over());
    let ended: Vec<ItemId> = all[1..4]
        .iter()
        .flat_map(|changes| changes.items())
        .map(|view| view.id)
        .collect();
    assert_eq!(ended, [id(1), id(2), id(3)]);
}

#[test]
fn a_runtime_that_is_shut_down_in_the_middle_of_a_round_ends_it() {
    for workers in [1, 3] {
        let mut place = tokio_of_many(2);
        let (waits, waiting) = mpsc::channel();
        let work = move |work: TaskContext| {
            let waits = waits.clone();
            async move {
                work.advance(1).await?;
                waits.send(()).expect("the test waits");
                pending::<()>().await;
                Ok(())
            }
        };
        let (session, run, recorder) = start(handler(5, &place, workers, work));
        for _ in 0..workers {
            receive("the work", &waiting);
        }
        drop(place.runtime.take());
        let report = run.join().expect("the driver does not panic");
        assert_eq!(report.result, HResult::E_ABORT, "{report:?}");
        let all: Vec<ItemStatus> = (1..=5).map(|n| status(&session, n)).collect();
        let failed = all
            .iter()
            .filter(|status| **status == ItemStatus::Failed)
            .count();
        let skipped = all
            .iter()
            .filter(|status| **status == ItemStatus::Skipped)
            .count();
        assert_eq!((failed, skipped), (workers, 5 - workers), "{all:?}");
        assert_eq!(completions(&recorder.trace()), [HResult::E_ABORT]);
        recorder.trace().assert_conformant();
    }
}

#[test]
fn a_runtime_that_is_gone_before_the_round_begins_ends_it_too() {
    let mut place = tokio_of_many(1);
    drop(place.runtime.take());
    let (session, run, recorder) = start(handler(3, &place, 2, steps));
    let report = run.join().expect("the driver does not panic");
    assert_eq!(report.result, HResult::E_ABORT, "{report:?}");
    assert!((1..=3).all(|n| status(&session, n) == ItemStatus::Skipped));
    recorder.trace().assert_conformant();
}

#[test]
fn thousands_of_items_wait_at_once_on_two_threads_and_one_cancel_ends_them() {
    const MANY: u128 = 2_000;
    let place = tokio_of_many(2);
    let waiting = Arc::new(AtomicUsize::new(0));
    let (all_wait, everybody) = mpsc::channel();
    let all_wait = Mutex::new(all_wait);
    let work = move |work: TaskContext| {
        if waiting.fetch_add(1, Ordering::SeqCst) + 1 == MANY as usize {
            all_wait
                .lock()
                .expect("nobody panicked")
                .send(())
                .expect("the test waits");
        }
        async move {
            work.until_cancelled(pending::<()>()).await?;
            Ok(())
        }
    };
    let (session, run, _recorder) = start(handler(MANY, &place, MANY as usize, work));
    receive("the work", &everybody);
    session.cancel_all();
    let report = run.join().expect("the driver does not panic");
    assert_eq!(report.result, HResult::S_OK);
    assert!(report.unfinished.is_empty());
    assert!((1..=MANY).all(|n| status(&session, n) == ItemStatus::Stopped));
}

#[test]
fn a_wait_that_moves_from_task_to_task_is_woken_where_it_is() {
    // A future that is polled by one task, then by another: only the last waker counts.
    let session = Session::builder()
        .items(items(1))
        .build()
        .expect("distinct");
    let item: &'static syncmgr::ItemReporter =
        Box::leak(Box::new(session.reporter(id(1)).expect("it is listed")));
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("threads");
    let answer = runtime.block_on(async {
        let mut future: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(item.cancelled());
        for _ in 0..3 {
            let poll_once = async move {
                let first = poll_fn(|context| {
                    std::task::Poll::Ready(future.as_mut().poll(context).is_ready())
                });
                assert!(!first.await);
                Some(future) // bare, it looks like a forgotten `await`
            };
            let polled = tokio::spawn(poll_once).await.expect("it does not panic");
            future = polled.expect("it is handed back");
        }
        let last = tokio::spawn(future);
        tokio::task::yield_now().await;
        session.cancel_item(id(1)).expect("it takes part");
        tokio::spawn(async { last.await.expect("it does not panic") }).await
    });
    assert_eq!(answer.expect("it does not panic"), Ok(Verdict::CancelItem));
    let interrupted = Cancelled::Item; // what a `ItemContext` makes of it
    assert_eq!(
        Cancelled::find(&std::io::Error::from(interrupted)),
        Some(interrupted)
    );
}
