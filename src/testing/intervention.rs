//! The intervention of an exploration in one run.

use std::fmt;

use super::item_ref::ItemRef;

/// What an exploration does to a handler in one run: a cancellation, a skip or a fault, at a call that can be found again.
///
/// [`Trace::intervention`](super::Trace::intervention) returns that of a run,
/// [`Exploration::unreached`](super::Exploration::unreached) those that never came about. [`Harness::intervene`](super::Harness::intervene)
/// makes it again; its `Display` is that call. Reports are counted from 1, as by [`Harness`](super::Harness).
///
/// # Examples
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::{Harness, Intervention};
/// use syncmgr::{ItemId, ItemStatus};
///
/// let photos = ItemId::from_u128(1);
/// let script = Script::new().item(photos, "photos").synchronize([
///     Step::report(photos).status(ItemStatus::Updating),
///     Step::report(photos).status(ItemStatus::Succeeded),
/// ]);
/// Harness::explore(
///     || (Harness::new(script.handler()), ()),
///     |trace, ()| match trace.intervention() {
///         // The first run, and faults of the host, leave the item alone.
///         None | Some(Intervention::FillLog(_)) => {
///             assert_eq!(trace.status(photos), Some(ItemStatus::Succeeded));
///         }
///         Some(Intervention::CancelItem { report: 1, .. }) => {
///             assert_eq!(trace.status(photos), Some(ItemStatus::Stopped));
///         }
///         Some(_) => {}
///     },
/// )
/// .assert_conformant();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Intervention {
    /// Cancels the item at one of its reports, which itself returns the cancellation.
    CancelItem {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// Cancels everything at a report of the item, which itself returns the cancellation.
    CancelAll {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// Skips the item at one of its reports. The report returns the cancellation, and the handler is notified by
    /// `set_item_status`, unless it ends the item first.
    Skip {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// Skips the first item of the round without a report, at a report of this item. The report is held until the handler
    /// is notified (rule H14).
    ///
    /// A handler cannot be notified while it holds a lock during the report that `set_item_status` takes too. The report is
    /// then released 50 ms after the notification started. If such a handler makes its first reports under that lock, use
    /// report 2 or later: the next item may already start at report 1.
    SkipNext {
        /// The item that makes the report.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// Releases the callback: it returns `Released` from this report of the item on. The handler only has to stop.
    Release {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// Skips the item before anything is prepared.
    ///
    /// The handler is notified between the return of `prepare_for_sync` and its completion, if another thread makes the
    /// completion later, and otherwise between those of `synchronize`. Until then workers are held at their first report
    /// or at the completion of the prepare, as for [`SkipNext`](Self::SkipNext).
    SkipBeforePrepare(ItemRef),
    /// Skips the item when `prepare_for_sync` is called for the n-th time. The first retry is prepare 2, which
    /// [`show_errors`](super::Harness::show_errors) makes possible. The handler is notified, and its workers are held, as
    /// for [`SkipBeforePrepare`](Self::SkipBeforePrepare).
    SkipInPrepare {
        /// The item.
        item: ItemRef,
        /// The number of the prepare, counted from 1.
        prepare: usize,
    },
    /// Skips the item when `synchronize` is called. The handler is notified after the return of `synchronize`, and its
    /// workers are held until then.
    SkipInSynchronize(ItemRef),
    /// Refuses the n-th log entry, counted from 1: the log is full.
    FillLog(usize),
    /// Refuses the n-th connection, counted from 1.
    RefuseConnection(usize),
    /// Denies the n-th dialog, counted from 1.
    DenyDialog(usize),
}

impl Intervention {
    /// The item at whose call it is made, if it is made at one.
    #[must_use]
    pub fn item(&self) -> Option<&ItemRef> {
        match self {
            Self::CancelItem { item, .. }
            | Self::CancelAll { item, .. }
            | Self::Skip { item, .. }
            | Self::SkipNext { item, .. }
            | Self::Release { item, .. }
            | Self::SkipBeforePrepare(item)
            | Self::SkipInPrepare { item, .. }
            | Self::SkipInSynchronize(item) => Some(item),
            Self::FillLog(_) | Self::RefuseConnection(_) | Self::DenyDialog(_) => None,
        }
    }

    /// The number of the report at which it is made, if it is made at one.
    #[must_use]
    pub fn report(&self) -> Option<usize> {
        match self {
            Self::CancelItem { report, .. }
            | Self::CancelAll { report, .. }
            | Self::Skip { report, .. }
            | Self::SkipNext { report, .. }
            | Self::Release { report, .. } => Some(*report),
            _ => None,
        }
    }
}

impl fmt::Display for Intervention {
    /// Writes the call on the harness that does the same: `cancel_item_at_report("photos", 2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let two = |f: &mut fmt::Formatter<'_>, variant, item: &ItemRef, field, number| {
            let item = item.expression();
            write!(
                f,
                "intervene(Intervention::{variant} {{ item: {item}, {field}: {number} }})"
            )
        };
        match self {
            Self::CancelItem { item, report } => {
                write!(f, "cancel_item_at_report({}, {report})", item.argument())
            }
            Self::CancelAll { item, report } => two(f, "CancelAll", item, "report", report),
            Self::Skip { item, report } => two(f, "Skip", item, "report", report),
            Self::SkipNext { item, report } => two(f, "SkipNext", item, "report", report),
            Self::Release { item, report } => two(f, "Release", item, "report", report),
            Self::SkipBeforePrepare(item) => write!(f, "skip({})", item.argument()),
            Self::SkipInPrepare { item, prepare } => {
                two(f, "SkipInPrepare", item, "prepare", prepare)
            }
            Self::SkipInSynchronize(item) => {
                let item = item.expression();
                write!(f, "intervene(Intervention::SkipInSynchronize({item}))")
            }
            Self::FillLog(entry) => write!(f, "intervene(Intervention::FillLog({entry}))"),
            Self::RefuseConnection(connection) => {
                write!(f, "intervene(Intervention::RefuseConnection({connection}))")
            }
            Self::DenyDialog(dialog) => write!(f, "intervene(Intervention::DenyDialog({dialog}))"),
        }
    }
}
