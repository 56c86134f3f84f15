//! One item's slot: the place that a report writes and that everybody else reads.
//!
//! A worker reports thousands to millions of times a second, a person looks 10 to 60 times a second. So the
//! writer pays one load, one branch and one store, and the reader does the rest.
//!
//! # Invariants
//!
//! 1. *One word decides.* [`LIVE`] is set in the flags word exactly while a plain value may be stored and
//!    answered `Continue`: the item takes part in the round, the phase takes reports, the item has begun, it has
//!    no final status, no cancel is asked, nothing is released. [`settle`] computes it from the other bits at
//!    each change, so no change of state can forget it.
//! 2. *One writer of the flags at a time.* Every change of the flags word is made under the slot's lock, with
//!    one atomic swap.
//! 3. *A cancel is never missed.* The cancel clears `LIVE` before its call returns. A report that happens after
//!    that return therefore reads the cleared word (coherence: a read never goes back behind a write that
//!    happens before it), takes the slow path and finds the cancel under the lock.
//! 4. *No last value is lost.* The change that ends an item copies the value into [`Cold::last`] under the lock
//!    and sets [`FROZEN`]; from then on readers see the copy. A report that was between its load and its store
//!    at that moment may still store into `value`, but nobody reads that any more.
//! 5. *A slot lives for one round.* A retry gives the item a new slot and marks the old one [`RETIRED`] for ever,
//!    so a store that was begun before a retry cannot land after it, however late it is.
//! 6. *Value and maximum are a pair.* Both are changed under the lock when one update carries both, and readers
//!    take the lock; the maximum is never changed outside it.

use super::flags::{
    Change, FINISHED, FROZEN, LIVE, RETIRED, TOUCHED, WAITED, WORKING, refusal, settle, status,
    verdict, with_status,
};
use crate::util::sync::{AtomicU32, AtomicU64, Mutex, Ordering};
use crate::util::text::{TEXT_LIMIT, push_cut};
use crate::{CallbackError, ItemId, ItemStatus, ProgressUpdate};

/// What is not on the fast path, behind the slot's lock.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    /// Boxed, since most items have no text, and a slot is to fit a cache line. The string keeps its memory, so
    /// that later texts need none.
    #[allow(clippy::box_collection)]
    text: Option<Box<String>>,
    max: u64,
    /// The value at the moment of freezing (invariant 4).
    last: u64,
}

impl Cold {
    #[inline]
    fn set_text(&mut self, text: &str) {
        let kept = self.text.get_or_insert_default();
        kept.clear();
        push_cut(kept, text, TEXT_LIMIT);
    }
}

/// One item's state. It fills one cache line, so two items share none.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Slot {
    /// The progress value. Stored with `Release` and read with `Acquire`: whoever sees a value also sees what the
    /// worker did before it reported it. Under the lock a `Relaxed` store does, since every reader takes the lock.
    /// Nothing else here needs more than coherence of it.
    value: AtomicU64,
    /// All that the fast path must know. Written under `cold`'s lock only (invariant 2).
    ///
    /// Read with `Relaxed`: on the fast path the word guards nothing but itself (the value is frozen by a copy, not by
    /// this flag), and invariant 3 needs coherence alone. Written by a swap with `AcqRel`: a read-modify-write, so
    /// that on real machines the cancel has left the core when the call that made it returns; a plain store may
    /// linger in the store buffer past the return.
    flags: AtomicU32,
    /// The item's number in the table. Written with the lifecycle and the slot locked, when a proposed item is committed. `Relaxed`:
    /// who depends on it reads it with one of the two locked.
    number: AtomicU32,
    /// The item's id, to prove a guess of the slot right.
    id: ItemId,
    cold: Mutex<Cold>,
}

/// What a slot is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SlotReport<'a> {
    Update(&'a ProgressUpdate<'a>),
    /// Adds to the value.
    Advance(u64),
    /// Asks for the verdict, and reports the item as in work if that is `Continue`.
    Begin,
}

