//! The handler's side of a session: [`SyncCallback`].

use std::cell::Cell;
use std::task::Waker;

use super::state::event_queue::HostEvent;
use super::state::flags;
use super::state::flags::Change;
use super::state::item_wakers::{Kept, WHOLE};
use super::state::slot::{Slot, SlotEditor, SlotReport};
use super::state::table::Table;
use super::{Completion, Lifecycle, Phase, Session};
use crate::contract::SlotHandle;
use crate::util::sync::LAST_SLOT;
use crate::util::sync::{MutexGuard, Ordering};
use crate::util::wake::{wake, wake_at_once};
use crate::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, ItemId, LogLevel, LogRecord,
    LogSelector, ProgressUpdate, PropertiesOutcome, SyncCallback, SyncItem, Verdict,
};

impl Session {
    /// The frozen slot that this thread found last, if it is the item's: a worker mostly reports the item that it reported
    /// before. The slot may be retired; then it is not live either.
    #[inline]
    fn guessed_slot(&self, item: ItemId) -> Option<&Slot> {
        let guess = LAST_SLOT.try_with(Cell::get).ok()?;
        self.table.guess(guess, item).map(|slot| &**slot)
    }

    /// The frozen slot of an item, which may be retired. The next guess is that it is asked for again.
    fn frozen_slot(&self, item: ItemId) -> Option<&Slot> {
        let (slot, number) = self.table.frozen(item)?;
        // Where the thread is ending and has no such variable any more, there is no guess next time.
        let _ = LAST_SLOT.try_with(|last| last.set(number));
        Some(slot)
    }

    /// A report by id that the first look did not take. A function of its own, so that the first look needs no room on the
    /// stack: saving the registers for this one would cost it a quarter of its time.
    #[inline(never)]
    fn progress_by_id(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
        guessed: Option<&Slot>,
    ) -> Result<Verdict, CallbackError> {
        if let Some(slot) = guessed.or_else(|| self.frozen_slot(item)) {
            if slot.try_store(update) || slot.try_update(update) {
                return Ok(Verdict::Continue);
            }
            if !slot.is_retired() {
                match self.report(slot, &SlotReport::Update(update)) {
                    // A retry has moved the item this moment.
                    Err(CallbackError::Released) if slot.is_retired() => {}
                    answer => return answer,
                }
            }
        }
        self.on_slot(item, |slot| {
            if slot.try_store(update) || slot.try_update(update) {
                Ok(Verdict::Continue)
            } else {
                self.report(slot, &SlotReport::Update(update))
            }
        })
    }

    /// Calls `with` with the current slot of an item, and again if a retry gave the item another slot meanwhile.
    fn on_slot<R>(
        &self,
        item: ItemId,
        mut with: impl FnMut(&Slot) -> Result<R, CallbackError>,
    ) -> Result<R, CallbackError> {
        loop {
            let Some(slot) = self.table.reported(item) else {
                self.called();
                return Err(self.unknown());
            };
            match with(&slot) {
                Err(CallbackError::Released) if slot.is_retired() => {}
                answer => return answer,
            }
        }
    }

    /// Takes a report that the fast path did not: the item's state is changed, then whoever must know is told.
    pub(super) fn report(
        &self,
        slot: &Slot,
        report: &SlotReport<'_>,
    ) -> Result<Verdict, CallbackError> {
        let (mut number, mut counted) = (slot.number(), false);
        let change = slot.report(report, |change| {
            // With the slot locked, so that it is not committed meanwhile.
            number = slot.number();
            if number >= Table::HIDDEN {
                return; // nobody sees it
            }
            // Nobody polls an item that is not in work, so what else a report changes there is journalled: the text of a
            // late FAILED, the maximum of an item that waits.
            let unseen = (change.before | change.after) & flags::WORKING == 0;
            let update = report.update(change.before);
            let told = change.before & flags::FINISHED != 0 || !update.mask().is_empty();
            if unseen && told {
                self.journal.record_change(number, 1);
                counted = true;
            } else {
                counted = self.announce(number, change, 1);
            }
        });
        let change = change.inspect_err(|_| self.called())?; // a refused call is a call
        if !counted && change.after & flags::WORKING == 0 {
            self.called(); // the mark in the slot is only looked for while the item is in work
        }
        if change.clears(flags::WAITED) {
            wake(self.wakers.take(number));
        }
        self.journal.notify();
        if change.before & flags::FINISHED != 0 && self.lifecycle.lock().cancelled {
            // `cancel_all` leaves finished items alone, but what comes after it is told of it (rule M10).
            return Ok(Verdict::CancelAll);
        }
        Ok(flags::verdict(change.after))
    }

