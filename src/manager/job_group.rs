//! The jobs of one start, which share their connections.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::session::Connections;

/// What one start asked for at once: its connections stay open until the last job of it is over (rule M08).
pub(super) struct JobGroup {
    state: Mutex<JobGroupState>,
}

struct JobGroupState {
    connections: Option<Connections>,
    left: usize,
}

impl JobGroup {
    pub(super) fn new(connections: Option<Connections>, jobs: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(JobGroupState {
                connections,
                left: jobs,
            }),
        })
    }

    pub(super) fn connections(&self) -> Option<Connections> {
        self.state.lock().connections.clone()
    }

    /// A job is over, or joined another group. With the last one the connections are handed out, to be closed with no lock
    /// held.
    pub(super) fn leave(&self) -> Option<Connections> {
        let mut state = self.state.lock();
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            state.connections.take()
        } else {
            None
        }
    }
}
