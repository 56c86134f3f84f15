//! The intervention of an exploration in one run.

use std::fmt;

use super::item_ref::ItemRef;

/// What an exploration does to a handler in one run: a cancellation, a skip or a fault, at a call that can be found again.
///
/// [`Trace::intervention`](super::Trace::intervention) returns that of a run,
/// [`Exploration::unreached`](super::Exploration::unreached) those that never came about. Its `Display` is the call on the
/// [`Harness`](super::Harness) that does the same. Reports are counted from 1, as by [`Harness`](super::Harness).
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
///         None | Some(Intervention::FillLog { .. }) => {
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
    /// The item is cancelled at its report: [`Harness::cancel_item_at_report`](super::Harness::cancel_item_at_report).
    CancelItem {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// Everything is cancelled at a report of the item: [`Harness::cancel_all_at_report`](super::Harness::cancel_all_at_report).
    CancelAll {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// The item is skipped at its report: [`Harness::skip_at_report`](super::Harness::skip_at_report).
    Skip {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// The first item that had no report yet is skipped at a report of this one: [`Harness::skip_next_at_report`](super::Harness::skip_next_at_report).
    SkipNext {
        /// The item that makes the report.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// The callback is released at a report of the item: [`Harness::release_at_report`](super::Harness::release_at_report).
    Release {
        /// The item.
        item: ItemRef,
        /// The number of its report.
        report: usize,
    },
    /// The item is skipped before anything is prepared: [`Harness::skip`](super::Harness::skip).
    SkipBeforePrepare {
        /// The item.
        item: ItemRef,
    },
    /// The item is skipped when the handler is told to prepare: [`Harness::skip_in_prepare`](super::Harness::skip_in_prepare).
    SkipInPrepare {
        /// The item.
        item: ItemRef,
        /// The number of the prepare, counted from 1.
        prepare: usize,
    },
    /// The item is skipped when `synchronize` is called: [`Harness::skip_in_synchronize`](super::Harness::skip_in_synchronize).
    SkipInSynchronize {
        /// The item.
        item: ItemRef,
    },
    /// A log entry is refused: [`Harness::full_log_at`](super::Harness::full_log_at).
    FillLog {
        /// The number of the entry, counted from 1.
        entry: usize,
    },
    /// A connection is refused: [`Harness::refuse_connection_at`](super::Harness::refuse_connection_at).
    RefuseConnection {
        /// The number of the connection, counted from 1.
        connection: usize,
    },
    /// A dialog is denied: [`Harness::deny_dialog_at`](super::Harness::deny_dialog_at).
    DenyDialog {
        /// The number of the dialog, counted from 1.
        dialog: usize,
    },
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
            | Self::SkipBeforePrepare { item }
            | Self::SkipInPrepare { item, .. }
            | Self::SkipInSynchronize { item } => Some(item),
            Self::FillLog { .. } | Self::RefuseConnection { .. } | Self::DenyDialog { .. } => None,
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
        let method = match self {
            Self::CancelItem { .. } => "cancel_item_at_report",
            Self::CancelAll { .. } => "cancel_all_at_report",
            Self::Skip { .. } => "skip_at_report",
            Self::SkipNext { .. } => "skip_next_at_report",
            Self::Release { .. } => "release_at_report",
            Self::SkipBeforePrepare { .. } => "skip",
            Self::SkipInPrepare { .. } => "skip_in_prepare",
            Self::SkipInSynchronize { .. } => "skip_in_synchronize",
            Self::FillLog { .. } => "full_log_at",
            Self::RefuseConnection { .. } => "refuse_connection_at",
            Self::DenyDialog { .. } => "deny_dialog_at",
        };
        let number = match self {
            Self::SkipInPrepare { prepare, .. } => Some(*prepare),
            Self::FillLog { entry } => Some(*entry),
            Self::RefuseConnection { connection } => Some(*connection),
            Self::DenyDialog { dialog } => Some(*dialog),
            _ => self.report(),
        };
        let item = self.item().map(ItemRef::argument);
        let arguments: Vec<String> = item
            .into_iter()
            .chain(number.map(|number| number.to_string()))
            .collect();
        write!(f, "{method}({})", arguments.join(", "))
    }
}
