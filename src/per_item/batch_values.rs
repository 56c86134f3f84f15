//! What the closure of a batch returned.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::batch_items::{BatchItems, Places};
use crate::ItemId;
use crate::util::panic::Foreign;

/// The values that the closure of a [`Batch`](super::Batch) returned, of the items that it has done last. Clones share them.
pub struct BatchValues<R> {
    places: Arc<Places>,
    values: Arc<AllValues<R>>,
}

/// Most items are done once, so only the values of further attempts are locked and allocated.
struct AllValues<R> {
    /// What the first attempt that succeeded returned, in the order of the list.
    first: Box<[OnceLock<Foreign<R>>]>,
    /// What became of later attempts. Locked only to read or change it.
    later: Mutex<LaterValues<R>>,
}

type LaterValues<R> = HashMap<usize, Option<Arc<Foreign<R>>>, RandomState>;

impl<R> BatchValues<R> {
    pub(super) fn new<T>(items: &BatchItems<T>) -> Self {
        Self {
            places: Arc::clone(&items.places),
            values: Arc::new(AllValues {
                first: (0..items.len()).map(|_| OnceLock::new()).collect(),
                later: Mutex::default(),
            }),
        }
    }

    /// An attempt begins: what earlier ones returned does not count any more.
    pub(super) fn clear(&self, place: usize) {
        if self
            .values
            .first
            .get(place)
            .is_some_and(|first| first.get().is_some())
        {
            let old = self.values.later.lock().insert(place, None);
            drop(old); // foreign code, so without the lock
        }
    }

    /// An attempt has returned a value.
    pub(super) fn set(&self, place: usize, value: R) {
        let Some(first) = self.values.first.get(place) else {
            return;
        };
        if let Err(value) = first.set(Foreign::new(value)) {
            let value = Some(Arc::new(value));
            let old = self.values.later.lock().insert(place, value);
            drop(old);
        }
    }

    /// Calls `read` with the value of an item, and returns what it returns. `None` if the closure has not returned a value for
    /// the item.
    pub fn get<V>(&self, item: ItemId, read: impl FnOnce(&R) -> V) -> Option<V> {
        let place = *self.places.get(&item)? as usize;
        let later = self.values.later.lock().get(&place).cloned();
        match later {
            Some(later) => Some(read(&*later?)),
            None => Some(read(self.values.first.get(place)?.get()?)),
        }
    }

    /// The values as they are now.
    pub(super) fn snapshot(&self) -> ValueSnapshot<R> {
        ValueSnapshot {
            later: self.values.later.lock().clone(),
            values: Arc::clone(&self.values),
        }
    }
}

/// The values of a run that is over.
pub(super) struct ValueSnapshot<R> {
    values: Arc<AllValues<R>>,
    later: LaterValues<R>,
}

impl<R> ValueSnapshot<R> {
    /// The value of the item at this place of the list.
    pub(super) fn get(&self, place: usize) -> Option<&R> {
        match self.later.get(&place) {
            Some(later) => later.as_ref().map(|value| &***value),
            None => self.values.first.get(place)?.get().map(|value| &**value),
        }
    }

    pub(super) fn count(&self) -> usize {
        let places = 0..self.values.first.len();
        places.filter(|place| self.get(*place).is_some()).count()
    }
}

impl<R> Clone for BatchValues<R> {
    fn clone(&self) -> Self {
        Self {
            places: Arc::clone(&self.places),
            values: Arc::clone(&self.values),
        }
    }
}

impl<R> fmt::Debug for BatchValues<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BatchValues")
            .field(&self.snapshot().count())
            .finish()
    }
}
