//! The handler's side of the contract: `ISyncMgrSynchronize`.

use std::any::Any;
use std::sync::Arc;

use uuid::Uuid;

use crate::{
    ErrorId, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus, Participation, Prepared,
    SyncCallback, SyncFlags,
};

/// The handler's side: what a host calls to learn about items and to have them synchronized.
///
/// Models `ISyncMgrSynchronize` of `mobsync.h`. A program that has something to synchronize
/// implements it once for each kind of thing, and reports back through [`SyncCallback`].
///
/// # One life
///
/// The host makes these calls in this order, once each unless told otherwise:
///
/// 1. [`initialize`](Self::initialize); after [`Participation::Declines`] nothing follows.
/// 2. [`info`](Self::info), then [`items`](Self::items).
/// 3. [`set_progress_callback`](Self::set_progress_callback) with the callback.
/// 4. [`prepare_for_sync`](Self::prepare_for_sync) with the chosen items. If none is chosen, the host
///    makes neither this call nor the next (rule M02).
/// 5. [`synchronize`](Self::synchronize), only after the prepare was completed with `S_OK` (rule M01).
/// 6. [`show_error`](Self::show_error), if the user follows a logged error. Its answer may lead to 4
///    again.
/// 7. [`set_progress_callback`](Self::set_progress_callback) with `None`, and the handler is dropped.
///
/// While the handler prepares or synchronizes,
/// [`set_item_status`](Self::set_item_status) may be called, and the host may enumerate again or show
/// properties.
///
/// # Threads
///
/// The methods take a shared handler, so its state needs a lock or atomics of its own. A host makes
/// the calls above one after the other; but they come while the handler's own workers run, and
/// nothing ties them to one thread. The four methods that may complete later take the [`Arc`], for
/// workers to keep. They should return soon and work on threads of their own, since a host learns of
/// a skip or a cancel between its calls; but completing before they return is allowed.
///
/// No lock of the host is held during a call, so a handler may call its callback from inside any of
/// these methods; and a host makes no call from inside a method of the callback.
///
/// # Results
///
/// Answers that are success codes in the original are types here: [`Participation`], [`ItemList`],
/// [`Prepared`]. In a `Result<(), HandlerError>` only `S_OK` is `Ok`; a host judges an `Err` by
/// [`HandlerError::hresult`].
///
/// # Examples
///
/// A whole handler that works on one thread of its own:
///
/// ```
/// use std::sync::{Arc, Mutex, PoisonError};
/// use std::thread;
/// use syncmgr::{
///     CallbackError, HResult, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus,
///     Participation, Prepared, ProgressUpdate, SyncCallback, SyncFlags, SyncHandler, SyncItem, Verdict,
/// };
///
/// const PHOTOS: ItemId = ItemId::from_u128(0x2f0c_7a52_91c4_4f0e_8a3e_5b1d_7e6f_9d01);
///
/// #[derive(Default)]
/// struct State {
///     callback: Option<Arc<dyn SyncCallback>>,
///     chosen: Vec<ItemId>,
///     skipped: Vec<ItemId>,
/// }
///
/// #[derive(Default)]
/// struct Mirror(Mutex<State>);
///
/// impl Mirror {
///     fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
///         look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
///     }
///
///     fn callback(&self) -> Result<Arc<dyn SyncCallback>, HandlerError> {
///         self.state(|state| state.callback.clone()).ok_or(HResult::E_UNEXPECTED.into())
///     }
///
///     /// Brings one item to its final status.
///     fn copy(&self, callback: &dyn SyncCallback, item: ItemId) -> Result<(), CallbackError> {
///         // The first report is made under the lock that `set_item_status` takes: no skip can come
///         // between the look and the start. It is the only call under it; who asks first needs none.
///         let first = ProgressUpdate::new().status(ItemStatus::Updating).max(10);
///         let end = match self.state(|state| match state.skipped.contains(&item) {
///             true => None,
///             false => Some(callback.progress(item, &first)),
///         }) {
///             None => ItemStatus::Skipped,
///             Some(verdict) => copy_parts(callback, item, verdict?)?,
///         };
///         let _known = callback.progress(item, &ProgressUpdate::new().status(end))?;
///         Ok(())
///     }
/// }
///
/// fn copy_parts(
///     callback: &dyn SyncCallback,
///     item: ItemId,
///     mut verdict: Verdict,
/// ) -> Result<ItemStatus, CallbackError> {
///     for part in 1..=10 {
///         if !verdict.is_continue() {
///             return Ok(ItemStatus::Stopped);
///         }
///         // ... copy one part, then report it and ask ...
///         verdict = callback.progress(item, &ProgressUpdate::new().value(part))?;
///     }
///     Ok(ItemStatus::Succeeded)
/// }
///
/// impl SyncHandler for Mirror {
///     fn initialize(
///         &self,
///         _flags: SyncFlags,
///         _cookie: Option<&[u8]>,
///     ) -> Result<Participation, HandlerError> {
///         Ok(Participation::Joins)
///     }
///     fn info(&self) -> Result<HandlerInfo, HandlerError> {
///         Ok(HandlerInfo::new("Mirror".parse()?))
///     }
///     fn items(&self) -> Result<ItemList, HandlerError> {
///         Ok(ItemList::Complete(vec![SyncItem::new(PHOTOS, "photos".parse()?)]))
///     }
///     fn set_progress_callback(
///         &self,
///         callback: Option<Arc<dyn SyncCallback>>,
///     ) -> Result<(), HandlerError> {
///         let old = self.state(|state| std::mem::replace(&mut state.callback, callback));
///         drop(old); // with no lock held: it may be the last one
///         Ok(())
///     }
///     fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
///         self.state(|state| {
///             state.chosen = items.to_vec();
///             state.skipped.clear();
///         });
///         // Refused only where the host has let go. No `?`: after a completion the answer is `Started`, whatever
///         // became of it (rule H06).
///         let _ = self.callback()?.prepare_for_sync_completed(HResult::S_OK);
///         Ok(Prepared::Started)
///     }
///     fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
///         let callback = self.callback()?;
///         thread::Builder::new().spawn(move || {
///             let chosen = self.state(|state| std::mem::take(&mut state.chosen));
///             let refusal = chosen.into_iter().find_map(|item| self.copy(&*callback, item).err());
///             let result = refusal.map_or(HResult::S_OK, |error| error.hresult());
///             let _ = callback.synchronize_completed(result);
///         })?;
///         Ok(())
///     }
///     fn set_item_status(&self, item: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
///         self.state(|state| state.skipped.push(item));
///         Ok(())
///     }
/// }
///
/// let report = syncmgr::run_handler(Arc::new(Mirror::default()), syncmgr::RunOptions::new());
/// assert!(report.is_success(), "{report:?}");
/// # #[cfg(feature = "testing")]
/// # {
/// #     syncmgr::testing::explore_cancellations(|| Arc::new(Mirror::default())).assert_conformant();
/// #     syncmgr::testing::explore_faults(|| Arc::new(Mirror::default())).assert_conformant();
/// # }
/// ```
///
/// Whether a handler of your own keeps the rules, at every moment at which somebody can cancel, the feature `testing` tells:
/// one call of `syncmgr::testing::explore_cancellations`.
///
/// The [guide](crate::guide::handler) goes through the decisions that each handler takes, and shows the easier way,
/// [`per_item`](crate::per_item).
#[doc(alias = "ISyncMgrSynchronize")]
pub trait SyncHandler: Send + Sync {
    /// Tells why the handler is started, and asks whether it takes part.
    ///
    /// The host's first call, made once. The flags hold for the life of the handler: the event in
    /// them, whether the user may be bothered, and whether it is started for its settings only. An
    /// event that the handler does not know counts as manual. The cookie is what a program passed to
    /// `UpdateItems`, and comes only with [`SyncEvent::Invoke`](crate::SyncEvent::Invoke) (rule M06).
    /// Dialogs belong here only when the handler is started for the very first time.
    ///
    /// [`Participation::Declines`] is no error: the host then drops the handler without another call.
    ///
    /// Page: `ISyncMgrSynchronize::Initialize`.
    ///
    /// # Errors
    ///
    /// Any; the host then drops the handler, and its run has failed.
    #[doc(alias = "Initialize")]
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError>;

