//! The totals over all items, and how they are summed up.

use super::item_view::ItemView;
use crate::ItemStatus;

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
