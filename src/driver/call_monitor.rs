//! What a supervisor on another thread sees of a driver: the call of the handler that it is in, if any.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::HandlerInfo;
use crate::util::clock;

/// A driver tells here where it is. It is a cheap handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallMonitor(Arc<Mutex<MonitorState>>);

/// Where a driver is.
#[derive(Clone, Debug, Default)]
pub(crate) struct MonitorState {
    /// The call of the handler that has not returned, and since when.
    pub(crate) call: Option<(&'static str, Instant)>,
    /// A call was given up after this time, and the driver with it.
    given_up: Option<Duration>,
    pub(crate) rounds: u32,
    pub(crate) info: Option<HandlerInfo>,
}

impl CallMonitor {
    /// A call of the handler begins; it has returned when the answer is dropped.
    pub(crate) fn enter(&self, call: &'static str) -> CallGuard<'_> {
        self.0.lock().call = Some((call, clock::now()));
        CallGuard(self)
    }

    pub(crate) fn round(&self, rounds: u32) {
        self.0.lock().rounds = rounds;
    }

    pub(crate) fn info(&self, info: &HandlerInfo) {
        self.0.lock().info = Some(info.clone());
    }

    /// The driver is given up, unless its call has returned meanwhile: it makes no other one, but to let the handler go.
    #[cfg(feature = "manager")]
    pub(crate) fn give_up(&self, after: Duration) -> bool {
        let mut seen = self.0.lock();
        let inside = seen.call.is_some();
        if inside {
            seen.given_up = Some(after);
        }
        inside
    }

    /// Whether it was given up, and after which time. It is told once: the driver then ends.
    pub(crate) fn take_given_up(&self) -> Option<Duration> {
        self.0.lock().given_up.take()
    }

    #[cfg(feature = "manager")]
    pub(crate) fn seen(&self) -> MonitorState {
        self.0.lock().clone()
    }
}

/// The driver is in a call of the handler.
pub(crate) struct CallGuard<'a>(&'a CallMonitor);

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.0.0.lock().call = None;
    }
}
