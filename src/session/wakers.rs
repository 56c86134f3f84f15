//! Who is to be woken by a cancel or by the end of an item.
//!
//! A waker is kept until its item ends. The slot's `WAITED` bit says that there is one, so that ending an item nobody
//! waits for does not come here. Wakers are user code: they are handed out and woken with no lock held.

use std::collections::HashMap;
use std::task::Waker;

use super::contained::Foreign;
use super::sync::Mutex;

/// The key of those who wait for the whole handler.
pub(super) const WHOLE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Wakers(Mutex<HashMap<u32, Vec<Waker>>>);

impl Wakers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Keeps a waker: see [`keep`].
    pub(super) fn keep(&self, key: u32, waker: Waker) -> Option<Foreign<Waker>> {
        keep(self.0.lock().entry(key).or_default(), waker)
    }

    /// Hands out those who wait for `key`.
    pub(super) fn take(&self, key: u32) -> Vec<Waker> {
        self.0.lock().remove(&key).unwrap_or_default()
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
        all.into_values().flatten().collect()
    }
}

/// Keeps a waker; one that wakes the same task gives way to it, and is returned to be dropped without the lock.
pub(crate) fn keep(kept: &mut Vec<Waker>, waker: Waker) -> Option<Foreign<Waker>> {
    match kept.iter_mut().find(|kept| kept.will_wake(&waker)) {
        Some(same) => Some(Foreign::new(std::mem::replace(same, waker))),
        None => {
            kept.push(waker);
            None
        }
    }
}
