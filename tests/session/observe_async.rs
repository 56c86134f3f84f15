//! Who follows a session or a run as a task: woken by everything that is journalled, at once where there is something already,
//! and not for nothing.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use support::{
    Stage, Wakes, driven, id, ids, item, items, open, start_round, status, value, within,
};
use syncmgr::{
    CallbackError, Changes, Cursor, ErrorId, HResult, ItemStatus, LogLevel, LogRecord, LogSelector,
    Observer, Phase, ProgressUpdate, Session, SyncCallback, Verdict,
};

fn poll<S: Stream + Unpin>(stream: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

/// What the stream has now.
#[track_caller]
fn ready<S: Stream + Unpin>(stream: &mut S, waker: &Waker) -> S::Item {
    match poll(stream, waker) {
        Poll::Ready(Some(item)) => item,
        Poll::Ready(None) => panic!("the stream has ended"),
        Poll::Pending => panic!("the stream has nothing"),
    }
}

#[track_caller]
fn is_pending<S: Stream + Unpin>(stream: &mut S, waker: &Waker, why: &str) {
    assert!(poll(stream, waker).is_pending(), "{why}: it has something");
}

#[track_caller]
fn has_ended<S: Stream + Unpin>(stream: &mut S, waker: &Waker, why: &str) {
    for _ in 0..2 {
        assert!(matches!(poll(stream, waker), Poll::Ready(None)), "{why}");
    }
}

const ERROR: ErrorId = ErrorId::from_u128(7);

fn log_one(session: &Session) {
    let record = LogRecord::new(LogLevel::Error, "no space").error_id(ERROR);
    assert_eq!(session.log_error(&record), Ok(()));
}

/// What happens in a session, and what it is to start from: the session's stage, and what is done before anybody looks.
struct Event {
    name: &'static str,
    stage: Stage,
    before: fn(&Arc<Session>),
    happens: fn(&Arc<Session>),
}

fn event(name: &'static str, stage: Stage, happens: fn(&Arc<Session>)) -> Event {
    Event {
        name,
        stage,
        before: |_| {},
        happens,
    }
}

fn after(
    name: &'static str,
    stage: Stage,
    before: fn(&Arc<Session>),
    happens: fn(&Arc<Session>),
) -> Event {
    Event {
        name,
        stage,
        before,
        happens,
    }
}

fn report(session: &Session, n: u128, update: &ProgressUpdate<'_>) {
    let answer = session.progress(id(n), update);
    assert!(answer.is_ok(), "{answer:?}");
}

fn works(session: &Arc<Session>) {
    report(session, 1, &value(1));
}

/// Everything that is journalled.
fn events() -> Vec<Event> {
    use Stage::{Completed, Idle, Open, Prepared, Preparing, Released, Synchronizing};
    let mut all = vec![
        event("the first value", Open, |session| {
            report(session, 1, &value(1))
        }),
        event("the first value of a reporter", Open, |session| {
            assert!(session.reporter(id(1)).unwrap().set(1).is_ok());
        }),
        event("the first step of a reporter", Open, |session| {
            assert!(session.reporter(id(1)).unwrap().advance(1).is_ok());
        }),
        event("the maximum of an item that waits", Open, |session| {
            report(session, 1, &ProgressUpdate::new().max(9));
        }),
        event("a status", Open, |session| {
            report(session, 1, &status(ItemStatus::Paused));
        }),
        after("another status", Open, works, |session| {
            report(session, 1, &status(ItemStatus::Paused));
        }),
        after(
            "a failure after the end",
            Open,
            |session| report(session, 1, &status(ItemStatus::Succeeded)),
            |session| report(session, 1, &status(ItemStatus::Failed).text("late")),
        ),
        event("the end by a reporter", Open, |session| {
            assert_eq!(session.reporter(id(1)).unwrap().succeed(), Ok(()));
        }),
        event("the failure by a reporter", Open, |session| {
            let error = std::io::Error::other("broken");
            let failed = session.reporter(id(1)).unwrap().fail(&error);
            // It logs first; who is woken by that may release the session.
            assert!(matches!(failed, Ok(()) | Err(CallbackError::Released)));
        }),
        event("the panic of a worker", Open, |session| {
            let reporter = session.reporter(id(1)).unwrap();
            let worker = std::thread::spawn(move || {
                let _reporter = reporter;
                panic!("on purpose");
            });
            assert!(worker.join().is_err());
        }),
        event("a cancel of an item", Open, |session| {
            assert_eq!(session.cancel_item(id(1)), Ok(()));
        }),
        after("a cancel of an item in work", Open, works, |session| {
            assert_eq!(session.cancel_item(id(1)), Ok(()));
        }),
        event("a skip", Open, |session| {
            assert_eq!(session.skip_item(id(1)), Ok(()));
        }),
        event("a skip in the round", Synchronizing, |session| {
            assert_eq!(session.skip_item(id(1)), Ok(()));
        }),
        event("a cancel of everything", Open, |session| {
            session.cancel_all()
        }),
        event("a cancel of everything that is idle", Idle, |session| {
            session.cancel_all();
        }),
        event("an added item", Open, |session| {
            assert_eq!(session.add_item(item(9)), Ok(()));
        }),
        after(
            "a committed item",
            Open,
            |session| assert_eq!(session.propose_item(item(9)), Ok(())),
            |session| assert_eq!(session.commit_item(id(9)), Ok(())),
        ),
        event("a log entry", Open, |session| log_one(session)),
        event("a log entry with details", Open, |session| {
            let record = LogRecord::new(LogLevel::Warning, "slow").name("the server");
            assert_eq!(session.log_error(&record), Ok(()));
        }),
        after(
            "a deleted entry",
            Open,
            |session| log_one(session),
            |session| {
                assert_eq!(session.delete_log_error(LogSelector::ById(ERROR)), Ok(()));
            },
        ),
        after(
            "all entries deleted",
            Open,
            |session| log_one(session),
            |session| {
                assert_eq!(session.delete_log_error(LogSelector::All), Ok(()));
            },
        ),
        event("the handler's text", Open, |session| {
            assert!(session.set_handler_text("at work").is_ok());
        }),
        event("the end of an open session", Open, |session| {
            assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
        }),
        event("the release of an open session", Open, |session| {
            session.driver().release()
        }),
        event("a prepare", Idle, |session| {
            assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
        }),
        event("the end of a prepare", Preparing, |session| {
            let done = session.prepare_for_sync_completed(HResult::S_OK);
            assert_eq!(done, Ok(()));
        }),
        event("the failure of a prepare", Preparing, |session| {
            let done = session.prepare_for_sync_completed(HResult::E_FAIL);
            assert_eq!(done, Ok(()));
        }),
        event("the begin of the work", Prepared, |session| {
            assert_eq!(session.driver().begin_synchronize(), Ok(()));
        }),
        event("the end of the work", Synchronizing, |session| {
            assert_eq!(session.synchronize_completed(HResult::E_FAIL), Ok(()));
        }),
        event("a retry", Completed, |session| {
            assert_eq!(session.driver().begin_prepare(&ids(1)), Ok(()));
        }),
    ];
    for last in [
        ItemStatus::Succeeded,
        ItemStatus::Failed,
        ItemStatus::Skipped,
        ItemStatus::Stopped,
        ItemStatus::Deleted,
    ] {
        // Not captured: each needs a name and a function of its own.
        let (name, happens): (&'static str, fn(&Arc<Session>)) = match last {
            ItemStatus::Succeeded => ("succeeded", |s| {
                report(s, 1, &status(ItemStatus::Succeeded))
            }),
            ItemStatus::Failed => ("failed", |s| report(s, 1, &status(ItemStatus::Failed))),
            ItemStatus::Skipped => ("skipped", |s| report(s, 1, &status(ItemStatus::Skipped))),
            ItemStatus::Stopped => ("stopped", |s| report(s, 1, &status(ItemStatus::Stopped))),
            _ => ("deleted", |s| report(s, 1, &status(ItemStatus::Deleted))),
        };
        all.push(event(name, Open, happens));
        all.push(after(name, Synchronizing, works, happens));
    }
    for stage in [Idle, Preparing, Prepared, Synchronizing, Completed] {
        all.push(event("the release", stage, |session| {
            session.driver().release()
        }));
    }
    assert!(all.iter().all(|event| event.stage != Released));
    all
}

fn is_over(session: &Session) -> bool {
    match session.phase() {
        Phase::Released => true,
        // Open ones only are over then; a driven one may be retried.
        Phase::Completed => session.driver().begin_prepare(&[]) == Err(CallbackError::WrongPhase),
        _ => false,
    }
}

#[test]
fn everything_that_is_journalled_wakes_the_stream() {
    for event in events() {
        let name = event.name;
        let session = event.stage.session(2);
        (event.before)(&session);
        let wakes = Wakes::new();
        let mut stream = Observer::new(session.clone());
        let first: Changes = ready(&mut stream, &wakes.waker());
        assert_eq!(
            first.items().len(),
            2,
            "{name}: the first look tells every item"
        );
        is_pending(&mut stream, &wakes.waker(), name);
        assert_eq!(wakes.count(), 0, "{name}");
        (event.happens)(&session);
        assert!(wakes.count() > 0, "{name}: not woken");
        let changes = ready(&mut stream, &wakes.waker());
        assert!(changes.cursor() > first.cursor(), "{name}");
        assert_eq!(changes.is_over(), is_over(&session), "{name}");
        if changes.is_over() {
            has_ended(&mut stream, &wakes.waker(), name);
            continue;
        }
        let before = wakes.count();
        is_pending(&mut stream, &wakes.waker(), name);
        session.driver().release();
        assert!(wakes.count() > before, "{name}: not woken by the release");
        assert!(ready(&mut stream, &wakes.waker()).is_over(), "{name}");
        has_ended(&mut stream, &wakes.waker(), name);
    }
}

#[test]
fn what_is_not_journalled_wakes_nobody() {
    type Quiet = (&'static str, fn(&Session));
    let quiet: [Quiet; 15] = [
        ("a question about an item that is cancelled", |session| {
            let answer = session.progress(id(2), &ProgressUpdate::CHECK);
            assert_eq!(answer, Ok(Verdict::CancelItem));
        }),
        ("a value", |session| report(session, 1, &value(2))),
        ("a text", |session| {
            report(session, 1, &support::text("at it"))
        }),
        ("a maximum", |session| {
            report(session, 1, &ProgressUpdate::new().max(9))
        }),
        ("a question", |session| {
            report(session, 1, &ProgressUpdate::CHECK)
        }),
        ("a question about everything", |session| {
            assert!(session.can_continue(None).is_ok());
        }),
        ("a waker", |session| {
            assert!(session.wake_on_cancel(Some(id(1)), Waker::noop()).is_ok());
        }),
        ("a proposal", |session| {
            assert!(session.propose_item(item(9)).is_ok())
        }),
        ("a request", |session| {
            assert!(session.request_items(&[id(1)]).is_ok())
        }),
        ("a dialog", |session| {
            let _ = session.enable_modeless(true);
            let _ = session.enable_modeless(false);
        }),
        ("an unknown item", |session| {
            assert!(session.progress(id(99), &value(1)).is_err());
            assert!(session.cancel_item(id(99)).is_err());
        }),
        ("an unknown entry", |session| {
            assert!(session.delete_log_error(LogSelector::ById(ERROR)).is_err());
        }),
        ("an empty log emptied", |session| {
            assert!(session.delete_log_error(LogSelector::All).is_ok());
        }),
        ("a completion in the wrong phase", |session| {
            assert!(session.prepare_for_sync_completed(HResult::S_OK).is_err());
        }),
        ("what a driver asks", |session| {
            let _ = session.driver().take_activity();
            let _ = session.driver().next_event(std::time::Duration::ZERO);
            let _ = session.snapshot();
        }),
    ];
    for (name, happens) in quiet {
        let session = Stage::Synchronizing.session(2);
        works(&session);
        assert_eq!(session.cancel_item(id(2)), Ok(()));
        let wakes = Wakes::new();
        let mut stream = Observer::new(session.clone());
        let _ = ready(&mut stream, &wakes.waker());
        is_pending(&mut stream, &wakes.waker(), name);
        happens(&session);
        assert_eq!(wakes.count(), 0, "{name}");
        is_pending(&mut stream, &wakes.waker(), name);
    }
}

#[test]
fn a_log_that_is_full_wakes_nobody() {
    let session = Session::builder().items(items(1)).log_capacity(0).build();
    let session = session.expect("distinct");
    let wakes = Wakes::new();
    let mut stream = Observer::new(session.clone());
    let _ = ready(&mut stream, &wakes.waker());
    is_pending(&mut stream, &wakes.waker(), "nothing yet");
    let record = LogRecord::new(LogLevel::Error, "no space");
    assert!(session.log_error(&record).is_err());
    assert_eq!(wakes.count(), 0);
}

/// Wakes a waker within its own call, looks, registers again, and calls everything else of the session.
struct Caller {
    session: Weak<Session>,
    stream: Mutex<Option<Observer>>,
    woken: AtomicUsize,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        if self.woken.fetch_add(1, Ordering::SeqCst) > 20 {
            return; // what it does here wakes it again
        }
        let Some(session) = self.session.upgrade() else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        // Taken out: what is done below wakes this waker from inside itself.
        let stream = self.stream.lock().expect("nobody panicked").take();
        if let Some(mut stream) = stream {
            while let Poll::Ready(Some(_)) = poll(&mut stream, &waker) {}
            *self.stream.lock().expect("nobody panicked") = Some(stream);
        }
        let _ = session.progress(id(2), &value(5).max(9).text("inside"));
        let _ = session.progress(id(2), &status(ItemStatus::Failed));
        let _ = session.cancel_item(id(1));
        let _ = session.skip_item(id(2));
        log_one_or_not(&session);
        let _ = session.delete_log_error(LogSelector::All);
        let _ = session.set_handler_text("inside");
        let _ = session.add_item(item(50));
        let _ = session.propose_item(item(51));
        let _ = session.commit_item(id(51));
        let _ = session.enable_modeless(true);
        let _ = session.wake_on_cancel(None, &waker);
        let _ = session.wake_on_cancel(Some(id(1)), &waker);
        let _ = session.wake_on_change(session.snapshot().cursor, &waker);
        let _ = session.changes(Cursor::default());
        let _ = session.prepare_for_sync_completed(HResult::S_OK);
        let _ = session.driver().begin_synchronize();
        let _ = session.driver().take_activity();
        session.cancel_all();
        let _ = session.synchronize_completed(HResult::S_OK);
        let _ = session.driver().begin_prepare(&ids(2));
        session.driver().release();
    }
}

fn log_one_or_not(session: &Session) {
    let _ = session.log_error(&LogRecord::new(LogLevel::Error, "inside"));
}

#[test]
fn a_waker_may_call_everything_on_every_path() {
    for event in events() {
        within(event.name, move || {
            let session = event.stage.session(2);
            (event.before)(&session);
            let mut stream = Observer::new(session.clone());
            let _ = ready(&mut stream, Waker::noop());
            let caller = Arc::new(Caller {
                session: Arc::downgrade(&session),
                stream: Mutex::new(None),
                woken: AtomicUsize::new(0),
            });
            is_pending(&mut stream, &Waker::from(Arc::clone(&caller)), event.name);
            *caller.stream.lock().unwrap() = Some(stream);
            (event.happens)(&session);
            assert!(caller.woken.load(Ordering::SeqCst) > 0, "{}", event.name);
            assert_eq!(session.phase(), Phase::Released, "{}", event.name);
        });
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let session = open(1);
    let cursor = session.snapshot().cursor;
    let wakes = Wakes::new();
    assert!(session.wake_on_change(cursor, &Waker::from(Arc::new(Panics))));
    assert!(session.wake_on_change(cursor, &wakes.waker()));
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(wakes.count(), 1);
}

#[test]
fn where_there_is_something_already_nothing_is_kept() {
    let session = open(1);
    let wakes = Wakes::new();
    let cursor = session.snapshot().cursor;
    report(&session, 1, &value(1));
    assert!(!session.wake_on_change(cursor, &wakes.waker()));
    let observer = Observer::new(session.clone());
    assert!(
        !observer.wake_on_change(&wakes.waker()),
        "before the first look"
    );
    session.driver().release();
    let cursor = session.snapshot().cursor;
    assert!(
        !session.wake_on_change(cursor, &wakes.waker()),
        "it is over"
    );
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (0, 1));
}

#[test]
fn a_waker_is_woken_once_and_kept_once() {
    let session = open(3);
    let wakes = Wakes::new();
    let waker = wakes.waker();
    let cursor = session.snapshot().cursor;
    for _ in 0..100 {
        assert!(session.wake_on_change(cursor, &waker));
    }
    assert_eq!(
        Arc::strong_count(&wakes),
        3,
        "the test's two and one that is kept"
    );
    report(&session, 1, &value(1));
    report(&session, 2, &value(1));
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (1, 2));
}

