//! What is known of a handler before it is made: `ISyncMgrRegister`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SyncManager;
use super::hub::Entry;
use crate::session::Foreign;
use crate::{HResult, HandlerId, RegisterFlags, SyncHandler};

/// How long `unregister` waits for a running handler to stop, at most, where no deadline is set.
const UNREGISTER: Duration = Duration::from_secs(10);

/// What a handler is registered with: the arguments of `ISyncMgrRegister::RegisterSyncMgrHandler`.
///
/// ```
/// use syncmgr::{RegisterFlags, Registration};
///
/// let registration = Registration::new().description("Mail").flags(RegisterFlags::CONNECT);
/// assert_eq!(registration.description.as_deref(), Some("Mail"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
#[non_exhaustive]
pub struct Registration {
    /// What the handler is for, in words for the user.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    #[doc(alias = "pwszDescription")]
    pub description: Option<String>,
    /// The events for which the handler is started (`ISyncMgrRegister::GetHandlerRegistrationInfo`).
    #[doc(alias = "dwSyncMgrRegisterFlags")]
    pub flags: RegisterFlags,
}

impl Registration {
    /// A registration without a description and for no event.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            description: None,
            flags: RegisterFlags::empty(),
        }
    }

    /// Sets the description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the flags, in place of any set before.
    #[must_use]
    pub const fn flags(mut self, flags: RegisterFlags) -> Self {
        self.flags = flags;
        self
    }
}

/// Why a call on a [`SyncManager`] was refused.
///
/// ```
/// use syncmgr::{HResult, HandlerId, ManagerError, SyncManager};
///
/// let id = HandlerId::from_u128(1);
/// let error = SyncManager::new().enumerate(id).unwrap_err();
/// assert_eq!(error, ManagerError::UnknownHandler { id });
/// assert_eq!(error.hresult(), HResult::E_INVALIDARG);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// No handler is registered with this id (`S_FALSE` of `GetHandlerRegistrationInfo`, here an error).
    #[error("no handler is registered with the id {id}; register it first")]
    UnknownHandler {
        /// The id.
        id: HandlerId,
    },
    /// The id is nil.
    #[error("a handler cannot be registered with the nil id; it needs an id of its own")]
    NilHandler,
}

impl ManagerError {
    /// The result code that stands for the error: `E_INVALIDARG`.
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        HResult::E_INVALIDARG
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
        // Its last owner may be a worker's thread.
        let make = Foreign::new(make);
        let entry = Entry {
            registration,
            make: Arc::new(move || make()),
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
