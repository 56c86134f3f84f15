//! Why the host refused a call of the handler.

use std::io;

use crate::HResult;

/// Why a call on a [`SyncCallback`](crate::SyncCallback) was refused.
///
/// A refused call changed nothing. The message tells the cause and what is allowed instead;
/// [`hresult`](Self::hresult) gives the code that the original would answer.
///
/// The conversion from [`HResult`] is lossless: the code comes back from `hresult`, whatever it was.
///
/// ```
/// use std::io;
/// use syncmgr::{CallbackError, HResult};
///
/// assert_eq!(CallbackError::ItemFinished.hresult(), HResult::E_ACCESSDENIED);
/// assert_eq!(CallbackError::from(HResult(0x123)).hresult(), HResult(0x123));
///
/// let error = io::Error::from(CallbackError::Released);
/// assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
/// assert_eq!(
///     error.get_ref().and_then(|inner| inner.downcast_ref()),
///     Some(&CallbackError::Released),
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum CallbackError {
    /// The item is not part of the work in hand (`E_INVALIDARG`, rule H04).
    #[error(
        "the item takes no part; only items of the current prepare, or added since, can be named"
    )]
    UnknownItem,
    /// An argument cannot be used (`E_INVALIDARG`).
    #[error(
        "an argument is not valid; ids must not be nil, a prepare names at least one item, and an item is added only once"
    )]
    InvalidArgument,
    /// The item has its final status already (`E_ACCESSDENIED`, rule H16).
    #[error("the item has finished; until the next prepare only the status FAILED may follow")]
    ItemFinished,
    /// The call does not belong here (`E_UNEXPECTED`).
    #[error(
        "the call does not belong in this phase; reports belong between a prepare and the completion, a completion comes once for each call that is awaited, and a synchronize begins after a prepare that was completed with S_OK"
    )]
    WrongPhase,
    /// The host has released the callback (`E_UNEXPECTED`, rule H13).
    #[error("the callback was released; no call on it is allowed any more")]
    Released,
    /// The host's log is full (`E_OUTOFMEMORY`); the entry is counted as refused.
    #[error("the log is full; entries are taken again once some are deleted")]
    LogFull,
    /// No entry in the log has this error id (`E_INVALIDARG`, rule H20).
    #[error("no logged error has this id; only ids that this handler logged can be deleted")]
    UnknownErrorId,
    /// The connection could not be made (`E_FAIL`).
    #[error("the connection was not established; a host needs a connector that can open it")]
    NotConnected,
    /// The host does not offer this (`E_NOTIMPL`).
    #[error("the host does not implement this call; the handler has to do without it")]
    NotImplemented,
    /// Any other code, as it came.
    #[error("the host answered {0}; only S_OK counts as done")]
    Other(HResult),
}

impl CallbackError {
    /// Returns the code that the original interface would answer.
    ///
    /// The documentation of each variant names it.
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        match self {
            Self::UnknownItem | Self::InvalidArgument | Self::UnknownErrorId => {
                HResult::E_INVALIDARG
            }
            Self::ItemFinished => HResult::E_ACCESSDENIED,
            Self::WrongPhase | Self::Released => HResult::E_UNEXPECTED,
            Self::LogFull => HResult::E_OUTOFMEMORY,
            Self::NotConnected => HResult::E_FAIL,
            Self::NotImplemented => HResult::E_NOTIMPL,
            Self::Other(code) => *code,
        }
    }

    fn io_kind(self) -> io::ErrorKind {
        // Never `Interrupted` and `WouldBlock`, at which readers and writers try again.
        match self {
            Self::UnknownItem | Self::UnknownErrorId => io::ErrorKind::NotFound,
            Self::InvalidArgument => io::ErrorKind::InvalidInput,
            Self::ItemFinished => io::ErrorKind::PermissionDenied,
            Self::Released => io::ErrorKind::BrokenPipe,
            Self::LogFull => io::ErrorKind::StorageFull,
            Self::NotConnected => io::ErrorKind::NotConnected,
            Self::NotImplemented => io::ErrorKind::Unsupported,
            Self::WrongPhase => io::ErrorKind::Other,
            Self::Other(code) => match code {
                HResult::E_INVALIDARG => io::ErrorKind::InvalidInput,
                HResult::E_ACCESSDENIED => io::ErrorKind::PermissionDenied,
                HResult::E_OUTOFMEMORY => io::ErrorKind::OutOfMemory,
                HResult::E_NOTIMPL => io::ErrorKind::Unsupported,
                _ => io::ErrorKind::Other,
            },
        }
    }
}

impl From<HResult> for CallbackError {
    fn from(code: HResult) -> Self {
        // Only codes whose way back is the same code, and which name one variant without doubt.
        match code {
            HResult::E_NOTIMPL => Self::NotImplemented,
            HResult::E_INVALIDARG => Self::InvalidArgument,
            other => Self::Other(other),
        }
    }
}

impl From<CallbackError> for io::Error {
    /// Wraps the error, so that it can be found again with [`io::Error::get_ref`].
    fn from(error: CallbackError) -> Self {
        Self::new(error.io_kind(), error)
    }
}