#[test]
fn a_journal_that_is_too_short_wakes_as_well() {
    let session = Session::builder()
        .items(items(5))
        .journal_capacity(1)
        .build();
    let session = session.expect("distinct");
    let wakes = Wakes::new();
    let mut stream = Observer::new(session.clone());
    let _ = ready(&mut stream, &wakes.waker());
    is_pending(&mut stream, &wakes.waker(), "nothing yet");
    for n in 1..=5 {
        report(&session, n, &status(ItemStatus::Succeeded));
    }
    assert_eq!(wakes.count(), 1);
    let changes = ready(&mut stream, &wakes.waker());
    assert_eq!(changes.items().len(), 5);
    is_pending(&mut stream, &wakes.waker(), "everything is told");
}

#[test]
fn two_observers_take_nothing_from_each_other_in_one_task_and_in_two() {
    for one_task in [true, false] {
        let session = open(2);
        let wakes = [Wakes::new(), Wakes::new()];
        let wakers = match one_task {
            true => [wakes[0].waker(), wakes[0].waker()],
            false => [wakes[0].waker(), wakes[1].waker()],
        };
        let mut streams = [(); 2].map(|()| Observer::new(session.clone()));
        for (stream, waker) in streams.iter_mut().zip(&wakers) {
            let _ = ready(stream, waker);
            is_pending(stream, waker, "nothing yet");
        }
        report(&session, 1, &status(ItemStatus::Succeeded));
        let counts = wakes.each_ref().map(|wakes| wakes.count());
        assert_eq!(counts, if one_task { [1, 0] } else { [1, 1] });
        for (stream, waker) in streams.iter_mut().zip(&wakers) {
            assert_eq!(ready(stream, waker).items().len(), 1);
            is_pending(stream, waker, "everything is told");
        }
    }
}

