//! Waiting at a reporter for the cancel of its item: callbacks, blocked threads and tasks, all behind one waker.
//!
//! # Invariants
//!
//! 1. A reporter has at most one waker of its own at the host at a time, [`Waiters`], so that waiting over and over costs the
//!    host nothing. Whoever waits is a listener there, and leaves when its wait ends.
//! 2. A listener stands in the list before the waker is registered, and asks after it: what happens before the registration is
//!    seen by the question, what happens after it wakes. The one who registers may be another one, but the host has answered
//!    it by then: nobody relies on a registration that is still under way, and may be refused.
//! 3. A wake tells nothing: a listener asks. One that is answered `Continue` waits on, and registers again.
//! 4. No lock is held while the host, a waker or a callback is called.
//! 5. A host that wakes each registration without need keeps no waker, so that nothing would ever come of waiting. After
//!    [`EAGER_MOST`] such wakes in a row a thread of ours does what the host does not: it wakes the listeners every [`POLL`], until
//!    there are none. So no listener spins, and a callback needs no thread of its caller's.
//! 6. Whoever waits borrows the reporter, and dropping a [`CancelGuard`] waits for the thread that asks for it or is in its
//!    callback, unless that is the same one. So nobody asks about an item that its reporter has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::util::clock;
use crate::util::panic::{Foreign, contained};
use crate::util::sync::{Mutex, ThreadId};
use crate::util::sync::{Signal, this_thread};
use crate::util::wake::wake;
use crate::{CallbackError, Verdict};

/// What the host answers a question.
pub(crate) type WaitAnswer = Result<Verdict, CallbackError>;

fn goes_on(answer: &WaitAnswer) -> bool {
    matches!(answer, Ok(Verdict::Continue))
}

/// How many wakes without need, each before its registration has returned, are waited over in a row.
const EAGER_MOST: u32 = 64;

/// How often the listeners at a host are woken that wakes without need.
const POLL: Duration = Duration::from_millis(10);

/// The reporter's one waker, and who listens to it.
pub(super) struct Waiters(Mutex<Listeners>);

struct Listeners {
    /// The host has taken the waker, and has not woken since.
    registered: bool,
    /// How often it was woken.
    rings: u64,
    /// How many registrations in a row did not last, though there was nothing to wake for.
    eager: u32,
    /// A thread of ours wakes the listeners, so there is nothing to register.
    polled: bool,
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Listeners {
            registered: false,
            rings: 0,
            eager: 0,
            polled: false,
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
        drop(old.map(Foreign::new)); // user code, with the lock given back
    }

    fn remove(&self, key: u64) {
        let old = self.0.lock().wakers.remove(&key);
        drop(old.map(Foreign::new));
    }

    /// Whether the caller must register the waker: then how often it was woken so far.
    fn must_register(&self) -> Option<u64> {
        let listeners = self.0.lock();
        let waits = listeners.registered || listeners.polled;
        (!waits).then_some(listeners.rings)
    }

    /// The host has taken the waker. Returns whether it keeps it, as far as this is known: it has not woken meanwhile.
    fn is_registered(&self, rings: u64) -> bool {
        let mut listeners = self.0.lock();
        if listeners.rings != rings {
            return false;
        }
        listeners.registered = true;
        listeners.eager = 0;
        true
    }

    /// The host has woken before the registration returned, and without need. A host that does so over and over is polled.
    fn is_eager(self: &Arc<Self>) -> Result<(), CallbackError> {
        {
            let mut listeners = self.0.lock();
            listeners.eager = listeners.eager.saturating_add(1);
            if listeners.eager < EAGER_MOST || listeners.polled {
                return Ok(());
            }
            listeners.polled = true;
        }
        let waiters = Arc::downgrade(self);
        let builder = thread::Builder::new().name("syncmgr-poll".to_owned());
        if builder.spawn(move || poll(&waiters)).is_err() {
            self.0.lock().polled = false;
            // As for any host that does not wake.
            return Err(CallbackError::NotImplemented);
        }
        Ok(())
    }

