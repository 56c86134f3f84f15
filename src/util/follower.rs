//! A thread that reads an observer until there is nothing more to read, or until it is asked to end.

use std::io;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::util::clock::deadline;
use crate::util::sync::{Mutex, Signal};

/// The handle to the thread. Dropping it does not end the thread.
pub(crate) struct Follower(Arc<SharedState>);

/// The thread's side. Dropping it, also by a panic, means that the thread has ended.
pub(crate) struct FollowerThread(Arc<SharedState>);

/// How the thread is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowerEnd {
    /// Read once more, then end.
    AfterLastRead,
    /// End without reading.
    #[cfg(feature = "indicatif")]
    Immediately,
}

struct SharedState {
    /// Locked only to read or change it.
    state: Mutex<FollowerState>,
    changed: Signal,
}

#[derive(Default)]
struct FollowerState {
    /// The thread, once it has started.
    thread: Option<ThreadId>,
    /// How many reads were requested, how many of these requests the current read serves, and how many were served.
    requested: u64,
    taken: u64,
    served: u64,
    end: Option<FollowerEnd>,
    is_over: bool,
}

impl FollowerState {
    /// Returns `true` on the thread itself, which must not wait for itself.
    fn is_inside(&self) -> bool {
        self.thread == Some(thread::current().id())
    }
}

impl Follower {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread. The follower is over then.
    pub(crate) fn spawn(
        name: &str,
        follow: impl FnOnce(&FollowerThread) + Send + 'static,
    ) -> (Self, io::Result<()>) {
        let shared = Arc::new(SharedState {
            state: Mutex::new(FollowerState::default()),
            changed: Signal::new(),
        });
        let thread = FollowerThread(Arc::clone(&shared));
        let builder = thread::Builder::new().name(name.to_owned());
        let spawned = builder.spawn(move || {
            let thread = thread; // dropped after all that `follow` owns
            thread.0.state.lock().thread = Some(thread::current().id());
            follow(&thread);
        });
        (Self(shared), spawned.map(drop))
    }

    /// Requests a read, and blocks until one that started after the call is complete.
    #[cfg(feature = "tracing")]
    pub(crate) fn flush(&self) {
        let mut state = self.0.state.lock();
        if state.is_inside() {
            return;
        }
        state.requested += 1;
        let own = state.requested;
        self.0.changed.notify_all();
        while state.served < own && !state.is_over {
            state = self.0.changed.wait(state, None).0;
        }
    }

    /// Asks the thread to end, in place of an earlier request to end.
    pub(crate) fn end(&self, end: FollowerEnd) {
        self.0.state.lock().end = Some(end);
        self.0.changed.notify_all();
    }

    /// Asks the thread to end after a last read, and blocks until it has ended or the timeout has passed. Returns `true` if it
    /// has ended.
    pub(crate) fn finish_within(&self, timeout: Duration) -> bool {
        self.end(FollowerEnd::AfterLastRead);
        let until = deadline(timeout);
        let mut state = self.0.state.lock();
        while !state.is_over && !state.is_inside() {
            let (next, late) = self.0.changed.wait(state, until);
            state = next;
            if late {
                break;
            }
        }
        state.is_over
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.state.lock().is_over
    }
}

impl FollowerThread {
    /// Blocks until `until`, until a read is requested, or until the thread is asked to end. The read before this call has served
    /// the requests before it.
    pub(crate) fn next(&self, until: Option<Instant>) -> Option<FollowerEnd> {
        let mut state = self.0.state.lock();
        state.served = state.taken;
        self.0.changed.notify_all();
        while state.requested == state.taken && state.end.is_none() {
            let (next, late) = self.0.changed.wait(state, until);
            state = next;
            if late {
                break;
            }
        }
        state.taken = state.requested;
        state.end
    }
}

impl Drop for FollowerThread {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_all();
    }
}
