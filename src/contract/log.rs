//! Log entries: `SYNCMGRLOGLEVEL`, `SYNCMGRLOGERRORINFO`, and which of them to delete.

use std::borrow::Cow;

use super::flags::LogInfoMask;
use super::raw_enum::raw_values;
use crate::{ErrorFlags, ErrorId, ItemId};

/// How serious a log entry is: `SYNCMGRLOGLEVEL` of `mobsync.h`. Ordered by severity.
///
/// ```
/// use syncmgr::LogLevel;
///
/// assert!(LogLevel::Error > LogLevel::Warning);
/// assert_eq!(LogLevel::try_from(2), Ok(LogLevel::Warning));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[doc(alias = "SYNCMGRLOGLEVEL")]
pub enum LogLevel {
    /// 1: good to know.
    #[doc(alias = "SYNCMGRLOGLEVEL_INFORMATION")]
    #[doc(alias = "SYNCMGR_EL_INFORMATION")]
    Information = 1,
    /// 2: the work goes on, but something is not as it should be.
    #[doc(alias = "SYNCMGRLOGLEVEL_WARNING")]
    #[doc(alias = "SYNCMGR_EL_WARNING")]
    Warning = 2,
    /// 3: something failed.
    #[doc(alias = "SYNCMGRLOGLEVEL_ERROR")]
    #[doc(alias = "SYNCMGR_EL_ERROR")]
    Error = 3,
}

raw_values! {
    LogLevel is "SYNCMGRLOGLEVEL", allowed "1 to 3" {
        Information => "information", "SYNCMGRLOGLEVEL_INFORMATION";
        Warning => "warning", "SYNCMGRLOGLEVEL_WARNING";
        Error => "error", "SYNCMGRLOGLEVEL_ERROR";
    }
}

/// One entry for the host's log: the arguments of `ISyncMgrSynchronizeCallback::LogError`.
///
/// Passed to [`SyncCallback::log_error`](crate::SyncCallback::log_error). An entry made with
/// [`jump_text`](Self::jump_text) can be followed: the user may ask for more, and the host then calls
/// [`SyncHandler::show_error`](crate::SyncHandler::show_error) with its error id.
///
/// ```
/// use syncmgr::raw::LogInfoMask;
/// use syncmgr::{ErrorFlags, ErrorId, ItemId, LogLevel, LogRecord};
///
/// let error = ErrorId::from_u128(7);
/// let record = LogRecord::new(LogLevel::Error, "the disk is full")
///     .item(ItemId::from_u128(1))
///     .jump_text(error);
/// assert_eq!(record.error_id, Some(error));
/// assert!(record.flags.contains(ErrorFlags::ENABLE_JUMP_TEXT));
/// assert_eq!(record.mask().bits(), 7);
/// ```
///
/// The newer interface says more of an event (`ISyncMgrEventStore` and `ISyncMgrSyncCallback::ReportEvent` of
/// `syncmgr.h`): a name, a description, a link with its text, and a context of the handler's own. The description is
/// [`text`](Self::text) here; the others are optional:
///
/// ```
/// use syncmgr::{LogLevel, LogRecord};
///
/// let record = LogRecord::new(LogLevel::Warning, "report.txt was changed here and there; both are kept")
///     .name("Conflict")
///     .link("file:///home/me/report.conflict.txt")
///     .link_text("open the other one");
/// assert_eq!(record.name.as_deref(), Some("Conflict"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[doc(alias = "SYNCMGRLOGERRORINFO")]
pub struct LogRecord<'a> {
    /// How serious it is.
    #[doc(alias = "dwErrorLevel")]
    pub level: LogLevel,
    /// What is to be said.
    #[doc(alias = "pszErrorText")]
    #[doc(alias = "pszDescription")]
    pub text: Cow<'a, str>,
    /// The item that it is about, if it is about one.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    #[doc(alias = "ItemID")]
    pub item: Option<ItemId>,
    /// The handler's own id for the error, by which it can be deleted or shown.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    #[doc(alias = "ErrorID")]
    #[doc(alias = "pguidEventID")]
    pub error_id: Option<ErrorId>,
    /// Whether the entry can be followed.
    #[cfg_attr(feature = "serde", serde(default))]
    #[doc(alias = "dwSyncMgrErrorFlags")]
    pub flags: ErrorFlags,
    /// What happened in a word or two, where `text` says the rest.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    #[doc(alias = "pszName")]
    pub name: Option<Cow<'a, str>>,
    /// Where the user can read or do more: an address that the host can open.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    #[doc(alias = "pszLinkReference")]
    pub link: Option<Cow<'a, str>>,
    /// What stands on the link.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    #[doc(alias = "pszLinkText")]
    pub link_text: Option<Cow<'a, str>>,
    /// Whatever the handler wants to find in the entry again; it is not for the user.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    #[doc(alias = "pszContext")]
    pub context: Option<Cow<'a, str>>,
}

