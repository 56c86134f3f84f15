//! Items that the session was not built with: added, proposed and committed by the handler, asked for by the host.
//!
//! # Invariants
//!
//! 1. An id is either proposed or listed, never both: proposing one that is there is refused, and committing or adding one takes
//!    the proposal away. A proposed item takes reports where those of the round do, and is part of no view, sum or round.
//! 2. An id stands among the requests until the handler takes it into its work: by `add_item`, or by a round that names it.
//! 3. All of it is changed with the lifecycle locked, so an item is not added after the release, and a request is either seen
//!    by the round that begins or stays.

use super::state::flags;
use super::state::lifecycle::Lifecycle;
use super::state::table::Table;
use super::{Phase, Session};
use crate::util::wake::wake;
use crate::{CallbackError, ItemId, ItemStatus, SyncItem};

/// For the host: items that are asked for while the handler works.
impl Session {
    /// Asks for items while the handler works: it may learn of them by
    /// [`additional_items`](crate::SyncCallback::additional_items) and take them into its work by
    /// [`add_item`](crate::SyncCallback::add_item). What it does not take stays [requested](Self::requested_items), to be
    /// done by another run.
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncCallback, SyncItem};
    ///
    /// let session = Session::builder().build()?;
    /// session.request_items(&[ItemId::from_u128(7)])?; // the user, who cannot wait
    /// for id in session.additional_items()? {
    ///     session.add_item(SyncItem::new(id, "item 7".parse()?))?; // the handler, between two items
    /// }
    /// assert!(session.requested_items().is_empty()); // nothing is left for another run
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// An item that takes part already stays requested for another run, since its part in this
    /// round may be past the change that it is requested for. The handler is not told of it. The
    /// ids need not be known to the session; each is kept once.
    ///
    /// # Errors
    ///
    /// Nothing changes where it answers an error: [`InvalidArgument`](CallbackError::InvalidArgument) for a nil id,
    /// [`Released`](CallbackError::Released) after the release.
    pub fn request_items(&self, items: &[ItemId]) -> Result<(), CallbackError> {
        let (mut lifecycle, _) = self.lifecycle()?;
        if items.contains(&ItemId::NIL) {
            return Err(CallbackError::InvalidArgument);
        }
        for item in items {
            lifecycle.requests.add(*item);
        }
        Ok(())
    }

    /// Takes requests back: ids that were not asked for, or that the handler has taken, are left as they are.
    pub fn withdraw_items(&self, items: &[ItemId]) {
        let mut lifecycle = self.lifecycle.lock();
        for item in items {
            lifecycle.requests.remove(*item);
        }
    }

    /// The items that were [asked for](Self::request_items) and not taken by the handler, in the order in which they were
    /// asked for. It keeps answering after the release.
    #[must_use]
    pub fn requested_items(&self) -> Vec<ItemId> {
        self.lifecycle.lock().requests.list()
    }

    /// The items as the handler described them, and not how they stand: that is `snapshot().items`, in the same order (see
    /// [`snapshot`](Self::snapshot)). First those that the session was built with, then those that were added and committed.
    #[must_use]
    pub fn items(&self) -> Vec<SyncItem> {
        self.items_from(0)
    }

    /// As [`items`](Self::items), without the first `count`.
    pub(crate) fn items_from(&self, count: usize) -> Vec<SyncItem> {
        let first = u32::try_from(count).unwrap_or(u32::MAX);
        let numbers = first..self.table.len();
        numbers
            .filter_map(|number| self.table.item(number, SyncItem::clone))
            .collect()
    }
}

/// For the handler: the bodies of its calls.
impl Session {
    pub(super) fn additional(&self) -> Result<Vec<ItemId>, CallbackError> {
        let (lifecycle, _) = self.lifecycle()?;
        let mut wanted = lifecycle.requests.list();
        // What takes part cannot be added, and would be offered for ever.
        wanted.retain(|item| {
            let found = self.table.find(*item);
            found.is_none_or(|slot| slot.flags() & flags::MEMBER == 0)
        });
        Ok(wanted)
    }