#[test]
fn a_retry_goes_on_in_the_same_stream() {
    let session = driven(1);
    let wakes = Wakes::new();
    let mut stream = Observer::new(session.clone());
    for _ in 0..3 {
        start_round(&session, &ids(1));
        report(&session, 1, &status(ItemStatus::Failed));
        assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
        assert!(!ready(&mut stream, &wakes.waker()).is_over());
        is_pending(&mut stream, &wakes.waker(), "a retry may come");
    }
    session.driver().release();
    assert!(ready(&mut stream, &wakes.waker()).is_over());
    has_ended(&mut stream, &wakes.waker(), "released");
}

mod runs {
    use std::future::poll_fn;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, Thread};
    use std::time::Duration;

    use super::*;
    use support::gate::{Gate, finish, gated, named};
    use support::hooked::Hooked;
    use support::join;
    use support::manager::{Records, handler_id, script};
    use syncmgr::testing::mock::Script;
    use syncmgr::{Registration, Run, RunChanges, RunObserver, SyncManager};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Runs a future on this thread; answers how often it was polled, too. The thread is woken by its wakers only.
    fn block_on<F: Future>(future: F) -> (F::Output, usize) {
        let mut future = std::pin::pin!(future);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        for polls in 1.. {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return (output, polls);
            }
            // A wake that is lost is a test that ends here.
            let slept = std::time::Instant::now();
            thread::park_timeout(support::LIMIT);
            assert!(slept.elapsed() < support::LIMIT, "nobody woke the task");
        }
        unreachable!("polled for ever")
    }

    /// Everything that a stream of a run yields, which ends with the run.
    fn follow(run: &Run) -> (Vec<RunChanges>, usize) {
        let mut observer = run.observe();
        block_on(async {
            let mut all = Vec::new();
            while let Some(changes) =
                poll_fn(|context| Pin::new(&mut observer).poll_next(context)).await
            {
                all.push(changes);
            }
            all
        })
    }

    /// The looks tell each handler's end once, and the last of them says that the run is over, and no other does.
    #[track_caller]
    fn is_whole(all: &[RunChanges], handlers: usize) {
        let (last, others) = all.split_last().expect("there is a first look");
        assert!(last.is_over());
        assert!(!others.iter().any(RunChanges::is_over));
        let mut ended: Vec<_> = all
            .iter()
            .flat_map(|changes| changes.ended.clone())
            .collect();
        assert_eq!(ended.len(), handlers);
        ended.sort();
        ended.dedup();
        assert_eq!(ended.len(), handlers);
    }

    #[test]
    fn a_stream_follows_a_run_of_several_handlers_to_its_end() {
        for concurrency in [1, 3] {
            let records = Records::default();
            let manager = SyncManager::builder().concurrency(concurrency).build();
            for n in 1..=6 {
                records.register(&manager, n, script(n));
            }
            let run = manager.update_all();
            let followers: Vec<_> = (0..3)
                .map(|_| {
                    let run = run.clone();
                    thread::spawn(move || {
                        let (all, polls) = follow(&run);
                        let (report, _) = block_on(run.finished());
                        assert!(report.is_success(), "{report:?}");
                        (all, polls)
                    })
                })
                .collect();
            for follower in followers {
                let (all, _) = join("a follower", follower);
                is_whole(&all, 6);
            }
        }
    }

    #[test]
    fn a_run_of_nobody_is_told_once() {
        let run = SyncManager::new().update_all();
        let (all, polls) = follow(&run);
        assert_eq!((all.len(), polls), (1, 1));
        assert!(all[0].is_over());
        let (report, polls) = block_on(run.finished());
        assert_eq!((report.handlers.len(), polls), (0, 1));
    }

    #[test]
    fn a_run_that_is_over_is_told_in_one_look() {
        let records = Records::default();
        let manager = SyncManager::new();
        records.register(&manager, 1, script(1));
        let run = manager.update_all();
        let _ = finish(&run);
        let (all, polls) = follow(&run);
        assert_eq!((all.len(), polls), (1, 1));
        assert_eq!(block_on(run.finished()).1, 1);
    }

    /// A manager whose handler stands at a gate.
    fn at_gate(records: &Records, manager: &SyncManager, gate: &Gate) -> Run {
        let steps = gated(id(1), gate);
        records.register(
            manager,
            1,
            Script::new().sync_item(named(1)).synchronize(steps),
        );
        let run = manager.update_all();
        gate.reached();
        run
    }

    #[test]
    fn starts_that_are_done_by_one_run_are_told_of_it() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::new();
        let first = at_gate(&records, &manager, &gate);
        let runs = [manager.update_all(), manager.update_all(), first];
        let followers: Vec<_> = runs
            .into_iter()
            .map(|run| {
                let (begun, begins) = std::sync::mpsc::channel();
                let follower = thread::spawn(move || {
                    let mut finished = std::pin::pin!(run.finished());
                    let polled = finished
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_pending());
                    begun.send(()).expect("the test waits");
                    let (all, _) = follow(&run);
                    (all, block_on(finished).0)
                });
                support::receive("the follower", &begins);
                follower
            })
            .collect();
        gate.open();
        for follower in followers {
            let (all, report) = join("a follower", follower);
            is_whole(&all, 1);
            assert!(report.is_success());
            let told = all.iter().flat_map(|changes| &changes.sessions);
            assert!(told.count() > 0, "the session is theirs, too");
        }
        assert_eq!(records.made(), 2);
    }

    /// Registers for the end and the next news of a run; answers the stream and its waker's count.
    fn waits(run: &Run) -> (RunObserver, Arc<Wakes>) {
        let wakes = Wakes::new();
        let mut stream = run.observe();
        let _ = ready(&mut stream, &wakes.waker());
        is_pending(&mut stream, &wakes.waker(), "nothing yet");
        (stream, wakes)
    }

    /// Polls `finished` once with a waker that counts.
    fn ends(run: &Run, wakes: &Arc<Wakes>) -> bool {
        let waker = wakes.waker();
        let mut context = Context::from_waker(&waker);
        std::pin::pin!(run.finished()).poll(&mut context).is_ready()
    }

    #[test]
    fn what_ends_before_it_has_begun_wakes() {
        type Way = (&'static str, fn(SyncManager, &Run));
        let ways: [Way; 4] = [
            ("cancel_handler", |manager, run| {
                run.cancel_handler(handler_id(2));
                drop(manager);
            }),
            ("cancel_all", |manager, run| {
                run.cancel_all();
                drop(manager);
            }),
            ("stop_handler", |manager, _| {
                assert!(manager.stop_handler(handler_id(2)));
            }),
            ("the manager's drop", |manager, _| drop(manager)),
        ];
        for (name, happens) in ways {
            let (records, gate) = (Records::default(), Gate::new());
            let manager = SyncManager::builder().concurrency(1).build();
            let first = at_gate(&records, &manager, &gate);
            records.register(&manager, 2, script(2));
            let run = manager
                .sync_items(handler_id(2), [id(2)])
                .expect("it is registered");
            let (mut stream, wakes) = waits(&run);
            let ended = Wakes::new();
            assert!(!ends(&run, &ended));
            happens(manager, &run);
            assert!(wakes.count() > 0, "{name}: the stream");
            assert!(ended.count() > 0, "{name}: the end");
            assert!(ready(&mut stream, &wakes.waker()).is_over(), "{name}");
            has_ended(&mut stream, &wakes.waker(), name);
            assert!(ends(&run, &ended), "{name}");
            gate.open();
            let _ = finish(&first);
        }
    }

    #[test]
    fn a_run_that_is_given_up_wakes() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::builder()
            .deadline(Duration::from_millis(200))
            .build();
        records.register(&manager, 1, script(1).prepare([gate.step()]));
        let run = manager.update_all();
        gate.reached();
        let (all, _) = follow(&run);
        is_whole(&all, 1);
        let (report, _) = block_on(run.finished());
        assert_eq!(report.handlers.len(), 1);
        assert!(!report.is_success());
        gate.open();
    }

    #[test]
    fn a_session_that_is_over_before_its_handler_is_let_go_is_not_looked_at_in_a_loop() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::new();
        let in_drop = gate.clone();
        let (made, of) = (records.clone(), script(1));
        let registered = manager.register(handler_id(1), Registration::new(), move || {
            let gate = in_drop.clone();
            Hooked::around(made.record(of.handler()), move |name| {
                if name == "drop" {
                    gate.pass();
                }
            })
        });
        assert_eq!(registered, Ok(()));
        let run = manager.update_all();
        gate.reached();
        let session = run.session(handler_id(1)).expect("it has told its items");
        assert_eq!(session.phase(), Phase::Released);
        assert!(!run.is_over(), "the handler is still being dropped");
        let (mut stream, wakes) = waits(&run);
        for _ in 0..3 {
            is_pending(&mut stream, &wakes.waker(), "nothing is new");
        }
        assert_eq!(wakes.count(), 0);
        gate.open();
        let _ = finish(&run);
        support::until("the wake", || wakes.count() == 1); // it may come after the run is over
        assert!(ready(&mut stream, &wakes.waker()).is_over());
        assert_eq!(wakes.count(), 1);
        has_ended(&mut stream, &wakes.waker(), "over");
    }

    #[test]
    fn a_begin_and_a_session_wake_every_run_that_is_done_by_it() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::new();
        let stops = [Gate::at(2), Gate::at(2)];
        let (made, in_handler) = (records.clone(), stops.clone());
        let steps = gated(id(1), &gate);
        let script = Script::new().sync_item(named(1)).synchronize(steps);
        let registered = manager.register(handler_id(1), Registration::new(), move || {
            let [begins, prepares] = in_handler.clone();
            // Stands there where it is made for the second time.
            Hooked::around(made.record(script.handler()), move |name| match name {
                "initialize" => begins.pass(),
                "prepare" => prepares.pass(),
                _ => {}
            })
        });
        assert_eq!(registered, Ok(()));
        let first = manager.update_all();
        gate.reached();
        let runs = [manager.update_all(), manager.update_all()];
        let mut followers = runs.each_ref().map(waits);
        gate.open();
        for (moment, stop) in stops.iter().enumerate() {
            let before: Vec<usize> = match moment {
                0 => vec![0, 0],
                _ => followers.iter().map(|(_, wakes)| wakes.count()).collect(),
            };
            if moment > 0 {
                stops[moment - 1].open();
            }
            stop.reached();
            for ((stream, wakes), before) in followers.iter_mut().zip(before) {
                assert!(wakes.count() > before, "moment {moment}: not woken");
                let changes = ready(stream, &wakes.waker());
                assert_eq!(changes.progress.running, 1, "moment {moment}");
                let sessions = changes.sessions.len();
                assert_eq!(sessions, moment, "a session is there by the prepare");
                while poll(stream, &wakes.waker()).is_ready() {}
            }
        }
        stops[1].open();
        for run in runs.iter().chain([&first]) {
            let _ = finish(run);
        }
        for (mut stream, wakes) in followers {
            assert!(ready(&mut stream, &wakes.waker()).is_over());
        }
        assert_eq!(records.made(), 2);
    }

    #[test]
    fn a_task_that_follows_a_run_is_polled_no_more_than_it_is_woken() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::new();
        let run = at_gate(&records, &manager, &gate);
        let (mut stream, wakes) = waits(&run);
        let session = run.session(handler_id(1)).expect("it has told its items");
        for n in 1..=5 {
            assert!(session.set_handler_text("still at it").is_ok());
            assert_eq!(wakes.count(), n);
            let changes = ready(&mut stream, &wakes.waker());
            assert_eq!(changes.sessions.len(), 1);
            is_pending(&mut stream, &wakes.waker(), "everything is told");
        }
        gate.open();
        let _ = finish(&run);
    }

    #[test]
    fn two_observers_and_the_end_in_one_task() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::new();
        let run = at_gate(&records, &manager, &gate);
        let opens = gate.clone();
        let ((one, other, report), _) = block_on(async {
            let (mut one, mut other) = (run.observe(), run.observe());
            let mut finished = std::pin::pin!(run.finished());
            let (mut ones, mut others, mut report) = (None, None, None);
            let mut polls = 0;
            poll_fn(|context| {
                for (stream, last) in [(&mut one, &mut ones), (&mut other, &mut others)] {
                    while let Poll::Ready(Some(changes)) = Pin::new(&mut *stream).poll_next(context)
                    {
                        *last = Some(changes);
                    }
                }
                if report.is_none() {
                    if let Poll::Ready(ended) = finished.as_mut().poll(context) {
                        report = Some(ended);
                    }
                }
                polls += 1;
                if polls == 1 {
                    assert!(report.is_none());
                    opens.open(); // everybody waits now
                }
                let over =
                    |last: &Option<RunChanges>| last.as_ref().is_some_and(RunChanges::is_over);
                match over(&ones) && over(&others) && report.is_some() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            (ones, others, report)
        });
        assert!(one.expect("a look").is_over() && other.expect("a look").is_over());
        assert!(report.expect("it is over").is_success());
    }

    /// Calls the manager and the run back from its waker.
    struct Calls {
        manager: Arc<SyncManager>,
        run: Run,
        woken: AtomicUsize,
    }

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            let woken = self.woken.fetch_add(1, Ordering::SeqCst);
            if woken > 50 {
                return;
            }
            let waker = Waker::from(Arc::clone(&self));
            let mut observer = self.run.observe();
            let _ = poll(&mut observer, &waker);
            let _ = poll(&mut observer, &waker);
            let _ = self.run.progress();
            let _ = self.run.sessions();
            let _ = self.run.handler_report(handler_id(1));
            let _ = self.run.is_over();
            let _ = std::pin::pin!(self.run.finished()).poll(&mut Context::from_waker(&waker));
            let _ = self.manager.handlers();
            let _ = self.manager.log(&syncmgr::LogFilter::default());
            let _ = self.run.skip_item(handler_id(2), id(2));
            let _ = self.run.cancel_item(handler_id(2), id(2));
            self.run.cancel_handler(handler_id(2));
            let _ = self
                .manager
                .register(handler_id(77), Registration::new(), || {
                    Script::new().handler()
                });
            let _ = self.manager.enumerate(handler_id(77));
        }
    }

    #[test]
    fn a_waker_may_call_the_manager_and_the_run() {
        for concurrency in [1, 2] {
            within("the run", move || {
                let (records, gate) = (Records::default(), Gate::new());
                let manager = Arc::new(SyncManager::builder().concurrency(concurrency).build());
                for n in 2..=4 {
                    records.register(&manager, n, script(n));
                }
                let run = at_gate(&records, &manager, &gate);
                let calls = Arc::new(Calls {
                    manager: Arc::clone(&manager),
                    run: run.clone(),
                    woken: AtomicUsize::new(0),
                });
                let waker = Waker::from(Arc::clone(&calls));
                let mut stream = run.observe();
                while poll(&mut stream, &waker).is_ready() {}
                let mut context = Context::from_waker(&waker);
                assert!(
                    std::pin::pin!(run.finished())
                        .poll(&mut context)
                        .is_pending()
                );
                run.cancel_handler(handler_id(3)); // on this thread; the others on the manager's
                gate.open();
                let _ = finish(&run);
                assert!(calls.woken.load(Ordering::SeqCst) > 0);
            });
        }
    }

    #[test]
    fn a_run_and_its_stream_keep_no_waker_once_they_are_over() {
        let (records, gate) = (Records::default(), Gate::new());
        let manager = SyncManager::new();
        let run = at_gate(&records, &manager, &gate);
        let (stream, wakes) = waits(&run);
        let ended = Wakes::new();
        assert!(!ends(&run, &ended));
        gate.open();
        let _ = finish(&run);
        assert!(wakes.count() > 0);
        // `finish` learns of the end before the tasks are woken.
        support::until("the end", || ended.count() == 1);
        support::until("the wakers", || {
            Arc::strong_count(&wakes) == 1 && Arc::strong_count(&ended) == 1
        });
        drop(stream);
    }
}