impl<'a> SlotReport<'a> {
    /// What it changes in a slot with these flags.
    pub(crate) fn update(&self, flags: u32) -> &'a ProgressUpdate<'a> {
        static IN_WORK: ProgressUpdate<'_> = ProgressUpdate::IN_WORK;
        static CHECK: ProgressUpdate<'_> = ProgressUpdate::CHECK;
        match self {
            Self::Update(update) => update,
            Self::Begin if verdict(flags).is_continue() => &IN_WORK,
            Self::Begin | Self::Advance(_) => &CHECK,
        }
    }

    fn advance(&self) -> Option<u64> {
        match self {
            Self::Advance(amount) => Some(*amount),
            Self::Update(_) | Self::Begin => None,
        }
    }
}

/// One consistent look at a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlotSnapshot {
    pub(crate) flags: u32,
    pub(crate) value: u64,
    pub(crate) max: u64,
    pub(crate) text: String,
}

impl Slot {
    /// The slot of an item, `Pending`, with these state bits.
    pub(crate) fn new(id: ItemId, number: u32, bits: u32) -> Self {
        Self {
            value: AtomicU64::new(0),
            flags: AtomicU32::new(settle(with_status(bits, ItemStatus::Pending))),
            number: AtomicU32::new(number),
            id,
            cold: Mutex::new(Cold::default()),
        }
    }

    /// A slot of no item, that is never live.
    pub(crate) fn vacant() -> Self {
        Self::new(ItemId::NIL, u32::MAX, 0)
    }

