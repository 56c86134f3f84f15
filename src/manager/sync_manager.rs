//! The manager of many handlers.

use std::fmt;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use super::hub::{Closing, Entry, Hub, Settings, State};
use super::part::{Batch, Order, Part};
use super::pool::ensure_workers;
use super::{Choices, Listing, LogFilter, ManagerError, Registration, Run};
use crate::session::{Connections, Connector, DialogArbiter, LogEntry};
use crate::{
    HandlerFlags, HandlerId, InvokeFlags, ItemId, ItemList, RegisterFlags, SyncEvent, SyncFlags,
    SyncHandler,
};

/// How long `unregister` waits for a running handler to stop, at most, where no deadline is set.
const UNREGISTER: Duration = Duration::from_secs(10);

/// A manager of many handlers: it knows how to make each of them, remembers what the user chose, starts them for events and
/// runs them together. Any number of managers can live in a process.
///
/// - A fresh handler is made for each run. At most [`concurrency`](Self::concurrency) handlers are driven at once, each on a
///   thread of its own; one that waits has no thread.
/// - Two runs of one handler never overlap. A start that comes while the handler runs is done after it. Several starts that wait
///   and ask for the same (event, flags, cookie) are done by one, from its begin on: then they have one session, and a cancel
///   of one is a cancel of all. Until then each can be cancelled for itself.
/// - All handlers share one turn to show a dialog (rule M09). The connections of a run stay open until its last handler was let
///   go (rule M08).
/// - A handler that panics, hangs or never completes does not keep the others from going on.
///
/// The original is `ISyncMgrRegister` and `ISyncMgrSynchronizeInvoke` of `mobsync.h`, and the dialog of the Synchronization
/// Manager itself, without its windows.
///
/// # Flags
///
/// What a handler is initialized with: the event of the start, and
/// [`MAY_BOTHER_USER`](SyncFlags::MAY_BOTHER_USER) where somebody is there to be bothered: for
/// [`Manual`](SyncEvent::Manual), [`Invoke`](SyncEvent::Invoke), [`Connect`](SyncEvent::Connect) and
/// [`PendingDisconnect`](SyncEvent::PendingDisconnect), but not for [`Idle`](SyncEvent::Idle) and
/// [`Scheduled`](SyncEvent::Scheduled), and never where [`dialogs`](Self::dialogs) are off.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::per_item::{Handler, from_items};
/// use syncmgr::{
///     HandlerId, ItemId, RegisterFlags, Registration, SyncEvent, SyncHandler, SyncItem, SyncManager,
/// };
///
/// const MAIL: HandlerId = HandlerId::from_u128(0x9d9c_2e6e_34a5_4f3b_8a52_7c1c_7b1b_0d11);
///
/// fn mail() -> Arc<dyn SyncHandler> {
///     let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse().expect("a short name"));
///     let work = from_items([inbox], |work| Ok(work.set(1)?));
///     Handler::new("Mail".parse().expect("a short name"), work).build()
/// }
///
/// let manager = SyncManager::new();
/// let registration = Registration::new().description("Mail").flags(RegisterFlags::CONNECT);
/// manager.register(MAIL, registration, mail)?; // a fresh one is made for each run
///
/// let run = manager.signal(SyncEvent::Connect); // returns at once
/// assert!(run.wait().is_success());
/// # Ok::<(), syncmgr::ManagerError>(())
/// ```
#[doc(alias = "ISyncMgrSynchronizeInvoke")]
#[doc(alias = "ISyncMgrRegister")]
#[doc(alias = "SyncMgr")]
pub struct SyncManager {
    hub: Arc<Hub>,
}

