//! How a tool that reports to its own session finishes it.

use std::error::Error;

use super::{Phase, Session};
use crate::util::text::error_chain;
use crate::{CallbackError, HResult, LogLevel, LogRecord, SyncCallback};

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
