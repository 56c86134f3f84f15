//! The observer's side of a session.

use std::task::Waker;
use std::time::Duration;

use super::changes::{Changes, Cursor};
use super::item_view::ItemView;
use super::log_entry::LogEntry;
use super::snapshot::SessionSnapshot;
use super::state::flags;
use super::totals::{Share, Sums};
use super::{Phase, Session};
use crate::util::clock;
use crate::util::clock::deadline;
use crate::{ErrorId, HResult, HandlerId, ItemId, LogLevel};

impl Session {
    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.journal.phase()
    }

    /// The handler that the session is for, where it was [built for one](crate::SessionBuilder::handler).
    #[must_use]
    pub fn handler(&self) -> Option<HandlerId> {
        self.journal.handler()
    }

    /// What the last round came to: the code of its `synchronize_completed`, or of a prepare that was completed with
    /// anything but `S_OK`. None until then.
    #[must_use]
    pub fn result(&self) -> Option<HResult> {
        self.lifecycle.lock().result
    }

    /// One consistent look at an item, or none where the session does not know it.
    #[must_use]
    pub fn item(&self, item: ItemId) -> Option<ItemView> {
        let found = self.table.find(item)?;
        let look = found.snapshot();
        self.table
            .item(found.number(), |item| ItemView::new(item, look))
    }

    /// Whether the session has this item.
    pub(crate) fn has_item(&self, item: ItemId) -> bool {
        self.table.find(item).is_some()
    }

    /// The items as they are, one after the other.
    pub(crate) fn views(&self) -> impl Iterator<Item = ItemView> {
        (0..self.table.len()).filter_map(|number| self.view(number))
    }

    /// Whether an item has come to its end, and was not cancelled.
    #[cfg(feature = "manager")]
    pub(crate) fn is_done(&self, item: ItemId) -> bool {
        let flags = self.table.find(item).map(|slot| slot.flags());
        flags.is_some_and(|flags| {
            flags & flags::FINISHED != 0 && flags::verdict(flags).is_continue()
        })
    }

    fn view(&self, number: u32) -> Option<ItemView> {
        let look = self.table.by_number(number)?.snapshot();
        self.table.item(number, |item| ItemView::new(item, look))
    }

    /// A look at every item. It costs what exists; [`changes`](Self::changes) with its cursor goes on from there at
    /// the cost of what is in work or changed, and no change falls between the two.
    ///
    /// Each item is looked at for itself: two items need not belong to the same moment.
    #[must_use]
    pub fn snapshot(&self) -> SessionSnapshot {
        // The cursor first: what changes while the items are read is told again by `changes`.
        let (cursor, phase) = self.journal.cursor_and_phase();
        let count = self.table.len();
        let mut items = Vec::with_capacity(count as usize);
        let mut sums = Sums::default();
        for view in (0..count).filter_map(|number| self.view(number)) {
            Share::of(&view)
                .into_iter()
                .for_each(|share| sums.add(share));
            items.push(view);
        }
        SessionSnapshot {
            items,
            phase,
            totals: sums.totals(),
            cursor,
        }
    }

    /// The log: the entries that were taken and not deleted, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.journal.entries()
    }

    /// Logs an entry of the host's own, beside the handler's
    /// [capacity](crate::SessionBuilder::log_capacity).
    pub(crate) fn log_own(&self, level: LogLevel, text: &str) {
        self.journal.log_own(level, text);
        self.journal.notify();
    }

    /// Blocks for so long, or until everything is cancelled or the session is released.
    pub(crate) fn pause_unless_cancelled(&self, pause: Duration) {
        let until = deadline(pause);
        loop {
            // Before the question, so that what happens after it ends the wait.
            let (cursor, phase) = self.journal.cursor_and_phase();
            if self.is_cancelled() || phase == Phase::Released {
                return;
            }
            let now = clock::now();
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
            if left.is_zero() {
                return;
            }
            self.journal.wait(cursor, left, self.driven);
        }
    }

    /// As [`log`](Self::log), after the entry with this sequence number.
    pub(crate) fn log_after(&self, sequence: u64) -> Vec<LogEntry> {
        self.journal.entries_after(sequence)
    }

    /// Whether the handler has not deleted an error, which was logged with this sequence number.
    pub(crate) fn is_logged(&self, sequence: u64, id: ErrorId) -> bool {
        self.journal.is_logged(sequence, id)
    }

    /// How many log entries were refused because the log was full.
    #[must_use]
    pub fn log_refused(&self) -> u64 {
        self.journal.log_refused()
    }

    /// The handler's own line of text, empty until it sets one by
    /// [`set_handler_text`](crate::SyncCallback::set_handler_text).
    #[must_use]
    pub fn handler_text(&self) -> String {
        self.journal.text()
    }

    /// The items in work, and what was journalled after `since`: statuses, cancels, added items, items that a first
    /// prepare leaves out, log entries, the phase.
    ///
    /// An item is in work from its first value or status to its end. A plain value is not journalled, so an item in work is
    /// listed by every call, and one that ended since is listed with its last value. After a `cancel_all`, every item
    /// that has no final status is listed once.
    ///
    /// Call it for each frame you draw, with the cursor of the last answer:
    ///
    /// ```
    /// use syncmgr::{ItemId, ItemName, ItemStatus, Session, SyncItem};
    ///
    /// # let id = ItemId::from_u128(1);
    /// # let session = Session::builder().item(SyncItem::new(id, ItemName::try_from("a")?)).build()?;
    /// let mut cursor = session.snapshot().cursor;
    /// session.reporter(id)?.succeed()?;
    ///
    /// let changes = session.changes(cursor);
    /// assert_eq!(changes.items()[0].status, ItemStatus::Succeeded);
    /// cursor = changes.cursor();
    /// assert!(session.changes(cursor).items().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn changes(&self, since: Cursor) -> Changes {
        let mut gathered = self.journal.gather(since);
        if gathered.all_cancelled {
            let unfinished = |number: &u32| {
                self.table.by_number(*number).is_some_and(|slot| {
                    let flags = slot.flags();
                    flags::is_selected(flags) && flags & flags::FINISHED == 0
                })
            };
            let all = 0..self.table.len();
            gathered.numbers.extend(all.filter(unfinished));
            gathered.numbers.sort_unstable();
            gathered.numbers.dedup();
        }
        let views = gathered
            .numbers
            .iter()
            .filter_map(|number| self.view(*number));
        Changes {
            cursor: gathered.cursor,
            phase: gathered.phase,
            items: views.collect(),
            log: gathered.log,
            complete: gathered.complete,
            over: gathered.phase.is_over(self.driven),
        }
    }

    /// Waits until something is journalled after `since`, or `timeout` has passed, or the session is over; then
    /// answers [`changes`](Self::changes).
    ///
    /// The timeout is the longest that a frame may take: plain values never wake the observer, it sees them at the next
    /// one. A journalled event ends the wait at once, so a handler of many small items wakes it often; to draw no more than
    /// so many frames a second, sleep between them. `Duration::MAX` waits for ever.
    ///
    /// An [open](Phase::Open) session is over only when it is completed or released: a tool that may leave early releases
    /// it, or its observer waits for ever.
    ///
    /// ```
    /// # use std::thread;
    /// # use std::time::Duration;
    /// use syncmgr::{HResult, ItemId, Session, SyncCallback, SyncItem};
    ///
    /// # let id = ItemId::from_u128(1);
    /// # let session = Session::builder().item(SyncItem::new(id, "Photos".parse()?)).build()?;
    /// let watched = session.clone();
    /// let observer = thread::spawn(move || {
    ///     let frame = Duration::from_millis(50);
    ///     let first = watched.snapshot(); // draw all of it
    ///     let mut cursor = first.cursor;
    ///     loop {
    ///         let changes = watched.wait_for_change(cursor, frame);
    ///         cursor = changes.cursor();
    ///         if !changes.is_complete() {
    ///             let all = watched.snapshot(); // draw all of it: the journal does not reach back so far
    ///             cursor = all.cursor;
    ///         }
    ///         for item in changes.items() {
    ///             println!("{}: {} {}", item.name, item.status, item.value); // draw this one
    ///         }
    ///         if changes.is_over() {
    ///             break;
    ///         }
    ///         thread::sleep(frame); // at most 20 frames a second
    ///     }
    /// });
    ///
    /// session.reporter(id)?.succeed()?;
    /// session.synchronize_completed(HResult::S_OK)?;
    /// # observer.join().expect("the observer does not panic");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn wait_for_change(&self, since: Cursor, timeout: Duration) -> Changes {
        self.journal.wait(since, timeout, self.driven);
        self.changes(since)
    }

    /// Asks for a task to be woken once something is journalled after `since`, or the session is over; answers false, and keeps
    /// nothing, where that is so already. For an observer that has an event loop of its own, in place of
    /// [`wait_for_change`](Self::wait_for_change); with feature `async`, an [`Observer`](super::Observer) is a `Stream` by it.
    ///
    /// The waker is woken once, by the thread that made the change, before its call returns; then it has to be registered
    /// again. One that [wakes the same task](Waker::will_wake) takes the place of the one before. It may be woken without need.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::task::{Wake, Waker};
    /// # use syncmgr::{ItemId, ItemName, Session, SyncItem};
    /// struct Redraw; // sends an event to the window
    ///
    /// impl Wake for Redraw {
    ///     fn wake(self: Arc<Self>) {}
    /// }
    ///
    /// # let id = ItemId::from_u128(1);
    /// # let session = Session::builder().item(SyncItem::new(id, ItemName::try_from("a")?)).build()?;
    /// let cursor = session.snapshot().cursor;
    /// let redraw = Waker::from(Arc::new(Redraw));
    /// assert!(session.wake_on_change(cursor, &redraw)); // nothing new yet
    /// session.reporter(id)?.succeed()?;
    /// assert!(!session.wake_on_change(cursor, &redraw)); // look first
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "where it answers false, nothing is woken"]
    pub fn wake_on_change(&self, since: Cursor, waker: &Waker) -> bool {
        self.journal.wake_on_change(since, waker, self.driven)
    }
}
