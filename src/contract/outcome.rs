//! How an error dialog or a properties dialog ended, as the handler tells the host.

use crate::{HResult, ItemId};

/// How showing an error ended: the arguments of
/// `ISyncMgrSynchronizeCallback::ShowErrorCompleted`.
///
/// ```
/// use syncmgr::{ErrorOutcome, HResult, ItemId};
///
/// let items = [ItemId::from_u128(1)];
/// assert_eq!(
///     ErrorOutcome::from_raw(HResult::S_SYNCMGR_RETRYSYNC, &items),
///     ErrorOutcome::Retry(&items),
/// );
/// // With any other code the items are not read.
/// assert_eq!(ErrorOutcome::from_raw(HResult::S_OK, &items), ErrorOutcome::Done);
/// assert_eq!(HResult::from(ErrorOutcome::Other(HResult::E_FAIL)), HResult::E_FAIL);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorOutcome<'a> {
    /// `S_OK`: shown, and nothing else to do.
    Done,
    /// `S_SYNCMGR_RETRYSYNC`: prepare and synchronize again with these items, which the host copies.
    /// Only items that the handler enumerated, added or committed (rule H18).
    Retry(&'a [ItemId]),
    /// Any other code, success or failure.
    ///
    /// [`from_raw`](Self::from_raw) never makes it of a code that has a variant of its own. One made
    /// by hand means what its code means: `Other(S_OK)` is done, and `Other(S_SYNCMGR_RETRYSYNC)` is
    /// a retry of no items.
    Other(HResult),
}

impl<'a> ErrorOutcome<'a> {
    /// Makes the outcome of a code and of the items beside it.
    ///
    /// The items are read only with [`HResult::S_SYNCMGR_RETRYSYNC`]. Lossless:
    /// `from_raw(outcome.into(), outcome.items())` gives the outcome back, or the variant of its own
    /// that its code has.
    #[must_use]
    pub const fn from_raw(code: HResult, items: &'a [ItemId]) -> Self {
        match code {
            HResult::S_OK => Self::Done,
            HResult::S_SYNCMGR_RETRYSYNC => Self::Retry(items),
            other => Self::Other(other),
        }
    }

    /// Returns the items to retry; empty unless this is a [`Retry`](Self::Retry).
    #[must_use]
    pub const fn items(&self) -> &'a [ItemId] {
        match self {
            Self::Retry(items) => items,
            Self::Done | Self::Other(_) => &[],
        }
    }
}

impl From<ErrorOutcome<'_>> for HResult {
    fn from(outcome: ErrorOutcome<'_>) -> Self {
        match outcome {
            ErrorOutcome::Done => Self::S_OK,
            ErrorOutcome::Retry(_) => Self::S_SYNCMGR_RETRYSYNC,
            ErrorOutcome::Other(code) => code,
        }
    }
}

/// How showing properties ended: the argument of
/// `ISyncMgrSynchronizeCallback::ShowPropertiesCompleted`.
///
/// No page tells what `S_SYNCMGR_ITEMDELETED` and `S_SYNCMGR_ENUMITEMS` are for; this crate takes
/// them by their names.
///
/// ```
/// use syncmgr::{HResult, PropertiesOutcome};
///
/// let outcome = PropertiesOutcome::from(HResult::S_SYNCMGR_ITEMDELETED);
/// assert_eq!(outcome, PropertiesOutcome::ItemDeleted);
/// assert_eq!(HResult::from(outcome), HResult::S_SYNCMGR_ITEMDELETED);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PropertiesOutcome {
    /// `S_OK`: shown, and nothing else to do.
    Done,
    /// `S_SYNCMGR_ITEMDELETED`: the user deleted the item there.
    ItemDeleted,
    /// `S_SYNCMGR_ENUMITEMS`: the items have changed; the host enumerates again.
    ItemsChanged,
    /// Any other code, success or failure.
    ///
    /// The conversion from [`HResult`] never makes it of a code that has a variant of its own. One
    /// made by hand means what its code means.
    Other(HResult),
}

impl From<HResult> for PropertiesOutcome {
    fn from(code: HResult) -> Self {
        match code {
            HResult::S_OK => Self::Done,
            HResult::S_SYNCMGR_ITEMDELETED => Self::ItemDeleted,
            HResult::S_SYNCMGR_ENUMITEMS => Self::ItemsChanged,
            other => Self::Other(other),
        }
    }
}

impl From<PropertiesOutcome> for HResult {
    fn from(outcome: PropertiesOutcome) -> Self {
        match outcome {
            PropertiesOutcome::Done => Self::S_OK,
            PropertiesOutcome::ItemDeleted => Self::S_SYNCMGR_ITEMDELETED,
            PropertiesOutcome::ItemsChanged => Self::S_SYNCMGR_ENUMITEMS,
            PropertiesOutcome::Other(code) => code,
        }
    }
}
