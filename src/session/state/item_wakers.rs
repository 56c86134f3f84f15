//! Who is to be woken by a cancel or by the end of an item.
//!
//! A waker is kept until its item ends, or until the reporter that registered it is dropped. The
//! slot's `WAITED` bit says that there is one, so that ending an item nobody
//! waits for does not come here. Wakers are user code: they are handed out and woken with no lock held.

use std::collections::HashMap;
use std::task::Waker;

use crate::util::panic::Foreign;
use crate::util::sync::Mutex;
use crate::util::wake::wake;
use crate::util::waker_set::WakerSet;

/// The key of those who wait for the whole handler.
pub(crate) const WHOLE: u32 = u32::MAX;

/// How many wakers are kept for one item, and for the whole handler. Wrappers of a callback cannot take
/// one back, so wakers of dropped reporters would pile up.
const WAKERS_MOST: usize = 4_096;

/// What a waker that is kept has displaced. Foreign code, to be woken and dropped with no lock held.
#[derive(Default)]
#[must_use = "the others must be woken"]
pub(crate) struct Kept {
    /// Wakers that must be woken.
    others: Vec<Waker>,
    /// An earlier waker of the same task, which is dropped.
    replaced: Option<Foreign<Waker>>,
}

impl Kept {
    /// Wakes the displaced wakers. No lock may be held.
    pub(crate) fn wake(self) {
        wake(self.others);
        drop(self.replaced);
    }
}

#[derive(Debug)]
pub(crate) struct ItemWakers(Mutex<HashMap<u32, WakerSet>>);

impl ItemWakers {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Keeps a waker. If there are too many, the others are returned, and must be woken: a task that
    /// still waits registers again.
    pub(crate) fn keep(&self, key: u32, waker: Waker) -> Kept {
        let mut all = self.0.lock();
        let set = all.entry(key).or_default();
        let others = match set.len() >= WAKERS_MOST && !set.contains(&waker) {
            true => std::mem::take(set).into_wakers(),
            false => Vec::new(),
        };
        let replaced = set.keep(waker);
        Kept { others, replaced }
    }

    /// Takes out a waker that is not to be woken any more, to be dropped with no lock held.
    pub(crate) fn forget(&self, key: u32, waker: &Waker) -> Option<Foreign<Waker>> {
        let mut all = self.0.lock();
        let kept = all.get_mut(&key)?;
        let forgotten = kept.forget(waker);
        if kept.is_empty() {
            all.remove(&key);
        }
        forgotten
    }

    /// Hands out those who wait for `key`.
    pub(crate) fn take(&self, key: u32) -> Vec<Waker> {
        let kept = self.0.lock().remove(&key);
        kept.map_or_else(Vec::new, WakerSet::into_wakers)
    }

    /// Those who wait for `old` wait for `new` from now on.
    pub(crate) fn rename(&self, old: u32, new: u32) {
        let mut all = self.0.lock();
        if let Some(waiting) = all.remove(&old) {
            all.insert(new, waiting);
        }
    }

    /// Hands out everybody.
    pub(crate) fn take_all(&self) -> Vec<Waker> {
        let all = std::mem::take(&mut *self.0.lock());
        all.into_values().flat_map(WakerSet::into_wakers).collect()
    }
}
