//! The manager of many handlers: what it is, what it is set to, and its end.
//!
//! What it does stands with what it does it to: `registry`, `invoke`, `choices`, `listing` and `log` have its
//! methods.

use std::fmt;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::job::Job;
use super::scheduler::{Scheduler, Settings, State};
use super::{Choices, Listing, LogFilter};
use crate::session::Connector;
use crate::session::DialogArbiter;
use crate::session::LogEntry;
use crate::{HandlerFlags, HandlerId, ItemId, ItemList};

/// A manager of many handlers: it knows how to make each of them, remembers what the user chose, starts them for events and
/// runs them together. Any number of managers can live in a process.
///
/// - A fresh handler is made for each run. At most [`concurrency`](SyncManagerBuilder::concurrency)
///   handlers are driven at once, each on a thread of its own; one that waits has no thread.
/// - Two runs of one handler never overlap. A start that is identical to a pending one (the same event, flags, cookie and items)
///   shares its run: both have the same session and report. Any other start waits for its turn.
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
/// [`MAY_BOTHER_USER`](crate::SyncFlags::MAY_BOTHER_USER) where somebody is there to be bothered: for
/// [`Manual`](crate::SyncEvent::Manual), [`Invoke`](crate::SyncEvent::Invoke), [`Connect`](crate::SyncEvent::Connect) and
/// [`PendingDisconnect`](crate::SyncEvent::PendingDisconnect), but not for [`Idle`](crate::SyncEvent::Idle) and
/// [`Scheduled`](crate::SyncEvent::Scheduled), and never where
/// [`dialogs`](SyncManagerBuilder::dialogs) are off.
///
/// | started by | event | raw flags |
/// |---|---|---|
/// | [`signal`](Self::signal), [`signal_handler`](Self::signal_handler) | the one that is given | `Scheduled` 0x006, `Idle` 0x004; 0x200 more for the others, such as `Manual` 0x203 |
/// | [`update_all`](Self::update_all), [`sync_items`](Self::sync_items) | `Manual` | 0x203 |
/// | [`update_items`](Self::update_items) | `Invoke`, with the cookie | 0x205 |
/// | [`enumerate`](Self::enumerate), [`enumerate_all`](Self::enumerate_all), [`show_properties`](Self::show_properties) | `Manual`, with [`SETTINGS`](crate::SyncFlags::SETTINGS) | 0x303 |
///
/// # Dialogs
///
/// While one handler has the turn to show a dialog, [`enable_modeless`](crate::SyncCallback::enable_modeless) answers the others
/// `Denied` at once. A handler that cannot go on without its dialog may ask again after a while, with a
/// [`check`](crate::ItemReporter::check) between, since the run may be cancelled meanwhile. Where the handlers cannot wait like
/// that, a [`concurrency`](SyncManagerBuilder::concurrency) of 1 drives them one after the other,
/// and none is denied for another's sake.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::per_item::{HandlerBuilder, from_items};
/// use syncmgr::{
///     HandlerId, ItemId, RegisterFlags, Registration, SyncEvent, SyncHandler, SyncItem, SyncManager,
/// };
///
/// const MAIL: HandlerId = HandlerId::from_u128(0x9d9c_2e6e_34a5_4f3b_8a52_7c1c_7b1b_0d11);
///
/// fn mail() -> Arc<dyn SyncHandler> {
///     let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse().expect("a short name"));
///     let source = from_items([inbox], |item| Ok(item.set(1)?));
///     HandlerBuilder::new("Mail".parse().expect("a short name"), source).build()
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
    pub(super) scheduler: Arc<Scheduler>,
}

/// Construction: what a manager is set to is decided before it starts anything.
impl SyncManager {
    /// Creates a manager with the default settings: without handlers, connector or deadline.
    /// Equivalent to `SyncManager::builder().build()`.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder for a manager with other settings. A manager keeps its settings for as
    /// long as it lives.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use syncmgr::SyncManager;
    ///
    /// let manager = SyncManager::builder()
    ///     .concurrency(2)
    ///     .deadline(Duration::from_secs(60))
    ///     .retries(3)
    ///     .build();
    /// assert!(manager.handlers().is_empty());
    /// ```
    ///
    /// A manager that may have started handlers has no setters:
    ///
    /// ```compile_fail,E0599
    /// # let manager = syncmgr::SyncManager::new();
    /// let run = manager.update_all();
    /// let manager = manager.max_retries(3);
    /// ```
    pub fn builder() -> SyncManagerBuilder {
        let cores = available_parallelism().map_or(1, usize::from);
        SyncManagerBuilder(Settings {
            concurrency: cores.max(4),
            dialogs: true,
            deadline: None,
            max_retries: 16,
            log_capacity: 10_000,
            connector: None,
            show_error_if: None,
            chooser: None,
        })
    }
}

