//! The hidden shortcut from a callback to the place where it keeps an item.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// An opaque place of one item within a callback of this crate: an owner and an index into it.
///
/// Not part of the public interface: only the crate's own session can make use of one.
#[doc(hidden)]
#[derive(Clone)]
pub struct SlotHandle {
    owner: Arc<dyn Any + Send + Sync>,
    index: u32,
}

impl SlotHandle {
    /// Makes a handle of the owner and the index of the item within it.
    #[must_use]
    pub fn new(owner: Arc<dyn Any + Send + Sync>, index: u32) -> Self {
        Self { owner, index }
    }

    /// Returns the owner.
    #[must_use]
    pub fn owner(&self) -> &Arc<dyn Any + Send + Sync> {
        &self.owner
    }

    /// Returns the index of the item within its owner.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Takes the handle apart.
    #[must_use]
    pub fn into_parts(self) -> (Arc<dyn Any + Send + Sync>, u32) {
        (self.owner, self.index)
    }
}

impl fmt::Debug for SlotHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotHandle")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
