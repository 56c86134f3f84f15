//! The flag words of `mobsync.h`, member names as in the header without their prefix.
//!
//! Each declares `const _ = !0;`: all 32 bits are known to it, so that no operator, not even `!` or
//! `from_bits_truncate`, drops a bit that a newer header may name.

use std::fmt;

use bitflags::bitflags;

use crate::SyncEvent;

bitflags! {
    /// Why and how a synchronization takes place: `SYNCMGRFLAG`.
    ///
    /// The low byte is a number, the [`SyncEvent`]; the bits above it are flags. Read the event with
    /// [`event`](Self::event) and not with `contains`, since event 3 "contains" events 1 and 2; and
    /// do not join two values that both have one. Unknown bits are kept.
    ///
    /// ```
    /// use syncmgr::{SyncEvent, SyncFlags};
    ///
    /// let flags = SyncFlags::new(SyncEvent::Idle) | SyncFlags::SETTINGS;
    /// assert_eq!(flags.event(), SyncEvent::Idle);
    /// assert!(!flags.contains(SyncFlags::MAY_BOTHER_USER));
    /// assert_eq!(format!("{flags:?}"), "SyncFlags(Idle | SETTINGS)");
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[doc(alias = "SYNCMGRFLAG")]
    pub struct SyncFlags: u32 {
        /// 0x100: the handler is started for configuration only; neither prepare nor synchronize
        /// follows.
        #[doc(alias = "SYNCMGRFLAG_SETTINGS")]
        const SETTINGS = 0x100;
        /// 0x200: the handler may show dialogs while it prepares and synchronizes, if it asks for each
        /// (rules H11 and H12). Without it, it may show none there.
        #[doc(alias = "SYNCMGRFLAG_MAYBOTHERUSER")]
        const MAY_BOTHER_USER = 0x200;
        // The event has no members: it is a number, and `|` of two would make a third.
        const _ = !0;
    }
}

impl SyncFlags {
    /// The bits that hold the event: 0xFF, `SYNCMGRFLAG_EVENTMASK`.
    #[doc(alias = "SYNCMGRFLAG_EVENTMASK")]
    pub const EVENT_MASK: Self = Self::from_bits_retain(0xFF);

    /// Makes the flags of an event, with no other bit set.
    #[must_use]
    pub const fn new(event: SyncEvent) -> Self {
        Self::from_bits_retain(event.raw())
    }

    /// Returns the event; an unknown one counts as [`SyncEvent::Manual`]
    /// (`ISyncMgrSynchronize::Initialize`).
    #[must_use]
    pub const fn event(self) -> SyncEvent {
        match self.known_event() {
            Some(event) => event,
            None => SyncEvent::Manual,
        }
    }

    const fn known_event(self) -> Option<SyncEvent> {
        match self.bits() & Self::EVENT_MASK.bits() {
            1 => Some(SyncEvent::Connect),
            2 => Some(SyncEvent::PendingDisconnect),
            3 => Some(SyncEvent::Manual),
            4 => Some(SyncEvent::Idle),
            5 => Some(SyncEvent::Invoke),
            6 => Some(SyncEvent::Scheduled),
            _ => None,
        }
    }
}

impl fmt::Debug for SyncFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The event by name, as `Debug` of the bits alone would show 0x3 for it.
        f.write_str("SyncFlags(")?;
        match self.known_event() {
            Some(event) => write!(f, "{event:?}")?,
            None => write!(f, "event {:#x}", self.bits() & Self::EVENT_MASK.bits())?,
        }
        let rest = self.difference(Self::EVENT_MASK);
        if !rest.is_empty() {
            f.write_str(" | ")?;
            bitflags::parser::to_writer(&rest, &mut *f)?;
        }
        f.write_str(")")
    }
}

bitflags! {
    /// What a handler can do: `SYNCMGRHANDLERFLAGS`, part of [`HandlerInfo`](crate::HandlerInfo).
    ///
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[doc(alias = "SYNCMGRHANDLERFLAGS")]
    pub struct HandlerFlags: u32 {
        /// 1: has properties of its own to show
        /// ([`show_properties`](crate::SyncHandler::show_properties) with `None`).
        #[doc(alias = "SYNCMGRHANDLER_HASPROPERTIES")]
        const HAS_PROPERTIES = 1;
        /// 2: may call [`establish_connection`](crate::SyncCallback::establish_connection), which
        /// rule H22 forbids without it.
        #[doc(alias = "SYNCMGRHANDLER_MAYESTABLISHCONNECTION")]
        const MAY_ESTABLISH_CONNECTION = 2;
        /// 4: is to be listed even when it has no items.
        #[doc(alias = "SYNCMGRHANDLER_ALWAYSLISTHANDLER")]
        const ALWAYS_LIST_HANDLER = 4;
        /// 8: is not to be listed.
        #[doc(alias = "SYNCMGRHANDLER_HIDDEN")]
        const HIDDEN = 8;
        const _ = !0;
    }
}

impl HandlerFlags {
    /// The bits that the header names: 0x0F, `SYNCMGRHANDLERFLAG_MASK`.
    #[doc(alias = "SYNCMGRHANDLERFLAG_MASK")]
    pub const MASK: Self = Self::from_bits_retain(0x0F);
}

