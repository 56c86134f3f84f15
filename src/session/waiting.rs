//! Waiting at a reporter for the cancel of its item: callbacks, blocked threads and tasks, all behind one waker.
//!
//! # Invariants
//!
//! 1. A reporter has at most one waker of its own at the host at a time, [`Waiters`], so that waiting over and over costs the
//!    host nothing. Whoever waits is a listener there, and leaves when its wait ends.
//! 2. A listener stands in the list before the waker is registered, and asks after it: what happens before the registration is
//!    seen by the question, what happens after it wakes. The one who registers may be another one; until the host has
//!    answered it, its listeners may sleep, since either the host wakes them, or it does so itself where the host refuses.
//! 3. A wake tells nothing: a listener asks. One that is answered `Continue` waits on, and registers again.
//! 4. No lock is held while the host, a waker or a callback is called.
//! 5. Whoever waits borrows the reporter. So nobody asks about an item that its reporter has ended, and dropping a
//!    [`CancelGuard`] waits for its callback, if that runs on another thread.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use super::contained::contained;
use super::sync::{Mutex, Signal, ThreadId, this_thread};
use super::wakers::wake;
use crate::{CallbackError, Verdict};

/// What the host answers a question.
pub(crate) type Answer = Result<Verdict, CallbackError>;

fn goes_on(answer: &Answer) -> bool {
    matches!(answer, Ok(Verdict::Continue))
}

/// The reporter's one waker, and who listens to it.
pub(super) struct Waiters(Mutex<Listeners>);

struct Listeners {
    /// The waker is with the host, or on its way there.
    registered: bool,
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Listeners {
            registered: false,
            next: 0,
            wakers: BTreeMap::new(),
        })))
    }

    /// A place for a listener.
    fn place(&self) -> u64 {
        let mut listeners = self.0.lock();
        listeners.next += 1;
        listeners.next
    }

    /// Puts a listener in, or gives it this waker. It is woken once; to be woken again, it is put in again.
    fn put(&self, key: u64, waker: Waker) {
        let old = self.0.lock().wakers.insert(key, waker);
        drop(old); // user code, with the lock given back
    }

    fn remove(&self, key: u64) {
        let old = self.0.lock().wakers.remove(&key);
        drop(old);
    }

    /// Whether the caller must register the waker, at once; and [`ring`](Self::ring) where the host refuses it, so that those who
    /// rely on it learn so themselves.
    fn must_register(&self) -> bool {
        !std::mem::replace(&mut self.0.lock().registered, true)
    }

    /// Wakes the listeners.
    fn ring(&self) {
        let woken = {
            let mut listeners = self.0.lock();
            listeners.registered = false;
            std::mem::take(&mut listeners.wakers)
        };
        wake(woken.into_values().collect());
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// What waiting needs of a host: to register a waker for the item, and to ask. Shared with threads that wake.
pub(crate) trait Host: Send + Sync {
    fn register(&self, waker: &Waker) -> Result<(), CallbackError>;
    fn ask(&self) -> Answer;
}

/// The waiters of a reporter, and its host.
#[derive(Clone)]
pub(crate) struct Waiting {
    waiters: Arc<Waiters>,
    host: Arc<dyn Host>,
}

impl Waiting {
    pub(crate) fn new(host: impl Host + 'static) -> Self {
        Self {
            waiters: Waiters::new(),
            host: Arc::new(host),
        }
    }

    /// Sees to it that the listeners are woken, then asks. A host that does not wake answers an error.
    fn register_and_ask(&self) -> Answer {
        if self.waiters.must_register() {
            let waker = Waker::from(Arc::clone(&self.waiters));
            if let Err(error) = self.host.register(&waker) {
                self.waiters.ring();
                return Err(error);
            }
        }
        self.host.ask()
    }

    /// Blocks the thread until the host answers anything but `Continue`, or until then.
    pub(crate) fn block(&self, until: Option<Instant>) -> Answer {
        let sleeper = Arc::new(Sleeper::new());
        let place = Place::new(self);
        loop {
            place.put(Waker::from(Arc::clone(&sleeper)));
            let answer = self.register_and_ask();
            if !goes_on(&answer) {
                return answer;
            }
            if !sleeper.sleep(until) {
                return self.host.ask();
            }
        }
    }

    /// Calls `callback` once, as soon as the item is cancelled or the host takes no more reports of it: on this thread, where
    /// that is so already, else on the one that cancels.
    pub(crate) fn call(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<CancelGuard<'_>, CallbackError> {
        let called = Arc::new(Called {
            waiting: self.clone(),
            place: self.waiters.place(),
            state: Mutex::new(State {
                callback: Some(Box::new(callback)),
                asks: true,
                again: false,
                called: false,
                runs_on: None,
            }),
            ended: Signal::new(),
        });
        let guard = CancelGuard {
            called,
            reporter: PhantomData,
        };
        // Where it is refused, the guard drops the callback.
        let verdict = guard.called.listen()?;
        guard.called.heed(Ok(verdict));
        Ok(guard)
    }

    /// A future that is ready as soon as the host answers anything but `Continue`.
    #[cfg(feature = "async")]
    pub(crate) fn cancelled(&self) -> Cancelled<'_> {
        Cancelled(Place::new(self))
    }
}

