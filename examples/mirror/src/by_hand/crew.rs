//! Threads that work on one thing, of which the last one tells that it is done.
//!
//! This is what two-step completion asks for: `prepare_for_sync` and `synchronize` start the crew and
//! return, and its last thread calls the completion. It also knows whether anybody is still at work, for the
//! callback must not be used after the host took it away.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// The threads of a handler.
#[derive(Default)]
pub struct Crew {
    at_work: Mutex<usize>,
    changed: Condvar,
}

/// Directories may be nested deep, and some functions call themselves once for each level.
const STACK: usize = 16 << 20;

thread_local! {
    /// How many turns this thread has; more than one if the host calls the handler from inside a completion.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

impl Crew {
    /// Runs `work` on so many threads; whoever ends last calls `done`, even if `work` panicked. Answers an error only if
    /// no thread at all could be started; then neither is called.
    pub fn start(
        self: &Arc<Self>,
        threads: usize,
        work: impl Fn() + Send + Sync + 'static,
        done: impl FnOnce() + Send + Sync + 'static,
    ) -> io::Result<()> {
        let mine = Turn::new(self);
        // Whoever gives back the last reference to this is the last one.
        let shared = Arc::new((work, done));
        for number in 0..threads.max(1) {
            let turn = Turn::new(self);
            let task = Arc::clone(&shared);
            let builder = thread::Builder::new().name(format!("mirror-{number}"));
            let started = builder.stack_size(STACK).spawn(move || {
                turn.hold(|| {
                    // A panic in the work on an item is caught there; this is for all else.
                    _ = catch_unwind(AssertUnwindSafe(&task.0));
                    finish(task);
                });
            });
            match started {
                Ok(_) => {}
                Err(error) if number == 0 => return Err(error),
                // Fewer hands do the same work.
                Err(_) => break,
            }
        }
        // The others may have been faster than this loop.
        mine.hold(|| finish(shared));
        Ok(())
    }

    /// Waits until nobody is at work but, perhaps, the calling thread.
    pub fn rest(&self) {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        while *at_work > MINE.get() {
            at_work = (self.changed.wait(at_work)).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn finish<W, D: FnOnce()>(shared: Arc<(W, D)>) {
    if let Some((_, done)) = Arc::into_inner(shared) {
        done();
    }
}

/// One thread's place in the crew, from before it starts until it has ended.
struct Turn(Arc<Crew>);

impl Turn {
    fn new(crew: &Arc<Crew>) -> Self {
        *crew.at_work.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(Arc::clone(crew))
    }

    fn hold(self, body: impl FnOnce()) {
        MINE.set(MINE.get() + 1);
        body();
        MINE.set(MINE.get() - 1);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let crew = &self.0;
        *crew.at_work.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        crew.changed.notify_all();
    }
}
