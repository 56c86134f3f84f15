//! The value and the maximum of an item, reported so that the value never exceeds the maximum (rule H17).
//!
//! # Invariants
//!
//! 1. One thread at a time reports a maximum, by its [`ReportTurn`], and holds no lock meanwhile: the host, and the wakers of
//!    observers, may report the same item or wait for a thread that does.
//! 2. What other threads have to report at that time about value and maximum is left to that thread, which reports it before
//!    its call returns. So maxima do not overtake each other, and no value overtakes its maximum or an earlier value of the
//!    same thread.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::ProgressUpdate;

pub(super) struct Maximum {
    /// The value that the work has reported. `Relaxed`: it only keeps a maximum from being lower, and a thread that reports one
    /// at the same moment as another reports a value could have come before it.
    done: AtomicU64,
    /// Values below it are reported directly: one more than the maximum, `u64::MAX` without one, and 0 while a maximum is being
    /// reported. Changed with `state` locked. `Release` at the end of a turn and `Acquire` before a direct report, so that the
    /// report comes after all that the turn has reported. A thread that has left a value to another one has seen the 0 by the
    /// lock, so it reads no older limit.
    limit: AtomicU64,
    state: Mutex<State>,
}

struct State {
    /// The maximum as it was reported last; 0 without one.
    max: u64,
    /// A thread has the turn.
    is_taken: bool,
    due: Option<MaxReport<'static>>,
}

/// A report, or what is left of several.
#[derive(Default)]
pub(super) struct MaxReport<'a> {
    pub(super) update: ProgressUpdate<'a>,
    /// How much the value grows after the update.
    pub(super) more: u64,
    /// The greatest value that it leads to. The maximum becomes no less.
    pub(super) least: u64,
}

impl<'a> MaxReport<'a> {
    /// A report of this update.
    #[cold]
    pub(super) fn of(update: ProgressUpdate<'a>) -> Self {
        Self {
            least: update.value.unwrap_or(0),
            update,
            more: 0,
        }
    }

    /// A report of a value that has grown to this one.
    #[cold]
    pub(super) fn growth(more: u64, value: u64) -> Self {
        Self {
            update: ProgressUpdate::new(),
            more,
            least: value,
        }
    }
}

impl MaxReport<'static> {
    /// Takes over the value and the maximum of a later report.
    fn take(&mut self, later: &MaxReport<'_>) {
        self.update.max = later.update.max.or(self.update.max);
        self.least = self.least.max(later.least);
        if later.update.value.is_some() {
            self.update.value = later.update.value;
            self.more = 0;
        }
        self.more = self.more.wrapping_add(later.more);
    }
}

impl State {
    fn limit(&self) -> u64 {
        match self.max {
            0 => u64::MAX,
            max => max.saturating_add(1),
        }
    }
}

impl Maximum {
    pub(super) fn new(max: u64) -> Self {
        let state = State {
            max,
            is_taken: false,
            due: None,
        };
        Self {
            done: AtomicU64::new(0),
            limit: AtomicU64::new(state.limit()),
            state: Mutex::new(state),
        }
    }

    /// The value.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Values below it are reported directly.
    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Acquire)
    }

    /// Notes the value. Returns `true` if it may be reported directly.
    #[inline]
    pub(super) fn set(&self, value: u64) -> bool {
        self.done.store(value, Ordering::Relaxed);
        value < self.limit.load(Ordering::Acquire)
    }

    /// Notes the growth of the value. Returns the new value if it may not be reported directly.
    #[inline]
    pub(super) fn add(&self, amount: u64) -> Option<u64> {
        let before = self.done.fetch_add(amount, Ordering::Relaxed);
        let value = before.wrapping_add(amount);
        (value >= self.limit.load(Ordering::Acquire)).then_some(value)
    }

    /// The turn to report the maximum. Returns `None` if another thread has it: then value and maximum of the report are left
    /// to that thread.
    pub(super) fn turn(&self, report: &MaxReport<'_>) -> Option<ReportTurn<'_>> {
        let mut state = self.state.lock();
        if state.is_taken {
            state.due.get_or_insert_default().take(report);
            return None;
        }
        state.is_taken = true;
        self.limit.store(0, Ordering::Relaxed);
        Some(ReportTurn {
            maximum: self,
            is_over: false,
        })
    }

    /// Ends a turn.
    fn end(&self, state: &mut State) {
        state.is_taken = false;
        self.limit.store(state.limit(), Ordering::Release);
    }

    /// What was left to a thread that has not reported it: the value and the maximum.
    pub(super) fn left(&self) -> Option<(u64, u64)> {
        let mut state = self.state.lock();
        let due = state.due.take()?;
        let done = self.done.load(Ordering::Relaxed);
        Some((done, at_least(due.update.max.unwrap_or(state.max), done)))
    }
}

/// A maximum for this value; 0 stays, which is none.
fn at_least(max: u64, value: u64) -> u64 {
    if max == 0 { 0 } else { max.max(value) }
}

/// The turn of one thread, until it is dropped.
pub(super) struct ReportTurn<'a> {
    maximum: &'a Maximum,
    /// Another thread may have it already.
    is_over: bool,
}

impl ReportTurn<'_> {
    /// The update that is to be made for a report: its maximum fits the values.
    pub(super) fn grow_max<'u>(&self, report: &MaxReport<'u>) -> ProgressUpdate<'u> {
        let mut state = self.maximum.state.lock();
        let wanted = report.update.max.unwrap_or(state.max);
        let done = self.maximum.done.load(Ordering::Relaxed);
        let max = at_least(wanted, done.max(report.least));
        let mut update = report.update.clone();
        update.max = (report.update.max.is_some() || max != state.max).then_some(max);
        state.max = max;
        update
    }

    /// What other threads have left to this one. `None` ends the turn.
    pub(super) fn next(&mut self) -> Option<MaxReport<'static>> {
        let mut state = self.maximum.state.lock();
        let due = state.due.take();
        if due.is_none() {
            self.is_over = true;
            self.maximum.end(&mut state);
        }
        due
    }
}

impl Drop for ReportTurn<'_> {
    /// Where it is not over, the work was interrupted, or the host panicked.
    fn drop(&mut self) {
        if !self.is_over {
            self.maximum.end(&mut self.maximum.state.lock());
        }
    }
}
