//! How a [`SyncManager`] is told to start handlers: `ISyncMgrSynchronizeInvoke`.

use std::sync::Arc;

use super::job::Job;
use super::job_group::JobGroup;
use super::job_share::JobShare;
use super::run::Run;
use super::scheduler::{Closing, Entry, State};
use super::start_request::StartRequest;
use super::workers::ensure_workers;
use super::{ManagerError, SyncManager};
use crate::driver::enumerate::distinct;
use crate::session::Connections;
use crate::{HandlerId, InvokeFlags, ItemId, RegisterFlags, SyncEvent, SyncFlags};

/// Starting: `ISyncMgrSynchronizeInvoke`. Every start returns immediately.
impl SyncManager {
    /// Synchronizes every handler, as when the user asks for it: `ISyncMgrSynchronizeInvoke::UpdateAll`.
    #[doc(alias = "UpdateAll")]
    #[doc(alias = "StartSyncAll")]
    pub fn update_all(&self) -> Run {
        self.signal(SyncEvent::Manual)
    }

    /// Synchronizes one handler because a program asks for it, and passes the program's cookie to it:
    /// `ISyncMgrSynchronizeInvoke::UpdateItems`.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{HandlerId, InvokeFlags, ItemId, Registration, SyncEvent, SyncItem, SyncManager};
    ///
    /// let id = HandlerId::from_u128(1);
    /// let manager = SyncManager::new();
    /// manager.register(id, Registration::new(), || {
    ///     let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse().expect("a short name"));
    ///     let source = from_items([inbox], |item| {
    ///         assert_eq!(item.flags().event(), SyncEvent::Invoke);
    ///         Ok(())
    ///     });
    ///     HandlerBuilder::new("Mail".parse().expect("a short name"), source).build()
    /// })?;
    /// // The cookie comes to the handler's `initialize`.
    /// let run = manager.update_items(id, InvokeFlags::empty(), b"inbox only")?;
    /// assert!(run.wait().is_success());
    /// # Ok::<(), syncmgr::ManagerError>(())
    /// ```
    #[doc(alias = "UpdateItems")]
    pub fn update_items(
        &self,
        id: HandlerId,
        flags: InvokeFlags,
        cookie: &[u8],
    ) -> Result<Run, ManagerError> {
        let request = StartRequest {
            invoke: flags,
            cookie: Some(cookie.to_vec()),
            ..self.request(SyncEvent::Invoke)
        };
        self.start_one(id, request)
    }

    /// Synchronizes these items of a handler, whatever was chosen: `ISyncMgrControl::StartItemSync` of `syncmgr.h`.
    ///
    /// While the handler runs, they are pending. The handler can request them
    /// ([`additional_items`](crate::SyncCallback::additional_items)) and take them in with
    /// [`add_item`](crate::SyncCallback::add_item). The items that are left when it has finished are
    /// done by a run of their own. If none is left, this run has the session and the report of the one
    /// that did them. A running handler is offered at most about 10,000 pending items. Nil ids, and ids
    /// that the handler does not list, are left out.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    #[doc(alias = "StartItemSync")]
    pub fn sync_items(
        &self,
        id: HandlerId,
        items: impl IntoIterator<Item = ItemId>,
    ) -> Result<Run, ManagerError> {
        let request = StartRequest {
            items: Some(distinct(items.into_iter().collect())),
            ..self.request(SyncEvent::Manual)
        };
        self.start_one(id, request)
    }