/// The settings. They are made before a handler is registered.
impl SyncManager {
    /// A manager without handlers, connector or deadline.
    #[must_use]
    pub fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            hub: Hub::new(Settings {
                concurrency: cores.max(4),
                dialogs: true,
                deadline: None,
                max_retries: 16,
                log_capacity: 10_000,
                connector: None,
                show_error_if: None,
                chooser: None,
            }),
        }
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.hub.settings.clone();
        change(&mut settings);
        let hub = Hub::new(settings);
        {
            let (mut old, mut new) = (self.hub.state.lock(), hub.state.lock());
            std::mem::swap(&mut old.handlers, &mut new.handlers);
            std::mem::swap(&mut old.order, &mut new.order);
            std::mem::swap(&mut old.choices, &mut new.choices);
        }
        Self { hub }
    }

    /// How many handlers are driven at once: as many as there are cores and at least 4, unless this says otherwise; at least
    /// one.
    #[must_use]
    pub fn concurrency(self, handlers: usize) -> Self {
        self.set(|settings| settings.concurrency = handlers.max(1))
    }

    /// Opens the connections that handlers ask for. Without it they are refused.
    #[must_use]
    pub fn connector(self, connector: impl Connector + 'static) -> Self {
        self.set(|settings| settings.connector = Some(Arc::new(connector)))
    }

    /// Whether dialogs may be shown at all. They may, unless this says otherwise.
    #[must_use]
    pub fn dialogs(self, allowed: bool) -> Self {
        self.set(|settings| settings.dialogs = allowed)
    }

    /// How long a handler may be silent, without a call on its callback and without a change of a value, before its run is
    /// given up: while a completion is awaited, and inside each call of it. Without this setting the manager waits for ever.
    ///
    /// A thread in a call that does not return is left behind, and counted in the report.
    #[must_use]
    pub fn deadline(self, silence: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(silence))
    }

    /// How many retries a handler gets in a run: 16 unless this says otherwise.
    #[must_use]
    pub fn max_retries(self, retries: u32) -> Self {
        self.set(|settings| settings.max_retries = retries)
    }

    /// Which logged errors the user wants to see, as in
    /// [`RunOptions::show_error_if`](crate::RunOptions::show_error_if). It is called on the threads of the handlers.
    ///
    /// It may take its time: a host that asks the user waits here. Meanwhile the handler lives, and keeps its place among
    /// those that are driven at once. A host that asks only when everything is over does the failed items again, by
    /// [`sync_items`](Self::sync_items).
    #[must_use]
    pub fn show_error_if(self, wanted: impl Fn(&LogEntry) -> bool + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.show_error_if = Some(Arc::new(wanted)))
    }

    /// Lets the user choose the items of a run: called with the handler's list, and with the items that take part by what was
    /// chosen before, on the thread of the handler; it answers the items to synchronize. It is not asked where a program
    /// wants the run at once ([`START_SYNC`](InvokeFlags::START_SYNC)), and for items that were named. One that panics fails the
    /// run of that handler; one that does not return holds it up, whatever the [`deadline`](Self::deadline).
    ///
    /// ```
    /// use syncmgr::{ItemFlags, SyncManager};
    ///
    /// // What was chosen before, and everything that is there for now only.
    /// let manager = SyncManager::new().chooser(|_handler, list, chosen| {
    ///     let wanted = list.items().iter().filter(|item| {
    ///         item.flags.contains(ItemFlags::TEMPORARY) || chosen.contains(&item.id)
    ///     });
    ///     wanted.map(|item| item.id).collect()
    /// });
    /// # drop(manager);
    /// ```
    #[must_use]
    pub fn chooser(
        self,
        chooser: impl Fn(HandlerId, &ItemList, &[ItemId]) -> Vec<ItemId> + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| settings.chooser = Some(Arc::new(chooser)))
    }

    /// How many log entries of runs that are over are kept: 10,000 unless this says otherwise. Then the oldest give way.
    #[must_use]
    pub fn log_capacity(self, entries: usize) -> Self {
        self.set(|settings| settings.log_capacity = entries)
    }
}

