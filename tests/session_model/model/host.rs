//! The host's side of the model: the user's cancels, the driver's phases and events; and what observers see.

use syncmgr::{CallbackError, HostEvent, ItemId, ItemStatus, Phase, Totals};

use CallbackError::{InvalidArgument, WrongPhase};

use super::{Entry, Item, Note, Session};

/// What `changes` answers.
#[derive(Debug)]
pub struct Changes {
    pub items: Vec<ItemId>,
    pub log: Vec<Entry>,
    pub complete: bool,
    pub over: bool,
}

/// A sign of life, by its strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    None,
    /// A plain value was taken: a sign if it is another one.
    Value,
    /// It need not count.
    Unsure,
    /// A call, whatever it was answered.
    Call,
}

/// The host's side.
impl Session {
    pub fn cancel_item(&mut self, id: ItemId) -> Result<(), CallbackError> {
        let item = self.part(id)?;
        if item.is_finished() {
            return Ok(());
        }
        let news = !std::mem::replace(&mut item.cancelled, true);
        let tasks = std::mem::take(&mut item.waiting);
        if news {
            self.note(Note::Item(id));
        }
        self.wake(tasks);
        Ok(())
    }

    pub fn skip_item(&mut self, id: ItemId) -> Result<(), CallbackError> {
        self.cancel_item(id)?;
        let item = self.part(id)?;
        if !item.is_finished() && !std::mem::replace(&mut item.skipped, true) {
            self.events.push_back(HostEvent::Skip(id));
        }
        Ok(())
    }

    pub fn cancel_all(&mut self) {
        if self.cancelled || self.phase == Phase::Released {
            return;
        }
        self.cancelled = true;
        for item in self.items.iter_mut().chain(&mut self.proposed) {
            item.cancelled_with_all = !item.is_finished();
        }
        self.note(Note::CancelAll);
        self.wake_all();
    }

    pub fn begin_prepare(&mut self, ids: &[ItemId]) -> Result<(), CallbackError> {
        self.released()?;
        for id in ids {
            self.known(*id)?;
        }
        let first = self.phase == Phase::Idle;
        let retry = self.phase == Phase::Completed && self.shape.driven && !self.cancelled;
        if !first && !retry {
            return Err(WrongPhase);
        }
        if ids.is_empty() {
            return Err(InvalidArgument);
        }

        let mut round: Vec<ItemId> = Vec::new();
        for id in ids {
            if !round.contains(id) {
                round.push(*id);
            }
        }
        for n in 0..self.items.len() {
            let item = &mut self.items[n];
            let (id, named) = (item.id, round.contains(&item.id));
            if retry && named {
                item.start_anew();
                self.note(Note::Item(id));
            } else if first && !named {
                let tasks = std::mem::take(&mut item.waiting);
                self.note(Note::Item(id));
                self.wake(tasks);
            }
        }
        for item in self.proposed.iter_mut().filter(|_| retry) {
            if !item.is_finished() || item.status == ItemStatus::Failed {
                item.start_anew();
            }
        }
        self.rounds.extend(&round);
        self.requested.retain(|id| !round.contains(id));
        self.round = Some(round);
        self.enter(Phase::Preparing);
        Ok(())
    }

    pub fn begin_synchronize(&mut self) -> Result<(), CallbackError> {
        self.released()?;
        if self.phase != Phase::Prepared {
            return Err(WrongPhase);
        }
        self.enter(Phase::Synchronizing);
        Ok(())
    }

    pub fn request_items(&mut self, ids: &[ItemId]) -> Result<(), CallbackError> {
        self.released()?;
        if ids.contains(&ItemId::NIL) {
            return Err(InvalidArgument);
        }
        for id in ids {
            if !self.requested.contains(id) {
                self.requested.push(*id);
            }
        }
        Ok(())
    }