impl<'a> LogRecord<'a> {
    /// Makes an entry of a level and a text alone.
    #[must_use]
    pub fn new(level: LogLevel, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            level,
            text: text.into(),
            item: None,
            error_id: None,
            flags: ErrorFlags::empty(),
            name: None,
            link: None,
            link_text: None,
            context: None,
        }
    }

    /// Names the item that the entry is about.
    #[must_use]
    pub const fn item(mut self, item: ItemId) -> Self {
        self.item = Some(item);
        self
    }

    /// Gives the entry an error id, so that it can be deleted later.
    ///
    /// The nil id will not do: in [`delete_log_error`](crate::SyncCallback::delete_log_error) the
    /// header's `GUID_NULL` stands for all entries.
    #[must_use]
    pub const fn error_id(mut self, error: ErrorId) -> Self {
        self.error_id = Some(error);
        self
    }

    /// Sets the error flags, in place of any set before.
    #[must_use]
    pub const fn flags(mut self, flags: ErrorFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Gives the entry an error id and lets the user follow it to
    /// [`show_error`](crate::SyncHandler::show_error).
    ///
    /// Adds [`ErrorFlags::ENABLE_JUMP_TEXT`]. By rule M05 the host calls `show_error` only for
    /// entries that have both.
    #[must_use]
    pub const fn jump_text(mut self, error: ErrorId) -> Self {
        self.error_id = Some(error);
        self.flags = self.flags.union(ErrorFlags::ENABLE_JUMP_TEXT);
        self
    }

    /// Says what happened in a word or two.
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says where the user can read or do more.
    #[must_use]
    pub fn link(mut self, address: impl Into<Cow<'a, str>>) -> Self {
        self.link = Some(address.into());
        self
    }

    /// Says what stands on the link.
    #[must_use]
    pub fn link_text(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.link_text = Some(text.into());
        self
    }

    /// Keeps something of the handler's own with the entry.
    #[must_use]
    pub fn context(mut self, context: impl Into<Cow<'a, str>>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Returns the entry with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> LogRecord<'static> {
        let owned = |text: Cow<'_, str>| text.into_owned().into();
        LogRecord {
            level: self.level,
            text: owned(self.text),
            item: self.item,
            error_id: self.error_id,
            flags: self.flags,
            name: self.name.map(owned),
            link: self.link.map(owned),
            link_text: self.link_text.map(owned),
            context: self.context.map(owned),
        }
    }

    /// Returns `true` if the host may call `show_error` for the entry (rule M05).
    #[cfg(feature = "testing")]
    pub(crate) fn can_be_shown(&self) -> bool {
        self.error_id.is_some() && self.flags.contains(ErrorFlags::ENABLE_JUMP_TEXT)
    }

    /// Returns which members of `SYNCMGRLOGERRORINFO` are set, as its mask tells.
    ///
    /// Empty flags count as not set; what the newer interface adds has no bit there.
    #[must_use]
    pub const fn mask(&self) -> LogInfoMask {
        let mut mask = LogInfoMask::empty();
        if !self.flags.is_empty() {
            mask = mask.union(LogInfoMask::ERROR_FLAGS);
        }
        if self.error_id.is_some() {
            mask = mask.union(LogInfoMask::ERROR_ID);
        }
        if self.item.is_some() {
            mask = mask.union(LogInfoMask::ITEM_ID);
        }
        mask
    }
}

/// Which log entries to delete: the argument of `ISyncMgrSynchronizeCallback::DeleteLogError`.
///
/// The header has an error id there, with `GUID_NULL` for all; the conversions keep that.
///
/// ```
/// use syncmgr::{ErrorId, LogSelector};
///
/// let error = ErrorId::from_u128(7);
/// assert_eq!(LogSelector::from(error), LogSelector::ById(error));
/// assert_eq!(LogSelector::from(ErrorId::NIL), LogSelector::All);
/// assert_eq!(ErrorId::from(LogSelector::All), ErrorId::NIL);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSelector {
    /// Every entry that this handler logged.
    All,
    /// The entries with this error id.
    ById(ErrorId),
}

impl From<ErrorId> for LogSelector {
    fn from(id: ErrorId) -> Self {
        if id == ErrorId::NIL {
            Self::All
        } else {
            Self::ById(id)
        }
    }
}

impl From<LogSelector> for ErrorId {
    fn from(which: LogSelector) -> Self {
        match which {
            LogSelector::All => Self::NIL,
            LogSelector::ById(id) => id,
        }
    }
}