/// The registry: `ISyncMgrRegister`.
impl SyncManager {
    /// Registers a handler, in place of what was registered with its id before. `make` makes a fresh one for each run, on that
    /// run's thread.
    ///
    /// A run that goes on is not touched, nor is a start that waits: it uses what was registered when it was asked for.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NilHandler`] for the nil id.
    #[doc(alias = "RegisterSyncMgrHandler")]
    pub fn register(
        &self,
        id: HandlerId,
        registration: Registration,
        make: impl Fn() -> Arc<dyn SyncHandler> + Send + Sync + 'static,
    ) -> Result<(), ManagerError> {
        if id.is_nil() {
            return Err(ManagerError::NilHandler);
        }
        let entry = Entry {
            registration,
            make: Arc::new(make),
        };
        let old = {
            let mut state = self.hub.state.lock();
            let old = state.handlers.insert(id, entry);
            if old.is_none() {
                state.order.push(id);
            }
            old
        };
        drop(old); // its factory is user code
        Ok(())
    }

    /// Takes a handler out of the registry. One that runs is cancelled, and waited for, at most as long as the
    /// [`deadline`](Self::deadline), or 10 s where there is none; then it is let go on. What has not begun is over at once. The
    /// user's choices stay, for when it is registered again.
    ///
    /// From inside the handler itself this waits as long as it waits at most.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    #[doc(alias = "UnregisterSyncMgrHandler")]
    pub fn unregister(&self, id: HandlerId) -> Result<Registration, ManagerError> {
        let (entry, current, waiting) = {
            let mut state = self.hub.state.lock();
            let entry = state.handlers.remove(&id);
            let entry = entry.ok_or(ManagerError::UnknownHandler { id })?;
            state.order.retain(|other| *other != id);
            state.known.remove(&id);
            let (current, waiting) = state.take_waiting(id);
            (entry, current, waiting)
        };
        for part in waiting {
            let report = part.never_begun("its handler was unregistered before it was started");
            drop(self.hub.end(&part, report));
        }
        if let Some(part) = current {
            part.cancel_all();
            let bound = self.hub.settings.deadline.unwrap_or(UNREGISTER);
            let until = Instant::now().checked_add(bound);
            if !self.hub.wait_for(&part, until) {
                if let Some(session) = part.session() {
                    session.release();
                }
            }
        }
        Ok(entry.registration)
    }

    /// What a handler is registered with; none if it is not registered.
    #[must_use]
    #[doc(alias = "GetHandlerRegistrationInfo")]
    pub fn registration(&self, id: HandlerId) -> Option<Registration> {
        let state = self.hub.state.lock();
        state
            .handlers
            .get(&id)
            .map(|entry| entry.registration.clone())
    }

    /// The ids of all handlers, in the order in which they were first registered.
    #[must_use]
    pub fn handlers(&self) -> Vec<HandlerId> {
        self.hub.state.lock().order.clone()
    }
}

/// Starting: `ISyncMgrSynchronizeInvoke`. Every start returns at once.
impl SyncManager {
    /// Synchronizes every handler, as when the user asks for it: `ISyncMgrSynchronizeInvoke::UpdateAll`.
    #[doc(alias = "UpdateAll")]
    pub fn update_all(&self) -> Run {
        self.signal(SyncEvent::Manual)
    }

    /// Synchronizes one handler because a program asks for it, and passes the program's cookie to it:
    /// `ISyncMgrSynchronizeInvoke::UpdateItems`.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    #[doc(alias = "UpdateItems")]
    pub fn update_items(
        &self,
        id: HandlerId,
        flags: InvokeFlags,
        cookie: &[u8],
    ) -> Result<Run, ManagerError> {
        let order = Order {
            invoke: flags,
            cookie: Some(cookie.to_vec()),
            ..self.order(SyncEvent::Invoke)
        };
        self.start_one(id, order)
    }