    /// Returns the handler's name and what it can do.
    ///
    /// Called after [`initialize`](Self::initialize), and perhaps again later.
    ///
    /// Page: `ISyncMgrSynchronize::GetHandlerInfo`.
    ///
    /// # Errors
    ///
    /// Any; the host then drops the handler, and its run has failed.
    #[doc(alias = "GetHandlerInfo")]
    fn info(&self) -> Result<HandlerInfo, HandlerError>;

    /// Returns the items that can be synchronized.
    ///
    /// Called before the user chooses, and perhaps again while the handler works or after its
    /// properties were shown; the list may then be another. Every item has an id of its own that is
    /// not nil, and its time if its flags say that there is one (rule H21). An id should stay the same
    /// from run to run, since the user's choices are kept by it.
    ///
    /// [`ItemList::Incomplete`] keeps the choices for items that cannot be listed now; after
    /// [`ItemList::Complete`] they may be dropped (rule M07).
    ///
    /// Page: `ISyncMgrSynchronize::EnumSyncMgrItems`.
    ///
    /// # Errors
    ///
    /// Any; the host then drops the handler, and its run has failed.
    #[doc(alias = "EnumSyncMgrItems")]
    #[doc(alias = "Reset")]
    fn items(&self) -> Result<ItemList, HandlerError>;

