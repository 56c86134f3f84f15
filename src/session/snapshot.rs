//! What an observer sees: plain data, owned, taken at one moment.

use std::time::SystemTime;

use super::Phase;
use super::state::flags;
use super::state::slot::SlotSnapshot;
use crate::{
    ErrorFlags, ErrorId, HandlerId, ItemId, ItemName, ItemStatus, LogLevel, SyncItem, Verdict,
};

/// How far an observer has read a session's journal.
///
/// A cursor belongs to the session that gave it. [`Cursor::default`] stands before the first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cursor(pub(super) u64);

/// One consistent look at an item: all its fields belong to the same moment.
///
/// ```
/// use syncmgr::{ItemId, ItemStatus, ProgressUpdate, Session, SyncItem, Verdict};
///
/// let id = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(id, "Photos".parse()?)).build()?;
/// let reporter = session.reporter(id)?;
/// let _ = reporter.report(&ProgressUpdate::new().value(3).max(4).text("beach.jpg"))?;
/// session.cancel_item(id)?;
///
/// let view = session.item(id).ok_or("no such item")?;
/// assert_eq!((view.status, view.fraction()), (ItemStatus::Updating, Some(0.75)));
/// assert_eq!(view.verdict, Verdict::CancelItem); // what the next report is answered
/// assert!(view.is_cancelling()); // the handler has not said that it stopped
/// reporter.stop()?;
/// assert!(session.item(id).is_some_and(|view| view.is_finished() && !view.is_cancelling()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ItemView {
    /// The item.
    pub id: ItemId,
    /// Its name.
    pub name: ItemName,
    /// Its status; `Pending` until its first value or status.
    pub status: ItemStatus,
    /// Its progress, in units of the handler's choice, as reported: it may exceed `max`.
    pub value: u64,
    /// The value at which the item is done, or 0 where none was told.
    pub max: u64,
    /// Its status text, at most [`Session::TEXT_LIMIT`](crate::Session::TEXT_LIMIT) bytes.
    pub text: String,
    /// What the next report of the item will be answered, as far as cancels go. One that is finished keeps what it was
    /// told: a cancel of everything that comes later shows only in the answer to its late `Failed`.
    pub verdict: Verdict,
    /// Whether the item takes part: every item until the first prepare, then those of the prepares and those added
    /// since. None in a driven session that was released without a prepare.
    pub selected: bool,
}

impl ItemView {
    pub(super) fn new(item: &SyncItem, look: SlotSnapshot) -> Self {
        Self {
            id: item.id,
            name: item.name.clone(),
            status: flags::status(look.flags),
            value: look.value,
            max: look.max,
            text: look.text,
            verdict: flags::verdict(look.flags),
            selected: flags::is_selected(look.flags),
        }
    }

    /// How much is done, from 0 to 1; none where no maximum was told. A value above the maximum counts as 1.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        (self.max > 0).then(|| (self.value as f64 / self.max as f64).min(1.0))
    }

    /// Whether the item is cancelled and the handler has not acknowledged it yet, by a final status.
    #[must_use]
    pub fn is_cancelling(&self) -> bool {
        !self.verdict.is_continue() && !self.is_finished()
    }

    /// Whether the item has a final status.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status.is_final()
    }
}

/// The sums over the items that take part (see [`ItemView::selected`]).
///
/// ```
/// use syncmgr::{ItemId, ProgressUpdate, Session, SyncItem};
///
/// let items = (1..=3).map(|n| SyncItem::new(ItemId::from_u128(n), "a file".parse().unwrap()));
/// let session = Session::builder().items(items).build()?;
/// let report = |n, update: ProgressUpdate<'_>| session.reporter(ItemId::from_u128(n))?.report(&update);
/// let _ = report(1, ProgressUpdate::new().value(50).max(100))?;
/// let _ = report(2, ProgressUpdate::new().value(7))?; // it does not know how much there is
///
/// let totals = session.snapshot().totals;
/// assert_eq!((totals.value, totals.max, totals.measured), (57, 100, 50));
/// assert_eq!(totals.fraction(), Some(0.5)); // as far as maxima were told
/// assert_eq!((totals.finished, totals.items), (0, 3)); // what a bar of items would show
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Totals {
    /// The sum of the values; it stops at `u64::MAX`. A value counts at most its maximum, where one was told.
    pub value: u64,
    /// The sum of the maxima; it stops at `u64::MAX`.
    pub max: u64,
    /// How many items take part.
    pub items: u64,
    /// How many of them have a final status.
    pub finished: u64,
    /// The part of `value` that belongs to `max`: the sum of the values of the items that told a maximum. Where `max` stops at
    /// `u64::MAX`, it is scaled down with it, so that the share that is done is right.
    pub measured: u64,
}

impl Totals {
    /// How much is done, from 0 to 1, as far as maxima were told; none where none was. It goes back when an item tells its maximum
    /// later than others.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        (self.max > 0).then(|| (self.measured as f64 / self.max as f64).min(1.0))
    }
}

/// An item's part of the sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    value: u64,
    max: u64,
    pub(super) status: ItemStatus,
}

impl Share {
    /// None where the item takes no part.
    pub(super) fn of(view: &ItemView) -> Option<Self> {
        let most = if view.max > 0 { view.max } else { u64::MAX };
        view.selected.then(|| Self {
            value: view.value.min(most),
            max: view.max,
            status: view.status,
        })
    }

    fn measured(self) -> u128 {
        if self.max > 0 { self.value.into() } else { 0 }
    }
}

