//! What an observer observes: a session, or a run of several.

use std::sync::Arc;

use super::run::Run;
use super::run_observer::RunObserver;
use crate::session::{Observer, Session};

/// A session or a run.
pub(crate) enum Source {
    Session(Arc<Session>),
    Run(Run),
}

/// An observer of a [`Source`].
#[derive(Debug)]
pub(crate) enum SourceObserver {
    Session(Observer),
    Run(Run, RunObserver),
}

impl Source {
    pub(crate) fn observe(&self) -> SourceObserver {
        match self {
            Self::Session(session) => SourceObserver::Session(Observer::new(Arc::clone(session))),
            Self::Run(run) => SourceObserver::Run(run.clone(), run.observe()),
        }
    }
}