    /// Synchronizes these items of a handler, whatever was chosen: `ISyncMgrControl::StartItemSync` of `syncmgr.h`.
    ///
    /// While the handler runs they are pending. It may ask for them
    /// ([`additional_items`](crate::SyncCallback::additional_items)) and take them in by
    /// [`add_item`](crate::SyncCallback::add_item); what is left when it is done is done by a run of its own, all that was
    /// asked for until then at once. Where it did all of them, this run has the session and the report of the one that
    /// did them. Nil ids, and ids that the handler does not list, are left out.
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
        let order = Order {
            items: Some(items.into_iter().collect()),
            ..self.order(SyncEvent::Manual)
        };
        self.start_one(id, order)
    }

    /// Asks a handler for its items anew, without synchronizing anything: for [`listing`](Self::listing). It is started with
    /// [`SETTINGS`](SyncFlags::SETTINGS), which says so.
    ///
    /// # Errors
    ///
    /// [`ManagerError::UnknownHandler`] if there is none with this id.
    pub fn enumerate(&self, id: HandlerId) -> Result<Run, ManagerError> {
        self.start_one(id, self.settings_order(Vec::new()))
    }

    /// As [`enumerate`](Self::enumerate), for every handler.
    pub fn enumerate_all(&self) -> Run {
        self.start(
            |state| registered(state, |_| true),
            &self.settings_order(Vec::new()),
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
        self.start_one(id, self.settings_order(vec![item.into()]))
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
        self.start(|state| registered(state, wanted), &self.order(event))
    }

    /// The order of a start for configuration only.
    fn settings_order(&self, properties: Vec<Option<ItemId>>) -> Order {
        let manual = self.order(SyncEvent::Manual);
        Order {
            flags: manual.flags | SyncFlags::SETTINGS,
            properties,
            ..manual
        }
    }

    /// The order of a start for an event, for what was chosen.
    fn order(&self, event: SyncEvent) -> Order {
        let mut flags = SyncFlags::new(event);
        let nobody = matches!(event, SyncEvent::Idle | SyncEvent::Scheduled);
        if self.hub.settings.dialogs && !nobody {
            flags |= SyncFlags::MAY_BOTHER_USER;
        }
        Order {
            flags,
            cookie: None,
            invoke: InvokeFlags::empty(),
            items: None,
            properties: Vec::new(),
        }
    }

    fn start_one(&self, id: HandlerId, order: Order) -> Result<Run, ManagerError> {
        let one = |state: &State| Some((id, state.handlers.get(&id)?.clone()));
        let run = self.start(|state| one(state).into_iter().collect(), &order);
        match run.handlers().is_empty() {
            true => Err(ManagerError::UnknownHandler { id }),
            false => Ok(run),
        }
    }

    /// Starts the handlers that are wanted.
    fn start(&self, wanted: impl FnOnce(&State) -> Vec<(HandlerId, Entry)>, order: &Order) -> Run {
        let connector = self.hub.settings.connector.clone();
        let connections = connector
            .map(|connector| Connections::new(move |name: Option<&str>| connector.open(name)));
        let mut parts = Vec::new();
        let mut orphans = Vec::new();
        {
            // One lock from the look to the start, so that nothing is started that is unregistered or replaced.
            let mut state = self.hub.state.lock();
            let handlers = wanted(&state);
            let batch = Batch::new(connections, handlers.len());
            for (id, entry) in handlers {
                let part = Part::new(id, entry.make, Arc::clone(&batch), order.clone());
                orphans.extend(state.ask(&part, order));
                parts.push(part);
            }
        }
        // Their connectors and factories are user code.
        drop(Closing::of(&orphans));
        drop(orphans);
        ensure_workers(&self.hub);
        Run::new(Arc::clone(&self.hub), parts)
    }
}

/// What the user chose, and what was logged.
impl SyncManager {
    /// Chooses whether an item takes part in runs to come.
    pub fn choose(&self, handler: HandlerId, item: ItemId, checked: bool) {
        self.hub.state.lock().choices.set(handler, item, checked);
    }

