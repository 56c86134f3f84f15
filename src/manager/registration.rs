//! What a handler is registered with.

use crate::{HResult, HandlerId, RegisterFlags};

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

/// Why a call on a [`SyncManager`](crate::SyncManager) was refused.
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
