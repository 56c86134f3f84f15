//! The flags word of a slot: its bits, and what they say together.
//!
//! All that the fast path must know stands in [`LIVE`], which [`settle`] computes from the other bits at each change.

use crate::{CallbackError, ItemStatus, Verdict};

/// A plain value is stored and answered `Continue`.
pub(crate) const LIVE: u32 = 1;
/// The item takes part in the current round.
pub(crate) const MEMBER: u32 = 1 << 1;
/// The phase takes reports.
pub(crate) const OPEN: u32 = 1 << 2;
/// The item has a final status in this round.
pub(crate) const FINISHED: u32 = 1 << 3;
/// `Cold::last` holds the value; `value` is not read any more.
pub(crate) const FROZEN: u32 = 1 << 4;
/// The item is cancelled.
pub(crate) const CANCEL_ITEM: u32 = 1 << 5;
/// Everything is cancelled.
pub(crate) const CANCEL_ALL: u32 = 1 << 6;
/// The session is released.
pub(crate) const RELEASED: u32 = 1 << 7;
/// The item went on to another slot: this one belongs to a round that is over.
pub(crate) const RETIRED: u32 = 1 << 8;
/// The item is to be skipped, and the driver was told so.
pub(crate) const SKIP: u32 = 1 << 9;
/// The item is in the observers' set of items in work.
pub(crate) const WORKING: u32 = 1 << 10;
/// A call came that left no other mark (see `Session::take_activity`).
pub(crate) const TOUCHED: u32 = 1 << 11;
/// A waker waits for this item.
pub(crate) const WAITED: u32 = 1 << 12;
/// The item took part in some round.
pub(crate) const JOINED: u32 = 1 << 13;

const STATUS_SHIFT: u32 = 16;
const STATUS_MASK: u32 = 0xF << STATUS_SHIFT;

/// The statuses by their place in the flags word.
const STATUSES: [ItemStatus; 10] = [
    ItemStatus::Stopped,
    ItemStatus::Skipped,
    ItemStatus::Pending,
    ItemStatus::Updating,
    ItemStatus::Succeeded,
    ItemStatus::Failed,
    ItemStatus::Paused,
    ItemStatus::Resuming,
    ItemStatus::UpdatingIndeterminate,
    ItemStatus::Deleted,
];

/// The status that a flags word holds.
pub(crate) fn status(flags: u32) -> ItemStatus {
    let place = ((flags & STATUS_MASK) >> STATUS_SHIFT) as usize;
    STATUSES.get(place).copied().unwrap_or(ItemStatus::Pending)
}

/// `flags` with another status.
pub(crate) const fn with_status(flags: u32, status: ItemStatus) -> u32 {
    let place = match status {
        ItemStatus::Stopped => 0,
        ItemStatus::Skipped => 1,
        ItemStatus::Pending => 2,
        ItemStatus::Updating => 3,
        ItemStatus::Succeeded => 4,
        ItemStatus::Failed => 5,
        ItemStatus::Paused => 6,
        ItemStatus::Resuming => 7,
        ItemStatus::UpdatingIndeterminate => 8,
        ItemStatus::Deleted => 9,
    };
    (flags & !STATUS_MASK) | (place << STATUS_SHIFT)
}

/// Whether the item takes part, or took part in an earlier round.
pub(crate) const fn is_selected(flags: u32) -> bool {
    flags & (MEMBER | JOINED) != 0
}

/// The answer that a flags word gives to a report that is taken.
pub(crate) const fn verdict(flags: u32) -> Verdict {
    if flags & CANCEL_ALL != 0 {
        Verdict::CancelAll
    } else if flags & CANCEL_ITEM != 0 {
        Verdict::CancelItem
    } else {
        Verdict::Continue
    }
}

/// `flags` with [`LIVE`] as the other bits demand it (invariant 1 of the slot).
pub(crate) const fn settle(flags: u32) -> u32 {
    const MUST: u32 = MEMBER | OPEN;
    const MUST_NOT: u32 = FINISHED | FROZEN | CANCEL_ITEM | CANCEL_ALL | RELEASED | RETIRED;
    let begun = flags & STATUS_MASK != with_status(0, ItemStatus::Pending);
    if begun && flags & MUST == MUST && flags & MUST_NOT == 0 {
        flags | LIVE
    } else {
        flags & !LIVE
    }
}

/// Why a report of `status` is refused by an item with these flags, in the order that the contract fixes.
pub(crate) const fn refusal(flags: u32, status: Option<ItemStatus>) -> Option<CallbackError> {
    if flags & (RELEASED | RETIRED) != 0 {
        Some(CallbackError::Released)
    } else if flags & MEMBER == 0 {
        Some(CallbackError::UnknownItem)
    } else if flags & OPEN == 0 {
        Some(CallbackError::WrongPhase)
    } else if flags & FINISHED != 0 && !matches!(status, Some(ItemStatus::Failed)) {
        Some(CallbackError::ItemFinished)
    } else {
        None
    }
}

/// What a change of a slot asks of the session, which makes it while the slot's lock is held: see [`Slot::change`](super::slot::Slot::change).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) before: u32,
    pub(crate) after: u32,
}

impl Change {
    /// The bit was clear and is now set.
    pub(crate) const fn sets(self, bit: u32) -> bool {
        self.before & bit == 0 && self.after & bit != 0
    }

    /// The bit was set and is now clear.
    pub(crate) const fn clears(self, bit: u32) -> bool {
        self.before & bit != 0 && self.after & bit == 0
    }

    /// The status, a cancel or whether the item takes part changed: something that observers are told.
    pub(crate) const fn is_news(self) -> bool {
        (self.before ^ self.after) & (STATUS_MASK | FINISHED | CANCEL_ITEM) != 0
            || is_selected(self.before) != is_selected(self.after)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_place_in_the_flags_word() {
        for wanted in STATUSES {
            assert_eq!(status(with_status(u32::MAX, wanted)), wanted);
            assert_eq!(with_status(u32::MAX, wanted) | STATUS_MASK, u32::MAX);
        }
    }

    #[test]
    fn only_a_begun_open_uncancelled_item_is_live() {
        let live = with_status(MEMBER | OPEN, ItemStatus::Updating);
        assert_ne!(settle(live) & LIVE, 0);
        assert_eq!(
            settle(with_status(MEMBER | OPEN, ItemStatus::Pending)) & LIVE,
            0
        );
        for missing in [MEMBER, OPEN] {
            assert_eq!(settle(live & !missing) & LIVE, 0);
        }
        for stop in [FINISHED, FROZEN, CANCEL_ITEM, CANCEL_ALL, RELEASED, RETIRED] {
            assert_eq!(settle(live | stop) & LIVE, 0);
        }
        assert_eq!(settle(settle(live)), settle(live));
    }
}
