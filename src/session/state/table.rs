//! Where the items of a session live: which slot belongs to which id.
//!
//! Items known at build time are frozen: their slots and the index over their ids never change, so a look-up takes no
//! lock. Items added later, and the fresh slots that a retry gives to old items, live in an overflow behind a lock
//! that only a miss of the frozen part consults.
//!
//! # Invariants
//!
//! 1. An item has a *number*, its place in the order of building and adding, and keeps it. Names, journal entries and
//!    guesses go by it.
//! 2. The current slot of a frozen item is its frozen slot, until that is `RETIRED`; then it is the one in
//!    `Overflow::moved`, where it is put before the old one is retired. The current slot of an added item is the one in
//!    `Overflow::added`.
//! 3. A proposed item is known to those who report it only. Its number is at least [`Table::HIDDEN`] until it is committed, which
//!    gives it the next number of the added items. Its slot stays the same.
//! 4. Each slot sits behind an `Arc` of its own, so that a reporter reaches it by one pointer and keeps it without the
//!    session. Chunks of 64 slots behind an `Arc` would take half the memory, but the index within the chunk costs a
//!    report a load and three additions: 1.20 times the floor in place of 1.0 (bar P1).

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::index::Index;
use super::slot::Slot;
use crate::util::sync::RwLock;
use crate::{CallbackError, HResult, ItemId, SyncItem};

/// A slot that was found.
pub(crate) enum SlotRef<'a> {
    Frozen(&'a Arc<Slot>),
    Added(Arc<Slot>),
}

impl SlotRef<'_> {
    /// The slot, for a reporter to keep.
    pub(crate) fn into_arc(self) -> Arc<Slot> {
        match self {
            SlotRef::Frozen(slot) => Arc::clone(slot),
            SlotRef::Added(slot) => slot,
        }
    }
}

impl Deref for SlotRef<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        match self {
            SlotRef::Frozen(slot) => slot,
            SlotRef::Added(slot) => slot,
        }
    }
}

/// What came after the build.
#[derive(Debug, Default)]
struct Overflow {
    /// The numbers of the added and the proposed items.
    index: HashMap<ItemId, u32, RandomState>,
    /// The added items and their current slots. The first has the number that follows the frozen ones.
    added: Vec<(SyncItem, Arc<Slot>)>,
    /// The current slots of the frozen items that a retry moved, by number.
    moved: HashMap<u32, Arc<Slot>, RandomState>,
    /// The proposed items and their current slots, by number.
    proposed: HashMap<u32, (SyncItem, Arc<Slot>), RandomState>,
    /// How many items were ever proposed.
    proposals: u32,
}

#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[Arc<Slot>]>,
    items: Box<[SyncItem]>,
    index: Index,
    overflow: RwLock<Overflow>,
}

impl Table {
    /// How many items a session can have.
    pub(crate) const MOST: u32 = Self::HIDDEN;

    /// The first number of a proposed item. The last number stands for "none" elsewhere.
    pub(crate) const HIDDEN: u32 = 1 << 31;

    /// A table of these items, at most [`Table::MOST`], and the index over them, each slot with these bits.
    pub(crate) fn new(items: Vec<SyncItem>, index: Index, bits: u32) -> Self {
        let numbered = (0_u32..).zip(&items);
        Self {
            slots: numbered
                .map(|(number, item)| Arc::new(Slot::new(item.id, number, bits)))
                .collect(),
            items: items.into(),
            index,
            overflow: RwLock::new(Overflow::default()),
        }
    }

    /// The frozen slot of an item and its number, if it is a frozen item. The slot may be retired.
    #[inline]
    pub(crate) fn frozen(&self, id: ItemId) -> Option<(&Arc<Slot>, u32)> {
        let is = |number: u32| {
            let slot = self.slots.get(number as usize);
            slot.is_some_and(|slot| slot.holds(id))
        };
        let number = self.index.find(id, is)?;
        Some((self.slots.get(number as usize)?, number))
    }

