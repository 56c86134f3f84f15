//! The host's side of the contract: `ISyncMgrSynchronizeCallback`.

use std::sync::Arc;
use std::task::Waker;

use crate::contract::SlotHandle;
use crate::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector, ProgressUpdate,
    PropertiesOutcome, SyncItem, Verdict,
};

/// The host's side: what a handler calls to report and to ask.
///
/// The first nine methods model `ISyncMgrSynchronizeCallback` of `mobsync.h`; those with a default
/// body model what `ISyncMgrSyncCallback` of the newer `syncmgr.h` adds. [`Session`](crate::Session)
/// implements all of them. Implement the trait yourself for a host of your own, or for a wrapper that
/// watches or changes what passes through.
///
/// # Who calls, when, on which thread
///
/// The handler calls; the host answers. A handler gets its callback from
/// [`set_progress_callback`](crate::SyncHandler::set_progress_callback) and may call every method on
/// any thread, on several at once, and from inside any call that the host makes to it, until that
/// callback is replaced or taken away. After that it makes no call on it (rule H13).
///
/// So an implementation takes calls from many threads at once; it holds no lock during its own calls
/// to the handler that a method here needs; and it makes no call to the handler from inside a method
/// here, since the handler may hold a lock of its own. It answers quickly, as
/// [`progress`](Self::progress) stands in the middle of the handler's work, and never waits for the
/// user. An answer of `Err` means that nothing has changed.
///
/// # Results
///
/// In the original every method answers a code, and some success codes carry a meaning. Here those
/// are types: [`Verdict`] and [`Dialog`]. Every other success code but `S_OK` is a
/// [`CallbackError::Other`], so that no code is lost on the way through a wrapper.
///
/// # Wrappers
///
/// A wrapper should forward **every** method to the callback that it wraps, those with a default
/// body too; otherwise it takes away what the inner one can do. The hidden `slot` and
/// `for_reporter` are the exceptions: they must not be forwarded, because they would let reports
/// bypass the wrapper. For tests, `testing::mock::ForwardingCallback` forwards everything that a type
/// does not override.
///
/// # Examples
///
/// A host that prints, and cancels whatever passes a limit:
///
/// ```
/// use syncmgr::{
///     CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector,
///     ProgressUpdate, PropertiesOutcome, SyncCallback, Verdict,
/// };
///
/// struct Limit(u64);
///
/// impl SyncCallback for Limit {
///     fn progress(
///         &self,
///         item: ItemId,
///         update: &ProgressUpdate<'_>,
///     ) -> Result<Verdict, CallbackError> {
///         println!("{item}: {:?}", update.value);
///         Ok(match update.value {
///             Some(value) if value > self.0 => Verdict::CancelItem,
///             _ => Verdict::Continue,
///         })
///     }
///     fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
///         println!("{}: {}", record.level, record.text);
///         Ok(())
///     }
///     fn delete_log_error(&self, _: LogSelector) -> Result<(), CallbackError> {
///         Err(CallbackError::UnknownErrorId)
///     }
///     fn prepare_for_sync_completed(&self, _: HResult) -> Result<(), CallbackError> {
///         Ok(())
///     }
///     fn synchronize_completed(&self, _: HResult) -> Result<(), CallbackError> {
///         Ok(())
///     }
///     fn show_error_completed(&self, _: ErrorOutcome<'_>) -> Result<(), CallbackError> {
///         Ok(())
///     }
///     fn show_properties_completed(&self, _: PropertiesOutcome) -> Result<(), CallbackError> {
///         Ok(())
///     }
///     fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
///         Ok(if enable { Dialog::Denied } else { Dialog::Granted })
///     }
///     fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
///         Err(CallbackError::NotConnected)
///     }
/// }
///
/// let host: &dyn SyncCallback = &Limit(100);
/// let item = ItemId::from_u128(1);
/// assert_eq!(host.progress(item, &ProgressUpdate::new().value(50)), Ok(Verdict::Continue));
/// assert_eq!(host.progress(item, &ProgressUpdate::new().value(101)), Ok(Verdict::CancelItem));
/// // A method with a default body that asks through `progress`.
/// assert_eq!(host.can_continue(Some(item)), Ok(Verdict::Continue));
/// assert_eq!(host.can_continue(None), Err(CallbackError::NotImplemented));
/// ```
#[doc(alias = "ISyncMgrSynchronizeCallback")]
#[doc(alias = "ISyncMgrSyncCallback")]
pub trait SyncCallback: Send + Sync {
    /// Reports about an item, and answers whether to go on with it.
    ///
    /// The handler calls it as often as it likes while it prepares and synchronizes, before it starts
    /// an item (rule H01 asks for a verdict before each) and then at every point where it could stop.
    /// An update with an empty mask, [`ProgressUpdate::CHECK`], changes nothing and only asks. The
    /// answer is due whether or not the user may be bothered.
    ///
    /// What the answers mean to the handler:
    ///
    /// - [`Verdict::Continue`]: go on.
    /// - [`Verdict::CancelItem`]: stop this item as soon as possible, and report nothing more about it
    ///   but a final status (rule H02). Other items go on.
    /// - [`Verdict::CancelAll`]: the same for every item, and start no new one (rule H03).
    ///
    /// That final status is how the handler acknowledges a cancel: [`Stopped`](crate::ItemStatus::Stopped)
    /// for an item in work, [`Skipped`](crate::ItemStatus::Skipped) for one that was not started (`CANCELED` of
    /// `ReportProgress` in `syncmgr.h`).
    ///
    /// What binds the handler besides: it reports only items of the current prepare, or added since
    /// (rule H04); after a final status only FAILED may follow (rule H16); the value does not exceed
    /// the maximum, unless the status is indeterminate (rule H17).
    ///
    /// What binds the host: once a call that cancels an item has returned, every later report for that
    /// item is answered by the cancel, on every thread (rule M10); so is a report that carries the
    /// item's final status, which is taken nevertheless.
    ///
    /// Page: `ISyncMgrSynchronizeCallback::Progress`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::UnknownItem`] for an item that takes no part,
    /// [`CallbackError::ItemFinished`] after its final status, [`CallbackError::WrongPhase`] before a
    /// prepare and after the completion, [`CallbackError::Released`] on a released callback.
    #[doc(alias = "Progress")]
    #[doc(alias = "ReportProgress")]
    fn progress(&self, item: ItemId, update: &ProgressUpdate<'_>)
    -> Result<Verdict, CallbackError>;

    /// Adds an entry to the log.
    ///
    /// The handler calls it whenever there is something to tell the user; it may do so after a cancel
    /// too. The item need not take part. The host calls
    /// [`show_error`](crate::SyncHandler::show_error) only for entries made with
    /// [`LogRecord::jump_text`] (rule M05).
    ///
    /// Page: `ISyncMgrSynchronizeCallback::LogError`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::LogFull`] if the host can keep no more, [`CallbackError::InvalidArgument`] for
    /// a nil error id, [`CallbackError::Released`] on a released callback.
    #[doc(alias = "LogError")]
    #[doc(alias = "ReportEvent")]
    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError>;

    /// Deletes entries of this handler from the log.
    ///
    /// The handler calls it when what it logged is no longer true, such as after a retry that went
    /// well. It names only error ids that it logged, or all of its own (rule H20). Entries of other
    /// handlers stay.
    ///
    /// Page: `ISyncMgrSynchronizeCallback::DeleteLogError`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::UnknownErrorId`] if no entry has the id, [`CallbackError::Released`] on a
    /// released callback.
    #[doc(alias = "DeleteLogError")]
    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError>;

    /// Tells that the prepare has ended, and how.
    ///
    /// Due exactly once if [`prepare_for_sync`](crate::SyncHandler::prepare_for_sync) answered
    /// [`Prepared::Started`](crate::Prepared::Started), before or after that answer and from any
    /// thread (rule H05); not at all if it answered anything else (rule H06).
    ///
    /// [`HResult::S_OK`] leads to [`synchronize`](crate::SyncHandler::synchronize), which the host
    /// does not call from in here. With any other code, success codes too, the handler is released
    /// without it (rule M01).
    ///
    /// Page: `ISyncMgrSynchronizeCallback::PrepareForSyncCompleted`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::WrongPhase`] if no prepare is in hand or it has been completed; the first
    /// result stays. [`CallbackError::Released`] on a released callback.
    #[doc(alias = "PrepareForSyncCompleted")]
    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError>;

    /// Tells that the synchronization has ended, and how.
    ///
    /// Due exactly once if [`synchronize`](crate::SyncHandler::synchronize) answered `Ok`, before or
    /// after that answer and from any thread (rule H07); not at all if it answered an error (rule
    /// H08). Before it, every item of the prepare, or added since, has been given a final status (rule
    /// H15).
    ///
    /// After a cancel the result is [`HResult::S_OK`] if the handler stopped cleanly; which items were
    /// stopped is told by their statuses.
    ///
    /// Page: `ISyncMgrSynchronizeCallback::SynchronizeCompleted`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::WrongPhase`] if no synchronization is in hand or it has been completed; the
    /// first result stays. [`CallbackError::Released`] on a released callback.
    #[doc(alias = "SynchronizeCompleted")]
    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError>;

    /// Tells that showing an error has ended, and what follows.
    ///
    /// Due once if [`show_error`](crate::SyncHandler::show_error) answered a success code, before or
    /// after that answer and from any thread; never after a failure (rule H09).
    ///
    /// With [`ErrorOutcome::Retry`] the host copies the items and runs prepare and synchronize again
    /// with them. They are items that the handler enumerated, added or committed (rule H18).
    ///
    /// Page: `ISyncMgrSynchronizeCallback::ShowErrorCompleted`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::Released`] on a released callback. [`CallbackError::WrongPhase`] if 16
    /// completions are waiting for the host already.
    #[doc(alias = "ShowErrorCompleted")]
    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError>;

    /// Tells that showing properties has ended, and what follows.
    ///
    /// Due once if [`show_properties`](crate::SyncHandler::show_properties) answered a success code,
    /// before or after that answer and from any thread; never after a failure (rule H10).
    ///
    /// Page: `ISyncMgrSynchronizeCallback::ShowPropertiesCompleted`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::Released`] on a released callback. [`CallbackError::WrongPhase`] if 16
    /// completions are waiting for the host already.
    #[doc(alias = "ShowPropertiesCompleted")]
    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError>;

    /// Asks for the turn to show a dialog, or gives it back.
    ///
    /// The handler calls it with `true` before each dialog that it shows while it prepares,
    /// synchronizes or shows an error, and shows the dialog only if the answer is
    /// [`Dialog::Granted`]. It then calls it with `false` exactly once when the dialog is closed, and
    /// not at all after [`Dialog::Denied`] (rule H11). While it prepares and synchronizes, it does not
    /// even ask unless [`SyncFlags::MAY_BOTHER_USER`](crate::SyncFlags::MAY_BOTHER_USER) is set (rule
    /// H12).
    ///
    /// The host grants one dialog at a time, over all handlers (rule M09). It never waits for a turn:
    /// while another holds it, the answer is `Denied` at once, as it is for a second `true` of the
    /// holder. A call with `false` always answers `Granted`. A handler that cannot go on without its
    /// dialog may ask again after a while, with [`can_continue`](Self::can_continue) between, or
    /// complete the step with a failure.
    ///
    /// ```
    /// use syncmgr::{CallbackError, SyncCallback};
    ///
    /// fn ask_the_user(callback: &dyn SyncCallback) -> Result<bool, CallbackError> {
    ///     if !callback.enable_modeless(true)?.is_granted() {
    ///         return Ok(false); // no dialog, and no turn to give back
    ///     }
    ///     let answer = true; // ... show the dialog ...
    ///     let _ = callback.enable_modeless(false);
    ///     Ok(answer)
    /// }
    /// # let _ = ask_the_user;
    /// ```
    ///
    /// Page: `ISyncMgrSynchronizeCallback::EnableModeless`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::Released`] on a released callback.
    #[doc(alias = "EnableModeless")]
    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError>;

    /// Asks for a network connection, by name, or for the default one with `None`.
    ///
    /// Only for handlers with
    /// [`HandlerFlags::MAY_ESTABLISH_CONNECTION`](crate::HandlerFlags::MAY_ESTABLISH_CONNECTION) (rule
    /// H22). May take as long as the connection takes, and so is no call for a thread in a hurry. A
    /// second call opens another connection and leaves the first open; the host closes all of them
    /// when every handler of the run has finished (rule M08).
    ///
    /// Page: `ISyncMgrSynchronizeCallback::EstablishConnection`.
    ///
    /// # Errors
    ///
    /// [`CallbackError::NotConnected`] if the connection cannot be made or the host has no means to,
    /// and whatever those means answer; [`CallbackError::Released`] on a released callback.
    #[doc(alias = "EstablishConnection")]
    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError>;

    /// Asks whether to go on with an item, or with `None` whether to go on at all.
    ///
    /// Changes nothing, and so is allowed after a cancel too. The item's answer is that of
    /// [`progress`](Self::progress) with an empty mask. Without an item the answer is
    /// [`Verdict::CancelAll`] or [`Verdict::Continue`]. In the original a cancel is one code,
    /// `S_FALSE`; here the verdict tells which.
    ///
    /// The default asks `progress` for an item. Without one it answers
    /// [`CallbackError::NotImplemented`], as the older interface has no such question and a guess
    /// could miss a cancel.
    ///
    /// Page: `ISyncMgrSyncCallback::CanContinue` (`syncmgr.h`).
    ///
    /// # Errors
    ///
    /// For an item those of [`progress`](Self::progress); without one only [`CallbackError::Released`].
    #[doc(alias = "CanContinue")]
    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        match item {
            Some(item) => self.progress(item, &ProgressUpdate::CHECK),
            None => Err(CallbackError::NotImplemented),
        }
    }

