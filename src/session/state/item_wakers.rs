//! Who is to be woken by a cancel or by the end of an item.
//!
//! A waker is kept until its item ends, or until the reporter that registered it is dropped. The
//! slot's `WAITED` bit says that there is one, so that ending an item nobody
//! waits for does not come here. ItemWakers are user code: they are handed out and woken with no lock held.

use std::collections::HashMap;
use std::task::Waker;

use crate::util::panic::Foreign;
use crate::util::sync::Mutex;
use crate::util::waker_set::WakerSet;

/// The key of those who wait for the whole handler.
pub(crate) const WHOLE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct ItemWakers(Mutex<HashMap<u32, WakerSet>>);

impl ItemWakers {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Keeps a waker: see [`WakerSet::keep`].
    pub(crate) fn keep(&self, key: u32, waker: Waker) -> Option<Foreign<Waker>> {
        self.0.lock().entry(key).or_default().keep(waker)
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
