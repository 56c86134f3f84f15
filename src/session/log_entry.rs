//! An entry of the log, as an observer sees it.

use std::time::SystemTime;

use crate::{ErrorFlags, ErrorId, HandlerId, ItemId, LogLevel};

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[doc(alias = "ISyncMgrEvent")]
pub struct LogEntry {
    /// When the host took it.
    #[cfg_attr(feature = "serde", serde(with = "crate::contract::serde_time::time"))]
    pub time: SystemTime,
    /// Its number in the session's journal: larger is later.
    pub sequence: u64,
    /// The handler, where the session was built for one.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub handler: Option<HandlerId>,
    /// How severe it is.
    pub level: LogLevel,
    /// The text, at most [`Session::LOG_TEXT_LIMIT`](crate::Session::LOG_TEXT_LIMIT) bytes.
    pub text: String,
    /// The item it is about.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub item: Option<ItemId>,
    /// The id by which the handler knows the error.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub error_id: Option<ErrorId>,
    /// Whether the handler can show more about it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: ErrorFlags,
    /// What happened in a word or two, at most [`Session::TEXT_LIMIT`](crate::Session::TEXT_LIMIT) bytes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<String>,
    /// Where the user can read or do more. One of more than [`Session::LOG_TEXT_LIMIT`](crate::Session::LOG_TEXT_LIMIT) bytes
    /// is left out: cut, it would lead nowhere.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub link: Option<String>,
    /// What stands on the link, at most [`Session::TEXT_LIMIT`](crate::Session::TEXT_LIMIT) bytes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub link_text: Option<String>,
    /// What the handler wants to find again, at most [`Session::LOG_TEXT_LIMIT`](crate::Session::LOG_TEXT_LIMIT) bytes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub context: Option<String>,
}

impl LogEntry {
    /// Whether `show_error` may be called for the entry (rule M05): it has the flag and an error id. The host calls it while the run
    /// lasts, for what [`show_error_if`](crate::RunOptions::show_error_if) wants; of a run that is over, a manager does the items
    /// again by [`sync_items`](crate::SyncManager::sync_items).
    #[must_use]
    pub fn can_be_shown(&self) -> bool {
        self.flags.contains(ErrorFlags::ENABLE_JUMP_TEXT) && self.error_id.is_some()
    }
}
