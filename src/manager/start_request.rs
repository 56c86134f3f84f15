//! What a start requests of a handler.

use std::collections::HashSet;
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::{InvokeFlags, ItemId, SyncFlags};

/// Values in the order in which they were added first, each once. Adding and finding one is O(1).
#[derive(Clone, Debug)]
pub(super) struct Distinct<T> {
    list: Vec<T>,
    there: HashSet<T, RandomState>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            there: HashSet::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    pub(super) fn list(&self) -> &[T] {
        &self.list
    }

    pub(super) fn into_list(self) -> Vec<T> {
        self.list
    }

    pub(super) fn contains(&self, value: &T) -> bool {
        self.there.contains(value)
    }

    /// Appends a value that is not there yet.
    fn add(&mut self, value: T) {
        if self.there.insert(value) {
            self.list.push(value);
        }
    }

    /// Drops the values that `keep` does not want. O(n).
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let Self { list, there } = self;
        list.retain(|value| {
            let stays = keep(value);
            if !stays {
                there.remove(value);
            }
            stays
        });
    }

    /// Drops the values that `others` contains, at the cost of the shorter one.
    pub(super) fn remove_all(&mut self, others: &Distinct<T>) {
        let (fewer, more) = match self.list.len() < others.list.len() {
            true => (&*self, others),
            false => (others, &*self),
        };
        if fewer.list.iter().any(|value| more.contains(value)) {
            self.retain(|value| !others.contains(value));
        }
    }
}

impl<T: Copy + Eq + Hash> Extend<T> for Distinct<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.add(value));
    }
}

impl<T: Copy + Eq + Hash> FromIterator<T> for Distinct<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut distinct = Self::default();
        distinct.extend(values);
        distinct
    }
}

/// What a start requests of a handler.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StartRequest {
    pub(super) flags: SyncFlags,
    pub(super) cookie: Option<Vec<u8>>,
    /// How the items are chosen: by the chooser, unless the caller requests an immediate start.
    pub(super) invoke: InvokeFlags,
    /// These items, each once, instead of the chosen ones.
    pub(super) items: Option<Vec<ItemId>>,
    /// The properties to show: of an item, or the handler's own.
    pub(super) properties: Option<Option<ItemId>>,
}

#[cfg(test)]
mod tests {
    use super::Distinct;

    fn distinct(values: impl IntoIterator<Item = u32>) -> Distinct<u32> {
        let mut all = Distinct::default();
        all.extend(values);
        all
    }

    #[test]
    fn what_others_contain_is_removed_however_many_there_are() {
        for (own, others, left) in [
            (0..2, 0..9, 0..0),
            (0..9, 0..2, 2..9),
            (0..3, 3..5, 0..3),
            (0..3, 2..5, 0..2),
            (0..0, 0..3, 0..0),
        ] {
            let mut values = distinct(own);
            values.remove_all(&distinct(others.clone()));
            assert_eq!(values.list(), left.collect::<Vec<_>>());
            assert!(others.into_iter().all(|other| !values.contains(&other)));
        }
    }
}