/// A builder for a [`SyncManager`]: see [`SyncManager::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct SyncManagerBuilder(Settings);

impl SyncManagerBuilder {
    /// Sets how many handlers are driven concurrently, at least one. Defaults to the number of
    /// cores, and at least 4.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.0.concurrency = handlers.max(1);
        self
    }

    /// Sets the connector that opens the connections which handlers request. Without one, such
    /// requests are refused.
    pub fn connector(mut self, connector: impl Connector + 'static) -> Self {
        self.0.connector = Some(Arc::new(connector));
        self
    }

    /// Sets whether handlers may show dialogs at all. Defaults to `true`.
    pub fn dialogs(mut self, allowed: bool) -> Self {
        self.0.dialogs = allowed;
        self
    }

    /// Sets how long a handler may be silent, without a call on its callback and without a change
    /// of a value, before the manager gives up its run. It applies while a completion is awaited
    /// and inside each call of the handler. By default, the manager waits forever.
    ///
    /// A thread in a call that does not return is left behind, and counted in the report.
    pub fn deadline(mut self, silence: Duration) -> Self {
        self.0.deadline = Some(silence);
        self
    }

    /// Retries failed items up to `retries` times in a run: [`show_error_if`](Self::show_error_if) for every error, and
    /// [`max_retries`](Self::max_retries). Defaults to no retry. The handler decides which errors it retries.
    pub fn retries(self, retries: u32) -> Self {
        self.show_error_if(|_| true).max_retries(retries)
    }

    /// Sets how many retries a handler gets in a run when a shown error asks for one. Defaults to 16.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.0.max_retries = retries;
        self
    }

    /// Sets which logged errors are shown to the user, as in
    /// [`RunOptions::show_error_if`](crate::RunOptions::show_error_if). The closure is called on
    /// the threads of the handlers. By default, no error is shown.
    ///
    /// The closure may block, for example to ask the user. Meanwhile the handler lives, and keeps
    /// its place among those that are driven concurrently. A host that asks only after the run
    /// repeats the failed items with [`sync_items`](SyncManager::sync_items).
    pub fn show_error_if(
        mut self,
        wanted: impl Fn(&LogEntry) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.0.show_error_if = Some(Arc::new(wanted));
        self
    }

    /// Sets a closure that selects the items of a run. It is called on the handler's thread, with
    /// the handler's list and the items that take part by the user's stored choices, and returns
    /// the items to synchronize.
    ///
    /// It is not called for a start with [`START_SYNC`](crate::InvokeFlags::START_SYNC), nor for
    /// one that names its items. If it panics, the run of that handler fails. If it does not
    /// return, the handler waits for it, whatever the [`deadline`](Self::deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::{ItemFlags, SyncManager};
    ///
    /// // The stored choices, and all temporary items.
    /// let manager = SyncManager::builder()
    ///     .chooser(|_handler, list, chosen| {
    ///         let wanted = list.items().iter().filter(|item| {
    ///             item.flags.contains(ItemFlags::TEMPORARY) || chosen.contains(&item.id)
    ///         });
    ///         wanted.map(|item| item.id).collect()
    ///     })
    ///     .build();
    /// # drop(manager);
    /// ```
    pub fn chooser(
        mut self,
        chooser: impl Fn(HandlerId, &ItemList, &[ItemId]) -> Vec<ItemId> + Send + Sync + 'static,
    ) -> Self {
        self.0.chooser = Some(Arc::new(chooser));
        self
    }

    /// Sets how many log entries of finished runs are kept. Defaults to 10,000. The oldest entries
    /// are dropped first.
    pub fn log_capacity(mut self, entries: usize) -> Self {
        self.0.log_capacity = entries;
        self
    }

    /// Builds the manager, which has no handlers yet.
    #[must_use]
    pub fn build(self) -> SyncManager {
        SyncManager {
            scheduler: Scheduler::new(self.0),
        }
    }
}

impl fmt::Debug for SyncManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncManagerBuilder")
            .field("concurrency", &self.0.concurrency)
            .field("dialogs", &self.0.dialogs)
            .field("deadline", &self.0.deadline)
            .field("max_retries", &self.0.max_retries)
            .field("log_capacity", &self.0.log_capacity)
            .finish_non_exhaustive()
    }
}

