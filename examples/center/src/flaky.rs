//! A handler that fails on purpose, so that errors, retries and cancels can be seen.
//!
//! | item | what becomes of it |
//! |---|---|
//! | `mended when shown` | fails with an error that can be shown; shown, it asks for a retry, which succeeds |
//! | `mended by a retry` | fails, and succeeds the next time, be it in another run |
//! | `never mended` | fails each time |
//! | `endless` | goes on until it is cancelled; not checked |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use syncmgr::{
    ErrorId, HandlerError, HandlerInfo, ItemId, ItemName, ItemStatus, ProgressUpdate, SyncCallback,
    SyncItem,
};

use crate::each::Work;
use crate::task::{End, Task};

pub const WHEN_SHOWN: ItemId = ItemId::from_u128(0x3c85_11d0_74a9_4b62_a1fd_52e0_9c67_8b01);
pub const BY_A_RETRY: ItemId = ItemId::from_u128(0x3c85_11d0_74a9_4b62_a1fd_52e0_9c67_8b02);
pub const NEVER: ItemId = ItemId::from_u128(0x3c85_11d0_74a9_4b62_a1fd_52e0_9c67_8b03);
pub const ENDLESS: ItemId = ItemId::from_u128(0x3c85_11d0_74a9_4b62_a1fd_52e0_9c67_8b04);
/// The error that can be shown.
pub const ERROR: ErrorId = ErrorId::from_u128(0x91e0_6c3b_2d58_4f17_b8a4_06f3_e57c_4d29);

/// How the work goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two steps.
    pub pause: Duration,
    /// Of every item but the endless one.
    pub steps: u64,
    /// Of the endless one; none: it has no end.
    pub laps: Option<u64>,
}

/// What outlives a run: whether the last try of `mended by a retry` failed.
pub type Failed = Arc<AtomicBool>;

/// What the handler does.
pub struct Flaky {
    pace: Pace,
    failed: Failed,
    /// The error was shown.
    shown: AtomicBool,
}

impl Flaky {
    /// Goes at this pace. A handler that is made for a later run is given the same `failed`.
    pub fn new(pace: Pace, failed: &Failed) -> Self {
        Self {
            pace,
            failed: Arc::clone(failed),
            shown: AtomicBool::new(false),
        }
    }

    fn step(&self, task: &Task) -> bool {
        task.pause(self.pace.pause) && task.advance(1)
    }

    fn endless(&self, task: &Task) -> End {
        let mut lap = 0;
        while self.pace.laps.is_none_or(|laps| lap < laps) {
            lap += 1;
            let text = format!("lap {lap}; cancel it when you have seen enough");
            if !self.step(task) || !task.report(&ProgressUpdate::new().text(&text)) {
                return End::Stopped;
            }
        }
        End::Succeeded("no more laps were asked for".into())
    }
}

impl Work for Flaky {
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new("Fails on purpose".parse()?))
    }

    fn items(&self) -> Vec<SyncItem> {
        let item = |id, name| SyncItem::new(id, ItemName::truncate_start(name));
        vec![
            item(WHEN_SHOWN, "mended when shown"),
            item(BY_A_RETRY, "mended by a retry"),
            item(NEVER, "never mended"),
            item(ENDLESS, "endless").checked(false),
        ]
    }

    fn measure(&self, item: ItemId) -> u64 {
        match item {
            ENDLESS => 0,
            _ => self.pace.steps,
        }
    }

    fn status(&self, item: ItemId) -> ItemStatus {
        match item {
            ENDLESS => ItemStatus::UpdatingIndeterminate,
            _ => ItemStatus::Updating,
        }
    }

    fn perform(&self, task: &Task) -> End {
        if task.item() == ENDLESS {
            return self.endless(task);
        }
        let steps = self.pace.steps;
        let mended = match task.item() {
            WHEN_SHOWN => self.shown.load(Relaxed),
            BY_A_RETRY => self.failed.load(Relaxed),
            _ => false,
        };
        // What fails does so halfway.
        let last = if mended { steps } else { steps / 2 };
        for _ in 0..last {
            if !self.step(task) {
                return End::Stopped;
            }
        }
        match task.item() {
            WHEN_SHOWN if mended => {
                task.forget(ERROR);
                End::Succeeded("the retry after the error was shown went well".into())
            }
            WHEN_SHOWN => End::Failed("an error that can be shown".into(), Some(ERROR)),
            BY_A_RETRY if mended => {
                self.failed.store(false, Relaxed);
                End::Succeeded("this time it went well".into())
            }
            BY_A_RETRY => {
                self.failed.store(true, Relaxed);
                End::Failed("an error that the next try will not have".into(), None)
            }
            _ => End::Failed("an error that stays".into(), None),
        }
    }

    /// Asks for the turn to show a dialog; who may not ask the user does not try again either.
    fn show_error(&self, error: ErrorId, callback: &dyn SyncCallback) -> Option<Vec<ItemId>> {
        if error != ERROR {
            return None;
        }
        let granted = callback
            .enable_modeless(true)
            .is_ok_and(|answer| answer.is_granted());
        if !granted {
            return Some(Vec::new());
        }
        // Here a dialog would stand, with the buttons "Try again" and "Close"; this one is closed by "Try again" at once.
        self.shown.store(true, Relaxed);
        // A host that is gone meanwhile has taken the turn back.
        _ = callback.enable_modeless(false);
        Some(vec![WHEN_SHOWN])
    }
}
