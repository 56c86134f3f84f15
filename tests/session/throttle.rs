//! A stream of looks that comes in frames.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Wakes, items, open};
use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::{
    HandlerId, ItemId, Observer, ProgressUpdate, Registration, Session, SyncManager,
    ThrottledObserver,
};

/// The frames of a test, which end when it says so.
#[derive(Clone, Default)]
struct Frames {
    begun: Arc<AtomicUsize>,
    current: Arc<Mutex<Option<Arc<AtomicBool>>>>,
    wakers: Arc<Mutex<Vec<Waker>>>,
}

impl Frames {
    fn begin(&self) -> Frame {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let over = Arc::new(AtomicBool::new(false));
        *self.current.lock().unwrap() = Some(over.clone());
        Frame {
            over,
            wakers: self.wakers.clone(),
        }
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// Ends the frame that was begun last.
    fn end(&self) {
        if let Some(over) = &*self.current.lock().unwrap() {
            over.store(true, Ordering::Relaxed);
        }
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap());
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}

struct Frame {
    over: Arc<AtomicBool>,
    wakers: Arc<Mutex<Vec<Waker>>>,
}

impl Future for Frame {
    /// Not `()`: some timers have an output.
    type Output = u32;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        if self.over.load(Ordering::Relaxed) {
            return Poll::Ready(7);
        }
        self.wakers.lock().unwrap().push(context.waker().clone());
        Poll::Pending
    }
}

fn poll<S: Stream + Unpin>(stream: &mut S, wakes: &Arc<Wakes>) -> Poll<Option<S::Item>> {
    let waker = Waker::from(wakes.clone());
    Pin::new(stream).poll_next(&mut Context::from_waker(&waker))
}

fn values(look: Poll<Option<syncmgr::Changes>>) -> Vec<u64> {
    match look {
        Poll::Ready(Some(changes)) => changes.items().iter().map(|item| item.value).collect(),
        other => panic!("no look: {other:?}"),
    }
}

fn throttled(
    session: &Arc<Session>,
) -> (
    ThrottledObserver<Observer, impl FnMut() -> Frame, Frame>,
    Frames,
) {
    let frames = Frames::default();
    let begins = frames.clone();
    let stream = Observer::new(session.clone()).throttle(move || begins.begin());
    (stream, frames)
}

#[test]
fn it_looks_once_in_each_frame_and_sees_plain_values() {
    let session = open(2);
    let (mut stream, frames) = throttled(&session);
    let wakes = Arc::new(Wakes::default());
    let reporter = session.reporter(ItemId::from_u128(1)).unwrap();
    let _ = reporter.set(1);
    assert_eq!(values(poll(&mut stream, &wakes)), [1, 0]);

    // In the frame, neither a value nor an entry is told.
    let _ = reporter.set(2);
    let _ = reporter.report(&ProgressUpdate::new().text("a text"));
    assert!(poll(&mut stream, &wakes).is_pending());
    frames.end();
    assert_eq!(wakes.count(), 1);
    assert_eq!(values(poll(&mut stream, &wakes)), [2]);
    assert_eq!(stream.get_ref().totals().value, 2);

    // Nothing is journalled in this one.
    let _ = reporter.set(3);
    assert!(poll(&mut stream, &wakes).is_pending());
    frames.end();
    assert_eq!(values(poll(&mut stream, &wakes)), [3]);
    assert_eq!(frames.begun(), 3);
}

