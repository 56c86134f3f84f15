//! What the closure of a batch returned.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::batch_items::{BatchItems, Places};
use crate::ItemId;
use crate::util::panic::Foreign;

/// The values that the closure of a [`Batch`](super::Batch) returned, of the items that it has done last. Clones share them.
pub struct BatchValues<R> {
    places: Arc<Places>,
    /// In the order of the list. Each is locked only to read or change it.
    slots: Arc<[Mutex<Value<R>>]>,
}

pub(super) type Value<R> = Option<Arc<Foreign<R>>>;

impl<R> BatchValues<R> {
    pub(super) fn new<T>(items: &BatchItems<T>) -> Self {
        Self {
            places: Arc::clone(&items.places),
            slots: (0..items.len()).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Sets the value of an item, or that it has none.
    pub(super) fn set(&self, place: usize, value: Option<R>) {
        let value = value.map(|value| Arc::new(Foreign::new(value)));
        if let Some(slot) = self.slots.get(place) {
            let old = std::mem::replace(&mut *slot.lock(), value);
            drop(old); // foreign code, so without the lock
        }
    }

    /// The values as they are now, in the order of the list.
    pub(super) fn all(&self) -> Vec<Value<R>> {
        self.slots.iter().map(|slot| slot.lock().clone()).collect()
    }

    /// Calls `read` with the value of an item, and returns what it returns. `None` if the closure has not returned a value for
    /// the item.
    pub fn get<V>(&self, item: ItemId, read: impl FnOnce(&R) -> V) -> Option<V> {
        let slot = self.slots.get(*self.places.get(&item)? as usize)?;
        let value = slot.lock().clone()?;
        Some(read(&value))
    }
}

impl<R> Clone for BatchValues<R> {
    fn clone(&self) -> Self {
        Self {
            places: Arc::clone(&self.places),
            slots: Arc::clone(&self.slots),
        }
    }
}

impl<R> fmt::Debug for BatchValues<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_value = |slot: &&Mutex<Value<R>>| slot.lock().is_some();
        let count = self.slots.iter().filter(has_value).count();
        f.debug_tuple("BatchValues").field(&count).finish()
    }
}