/// The place of a listener, given back when its wait ends.
struct Place<'a> {
    waiting: &'a Waiting,
    key: u64,
}

impl<'a> Place<'a> {
    fn new(waiting: &'a Waiting) -> Self {
        let key = waiting.waiters.place();
        Self { waiting, key }
    }

    fn put(&self, waker: Waker) {
        self.waiting.waiters.put(self.key, waker);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.waiters.remove(self.key);
    }
}

/// A blocked thread.
struct Sleeper {
    woken: Mutex<bool>,
    signal: Signal,
}

impl Sleeper {
    fn new() -> Self {
        Self {
            woken: Mutex::new(false),
            signal: Signal::new(),
        }
    }

    /// Sleeps until it is woken; false where the time has come first.
    fn sleep(&self, until: Option<Instant>) -> bool {
        let mut woken = self.woken.lock();
        while !*woken {
            let (guard, late) = self.signal.wait(woken, until);
            woken = guard;
            if late && !*woken {
                return false;
            }
        }
        *woken = false;
        true
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.signal.notify_all();
    }
}

/// A task that waits.
#[cfg(feature = "async")]
pub(crate) struct Cancelled<'a>(Place<'a>);

#[cfg(feature = "async")]
impl Future for Cancelled<'_> {
    type Output = Answer;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Answer> {
        self.0.put(context.waker().clone());
        let answer = self.0.waiting.register_and_ask();
        if goes_on(&answer) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(answer)
    }
}

/// A callback that waits.
struct Called {
    waiting: Waiting,
    place: u64,
    state: Mutex<State>,
    /// The callback has returned.
    ended: Signal,
}

struct State {
    /// Until it is called, or nobody wants it to be.
    callback: Option<Box<dyn FnOnce() + Send>>,
    /// A thread is asking, and will look at `again` when it has its answer. So two threads do not ask at once, and a host
    /// that wakes from inside the question does not lead ever deeper.
    asks: bool,
    again: bool,
    called: bool,
    /// The thread on which the callback is being called.
    runs_on: Option<ThreadId>,
}

impl Called {
    /// Waits to be woken, and asks.
    fn listen(self: &Arc<Self>) -> Answer {
        let waker = Waker::from(Arc::clone(self));
        self.waiting.waiters.put(self.place, waker);
        self.waiting.register_and_ask()
    }

    /// It was woken: asks, unless a thread does so already.
    fn look(self: &Arc<Self>) {
        {
            let mut state = self.state.lock();
            if state.asks {
                state.again = true;
                return;
            }
            if state.callback.is_none() {
                return;
            }
            state.asks = true;
        }
        self.heed(self.ask_again());
    }

    fn ask_again(self: &Arc<Self>) -> Answer {
        let answer = self.waiting.host.ask();
        match goes_on(&answer) {
            true => self.listen(), // a wake has taken it out of the list
            false => answer,
        }
    }

    /// Does what the answer asks for. To be called by the one thread that `asks`.
    fn heed(self: &Arc<Self>, mut answer: Answer) {
        let (callback, call) = loop {
            {
                let mut state = self.state.lock();
                let waits = goes_on(&answer) && state.callback.is_some();
                if !waits {
                    state.asks = false;
                    let callback = state.callback.take();
                    let call = callback.is_some() && answer != Err(CallbackError::ItemFinished);
                    state.called = call;
                    state.runs_on = call.then(this_thread);
                    break (callback, call);
                }
                if !std::mem::take(&mut state.again) {
                    state.asks = false;
                    return;
                }
            }
            answer = self.ask_again();
        };
        self.waiting.waiters.remove(self.place);
        contained(|| {
            if let Some(callback) = callback.filter(|_| call) {
                callback();
            }
        });
        if call {
            self.state.lock().runs_on = None;
            self.ended.notify_all();
        }
    }
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

/// Keeps a callback that waits for a cancel: see [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel).
///
/// Once it is dropped, the callback is not called any more. If it is being called on another thread at that moment, the drop
/// waits until it has returned.
#[must_use = "the callback waits only as long as its guard is kept"]
pub struct CancelGuard<'a> {
    called: Arc<Called>,
    reporter: PhantomData<&'a Waiting>,
}

impl CancelGuard<'_> {
    /// Whether the callback was called, or is being called.
    #[must_use]
    pub fn was_called(&self) -> bool {
        self.called.state.lock().called
    }
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        let callback = self.called.state.lock().callback.take();
        contained(|| drop(callback));
        self.called.waiting.waiters.remove(self.called.place);
        let mut state = self.called.state.lock();
        while state.runs_on.is_some_and(|thread| thread != this_thread()) {
            (state, _) = self.called.ended.wait(state, None);
        }
    }
}

impl fmt::Debug for CancelGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelGuard")
            .field("was_called", &self.was_called())
            .finish_non_exhaustive()
    }
}
