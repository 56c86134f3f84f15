//! Owned forms of updates, log records and items.

use std::time::SystemTime;

use crate::raw::{LogInfoMask, ProgressMask};
use crate::{
    ErrorFlags, ErrorId, ItemFlags, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate,
    SyncItem,
};

/// A [`ProgressUpdate`] as owned data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
#[non_exhaustive]
pub struct Update {
    /// The status text.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub text: Option<String>,
    /// The status.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub status: Option<ItemStatus>,
    /// The value.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub value: Option<u64>,
    /// The maximum.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub max: Option<u64>,
}

impl Update {
    /// Returns which members are set, as the header's mask tells: see [`ProgressUpdate::mask`].
    ///
    /// ```
    /// use syncmgr::testing::Update;
    /// use syncmgr::{ItemStatus, ProgressUpdate};
    ///
    /// let update = Update::from(&ProgressUpdate::new().status(ItemStatus::Updating).max(8));
    /// assert_eq!(update.mask().bits(), 2 | 8);
    /// ```
    #[must_use]
    pub fn mask(&self) -> ProgressMask {
        ProgressUpdate::from(self).mask()
    }

    /// Whether the update only asks for the verdict: its mask is empty.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the update carries a final status.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status.is_some_and(ItemStatus::is_final)
    }
}

impl From<&ProgressUpdate<'_>> for Update {
    fn from(update: &ProgressUpdate<'_>) -> Self {
        Self {
            text: update.text.map(str::to_owned),
            status: update.status,
            value: update.value,
            max: update.max,
        }
    }
}

impl<'a> From<&'a Update> for ProgressUpdate<'a> {
    fn from(update: &'a Update) -> Self {
        let mut borrowed = Self::new();
        borrowed.text = update.text.as_deref();
        borrowed.status = update.status;
        borrowed.value = update.value;
        borrowed.max = update.max;
        borrowed
    }
}

/// A [`LogRecord`] as owned data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Record {
    /// The level.
    pub level: LogLevel,
    /// The text.
    pub text: String,
    /// The item it is about.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub item: Option<ItemId>,
    /// The handler's id for the error.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub error_id: Option<ErrorId>,
    /// The error flags.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: ErrorFlags,
    /// What happened in a word or two.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<String>,
    /// Where the user can read or do more.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub link: Option<String>,
    /// What stands on the link.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub link_text: Option<String>,
    /// What the handler wants to find again.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub context: Option<String>,
}

impl Record {
    /// Returns which members of `SYNCMGRLOGERRORINFO` are set, as its mask tells: see [`LogRecord::mask`].
    ///
    /// ```
    /// use syncmgr::testing::Record;
    /// use syncmgr::{ErrorId, ItemId, LogLevel, LogRecord};
    ///
    /// let record = LogRecord::new(LogLevel::Error, "the disk is full").item(ItemId::from_u128(1));
    /// assert_eq!(Record::from(&record).mask().bits(), 4);
    /// assert_eq!(Record::from(&record.jump_text(ErrorId::from_u128(7))).mask().bits(), 1 | 2 | 4);
    /// ```
    #[must_use]
    pub fn mask(&self) -> LogInfoMask {
        LogRecord::from(self).mask()
    }

    /// Whether the host may call `show_error` for the entry (rule M05).
    #[must_use]
    pub fn can_be_shown(&self) -> bool {
        self.error_id.is_some() && self.flags.contains(ErrorFlags::ENABLE_JUMP_TEXT)
    }
}

impl From<&LogRecord<'_>> for Record {
    fn from(record: &LogRecord<'_>) -> Self {
        Self {
            level: record.level,
            text: record.text.to_owned(),
            item: record.item,
            error_id: record.error_id,
            flags: record.flags,
            name: record.name.map(str::to_owned),
            link: record.link.map(str::to_owned),
            link_text: record.link_text.map(str::to_owned),
            context: record.context.map(str::to_owned),
        }
    }
}

impl<'a> From<&'a Record> for LogRecord<'a> {
    fn from(record: &'a Record) -> Self {
        let mut borrowed = Self::new(record.level, &record.text);
        borrowed.item = record.item;
        borrowed.error_id = record.error_id;
        borrowed.flags = record.flags;
        borrowed.name = record.name.as_deref();
        borrowed.link = record.link.as_deref();
        borrowed.link_text = record.link_text.as_deref();
        borrowed.context = record.context.as_deref();
        borrowed
    }
}

/// A [`SyncItem`] as the trace keeps it. The name is a plain text, so that a trace from elsewhere can hold one that no
/// [`ItemName`](crate::ItemName) could (rule H21).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Listed {
    /// The id.
    pub id: ItemId,
    /// The name.
    pub name: String,
    /// The flags.
    #[cfg_attr(feature = "serde", serde(default))]
    pub flags: ItemFlags,
    /// Whether it takes part unless the user says otherwise.
    pub checked: bool,
    /// When it was last synchronized.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            skip_serializing_if = "Option::is_none",
            with = "crate::contract::filetime_ticks"
        )
    )]
    pub last_update: Option<SystemTime>,
}

impl From<&SyncItem> for Listed {
    fn from(item: &SyncItem) -> Self {
        Self {
            id: item.id,
            name: item.name.as_str().to_owned(),
            flags: item.flags,
            checked: item.checked,
            last_update: item.last_update,
        }
    }
}
