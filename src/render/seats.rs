//! Which items have a row.
//!
//! # Invariants
//!
//! 1. There are never more seats than the limit of the last look, whatever exists.
//! 2. An item in work keeps its seat until it ends well; then the seat is free.
//! 3. One that ended otherwise keeps its seat too, but gives way to an item in work that has none: first those that were
//!    cancelled, then those that failed, the oldest first. A failed one that has to go, or finds no seat, is handed back
//!    to be kept as a line above the rows, so each failure is to be read.

use std::collections::HashMap;
use std::time::Instant;

use foldhash::fast::RandomState;

use super::rate::Rate;
use super::source::Key;
use super::text::clean;
use crate::{HandlerId, ItemStatus, ItemView};

/// An item with a row.
#[derive(Debug)]
pub(super) struct RowSeat {
    key: Key,
    /// With that of its handler; clean.
    pub(super) name: String,
    pub(super) status: ItemStatus,
    pub(super) value: u64,
    pub(super) max: u64,
    /// What goes on, or why it failed; clean.
    pub(super) text: String,
    pub(super) is_cancelling: bool,
    /// Its session is over, and it has no final status.
    pub(super) is_abandoned: bool,
    pub(super) rate: Rate,
    /// The number of the look that saw it last in work.
    age: u64,
}

impl RowSeat {
    pub(super) fn is_in_work(&self) -> bool {
        is_in_work(self.status) && !self.is_abandoned
    }

    /// It tells how far it is, and what goes on.
    pub(super) fn is_busy(&self) -> bool {
        self.is_in_work() && !self.is_cancelling
    }

    fn set(&mut self, view: &ItemView, reason: Option<String>, now: Instant) {
        self.status = view.status;
        self.value = view.value;
        self.max = view.max;
        self.text = reason.unwrap_or_else(|| clean(&view.text));
        self.is_cancelling = view.is_cancelling();
        self.rate.see(now, view.value);
    }

    fn has_failed(&self) -> bool {
        self.status == ItemStatus::Failed
    }

    fn is_well(&self) -> bool {
        matches!(self.status, ItemStatus::Succeeded | ItemStatus::Deleted)
    }
}

/// Whether a row is due to it in any case.
pub(super) fn is_in_work(status: ItemStatus) -> bool {
    !status.is_final() && status != ItemStatus::Pending
}

/// Whether a row is due to it while there is room: it did not go well, or it is about to.
fn is_worth_a_row(view: &ItemView) -> bool {
    match view.status {
        ItemStatus::Failed | ItemStatus::Stopped | ItemStatus::Skipped => true,
        ItemStatus::Pending => view.is_cancelling(),
        _ => false,
    }
}

/// The rows, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct RowSeats {
    seats: Vec<RowSeat>,
    places: HashMap<Key, usize, RandomState>,
    limit: usize,
    look: u64,
    now: Option<Instant>,
    /// Items without a seat, as the current look tells them, at most as many as there can be seats.
    in_work: Vec<RowSeat>,
    others: Vec<RowSeat>,
    /// How many items in work the current look has told that have no seat.
    unseated: u64,
}

impl RowSeats {
    /// A look begins, for at most so many rows.
    pub(super) fn begin(&mut self, limit: usize, now: Instant) {
        self.limit = limit;
        self.look += 1;
        self.now = Some(now);
        self.unseated = 0;
    }

