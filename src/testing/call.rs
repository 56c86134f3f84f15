//! A recorded call, with its arguments and its answer.

use super::answer::Answer;
use super::listed::Listed;
use crate::{
    ErrorId, HResult, ItemId, ItemStatus, LogRecord, LogSelector, Phase, ProgressUpdate, SyncFlags,
    Uuid,
};

/// One call, of either side, as the [`Recorder`](super::Recorder) saw it.
///
/// Calls overlap: a `synchronize` lasts while the reports of a handler that works inside it come, and two threads report
/// at once. So each call has two places in time, [`begun`](Self::begun) and [`ended`](Self::ended), numbers of one count
/// that goes through the whole trace. One call is *before* another where it had ended when the other began.
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::{Action, Answer, Harness};
/// use syncmgr::{ItemId, ItemStatus, Verdict};
///
/// let photos = ItemId::from_u128(1);
/// let script = Script::new().item(photos, "photos").synchronize([
///     Step::report(photos).value(1).max(2),
///     Step::report(photos).status(ItemStatus::Succeeded),
/// ]);
/// let trace = Harness::new(script.handler()).cancel_all_at(1).run();
/// let cancelled = trace.calls().iter().find(|call| call.answer == Answer::Verdict(Verdict::CancelAll));
/// let call = cancelled.expect("the first report was answered so");
/// assert!(matches!(call.action, Action::Progress { item, .. } if item == photos));
/// assert!(call.has_returned());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        update: ProgressUpdate<'static>,
    },
    /// `SyncCallback::log_error`.
    LogError {
        /// The entry.
        record: LogRecord<'static>,
    },
    /// `SyncCallback::delete_log_error`.
    DeleteLogError {
        /// The entries: one error id, or none for all of them.
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
    /// `SyncCallback::set_handler_text`.
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
    pub fn update(&self) -> ProgressUpdate<'static> {
        match self {
            Self::Progress { update, .. } => update.clone(),
            _ => ProgressUpdate::new(),
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
            Self::HandlerText { .. } => "set_handler_text",
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

impl From<LogSelector> for Action {
    fn from(which: LogSelector) -> Self {
        Self::DeleteLogError {
            error: match which {
                LogSelector::All => None,
                LogSelector::ById(id) => Some(id),
            },
        }
    }
}
