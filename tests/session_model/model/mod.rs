//! What a session is, said as simply as possible: one thread, no slots, no fast path, everything looked up anew.
//!
//! It is written from the documentation of [`syncmgr::Session`] and [`syncmgr::SyncCallback`], not from their code, and
//! each method has the name of the one that it stands for. The whole machine:
//!
//! ```text
//! Open ------------------------------------------------------> Completed --> Released
//! Idle --> Preparing --> Prepared --> Synchronizing --> Completed
//!              |                                            ^ |
//!              +--- prepare failed -------------------------+ +--> Preparing (a retry)
//! ```

mod host;
mod item;
mod reporter;

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use syncmgr::{
    CallbackError, Completion, Dialog, ErrorFlags, ErrorId, HResult, HostEvent, ItemId, ItemStatus,
    LogLevel, LogRecord, LogSelector, Phase, ProgressUpdate, PropertiesOutcome, Verdict,
};

pub use host::{Changes, Sign};
pub use item::Item;
pub use reporter::{End, Reporter};

use CallbackError::{
    InvalidArgument, ItemFinished, LogFull, NotConnected, Released, UnknownErrorId, UnknownItem,
    WrongPhase,
};

/// Somebody who can be woken.
pub type Task = usize;

/// How many of them there are.
pub const TASKS: usize = 2;

/// How many refused completions are remembered.
const REFUSED: usize = 16;

/// How many completions of `show_error` and `show_properties` wait for the driver at most.
const COMPLETIONS: usize = 16;

/// An entry of the log, and its place in the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    pub sequence: usize,
    pub level: LogLevel,
    pub text: String,
    pub item: Option<ItemId>,
    pub error_id: Option<ErrorId>,
    pub flags: ErrorFlags,
}

/// An entry of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The item changed its status, its verdict or its part in the run; or something else of it, which nobody would see
    /// otherwise, as it is not in work.
    Item(ItemId),
    /// Everything was cancelled.
    CancelAll,
    /// The phase, the log or the handler's text.
    Other,
}

/// The one turn to show a dialog, and which session has it.
pub type Turn = Rc<Cell<Option<usize>>>;

/// How many connections are open, for the sessions that share them: with the last of these they are closed.
pub type Line = Rc<Cell<usize>>;

/// What a session is built of.
#[derive(Debug, Clone)]
pub struct Shape {
    pub driven: bool,
    pub items: Vec<ItemId>,
    pub log_capacity: usize,
    pub journal_capacity: usize,
    pub dialogs: bool,
    pub may_bother_user: bool,
}

#[derive(Debug)]
pub struct Session {
    number: usize,
    shape: Shape,
    turn: Turn,
    line: Option<Line>,
    pub phase: Phase,
    /// In the order in which they were built and added.
    pub items: Vec<Item>,
    /// The items of this round. None in an open session, and before the first prepare: every item takes part.
    round: Option<Vec<ItemId>>,
    /// The items of all rounds.
    rounds: BTreeSet<ItemId>,
    /// Proposed, and neither committed nor added: they are reported, and nobody sees them.
    pub proposed: Vec<Item>,
    /// Asked for and not taken, in that order.
    pub requested: Vec<ItemId>,
    pub cancelled: bool,
    pub journal: Vec<Note>,
    pub log: Vec<Entry>,
    pub log_refused: u64,
    pub text: String,
    pub events: VecDeque<HostEvent>,
    pub refused: Vec<(Completion, HResult, Phase)>,
    /// Who waits for the cancel of the whole.
    pub waiting: BTreeSet<Task>,
    pub wakes: [usize; TASKS],
    /// The strongest sign of life since `take_activity`, and the values that it saw.
    sign: Sign,
    seen: Vec<(ItemId, u32, u64)>,
}

/// Building, and what all the rest is made of.
impl Session {
    pub fn new(number: usize, shape: Shape, turn: Turn, line: Option<Line>) -> Self {
        Self {
            number,
            turn,
            line,
            phase: if shape.driven {
                Phase::Idle
            } else {
                Phase::Open
            },
            items: shape.items.iter().map(|id| Item::new(*id, 0)).collect(),
            round: None,
            rounds: BTreeSet::new(),
            proposed: Vec::new(),
            requested: Vec::new(),
            cancelled: false,
            journal: Vec::new(),
            log: Vec::new(),
            log_refused: 0,
            text: String::new(),
            events: VecDeque::new(),
            refused: Vec::new(),
            waiting: BTreeSet::new(),
            wakes: [0; TASKS],
            sign: Sign::None,
            seen: Vec::new(),
            shape,
        }
    }

