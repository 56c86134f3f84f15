//! A set of wakers of different tasks.

use std::collections::HashMap;
use std::task::Waker;

use foldhash::fast::RandomState;

use super::panic::Foreign;

/// Wakers of different tasks, in the order in which they came. Finding one is O(1).
#[derive(Debug, Default)]
pub(crate) struct WakerSet {
    /// By what [`Waker::will_wake`] compares, each with its age.
    kept: HashMap<(usize, usize), (u64, Foreign<Waker>), RandomState>,
    next: u64,
}

impl WakerSet {
    fn key(waker: &Waker) -> (usize, usize) {
        let vtable: *const _ = waker.vtable();
        (waker.data() as usize, vtable as usize)
    }

    /// Keeps a waker; one that wakes the same task gives way to it, and is returned to be dropped
    /// with no lock held.
    pub(crate) fn keep(&mut self, waker: Waker) -> Option<Foreign<Waker>> {
        self.next += 1;
        let key = Self::key(&waker);
        let old = self.kept.insert(key, (self.next, Foreign::new(waker)));
        old.map(|(_, waker)| waker)
    }

    pub(crate) fn forget(&mut self, waker: &Waker) -> Option<Foreign<Waker>> {
        self.kept.remove(&Self::key(waker)).map(|(_, waker)| waker)
    }

    /// Returns `true` if a waker of the same task is there.
    pub(crate) fn contains(&self, waker: &Waker) -> bool {
        self.kept.contains_key(&Self::key(waker))
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn into_wakers(self) -> Vec<Waker> {
        let mut kept: Vec<_> = self.kept.into_values().collect();
        kept.sort_unstable_by_key(|(age, _)| *age);
        let wakers = kept.into_iter();
        wakers.filter_map(|(_, waker)| waker.into_inner()).collect()
    }
}
