//! The answers that are success codes in the original, and yet decide what happens next.
//!
//! Each is a type of its own, so that no answer can be lost behind a plain `Ok(())`.

use std::ops::ControlFlow;

use crate::HResult;

/// Declares which code each answer has, once for both directions.
macro_rules! answers {
    ($type:ident { $($variant:ident = $code:ident,)+ }) => {
        impl From<$type> for HResult {
            fn from(answer: $type) -> Self {
                match answer {
                    $($type::$variant => Self::$code,)+
                }
            }
        }

        impl TryFrom<HResult> for $type {
            type Error = HResult;

            /// Takes the codes of this answer; any other code comes back as it is.
            fn try_from(code: HResult) -> Result<Self, HResult> {
                match code {
                    $(HResult::$code => Ok(Self::$variant),)+
                    other => Err(other),
                }
            }
        }
    };
}

/// Whether the handler may go on: the answer of `ISyncMgrSynchronizeCallback::Progress`.
///
/// Every report is also the question whether to go on, and the answer is due whether or not the user
/// may be bothered. Ordered by how much has to stop.
///
/// ```
/// use std::ops::ControlFlow;
/// use syncmgr::{HResult, Verdict};
///
/// assert_eq!(HResult::from(Verdict::CancelItem), HResult::S_SYNCMGR_CANCELITEM);
/// assert_eq!(Verdict::try_from(HResult::S_SYNCMGR_CANCELALL), Ok(Verdict::CancelAll));
/// assert_eq!(Verdict::try_from(HResult::E_FAIL), Err(HResult::E_FAIL));
///
/// // In a closure of `try_for_each` the answer stops the loop.
/// let answers = [Verdict::Continue, Verdict::CancelItem, Verdict::Continue];
/// let stopped = answers.into_iter().try_for_each(ControlFlow::from);
/// assert_eq!(stopped, ControlFlow::Break(Verdict::CancelItem));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use = "a handler that does not look at the verdict cannot be cancelled; that of a final status says nothing any more"]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Verdict {
    /// `S_OK`: go on.
    #[doc(alias = "SYNCMGR_CR_NONE")]
    Continue,
    /// `S_SYNCMGR_CANCELITEM`: stop this item as soon as possible. By rule H02 nothing but a final
    /// status may follow for it.
    #[doc(alias = "SYNCMGR_CR_CANCEL_ITEM")]
    CancelItem,
    /// `S_SYNCMGR_CANCELALL`: stop every item of this handler. By rule H03 nothing but a final status
    /// may follow for any of them, and no new one starts.
    #[doc(alias = "SYNCMGR_CR_CANCEL_ALL")]
    CancelAll,
}

answers! {
    Verdict {
        Continue = S_OK,
        CancelItem = S_SYNCMGR_CANCELITEM,
        CancelAll = S_SYNCMGR_CANCELALL,
    }
}

impl Verdict {
    /// Returns whether the handler may go on with this item.
    #[must_use]
    pub const fn is_continue(self) -> bool {
        matches!(self, Self::Continue)
    }
}

impl From<Verdict> for ControlFlow<Verdict> {
    fn from(verdict: Verdict) -> Self {
        if verdict.is_continue() {
            Self::Continue(())
        } else {
            Self::Break(verdict)
        }
    }
}

/// Whether a dialog may be shown: the answer of `ISyncMgrSynchronizeCallback::EnableModeless`.
///
/// ```
/// use syncmgr::{Dialog, HResult};
///
/// assert_eq!(Dialog::try_from(HResult::S_FALSE), Ok(Dialog::Denied));
/// assert_eq!(HResult::from(Dialog::Granted), HResult::S_OK);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use = "a dialog may be shown only after it was granted"]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Dialog {
    /// `S_OK`: the dialog may be shown. Give the turn back after it.
    Granted,
    /// `S_FALSE`: the dialog must not be shown, and there is no turn to give back (rule H11).
    Denied,
}

answers! {
    Dialog {
        Granted = S_OK,
        Denied = S_FALSE,
    }
}

impl Dialog {
    /// Returns whether the dialog may be shown.
    #[must_use]
    pub const fn is_granted(self) -> bool {
        matches!(self, Self::Granted)
    }
}

/// Whether a handler takes part in an event: the answer of `ISyncMgrSynchronize::Initialize`.
///
/// ```
/// use syncmgr::{HResult, Participation};
///
/// assert_eq!(HResult::from(Participation::Declines), HResult::S_FALSE);
/// assert_eq!(Participation::try_from(HResult::S_OK), Ok(Participation::Joins));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Participation {
    /// `S_OK`: the handler takes part.
    Joins,
    /// `S_FALSE`: the handler takes no part in this event.
    Declines,
}

answers! {
    Participation {
        Joins = S_OK,
        Declines = S_FALSE,
    }
}

/// Whether a prepare has started: the answer of `ISyncMgrSynchronize::PrepareForSync`.
///
/// ```
/// use syncmgr::{HResult, Prepared};
///
/// assert_eq!(HResult::from(Prepared::NeedsUser), HResult::S_FALSE);
/// assert_eq!(Prepared::try_from(HResult::S_OK), Ok(Prepared::Started));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Prepared {
    /// `S_OK`: started, and exactly one
    /// [`prepare_for_sync_completed`](crate::SyncCallback::prepare_for_sync_completed) tells the end,
    /// before or after this answer (rule H05).
    Started,
    /// `S_FALSE`: the handler cannot go on without the user, who may not be bothered. No completion
    /// follows (rule H06), and the host releases the handler.
    NeedsUser,
}

answers! {
    Prepared {
        Started = S_OK,
        NeedsUser = S_FALSE,
    }
}
