//! The event in the low byte of `SYNCMGRFLAG`: why a synchronization takes place.

use super::raw_enum::raw_values;

/// Why a synchronization takes place: the low byte of `SYNCMGRFLAG` of `mobsync.h`.
///
/// The host tells it to [`SyncHandler::initialize`](crate::SyncHandler::initialize) within
/// [`SyncFlags`](crate::SyncFlags).
///
/// ```
/// use syncmgr::{SyncEvent, SyncFlags};
///
/// let flags = SyncFlags::new(SyncEvent::Scheduled) | SyncFlags::MAY_BOTHER_USER;
/// assert_eq!(flags.event(), SyncEvent::Scheduled);
/// assert_eq!(flags.bits(), 0x206);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[doc(alias = "SYNCMGRFLAG")]
pub enum SyncEvent {
    /// 1: a network connection was made.
    #[doc(alias = "SYNCMGRFLAG_CONNECT")]
    Connect = 1,
    /// 2: a network connection is about to be closed.
    #[doc(alias = "SYNCMGRFLAG_PENDINGDISCONNECT")]
    PendingDisconnect = 2,
    /// 3: the user asked for it. An event that is not known counts as this one.
    #[doc(alias = "SYNCMGRFLAG_MANUAL")]
    Manual = 3,
    /// 4: the machine is idle.
    #[doc(alias = "SYNCMGRFLAG_IDLE")]
    Idle = 4,
    /// 5: a program asked for it; only then may there be a cookie (rule M06).
    #[doc(alias = "SYNCMGRFLAG_INVOKE")]
    Invoke = 5,
    /// 6: its time has come.
    #[doc(alias = "SYNCMGRFLAG_SCHEDULED")]
    Scheduled = 6,
}

raw_values! {
    SyncEvent is "SYNCMGRFLAG (the event in its low byte)", allowed "1 to 6" {
        Connect => "connect", "SYNCMGRFLAG_CONNECT";
        PendingDisconnect => "pending disconnect", "SYNCMGRFLAG_PENDINGDISCONNECT";
        Manual => "manual", "SYNCMGRFLAG_MANUAL";
        Idle => "idle", "SYNCMGRFLAG_IDLE";
        Invoke => "invoke", "SYNCMGRFLAG_INVOKE";
        Scheduled => "scheduled", "SYNCMGRFLAG_SCHEDULED";
    }
}