/// [`Totals`] while they are summed up: wide enough that they never stop at a limit, so that what was added can be taken off again,
/// and the share that is done is right whatever the sums.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    value: u128,
    max: u128,
    measured: u128,
    items: u64,
    finished: u64,
}

impl Sums {
    pub(super) fn add(&mut self, share: Share) {
        self.value += u128::from(share.value);
        self.max += u128::from(share.max);
        self.measured += share.measured();
        self.items += 1;
        self.finished += u64::from(share.status.is_final());
    }

    pub(super) fn take(&mut self, share: Share) {
        self.value -= u128::from(share.value);
        self.max -= u128::from(share.max);
        self.measured -= share.measured();
        self.items -= 1;
        self.finished -= u64::from(share.status.is_final());
    }

    /// Adds the sums of another session.
    #[cfg(feature = "manager")]
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.value += other.value;
        self.max += other.max;
        self.measured += other.measured;
        self.items += other.items;
        self.finished += other.finished;
    }

    pub(crate) fn totals(&self) -> Totals {
        let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        // Where the maxima stop at the limit, what is done of them keeps its share. The shift makes the product fit; more than
        // 2^64 items do not fit any memory.
        let over = 64_u32.saturating_sub(self.max.leading_zeros());
        let measured = match over {
            0 => self.measured,
            over => (self.measured >> over) * u128::from(u64::MAX) / (self.max >> over),
        };
        Totals {
            value: narrow(self.value),
            max: narrow(self.max),
            items: self.items,
            finished: self.finished,
            measured: narrow(measured),
        }
    }
}

/// A look at every item of a session.
///
/// No change of an item or of the phase falls between a snapshot and [`Session::changes`](crate::Session::changes) with
/// its cursor: what is not in the one is in the other. The log is apart: a snapshot has none of it. Who draws the log too
/// begins with [`Session::log`](crate::Session::log), whose entries carry their `sequence`, or with the changes since
/// [`Cursor::default`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SessionSnapshot {
    /// Every item, in the order in which they were built and added.
    pub items: Vec<ItemView>,
    /// The phase.
    pub phase: Phase,
    /// The sums over the items that take part.
    pub totals: Totals,
    /// From where to go on with [`Session::changes`](crate::Session::changes).
    pub cursor: Cursor,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[doc(alias = "ISyncMgrEvent")]
pub struct LogEntry {
    /// When the host took it.
    #[cfg_attr(feature = "serde", serde(with = "crate::contract::serde_time::time"))]
    pub time: SystemTime,
    /// Its number in the session's journal: larger is later.
    pub sequence: u64,
    /// The handler, where the session was built for one.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub handler: Option<HandlerId>,
    /// How severe it is.
    pub level: LogLevel,
    /// The text, at most [`Session::LOG_TEXT_LIMIT`](crate::Session::LOG_TEXT_LIMIT) bytes.
    pub text: String,
    /// The item it is about.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub item: Option<ItemId>,
    /// The id by which the handler knows the error.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub error_id: Option<ErrorId>,
    /// Whether the handler can show more about it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: ErrorFlags,
    /// What happened in a word or two, at most [`Session::TEXT_LIMIT`](crate::Session::TEXT_LIMIT) bytes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<String>,
    /// Where the user can read or do more. One of more than [`Session::LOG_TEXT_LIMIT`](crate::Session::LOG_TEXT_LIMIT) bytes
    /// is left out: cut, it would lead nowhere.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub link: Option<String>,
    /// What stands on the link, at most [`Session::TEXT_LIMIT`](crate::Session::TEXT_LIMIT) bytes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub link_text: Option<String>,
    /// What the handler wants to find again, at most [`Session::LOG_TEXT_LIMIT`](crate::Session::LOG_TEXT_LIMIT) bytes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub context: Option<String>,
}

impl LogEntry {
    /// Whether `show_error` may be called for the entry (rule M05): it has the flag and an error id. The host calls it while the run
    /// lasts, for what [`show_error_if`](crate::RunOptions::show_error_if) wants; of a run that is over, a manager does the items
    /// again by [`sync_items`](crate::SyncManager::sync_items).
    #[must_use]
    pub fn can_be_shown(&self) -> bool {
        self.flags.contains(ErrorFlags::ENABLE_JUMP_TEXT) && self.error_id.is_some()
    }
}

/// What is in work, and what has changed since a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Changes {
    pub(super) cursor: Cursor,
    pub(super) phase: Phase,
    pub(super) items: Vec<ItemView>,
    pub(super) log: Vec<LogEntry>,
    pub(super) complete: bool,
    pub(super) over: bool,
}

impl Changes {
    /// From where to go on.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The items in work, and those whose status, verdict or part in the run changed after the cursor that was given,
    /// each once, in the order in which they were built and added.
    #[must_use]
    pub fn items(&self) -> &[ItemView] {
        &self.items
    }

    /// The log entries that came after the cursor that was given and were not deleted since.
    #[must_use]
    pub fn log(&self) -> &[LogEntry] {
        &self.log
    }

    /// Whether the journal reaches back to the cursor that was given. Where it does not, take a
    /// [`snapshot`](crate::Session::snapshot): items may have changed that are not listed here. The log entries are all
    /// here in any case.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether nothing more will come: the session is released, or it is completed and has no driver who could start
    /// another round.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Leaves out the items that are not wanted.
    #[cfg(feature = "serde")]
    pub(crate) fn retain_items(&mut self, keep: impl FnMut(&ItemView) -> bool) {
        self.items.retain(keep);
    }
}
