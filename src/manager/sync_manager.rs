//! The manager of many handlers: what it is, what it is set to, and its end.
//!
//! What it does stands with what it does it to: `registry`, `invoke`, `choices`, `listing` and `log` have its
//! methods.

use std::fmt;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::hub::{Hub, Settings, State};
use super::part::Part;
use crate::session::{Connector, DialogArbiter, LogEntry};
use crate::{HandlerId, ItemId, ItemList};

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
/// [`MAY_BOTHER_USER`](crate::SyncFlags::MAY_BOTHER_USER) where somebody is there to be bothered: for
/// [`Manual`](crate::SyncEvent::Manual), [`Invoke`](crate::SyncEvent::Invoke), [`Connect`](crate::SyncEvent::Connect) and
/// [`PendingDisconnect`](crate::SyncEvent::PendingDisconnect), but not for [`Idle`](crate::SyncEvent::Idle) and
/// [`Scheduled`](crate::SyncEvent::Scheduled), and never where [`dialogs`](Self::dialogs) are off.
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
/// that, a [`concurrency`](Self::concurrency) of 1 drives them one after the other, and none is denied for another's sake.
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
    pub(super) hub: Arc<Hub>,
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
    /// wants the run at once ([`START_SYNC`](crate::InvokeFlags::START_SYNC)), and for items that were named. One that panics
    /// fails the run of that handler; one that does not return holds it up, whatever the [`deadline`](Self::deadline).
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

impl SyncManager {
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
    /// Cancels what runs, without waiting for it, and ends what waits. The [`Run`](super::Run)s still tell what became of it.
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
        // The formatter is the caller's code: no lock is held while it is called.
        let [handlers, running, ready] = {
            let state = self.hub.state.lock();
            [state.handlers.len(), state.running.len(), state.ready.len()]
        };
        f.debug_struct("SyncManager")
            .field("handlers", &handlers)
            .field("running", &running)
            .field("ready", &ready)
            .finish_non_exhaustive()
    }
}
