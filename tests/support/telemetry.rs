//! What the tests of the telemetry share: followers whose looks are those that a test asks for, and subscribers that block.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::subscriber::Recorder;
use crate::{LIMIT, id, until};
use syncmgr::telemetry::{Telemetry, TelemetryHandle};
use syncmgr::{HResult, ProgressUpdate, Session, SyncCallback};

/// One whose looks are those that the test asks for, and which tells every value that it sees.
pub fn stepped() -> Telemetry {
    Telemetry::new()
        .poll_interval(Duration::MAX)
        .progress_every(Duration::ZERO)
}

/// As [`stepped`], where progress is not told.
pub fn without_progress() -> Telemetry {
    stepped().progress_every(Duration::MAX)
}

/// Follows a session, and waits until what is there is told.
pub fn follow(
    recorder: &Recorder,
    telemetry: &Telemetry,
    session: &Arc<Session>,
) -> TelemetryHandle {
    let traced = recorder.during(|| telemetry.session(session));
    traced.flush();
    traced
}

pub fn report(session: &Session, n: u128, update: &ProgressUpdate<'_>) {
    let answer = session.progress(id(n), update);
    assert!(answer.is_ok(), "{answer:?}");
}

pub fn complete(session: &Session) {
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
}

/// A gate that the subscriber stands at until it is opened, or the test has failed.
pub struct Block {
    here: mpsc::Receiver<()>,
    open: Arc<AtomicBool>,
}

impl Block {
    pub fn reached(&self) {
        self.here
            .recv_timeout(LIMIT)
            .expect("the subscriber is told of it");
    }

    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// A subscriber that blocks at the first line that this accepts.
pub fn blocked_at(begin: &'static str) -> (Recorder, Block) {
    let (came, here) = mpsc::channel();
    let open = Arc::new(AtomicBool::new(false));
    let (opened, came) = (Arc::clone(&open), Mutex::new(came));
    let recorder = Recorder::hooked(move |line| {
        if line.starts_with(begin) {
            let _ = came.lock().unwrap().send(());
            until("the gate", || opened.load(Ordering::SeqCst));
        }
    });
    (recorder, Block { here, open })
}
