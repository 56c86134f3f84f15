//! The locks, condition variables, atomics and the thread-local variable of the session, all in one place.
//!
//! In the crate's own tests under `cfg(loom)` they are loom's, so that the model checker sees every access; otherwise
//! they are `parking_lot`'s and the standard library's, also where a program that is itself checked with
//! `--cfg loom` depends on the crate. Nothing in `session` names another. `Arc` and `Weak` are the
//! standard library's in both cases: a count decides nothing here but when memory is freed. The other thread-local variable,
//! that of `waking`, is declared there, since its type is.
//!
//! # Lock order
//!
//! A thread that holds one of these takes only locks further down:
//!
//! 1. the stage (phase machine),
//! 2. the table of added items,
//! 3. one item's slot (never two at once),
//! 4. the board, the mailbox, the wakers, the dialog turn, the connections, the activity mark. None of these
//!    is ever taken while another of them is held.
//!
//! Those of `waiting` are taken with none of these held, and none of these with one of them: a reporter's listeners, a blocked
//! thread, a callback that waits.
//!
//! User code (a handler, a connector, a waker) is called with none of them held.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(all(test, loom))]
pub(crate) use loom::thread::ThreadId;
#[cfg(not(all(test, loom)))]
pub(crate) use std::thread::ThreadId;

use std::cell::Cell;
use std::time::Instant;

#[cfg(all(test, loom))]
use crate::util::clock;

#[cfg(not(all(test, loom)))]
thread_local! {
    /// The number of the slot that this thread found last, in whichever session. It is a guess, to be proved right by
    /// the id that the slot holds, so it may be of any session and any age.
    pub(crate) static LAST_SLOT: Cell<u32> = const { Cell::new(0) };
}
// loom's, since all threads of a model run on one real thread.
#[cfg(all(test, loom))]
loom::thread_local! {
    pub(crate) static LAST_SLOT: Cell<u32> = Cell::new(0);
}

/// A value that shares no cache line with anything else, so that changing it slows down nobody who reads what lies beside it.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct CacheAligned<T>(pub(crate) T);

impl<T> std::ops::Deref for CacheAligned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The thread that asks; loom's, where all of a model's run on one real thread.
pub(crate) fn this_thread() -> ThreadId {
    #[cfg(not(all(test, loom)))]
    return std::thread::current().id();
    #[cfg(all(test, loom))]
    return loom::thread::current().id();
}

#[cfg(not(all(test, loom)))]
mod imp {
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
}

#[cfg(all(test, loom))]
mod imp {
    //! loom's locks with `parking_lot`'s signatures: a poisoned lock is taken as it is.
    use std::sync::PoisonError;

    pub(crate) use loom::sync::{Condvar, MutexGuard};

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Debug)]
    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

pub(crate) use imp::{Mutex, MutexGuard, RwLock};

/// A condition variable that waits until a point in time, or for ever.
#[derive(Debug)]
pub(crate) struct Signal(imp::Condvar);

impl Signal {
    pub(crate) fn new() -> Self {
        Self(imp::Condvar::new())
    }

    /// Wakes every waiting thread.
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Waits for a notification or for `until` (`None`: for ever). The second value says whether `until` has passed.
    #[cfg(not(all(test, loom)))]
    pub(crate) fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        until: Option<Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        let late = match until {
            Some(until) => self.0.wait_until(&mut guard, until).timed_out(),
            None => {
                self.0.wait(&mut guard);
                false
            }
        };
        (guard, late)
    }

    /// loom has no time: a wait ends by a notification only, unless its time has passed before it begins.
    #[cfg(all(test, loom))]
    pub(crate) fn wait<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        until: Option<Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        if until.is_some_and(|until| until <= clock::now()) {
            return (guard, true);
        }
        let guard = self.0.wait(guard);
        (
            guard.unwrap_or_else(std::sync::PoisonError::into_inner),
            false,
        )
    }
}
