//! What the tests of the testing kit share: a handler that obeys, and questions about a trace.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use syncmgr::testing::{Call, Rule, Trace, Violation};
use syncmgr::{
    CallbackError, HResult, HandlerError, ItemId, ItemStatus, Prepared, SyncCallback, SyncEvent,
    SyncFlags, Verdict,
};

use super::handler::{Script, Scripted};
use crate::{status, value};

/// The flags of a manual run in which the user may be bothered.
pub fn bothering() -> SyncFlags {
    SyncFlags::new(SyncEvent::Manual) | SyncFlags::MAY_BOTHER_USER
}

/// A handler of items 1 to `n` that obeys: one part after the other on the host's thread, with a look at each answer.
pub fn obedient(n: u128) -> Script {
    Script::new(n)
        .synchronize(|handler| {
            copy_all(handler);
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        })
        .show_error(|_, _| Err(HandlerError::NotImplemented))
}

/// Brings every item of the round to its end.
pub fn copy_all(handler: &Scripted) {
    let callback = handler.callback();
    for item in handler.round() {
        copy(&*callback, item);
    }
}

/// Copies an item of two parts as the contract asks.
pub fn copy(callback: &dyn SyncCallback, item: ItemId) {
    let first = callback.progress(item, &status(ItemStatus::Updating).max(2));
    let end = copy_parts(callback, item, first);
    finish(callback, item, end);
}

/// Copies the parts of an item that was begun; answers the status that it ends with.
pub fn copy_parts(
    callback: &dyn SyncCallback,
    item: ItemId,
    mut verdict: Result<Verdict, CallbackError>,
) -> ItemStatus {
    for part in 1..=2 {
        if verdict != Ok(Verdict::Continue) {
            return ItemStatus::Stopped;
        }
        verdict = callback.progress(item, &value(part));
    }
    match verdict {
        Ok(Verdict::Continue) => ItemStatus::Succeeded,
        _ => ItemStatus::Stopped,
    }
}

/// Gives an item its final status; what that answers is of no more use.
pub fn finish(callback: &dyn SyncCallback, item: ItemId, end: ItemStatus) {
    let _told = callback.progress(item, &status(end));
}

/// The items that `set_item_status` named. An item is begun while this is held.
#[derive(Clone, Default)]
pub struct Skipped(Arc<Mutex<BTreeSet<ItemId>>>);

impl Skipped {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn insert(&self, item: ItemId) {
        self.look(|skipped| skipped.insert(item));
    }

    pub fn contains(&self, item: ItemId) -> bool {
        self.look(|skipped| skipped.contains(&item))
    }

    /// A copy, as it stands now.
    pub fn now(&self) -> BTreeSet<ItemId> {
        self.look(|skipped| skipped.clone())
    }

    pub fn look<T>(&self, look: impl FnOnce(&mut BTreeSet<ItemId>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Completes a prepare with `S_OK` on the host's thread.
pub fn prepared(handler: &Scripted) -> Result<Prepared, HandlerError> {
    handler.complete_prepare(HResult::S_OK);
    Ok(Prepared::Started)
}

/// The one breach of a trace, which is of this rule, and nothing else went wrong. What a person would read is printed.
#[track_caller]
pub fn only(trace: &Trace, rule: Rule) -> &Violation {
    println!("{}", trace.report());
    assert_eq!(broken(trace), [rule], "{trace}");
    assert!(trace.incidents().is_empty(), "{trace}");
    &trace.violations()[0]
}

/// The rules that are broken, one for each breach.
pub fn broken(trace: &Trace) -> Vec<Rule> {
    trace.violations().iter().map(|found| found.rule).collect()
}

/// Nothing is wrong with the trace, not even a little.
#[track_caller]
pub fn clean(trace: &Trace) {
    assert!(trace.violations().is_empty(), "{trace}");
    assert!(trace.incidents().is_empty(), "{trace}");
    assert!(trace.is_conformant(), "{trace}");
    trace.assert_conformant();
}

/// The places of the calls for which this holds.
pub fn places(trace: &Trace, holds: impl Fn(&Call) -> bool) -> Vec<usize> {
    let calls = trace.calls().iter().enumerate();
    calls
        .filter(|(_, call)| holds(call))
        .map(|(place, _)| place)
        .collect()
}

/// The places of the calls of this name.
pub fn named(trace: &Trace, name: &str) -> Vec<usize> {
    places(trace, |call| call.action.name() == name)
}

/// The places of the reports of an item.
pub fn reports(trace: &Trace, item: ItemId) -> Vec<usize> {
    places(trace, |call| call.action.reported() == Some(item))
}

/// What was found is at this call, was led to by these among others, and its words tell what matters.
#[track_caller]
pub fn tells(found: &Violation, at: usize, related_calls: &[usize], words: &[&str]) {
    assert_eq!(found.at, at, "the call at fault of {found:?}");
    for place in related_calls {
        assert!(
            found.related_calls.contains(place),
            "{place} led to it: {found:?}"
        );
    }
    assert!(found.related_calls.is_sorted(), "in order: {found:?}");
    for word in words {
        assert!(found.message.contains(word), "{word:?} in {found:?}");
    }
    assert!(!found.advice().is_empty());
}
