//! The workers that do one step, threads or tasks, of which the last one completes it.
//!
//! - `done` is called once, by the member that ends last, however its work ended; never where no thread could be started. It
//!   calls the host, as the work does, and both are contained: a host that panics in one call is not called again while the
//!   thread unwinds, where a second panic would abort the process.
//! - A worker is at work from before it is started until it has made its last call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};

use crate::util::panic::contained;

/// The workers of one step.
pub(super) struct Crew {
    done: Box<dyn Fn() + Send + Sync>,
    /// How many members have not ended, those included that are still to be started. `AcqRel`: the last one completes the
    /// step after all reports of the others.
    left: AtomicUsize,
}

impl Crew {
    /// A crew of so many members, each of which is to become a [`Member`], or to [leave](Self::leave).
    pub(super) fn new(members: usize, done: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            done: Box::new(done),
            left: AtomicUsize::new(members),
        })
    }

    /// So many members have ended. With the last one the step is over.
    pub(super) fn leave(&self, members: usize) {
        if members > 0 && self.left.fetch_sub(members, Ordering::AcqRel) == members {
            // A runtime may drop a task while it unwinds.
            contained(|| (self.done)());
        }
    }
}

/// A member that leaves the crew when it ends, however it does.
pub(super) struct Member(pub(super) Arc<Crew>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.leave(1);
    }
}

/// Runs `work` on so many threads, and `done` on the last of them. Where there is a thread for one at least, the step goes on.
///
/// # Errors
///
/// There is no thread at all. Nothing has begun then, so nothing is to be completed (rules H06, H08).
pub(super) fn start_threads(
    at_work: &Arc<AtWork>,
    members: usize,
    work: impl Fn() + Send + Sync + 'static,
    done: impl Fn() + Send + Sync + 'static,
) -> io::Result<()> {
    let (crew, work) = (Crew::new(members, done), Arc::new(work));
    for number in 0..members {
        let (own, work, mut turn) = (Arc::clone(&crew), Arc::clone(&work), Turn::new(at_work));
        let mut builder = thread::Builder::new().name("syncmgr-item".to_owned());
        if let Some(size) = at_work.stack {
            builder = builder.stack_size(size);
        }
        let started = builder.spawn(move || {
            turn.begin();
            // Dropped from the last to the first: the thread leaves the crew, lets go of the work, then its turn ends.
            let _turn = turn;
            let work = work;
            let _member = Member(own);
            contained(|| work());
        });
        match started {
            Ok(_) => {}
            Err(error) if number == 0 => return Err(error),
            Err(_) => {
                crew.leave(members - number);
                break;
            }
        }
    }
    Ok(())
}

/// Which threads of a handler are at work. Locked only to count.
pub(super) struct AtWork {
    /// The size of their stacks, where it is not that of the platform.
    stack: Option<usize>,
    threads: Mutex<Threads>,
    changed: Condvar,
}

#[derive(Default)]
struct Threads {
    /// Those that are still to begin included.
    count: usize,
    /// Of these, the tasks that are not being polled.
    suspended: usize,
    begun: Vec<ThreadId>,
}

impl AtWork {
    pub(super) fn new(stack: Option<usize>) -> Arc<Self> {
        let (threads, changed) = Default::default();
        Arc::new(Self {
            stack,
            threads,
            changed,
        })
    }

    /// Waits until nobody is at work but, perhaps, the calling thread: a host may call the handler from inside an answer.
    ///
    /// On a thread that is at work, suspended tasks are not waited for: it may be the only thread that polls them.
    pub(super) fn rest(&self) {
        let own = thread::current().id();
        let mut threads = self.threads.lock();
        loop {
            let on_own = threads.begun.iter().filter(|begun| **begun == own).count();
            let left_out = if on_own > 0 { threads.suspended } else { 0 };
            if threads.count <= on_own + left_out {
                return;
            }
            self.changed.wait(&mut threads);
        }
    }
}

/// A thread's time at work, from before it is started; or that of a task, which may be on one thread after the other.
pub(super) struct Turn {
    at_work: Arc<AtWork>,
    /// The thread, once it has started.
    thread: Option<ThreadId>,
    is_suspended: bool,
}

impl Turn {
    pub(super) fn new(at_work: &Arc<AtWork>) -> Self {
        at_work.threads.lock().count += 1;
        Self {
            at_work: Arc::clone(at_work),
            thread: None,
            is_suspended: false,
        }
    }

    /// The turn of a task, which is suspended until it [begins](Self::begin).
    #[cfg(feature = "async")]
    pub(super) fn of_task(at_work: &Arc<AtWork>) -> Self {
        let mut turn = Self::new(at_work);
        at_work.threads.lock().suspended += 1;
        turn.is_suspended = true;
        turn
    }

    /// It is this thread that is at work.
    pub(super) fn begin(&mut self) {
        let own = thread::current().id();
        self.thread = Some(own);
        let mut threads = self.at_work.threads.lock();
        threads.begun.push(own);
        threads.suspended -= usize::from(std::mem::take(&mut self.is_suspended));
    }
}

impl Threads {
    fn leave(&mut self, thread: Option<ThreadId>) {
        let place = self.begun.iter().position(|begun| Some(*begun) == thread);
        if let Some(place) = place {
            self.begun.swap_remove(place);
        }
    }
}

impl Turn {
    /// The task waits, and may go on on another thread.
    #[cfg(feature = "async")]
    pub(super) fn pause(&mut self) {
        let thread = self.thread.take();
        let mut threads = self.at_work.threads.lock();
        threads.leave(thread);
        threads.suspended += 1;
        self.is_suspended = true;
        drop(threads);
        self.at_work.changed.notify_all();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut threads = self.at_work.threads.lock();
        threads.count -= 1;
        threads.suspended -= usize::from(self.is_suspended);
        threads.leave(self.thread);
        drop(threads);
        self.at_work.changed.notify_all();
    }
}
