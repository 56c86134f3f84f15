//! What the work says of its item's end, before that comes.

use crate::ItemStatus;

/// What the work says of its item's end.
pub(super) struct LastReport {
    /// What an `Ok` stands for.
    pub(super) status: ItemStatus,
    /// The text that goes with the final status, whatever that is.
    pub(super) final_text: Option<String>,
}

impl Default for LastReport {
    fn default() -> Self {
        Self {
            status: ItemStatus::Succeeded,
            final_text: None,
        }
    }
}