    pub(crate) fn number(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    /// Gives the item another number. To be called with the slot locked.
    pub(crate) fn set_number(&self, number: u32) {
        self.number.store(number, Ordering::Relaxed);
    }

    pub(crate) fn id(&self) -> ItemId {
        self.id
    }

    #[inline]
    pub(crate) fn holds(&self, id: ItemId) -> bool {
        self.id == id
    }

    /// Whether the item has gone on to another slot. `Relaxed`: the other slot is put into the table under its lock before
    /// the bit is set, and who reads the bit takes that lock next. Had it taken the lock before the other slot was put there,
    /// its look at the bit would have happened before the bit was set.
    pub(crate) fn is_retired(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & RETIRED != 0
    }

    /// Marks that the item has gone on to another slot.
    pub(crate) fn retire(&self) {
        // This edit refuses nothing.
        let _ = self.change::<()>(|_, flags| Ok(flags | RETIRED), |_| {});
    }

    /// The flags at this moment, without the lock.
    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Whether a report would be taken and answered `Continue`, without leaving a mark.
    pub(crate) fn goes_on(&self) -> bool {
        let flags = self.flags();
        refusal(flags, None).is_none() && verdict(flags).is_continue()
    }

    /// The fast path: stores the value and answers true, or does nothing and answers false.
    #[inline]
    pub(crate) fn set_if_live(&self, value: u64) -> bool {
        let live = self.flags.load(Ordering::Relaxed) & LIVE != 0;
        if live {
            self.value.store(value, Ordering::Release);
        }
        live
    }

    /// As [`set_if_live`](Self::set_if_live), adding to the value. Past `u64::MAX` it wraps.
    #[inline]
    pub(crate) fn add_if_live(&self, amount: u64) -> bool {
        let live = self.flags.load(Ordering::Relaxed) & LIVE != 0;
        if live {
            self.value.fetch_add(amount, Ordering::Release);
        }
        live
    }

    /// Answers true where the verdict is `Continue` and the question needs to leave no mark.
    #[inline]
    pub(crate) fn check_if_live(&self) -> bool {
        const QUIET: u32 = LIVE | TOUCHED;
        self.flags.load(Ordering::Relaxed) & QUIET == QUIET
    }

    /// Takes a report that carries nothing but a value, or nothing at all, if the fast path can; answers whether it did.
    #[inline]
    pub(crate) fn try_store(&self, update: &ProgressUpdate<'_>) -> bool {
        match *update {
            ProgressUpdate {
                text: None,
                status: None,
                value: Some(value),
                max: None,
            } => self.set_if_live(value),
            ProgressUpdate::CHECK => self.check_if_live(),
            _ => false,
        }
    }

    /// Takes a report without a status of an item in work, if the state of the item stays as it is; answers whether it
    /// did. It is what [`report`](Self::report) does then, without looking for what could have changed (bar P4).
    #[inline]
    pub(crate) fn try_update(&self, update: &ProgressUpdate<'_>) -> bool {
        const QUIET: u32 = LIVE | WORKING | TOUCHED;
        let is_quiet = || self.flags.load(Ordering::Relaxed) & QUIET == QUIET;
        if update.status.is_some() || !is_quiet() {
            return false;
        }
        let mut cold = self.cold.lock();
        // Under the lock nothing ends the item, and `LIVE` says that the report is taken and answered `Continue`.
        let quiet = is_quiet();
        if quiet {
            if let Some(text) = &update.text {
                cold.set_text(text);
            }
            if let Some(max) = update.max {
                cold.max = max;
            }
            if let Some(value) = update.value {
                self.value.store(value, Ordering::Relaxed);
            }
        }
        quiet
    }

    /// Changes the flags under the lock. `edit` sees the flags and the cold part and answers the new flags or a
    /// refusal; `then` is called with the lock still held, so that what it tells others keeps the order in which
    /// the changes were made.
    pub(crate) fn change<E>(
        &self,
        edit: impl FnOnce(&mut SlotEditor<'_>, u32) -> Result<u32, E>,
        then: impl FnOnce(Change),
    ) -> Result<Change, E> {
        let mut cold = self.cold.lock();
        let before = self.flags.load(Ordering::Relaxed);
        let mut editor = SlotEditor {
            value: &self.value,
            cold: &mut cold,
        };
        let wanted = edit(&mut editor, before)?;
        if wanted & FROZEN != 0 && before & FROZEN == 0 {
            editor.cold.last = self.value.load(Ordering::Acquire);
        }
        let after = settle(wanted);
        if after != before {
            self.flags.swap(after, Ordering::AcqRel);
        }
        let change = Change { before, after };
        then(change);
        Ok(change)
    }

    /// Takes a report of any kind.
    pub(crate) fn report(
        &self,
        report: &SlotReport<'_>,
        then: impl FnOnce(Change),
    ) -> Result<Change, CallbackError> {
        self.change(
            |editor, flags| {
                let update = report.update(flags);
                let advance = report.advance();
                if let Some(error) = refusal(flags, update.status) {
                    return Err(error);
                }
                let mut flags = flags | TOUCHED;
                if advance.is_none() && update.mask().is_empty() {
                    return Ok(flags);
                }
                let has_value = advance.is_some() || update.value.is_some();
                if has_value
                    || update
                        .status
                        .is_some_and(|status| status != ItemStatus::Pending)
                {
                    flags |= WORKING;
                }
                if let Some(text) = &update.text {
                    editor.cold.set_text(text);
                }
                if let Some(max) = update.max {
                    editor.cold.max = max;
                }
                if let Some(amount) = advance {
                    // Another thread may advance the same item on the fast path: add, do not store a sum. A frozen item
                    // refuses it, having a final status or no phase that takes reports.
                    editor.value.fetch_add(amount, Ordering::Relaxed);
                } else if let Some(value) = update.value {
                    if flags & FROZEN != 0 {
                        editor.cold.last = value;
                    } else {
                        editor.value.store(value, Ordering::Relaxed);
                    }
                }
                match update.status {
                    Some(status) => {
                        flags = with_status(flags, status);
                        if status.is_final() {
                            flags |= FINISHED | FROZEN;
                        }
                    }
                    None if has_value && status(flags) == ItemStatus::Pending => {
                        flags = with_status(flags, ItemStatus::Updating);
                    }
                    None => {}
                }
                if flags & FINISHED != 0 {
                    flags &= !(WORKING | WAITED);
                }
                Ok(flags)
            },
            then,
        )
    }

    /// One consistent look (invariants 4 and 6).
    pub(crate) fn snapshot(&self) -> SlotSnapshot {
        let cold = self.cold.lock();
        let flags = self.flags.load(Ordering::Relaxed);
        let value = if flags & FROZEN != 0 {
            cold.last
        } else {
            self.value.load(Ordering::Acquire)
        };
        SlotSnapshot {
            flags,
            value,
            max: cold.max,
            text: cold.text.as_deref().cloned().unwrap_or_default(),
        }
    }

    /// The value at this moment, for whoever only wants to know whether it moves.
    pub(crate) fn value_relaxed(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// What an edit of a slot may touch while the lock is held.
pub(crate) struct SlotEditor<'a> {
    value: &'a AtomicU64,
    cold: &'a mut Cold,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::flags::{CANCEL_ALL, CANCEL_ITEM, MEMBER, OPEN, RELEASED};
    use super::*;

    #[test]
    fn a_slot_fills_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
        assert_eq!(align_of::<Slot>(), 64);
    }

    /// A slot of an item in work.
    fn in_work() -> Slot {
        let slot = Slot::new(ItemId::from_u128(1), 0, MEMBER | OPEN);
        let begun = slot.report(&SlotReport::Update(&ProgressUpdate::new().value(1)), |_| {});
        assert!(begun.is_ok());
        slot
    }

    #[test]
    fn the_fast_path_takes_plain_reports_of_an_item_in_work() {
        let slot = in_work();
        assert!(slot.set_if_live(5));
        assert_eq!(slot.value_relaxed(), 5);
        assert!(slot.add_if_live(2));
        assert_eq!(slot.value_relaxed(), 7);
        assert!(slot.check_if_live());
        assert!(slot.try_store(&ProgressUpdate::new().value(9)));
        assert_eq!(slot.value_relaxed(), 9);
        assert!(slot.try_store(&ProgressUpdate::CHECK));
        assert!(!slot.try_store(&ProgressUpdate::new().value(10).max(10)));
        assert_eq!(slot.snapshot().value, 9);
    }

    #[test]
    fn the_short_path_takes_what_does_not_change_the_state_of_an_item_in_work() {
        let slot = in_work();
        let update = ProgressUpdate::new().text("t").max(3).value(2);
        assert!(slot.try_update(&update));
        let look = slot.snapshot();
        assert_eq!((look.text.as_str(), look.max, look.value), ("t", 3, 2));
        let with_status = update.clone().status(ItemStatus::Updating);
        assert!(!slot.try_update(&with_status));
        let untouched = slot.change::<()>(|_, flags| Ok(flags & !TOUCHED), |_| {});
        assert!(untouched.is_ok());
        assert!(!slot.try_update(&update), "the mark is to be made first");
        assert!(!slot.check_if_live());
    }

    #[test]
    fn no_fast_path_takes_a_report_that_is_to_be_answered_otherwise() {
        for stop in [FINISHED, FROZEN, CANCEL_ITEM, CANCEL_ALL, RELEASED, RETIRED] {
            let slot = in_work();
            let stopped = slot.change::<()>(|_, flags| Ok(flags | stop), |_| {});
            assert!(stopped.is_ok());
            assert!(!slot.set_if_live(5));
            assert!(!slot.add_if_live(5));
            assert!(!slot.check_if_live());
            assert!(!slot.try_update(&ProgressUpdate::new().value(5)));
            assert_eq!(slot.value_relaxed(), 1);
        }
    }
}