    /// An item is told. `name` makes its clean name; `reason` is why it failed, where its end is news.
    pub(super) fn see(
        &mut self,
        key: Key,
        view: &ItemView,
        name: impl FnOnce() -> String,
        reason: Option<String>,
    ) {
        let Some(now) = self.now else {
            return;
        };
        let working = is_in_work(view.status);
        let look = self.look;
        if let Some(seat) = self.place(key) {
            // The text of a failed one was the reason; it is told once.
            if seat.has_failed() && view.status == ItemStatus::Failed {
                return;
            }
            seat.set(view, reason, now);
            if working {
                seat.age = look;
            }
            return;
        }
        let list = if working {
            self.unseated += 1;
            &mut self.in_work
        } else if is_worth_a_row(view) {
            &mut self.others
        } else {
            return;
        };
        // Of those that failed none may be lost; there are as many as have just failed.
        if list.len() < self.limit || view.status == ItemStatus::Failed {
            let mut seat = RowSeat {
                key,
                name: name(),
                status: view.status,
                value: 0,
                max: 0,
                text: String::new(),
                is_cancelling: false,
                is_abandoned: false,
                rate: Rate::default(),
                age: self.look,
            };
            seat.set(view, reason, now);
            list.push(seat);
        }
    }

    fn place(&mut self, key: Key) -> Option<&mut RowSeat> {
        let place = self.places.get(&key)?;
        self.seats.get_mut(*place)
    }

    /// A failed item with a seat has something more to say.
    pub(super) fn set_reason(&mut self, key: Key, text: &str) {
        if let Some(seat) = self.place(key) {
            seat.text.clear();
            seat.text.push_str(text);
        }
    }

    /// The item takes no part any more.
    pub(super) fn leave(&mut self, key: Key) {
        if let Some(place) = self.places.get(&key) {
            self.seats.remove(*place);
            self.number();
        }
    }

    /// A handler was let go, or all are: nobody ends the items that have not ended.
    pub(super) fn abandon(&mut self, handler: Option<HandlerId>) {
        let all = [&mut self.seats, &mut self.in_work, &mut self.others];
        for seat in all.into_iter().flatten() {
            if handler.is_none_or(|handler| handler == seat.key.0) {
                seat.is_abandoned = !seat.status.is_final();
            }
        }
    }

    /// The look is over: seats are given. Answers the failed ones that found none, or had to go.
    pub(super) fn end(&mut self) -> Vec<RowSeat> {
        let mut gone = Vec::new();
        // A smaller terminal has room for fewer.
        while self.seats.len() > self.limit {
            let last = self.seats.len() - 1;
            let seat = self.seats.remove(self.idle().unwrap_or(last));
            self.unseated += u64::from(seat.is_in_work());
            gone.extend(Some(seat).filter(RowSeat::has_failed));
        }
        for seat in std::mem::take(&mut self.in_work) {
            // In the place of one that has ended well, so that no row moves.
            let free = self.seats.iter().position(RowSeat::is_well);
            let place =
                match free.or_else(|| (self.seats.len() >= self.limit).then(|| self.idle())?) {
                    Some(place) => {
                        let old = self.seats.remove(place);
                        gone.extend(Some(old).filter(RowSeat::has_failed));
                        place
                    }
                    None if self.seats.len() < self.limit => self.seats.len(),
                    None => break, // all are in work
                };
            self.seats.insert(place, seat);
            self.unseated -= 1;
        }
        self.seats.retain(|seat| !seat.is_well());
        for seat in std::mem::take(&mut self.others) {
            if self.seats.len() < self.limit {
                self.seats.push(seat);
            } else if seat.has_failed() {
                gone.push(seat);
            }
        }
        self.number();
        gone
    }

    /// The seat that gives way first.
    fn idle(&self) -> Option<usize> {
        let seats = self.seats.iter().enumerate();
        let idle = seats.filter(|(_, seat)| !seat.is_in_work());
        let first = idle.min_by_key(|(_, seat)| (!seat.is_well(), seat.has_failed(), seat.age));
        first.map(|(place, _)| place)
    }

    fn number(&mut self) {
        self.places.clear();
        let numbered = self.seats.iter().enumerate();
        self.places
            .extend(numbered.map(|(place, seat)| (seat.key, place)));
    }

    /// The items with a row, in the order of the rows.
    pub(super) fn seats(&self) -> &[RowSeat] {
        &self.seats
    }

    /// How many items in work have none.
    pub(super) fn hidden(&self) -> u64 {
        self.unseated
    }
}
