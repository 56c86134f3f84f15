//! Why a handler's call failed.

use std::error::Error;
use std::io;

use crate::{CallbackError, HResult, ValueError};

/// Why a call on a [`SyncHandler`](crate::SyncHandler) did not answer `S_OK`.
///
/// The `?` operator makes one of an [`io::Error`], a [`CallbackError`], a
/// [`ValueError`] and an [`HResult`]; [`failed`](Self::failed) makes one of everything else. Of an `io::Error` that wraps
/// a `CallbackError` the latter is taken out again.
///
/// In a `Result<(), HandlerError>` only `S_OK` is `Ok`; every other code is an `Err`, a success code
/// too. Hosts judge by [`hresult`](Self::hresult).
///
/// ```
/// use syncmgr::{CallbackError, HResult, HandlerError};
///
/// fn read() -> Result<String, HandlerError> {
///     Ok(std::fs::read_to_string("/no/such/file")?)
/// }
/// assert_eq!(read().unwrap_err().hresult(), HResult::E_FAIL);
///
/// let refused = HandlerError::from(CallbackError::Released);
/// assert_eq!(refused.hresult(), HResult::E_UNEXPECTED);
/// assert_eq!(HandlerError::failed("the server is down").to_string(), "the server is down");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// The handler does not offer this (`E_NOTIMPL`).
    #[error("the handler does not implement this call; the host has to do without it")]
    NotImplemented,
    /// An argument cannot be used (`E_INVALIDARG`).
    #[error("an argument is not valid; only items and errors that the handler told can be named")]
    InvalidArgument,
    /// The work failed (`E_FAIL`).
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
    /// Any other code, as it came.
    #[error("the handler answered {0}; only S_OK counts as done")]
    Code(HResult),
    /// The host refused a call (the code of that refusal).
    #[error(transparent)]
    Callback(CallbackError),
    /// A text or number is not a value of the contract (`E_INVALIDARG`).
    #[error(transparent)]
    Value(ValueError),
}

impl HandlerError {
    /// Makes a [`Failed`](Self::Failed) of any error, or of a text.
    #[must_use]
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// Returns the code that the original interface would answer.
    ///
    /// The documentation of each variant names it.
    #[must_use]
    pub const fn hresult(&self) -> HResult {
        match self {
            Self::NotImplemented => HResult::E_NOTIMPL,
            Self::InvalidArgument => HResult::E_INVALIDARG,
            Self::Failed(_) => HResult::E_FAIL,
            Self::Code(code) => *code,
            Self::Callback(error) => error.hresult(),
            Self::Value(error) => error.hresult(),
        }
    }
}

impl From<HResult> for HandlerError {
    /// Lossless: [`hresult`](HandlerError::hresult) gives the code back.
    fn from(code: HResult) -> Self {
        match code {
            HResult::E_NOTIMPL => Self::NotImplemented,
            HResult::E_INVALIDARG => Self::InvalidArgument,
            other => Self::Code(other),
        }
    }
}

impl From<io::Error> for HandlerError {
    /// Makes a [`Failed`](HandlerError::Failed), or a [`Callback`](HandlerError::Callback) if that is
    /// what the error wraps.
    fn from(error: io::Error) -> Self {
        // A reader or writer that reports progress hands a refusal on as an `io::Error`; its code
        // must not become E_FAIL on the way.
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<CallbackError>())
        {
            Some(refusal) => Self::Callback(*refusal),
            None => Self::Failed(error.into()),
        }
    }
}

impl From<CallbackError> for HandlerError {
    fn from(error: CallbackError) -> Self {
        Self::Callback(error)
    }
}

impl From<ValueError> for HandlerError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}
