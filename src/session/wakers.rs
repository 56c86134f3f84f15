//! Who is to be woken by a cancel or by the end of an item.
//!
//! A waker is kept until its item ends, or until the reporter that registered it is dropped. The
//! slot's `WAITED` bit says that there is one, so that ending an item nobody
//! waits for does not come here. Wakers are user code: they are handed out and woken with no lock held.

use std::collections::HashMap;
use std::task::Waker;

use foldhash::fast::RandomState;

use super::contained::Foreign;
use super::sync::Mutex;

/// The key of those who wait for the whole handler.
pub(super) const WHOLE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Wakers(Mutex<HashMap<u32, WakerSet>>);

impl Wakers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Keeps a waker: see [`WakerSet::keep`].
    pub(super) fn keep(&self, key: u32, waker: Waker) -> Option<Foreign<Waker>> {
        self.0.lock().entry(key).or_default().keep(waker)
    }

    /// Takes out a waker that is not to be woken any more, to be dropped with no lock held.
    pub(super) fn forget(&self, key: u32, waker: &Waker) -> Option<Foreign<Waker>> {
        let mut all = self.0.lock();
        let kept = all.get_mut(&key)?;
        let forgotten = kept.forget(waker);
        if kept.is_empty() {
            all.remove(&key);
        }
        forgotten
    }

    /// Hands out those who wait for `key`.
    pub(super) fn take(&self, key: u32) -> Vec<Waker> {
        let kept = self.0.lock().remove(&key);
        kept.map_or_else(Vec::new, WakerSet::into_wakers)
    }

    /// Those who wait for `old` wait for `new` from now on.
    pub(super) fn rename(&self, old: u32, new: u32) {
        let mut all = self.0.lock();
        if let Some(waiting) = all.remove(&old) {
            all.insert(new, waiting);
        }
    }

    /// Hands out everybody.
    pub(super) fn take_all(&self) -> Vec<Waker> {
        let all = std::mem::take(&mut *self.0.lock());
        all.into_values().flat_map(WakerSet::into_wakers).collect()
    }
}

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

    fn forget(&mut self, waker: &Waker) -> Option<Foreign<Waker>> {
        self.kept.remove(&Self::key(waker)).map(|(_, waker)| waker)
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
