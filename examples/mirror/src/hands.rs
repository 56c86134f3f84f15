//! Which threads work on an item: the one that does the item, and others that help while they are free.
//!
//! The work on an item is a stack of tasks. Each item has one thread of the handler's; when fewer items are in work than
//! there may be threads, the others help. So several items run at once, and a single huge one still keeps all threads busy.
//! Tasks are taken last in, first out, so that few directories are open at a time.
//!
//! The locks are held only to move tasks, never while the host is called.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, scope};

/// Directories may be nested deep, and some functions call themselves once for each level.
pub const STACK: usize = 16 << 20;

/// How many threads work on all items together.
pub struct Hands {
    most: usize,
    /// Relaxed: it only counts. One more than `most` for as long as a task takes, when an item begins while others help.
    busy: AtomicUsize,
}

impl Hands {
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            busy: AtomicUsize::new(0),
        }
    }

    pub fn most(&self) -> usize {
        self.most
    }

    /// An item's own thread works in any case.
    fn take(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Relaxed);
        Busy(self)
    }

    /// A helper, if there is a hand free.
    fn spare(&self) -> Option<Busy<'_>> {
        let one_more = |busy| (busy < self.most).then_some(busy + 1);
        let taken = self.busy.fetch_update(Relaxed, Relaxed, one_more);
        taken.is_ok().then(|| Busy(self))
    }
}

/// A hand that is busy.
struct Busy<'h>(&'h Hands);

impl Busy<'_> {
    /// Whether an item has begun meanwhile whose own thread takes this one's place.
    fn is_too_many(&self) -> bool {
        self.0.busy.load(Relaxed) > self.0.most
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// The tasks of an item.
pub struct Tasks<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: Vec<T>,
    /// Threads that do one, and may yet find more.
    at_work: usize,
    /// The item's own thread waits.
    is_awaited: bool,
}

/// Does these tasks, and those that they find, on this thread and on such as are free. `worker` makes what one thread needs.
pub fn share<T, W>(hands: &Hands, tasks: Vec<T>, worker: impl Fn() -> W + Sync)
where
    T: Send,
    W: FnMut(T, &Tasks<T>),
{
    let tasks = Tasks {
        state: Mutex::new(State {
            waiting: tasks,
            at_work: 0,
            is_awaited: false,
        }),
        changed: Condvar::new(),
    };
    scope(|scope| {
        let mut work = worker();
        loop {
            let busy = hands.take();
            while let Some((task, more)) = tasks.next() {
                let _doing = Doing(&tasks);
                if more {
                    help(scope, hands, &tasks, &worker);
                }
                work(task, &tasks);
            }
            drop(busy);
            if !tasks.wait() {
                break;
            }
        }
    });
}

/// Starts a helper, if there is a hand free. It helps until there is nothing to do, or until an item needs the hand.
fn help<'s, T, W>(
    scope: &'s Scope<'s, '_>,
    hands: &'s Hands,
    tasks: &'s Tasks<T>,
    worker: &'s (impl Fn() -> W + Sync),
) where
    T: Send,
    W: FnMut(T, &Tasks<T>),
{
    let Some(busy) = hands.spare() else {
        return;
    };
    let helper = move || {
        let mut work = worker();
        while !busy.is_too_many() {
            let Some((task, more)) = tasks.next() else {
                break;
            };
            let _doing = Doing(tasks);
            if more {
                help(scope, hands, tasks, worker);
            }
            work(task, tasks);
        }
    };
    // Where there is no thread, fewer hands do the same work.
    _ = Builder::new().stack_size(STACK).spawn_scoped(scope, helper);
}

impl<T> Tasks<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task, and whether more wait.
    fn next(&self) -> Option<(T, bool)> {
        let mut state = self.lock();
        let task = state.waiting.pop()?;
        state.at_work += 1;
        Some((task, !state.waiting.is_empty()))
    }

    /// Waits for tasks that the helpers may find; `false` if all is done.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        state.is_awaited = true;
        while state.waiting.is_empty() && state.at_work > 0 {
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_awaited = false;
        !state.waiting.is_empty()
    }

    /// Adds tasks that a task has found; the last one is done first.
    pub fn push(&self, tasks: Vec<T>) {
        let mut state = self.lock();
        state.waiting.extend(tasks);
        self.wake(&state);
    }

    /// To wake nobody would cost a system call each time.
    fn wake(&self, state: &State<T>) {
        if state.is_awaited {
            self.changed.notify_one();
        }
    }
}

/// A task that is being done, to its end or to a panic.
struct Doing<'t, T>(&'t Tasks<T>);

impl<T> Drop for Doing<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.at_work -= 1;
        self.0.wake(&state);
    }
}
