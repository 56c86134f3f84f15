//! The host's callback, as long as there is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::util::panic::Foreign;
use crate::{CallbackError, SyncCallback, SyncFlags};

/// The host's callback, for as long as the host lets the handler have it.
pub(super) struct CallbackLease {
    pub(super) callback: Foreign<Arc<dyn SyncCallback>>,
    pub(super) flags: SyncFlags,
    /// The callback was not taken away (rule H13). Written with `Release` when it is, read with `Acquire` before each call: a
    /// thread that knows of the end makes no call. One that is about to call at that moment may still do so.
    open: AtomicBool,
}

impl CallbackLease {
    pub(super) fn new(callback: Arc<dyn SyncCallback>, flags: SyncFlags) -> Arc<Self> {
        Arc::new(Self {
            callback: Foreign::new(callback),
            flags,
            open: AtomicBool::new(true),
        })
    }

    pub(super) fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The callback, unless it was taken away.
    pub(super) fn callback(&self) -> Result<&Arc<dyn SyncCallback>, CallbackError> {
        if self.is_open() {
            Ok(&self.callback)
        } else {
            Err(CallbackError::Released)
        }
    }
}