impl SyncManager {
    /// The turn to show a dialog that all handlers share: for a host that shows dialogs of its own.
    #[must_use]
    pub fn dialog_arbiter(&self) -> DialogArbiter {
        self.scheduler.arbiter.clone()
    }
}

/// What the user chose.
impl SyncManager {
    /// Chooses whether an item takes part in runs to come.
    pub fn choose(&self, handler: HandlerId, item: ItemId, checked: bool) {
        self.scheduler
            .state
            .lock()
            .choices
            .set(handler, item, checked);
    }

    /// What was chosen, to be kept for the next start of the program.
    #[must_use]
    pub fn choices(&self) -> Choices {
        self.scheduler.state.lock().choices.clone()
    }

    /// Sets all choices, in place of those that are there.
    pub fn set_choices(&self, choices: Choices) {
        let old = std::mem::replace(&mut self.scheduler.state.lock().choices, choices);
        drop(old); // with no lock held: it may be long
    }
}

/// What the handlers listed.
impl SyncManager {
    /// What a user is shown to choose from: the handlers in the order in which they were registered, with their items as they
    /// were told last, by an [`enumerate`](Self::enumerate) or a run. A handler that was never asked is not listed yet.
    ///
    /// [`HIDDEN`](HandlerFlags::HIDDEN) handlers are left out, and those without an item that is to be seen, unless
    /// they are to be listed always ([`ALWAYS_LIST_HANDLER`](HandlerFlags::ALWAYS_LIST_HANDLER)).
    #[must_use]
    pub fn listing(&self) -> Vec<Listing> {
        // What may be long is copied with no lock held.
        let known: Vec<_> = {
            let state = self.scheduler.state.lock();
            let known = state.in_order().filter_map(|(handler, entry)| {
                let known = state.known.get(&handler)?.clone();
                let choices = state.choices.of(handler);
                Some((handler, entry.registration.clone(), known, choices))
            });
            known.collect()
        };
        let mut listings = Vec::new();
        for (handler, registration, known, choices) in known {
            let flags = known.info.flags;
            let mut items = known.visible();
            let empty = items.is_empty() && !flags.contains(HandlerFlags::ALWAYS_LIST_HANDLER);
            if flags.contains(HandlerFlags::HIDDEN) || empty {
                continue;
            }
            let checked = choices.checked(handler);
            for item in &mut items {
                item.checked = checked(item);
            }
            listings.push(Listing {
                handler,
                registration,
                info: known.info.clone(),
                items,
                complete: known.is_complete(),
            });
        }
        listings
    }
}

/// What was logged.
impl SyncManager {
    /// How many log entries are not to be had from [`log`](Self::log): refused by a full session, or given way to newer ones.
    /// Those that their handlers deleted do not count.
    #[must_use]
    pub fn log_lost(&self) -> u64 {
        self.scheduler.state.lock().log_lost
    }

    /// The log of all handlers: of runs that are over, oldest first, then of those that go on.
    #[must_use]
    #[doc(alias = "ISyncMgrEventStore")]
    pub fn log(&self, filter: &LogFilter) -> Vec<LogEntry> {
        self.scheduler.entries(filter)
    }
}

impl Default for SyncManager {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SyncManager {
    /// Cancels what runs, without waiting for it, and ends what waits. The [`Run`](super::Run)s still tell what became of it.
    fn drop(&mut self) {
        let (waiting, running) = {
            let mut state = self.scheduler.state.lock();
            let State { busy, ready, .. } = &mut *state;
            let mut waiting: Vec<Arc<Job>> = ready.drain(..).collect();
            for busy in busy.values_mut() {
                waiting.extend(busy.pending.take());
            }
            (waiting, state.running.clone())
        };
        for job in running {
            job.cancel_all();
        }
        for job in waiting {
            let report = Job::never_begun("the manager was dropped before it was started");
            drop(self.scheduler.end(&job, report));
        }
    }
}

impl fmt::Debug for SyncManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The formatter is the caller's code: no lock is held while it is called.
        let [handlers, running, ready] = {
            let state = self.scheduler.state.lock();
            [state.handlers.len(), state.running.len(), state.ready.len()]
        };
        f.debug_struct("SyncManager")
            .field("handlers", &handlers)
            .field("running", &running)
            .field("ready", &ready)
            .finish_non_exhaustive()
    }
}