    pub(super) fn add(&self, item: SyncItem) -> Result<(), CallbackError> {
        let (mut lifecycle, phase) = self.lifecycle()?;
        if phase == Phase::Completed {
            return Err(CallbackError::WrongPhase);
        }
        if item.id == ItemId::NIL {
            return Err(CallbackError::InvalidArgument);
        }
        let id = item.id;
        let mut bits = self.round_bits(&lifecycle, phase);
        if phase.takes_reports() {
            bits |= flags::JOINED;
        }
        let mut waiting = Vec::new();
        let number = match self.table.reported(id) {
            None => self.table.add(item, bits)?,
            Some(slot) if slot.number() >= Table::HIDDEN => {
                let number = self.table.add(item, bits)?;
                slot.retire();
                waiting = self.wakers.take(slot.number());
                number
            }
            Some(slot) if slot.flags() & flags::MEMBER != 0 => {
                return Err(CallbackError::InvalidArgument);
            }
            // Known, but not of this round: it joins as if it were new. Only a retry takes a cancel or a skip back (rule
            // M10), and nobody else can cancel it now, since it does not take part.
            Some(slot) => {
                bits |= slot.flags() & (flags::CANCEL_ITEM | flags::SKIP);
                self.table.reopen(&slot, bits);
                slot.number()
            }
        };
        if lifecycle.begun {
            lifecycle.members.push(number);
        }
        lifecycle.requests.remove(id);
        self.journal.record_change(number, 0);
        drop(lifecycle);
        wake(waiting);
        Ok(())
    }

    /// The bits of an item that comes now and takes part.
    fn round_bits(&self, lifecycle: &Lifecycle, phase: Phase) -> u32 {
        let mut bits = flags::MEMBER;
        if phase.takes_reports() {
            bits |= flags::OPEN;
        }
        if phase == Phase::Completed {
            bits |= flags::FROZEN;
        }
        if lifecycle.cancelled {
            bits |= flags::CANCEL_ALL;
        }
        bits
    }

    pub(super) fn propose(&self, item: SyncItem) -> Result<(), CallbackError> {
        let (lifecycle, phase) = self.lifecycle()?;
        if item.id == ItemId::NIL || self.table.reported(item.id).is_some() {
            return Err(CallbackError::InvalidArgument);
        }
        self.table.propose(item, self.round_bits(&lifecycle, phase))
    }

    pub(super) fn commit(&self, id: ItemId) -> Result<(), CallbackError> {
        let (mut lifecycle, phase) = self.lifecycle()?;
        if phase == Phase::Completed && !self.driven {
            return Err(CallbackError::WrongPhase); // nothing takes part in it any more
        }
        let slot = self.table.reported(id);
        let slot = slot
            .filter(|slot| slot.number() >= Table::HIDDEN)
            .filter(|slot| flags::status(slot.flags()) != ItemStatus::Failed)
            .ok_or(CallbackError::InvalidArgument)?;
        let proposed = slot.number();
        let number = self.table.commit(&slot)?;
        let mut waiting = Vec::new();
        // This edit refuses nothing.
        let _ = slot.change::<()>(
            |_, flags| {
                let is_begun =
                    flags & flags::WORKING != 0 || flags::status(flags) != ItemStatus::Pending;
                Ok(match phase {
                    Phase::Open => flags | flags::JOINED,
                    Phase::Idle => flags,
                    // As if it had been listed: it waits for `add_item` or a retry.
                    _ if !is_begun => flags & !(flags::MEMBER | flags::OPEN | flags::WAITED),
                    Phase::Completed => (flags | flags::JOINED) & !flags::MEMBER,
                    _ => flags | flags::JOINED,
                })
            },
            |change| {
                slot.set_number(number);
                if change.clears(flags::WAITED) {
                    waiting = self.wakers.take(proposed);
                } else if change.after & flags::WAITED != 0 {
                    self.wakers.rename(proposed, number);
                }
                if change.after & flags::WORKING != 0 {
                    self.journal.begin(number, true, 0);
                } else {
                    self.journal.record_change(number, 0);
                }
            },
        );
        if lifecycle.begun && slot.flags() & flags::MEMBER != 0 {
            lifecycle.members.push(number);
        }
        drop(lifecycle);
        wake(waiting);
        Ok(())
    }

    /// Changes the flags of every proposed item. To be called with the lifecycle locked.
    pub(super) fn change_proposed(&self, edit: impl Fn(u32) -> u32) {
        for slot in self.table.proposed() {
            // This edit refuses nothing, and nobody is told.
            let _ = slot.change::<()>(|_, flags| Ok(edit(flags)), |_| {});
        }
    }

    /// A round begins: proposed items take reports. In a retry, those that have not ended, or have failed, start anew.
    pub(super) fn open_proposed(&self, is_retry: bool) {
        for slot in self.table.proposed() {
            let flags = slot.flags();
            let has_failed = flags::status(flags) == ItemStatus::Failed;
            if is_retry && (flags & flags::FINISHED == 0 || has_failed) {
                self.table.reopen(&slot, flags::MEMBER | flags::OPEN);
            } else {
                let _ = slot.change::<()>(|_, flags| Ok(flags | flags::OPEN), |_| {});
            }
        }
    }
}
