//! A task of a handler gives its thread back to the runtime after a bounded number of items, whatever becomes of them.

use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};

use support::{id, items, join, receive};
use syncmgr::per_item::{HandlerBuilder, Task, from_async_items};
use syncmgr::{HResult, ItemStatus, RunOptions, Session, SyncCallback, run_handler};

const ITEMS: u128 = 5_000;

/// How many items one poll may end.
const AT_MOST: u64 = 500;

/// Runs a handler of one task, after this was done to its session. Returns the session and how many items each poll has ended.
fn polled(before: impl FnOnce(&Session) + Send + 'static) -> (Arc<Session>, Vec<u64>) {
    polled_by(false, before)
}

/// As [`polled`], of a handler that lets its host wait for the work.
fn polled_by(
    waits: bool,
    before: impl FnOnce(&Session) + Send + 'static,
) -> (Arc<Session>, Vec<u64>) {
    let (spawn, spawned) = mpsc::channel::<Task>();
    let (give, given) = mpsc::channel();
    let source = from_async_items(items(ITEMS), |work| async move { Ok(work.set(1).await?) });
    let name = "test".parse().expect("a short name");
    let handler = HandlerBuilder::new_async(name, source, move |task| {
        spawn.send(task).expect("the test waits");
    });
    let options = RunOptions::new().on_session(move |session| {
        before(&session);
        give.send(session).expect("the test waits");
    });
    let run = thread::spawn(move || {
        run_handler(handler.workers(1).wait_for_work(waits).build(), options)
    });
    let session = receive("the session", &given);
    let mut task = receive("the task", &spawned);
    let mut context = Context::from_waker(Waker::noop());
    let mut ended = Vec::new();
    let mut finished = 0;
    loop {
        let over = task.as_mut().poll(&mut context).is_ready();
        let now = session.snapshot().totals.finished;
        ended.push(now - finished);
        finished = now;
        if over {
            break;
        }
    }
    drop(task);
    let _ = join("the run", run);
    assert_eq!(finished, u64::try_from(ITEMS).expect("it is small"));
    assert_eq!(session.result(), Some(HResult::S_OK));
    (session, ended)
}

fn cancel_each(session: &Session) {
    for n in 1..=ITEMS {
        session.cancel_item(id(n)).expect("it takes part");
    }
}

#[test]
fn a_task_yields_while_it_ends_items_that_are_cancelled() {
    let ways: [fn(&Session); 3] = [
        |session| session.cancel_all(),
        cancel_each,
        |session| {
            for n in 1..=ITEMS {
                session.skip_item(id(n)).expect("it takes part");
            }
        },
    ];
    for cancel in ways {
        let (session, ended) = polled(cancel);
        let polls = ended.len();
        assert!(polls < 100, "{polls} polls for {ITEMS} items without work");
        let most = ended.into_iter().max();
        assert!(most <= Some(AT_MOST), "{most:?} items in one poll");
        let first = session.item(id(1)).expect("it is there");
        assert_eq!(first.status, ItemStatus::Skipped);
    }
}

/// The thread on which it was woken last.
#[derive(Default)]
struct WokenOn(Mutex<Option<ThreadId>>);

impl Wake for WokenOn {
    fn wake(self: Arc<Self>) {
        *self.0.lock().expect("nobody panicked") = Some(thread::current().id());
    }
}

#[test]
fn the_host_looks_at_the_items_of_a_large_round_outside_its_tasks() {
    for waits in [false, true] {
        let completed = Arc::new(WokenOn::default());
        let waker = Waker::from(Arc::clone(&completed));
        let (_, ended) = polled_by(waits, move |session| {
            cancel_each(session);
            // Woken by the completion, on its thread.
            session.wake_on_cancel(None, &waker).expect("it is driven");
        });
        assert!(ended.len() > 1);
        let on = completed.0.lock().expect("nobody panicked").take();
        assert!(on.is_some_and(|on| on != thread::current().id()), "{on:?}");
    }
}

#[test]
fn a_task_yields_after_each_item_that_is_worked_on() {
    let (_, ended) = polled(|_| {});
    assert!(ended.into_iter().all(|ended| ended <= 1));
}
