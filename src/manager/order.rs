//! How a handler is to be started, and when one run can do for two orders.

use std::collections::HashSet;
use std::hash::Hash;

use crate::{InvokeFlags, ItemId, SyncFlags};

/// How a handler is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) flags: SyncFlags,
    pub(super) cookie: Option<Vec<u8>>,
    /// How the choice is made: by whoever was asked for it, unless the program that invokes wants it at once.
    pub(super) invoke: InvokeFlags,
    /// These items, whatever was chosen; none: what was chosen.
    pub(super) items: Option<Vec<ItemId>>,
    /// The properties to show: of an item, or the handler's own.
    pub(super) properties: Vec<Option<ItemId>>,
}

impl Order {
    /// Whether one run can do for both. Then this one is it.
    pub(super) fn join(&mut self, other: &Order) -> bool {
        let same = self.flags == other.flags
            && self.cookie == other.cookie
            && self.invoke == other.invoke
            && self.items.is_some() == other.items.is_some();
        if !same {
            return false;
        }
        if let (Some(items), Some(more)) = (&mut self.items, &other.items) {
            join_lists(items, more);
        }
        join_lists(&mut self.properties, &other.properties);
        true
    }
}

/// Appends what is not there yet.
fn join_lists<T: Copy + Eq + Hash>(list: &mut Vec<T>, more: &[T]) {
    let mut there: HashSet<T> = list.iter().copied().collect();
    list.extend(more.iter().filter(|new| there.insert(**new)));
}
