//! One call as the trace keeps it: owned data, so that it outlives what was called.

use std::time::SystemTime;

use crate::{
    CallbackError, Dialog, ErrorFlags, ErrorId, HResult, HandlerError, HandlerFlags, HandlerInfo,
    ItemFlags, ItemId, ItemList, ItemStatus, LogLevel, LogRecord, LogSelector, Participation,
    Phase, Prepared, ProgressUpdate, SyncFlags, SyncItem, Uuid, Verdict,
};

/// One call, of either side, as the [`Recorder`](super::Recorder) saw it.
///
/// Calls overlap: a `synchronize` lasts while the reports of a handler that works inside it come, and two threads report
/// at once. So each call has two places in time, [`begun`](Self::begun) and [`ended`](Self::ended), numbers of one count
/// that goes through the whole trace. One call is *before* another where it had ended when the other began.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Call {
    /// The thread that made it, numbered from 0 in the order in which threads appear in the trace.
    pub thread: u32,
    /// Where the handler's life stood when it began, as the calls before it tell.
    pub phase: Phase,
    /// When it began, in the trace's own count.
    pub begun: u64,
    /// When it ended; none where it had not returned when the trace was taken.
    pub ended: Option<u64>,
    /// For a call of the handler: on which callback, numbered from 1 in the order in which they were set.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub callback: Option<u32>,
    /// What was called, with its arguments.
    pub action: Action,
    /// What it answered.
    pub answer: Answer,
}

impl Call {
    /// Whether this call had ended when the other began.
    #[must_use]
    pub fn is_before(&self, other: &Call) -> bool {
        self.ended.is_some_and(|ended| ended < other.begun)
    }

    /// Whether the call had ended when the trace was taken.
    #[must_use]
    pub fn has_returned(&self) -> bool {
        self.ended.is_some()
    }
}

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The host calls the handler.
    Host,
    /// The handler calls the host.
    Handler,
    /// No call of the contract: something else that happened, such as the user's cancel.
    Note,
}

/// What was called, with its arguments as owned data.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "call", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Action {
    /// `SyncHandler::initialize`.
    Initialize {
        /// The flags.
        flags: SyncFlags,
        /// The cookie.
        cookie: Option<Vec<u8>>,
    },
    /// `SyncHandler::info`.
    Info,
    /// `SyncHandler::items`.
    Items,
    /// `SyncHandler::set_progress_callback`.
    SetProgressCallback {
        /// The number of the callback that is set; none where it is taken away.
        set: Option<u32>,
    },
    /// `SyncHandler::prepare_for_sync`.
    PrepareForSync {
        /// The items of the round.
        items: Vec<ItemId>,
    },
    /// `SyncHandler::synchronize`.
    Synchronize,
    /// `SyncHandler::set_item_status`.
    SetItemStatus {
        /// The item.
        item: ItemId,
        /// Its status; only `Skipped` is used.
        status: ItemStatus,
    },
    /// `SyncHandler::item_object`.
    ItemObject {
        /// The item.
        item: ItemId,
        /// The interface that is asked for.
        interface: Uuid,
    },
    /// `SyncHandler::show_properties`.
    ShowProperties {
        /// The item; none for the handler's own.
        target: Option<ItemId>,
    },
    /// `SyncHandler::show_error`.
    ShowError {
        /// The error id of a logged entry.
        error: ErrorId,
    },

    /// `SyncCallback::progress`.
    Progress {
        /// The item.
        item: ItemId,
        /// The members of the update that are set.
        update: Update,
    },
    /// `SyncCallback::log_error`.
    LogError {
        /// The entry.
        record: Record,
    },
    /// `SyncCallback::delete_log_error`.
    DeleteLogError {
        /// Which entries: one error id, or none for all of them.
        error: Option<ErrorId>,
    },
    /// `SyncCallback::prepare_for_sync_completed`.
    PrepareForSyncCompleted {
        /// The result.
        result: HResult,
    },
    /// `SyncCallback::synchronize_completed`.
    SynchronizeCompleted {
        /// The result.
        result: HResult,
    },
    /// `SyncCallback::show_error_completed`.
    ShowErrorCompleted {
        /// The result.
        result: HResult,
        /// The items to retry.
        items: Vec<ItemId>,
    },
    /// `SyncCallback::show_properties_completed`.
    ShowPropertiesCompleted {
        /// The result.
        result: HResult,
    },
    /// `SyncCallback::enable_modeless`.
    EnableModeless {
        /// Whether a dialog is asked for, or given back.
        enable: bool,
    },
    /// `SyncCallback::establish_connection`.
    EstablishConnection {
        /// The connection's name; none for the default one.
        name: Option<String>,
    },
    /// `SyncCallback::can_continue`.
    CanContinue {
        /// The item; none for the handler as a whole.
        item: Option<ItemId>,
    },
    /// `SyncCallback::wake_on_cancel`.
    WakeOnCancel {
        /// The item; none for the handler as a whole.
        item: Option<ItemId>,
    },
    /// `SyncCallback::add_item`.
    AddItem {
        /// The item.
        item: Listed,
    },
    /// `SyncCallback::propose_item`.
    ProposeItem {
        /// The item.
        item: Listed,
    },
    /// `SyncCallback::commit_item`.
    CommitItem {
        /// The item.
        item: ItemId,
    },
    /// `SyncCallback::additional_items`.
    AdditionalItems,
    /// `SyncCallback::handler_text`.
    HandlerText {
        /// The text.
        text: String,
    },

    /// The user cancels an item.
    CancelItem {
        /// The item.
        item: ItemId,
    },
    /// The user cancels everything.
    CancelAll,
    /// The user skips an item.
    SkipItem {
        /// The item.
        item: ItemId,
    },
    /// A connection was opened for the handler.
    ConnectionOpened {
        /// Its name; none for the default one.
        name: Option<String>,
    },
    /// An open connection was closed.
    ConnectionClosed {
        /// Its name; none for the default one.
        name: Option<String>,
    },
    /// The callback answers `Released` from here on, to see what the handler makes of it.
    CallbackReleased,
    /// The host waited as long as it was told to, and gave up.
    GaveUp,
    /// The host let go of the handler.
    HandlerDropped,
}