#[test]
fn it_waits_for_something_new_while_nothing_is_in_work() {
    let session = open(2);
    let (mut stream, frames) = throttled(&session);
    let wakes = Arc::new(Wakes::default());
    assert_eq!(values(poll(&mut stream, &wakes)), [0, 0]);
    assert!(poll(&mut stream, &wakes).is_pending());
    frames.end();
    assert!(poll(&mut stream, &wakes).is_pending(), "nothing is in work");
    let before = wakes.count();
    let reporter = session.reporter(ItemId::from_u128(2)).unwrap();
    let _ = reporter.set(5);
    assert_eq!(wakes.count(), before + 1, "it began");
    assert_eq!(values(poll(&mut stream, &wakes)), [5]);
    reporter.succeed().unwrap();
    assert!(poll(&mut stream, &wakes).is_pending(), "the frame lasts");
    frames.end();
    assert_eq!(values(poll(&mut stream, &wakes)), [5]);
    assert!(poll(&mut stream, &wakes).is_pending());
    frames.end();
    assert!(poll(&mut stream, &wakes).is_pending(), "it has ended");
}

#[test]
fn it_ends_with_the_session() {
    let session = open(1);
    let (mut stream, frames) = throttled(&session);
    let wakes = Arc::new(Wakes::default());
    assert_eq!(values(poll(&mut stream, &wakes)), [0]);
    session
        .reporter(ItemId::from_u128(1))
        .unwrap()
        .succeed()
        .unwrap();
    session.finish().unwrap();
    frames.end();
    let Poll::Ready(Some(last)) = poll(&mut stream, &wakes) else {
        panic!("there is a last look");
    };
    assert!(last.is_over());
    // At once, in the frame of the last look.
    assert!(matches!(poll(&mut stream, &wakes), Poll::Ready(None)));
    assert!(matches!(poll(&mut stream, &wakes), Poll::Ready(None)));
    assert!(format!("{stream:?}").starts_with("ThrottledObserver { observer: Observer {"));
}

#[test]
fn a_run_is_followed_in_frames_too() {
    let manager = SyncManager::new();
    let make = || {
        let source = from_items(items(3), |item| Ok(item.advance(1)?));
        HandlerBuilder::new("test".parse().unwrap(), source).build()
    };
    let handler = HandlerId::from_u128(1);
    manager
        .register(handler, Registration::new(), make)
        .unwrap();
    let run = manager.update_all();
    let frames = Frames::default();
    let begins = frames.clone();
    let mut stream = run.observe().throttle(move || begins.begin());
    let wakes = Arc::new(Wakes::default());
    assert!(poll(&mut stream, &wakes).is_ready());
    assert!(run.wait().is_success());
    frames.end();
    let Poll::Ready(Some(last)) = poll(&mut stream, &wakes) else {
        panic!("there is a last look");
    };
    assert!(last.is_over());
    assert_eq!(stream.get_ref().progress().totals.finished, 3);
    assert!(matches!(poll(&mut stream, &wakes), Poll::Ready(None)));
}

#[test]
fn a_frame_that_is_over_at_once_holds_nothing_up() {
    let session = open(1);
    let mut stream = Observer::new(session.clone()).throttle(|| std::future::ready(()));
    let wakes = Arc::new(Wakes::default());
    let reporter = session.reporter(ItemId::from_u128(1)).unwrap();
    for value in 1..=3 {
        let _ = reporter.set(value);
        assert_eq!(values(poll(&mut stream, &wakes)), [value]);
    }
}

#[test]
fn a_timer_that_panics_loses_no_look() {
    let session = open(1);
    let count = Arc::new(AtomicUsize::new(0));
    let frames = count.clone();
    let mut stream = Observer::new(session.clone()).throttle(move || {
        assert_ne!(
            frames.fetch_add(1, Ordering::Relaxed),
            1,
            "the second timer panics"
        );
        std::future::ready(())
    });
    let wakes = Arc::new(Wakes::default());
    assert_eq!(values(poll(&mut stream, &wakes)), [0]);
    session
        .reporter(ItemId::from_u128(1))
        .unwrap()
        .succeed()
        .unwrap();
    session.finish().unwrap();
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        poll(&mut stream, &wakes).is_ready()
    }));
    assert!(panics.is_err());
    let Poll::Ready(Some(last)) = poll(&mut stream, &wakes) else {
        panic!("there is a last look");
    };
    assert!(last.is_over());
}