    /// Sets, replaces or takes away the callback.
    ///
    /// The host sets it before it prepares and before it shows properties, and takes it away with
    /// `None` before it drops the handler (rule M03). Once this call has returned, the handler makes
    /// no call on the earlier one (rule H13); so it drops every copy of it, or has its workers finished.
    ///
    /// Page: `ISyncMgrSynchronize::SetProgressCallback`.
    ///
    /// # Errors
    ///
    /// Any; the host then makes no further use of the handler.
    #[doc(alias = "SetProgressCallback")]
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError>;

    /// Prepares to synchronize the named items, which are never none.
    ///
    /// Called once for each round: the first time with what the user chose, and again with the items
    /// of a retry. It should return soon and do what takes long on threads of its own.
    ///
    /// - [`Prepared::Started`]: exactly one
    ///   [`prepare_for_sync_completed`](SyncCallback::prepare_for_sync_completed) tells the end, from
    ///   any thread, before or after this answer (rule H05).
    /// - [`Prepared::NeedsUser`]: the handler cannot go on without a dialog and may show none. No
    ///   completion follows (rule H06).
    ///
    /// A dialog may be shown only if the flags of [`initialize`](Self::initialize) have
    /// [`SyncFlags::MAY_BOTHER_USER`] (rule H12) and the host granted it (rule H11).
    ///
    /// Page: `ISyncMgrSynchronize::PrepareForSync`.
    ///
    /// # Errors
    ///
    /// Any; no completion follows (rule H06), and the host drops the handler without
    /// [`synchronize`](Self::synchronize).
    #[doc(alias = "PrepareForSync")]
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError>;

    /// Synchronizes the items of the prepare.
    ///
    /// Called once for each prepare, only after it was completed with `S_OK` (rule M01). It should
    /// return soon and work on threads of its own. After `Ok` exactly one
    /// [`synchronize_completed`](SyncCallback::synchronize_completed) tells the end, from any thread,
    /// before or after this answer (rule H07). Until then the handler
    ///
    /// - asks for a verdict before it starts each item (rule H01), and reports only items of the
    ///   prepare or added since (rule H04);
    /// - stops an item or everything when it is told so (rules H02 and H03);
    /// - starts no item that was skipped (rule H14);
    /// - gives every item a final status (rule H15).
    ///
    /// Dialogs are to be avoided here. One may be shown only under rules H11 and H12, as in
    /// [`prepare_for_sync`](Self::prepare_for_sync); a handler that cannot finish without one, and may
    /// show none, fails.
    ///
    /// Page: `ISyncMgrSynchronize::Synchronize`.
    ///
    /// # Errors
    ///
    /// Any; no completion follows (rule H08).
    #[doc(alias = "Synchronize")]
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError>;