impl Action {
    /// Who makes the call.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Initialize { .. }
            | Self::Info
            | Self::Items
            | Self::SetProgressCallback { .. }
            | Self::PrepareForSync { .. }
            | Self::Synchronize
            | Self::SetItemStatus { .. }
            | Self::ItemObject { .. }
            | Self::ShowProperties { .. }
            | Self::ShowError { .. } => Side::Host,
            Self::CancelItem { .. }
            | Self::CancelAll
            | Self::SkipItem { .. }
            | Self::ConnectionOpened { .. }
            | Self::ConnectionClosed { .. }
            | Self::CallbackReleased
            | Self::GaveUp
            | Self::HandlerDropped => Side::Note,
            _ => Side::Handler,
        }
    }

    /// The item that a report is about: `progress`, or its form without a mask, `can_continue` with an item. None for
    /// every other call.
    #[must_use]
    pub fn reported(&self) -> Option<ItemId> {
        match self {
            Self::Progress { item, .. } | Self::CanContinue { item: Some(item) } => Some(*item),
            _ => None,
        }
    }

    /// What a report changes: nothing where it only asks, and nothing for a call that is no report.
    #[must_use]
    pub fn update(&self) -> Update {
        match self {
            Self::Progress { update, .. } => update.clone(),
            _ => Update::default(),
        }
    }

    /// The method's name, as the traits spell it; for what is no call, what happened.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Initialize { .. } => "initialize",
            Self::Info => "info",
            Self::Items => "items",
            Self::SetProgressCallback { .. } => "set_progress_callback",
            Self::PrepareForSync { .. } => "prepare_for_sync",
            Self::Synchronize => "synchronize",
            Self::SetItemStatus { .. } => "set_item_status",
            Self::ItemObject { .. } => "item_object",
            Self::ShowProperties { .. } => "show_properties",
            Self::ShowError { .. } => "show_error",
            Self::Progress { .. } => "progress",
            Self::LogError { .. } => "log_error",
            Self::DeleteLogError { .. } => "delete_log_error",
            Self::PrepareForSyncCompleted { .. } => "prepare_for_sync_completed",
            Self::SynchronizeCompleted { .. } => "synchronize_completed",
            Self::ShowErrorCompleted { .. } => "show_error_completed",
            Self::ShowPropertiesCompleted { .. } => "show_properties_completed",
            Self::EnableModeless { .. } => "enable_modeless",
            Self::EstablishConnection { .. } => "establish_connection",
            Self::CanContinue { .. } => "can_continue",
            Self::WakeOnCancel { .. } => "wake_on_cancel",
            Self::AddItem { .. } => "add_item",
            Self::ProposeItem { .. } => "propose_item",
            Self::CommitItem { .. } => "commit_item",
            Self::AdditionalItems => "additional_items",
            Self::HandlerText { .. } => "handler_text",
            Self::CancelItem { .. } => "the user cancels",
            Self::CancelAll => "the user cancels everything",
            Self::SkipItem { .. } => "the user skips",
            Self::ConnectionOpened { .. } => "a connection opens",
            Self::ConnectionClosed { .. } => "a connection closes",
            Self::CallbackReleased => "the callback is released",
            Self::GaveUp => "the host gives up waiting",
            Self::HandlerDropped => "the host drops the handler",
        }
    }
}

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
}