    fn released(&self) -> Result<(), CallbackError> {
        match self.phase {
            Phase::Released => Err(Released),
            _ => Ok(()),
        }
    }

    pub fn find(&self, id: ItemId) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    /// An item that is listed or proposed.
    fn reported(&self, id: ItemId) -> Option<&Item> {
        let mut all = self.items.iter().chain(&self.proposed);
        all.find(|item| item.id == id)
    }

    fn is_proposed(&self, id: ItemId) -> bool {
        self.proposed.iter().any(|item| item.id == id)
    }

    fn known(&mut self, id: ItemId) -> Result<&mut Item, CallbackError> {
        self.released()?;
        let item = self.items.iter_mut().find(|item| item.id == id);
        item.ok_or(UnknownItem)
    }

    /// Without a round: every item does, unless none ever will.
    pub fn all_take_part(&self) -> bool {
        self.phase != Phase::Released || !self.shape.driven
    }

    pub fn takes_part(&self, id: ItemId) -> bool {
        match &self.round {
            Some(round) => round.contains(&id),
            None => self.all_take_part(),
        }
    }

    /// The item, if it takes part.
    fn part(&mut self, id: ItemId) -> Result<&mut Item, CallbackError> {
        let takes_part = self.takes_part(id);
        let item = self.known(id)?;
        if takes_part {
            Ok(item)
        } else {
            Err(UnknownItem)
        }
    }

    /// The item, if it may be reported: it takes part, or is proposed.
    fn reportable(&mut self, id: ItemId) -> Result<&mut Item, CallbackError> {
        self.released()?;
        match self.proposed.iter().position(|item| item.id == id) {
            Some(place) => Ok(&mut self.proposed[place]),
            None => self.part(id),
        }
    }

    fn takes_reports(&self) -> bool {
        matches!(
            self.phase,
            Phase::Open | Phase::Preparing | Phase::Prepared | Phase::Synchronizing
        )
    }

    fn note(&mut self, note: Note) {
        self.journal.push(note);
    }

    fn wake(&mut self, tasks: BTreeSet<Task>) {
        for task in tasks {
            self.wakes[task] += 1;
        }
    }

    fn wake_all(&mut self) {
        let mut tasks = Vec::new();
        for item in self.items.iter_mut().chain(&mut self.proposed) {
            tasks.push(std::mem::take(&mut item.waiting));
        }
        for tasks in tasks {
            self.wake(tasks);
        }
        let tasks = std::mem::take(&mut self.waiting);
        self.wake(tasks);
    }

    fn give_turn_back(&self) {
        if self.turn.get() == Some(self.number) {
            self.turn.set(None);
        }
    }

    /// No item is in work any more, each of those that were is told once more, and nobody waits.
    fn end_work(&mut self) {
        for n in 0..self.items.len() {
            if std::mem::take(&mut self.items[n].in_work) {
                self.note(Note::Item(self.items[n].id));
            }
        }
        for item in &mut self.proposed {
            item.in_work = false;
        }
        self.wake_all();
        self.give_turn_back();
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.note(Note::Other);
    }

    fn whole_verdict(&self) -> Verdict {
        if self.cancelled {
            Verdict::CancelAll
        } else {
            Verdict::Continue
        }
    }
}

/// The handler's side.
impl Session {
    pub fn progress(
        &mut self,
        id: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        let takes_reports = self.takes_reports();
        let is_hidden = self.is_proposed(id);
        let item = self.reportable(id)?;
        if !takes_reports {
            return Err(WrongPhase);
        }
        if item.is_finished() && update.status != Some(ItemStatus::Failed) {
            return Err(ItemFinished);
        }

        let (status, in_work) = (item.status, item.in_work);
        if let Some(text) = &update.text {
            item.text = cut(text, syncmgr::Session::TEXT_LIMIT);
        }
        if let Some(max) = update.max {
            item.max = max;
        }
        if let Some(value) = update.value {
            item.value = value;
            if item.status == ItemStatus::Pending {
                item.status = ItemStatus::Updating;
            }
        }
        if let Some(status) = update.status {
            item.status = status;
        }
        let begun = in_work || update.value.is_some() || item.status != ItemStatus::Pending;
        item.in_work = begun && !item.is_finished();

        let unseen = !in_work && !item.in_work && *update != ProgressUpdate::CHECK;
        let changed = item.status != status;
        let alone = item.verdict();
        let tasks = match item.is_finished() {
            true => std::mem::take(&mut item.waiting),
            false => BTreeSet::new(),
        };
        if (changed || unseen) && !is_hidden {
            self.note(Note::Item(id));
        }
        self.wake(tasks);
        Ok(alone.max(self.whole_verdict()))
    }

