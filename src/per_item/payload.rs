//! The payload of an item of a batch, for a future.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::batch_items::BatchItems;
use super::task_context::TaskContext;

/// The payload of an item of a batch, for a future: see [`each_async`](super::each_async). Clones share it.
pub struct Payload<T> {
    items: Arc<BatchItems<T>>,
    /// A place in the list.
    place: usize,
}

impl<T> Payload<T> {
    /// The payload of the item of a context.
    pub(super) fn new(items: &Arc<BatchItems<T>>, item: &TaskContext) -> Option<Self> {
        let place = items.place(item.item().id, item.shared.place())?;
        Some(Self {
            items: Arc::clone(items),
            place,
        })
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }
}

impl<T> Deref for Payload<T> {
    type Target = T;

    #[expect(clippy::indexing_slicing, reason = "it was found at this place")]
    fn deref(&self) -> &T {
        &self.items.payloads[self.place]
    }
}

impl<T> Clone for Payload<T> {
    fn clone(&self) -> Self {
        Self {
            items: Arc::clone(&self.items),
            place: self.place,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Payload<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Payload").field(&**self).finish()
    }
}
