//! How a reporter reaches the session of its slot.

use std::ops::Deref;
use std::sync::{Arc, Weak};

use super::Session;
use crate::CallbackError;

/// The session of a slot. Cloned for each reporter.
#[derive(Clone)]
pub(super) enum SessionLink {
    /// The reporter does not keep the session.
    Weak(Weak<Session>),
    /// A worker keeps the session for all of its reporters: they do not change the session's count of references, which all
    /// workers share.
    Held(Arc<HeldSession>),
}

/// A session that a worker keeps.
pub(super) struct HeldSession(pub(super) Arc<Session>);

/// A session that is there.
pub(super) enum LinkedSession<'a> {
    Upgraded(Arc<Session>),
    Held(&'a Session),
}

impl SessionLink {
    /// The session, unless it is gone.
    pub(super) fn get(&self) -> Result<LinkedSession<'_>, CallbackError> {
        match self {
            Self::Weak(session) => {
                let session = session.upgrade().ok_or(CallbackError::Released)?;
                Ok(LinkedSession::Upgraded(session))
            }
            Self::Held(held) => Ok(LinkedSession::Held(&held.0)),
        }
    }
}

impl Deref for LinkedSession<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        match self {
            Self::Upgraded(session) => session,
            Self::Held(session) => session,
        }
    }
}