    /// The frozen slot with this number, if it holds this item: a guess costs one look at the slot's own line.
    #[inline]
    pub(crate) fn guess(&self, number: u32, id: ItemId) -> Option<&Arc<Slot>> {
        let slot = self.slots.get(number as usize)?;
        slot.holds(id).then_some(slot)
    }

    /// The current slot of an item that is listed.
    pub(crate) fn find(&self, id: ItemId) -> Option<SlotRef<'_>> {
        self.search(id, |_| None)
    }

    /// The current slot of an item that may be reported: listed or proposed.
    pub(crate) fn reported(&self, id: ItemId) -> Option<SlotRef<'_>> {
        self.search(id, |slot| Some(SlotRef::Added(Arc::clone(slot))))
    }

    /// The current slot of an item, which `hidden` answers for one that is proposed.
    fn search<'a>(
        &'a self,
        id: ItemId,
        hidden: impl FnOnce(&Arc<Slot>) -> Option<SlotRef<'a>>,
    ) -> Option<SlotRef<'a>> {
        if let Some((slot, number)) = self.frozen(id) {
            return self.current(slot, number);
        }
        let overflow = self.overflow.read();
        let number = *overflow.index.get(&id)?;
        if number >= Self::HIDDEN {
            return hidden(&overflow.proposed.get(&number)?.1);
        }
        Some(SlotRef::Added(Arc::clone(self.added(&overflow, number)?.1)))
    }

    /// The current slot of the item with this number.
    pub(crate) fn by_number(&self, number: u32) -> Option<SlotRef<'_>> {
        if let Some(slot) = self.slots.get(number as usize) {
            return self.current(slot, number);
        }
        let overflow = self.overflow.read();
        let slot = match number >= Self::HIDDEN {
            true => &overflow.proposed.get(&number)?.1,
            false => self.added(&overflow, number)?.1,
        };
        Some(SlotRef::Added(Arc::clone(slot)))
    }

    /// The slot that a frozen item has now.
    fn current<'a>(&'a self, frozen: &'a Arc<Slot>, number: u32) -> Option<SlotRef<'a>> {
        if !frozen.is_retired() {
            return Some(SlotRef::Frozen(frozen));
        }
        let overflow = self.overflow.read();
        Some(SlotRef::Added(Arc::clone(overflow.moved.get(&number)?)))
    }

    fn added<'a>(
        &self,
        overflow: &'a Overflow,
        number: u32,
    ) -> Option<(&'a SyncItem, &'a Arc<Slot>)> {
        let place = (number as usize).checked_sub(self.items.len())?;
        let (item, slot) = overflow.added.get(place)?;
        Some((item, slot))
    }

    /// Calls `with` with the item that has this number. `with` is none of the user's code: a lock may be held.
    pub(crate) fn item<R>(&self, number: u32, with: impl FnOnce(&SyncItem) -> R) -> Option<R> {
        if let Some(item) = self.items.get(number as usize) {
            return Some(with(item));
        }
        let overflow = self.overflow.read();
        Some(with(self.added(&overflow, number)?.0))
    }

    /// How many items there are: their numbers are those below. A number that is handed out stays good.
    pub(crate) fn len(&self) -> u32 {
        (self.items.len() + self.overflow.read().added.len()) as u32 // at most MOST
    }

    /// The number of the next item that is added.
    fn next_number(&self, overflow: &Overflow) -> Result<u32, CallbackError> {
        u32::try_from(self.items.len() + overflow.added.len())
            .ok()
            .filter(|number| *number < Self::MOST)
            .ok_or(CallbackError::Other(HResult::E_OUTOFMEMORY))
    }

    /// Adds an item that the table does not have, or only as proposed, with these state bits; answers its number. The caller
    /// retires the slot of the proposal.
    pub(crate) fn add(&self, item: SyncItem, bits: u32) -> Result<u32, CallbackError> {
        let mut overflow = self.overflow.write();
        let number = self.next_number(&overflow)?;
        let slot = Arc::new(Slot::new(item.id, number, bits));
        if let Some(proposed) = overflow.index.insert(item.id, number) {
            overflow.proposed.remove(&proposed);
        }
        overflow.added.push((item, slot));
        Ok(number)
    }

    /// Gives the item of this slot a fresh one with these state bits, and retires the old one, which goes with the last
    /// reporter that keeps it. To be called by one thread at a time.
    pub(crate) fn reopen(&self, old: &Slot, bits: u32) {
        let number = old.number();
        let fresh = Arc::new(Slot::new(old.id(), number, bits));
        let mut overflow = self.overflow.write();
        let place = (number as usize).checked_sub(self.items.len());
        let Overflow {
            added,
            moved,
            proposed,
            ..
        } = &mut *overflow;
        let added = place.and_then(|place| added.get_mut(place));
        let replaced = match added.or_else(|| proposed.get_mut(&number)) {
            Some((_, slot)) => Some(std::mem::replace(slot, fresh)),
            None => moved.insert(number, fresh),
        };
        drop(overflow);
        drop(replaced);
        old.retire();
    }
}

