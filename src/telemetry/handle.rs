//! The follower's thread, and the handle on it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::emitter::Emitter;
use super::targets;
use crate::util::clock;
use crate::util::clock::deadline;
use crate::util::follower::{Follower, FollowerEnd, FollowerThread};
use crate::util::panic::contained;

/// A session or a run that is being told: what [`Telemetry::session`](super::Telemetry::session) and
/// [`Telemetry::run`](super::Telemetry::run) answer.
///
/// The follower ends by itself when the session or the run is over. Dropping the handle ends it early: it takes a last look,
/// tells it, closes every span and is gone; the drop waits for nothing of that. Threads may share the handle in an [`Arc`].
///
/// ```
/// use syncmgr::telemetry::Telemetry;
/// use syncmgr::{HResult, ItemId, Session, SyncCallback, SyncItem};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
/// let traced = Telemetry::new().session(&session);
/// session.reporter(photos)?.succeed()?;
/// session.synchronize_completed(HResult::S_OK)?;
/// traced.finish(); // everything is told, every span is closed
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the follower: keep it, `finish` it or `detach` it"]
pub struct TelemetryHandle {
    /// None once it is detached.
    follower: Option<Follower>,
}

impl TelemetryHandle {
    /// Starts the follower. Where there is no thread to be had, that is all that is told.
    pub(super) fn follow(emitter: Emitter, poll_interval: Duration) -> Self {
        let (follower, spawned) = Follower::spawn("syncmgr-tracing", move |thread| {
            follow(thread, emitter, poll_interval);
        });
        if let Err(error) = spawned {
            contained(|| tracing::error!(target: targets::TARGET, "no follower: {error}"));
        }
        Self {
            follower: Some(follower),
        }
    }

    /// Takes a look now, and returns when it is told: what began before the call is in it. With
    /// [`poll_interval(Duration::MAX)`](super::Telemetry::poll_interval) there are no other looks but the first and the last, and a
    /// test knows what was told in which.
    ///
    /// It waits as long as the subscriber takes. In a subscriber that is being told, or after the end, it does nothing.
    pub fn flush(&self) {
        if let Some(follower) = &self.follower {
            follower.flush();
        }
    }

    /// Whether the follower has ended, and every span is closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.follower.as_ref().is_none_or(Follower::is_over)
    }

    /// Ends the follower, and waits until what has happened is told and every span closed. It does not wait for the end of the
    /// session or run: do that before it.
    ///
    /// It waits as long as the subscriber takes; [`finish_within`](Self::finish_within) does not. From inside the subscriber
    /// that is being told it waits for nothing. Once everything is told, a further call returns at once.
    pub fn finish(&self) {
        _ = self.finish_within(Duration::MAX);
    }

    /// As [`finish`](Self::finish), at most so long. Answers whether everything was told in that time; if not, the follower
    /// tells it as soon as the subscriber lets it, and a further call waits for that again.
    pub fn finish_within(&self, timeout: Duration) -> bool {
        let follower = self.follower.as_ref();
        follower.is_none_or(|follower| follower.finish_within(timeout))
    }

    /// Lets the follower go on without the handle, to the end of the session or run. One that never ends is followed, and kept
    /// in memory, for as long as the program runs.
    pub fn detach(mut self) {
        self.follower = None;
    }
}

impl Drop for TelemetryHandle {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.end(FollowerEnd::AfterLastRead);
        }
    }
}

impl fmt::Debug for TelemetryHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryHandle")
            .field("over", &self.is_over())
            .finish_non_exhaustive()
    }
}

fn follow(thread: &FollowerThread, mut emitter: Emitter, poll_interval: Duration) {
    let tree = Arc::clone(emitter.tree());
    tree.within(|| {
        // The first look waits for nothing.
        let mut until = Some(clock::now());
        loop {
            let is_last = thread.next(until).is_some();
            let now = clock::now();
            if emitter.look(now) || is_last {
                return emitter.close(now);
            }
            until = deadline(poll_interval);
        }
    });
}
