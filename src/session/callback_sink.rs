//! A reporter's way to a callback that is not a session: by calls.

use std::sync::Arc;

use crate::util::sync::{AtomicU32, AtomicU64, Ordering};
use crate::{CallbackError, ItemId, LogRecord, ProgressUpdate, SyncCallback, Verdict};

/// Set in `CallbackSink::inside` when two threads advance at the same time; below it they are counted.
const OVERLAP: u32 = 1 << 31;

/// Somebody else's callback, and what was reported to it.
pub(super) struct CallbackSink {
    callback: Arc<dyn SyncCallback>,
    /// What was reported so far and not refused, for `advance`.
    total: AtomicU64,
    /// The threads inside `advance`. Leaving releases what the thread has added to `total` and acquires what those who left
    /// before it have added, so the last one out knows it all; entering acquires, so that one who comes in between keeps what
    /// it finds. Each change is a read-modify-write, so none of them breaks the chain.
    inside: AtomicU32,
}

impl CallbackSink {
    pub(super) fn new(callback: &Arc<dyn SyncCallback>) -> Self {
        Self {
            callback: Arc::clone(callback),
            total: AtomicU64::new(0),
            inside: AtomicU32::new(0),
        }
    }

    pub(super) fn callback(&self) -> &Arc<dyn SyncCallback> {
        &self.callback
    }

    /// What was reported so far.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(super) fn report(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        let Some(value) = update.value else {
            return self.callback.progress(item, update);
        };
        // Before the call, so that who advances meanwhile goes on from the new value.
        let before = self.total.swap(value, Ordering::Relaxed);
        let answer = self.callback.progress(item, update);
        if answer.is_err() {
            // A refused report changed nothing. What another thread has made of the total meanwhile stays.
            let _ =
                self.total
                    .compare_exchange(value, before, Ordering::Relaxed, Ordering::Relaxed);
        }
        answer
    }

    /// Reports the total, grown by `amount`. Where that is refused, the total is what it was.
    ///
    /// Totals of two threads may overtake each other on their way, and the smaller would stay. So the last of those who
    /// were inside at the same time reports once more, unless it was told to stop.
    pub(super) fn advance(&self, item: ItemId, amount: u64) -> Result<Verdict, CallbackError> {
        self.enter();
        let before = self.total.fetch_add(amount, Ordering::Relaxed);
        let mut total = before.wrapping_add(amount);
        let mut taken = false;
        loop {
            let update = ProgressUpdate::new().value(total);
            let answer = self.callback.progress(item, &update);
            taken |= answer.is_ok();
            if !taken {
                self.total.fetch_sub(amount, Ordering::Relaxed);
            }
            let go_on = answer == Ok(Verdict::Continue);
            if !self.leave(go_on) {
                return answer;
            }
            total = self.total.load(Ordering::Relaxed);
        }
    }

    fn enter(&self) {
        let enter = |inside: u32| Some((inside + 1) | if inside > 0 { OVERLAP } else { 0 });
        let _ = self
            .inside
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, enter);
    }

    /// Leaves, or answers true and stays: the last one out has to report once more, if it `can_stay`.
    fn leave(&self, can_stay: bool) -> bool {
        let last = OVERLAP | 1;
        let leave = |inside| {
            Some(match inside {
                overlapped if overlapped == last && can_stay => 1,
                overlapped if overlapped == last => 0,
                more => more - 1,
            })
        };
        let before = self
            .inside
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, leave);
        before == Ok(last) && can_stay
    }

    pub(super) fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.callback.log_error(record)
    }
}
