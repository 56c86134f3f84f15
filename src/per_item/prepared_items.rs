//! The items of a prepare, and what was measured of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ItemId;

#[derive(Clone)]
pub(super) struct PreparedItems {
    /// In the order in which they are begun.
    pub(super) ids: Arc<[ItemId]>,
    /// How much there is to do for each, in the same order; 0 if that is not known. `Relaxed`: the prepare is completed between
    /// the stores and the loads.
    maxima: Option<Arc<[AtomicU64]>>,
}

impl PreparedItems {
    pub(super) fn new(ids: Arc<[ItemId]>, is_measured: bool) -> Self {
        let unknown = || ids.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            maxima: is_measured.then(unknown),
            ids,
        }
    }

    /// How much there is to do for the item at this place; 0 if that is not known.
    pub(super) fn max(&self, place: usize) -> u64 {
        let max = self.maxima.as_ref().and_then(|maxima| maxima.get(place));
        max.map_or(0, |max| max.load(Ordering::Relaxed))
    }

    /// Keeps how much there is to do for the item at this place.
    pub(super) fn set_max(&self, place: usize, max: u64) {
        if let Some(kept) = self.maxima.as_ref().and_then(|maxima| maxima.get(place)) {
            kept.store(max, Ordering::Relaxed);
        }
    }
}