    pub fn log_error(&mut self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.released()?;
        if record.error_id == Some(ErrorId::NIL) {
            return Err(InvalidArgument);
        }
        if self.log.len() >= self.shape.log_capacity {
            self.log_refused += 1;
            return Err(LogFull);
        }
        self.note(Note::Other);
        self.log.push(Entry {
            sequence: self.journal.len(),
            level: record.level,
            text: cut(&record.text, syncmgr::Session::LOG_TEXT_LIMIT),
            item: record.item,
            error_id: record.error_id,
            flags: record.flags,
        });
        Ok(())
    }

    pub fn delete_log_error(&mut self, which: LogSelector) -> Result<(), CallbackError> {
        self.released()?;
        let before = self.log.len();
        match which {
            LogSelector::All => self.log.clear(),
            LogSelector::ById(id) => {
                self.log.retain(|entry| entry.error_id != Some(id));
                if self.log.len() == before {
                    return Err(UnknownErrorId);
                }
            }
        }
        if self.log.len() < before {
            self.note(Note::Other);
        }
        Ok(())
    }

    fn refuse(&mut self, call: Completion, result: HResult) -> Result<(), CallbackError> {
        if self.refused.len() < REFUSED {
            self.refused.push((call, result, self.phase));
        }
        Err(WrongPhase)
    }

    pub fn prepare_for_sync_completed(&mut self, result: HResult) -> Result<(), CallbackError> {
        self.released()?;
        if self.phase != Phase::Preparing {
            return self.refuse(Completion::Prepare, result);
        }
        if result == HResult::S_OK {
            self.enter(Phase::Prepared);
        } else {
            self.end_work();
            self.enter(Phase::Completed);
        }
        self.events.push_back(HostEvent::PrepareCompleted(result));
        Ok(())
    }

    pub fn synchronize_completed(&mut self, result: HResult) -> Result<(), CallbackError> {
        self.released()?;
        if self.phase != Phase::Open && self.phase != Phase::Synchronizing {
            return self.refuse(Completion::Synchronize, result);
        }
        self.end_work();
        self.enter(Phase::Completed);
        self.events
            .push_back(HostEvent::SynchronizeCompleted(result));
        Ok(())
    }

    pub fn show_error_completed(
        &mut self,
        result: HResult,
        items: &[ItemId],
    ) -> Result<(), CallbackError> {
        self.released()?;
        self.completed(HostEvent::ShowErrorCompleted(result, items.to_vec()))
    }

    pub fn show_properties_completed(
        &mut self,
        outcome: PropertiesOutcome,
    ) -> Result<(), CallbackError> {
        self.released()?;
        self.completed(HostEvent::ShowPropertiesCompleted(outcome))
    }

    fn completed(&mut self, event: HostEvent) -> Result<(), CallbackError> {
        use HostEvent::{ShowErrorCompleted, ShowPropertiesCompleted};
        let waiting = (self.events.iter())
            .filter(|event| matches!(event, ShowErrorCompleted(..) | ShowPropertiesCompleted(_)));
        if waiting.count() >= COMPLETIONS {
            return Err(WrongPhase);
        }
        self.give_turn_back();
        self.events.push_back(event);
        Ok(())
    }

    pub fn enable_modeless(&mut self, enable: bool) -> Result<Dialog, CallbackError> {
        self.released()?;
        if !enable {
            self.give_turn_back();
            return Ok(Dialog::Granted);
        }
        let allowed = self.shape.may_bother_user || !self.takes_reports();
        if self.shape.dialogs && allowed && self.turn.get().is_none() {
            self.turn.set(Some(self.number));
            Ok(Dialog::Granted)
        } else {
            Ok(Dialog::Denied)
        }
    }

    /// `made`: what the connector answers.
    pub fn establish_connection(
        &mut self,
        made: Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        self.released()?;
        let line = self.line.as_ref().ok_or(NotConnected)?;
        made?;
        line.set(line.get() + 1);
        Ok(())
    }

