//! One item, as an observer sees it.

use super::state::flags;
use super::state::slot::SlotSnapshot;
use crate::{ItemId, ItemName, ItemStatus, SyncItem, Verdict};

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
