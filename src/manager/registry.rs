//! The registry of handlers: `ISyncMgrRegister`.

use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::scheduler::Entry;
use super::{ManagerError, Registration, SyncManager};
use crate::util::clock;
use crate::util::panic::Foreign;
use crate::{HandlerId, SyncHandler};

/// How long `stop_handler` waits for a running handler at most, if no deadline is set.
const STOP: Duration = Duration::from_secs(10);

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
        if id == HandlerId::NIL {
            return Err(ManagerError::NilHandler);
        }
        // Its last owner may be a worker's thread.
        let make = Foreign::new(make);
        let entry = Entry {
            registration,
            make: Arc::new(move || make()),
        };
        let old = {
            let mut state = self.scheduler.state.lock();
            let old = state.handlers.insert(id, entry);
            if old.is_none() {
                state.order.push(id);
            }
            old
        };
        drop(old); // its factory is user code
        Ok(())
    }

    /// Removes the registration of a handler, and returns it immediately. No later start includes the
    /// handler.
    ///
    /// This stops nothing: runs that were already requested, in progress or waiting, use the handler
    /// that was registered when they were requested. So a handler may call this from inside its own
    /// run, for example when it no longer has any items. To stop the runs as well, call
    /// [`stop_handler`](Self::stop_handler) afterwards. The user's choices are kept for a later
    /// registration with the same id.
    ///
    /// Page: `ISyncMgrRegister::UnregisterSyncMgrHandler`.
    ///
    /// # Errors
    ///
    /// Returns [`ManagerError::UnknownHandler`] if no handler is registered with this id.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{HandlerId, ItemId, Registration, SyncItem, SyncManager};
    ///
    /// let id = HandlerId::from_u128(1);
    /// let manager = SyncManager::new();
    /// manager.register(id, Registration::new().description("Mail"), || {
    ///     let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse().expect("a short name"));
    ///     let source = from_items([inbox], |item| Ok(item.set(1)?));
    ///     HandlerBuilder::new("Mail".parse().expect("a short name"), source).build()
    /// })?;
    /// let run = manager.update_all();
    /// let registration = manager.unregister(id)?;
    /// assert_eq!(registration.description.as_deref(), Some("Mail"));
    /// assert!(run.wait().is_success()); // it was requested before
    /// assert!(manager.update_all().handlers().is_empty());
    /// # Ok::<(), syncmgr::ManagerError>(())
    /// ```
    #[doc(alias = "UnregisterSyncMgrHandler")]
    pub fn unregister(&self, id: HandlerId) -> Result<Registration, ManagerError> {
        let entry = {
            let mut state = self.scheduler.state.lock();
            let entry = state.handlers.remove(&id);
            let entry = entry.ok_or(ManagerError::UnknownHandler { id })?;
            state.order.retain(|other| *other != id);
            state.known.remove(&id);
            entry
        };
        Ok(entry.registration) // the factory is dropped here, with no lock held
    }

    /// Stops a handler, registered or not. Its starts that wait end immediately. Its run in progress is
    /// cancelled and waited for.
    ///
    /// The wait is limited to the [`deadline`](crate::SyncManagerBuilder::deadline), or to 10 s if
    /// none is set. After that the run's session is released, so the handler's next call on it returns
    /// [`Released`](crate::CallbackError::Released). The handler stays registered; a later start runs
    /// it again.
    ///
    /// Returns `true` if the run in progress has ended or there was none, and `false` if the wait was
    /// given up.
    ///
    /// Do not call this from inside the handler's own run. It would wait for itself for the full time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{HandlerId, ItemId, Registration, SyncItem, SyncManager};
    ///
    /// let id = HandlerId::from_u128(1);
    /// let manager = SyncManager::new();
    /// manager.register(id, Registration::new(), || {
    ///     let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse().expect("a short name"));
    ///     let source = from_items([inbox], |item| Ok(item.wait_cancelled(Duration::MAX)?));
    ///     HandlerBuilder::new("Mail".parse().expect("a short name"), source).build()
    /// })?;
    /// let run = manager.update_all();
    /// manager.unregister(id)?; // nothing starts it any more
    /// assert!(manager.stop_handler(id));
    /// assert!(run.is_over());
    /// # Ok::<(), syncmgr::ManagerError>(())
    /// ```
    pub fn stop_handler(&self, id: HandlerId) -> bool {
        let (current, waiting) = self.scheduler.state.lock().take_waiting(id);
        for job in waiting {
            let report = Job::never_begun("its handler was stopped before it was started");
            drop(self.scheduler.end(&job, report));
        }
        let Some(job) = current else {
            return true;
        };
        job.cancel_all();
        let bound = self.scheduler.settings.deadline.unwrap_or(STOP);
        let until = clock::deadline(bound);
        let ended = self.scheduler.wait_for(|| job.is_over(), until);
        if !ended {
            if let Some(session) = job.session() {
                session.driver().release();
            }
        }
        ended
    }

    /// What a handler is registered with; none if it is not registered.
    #[must_use]
    #[doc(alias = "GetHandlerRegistrationInfo")]
    pub fn registration(&self, id: HandlerId) -> Option<Registration> {
        let state = self.scheduler.state.lock();
        state
            .handlers
            .get(&id)
            .map(|entry| entry.registration.clone())
    }

    /// The ids of all handlers, in the order in which they were first registered.
    #[must_use]
    pub fn handlers(&self) -> Vec<HandlerId> {
        self.scheduler.state.lock().order.clone()
    }
}
