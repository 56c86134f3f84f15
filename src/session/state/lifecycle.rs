//! The phase machine's state, beside the phase itself.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::session::RefusedCompletion;
use crate::{HResult, ItemId};

/// The state of the phase machine. The phase itself is in the journal, where observers read it together
/// with the entries. It changes only while this is locked.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    /// The first prepare has begun.
    pub(crate) begun: bool,
    /// Everything is cancelled.
    pub(crate) cancelled: bool,
    /// The numbers of the items of the current round, in the order of the prepare, then as added. In an open session,
    /// and before the first prepare, every item takes part and this is empty.
    pub(crate) members: Vec<u32>,
    /// Ids that the host asks for while the handler works.
    pub(crate) requests: Requests,
    pub(crate) refused: Vec<RefusedCompletion>,
    /// The code that completed the last round.
    pub(crate) result: Option<HResult>,
}

/// Ids that were asked for, each once, in the order in which they were asked for first.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    by_age: BTreeMap<u64, ItemId>,
    ages: HashMap<ItemId, u64, RandomState>,
    next: u64,
}

impl Requests {
    pub(crate) fn add(&mut self, item: ItemId) {
        if !self.ages.contains_key(&item) {
            self.ages.insert(item, self.next);
            self.by_age.insert(self.next, item);
            self.next += 1;
        }
    }

    pub(crate) fn remove(&mut self, item: ItemId) {
        if let Some(age) = self.ages.remove(&item) {
            self.by_age.remove(&age);
        }
    }

    pub(crate) fn list(&self) -> Vec<ItemId> {
        self.by_age.values().copied().collect()
    }
}