    /// Tells the observers what a change of a slot means to them, and returns whether it means anything. Called with the slot
    /// locked. `calls` is how many calls of the handler this is.
    pub(super) fn announce(&self, number: u32, change: Change, calls: u64) -> bool {
        if change.clears(flags::WORKING) || change.sets(flags::FINISHED) {
            self.journal.end(number, calls);
        } else if change.sets(flags::WORKING) {
            self.journal.begin(number, change.is_news(), calls);
        } else if change.is_news() {
            self.journal.record_change(number, calls);
        } else {
            return false;
        }
        true
    }

    /// Drops a waker that is not to be woken any more.
    pub(super) fn forget_waker(&self, number: u32, waker: &Waker) {
        let forgotten = self.wakers.forget(number, waker);
        drop(forgotten); // with no lock held
    }

    /// Counts a call that leaves no mark in a slot in work.
    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer for an id that the session does not know.
    pub(super) fn unknown(&self) -> CallbackError {
        if self.journal.phase() == Phase::Released {
            CallbackError::Released
        } else {
            CallbackError::UnknownItem
        }
    }

    /// Takes the completion of a call that the session does not see, unless too many of them wait
    /// for the driver.
    fn completed(&self, event: HostEvent) -> Result<(), CallbackError> {
        let (_stage, _) = self.lifecycle()?;
        if !self.events.push_completion(event) {
            return Err(CallbackError::WrongPhase);
        }
        self.arbiter.give_back(self.token());
        Ok(())
    }

    /// Locks the lifecycle of a session that is not released.
    pub(super) fn lifecycle(&self) -> Result<(MutexGuard<'_, Lifecycle>, Phase), CallbackError> {
        let lifecycle = self.lifecycle.lock();
        match self.journal.phase() {
            Phase::Released => Err(CallbackError::Released),
            phase => Ok((lifecycle, phase)),
        }
    }

    /// The answer for the handler as a whole.
    fn whole_verdict(lifecycle: &Lifecycle) -> Verdict {
        if lifecycle.cancelled {
            Verdict::CancelAll
        } else {
            Verdict::Continue
        }
    }
}

