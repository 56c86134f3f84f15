//! Which thread does what next.
//!
//! The work on an item is a stack of tasks. A thread stays with its item while that has tasks; then it begins the next item;
//! and when every item has begun it helps with any other. So several items run at once, and a single huge one still
//! keeps all threads busy. Tasks are taken last in, first out, so that few directories are open at a time.
//!
//! The lock is held only to move tasks, never while the host is called.

use crate::job::Job;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Tasks of type `T`.
pub struct Pool<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<Arc<Job>>,
    active: Vec<Active<T>>,
    /// Threads that wait for something to do. To wake nobody would cost a system call each time.
    idle: usize,
}

struct Active<T> {
    job: Arc<Job>,
    tasks: Vec<T>,
    /// Threads that work on it.
    hands: usize,
}

/// What a thread is to do.
pub enum Turn<T> {
    /// Begin this item.
    Begin(Arc<Job>),
    /// Do this task of this item.
    Do(Arc<Job>, T),
}

impl<T> Pool<T> {
    pub fn new(jobs: impl IntoIterator<Item = Arc<Job>>) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: jobs.into_iter().collect(),
                active: Vec::new(),
                idle: 0,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to do, for a thread that last worked on the item `last`; `None` when all is done.
    /// Each answer must be given back with [`Pool::done`].
    pub fn next(&self, last: Option<&Arc<Job>>) -> Option<Turn<T>> {
        let mut state = self.lock();
        loop {
            let own =
                |active: &&mut Active<T>| last.is_some_and(|last| Arc::ptr_eq(last, &active.job));
            if let Some(turn) = state.active.iter_mut().find(own).and_then(Active::pop) {
                return Some(turn);
            }
            if let Some(job) = state.waiting.pop_front() {
                state.active.push(Active {
                    job: Arc::clone(&job),
                    tasks: Vec::new(),
                    hands: 1,
                });
                return Some(Turn::Begin(job));
            }
            if let Some(turn) = state.active.iter_mut().find_map(Active::pop) {
                return Some(turn);
            }
            if state.active.is_empty() {
                return None;
            }
            // Somebody is at work and may yet find more.
            state.idle += 1;
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Adds tasks to an item that the calling thread is working on; the last one is done first.
    pub fn push(&self, job: &Arc<Job>, tasks: Vec<T>) {
        let mut state = self.lock();
        // One of them is for the calling thread.
        let wake = state.idle > 0 && tasks.len() > 1;
        if let Some(active) = state.active.iter_mut().find(|a| Arc::ptr_eq(job, &a.job)) {
            active.tasks.extend(tasks);
        }
        drop(state);
        if wake {
            self.changed.notify_all();
        }
    }

    /// The thread has ended its turn. `true` if that was the last of the item: it is to be finished now.
    pub fn done(&self, job: &Arc<Job>) -> bool {
        let mut state = self.lock();
        let Some(at) = state.active.iter().position(|a| Arc::ptr_eq(job, &a.job)) else {
            return false;
        };
        let active = &mut state.active[at];
        active.hands -= 1;
        if active.hands > 0 || !active.tasks.is_empty() {
            return false;
        }
        state.active.remove(at);
        if state.active.is_empty() && state.waiting.is_empty() {
            drop(state);
            self.changed.notify_all();
        }
        true
    }
}

impl<T> Active<T> {
    fn pop(&mut self) -> Option<Turn<T>> {
        let task = self.tasks.pop()?;
        self.hands += 1;
        Some(Turn::Do(Arc::clone(&self.job), task))
    }
}
