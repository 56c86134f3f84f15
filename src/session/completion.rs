//! The completions that end the steps of a round, and those that are refused.

use std::error::Error;
use std::fmt;

use super::{Phase, Session};
use crate::util::text::error_chain;
use crate::{CallbackError, HResult, LogLevel, LogRecord, SyncCallback};

/// One of the two completions that end a step of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Completion {
    /// `prepare_for_sync_completed`.
    #[cfg_attr(feature = "serde", serde(rename = "prepare_for_sync_completed"))]
    Prepare,
    /// `synchronize_completed`.
    #[cfg_attr(feature = "serde", serde(rename = "synchronize_completed"))]
    Synchronize,
}

impl fmt::Display for Completion {
    /// The name of the call: `prepare_for_sync_completed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Prepare => "prepare_for_sync_completed",
            Self::Synchronize => "synchronize_completed",
        })
    }
}

/// A completion that was answered [`WrongPhase`](crate::CallbackError::WrongPhase): a second one, or one that nothing had been
/// begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RefusedCompletion {
    /// Which of the two it was.
    pub call: Completion,
    /// What the handler passed.
    pub result: HResult,
    /// The phase in which it came.
    pub phase: Phase,
}

impl Session {
    /// Finishes the work: the session takes no more reports.
    ///
    /// For a tool that reports to a session of its own. It is
    /// [`synchronize_completed`](SyncCallback::synchronize_completed) with `S_OK`.
    ///
    /// # Errors
    ///
    /// - Returns [`CallbackError::WrongPhase`] if it is finished already.
    /// - Returns [`CallbackError::Released`] if it is released.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::{ItemId, Session, SyncItem};
    ///
    /// let photos = ItemId::from_u128(1);
    /// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
    /// session.reporter(photos)?.succeed()?;
    /// session.finish()?;
    /// assert!(session.finish().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish(&self) -> Result<(), CallbackError> {
        self.synchronize_completed(HResult::S_OK)
    }

    /// Finishes work that failed as a whole: logs the error with its sources, and finishes the session with the result `E_FAIL`.
    ///
    /// # Errors
    ///
    /// As for [`finish`](Self::finish). A full log is not an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::{HResult, Session};
    ///
    /// let session = Session::builder().build()?;
    /// session.finish_with("the server is down")?;
    /// assert_eq!(session.result(), Some(HResult::E_FAIL));
    /// assert_eq!(session.log()[0].text, "the server is down");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish_with(
        &self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), CallbackError> {
        let text = error_chain(&*error.into());
        if matches!(self.phase(), Phase::Open | Phase::Synchronizing) {
            // A full log does not keep the session open.
            let _ = self.log_error(&LogRecord::new(LogLevel::Error, text));
        }
        self.synchronize_completed(HResult::E_FAIL)
    }
}
