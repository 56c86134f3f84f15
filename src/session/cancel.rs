//! Cancellation by the user.

use std::sync::Arc;

use super::session_link::SessionLink;
use super::state::event_queue::HostEvent;
use super::state::flags;
use super::{ItemReporter, Session};
use crate::util::wake::wake;
use crate::{CallbackError, ItemId};

/// For the user, on any thread.
impl Session {
    /// The fast handle on an item, for the worker that reports it.
    ///
    /// # Errors
    ///
    /// [`UnknownItem`](CallbackError::UnknownItem) for an id that the session does not know,
    /// [`Released`](CallbackError::Released) after the release.
    pub fn reporter(self: &Arc<Self>, item: ItemId) -> Result<ItemReporter, CallbackError> {
        match self.table.reported(item) {
            Some(found) if found.flags() & flags::RELEASED == 0 => Ok(ItemReporter::on_slot(
                found.into_arc(),
                SessionLink::Weak(self.me.clone()),
            )),
            _ => Err(self.unknown()),
        }
    }

    /// Cancels one item: once this has returned, each later report of it is answered `CancelItem`, on any thread
    /// (rule M10), until a retry names it.
    ///
    /// Cancelling an item that has a final status changes nothing.
    ///
    /// # Errors
    ///
    /// [`UnknownItem`](CallbackError::UnknownItem) for an item that the session does not know or that does not take
    /// part in the round, [`Released`](CallbackError::Released) after the release.
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem, Verdict};
    ///
    /// let (a, b) = (ItemId::from_u128(1), ItemId::from_u128(2));
    /// let items = [SyncItem::new(a, "a".parse()?), SyncItem::new(b, "b".parse()?)];
    /// let session = Session::builder().items(items).build()?;
    /// let reporter = session.reporter(a)?;
    /// assert_eq!(reporter.set(1), Ok(Verdict::Continue));
    /// session.cancel_item(a)?;
    /// assert_eq!(reporter.set(2), Ok(Verdict::CancelItem)); // what the host shows stays 1
    /// assert_eq!(session.reporter(b)?.check(), Ok(Verdict::Continue));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.cancel(item, 0)
    }

    /// Skips one item: cancels it as [`cancel_item`](Self::cancel_item) does, and asks the driver, by
    /// [`HostEvent::Skip`], to tell the handler so by `set_item_status`.
    ///
    /// # Errors
    ///
    /// As for [`cancel_item`](Self::cancel_item).
    pub fn skip_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.cancel(item, flags::SKIP)
    }

    fn cancel(&self, item: ItemId, skip: u32) -> Result<(), CallbackError> {
        // With the lifecycle locked, a cancel comes before a retry, which clears it, or after it.
        let (lifecycle, _) = self.lifecycle()?;
        let found = self.table.find(item).ok_or(CallbackError::UnknownItem)?;
        let number = found.number();
        let change = found.change(
            |_, flags| {
                if flags & flags::MEMBER == 0 {
                    Err(CallbackError::UnknownItem)
                } else if flags & flags::FINISHED != 0 {
                    Ok(flags)
                } else {
                    Ok((flags | flags::CANCEL_ITEM | skip) & !flags::WAITED)
                }
            },
            |change| {
                self.announce(number, change, 0);
                if change.sets(flags::SKIP) {
                    self.events.push(HostEvent::Skip(item));
                }
            },
        )?;
        drop(lifecycle);
        if change.clears(flags::WAITED) {
            wake(self.wakers.take(number));
        }
        self.journal.notify();
        Ok(())
    }

    /// Cancels everything: once this has returned, each later report is answered `CancelAll`, on any thread (rule
    /// M10). Items that are added later are cancelled too, and there will be no retry. It cannot be taken back.
    ///
    /// Items that have a final status keep what they have.
    ///
    /// It costs what exists, since each item is told, so that a report needs to look at its own item only.
    pub fn cancel_all(&self) {
        let Ok((mut lifecycle, _)) = self.lifecycle() else {
            return;
        };
        if lifecycle.cancelled {
            return;
        }
        lifecycle.cancelled = true;
        self.change_all(|flags| match flags & flags::FINISHED {
            0 => (flags | flags::CANCEL_ALL) & !flags::WAITED,
            _ => flags,
        });
        self.journal.cancel_all();
        let waiting = self.wakers.take_all();
        drop(lifecycle);
        wake(waiting);
        self.journal.notify();
    }

    /// Whether [`cancel_all`](Self::cancel_all) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.lifecycle.lock().cancelled
    }

    /// Changes the flags of every item in its current slot. To be called with the lifecycle locked.
    pub(super) fn change_all(&self, edit: impl Fn(u32) -> u32) {
        for number in 0..self.table.len() {
            self.change(number, &edit);
        }
        self.change_proposed(edit);
    }

    pub(super) fn change(&self, number: u32, edit: impl Fn(u32) -> u32) {
        if let Some(slot) = self.table.by_number(number) {
            // This edit refuses nothing.
            let _ = slot.change::<()>(
                |_, flags| Ok(edit(flags)),
                |change| {
                    self.announce(number, change, 0);
                },
            );
        }
    }
}
