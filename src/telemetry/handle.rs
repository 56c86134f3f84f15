//! The follower's thread, and the handle on it.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::emitter::Emitter;
use super::targets;
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
    control: Option<Arc<FollowerControl>>,
}

impl TelemetryHandle {
    /// Starts the follower. Where there is no thread to be had, that is all that is told.
    pub(super) fn follow(emitter: Emitter, poll_interval: Duration) -> Self {
        let control = Arc::new(FollowerControl::default());
        let end = FollowerEnd(Arc::clone(&control));
        let spawned = thread::Builder::new()
            .name("syncmgr telemetry".to_owned())
            .spawn(move || {
                let end = end;
                follow(&end.0, emitter, poll_interval);
            });
        if let Err(error) = spawned {
            contained(|| tracing::error!(target: targets::TARGET, "no follower: {error}"));
        }
        Self {
            control: Some(control),
        }
    }

    /// Takes a look now, and returns when it is told: what began before the call is in it. With
    /// [`poll_interval(Duration::MAX)`](super::Telemetry::poll_interval) there are no other looks but the first and the last, and a
    /// test knows what was told in which.
    ///
    /// It waits as long as the subscriber takes. In a subscriber that is being told, or after the end, it does nothing.
    pub fn flush(&self) {
        if let Some(control) = &self.control {
            control.look();
        }
    }

    /// Whether the follower has ended, and every span is closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let control = self.control.as_ref();
        control.is_none_or(|control| control.state.lock().over)
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
        self.control.as_ref().is_none_or(|control| {
            control.stop();
            control.wait(timeout)
        })
    }

    /// Lets the follower go on without the handle, to the end of the session or run. One that never ends is followed, and kept
    /// in memory, for as long as the program runs.
    pub fn detach(mut self) {
        self.control = None;
    }
}

impl Drop for TelemetryHandle {
    fn drop(&mut self) {
        if let Some(control) = &self.control {
            control.stop();
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

fn follow(control: &FollowerControl, mut emitter: Emitter, poll_interval: Duration) {
    let tree = Arc::clone(emitter.tree());
    tree.within(|| {
        loop {
            let (asked, last) = control.next_look(poll_interval);
            let now = Instant::now();
            if emitter.look(now) || last {
                return emitter.close(now);
            }
            control.has_looked(asked);
        }
    });
}

/// What the handle and the follower tell each other. Locked for that only.
#[derive(Default)]
struct FollowerControl {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The follower's thread, once it runs.
    follower: Option<ThreadId>,
    /// How many looks were asked for, and how many of these are told.
    asked: u64,
    told: u64,
    /// The next look is the last one.
    stop: bool,
    over: bool,
}

impl FollowerControl {
    /// The follower's side: waits for the next look. Answers which of those that were asked for it is for, and whether it is
    /// the last one.
    fn next_look(&self, every: Duration) -> (u64, bool) {
        let mut state = self.state.lock();
        // The first look waits for nothing.
        if state.follower.replace(thread::current().id()).is_some() {
            let until = Instant::now().checked_add(every);
            while state.asked == state.told && !state.stop {
                match until {
                    None => self.changed.wait(&mut state),
                    Some(until) if self.changed.wait_until(&mut state, until).timed_out() => break,
                    Some(_) => {}
                }
            }
        }
        (state.asked, state.stop)
    }

    fn has_looked(&self, asked: u64) {
        self.state.lock().told = asked;
        self.changed.notify_all();
    }

    fn look(&self) {
        let mut state = self.state.lock();
        if state.is_inside() {
            return;
        }
        state.asked += 1;
        let mine = state.asked;
        self.changed.notify_all();
        while state.told < mine && !state.over {
            self.changed.wait(&mut state);
        }
    }

    fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    /// Answers whether it is over.
    fn wait(&self, timeout: Duration) -> bool {
        let until = Instant::now().checked_add(timeout);
        let mut state = self.state.lock();
        while !state.over && !state.is_inside() {
            match until {
                None => self.changed.wait(&mut state),
                Some(until) if self.changed.wait_until(&mut state, until).timed_out() => break,
                Some(_) => {}
            }
        }
        state.over
    }
}

impl State {
    /// Whether this is the follower, which would wait for itself.
    fn is_inside(&self) -> bool {
        self.follower == Some(thread::current().id())
    }
}

/// Whoever waits for the follower is told of its end, however it comes.
struct FollowerEnd(Arc<FollowerControl>);

impl Drop for FollowerEnd {
    fn drop(&mut self) {
        self.0.state.lock().over = true;
        self.0.changed.notify_all();
    }
}
