//! The host of a worker that does one item after the other.

use std::sync::Arc;

use super::ItemReporter;
use super::session_link::{HeldSession, SessionLink};
use super::state::slot::{Slot, SlotReport};
use crate::{CallbackError, ItemId, ProgressUpdate, SyncCallback};

/// What a worker knows of its host. If that is a session, the worker keeps it, and finds the items without asking the callback.
#[derive(Default)]
pub(crate) struct WorkerHost {
    held: Option<Arc<HeldSession>>,
}

impl WorkerHost {
    /// A reporter of an item, and whether that may be begun: `goes_on` is asked before anything is reported, then the verdict, and
    /// the item is reported as in work. On a session all of it is one look and one change. `place` is where the item most likely
    /// is in the session's list.
    pub(crate) fn begin(
        &mut self,
        callback: &Arc<dyn SyncCallback>,
        item: ItemId,
        place: Option<usize>,
        goes_on: impl Fn() -> bool,
    ) -> Result<(ItemReporter, bool), CallbackError> {
        if let Some((held, slot)) = self.find(callback, item, place) {
            let begun = goes_on() && held.0.report(&slot, &SlotReport::Begin)?.is_continue();
            return Ok((ItemReporter::on_slot(slot, SessionLink::Held(held)), begun));
        }
        let reporter = ItemReporter::by_calls(callback, item);
        let begun = goes_on()
            && reporter.check()?.is_continue()
            && goes_on()
            && reporter.report(&ProgressUpdate::IN_WORK)?.is_continue();
        Ok((reporter, begun))
    }

    /// A reporter of an item, if that has not ended and is not cancelled. On a session it only looks.
    pub(crate) fn reporter(
        &mut self,
        callback: &Arc<dyn SyncCallback>,
        item: ItemId,
        place: usize,
    ) -> Result<Option<ItemReporter>, CallbackError> {
        if let Some((held, slot)) = self.find(callback, item, Some(place)) {
            let goes_on = slot.goes_on();
            held.0.called(); // it is a question to the host, as others are
            return Ok(goes_on.then(|| ItemReporter::on_slot(slot, SessionLink::Held(held))));
        }
        let reporter = ItemReporter::by_calls(callback, item);
        let verdict = reporter.check()?;
        Ok(verdict.is_continue().then_some(reporter))
    }

    fn find(
        &mut self,
        callback: &Arc<dyn SyncCallback>,
        item: ItemId,
        place: Option<usize>,
    ) -> Option<(Arc<HeldSession>, Arc<Slot>)> {
        if let Some(held) = &self.held {
            let place = place.and_then(|place| u32::try_from(place).ok());
            let guessed = place.and_then(|place| held.0.table.guess(place, item));
            let slot = match guessed.filter(|slot| !slot.is_retired()) {
                Some(slot) => Arc::clone(slot),
                None => held.0.table.reported(item)?.into_arc(),
            };
            return Some((Arc::clone(held), slot));
        }
        // Only a session gives a slot, so it gives those of the other items, too.
        let (session, slot) = ItemReporter::find(callback, item)?;
        let held = self.held.insert(Arc::new(HeldSession(session)));
        Some((Arc::clone(held), slot))
    }
}