impl SyncCallback for Session {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        match self.guessed_slot(item) {
            Some(slot) if slot.try_store(update) => Ok(Verdict::Continue),
            guessed => self.progress_by_id(item, update, guessed),
        }
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        if record.error_id == Some(ErrorId::NIL) {
            // It could not be deleted alone: the nil id means all of them there.
            self.called();
            return Err(match self.unknown() {
                CallbackError::Released => CallbackError::Released,
                _ => CallbackError::InvalidArgument,
            });
        }
        let answer = self.journal.log_error(record);
        self.journal.notify();
        answer
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.called();
        let answer = self.journal.delete_log_error(which);
        self.journal.notify();
        answer
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.called();
        self.complete(Completion::Prepare, result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.called();
        self.complete(Completion::Synchronize, result)
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        self.called();
        let items = outcome.items().to_vec(); // the host copies them
        self.completed(HostEvent::ShowErrorCompleted(outcome.into(), items))
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        self.called();
        self.completed(HostEvent::ShowPropertiesCompleted(outcome))
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.called();
        self.ask_for_dialog(enable)
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        self.called();
        drop(self.lifecycle()?); // refuses a released session
        // A clone, so that no lock is held while the connector works; if the release comes meanwhile, it is the last
        // one, and what was opened is closed at the end of this call.
        let connections = self.connections.lock().clone();
        let Some(connections) = connections else {
            return match self.lifecycle() {
                Ok(_) => Err(CallbackError::NotConnected),
                Err(released) => Err(released), // the release came meanwhile and took them
            };
        };
        let opened = connections.open(connection).unwrap_or_else(|panic| {
            let text = format!("the connector panicked: {panic}");
            // A full log loses the entry; the panic hook has shown the panic.
            let _ = self.log_error(&LogRecord::new(LogLevel::Error, &text));
            Err(CallbackError::NotConnected)
        });
        opened?;
        self.called(); // opening may have taken its time
        Ok(())
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        if let Some(item) = item {
            return self.progress(item, &ProgressUpdate::CHECK);
        }
        self.called();
        let (lifecycle, _) = self.lifecycle()?;
        Ok(Self::whole_verdict(&lifecycle))
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        self.called();
        // Cloned and dropped with no lock held: both are user code.
        let waker = waker.clone();
        let Some(item) = item else {
            let (lifecycle, phase) = self.lifecycle()?;
            if lifecycle.cancelled || phase == Phase::Completed {
                drop(lifecycle);
                wake_at_once(waker);
                return Ok(());
            }
            let kept = self.wakers.keep(WHOLE, waker);
            drop(lifecycle);
            kept.wake();
            return Ok(());
        };
        let mut waker = Some(waker);
        let mut kept = Kept::default();
        self.on_slot(item, |slot| {
            let edit = |_: &mut SlotEditor<'_>, flags| {
                const OVER: u32 = flags::CANCEL_ITEM | flags::CANCEL_ALL | flags::FROZEN;
                if flags & (flags::RELEASED | flags::RETIRED) != 0 {
                    Err(CallbackError::Released)
                } else if flags & flags::MEMBER == 0 {
                    Err(CallbackError::UnknownItem)
                } else if flags & OVER != 0 {
                    Ok(flags)
                } else {
                    // With the slot locked, so that a cancel finds both the bit and the waker, or comes before both.
                    if let Some(waker) = waker.take() {
                        kept = self.wakers.keep(slot.number(), waker);
                    }
                    Ok(flags | flags::WAITED)
                }
            };
            slot.change(edit, |_| {})
        })?;
        kept.wake();
        if let Some(waker) = waker {
            wake_at_once(waker);
        }
        Ok(())
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.called();
        let answer = self.add(item);
        self.journal.notify();
        answer
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        self.called();
        self.propose(item)
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.called();
        let answer = self.commit(item);
        self.journal.notify();
        answer
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.called();
        self.additional()
    }

    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        self.called();
        let (lifecycle, _) = self.lifecycle()?;
        self.journal.set_text(text);
        let verdict = Self::whole_verdict(&lifecycle);
        drop(lifecycle);
        self.journal.notify();
        Ok(verdict)
    }

    fn slot(&self, item: ItemId) -> Option<SlotHandle> {
        let number = self.table.reported(item)?.number();
        Some(SlotHandle::new(self.me.upgrade()?, number))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ItemName;

    #[test]
    fn a_report_by_id_finds_the_item_of_the_last_one_without_a_search() {
        let items =
            (1..=3).map(|n| SyncItem::new(ItemId::from_u128(n), ItemName::truncate_start("a")));
        let session = Session::builder().items(items).build();
        let session = session.expect("the ids are distinct");
        let (second, third) = (ItemId::from_u128(2), ItemId::from_u128(3));
        assert!(session.guessed_slot(third).is_none());
        let answer = session.progress(third, &ProgressUpdate::CHECK);
        assert_eq!(answer, Ok(Verdict::Continue));
        assert!(session.guessed_slot(third).is_some());
        assert!(session.guessed_slot(second).is_none());
    }
}