    /// Asks to be woken once when the item, or with `None` the whole handler, is cancelled.
    ///
    /// For handlers that wait, on a socket or a timer, where no report would ask. The host keeps the
    /// waker until the item ends; one that wakes the same task is replaced. It is woken at once if the
    /// cancel is there already, and also by the item's end, by the completion and by the release. So a
    /// wake tells nothing by itself: register first, then ask [`can_continue`](Self::can_continue),
    /// and only then wait.
    ///
    /// A host that keeps no wakers may wake each one immediately: then the handler has to poll. An
    /// [`ItemReporter`](crate::ItemReporter) does so from a thread of its own, every 10 ms, for as
    /// long as anything waits at it.
    ///
    /// The default answers [`CallbackError::NotImplemented`]. No page: ours.
    ///
    /// # Errors
    ///
    /// [`CallbackError::UnknownItem`] for an item that takes no part, [`CallbackError::Released`] on a
    /// released callback.
    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        let _ = (item, waker);
        Err(CallbackError::NotImplemented)
    }

    /// Adds an item to the work in hand, so that it may be reported.
    ///
    /// For what a handler finds only while it works. From then on the item is bound by the rules of
    /// those of the prepare: a verdict first, and a final status before the completion. One that is
    /// added after all was cancelled is cancelled from the start.
    ///
    /// ```
    /// use syncmgr::{CallbackError, ItemId, Session, SyncCallback, SyncItem};
    ///
    /// let session = Session::builder().build()?;
    /// let found = SyncItem::new(ItemId::from_u128(2), "a folder found on the way".parse()?);
    /// session.add_item(found.clone())?;
    /// session.reporter(found.id)?.succeed()?;
    /// assert_eq!(session.add_item(found), Err(CallbackError::InvalidArgument)); // it takes part already
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The default answers [`CallbackError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSyncCallback::AddItemToSession` (`syncmgr.h`).
    ///
    /// # Errors
    ///
    /// [`CallbackError::InvalidArgument`] for an item that takes part already or has a nil id,
    /// [`CallbackError::WrongPhase`] after the completion, [`CallbackError::Released`] on a released
    /// callback.
    #[doc(alias = "AddItemToSession")]
    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let _ = item;
        Err(CallbackError::NotImplemented)
    }

    /// Announces a new item that the host shows only once [`commit_item`](Self::commit_item) names it.
    ///
    /// For an item that is no part of the sync set before it has been synchronized: another device that answered, a folder
    /// that the user is about to share. It takes reports like the items of the round, but no view, total or report of the host
    /// has it, and it needs no final status. If it is not committed, it is never listed.
    ///
    /// A proposal that has not been committed stays for the next round of the session. There it starts anew, unless it ended
    /// with another status than `Failed`.
    ///
    /// The default answers [`CallbackError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSyncCallback::ProposeItem` (`syncmgr.h`).
    ///
    /// # Errors
    ///
    /// [`CallbackError::InvalidArgument`] for an item that is listed or proposed already, or has a nil id;
    /// [`CallbackError::Released`] on a released callback.
    #[doc(alias = "ProposeItem")]
    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let _ = item;
        Err(CallbackError::NotImplemented)
    }

    /// Makes a proposed item a real one: from then on it is in the host's list, with all that was reported of it.
    ///
    /// The usual order is to propose the item, synchronize it, and commit it once it has succeeded. If it is committed while it is
    /// in progress, it takes part in the round from then on, and needs a final status (rule H15). If nothing was reported of it,
    /// it is only listed: it takes part after an [`add_item`](Self::add_item) or in a retry that names it, and in an open session
    /// immediately. An item that has failed cannot be committed.
    ///
    /// ```
    /// use syncmgr::{ItemId, ItemStatus, Session, SyncCallback, SyncItem};
    ///
    /// let session = Session::builder().build()?;
    /// let share = ItemId::from_u128(1);
    /// session.propose_item(SyncItem::new(share, "a new share".parse()?))?;
    /// session.reporter(share)?.succeed()?;
    /// assert!(session.snapshot().items.is_empty()); // no observer sees it yet
    /// session.commit_item(share)?;
    /// assert_eq!(session.snapshot().items[0].status, ItemStatus::Succeeded);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The default answers [`CallbackError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSyncCallback::CommitItem` (`syncmgr.h`).
    ///
    /// # Errors
    ///
    /// [`CallbackError::InvalidArgument`] for an item that was not proposed, has failed, or was added or
    /// committed since; [`CallbackError::WrongPhase`] where no round can follow;
    /// [`CallbackError::Released`] on a released callback.
    #[doc(alias = "CommitItem")]
    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        let _ = item;
        Err(CallbackError::NotImplemented)
    }

    /// Returns the items that were asked for since this work began, to be done after it or added to it.
    ///
    /// Asking takes nothing: an item is taken by [`add_item`](Self::add_item), or by a retry that names it. What
    /// is not taken, the host does in another run. An item that takes part already cannot be added once
    /// more, so it is left to that run and not listed here. A handler can therefore ask in a loop,
    /// until nothing is listed that it takes.
    ///
    /// Empty if there are none, where the original answers `S_FALSE`.
    ///
    /// The default answers [`CallbackError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSyncCallback::QueryForAdditionalItems` (`syncmgr.h`).
    ///
    /// # Errors
    ///
    /// [`CallbackError::Released`] on a released callback.
    #[doc(alias = "QueryForAdditionalItems")]
    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        Err(CallbackError::NotImplemented)
    }

    /// Sets a line of text for the handler as a whole, and answers whether to go on at all.
    ///
    /// The answer is that of [`can_continue`](Self::can_continue) without an item.
    ///
    /// The default answers [`CallbackError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSyncCallback::SetHandlerProgressText` (`syncmgr.h`).
    ///
    /// # Errors
    ///
    /// [`CallbackError::Released`] on a released callback.
    #[doc(alias = "SetHandlerProgressText")]
    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        let _ = text;
        Err(CallbackError::NotImplemented)
    }

    /// Returns the place where this callback keeps the item, for [`ItemReporter`](crate::ItemReporter).
    ///
    /// Wrappers keep the default, so that every report passes through them.
    #[doc(hidden)]
    fn slot(&self, item: ItemId) -> Option<SlotHandle> {
        let _ = item;
        None
    }

    /// Returns the callback by which a new [`ItemReporter`](crate::ItemReporter) of the item
    /// reports, if that is not this one: the way of the testing kit's wrappers to refuse reporters
    /// of an earlier round.
    #[doc(hidden)]
    fn for_reporter(&self, item: ItemId) -> Option<Arc<dyn SyncCallback>> {
        let _ = item;
        None
    }
}