    /// What was chosen, to be kept for the next start of the program.
    #[must_use]
    pub fn choices(&self) -> Choices {
        self.hub.state.lock().choices.clone()
    }

    /// Sets all choices, in place of those that are there.
    pub fn set_choices(&self, choices: Choices) {
        self.hub.state.lock().choices = choices;
    }

    /// What a user is shown to choose from: the handlers in the order in which they were registered, with their items as they
    /// were told last, by an [`enumerate`](Self::enumerate) or a run. A handler that was never asked is not listed yet.
    ///
    /// [`HIDDEN`](crate::HandlerFlags::HIDDEN) handlers are left out, and those without an item that is to be seen, unless
    /// they are to be listed always ([`ALWAYS_LIST_HANDLER`](crate::HandlerFlags::ALWAYS_LIST_HANDLER)).
    #[must_use]
    pub fn listing(&self) -> Vec<Listing> {
        let state = self.hub.state.lock();
        let mut listings = Vec::new();
        for (handler, entry) in state.in_order() {
            let Some(known) = state.known.get(&handler) else {
                continue;
            };
            let flags = known.info.flags;
            let mut items = known.visible();
            let empty = items.is_empty() && !flags.contains(HandlerFlags::ALWAYS_LIST_HANDLER);
            if flags.contains(HandlerFlags::HIDDEN) || empty {
                continue;
            }
            for item in &mut items {
                item.checked = state.choices.checked(handler, item);
            }
            listings.push(Listing {
                handler,
                registration: entry.registration.clone(),
                info: known.info.clone(),
                items,
                complete: known.is_complete(),
            });
        }
        listings
    }

    /// How many log entries are not to be had from [`log`](Self::log): refused by a full session, or given way to newer ones.
    /// Those that their handlers deleted do not count.
    #[must_use]
    pub fn log_lost(&self) -> u64 {
        self.hub.state.lock().log_lost
    }

    /// The log of all handlers: of runs that are over, oldest first, then of those that go on.
    #[must_use]
    #[doc(alias = "ISyncMgrEventStore")]
    pub fn log(&self, filter: &LogFilter) -> Vec<LogEntry> {
        self.hub.entries(filter)
    }

    /// The turn to show a dialog that all handlers share: for a host that shows dialogs of its own.
    #[must_use]
    pub fn dialog_arbiter(&self) -> DialogArbiter {
        self.hub.arbiter.clone()
    }
}

impl Default for SyncManager {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SyncManager {
    /// Cancels what runs, without waiting for it, and ends what waits. The [`Run`]s still tell what became of it.
    fn drop(&mut self) {
        let (waiting, running) = {
            let mut state = self.hub.state.lock();
            let State { busy, ready, .. } = &mut *state;
            let mut waiting: Vec<Arc<Part>> = ready.drain(..).collect();
            for busy in busy.values_mut() {
                waiting.extend(busy.waiting.drain(..));
            }
            (waiting, state.running.clone())
        };
        for part in running {
            part.cancel_all();
        }
        for part in waiting {
            let report = part.never_begun("the manager was dropped before it was started");
            drop(self.hub.end(&part, report));
        }
    }
}

impl fmt::Debug for SyncManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.hub.state.lock();
        f.debug_struct("SyncManager")
            .field("handlers", &state.handlers.len())
            .field("running", &state.running.len())
            .field("ready", &state.ready.len())
            .finish_non_exhaustive()
    }
}

/// The registered handlers whose flags are wanted, in their order.
fn registered(state: &State, wanted: impl Fn(RegisterFlags) -> bool) -> Vec<(HandlerId, Entry)> {
    let known = state.in_order();
    let wanted = known.filter(|(_, entry)| wanted(entry.registration.flags));
    wanted.map(|(id, entry)| (id, entry.clone())).collect()
}
