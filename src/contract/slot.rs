//! The shortcut from a session to the slot of an item.

use std::any::Any;
use std::sync::Arc;

/// The place of an item within a session: its owner and an index into it.
///
/// It is not public: a callback of another crate cannot name it, so only a session returns one.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct SlotHandle {
    owner: Arc<dyn Any + Send + Sync>,
    index: u32,
}

impl SlotHandle {
    pub(crate) fn new(owner: Arc<dyn Any + Send + Sync>, index: u32) -> Self {
        Self { owner, index }
    }

    pub(crate) fn into_parts(self) -> (Arc<dyn Any + Send + Sync>, u32) {
        (self.owner, self.index)
    }
}
