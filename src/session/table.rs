//! Where the items of a session live: which slot belongs to which id.
//!
//! Items known at build time are frozen: their slots and the index over their ids never change, so a look-up takes no
//! lock. Items added later, and the fresh slots that a retry gives to old items, live in an overflow behind a lock
//! that only a miss of the frozen part consults.
//!
//! # Invariants
//!
//! 1. An item has a *number*, which is that of its first slot, and keeps it. Names and journal entries go by it.
//! 2. A slot number below the length of the frozen part is a frozen slot, one from [`Table::base`] on an overflow slot.
//! 3. `Overflow::index` leads to the current slot of every item that was added or moved. A frozen slot that is
//!    `RETIRED` has such an entry, and the entry is made before the slot is retired.
//! 4. Slots sit in chunks behind an `Arc` each, so that a reporter can keep one without the session.

use std::collections::HashMap;
use std::ops::Deref;
#[cfg(not(loom))]
use std::sync::LazyLock;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;

use super::Session;
use super::slot::{RETIRED, Slot};
use super::sync::RwLock;
use crate::{CallbackError, ItemId, SyncItem};

/// How many slots share an `Arc`. As fast as one `Arc` a slot, and half the memory.
#[cfg(not(all(test, loom)))]
pub(super) const CHUNK: usize = 64;
/// The model checker pays for every object it knows.
#[cfg(all(test, loom))]
pub(super) const CHUNK: usize = 2;

/// Some slots, and the session they belong to.
#[derive(Debug)]
pub(crate) struct Chunk {
    slots: [Slot; CHUNK],
    owner: Weak<Session>,
}

impl Chunk {
    fn new(owner: &Weak<Session>) -> Self {
        Self {
            slots: std::array::from_fn(|_| Slot::vacant()),
            owner: owner.clone(),
        }
    }

    /// Slots that belong to no session and are never live.
    pub(super) fn vacant() -> Arc<Self> {
        #[cfg(not(loom))]
        {
            static VACANT: LazyLock<Arc<Chunk>> =
                LazyLock::new(|| Arc::new(Chunk::new(&Weak::new())));
            Arc::clone(&VACANT)
        }
        // The model checker's atomics live no longer than one execution.
        #[cfg(loom)]
        Arc::new(Self::new(&Weak::new()))
    }

    /// The slot with this number, of which only the part within the chunk counts: so it needs no bounds check.
    #[inline]
    pub(super) fn slot(&self, number: u32) -> &Slot {
        &self.slots[number as usize % CHUNK]
    }

    /// The session, unless it is gone.
    pub(super) fn owner(&self) -> Option<Arc<Session>> {
        self.owner.upgrade()
    }
}

/// A slot that was found, and the chunk that keeps it.
pub(super) enum Found<'a> {
    Frozen(&'a Arc<Chunk>, u32),
    Added(Arc<Chunk>, u32),
}

impl Found<'_> {
    /// The chunk and the slot's number, for a reporter to keep.
    pub(super) fn into_parts(self) -> (Arc<Chunk>, u32) {
        match self {
            Found::Frozen(chunk, number) => (Arc::clone(chunk), number),
            Found::Added(chunk, number) => (chunk, number),
        }
    }
}

impl Deref for Found<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        match self {
            Found::Frozen(chunk, number) => chunk.slot(*number),
            Found::Added(chunk, number) => chunk.slot(*number),
        }
    }
}

/// What was added after the build.
#[derive(Debug, Default)]
struct Overflow {
    chunks: Vec<Arc<Chunk>>,
    /// How many slots of the chunks are in use.
    len: u32,
    /// The current slot of every item that was added or moved.
    index: HashMap<ItemId, u32, RandomState>,
    /// The items that were added, by their number.
    items: HashMap<u32, Arc<SyncItem>, RandomState>,
    /// Where a moved item is now, by its number.
    moved: HashMap<u32, u32, RandomState>,
}

#[derive(Debug)]
pub(super) struct Table {
    chunks: Box<[Arc<Chunk>]>,
    items: Box<[SyncItem]>,
    index: HashMap<ItemId, u32, RandomState>,
    owner: Weak<Session>,
    overflow: RwLock<Overflow>,
}

impl Table {
    /// A table of these items, whose ids are distinct and no more than [`Table::MOST`], each slot with these bits.
    pub(super) fn new(
        items: Vec<SyncItem>,
        index: HashMap<ItemId, u32, RandomState>,
        owner: &Weak<Session>,
        bits: u32,
    ) -> Self {
        let mut chunks = Vec::with_capacity(items.len().div_ceil(CHUNK));
        let mut number = 0_u32;
        for part in items.chunks(CHUNK) {
            let chunk = Chunk::new(owner);
            for item in part {
                chunk.slot(number).occupy(item.id, number, bits);
                number += 1;
            }
            chunks.push(Arc::new(chunk));
        }
        Self {
            chunks: chunks.into(),
            items: items.into(),
            index,
            owner: owner.clone(),
            overflow: RwLock::new(Overflow::default()),
        }
    }

