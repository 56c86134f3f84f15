//! The frozen index: from an item's id to its number.
//!
//! It is built once and then only read, so it needs none of what a general map has: no growth, no removal, no keys of its
//! own. An entry is eight bytes, the number of the item and as many bits of the hash; the id is compared in the item's
//! slot, which the report is about to touch anyway. Against `HashMap<ItemId, u32>` that is 17 bytes an item in place of
//! 42, and a report of 1,000 items in turn takes two thirds of the time (bar P2b).

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::{ItemId, SyncItem};

/// An open-addressed table with linear probing, at most half full.
#[derive(Debug)]
pub(crate) struct Index {
    /// The upper half of the hash over the number of the item; [`EMPTY`] where there is none. A power of two of them.
    entries: Box<[u64]>,
    /// Seeded anew for each index, so that nobody can choose ids that collide.
    hasher: RandomState,
}

/// No item has this number.
const EMPTY: u64 = u32::MAX as u64;
const TAG: u64 = !EMPTY;

impl Index {
    /// An index over these items, which are fewer than `u32::MAX`. Where an id occurs twice, the second item is the error.
    pub(crate) fn new(items: &[SyncItem]) -> Result<Self, &SyncItem> {
        let room = items.len().saturating_mul(2).next_power_of_two().max(2);
        let mut index = Self {
            entries: vec![EMPTY; room].into(),
            hasher: RandomState::default(),
        };
        for (number, item) in items.iter().enumerate() {
            let hash = index.hasher.hash_one(item.id);
            let mut place = hash as usize;
            loop {
                let mask = index.entries.len() - 1;
                let Some(entry) = index.entries.get_mut(place & mask) else {
                    break; // the mask lets no place be out of range
                };
                if *entry == EMPTY {
                    *entry = (hash & TAG) | number as u64;
                    break;
                }
                let other = (*entry & EMPTY) as usize;
                if *entry & TAG == hash & TAG
                    && items.get(other).is_some_and(|other| other.id == item.id)
                {
                    return Err(item);
                }
                place = place.wrapping_add(1);
            }
        }
        Ok(index)
    }

    /// The number of the item with this id, if `is` says so of a number that may be it.
    #[inline]
    pub(crate) fn find(&self, id: ItemId, is: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        let mask = self.entries.len() - 1;
        let mut place = hash as usize;
        loop {
            let entry = *self.entries.get(place & mask)?;
            if entry == EMPTY {
                return None;
            }
            let number = (entry & EMPTY) as u32;
            if entry & TAG == hash & TAG && is(number) {
                return Some(number);
            }
            place = place.wrapping_add(1);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ItemName;

    fn items(count: u128) -> Vec<SyncItem> {
        let item = |n| SyncItem::new(ItemId::from_u128(n), ItemName::truncate_start("item"));
        (1..=count).map(item).collect()
    }

    #[test]
    fn every_id_is_found_and_no_other() {
        for count in [0, 1, 2, 3, 64, 1_000] {
            let items = items(count);
            let index = Index::new(&items).expect("the ids are distinct");
            let find = |id| index.find(id, |number| items[number as usize].id == id);
            for (number, item) in items.iter().enumerate() {
                assert_eq!(find(item.id), Some(number as u32));
            }
            for other in count + 1..=count + 100 {
                assert_eq!(find(ItemId::from_u128(other)), None);
            }
            assert_eq!(find(ItemId::NIL), None);
        }
    }

    #[test]
    fn the_bits_of_the_hash_prove_nothing() {
        let items = items(3);
        let index = Index::new(&items).expect("the ids are distinct");
        assert_eq!(index.find(items[1].id, |_| false), None);
    }

    #[test]
    fn it_is_at_most_half_full() {
        for count in [0, 1, 2, 5, 1_000] {
            let items = items(count);
            let index = Index::new(&items).expect("the ids are distinct");
            assert!(index.entries.len() as u128 >= 2 * count);
        }
    }

    #[test]
    fn the_second_of_two_equal_ids_is_the_error() {
        let mut items = items(100);
        let again = items[6].clone().checked(false);
        items.push(again.clone());
        assert_eq!(Index::new(&items).err(), Some(&again));
    }
}