impl Record {
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
        }
    }
}

impl<'a> From<&'a Record> for LogRecord<'a> {
    fn from(record: &'a Record) -> Self {
        let mut borrowed = Self::new(record.level, &record.text);
        borrowed.item = record.item;
        borrowed.error_id = record.error_id;
        borrowed.flags = record.flags;
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

/// What a call answered.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Answer {
    /// Nothing yet: it had not returned when the trace was taken. Also the answer of what is no call.
    None,
    /// It panicked, with this text.
    Panicked(String),
    /// `Ok(())`.
    Done,
    /// The verdict on a report.
    Verdict(Verdict),
    /// Whether a dialog may be shown.
    Dialog(Dialog),
    /// Whether the handler takes part.
    Participation(Participation),
    /// Whether the prepare has started.
    Prepared(Prepared),
    /// What the handler tells about itself.
    Info {
        /// Its name.
        name: String,
        /// Its flags.
        flags: HandlerFlags,
    },
    /// The items of the handler.
    List {
        /// Whether these are all.
        complete: bool,
        /// The items.
        items: Vec<Listed>,
    },
    /// The items that were asked for since.
    Items(Vec<ItemId>),
    /// An object of the interface that was asked for; rule H19 allows none.
    Object,
    /// The host refused the call.
    Refused(CallbackError),
    /// The handler's call failed, or answered a success code that is not `S_OK`.
    Failed {
        /// The code.
        code: HResult,
        /// What the error says.
        text: String,
    },
}

impl Answer {
    /// The code that stands for the answer; none where there is none yet, and after a panic.
    #[must_use]
    pub fn hresult(&self) -> Option<HResult> {
        Some(match self {
            Self::None | Self::Panicked(_) => return None,
            Self::Done | Self::Info { .. } | Self::Items(_) | Self::Object => HResult::S_OK,
            Self::Verdict(verdict) => (*verdict).into(),
            Self::Dialog(dialog) => (*dialog).into(),
            Self::Participation(participation) => (*participation).into(),
            Self::Prepared(prepared) => (*prepared).into(),
            Self::List { complete: true, .. } => HResult::S_OK,
            Self::List { .. } => HResult::S_SYNCMGR_MISSINGITEMS,
            Self::Refused(error) => error.hresult(),
            Self::Failed { code, .. } => *code,
        })
    }

    /// The verdict, where it is one.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Verdict(verdict) => Some(*verdict),
            _ => None,
        }
    }

    /// Whether the call was taken: it did not fail, and was not refused.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        !matches!(
            self,
            Self::None | Self::Panicked(_) | Self::Refused(_) | Self::Failed { .. }
        )
    }

    /// The answer of a call on the callback.
    pub(super) fn of_callback<T>(
        result: &Result<T, CallbackError>,
        ok: impl FnOnce(&T) -> Self,
    ) -> Self {
        match result {
            Ok(value) => ok(value),
            Err(error) => Self::Refused(*error),
        }
    }

    /// The answer of a call of the handler.
    pub(super) fn of_handler<T>(
        result: &Result<T, HandlerError>,
        ok: impl FnOnce(&T) -> Self,
    ) -> Self {
        match result {
            Ok(value) => ok(value),
            Err(error) => Self::Failed {
                code: error.hresult(),
                text: error.to_string(),
            },
        }
    }
}

impl From<&HandlerInfo> for Answer {
    fn from(info: &HandlerInfo) -> Self {
        Self::Info {
            name: info.name.as_str().to_owned(),
            flags: info.flags,
        }
    }
}

impl From<&ItemList> for Answer {
    fn from(list: &ItemList) -> Self {
        Self::List {
            complete: list.is_complete(),
            items: list.items().iter().map(Listed::from).collect(),
        }
    }
}

impl From<LogSelector> for Action {
    fn from(which: LogSelector) -> Self {
        Self::DeleteLogError {
            error: match which {
                LogSelector::All => None,
                LogSelector::One(id) => Some(id),
            },
        }
    }
}