    pub fn can_continue(&mut self, id: Option<ItemId>) -> Result<Verdict, CallbackError> {
        match id {
            Some(id) => self.progress(id, &ProgressUpdate::CHECK),
            None => self.released().map(|()| self.whole_verdict()),
        }
    }

    pub fn wake_on_cancel(&mut self, id: Option<ItemId>, task: Task) -> Result<(), CallbackError> {
        let completed = self.phase == Phase::Completed;
        let late = match id {
            Some(id) => {
                let item = self.reportable(id)?;
                item.is_finished() || !item.verdict().is_continue() || completed
            }
            None => {
                self.released()?;
                self.cancelled || completed
            }
        };
        if late {
            self.wakes[task] += 1;
        } else if let Some(id) = id {
            self.reportable(id)?.waiting.insert(task);
        } else {
            self.waiting.insert(task);
        }
        Ok(())
    }

    pub fn add_item(&mut self, id: ItemId) -> Result<(), CallbackError> {
        self.released()?;
        if self.phase == Phase::Completed {
            return Err(WrongPhase);
        }
        let known = self.find(id).is_some();
        if id == ItemId::NIL || (known && self.takes_part(id)) {
            return Err(InvalidArgument);
        }
        let all = self.cancelled;
        if known {
            // It took no part: it starts anew, but only a retry takes a cancel back.
            let item = self.known(id)?;
            let (cancelled, skipped) = (item.cancelled, item.skipped);
            item.start_anew();
            item.cancelled = cancelled;
            item.skipped = skipped;
        } else {
            // A proposal is taken away, and who waits for it is woken.
            let proposal = self.take_proposal(id);
            let life = proposal.as_ref().map_or(0, |item| item.life + 1);
            self.items.push(Item::new(id, life));
            self.wake(proposal.map_or_else(BTreeSet::new, |item| item.waiting));
        }
        self.known(id)?.cancelled_with_all = all;
        if let Some(round) = &mut self.round {
            round.push(id);
            self.rounds.insert(id);
        }
        self.requested.retain(|other| *other != id);
        self.note(Note::Item(id));
        Ok(())
    }

    fn take_proposal(&mut self, id: ItemId) -> Option<Item> {
        let place = self.proposed.iter().position(|item| item.id == id)?;
        Some(self.proposed.remove(place))
    }

    pub fn propose_item(&mut self, id: ItemId) -> Result<(), CallbackError> {
        self.released()?;
        if id == ItemId::NIL || self.reported(id).is_some() {
            return Err(InvalidArgument);
        }
        let mut item = Item::new(id, 0);
        item.cancelled_with_all = self.cancelled;
        self.proposed.push(item);
        Ok(())
    }

    pub fn commit_item(&mut self, id: ItemId) -> Result<(), CallbackError> {
        self.released()?;
        let completed = self.phase == Phase::Completed;
        if completed && !self.shape.driven {
            return Err(WrongPhase);
        }
        let has_failed = |item: &Item| item.status == ItemStatus::Failed;
        if self.reported(id).is_some_and(has_failed) {
            return Err(InvalidArgument);
        }
        let Some(mut item) = self.take_proposal(id) else {
            return Err(InvalidArgument);
        };
        if let Some(round) = &mut self.round {
            if item.in_work || item.status != ItemStatus::Pending {
                // It was part of the round.
                self.rounds.insert(id);
                round.extend((!completed).then_some(id));
            } else {
                // It is listed, and takes no part.
                let tasks = std::mem::take(&mut item.waiting);
                self.wake(tasks);
            }
        }
        self.items.push(item);
        self.note(Note::Item(id));
        Ok(())
    }

    pub fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.released()?;
        let takes_part = |id: &ItemId| self.find(*id).is_some() && self.takes_part(*id);
        let requested = self.requested.iter().copied();
        Ok(requested.filter(|id| !takes_part(id)).collect())
    }

    pub fn set_handler_text(&mut self, text: &str) -> Result<Verdict, CallbackError> {
        self.released()?;
        self.text = cut(text, syncmgr::Session::TEXT_LIMIT);
        self.note(Note::Other);
        Ok(self.whole_verdict())
    }
}

/// A text as it is kept: at most `limit` bytes; a longer one ends in `…`.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=limit - '…'.len_utf8()).rev().find(fits);
    format!("{}…", &text[..end.unwrap_or(0)])
}
