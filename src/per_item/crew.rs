//! The threads that do one step, of which the last one completes it.
//!
//! - `done` is called once, by the member that ends last, however its work ended; never where no thread could be started.
//! - A thread is at work from before it is started until it has made its last call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};

/// The threads of one step.
pub(super) struct Crew<W: Fn(), D: Fn()> {
    work: W,
    done: D,
    /// How many members have not ended, those included that are still to be started. `AcqRel`: the last one completes the
    /// step after all reports of the others.
    left: AtomicUsize,
}

impl<W, D> Crew<W, D>
where
    W: Fn() + Send + Sync + 'static,
    D: Fn() + Send + Sync + 'static,
{
    /// Runs `work` on so many threads, and `done` on the last of them. Where there is a thread for one at least, the step
    /// goes on.
    ///
    /// # Errors
    ///
    /// There is no thread at all. Nothing has begun then, so nothing is to be completed (rules H06, H08).
    pub(super) fn start(at_work: &Arc<AtWork>, members: usize, work: W, done: D) -> io::Result<()> {
        let left = AtomicUsize::new(members);
        let crew = Arc::new(Self { work, done, left });
        for number in 0..members {
            let (own, mut turn) = (Arc::clone(&crew), Turn::new(at_work));
            let mut builder = thread::Builder::new().name("syncmgr item".to_owned());
            if let Some(size) = at_work.stack {
                builder = builder.stack_size(size);
            }
            let started = builder.spawn(move || {
                turn.begin();
                let member = Member { crew: own, turn };
                (member.crew.work)();
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
}

impl<W: Fn(), D: Fn()> Crew<W, D> {
    /// So many members have ended. With the last one the step is over.
    fn leave(&self, members: usize) {
        if self.left.fetch_sub(members, Ordering::AcqRel) == members {
            (self.done)();
        }
    }
}

/// A thread that leaves the crew when it ends, however it does. Its turn ends after that.
struct Member<W: Fn(), D: Fn()> {
    crew: Arc<Crew<W, D>>,
    #[expect(dead_code, reason = "held until the thread has left")]
    turn: Turn,
}

impl<W: Fn(), D: Fn()> Drop for Member<W, D> {
    fn drop(&mut self) {
        self.crew.leave(1);
    }
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
    pub(super) fn rest(&self) {
        let own = thread::current().id();
        let mut threads = self.threads.lock();
        while threads.count > usize::from(threads.begun.contains(&own)) {
            self.changed.wait(&mut threads);
        }
    }
}

/// A thread's time at work, from before it is started; or that of a task, which may be on one thread after the other.
pub(super) struct Turn {
    at_work: Arc<AtWork>,
    /// The thread, once it has started.
    thread: Option<ThreadId>,
}

impl Turn {
    pub(super) fn new(at_work: &Arc<AtWork>) -> Self {
        at_work.threads.lock().count += 1;
        Self {
            at_work: Arc::clone(at_work),
            thread: None,
        }
    }

    /// It is this thread that is at work.
    pub(super) fn begin(&mut self) {
        let own = thread::current().id();
        self.thread = Some(own);
        self.at_work.threads.lock().begun.push(own);
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
        self.at_work.threads.lock().leave(thread);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut threads = self.at_work.threads.lock();
        threads.count -= 1;
        threads.leave(self.thread);
        drop(threads);
        self.at_work.changed.notify_all();
    }
}