/// Proposed items. Changed with the lifecycle locked.
impl Table {
    /// Keeps an item that the table does not have as proposed, with these state bits.
    pub(crate) fn propose(&self, item: SyncItem, bits: u32) -> Result<(), CallbackError> {
        let mut overflow = self.overflow.write();
        let number = Self::HIDDEN + overflow.proposals;
        if number == u32::MAX {
            return Err(CallbackError::Other(HResult::E_OUTOFMEMORY));
        }
        overflow.proposals += 1;
        let slot = Arc::new(Slot::new(item.id, number, bits));
        overflow.index.insert(item.id, number);
        overflow.proposed.insert(number, (item, slot));
        Ok(())
    }

    /// Puts a proposed item among the added ones; answers the number that is to be given to its slot.
    pub(crate) fn commit(&self, slot: &Slot) -> Result<u32, CallbackError> {
        let mut overflow = self.overflow.write();
        let number = self.next_number(&overflow)?;
        let proposed = overflow.proposed.remove(&slot.number());
        overflow
            .added
            .push(proposed.ok_or(CallbackError::InvalidArgument)?);
        overflow.index.insert(slot.id(), number);
        Ok(number)
    }

    /// The slots of all proposed items.
    pub(crate) fn proposed(&self) -> Vec<Arc<Slot>> {
        let overflow = self.overflow.read();
        let slots = overflow.proposed.values().map(|(_, slot)| Arc::clone(slot));
        slots.collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::flags::MEMBER;
    use super::*;
    use crate::ItemName;

    fn item(n: u128) -> SyncItem {
        SyncItem::new(ItemId::from_u128(n), ItemName::truncate_start("item"))
    }

    fn table(items: u128) -> Table {
        let items: Vec<_> = (1..=items).map(item).collect();
        let index = Index::new(&items).expect("the ids are distinct");
        Table::new(items, index, MEMBER)
    }

    #[test]
    fn numbers_go_on_from_the_frozen_items_to_the_added_ones() {
        let table = table(2);
        assert_eq!(table.add(item(3), MEMBER), Ok(2));
        assert_eq!(table.len(), 3);
        for n in 1..=3 {
            let id = ItemId::from_u128(n);
            let number = n as u32 - 1;
            assert_eq!(table.find(id).map(|slot| slot.number()), Some(number));
            assert_eq!(table.item(number, |item| item.id), Some(id));
        }
        assert!(table.find(ItemId::from_u128(4)).is_none());
        assert!(table.by_number(3).is_none());
    }

    #[test]
    fn a_reopened_item_is_found_in_its_last_slot_and_the_old_ones_are_let_go() {
        let table = table(1);
        table.add(item(2), MEMBER).expect("there is room");
        for n in 1..=2 {
            let id = ItemId::from_u128(n);
            let mut old = Vec::new();
            for _ in 0..3 {
                let slot = table.find(id).expect("known").into_arc();
                table.reopen(&slot, MEMBER);
                assert!(slot.is_retired());
                old.push(Arc::downgrade(&slot));
            }
            let current = table.find(id).expect("known").into_arc();
            assert!(!current.is_retired());
            let kept = old.iter().filter(|slot| slot.strong_count() > 0).count();
            // A frozen item keeps its frozen slot.
            assert_eq!(kept, usize::from(n == 1));
        }
    }
}