    /// Tells that an item is to be skipped.
    ///
    /// The status is always [`ItemStatus::Skipped`] (rule M04). Called while the handler's own
    /// workers run, in two windows: after
    /// [`prepare_for_sync`](Self::prepare_for_sync) has returned and before its completion, and after
    /// [`synchronize`](Self::synchronize) has returned and before its completion. An item that has not
    /// been started when this call returns is not to be started any more (rule H14), and still needs
    /// its final status (rule H15). One in work is told by the verdict of its next report. What is
    /// started is judged by the first report, one that only asks included. So a handler asks first and
    /// starts the item only if the answer is `Continue`; or it looks at the skips and makes the first
    /// report under the lock that this method takes.
    ///
    /// Page: `ISyncMgrSynchronize::SetItemStatus`.
    ///
    /// # Errors
    ///
    /// [`HandlerError::InvalidArgument`] for an item that is not of the prepare. The work goes on.
    #[doc(alias = "SetItemStatus")]
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError>;

    /// Returns an object for an item, of an interface that the original kept for later versions.
    ///
    /// The page reserves the method for later versions and requires every handler to return
    /// `E_NOTIMPL` (rule H19). A later SDK sample returns icons from it all the same; no page
    /// describes that. The default returns [`HandlerError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSynchronize::GetItemObject`.
    ///
    /// # Errors
    ///
    /// Always [`HandlerError::NotImplemented`].
    #[doc(alias = "GetItemObject")]
    fn item_object(
        &self,
        item: ItemId,
        interface: Uuid,
    ) -> Result<Box<dyn Any + Send>, HandlerError> {
        let _ = (item, interface);
        Err(HandlerError::NotImplemented)
    }

    /// Shows the properties of an item, or with `None` the handler's own, for the user to change.
    ///
    /// Called when the user asks for them, with the callback set (rule M03). A host offers them only for
    /// what has `HAS_PROPERTIES` in its flags; but `show_properties` of
    /// [`RunOptions`](crate::RunOptions::show_properties), [`SyncManager`](crate::SyncManager::show_properties)
    /// and the testing kit call it for whatever target they are given. After `Ok` exactly one
    /// [`show_properties_completed`](SyncCallback::show_properties_completed) tells the end, from any
    /// thread, before or after this answer; none after an error that is a failure code (rule H10). The
    /// original's `GUID_NULL` is `None` here.
    ///
    /// The default answers [`HandlerError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSynchronize::ShowProperties`.
    ///
    /// # Errors
    ///
    /// Any; [`HandlerError::InvalidArgument`] for an item that the handler does not have.
    #[doc(alias = "ShowProperties")]
    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        let _ = target;
        Err(HandlerError::NotImplemented)
    }

    /// Shows more about an error that the handler logged.
    ///
    /// Called when the user asks for it, only for entries made with
    /// [`LogRecord::jump_text`](crate::LogRecord::jump_text) and with their error id (rule M05). After
    /// `Ok` exactly one [`show_error_completed`](SyncCallback::show_error_completed) tells the end,
    /// from any thread, before or after this answer; none after an error that is a failure code (rule
    /// H09). It may ask for a retry.
    ///
    /// A dialog needs no [`SyncFlags::MAY_BOTHER_USER`] here, since the user asked; but it has to be
    /// granted by [`enable_modeless`](SyncCallback::enable_modeless) all the same (rule H11).
    ///
    /// The default answers [`HandlerError::NotImplemented`].
    ///
    /// Page: `ISyncMgrSynchronize::ShowError`.
    ///
    /// # Errors
    ///
    /// Any; [`HandlerError::InvalidArgument`] for an error that the handler did not log.
    #[doc(alias = "ShowError")]
    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        let _ = error;
        Err(HandlerError::NotImplemented)
    }
}