bitflags! {
    /// What an item is like: `SYNCMGRITEMFLAGS`, part of [`SyncItem`](crate::SyncItem).
    ///
    /// Unknown bits are kept:
    ///
    /// ```
    /// use syncmgr::ItemFlags;
    ///
    /// let raw = ItemFlags::from_bits_retain(0x101); // from a newer header, say
    /// assert!(raw.contains(ItemFlags::HAS_PROPERTIES));
    /// assert_eq!((raw | ItemFlags::HIDDEN).bits(), 0x121);
    /// assert_eq!((raw & ItemFlags::MASK).bits(), 1); // to drop what the header here does not know
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[doc(alias = "SYNCMGRITEMFLAGS")]
    pub struct ItemFlags: u32 {
        /// 1: has properties to show ([`show_properties`](crate::SyncHandler::show_properties)).
        #[doc(alias = "SYNCMGRITEM_HASPROPERTIES")]
        const HAS_PROPERTIES = 1;
        /// 2: exists for now only; the host need not remember the user's choice for it (rule M07).
        #[doc(alias = "SYNCMGRITEM_TEMPORARY")]
        const TEMPORARY = 2;
        /// 4: belongs to a user who roams between machines.
        #[doc(alias = "SYNCMGRITEM_ROAMINGUSER")]
        const ROAMING_USER = 4;
        /// 8: [`last_update`](crate::SyncItem::last_update) is there (rule H21).
        #[doc(alias = "SYNCMGRITEM_LASTUPDATETIME")]
        const LAST_UPDATE_TIME = 8;
        /// 0x10: the user may delete it.
        #[doc(alias = "SYNCMGRITEM_MAYDELETEITEM")]
        const MAY_DELETE_ITEM = 0x10;
        /// 0x20: is not to be listed.
        #[doc(alias = "SYNCMGRITEM_HIDDEN")]
        const HIDDEN = 0x20;
        const _ = !0;
    }
}

impl ItemFlags {
    /// The bits that belong to the header: 0x7F, `SYNCMGRITEM_ITEMFLAGMASK`. Bit 0x40 has no name.
    #[doc(alias = "SYNCMGRITEM_ITEMFLAGMASK")]
    pub const MASK: Self = Self::from_bits_retain(0x7F);
}

bitflags! {
    /// How a program wants items updated: `SYNCMGRINVOKEFLAGS`, of
    /// `ISyncMgrSynchronizeInvoke::UpdateItems`.
    ///
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[doc(alias = "SYNCMGRINVOKEFLAGS")]
    pub struct InvokeFlags: u32 {
        /// 2: start at once, without the dialog in which the user chooses.
        #[doc(alias = "SYNCMGRINVOKE_STARTSYNC")]
        const START_SYNC = 2;
        /// 4: the dialog in which the user chooses starts minimized.
        #[doc(alias = "SYNCMGRINVOKE_MINIMIZED")]
        const MINIMIZED = 4;
        const _ = !0;
    }
}

bitflags! {
    /// Which events a handler is registered for: `SYNCMGRREGISTERFLAGS`, of
    /// `ISyncMgrRegister::RegisterSyncMgrHandler`.
    ///
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[doc(alias = "SYNCMGRREGISTERFLAGS")]
    pub struct RegisterFlags: u32 {
        /// 1: when a network connection is made.
        #[doc(alias = "SYNCMGRREGISTERFLAG_CONNECT")]
        const CONNECT = 1;
        /// 2: before a network connection is closed.
        #[doc(alias = "SYNCMGRREGISTERFLAG_PENDINGDISCONNECT")]
        const PENDING_DISCONNECT = 2;
        /// 4: when the machine is idle.
        #[doc(alias = "SYNCMGRREGISTERFLAG_IDLE")]
        const IDLE = 4;
        const _ = !0;
    }
}

impl RegisterFlags {
    /// The bits that the header names: 7, `SYNCMGRREGISTERFLAGS_MASK`.
    #[doc(alias = "SYNCMGRREGISTERFLAGS_MASK")]
    pub const MASK: Self = Self::from_bits_retain(0x07);
}

bitflags! {
    /// Which members of a [`ProgressUpdate`](crate::ProgressUpdate) are set: the mask of
    /// `SYNCMGRPROGRESSITEM`.
    ///
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct ProgressMask: u32 {
        /// 1: the status text.
        #[doc(alias = "SYNCMGRPROGRESSITEM_STATUSTEXT")]
        const STATUS_TEXT = 1;
        /// 2: the status.
        #[doc(alias = "SYNCMGRPROGRESSITEM_STATUSTYPE")]
        const STATUS_TYPE = 2;
        /// 4: the value.
        #[doc(alias = "SYNCMGRPROGRESSITEM_PROGVALUE")]
        const PROG_VALUE = 4;
        /// 8: the maximum.
        #[doc(alias = "SYNCMGRPROGRESSITEM_MAXVALUE")]
        const MAX_VALUE = 8;
        const _ = !0;
    }
}

bitflags! {
    /// Which members of a [`LogRecord`](crate::LogRecord) are set: the mask of
    /// `SYNCMGRLOGERRORINFO`.
    ///
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    pub struct LogInfoMask: u32 {
        /// 1: the error flags.
        #[doc(alias = "SYNCMGRLOGERROR_ERRORFLAGS")]
        const ERROR_FLAGS = 1;
        /// 2: the error id.
        #[doc(alias = "SYNCMGRLOGERROR_ERRORID")]
        const ERROR_ID = 2;
        /// 4: the item id.
        #[doc(alias = "SYNCMGRLOGERROR_ITEMID")]
        const ITEM_ID = 4;
        const _ = !0;
    }
}

bitflags! {
    /// What can be done with a logged error: `SYNCMGRERRORFLAGS`.
    ///
    /// Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[doc(alias = "SYNCMGRERRORFLAGS")]
    pub struct ErrorFlags: u32 {
        /// 1: the user may ask for more, and the host then calls
        /// [`show_error`](crate::SyncHandler::show_error).
        #[doc(alias = "SYNCMGRERRORFLAG_ENABLEJUMPTEXT")]
        const ENABLE_JUMP_TEXT = 1;
        const _ = !0;
    }
}
