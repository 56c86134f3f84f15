//! Waking tasks: panics are contained, and the stack stays bounded however wakers lead to wakers.
//!
//! A waker is foreign code. It may cancel an item, which wakes the next waker, or register again for an item that is
//! already cancelled, which wakes it immediately. So wakes nest up to [`DEEPEST`] on a thread. The wakers beyond that are
//! queued, and woken by the innermost level as soon as its own wake has returned: still before the outermost one returns.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

use super::panic::contained;

/// How deep wakes nest. Each `on_cancel` callback takes two levels: its reporter's waker, and its own.
const DEEPEST: usize = 32;

/// The wakes that are under way on a thread.
struct Nest(RefCell<NestedWakes>);

/// Nothing is allocated before wakes nest too deep, and nothing is kept when they have returned: a program
/// that counts its memory finds none of it here.
struct NestedWakes {
    /// The first `depth` of these are under way.
    under_way: [Identity; DEEPEST],
    depth: usize,
    queue: VecDeque<Waker>,
}

impl Nest {
    const fn new() -> Self {
        Self(RefCell::new(NestedWakes {
            under_way: [Identity::NONE; DEEPEST],
            depth: 0,
            queue: VecDeque::new(),
        }))
    }
}

#[cfg(not(all(test, loom)))]
thread_local! {
    static NEST: Nest = const { Nest::new() };
}
#[cfg(all(test, loom))]
loom::thread_local! {
    static NEST: Nest = Nest::new();
}

/// Tells wakers apart. It is compared with those of wakers that are alive only, so that no address is used twice.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    data: *const (),
    /// Only where there are no data: one waker may have several equal tables.
    table: Option<*const std::task::RawWakerVTable>,
}

impl Identity {
    const NONE: Self = Self {
        data: std::ptr::null(),
        table: None,
    };

    fn of(waker: &Waker) -> Self {
        let data = waker.data();
        let table: *const _ = waker.vtable();
        Self {
            data,
            table: data.is_null().then_some(table),
        }
    }
}

/// Wakes them all. To be called with no lock held.
///
/// One that panics does not keep the others from being woken, nor the cancel from returning: the panic hook has shown
/// it, and it is nobody's here.
pub(crate) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        wake_one(waker);
        while let Ok(Some(next)) = NEST.try_with(|nest| nest.0.borrow_mut().queue_head()) {
            wake_one(next);
        }
    }
}

/// Wakes a waker that was registered too late to wait. One that does so each time it is woken is not woken without end.
pub(crate) fn wake_at_once(waker: Waker) {
    let identity = Identity::of(&waker);
    let again = NEST.try_with(|nest| {
        let wakes = nest.0.borrow();
        wakes.is_full() && wakes.under_way.contains(&identity)
    });
    match again {
        // Whoever registers inside a wake asks after it: the wake that is under way will do.
        Ok(true) => drop(contained(|| drop(waker))),
        _ => wake(vec![waker]),
    }
}

fn wake_one(waker: Waker) {
    let mut waker = Some(waker);
    // Without the variable, which is gone when the thread ends, wakes nest as they come.
    let entered = NEST.try_with(|nest| nest.0.borrow_mut().enter(&mut waker));
    let Some(waker) = waker else {
        return; // it is queued
    };
    contained(|| waker.wake_by_ref());
    contained(|| drop(waker));
    if entered.is_ok() {
        let _ = NEST.try_with(|nest| nest.0.borrow_mut().leave());
    }
}

impl NestedWakes {
    fn is_full(&self) -> bool {
        self.depth >= DEEPEST
    }

    /// Takes the waker into the queue where wakes are nested too deep; else notes that its wake is under way.
    fn enter(&mut self, waker: &mut Option<Waker>) {
        match self.under_way.get_mut(self.depth) {
            None => self.queue.extend(waker.take()),
            Some(next) => {
                *next = waker.as_ref().map_or(Identity::NONE, Identity::of);
                self.depth += 1;
            }
        }
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The next waker in the queue, unless the caller is itself nested too deep.
    fn queue_head(&mut self) -> Option<Waker> {
        match self.is_full() {
            true => None,
            false => {
                let next = self.queue.pop_front();
                if next.is_none() {
                    self.queue = VecDeque::new(); // gives its memory back
                }
                next
            }
        }
    }
}