    /// Whether somebody listens. Where nobody does, the polling ends with the answer.
    fn has_listeners(&self) -> bool {
        let mut listeners = self.0.lock();
        listeners.polled = !listeners.wakers.is_empty();
        listeners.polled
    }

    /// Wakes the listeners.
    fn notify(&self) {
        let woken = {
            let mut listeners = self.0.lock();
            listeners.registered = false;
            listeners.rings += 1;
            std::mem::take(&mut listeners.wakers)
        };
        wake(woken.into_values().collect());
    }
}

/// Wakes the listeners now and then, until there are none.
fn poll(waiters: &Weak<Waiters>) {
    loop {
        thread::sleep(POLL);
        match waiters.upgrade() {
            Some(waiters) if waiters.has_listeners() => waiters.notify(),
            _ => break,
        }
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// What waiting needs of a host: to register a waker for the item, and to ask. Shared with threads that wake.
pub(crate) trait CancelSource: Send + Sync {
    fn register(&self, waker: &Waker) -> Result<(), CallbackError>;
    fn ask(&self) -> WaitAnswer;
}

/// The waiters of a reporter, and its host.
#[derive(Clone)]
pub(crate) struct CancelWait {
    waiters: Arc<Waiters>,
    host: Arc<dyn CancelSource>,
}

impl CancelWait {
    pub(crate) fn new(host: impl CancelSource + 'static) -> Self {
        Self {
            waiters: Waiters::new(),
            host: Arc::new(host),
        }
    }

    /// The waker that the host keeps.
    pub(super) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.waiters))
    }

    /// Sees to it that the listeners are woken, then asks. A host that does not wake answers an error.
    fn register_and_ask(&self) -> WaitAnswer {
        let Some(rings) = self.waiters.must_register() else {
            return self.host.ask();
        };
        let waker = self.waker();
        self.host.register(&waker)?;
        let lasts = self.waiters.is_registered(rings);
        let answer = self.host.ask();
        if !lasts && goes_on(&answer) {
            self.waiters.is_eager()?;
        }
        answer
    }

    /// Blocks the thread until the host answers anything but `Continue`, or until then.
    pub(crate) fn block(&self, until: Option<Instant>) -> WaitAnswer {
        let sleeper = Arc::new(Sleeper::new());
        let place = WakerRegistration::new(self);
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
        let called = Arc::new(Callback {
            waiting: self.clone(),
            place: self.waiters.place(),
            state: Mutex::new(State {
                callback: Some(Box::new(callback)),
                busy: Some(this_thread()),
                again: false,
                called: false,
            }),
            ended: Signal::new(),
        });
        let guard = CancelGuard {
            called,
            reporter: PhantomData,
        };
        // Where it is refused, the guard drops the callback.
        let verdict = guard.called.listen()?;
        guard.called.handle(Ok(verdict));
        Ok(guard)
    }

    /// A future that is ready as soon as the host answers anything but `Continue`.
    #[cfg(feature = "async")]
    pub(crate) fn cancelled(&self) -> WaitCancelled<'_> {
        WaitCancelled(WakerRegistration::new(self))
    }
}

/// The place of a listener, given back when its wait ends.
struct WakerRegistration<'a> {
    waiting: &'a CancelWait,
    key: u64,
}

impl<'a> WakerRegistration<'a> {
    fn new(waiting: &'a CancelWait) -> Self {
        let key = waiting.waiters.place();
        Self { waiting, key }
    }

    fn put(&self, waker: Waker) {
        self.waiting.waiters.put(self.key, waker);
    }
}

impl Drop for WakerRegistration<'_> {
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

    /// Sleeps until it is woken; false where the time has come, though it may be woken too.
    fn sleep(&self, until: Option<Instant>) -> bool {
        let mut woken = self.woken.lock();
        while !*woken {
            let (guard, late) = self.signal.wait(woken, until);
            woken = guard;
            if late {
                return false;
            }
        }
        *woken = false;
        drop(woken);
        until.is_none_or(|until| clock::now() < until)
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
pub(crate) struct WaitCancelled<'a>(WakerRegistration<'a>);