    pub fn release(&mut self) {
        if self.phase == Phase::Released {
            return;
        }
        let unprepared = self.shape.driven && self.round.is_none();
        for n in 0..self.items.len() {
            // It is told once, whether it was in work, or takes no part any more.
            if unprepared && !std::mem::take(&mut self.items[n].in_work) {
                self.note(Note::Item(self.items[n].id));
            }
        }
        self.end_work();
        self.line = None;
        self.enter(Phase::Released);
    }

    pub fn host_event(&mut self) -> Option<HostEvent> {
        self.events.pop_front()
    }

    pub fn is_skipped(&self, id: ItemId) -> bool {
        let holds = |item: &Item| item.skipped && !item.is_finished();
        self.takes_part(id) && self.find(id).is_some_and(holds)
    }

    /// The handler made a call, or something else happened.
    pub fn called(&mut self, sign: Sign) {
        self.sign = self.sign.max(sign);
    }

    /// None: either answer will do.
    pub fn take_activity(&mut self) -> Option<bool> {
        let all = self.items.iter().chain(&self.proposed);
        let working = all.filter(|item| item.in_work);
        let values: Vec<_> = working
            .map(|item| (item.id, item.life, item.value))
            .collect();
        let changed = values != self.seen;
        self.seen = values;
        let sign = std::mem::replace(&mut self.sign, Sign::None);
        match sign {
            // Nobody listens any more.
            _ if self.phase == Phase::Released => None,
            Sign::Call => Some(true),
            Sign::Unsure => None,
            // Values may have come and gone again, or be what they were.
            Sign::Value => changed.then_some(true),
            Sign::None => Some(changed),
        }
    }

    pub fn unfinished_items(&self) -> Vec<ItemId> {
        let all = || self.items.iter().map(|item| item.id).collect();
        let mut open = self.round.clone().unwrap_or_else(all);
        open.retain(|id| self.find(*id).is_some_and(|item| !item.is_finished()));
        open
    }
}

/// The observer's side.
impl Session {
    pub fn is_selected(&self, id: ItemId) -> bool {
        match self.round {
            None => self.all_take_part(),
            Some(_) => self.rounds.contains(&id),
        }
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let (mut max, mut measured) = (0_u128, 0_u128);
        for item in self.items.iter().filter(|item| self.is_selected(item.id)) {
            let most = if item.max > 0 { item.max } else { u64::MAX };
            totals.value = totals.value.saturating_add(item.value.min(most));
            if item.max > 0 {
                measured += u128::from(item.value.min(most));
            }
            max += u128::from(item.max);
            totals.max = totals.max.saturating_add(item.max);
            totals.items += 1;
            totals.finished += u64::from(item.is_finished());
        }
        // Scaled down where the sum of the maxima does not fit.
        let limit = u128::from(u64::MAX);
        totals.measured = match u64::try_from(max) {
            Ok(_) => measured as u64,
            Err(_) => {
                let halvings = 64 - max.leading_zeros();
                ((measured >> halvings) * limit / (max >> halvings)) as u64
            }
        };
        totals
    }

    /// `since`: how long the journal was.
    pub fn changes(&self, since: usize) -> Changes {
        let news = &self.journal[since..];
        let told = |item: &&Item| {
            item.in_work
                || news.contains(&Note::Item(item.id))
                || (news.contains(&Note::CancelAll)
                    && self.is_selected(item.id)
                    && !item.is_finished())
        };
        Changes {
            items: self.items.iter().filter(told).map(|item| item.id).collect(),
            log: self.log_since(since).cloned().collect(),
            complete: news.len() <= self.shape.journal_capacity.max(1),
            over: match self.phase {
                Phase::Released => true,
                Phase::Completed => !self.shape.driven,
                _ => false,
            },
        }
    }

    fn log_since(&self, since: usize) -> impl Iterator<Item = &Entry> {
        self.log.iter().filter(move |entry| entry.sequence > since)
    }
}
