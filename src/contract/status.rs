//! `SYNCMGRSTATUS`: what an item is doing.

use super::raw_enum::raw_values;

/// What an item is doing: `SYNCMGRSTATUS` of `mobsync.h`.
///
/// A handler reports it with [`ProgressUpdate::status`](crate::ProgressUpdate::status). Five of the
/// ten are [final](Self::is_final); every item has to reach one of them before the handler completes
/// (rule H15).
///
/// ```
/// use syncmgr::ItemStatus;
///
/// assert_eq!(ItemStatus::UpdatingIndeterminate.raw(), 8);
/// assert_eq!(ItemStatus::try_from(0x100), Ok(ItemStatus::Deleted));
/// assert!(ItemStatus::Failed.is_final());
/// assert!(!ItemStatus::Paused.is_final());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[doc(alias = "SYNCMGRSTATUS")]
pub enum ItemStatus {
    /// 0, final: stopped before it was done, as after a cancel.
    #[doc(alias = "SYNCMGRSTATUS_STOPPED")]
    #[doc(alias = "SYNCMGR_PS_CANCELED")]
    Stopped = 0,
    /// 1, final: left out, by the user or by the handler. The only status that the host sets.
    #[doc(alias = "SYNCMGRSTATUS_SKIPPED")]
    Skipped = 1,
    /// 2: waits for its turn; where every item starts.
    #[doc(alias = "SYNCMGRSTATUS_PENDING")]
    Pending = 2,
    /// 3: in work; value and maximum tell how far.
    #[doc(alias = "SYNCMGRSTATUS_UPDATING")]
    #[doc(alias = "SYNCMGR_PS_UPDATING")]
    Updating = 3,
    /// 4, final: done.
    #[doc(alias = "SYNCMGRSTATUS_SUCCEEDED")]
    #[doc(alias = "SYNCMGR_PS_SUCCEEDED")]
    Succeeded = 4,
    /// 5, final: failed. The only status that may still follow a final one (rule H16).
    #[doc(alias = "SYNCMGRSTATUS_FAILED")]
    #[doc(alias = "SYNCMGR_PS_FAILED")]
    #[doc(alias = "SYNCMGR_PS_DISCONNECTED")]
    Failed = 5,
    /// 6: in work, but halted.
    #[doc(alias = "SYNCMGRSTATUS_PAUSED")]
    Paused = 6,
    /// 7: about to go on after a pause.
    #[doc(alias = "SYNCMGRSTATUS_RESUMING")]
    Resuming = 7,
    /// 8: in work, with no telling how far; shown as a marquee. The value may then exceed the
    /// maximum (rule H17). Since Windows Vista.
    #[doc(alias = "SYNCMGRSTATUS_UPDATING_INDETERMINATE")]
    #[doc(alias = "SYNCMGR_PS_UPDATING_INDETERMINATE")]
    UpdatingIndeterminate = 8,
    /// 0x100, final: the item is no more. Deprecated by the header since Windows Vista.
    #[doc(alias = "SYNCMGRSTATUS_DELETED")]
    Deleted = 0x100,
}

raw_values! {
    ItemStatus is "SYNCMGRSTATUS", allowed "0 to 8 and 0x100 (256)" {
        Stopped => "stopped", "SYNCMGRSTATUS_STOPPED";
        Skipped => "skipped", "SYNCMGRSTATUS_SKIPPED";
        Pending => "pending", "SYNCMGRSTATUS_PENDING";
        Updating => "updating", "SYNCMGRSTATUS_UPDATING";
        Succeeded => "succeeded", "SYNCMGRSTATUS_SUCCEEDED";
        Failed => "failed", "SYNCMGRSTATUS_FAILED";
        Paused => "paused", "SYNCMGRSTATUS_PAUSED";
        Resuming => "resuming", "SYNCMGRSTATUS_RESUMING";
        UpdatingIndeterminate => "updating (indeterminate)", "SYNCMGRSTATUS_UPDATING_INDETERMINATE";
        Deleted => "deleted", "SYNCMGRSTATUS_DELETED";
    }
}

impl ItemStatus {
    /// Returns whether an item's work ends with this status.
    ///
    /// Final are [`Succeeded`](Self::Succeeded), [`Failed`](Self::Failed),
    /// [`Skipped`](Self::Skipped), [`Stopped`](Self::Stopped) and [`Deleted`](Self::Deleted): the
    /// list of rule H15, by which every item of a prepare has one of them at completion.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Stopped | Self::Deleted => true,
            Self::Pending
            | Self::Updating
            | Self::Paused
            | Self::Resuming
            | Self::UpdatingIndeterminate => false,
        }
    }
}