#[cfg(feature = "async")]
impl Future for WaitCancelled<'_> {
    type Output = WaitAnswer;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<WaitAnswer> {
        self.0.put(context.waker().clone());
        let answer = self.0.waiting.register_and_ask();
        if goes_on(&answer) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(answer)
    }
}

/// A callback that waits.
struct Callback {
    waiting: CancelWait,
    place: u64,
    state: Mutex<State>,
    /// Nobody is busy any more.
    ended: Signal,
}

struct State {
    /// Until it is called, or nobody wants it to be.
    callback: Option<Box<dyn FnOnce() + Send>>,
    /// The thread that asks, and will look at `again` when it has its answer; or that is in the callback. So two threads do not
    /// ask at once, and a host that wakes from inside the question does not lead ever deeper.
    busy: Option<ThreadId>,
    again: bool,
    called: bool,
}

impl Callback {
    /// Waits to be woken, and asks.
    fn listen(self: &Arc<Self>) -> WaitAnswer {
        let waker = Waker::from(Arc::clone(self));
        self.waiting.waiters.put(self.place, waker);
        self.waiting.register_and_ask()
    }

    /// It was woken: asks, unless a thread does so already.
    fn look(self: &Arc<Self>) {
        {
            let mut state = self.state.lock();
            if state.busy.is_some() {
                state.again = true;
                return;
            }
            if state.callback.is_none() {
                return;
            }
            state.busy = Some(this_thread());
        }
        self.handle(self.ask_again());
    }

    fn ask_again(self: &Arc<Self>) -> WaitAnswer {
        let answer = contained(|| {
            let answer = self.waiting.host.ask();
            match goes_on(&answer) {
                true => self.listen(), // a wake has taken it out of the list
                false => answer,
            }
        });
        // A host that panics is asked no more: as if it had let go.
        answer.unwrap_or(Err(CallbackError::Released))
    }

    /// Does what the answer asks for. To be called by the one thread that is `busy`.
    fn handle(self: &Arc<Self>, mut answer: WaitAnswer) {
        let (callback, call) = loop {
            {
                let mut state = self.state.lock();
                let waits = goes_on(&answer) && state.callback.is_some();
                if !waits {
                    let callback = state.callback.take();
                    let call = callback.is_some() && answer != Err(CallbackError::ItemFinished);
                    state.called = call;
                    break (callback, call);
                }
                if !std::mem::take(&mut state.again) {
                    state.busy = None; // nobody waits for that: the guard is kept
                    return;
                }
            }
            answer = self.ask_again();
        };
        contained(|| {
            if let Some(callback) = callback.filter(|_| call) {
                callback();
            }
        });
        self.state.lock().busy = None;
        self.ended.notify_all();
    }
}

impl Wake for Callback {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

/// Keeps a callback that waits for a cancel: see [`ItemReporter::on_cancel`](crate::ItemReporter::on_cancel).
///
/// Once it is dropped, the callback is not called any more, and the host is not asked for it. If it is being called on another
/// thread at that moment, or that thread asks the host whether to, the drop waits until that is over.
///
/// ```
/// use std::sync::mpsc;
/// use syncmgr::{ItemId, Session, SyncItem};
///
/// let id = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(id, "a".parse()?)).build()?;
/// let reporter = session.reporter(id)?;
/// let (hang_up, hung_up) = mpsc::channel();
/// let guard = reporter.on_cancel(move || drop(hang_up.send(())))?;
/// assert!(!guard.was_called());
/// session.cancel_all(); // calls it, on this thread
/// assert!(guard.was_called());
/// assert!(hung_up.try_recv().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the callback waits only as long as its guard is kept"]
pub struct CancelGuard<'a> {
    called: Arc<Callback>,
    reporter: PhantomData<&'a CancelWait>,
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
        let mut state = self.called.state.lock();
        while state.busy.is_some_and(|thread| thread != this_thread()) {
            (state, _) = self.called.ended.wait(state, None);
        }
        drop(state);
        // After a thread that may have put it in again.
        self.called.waiting.waiters.remove(self.called.place);
    }
}

impl fmt::Debug for CancelGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelGuard")
            .field("was_called", &self.was_called())
            .finish_non_exhaustive()
    }
}
