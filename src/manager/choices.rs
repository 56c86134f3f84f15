//! What the user chose: which items are synchronized, remembered from run to run.

use std::collections::{BTreeMap, HashSet};

use foldhash::fast::RandomState;

use crate::{HandlerId, ItemFlags, ItemId, ItemList, SyncItem};

/// Which items the user wants synchronized, and which not, of every handler.
///
/// An item that no choice was made for takes part as its handler says ([`SyncItem::checked`]).
/// The manager drops a choice where its item is no longer listed, but only after a complete list, and of an item that is
/// [`TEMPORARY`](ItemFlags::TEMPORARY) when its run is over (rule M07).
///
/// With feature `serde` it can be kept on disk: alone, by the module `json`, or as a part of a larger file, since it carries its
/// version itself.
///
/// ```
/// use syncmgr::{Choices, HandlerId, ItemId};
///
/// let (mail, inbox) = (HandlerId::from_u128(1), ItemId::from_u128(2));
/// let mut choices = Choices::new();
/// choices.set(mail, inbox, false);
/// assert_eq!(choices.get(mail, inbox), Some(false));
/// assert_eq!(choices.get(mail, ItemId::from_u128(3)), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Choices {
    pub(super) handlers: BTreeMap<HandlerId, BTreeMap<ItemId, bool>>,
}

impl Choices {
    /// No choices.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            handlers: BTreeMap::new(),
        }
    }

    /// What was chosen for an item, if anything was.
    #[must_use]
    pub fn get(&self, handler: HandlerId, item: ItemId) -> Option<bool> {
        self.handlers.get(&handler)?.get(&item).copied()
    }

    /// Chooses whether an item takes part.
    pub fn set(&mut self, handler: HandlerId, item: ItemId, checked: bool) {
        self.handlers
            .entry(handler)
            .or_default()
            .insert(item, checked);
    }

    /// Takes the choice for an item back.
    pub fn forget(&mut self, handler: HandlerId, item: ItemId) {
        self.forget_all(handler, &[item]);
    }

    /// Takes the choices for these items back: O(log n) for each.
    pub(super) fn forget_all(&mut self, handler: HandlerId, forgotten: &[ItemId]) {
        if let Some(items) = self.handlers.get_mut(&handler) {
            for item in forgotten {
                items.remove(item);
            }
            if items.is_empty() {
                self.handlers.remove(&handler);
            }
        }
    }

    /// Takes every choice for a handler back.
    pub fn forget_handler(&mut self, handler: HandlerId) {
        self.handlers.remove(&handler);
    }

    /// Every choice, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (HandlerId, ItemId, bool)> + '_ {
        self.handlers.iter().flat_map(|(handler, items)| {
            items
                .iter()
                .map(|(item, checked)| (*handler, *item, *checked))
        })
    }

    /// How many choices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.handlers.values().map(BTreeMap::len).sum()
    }

    /// Whether there is no choice.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }

    /// Whether an item of a handler takes part.
    pub(super) fn checked(&self, handler: HandlerId) -> impl Fn(&SyncItem) -> bool + '_ {
        let chosen = self.handlers.get(&handler);
        move |item| {
            let chosen = chosen.and_then(|chosen| chosen.get(&item.id));
            chosen.copied().unwrap_or(item.checked)
        }
    }

    /// The items of a list that take part.
    pub(super) fn select(&self, handler: HandlerId, list: &ItemList) -> Vec<ItemId> {
        let checked = self.checked(handler);
        let items = list.items().iter().filter(|item| checked(item));
        items.map(|item| item.id).collect()
    }

    /// The choices for one handler.
    pub(super) fn of(&self, handler: HandlerId) -> Self {
        let items = self.handlers.get(&handler).cloned();
        Self {
            handlers: items.map(|items| (handler, items)).into_iter().collect(),
        }
    }

    /// The items that the list has no more, if it is complete.
    pub(super) fn not_in(&self, handler: HandlerId, list: &ItemList) -> Vec<ItemId> {
        let chosen = self.handlers.get(&handler);
        let Some(chosen) = chosen.filter(|_| list.is_complete()) else {
            return Vec::new();
        };
        let listed: HashSet<ItemId, RandomState> =
            list.items().iter().map(|item| item.id).collect();
        let gone = chosen.keys().filter(|item| !listed.contains(item));
        gone.copied().collect()
    }

    /// Drops what was for one run only.
    pub(super) fn run_is_over(&mut self, handler: HandlerId, temporary: &[ItemId]) {
        self.forget_all(handler, temporary);
    }
}

/// Of two choices for an item the later one counts.
impl Extend<(HandlerId, ItemId, bool)> for Choices {
    fn extend<T: IntoIterator<Item = (HandlerId, ItemId, bool)>>(&mut self, choices: T) {
        for (handler, item, checked) in choices {
            self.set(handler, item, checked);
        }
    }
}

/// As [`Choices::iter`] gives them.
impl FromIterator<(HandlerId, ItemId, bool)> for Choices {
    fn from_iter<T: IntoIterator<Item = (HandlerId, ItemId, bool)>>(choices: T) -> Self {
        let mut collected = Self::new();
        collected.extend(choices);
        collected
    }
}

/// The items of a list whose choices are for one run only.
pub(super) fn temporary(list: &ItemList) -> Vec<ItemId> {
    let items = list.items().iter();
    items
        .filter(|item| item.flags.contains(ItemFlags::TEMPORARY))
        .map(|item| item.id)
        .collect()
}