    /// Asks a handler for its items anew, without synchronizing anything: for [`listing`](Self::listing). It is started with
    /// [`SETTINGS`](SyncFlags::SETTINGS), which says so.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    pub fn enumerate(&self, id: HandlerId) -> Result<Run, ManagerError> {
        self.start_one(id, self.settings_order(None))
    }

    /// As [`enumerate`](Self::enumerate), for every handler.
    pub fn enumerate_all(&self) -> Run {
        self.start(
            |state| registered(state, |_| true),
            self.settings_order(None),
        )
    }

    /// Lets a handler show the properties of an item, or (none) its own: `ISyncMgrSynchronize::ShowProperties`. Nothing is
    /// synchronized; where the handler runs, this comes after it.
    ///
    /// An item that is [deleted](crate::PropertiesOutcome::ItemDeleted) there is taken off the
    /// [listing](Self::listing), and its choice with it; where the items
    /// [changed](crate::PropertiesOutcome::ItemsChanged), the handler is asked for them anew. What came of it stands in
    /// [`HandlerReport::properties`](crate::HandlerReport::properties). Whether there are any is told by
    /// [`ItemFlags::HAS_PROPERTIES`](crate::ItemFlags::HAS_PROPERTIES) and
    /// [`HandlerFlags::HAS_PROPERTIES`](crate::HandlerFlags::HAS_PROPERTIES); the manager does not ask for them.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    pub fn show_properties(
        &self,
        id: HandlerId,
        item: impl Into<Option<ItemId>>,
    ) -> Result<Run, ManagerError> {
        self.start_one(id, self.settings_order(Some(item.into())))
    }

    /// Something happened: starts the handlers that are registered for it. [`Connect`](SyncEvent::Connect),
    /// [`PendingDisconnect`](SyncEvent::PendingDisconnect) and [`Idle`](SyncEvent::Idle) start those whose
    /// [`RegisterFlags`] say so, [`Manual`](SyncEvent::Manual) and [`Scheduled`](SyncEvent::Scheduled) all,
    /// [`Invoke`](SyncEvent::Invoke) none: it belongs to [`update_items`](Self::update_items).
    pub fn signal(&self, event: SyncEvent) -> Run {
        let wanted = |flags: RegisterFlags| match event {
            SyncEvent::Connect => flags.contains(RegisterFlags::CONNECT),
            SyncEvent::PendingDisconnect => flags.contains(RegisterFlags::PENDING_DISCONNECT),
            SyncEvent::Idle => flags.contains(RegisterFlags::IDLE),
            SyncEvent::Manual | SyncEvent::Scheduled => true,
            SyncEvent::Invoke => false,
        };
        self.start(|state| registered(state, wanted), self.request(event))
    }

    /// As [`signal`](Self::signal), for one handler, whatever it is registered for: how a schedule of one handler starts it, and how
    /// a user does (`ISyncMgrControl::StartHandlerSync` of `syncmgr.h`). Done are the items that were chosen.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{HandlerId, ItemId, Registration, SyncEvent, SyncFlags, SyncItem, SyncManager};
    ///
    /// let id = HandlerId::from_u128(1);
    /// let manager = SyncManager::new();
    /// manager.register(id, Registration::new(), || {
    ///     let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse().expect("a short name"));
    ///     let source = from_items([inbox], |item| {
    ///         // Nobody is there to be bothered.
    ///         assert_eq!(item.flags(), SyncFlags::new(SyncEvent::Scheduled));
    ///         Ok(())
    ///     });
    ///     HandlerBuilder::new("Mail".parse().expect("a short name"), source).build()
    /// })?;
    /// let run = manager.signal_handler(id, SyncEvent::Scheduled)?;
    /// assert!(run.wait().is_success());
    /// # Ok::<(), syncmgr::ManagerError>(())
    /// ```
    #[doc(alias = "StartHandlerSync")]
    pub fn signal_handler(&self, id: HandlerId, event: SyncEvent) -> Result<Run, ManagerError> {
        self.start_one(id, self.request(event))
    }

    /// The request of a start for configuration only, which shows the properties of this target, if
    /// any.
    fn settings_order(&self, target: Option<Option<ItemId>>) -> StartRequest {
        let manual = self.request(SyncEvent::Manual);
        StartRequest {
            flags: manual.flags | SyncFlags::SETTINGS,
            properties: target,
            ..manual
        }
    }

    /// The request of a start for an event, for what was chosen.
    fn request(&self, event: SyncEvent) -> StartRequest {
        let mut flags = SyncFlags::new(event);
        let nobody = matches!(event, SyncEvent::Idle | SyncEvent::Scheduled);
        if self.scheduler.settings.dialogs && !nobody {
            flags |= SyncFlags::MAY_BOTHER_USER;
        }
        StartRequest {
            flags,
            cookie: None,
            invoke: InvokeFlags::empty(),
            items: None,
            properties: None,
        }
    }

    fn start_one(&self, id: HandlerId, request: StartRequest) -> Result<Run, ManagerError> {
        let one = |state: &State| Some((id, state.handlers.get(&id)?.clone()));
        let run = self.start(|state| one(state).into_iter().collect(), request);
        match run.handlers().is_empty() {
            true => Err(ManagerError::UnknownHandler { id }),
            false => Ok(run),
        }
    }

    /// Starts the handlers that are wanted.
    fn start(
        &self,
        wanted: impl FnOnce(&State) -> Vec<(HandlerId, Entry)>,
        request: StartRequest,
    ) -> Run {
        let connector = self.scheduler.settings.connector.clone();
        let connections = connector
            .map(|connector| Connections::new(move |name: Option<&str>| connector.open(name)));
        let request = Arc::new(request);
        let mut shares = Vec::new();
        let mut unused = Vec::new();
        {
            // One lock for the selection and the start, so that no unregistered or replaced handler starts.
            let mut state = self.scheduler.state.lock();
            let handlers = wanted(&state);
            let group = JobGroup::new(connections, handlers.len());
            for (id, entry) in handlers {
                let job = Job::new(id, entry.make, Arc::clone(&group), Arc::clone(&request));
                match state.ask(&job) {
                    None => shares.push(JobShare::new(job)),
                    Some(shared) => {
                        shares.push(JobShare::new(shared));
                        unused.push(job);
                    }
                }
            }
        }
        // Connectors and factories are user code: they are dropped with no lock held.
        drop(Closing::of(&unused));
        drop(unused);
        ensure_workers(&self.scheduler);
        Run::new(Arc::clone(&self.scheduler), shares)
    }
}

/// The registered handlers whose flags are wanted, in their order.
fn registered(state: &State, wanted: impl Fn(RegisterFlags) -> bool) -> Vec<(HandlerId, Entry)> {
    let known = state.in_order();
    let wanted = known.filter(|(_, entry)| wanted(entry.registration.flags));
    wanted.map(|(id, entry)| (id, entry.clone())).collect()
}
