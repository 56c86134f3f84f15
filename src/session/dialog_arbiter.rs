//! One dialog at a time: who may show it, and who has the turn.

use std::fmt;
use std::sync::Arc;

use super::Session;
use crate::util::sync::Mutex;
use crate::{CallbackError, Dialog};

/// Gives out the one turn to show a dialog (rule M09). It is a cheap handle: sessions that share a user share one by
/// clones of it.
///
/// ```
/// use syncmgr::{Dialog, DialogArbiter, Session, SyncCallback};
///
/// let arbiter = DialogArbiter::new();
/// let mail = Session::builder().dialog_arbiter(arbiter.clone()).build()?;
/// let files = Session::builder().dialog_arbiter(arbiter).build()?;
/// assert_eq!(mail.enable_modeless(true)?, Dialog::Granted);
/// assert_eq!(files.enable_modeless(true)?, Dialog::Denied);
/// mail.enable_modeless(false)?;
/// assert_eq!(files.enable_modeless(true)?, Dialog::Granted);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DialogArbiter(Arc<Mutex<Option<usize>>>);

impl DialogArbiter {
    /// An arbiter whose turn is free.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// Whether some session holds the turn.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.0.lock().is_some()
    }

    /// Gives the turn to `who`, unless anybody holds it, `who` included.
    pub(super) fn take(&self, who: usize) -> bool {
        let mut holder = self.0.lock();
        let free = holder.is_none();
        if free {
            *holder = Some(who);
        }
        free
    }

    /// Takes the turn from `who`, if it is the holder.
    pub(super) fn give_back(&self, who: usize) {
        let mut holder = self.0.lock();
        if *holder == Some(who) {
            *holder = None;
        }
    }
}

impl Default for DialogArbiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DialogArbiter {
    /// With no lock held: the formatter is the caller's code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialogArbiter")
            .field("is_taken", &self.is_taken())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The handler wants to show a dialog, or has closed it (rule M09).
    pub(super) fn ask_for_dialog(&self, enable: bool) -> Result<Dialog, CallbackError> {
        // The lifecycle stays locked, so that a turn is not taken after the release gave it back.
        let (_stage, phase) = self.lifecycle()?;
        if !enable {
            self.arbiter.give_back(self.token());
            return Ok(Dialog::Granted);
        }
        let allowed = self.dialogs && (self.may_bother_user || !phase.takes_reports());
        Ok(if allowed && self.arbiter.take(self.token()) {
            Dialog::Granted
        } else {
            Dialog::Denied
        })
    }
}
