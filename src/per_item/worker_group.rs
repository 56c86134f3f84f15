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

use crate::util::inside::{Inside, RunId};
use crate::util::panic::contained;

/// The workers of one step.
pub(super) struct WorkerGroup {
    done: Box<dyn Fn() + Send + Sync>,
    /// How many members have not ended, those included that are still to be started. `AcqRel`: the last one completes the
    /// step after all reports of the others.
    left: AtomicUsize,
}

impl WorkerGroup {
    /// A group of so many members, each of which is to become a [`GroupMember`], or to [leave](Self::leave).
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

/// A member that leaves the group when it ends, however it does.
pub(super) struct GroupMember(pub(super) Arc<WorkerGroup>);

impl Drop for GroupMember {
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
    active: &Arc<ActiveWorkers>,
    members: usize,
    work: impl Fn() + Send + Sync + 'static,
    done: impl Fn() + Send + Sync + 'static,
) -> io::Result<()> {
    let (group, work) = (WorkerGroup::new(members, done), Arc::new(work));
    let run = RunId::current();
    for number in 0..members {
        let (own, work, mut guard) = (
            Arc::clone(&group),
            Arc::clone(&work),
            ActiveGuard::new(active),
        );
        let mut builder = thread::Builder::new().name("syncmgr-item".to_owned());
        if let Some(size) = active.stack {
            builder = builder.stack_size(size);
        }
        let started = builder.spawn(move || {
            let _inside = Inside::enter(run);
            guard.begin();
            // Dropped from the last to the first: the thread leaves the group, lets go of the work, then its guard ends.
            let _turn = guard;
            let work = work;
            let _member = GroupMember(own);
            contained(|| work());
        });
        match started {
            Ok(_) => {}
            Err(error) if number == 0 => return Err(error),
            Err(_) => {
                group.leave(members - number);
                break;
            }
        }
    }
    Ok(())
}

/// Which threads of a handler are at work. Locked only to count.
pub(super) struct ActiveWorkers {
    /// The size of their stacks, where it is not that of the platform.
    stack: Option<usize>,
    threads: Mutex<WorkerCounts>,
    changed: Condvar,
}

#[derive(Default)]
struct WorkerCounts {
    /// Those that are still to begin included.
    count: usize,
    /// Of these, the tasks that are not being polled.
    suspended: usize,
    begun: Vec<ThreadId>,
}

impl ActiveWorkers {
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
pub(super) struct ActiveGuard {
    active: Arc<ActiveWorkers>,
    /// The thread, once it has started.
    thread: Option<ThreadId>,
    is_suspended: bool,
}

impl ActiveGuard {
    pub(super) fn new(active: &Arc<ActiveWorkers>) -> Self {
        active.threads.lock().count += 1;
        Self {
            active: Arc::clone(active),
            thread: None,
            is_suspended: false,
        }
    }

    /// The guard of a task, which is suspended until it [begins](Self::begin).
    #[cfg(feature = "async")]
    pub(super) fn of_task(active: &Arc<ActiveWorkers>) -> Self {
        let mut guard = Self::new(active);
        active.threads.lock().suspended += 1;
        guard.is_suspended = true;
        guard
    }

    /// It is this thread that is at work.
    pub(super) fn begin(&mut self) {
        let own = thread::current().id();
        self.thread = Some(own);
        let mut threads = self.active.threads.lock();
        threads.begun.push(own);
        threads.suspended -= usize::from(std::mem::take(&mut self.is_suspended));
    }
}

impl WorkerCounts {
    fn leave(&mut self, thread: Option<ThreadId>) {
        let place = self.begun.iter().position(|begun| Some(*begun) == thread);
        if let Some(place) = place {
            self.begun.swap_remove(place);
        }
    }
}

impl ActiveGuard {
    /// The task waits, and may go on on another thread.
    #[cfg(feature = "async")]
    pub(super) fn pause(&mut self) {
        let thread = self.thread.take();
        let mut threads = self.active.threads.lock();
        threads.leave(thread);
        threads.suspended += 1;
        self.is_suspended = true;
        drop(threads);
        self.active.changed.notify_all();
    }
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        let mut threads = self.active.threads.lock();
        threads.count -= 1;
        threads.suspended -= usize::from(self.is_suspended);
        threads.leave(self.thread);
        drop(threads);
        self.active.changed.notify_all();
    }
}