    /// How many slots a session can have, over all rounds.
    pub(super) const MOST: u32 = u32::MAX - 2 * CHUNK as u32;

    /// The number of the first overflow slot.
    fn base(&self) -> u32 {
        (self.chunks.len() * CHUNK) as u32 // at most MOST + CHUNK
    }

    /// The frozen slot of an item, if it is a frozen item. It may be retired.
    #[inline]
    pub(super) fn frozen(&self, id: ItemId) -> Option<(&Arc<Chunk>, u32)> {
        let number = *self.index.get(&id)?;
        Some((self.chunks.get(number as usize / CHUNK)?, number))
    }

    /// The frozen slot with this number, if it holds this item: a guess costs one look at the slot's own line.
    #[inline]
    pub(super) fn guess(&self, number: u32, id: ItemId) -> Option<&Slot> {
        let slot = self.chunks.get(number as usize / CHUNK)?.slot(number);
        slot.holds(id).then_some(slot)
    }

    /// The current slot of an item.
    pub(super) fn find(&self, id: ItemId) -> Option<Found<'_>> {
        if let Some((chunk, number)) = self.frozen(id) {
            if chunk.slot(number).flags() & RETIRED == 0 {
                return Some(Found::Frozen(chunk, number));
            }
        }
        let overflow = self.overflow.read();
        let number = *overflow.index.get(&id)?;
        self.overflow_slot(&overflow, number)
    }

    fn overflow_slot(&self, overflow: &Overflow, number: u32) -> Option<Found<'_>> {
        let place = number.checked_sub(self.base())?;
        let chunk = overflow.chunks.get(place as usize / CHUNK)?;
        Some(Found::Added(Arc::clone(chunk), number))
    }

    /// The current slot of the item with this number.
    pub(super) fn by_home(&self, home: u32) -> Option<Found<'_>> {
        if (home as usize) < self.items.len() {
            let chunk = self.chunks.get(home as usize / CHUNK)?;
            if chunk.slot(home).flags() & RETIRED == 0 {
                return Some(Found::Frozen(chunk, home));
            }
        }
        let overflow = self.overflow.read();
        let number = overflow.moved.get(&home).copied().unwrap_or(home);
        self.overflow_slot(&overflow, number)
    }

    /// Calls `with` with the item that has this number.
    pub(super) fn item<R>(&self, home: u32, with: impl FnOnce(&SyncItem) -> R) -> Option<R> {
        if let Some(item) = self.items.get(home as usize) {
            return Some(with(item));
        }
        let item = self.overflow.read().items.get(&home).cloned()?;
        Some(with(&item))
    }

    /// The numbers of all items, in the order in which they were built and added.
    pub(super) fn homes(&self) -> Vec<u32> {
        let mut homes: Vec<u32> = (0..self.items.len() as u32).collect();
        let overflow = self.overflow.read();
        let from = homes.len();
        homes.extend(overflow.items.keys());
        drop(overflow);
        if let Some(added) = homes.get_mut(from..) {
            added.sort_unstable();
        }
        homes
    }

    /// Adds an item that the table does not have, with these state bits; answers its number.
    pub(super) fn add(&self, item: SyncItem, bits: u32) -> Result<u32, CallbackError> {
        let id = item.id;
        let mut overflow = self.overflow.write();
        let number = self.push(&mut overflow, id, None, bits)?;
        overflow.items.insert(number, Arc::new(item));
        overflow.index.insert(id, number);
        Ok(number)
    }

    /// Gives the item with this number a fresh slot with these state bits. The old one is to be retired by the caller,
    /// after this returned.
    pub(super) fn move_on(&self, id: ItemId, home: u32, bits: u32) -> Result<(), CallbackError> {
        let mut overflow = self.overflow.write();
        let number = self.push(&mut overflow, id, Some(home), bits)?;
        overflow.moved.insert(home, number);
        overflow.index.insert(id, number);
        Ok(())
    }

    /// Whether so many items can still be added or moved.
    pub(super) fn has_room(&self, count: usize) -> bool {
        let used = self.base() as usize + self.overflow.read().len as usize;
        used + count <= Self::MOST as usize
    }

    fn push(
        &self,
        overflow: &mut Overflow,
        id: ItemId,
        home: Option<u32>,
        bits: u32,
    ) -> Result<u32, CallbackError> {
        let place = overflow.len;
        let number = self
            .base()
            .checked_add(place)
            .filter(|number| *number < Self::MOST)
            .ok_or(CallbackError::Other(crate::HResult::E_OUTOFMEMORY))?;
        if place as usize % CHUNK == 0 {
            overflow.chunks.push(Arc::new(Chunk::new(&self.owner)));
        }
        if let Some(chunk) = overflow.chunks.last() {
            chunk.slot(number).occupy(id, home.unwrap_or(number), bits);
        }
        overflow.len += 1;
        Ok(number)
    }
}
