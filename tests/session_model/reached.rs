//! Where the calls came: which answers each kind of call got, and which turns of a life were met. A property that no
//! sequence reaches is not tested.

use std::fmt;

use syncmgr::{CallbackError, Dialog, ItemId, ItemStatus, Phase, Verdict};

use crate::check::Answer;
use crate::model::{Changes, Session};
use crate::ops::{Call, KINDS, Kind};

/// An enum, and the list of its variants.
macro_rules! listed {
    ($(#[$doc:meta])* $name:ident, $list:ident { $($(#[$of:meta])* $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum $name { $($(#[$of])* $variant,)+ }

        const $list: &[$name] = &[$($name::$variant,)+];
    };
}

listed! {
    /// What a call came to: an answer, or an error.
    Outcome, OUTCOMES {
        Nothing,
        Done,
        Continue,
        CancelItem,
        CancelAll,
        Granted,
        Denied,
        Event,
        NoEvent,
        Heard,
        Silence,
        UnknownItem,
        InvalidArgument,
        ItemFinished,
        WrongPhase,
        Released,
        LogFull,
        UnknownErrorId,
        NotConnected,
        Items,
        NoItems,
        OtherCode,
    }
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Nothing => Self::Nothing,
            Answer::Done(Ok(())) => Self::Done,
            Answer::Items(Ok(items)) if items.is_empty() => Self::NoItems,
            Answer::Items(Ok(_)) => Self::Items,
            Answer::Verdict(Ok(Verdict::Continue)) => Self::Continue,
            Answer::Verdict(Ok(Verdict::CancelItem)) => Self::CancelItem,
            Answer::Verdict(Ok(Verdict::CancelAll)) => Self::CancelAll,
            Answer::Dialog(Ok(Dialog::Granted)) => Self::Granted,
            Answer::Dialog(Ok(Dialog::Denied)) => Self::Denied,
            Answer::Event(Some(_)) => Self::Event,
            Answer::Event(None) => Self::NoEvent,
            Answer::Active(true) => Self::Heard,
            Answer::Active(false) => Self::Silence,
            Answer::Verdict(Err(error))
            | Answer::Done(Err(error))
            | Answer::Dialog(Err(error))
            | Answer::Items(Err(error)) => match error {
                CallbackError::UnknownItem => Self::UnknownItem,
                CallbackError::InvalidArgument => Self::InvalidArgument,
                CallbackError::ItemFinished => Self::ItemFinished,
                CallbackError::WrongPhase => Self::WrongPhase,
                CallbackError::Released => Self::Released,
                CallbackError::LogFull => Self::LogFull,
                CallbackError::UnknownErrorId => Self::UnknownErrorId,
                CallbackError::NotConnected => Self::NotConnected,
                _ => Self::OtherCode,
            },
        }
    }
}

listed! {
    /// A turn of a life that an answer does not tell.
    Turn, TURNS {
    /// A prepare after a completion.
    Retry,
    /// A first prepare that leaves items out.
    LeftOut,
    /// A known item that took no part was added.
    Joined,
    /// The same, and a cancel from before holds.
    JoinedCancelled,
    /// The same, and a skip from before holds.
    JoinedSkipped,
    AddedAfterCancelAll,
    CancelledInWork,
    CancelledBeforeItsFirstReport,
    CancelledAfterItsEnd,
    CancelledAfterTheCompletion,
    AllCancelledInWork,
    /// The final status of a cancelled item.
    EndAfterCancel,
    /// FAILED after another final status.
    LateFailed,
    /// The same after `cancel_all`, which the item was not told of.
    LateFailedAfterCancelAll,
    /// A reporter from before a retry, in a session that is not released.
    StaleReporter,
    /// An advance past the largest value.
    Wrapped,
    CutText,
    CutLogText,
    WokenAtOnce,
    WokenLater,
    /// One that waited for an item which the prepare left out.
    WokenByPrepare,
    WokenByRelease,
    ReleasedInWork,
    /// A second completion of the same step.
    CompletedTwice,
    PrepareFailed,
    /// A look at the journal that reaches back far enough, and lists something.
    WholeJournal,
    CutJournal,
    Over,
}
}

/// Every answer that each kind of call can get.
const ANSWERS: &[(Kind, &[Outcome])] = {
    use Outcome::*;
    const REPORT: &[Outcome] = &[
        Continue,
        CancelItem,
        CancelAll,
        UnknownItem,
        ItemFinished,
        WrongPhase,
        Released,
    ];
    &[
        (Kind::Progress, REPORT),
        (Kind::TakeActivity, &[Heard, Silence]),
        (Kind::CanContinue, REPORT),
        (Kind::Set, REPORT),
        (Kind::Advance, REPORT),
        (Kind::Check, REPORT),
        (Kind::Report, REPORT),
        (
            Kind::End,
            &[Done, UnknownItem, ItemFinished, WrongPhase, Released],
        ),
        (Kind::LogError, &[Done, InvalidArgument, LogFull, Released]),
        (Kind::DeleteLogError, &[Done, UnknownErrorId, Released]),
        (Kind::PrepareCompleted, &[Done, WrongPhase, Released]),
        (Kind::SynchronizeCompleted, &[Done, WrongPhase, Released]),
        (Kind::ShowErrorCompleted, &[Done, Released]),
        (Kind::ShowPropertiesCompleted, &[Done, Released]),
        (Kind::EnableModeless, &[Granted, Denied, Released]),
        (
            Kind::EstablishConnection,
            &[Done, NotConnected, OtherCode, Released],
        ),
        (Kind::WakeOnCancel, &[Done, UnknownItem, Released]),
        (
            Kind::AddItem,
            &[Done, InvalidArgument, WrongPhase, Released],
        ),
        (Kind::ProposeItem, &[Done, InvalidArgument, Released]),
        (
            Kind::CommitItem,
            &[Done, InvalidArgument, WrongPhase, Released],
        ),
        (Kind::AdditionalItems, &[Items, NoItems, Released]),
        (Kind::RequestItems, &[Done, InvalidArgument, Released]),
        (Kind::WithdrawItems, &[Nothing]),
        (Kind::HandlerText, &[Continue, CancelAll, Released]),
        (Kind::MakeReporter, &[Done, UnknownItem, Released]),
        (Kind::DropReporter, &[Nothing]),
        (Kind::CancelItem, &[Done, UnknownItem, Released]),
        (Kind::SkipItem, &[Done, UnknownItem, Released]),
        (Kind::CancelAll, &[Nothing]),
        (
            Kind::BeginPrepare,
            &[Done, UnknownItem, WrongPhase, InvalidArgument, Released],
        ),
        (Kind::BeginSynchronize, &[Done, WrongPhase, Released]),
        (Kind::Release, &[Nothing]),
        (Kind::HostEvent, &[Event, NoEvent]),
        (Kind::KeepCursor, &[Nothing]),
    ]
};

/// How often each answer and each turn was met.
#[derive(Clone)]
pub struct Reached {
    answers: [[u64; OUTCOMES.len()]; KINDS.len()],
    turns: [u64; TURNS.len()],
}

/// What a call found.
pub struct Before {
    phase: Phase,
    cancelled: bool,
    items: usize,
    working: bool,
    wakes: usize,
    /// The item that the call names, if it names one: its status, and whether it took part.
    item: Option<(ItemStatus, bool)>,
}

impl Before {
    pub fn new(model: &Session, call: &Call) -> Self {
        let item = named(call).and_then(|id| model.find(id));
        Self {
            phase: model.phase,
            cancelled: model.cancelled,
            items: model.items.len(),
            working: model.items.iter().any(|item| item.in_work),
            wakes: model.wakes.iter().sum(),
            item: item.map(|item| (item.status, model.takes_part(item.id))),
        }
    }
}

fn named(call: &Call) -> Option<ItemId> {
    match call {
        Call::Progress(id, _) | Call::AddItem(id) | Call::CancelItem(id) | Call::SkipItem(id) => {
            Some(*id)
        }
        _ => None,
    }
}

impl Reached {
    pub fn new() -> Self {
        Self {
            answers: [[0; OUTCOMES.len()]; KINDS.len()],
            turns: [0; TURNS.len()],
        }
    }

    fn answers(&self, kind: Kind, outcome: Outcome) -> u64 {
        self.answers[kind as usize][outcome as usize]
    }

    /// The answers and turns that were not met.
    pub fn missed(&self) -> Vec<String> {
        let answers = ANSWERS.iter().flat_map(|(kind, outcomes)| {
            let missed = outcomes
                .iter()
                .filter(|outcome| self.answers(*kind, **outcome) == 0);
            missed.map(move |outcome| format!("{kind:?}: {outcome:?}"))
        });
        let turns = TURNS.iter().filter(|turn| self.turns[**turn as usize] == 0);
        answers
            .chain(turns.map(|turn| format!("{turn:?}")))
            .collect()
    }

    /// Adds what other sequences have met.
    pub fn add(&mut self, other: &Self) {
        let met = other.answers.as_flattened().iter().chain(&other.turns);
        let all = self.answers.as_flattened_mut().iter_mut();
        for (all, met) in all.chain(&mut self.turns).zip(met) {
            *all += met;
        }
    }

    fn turn(&mut self, turn: Turn, met: bool) {
        self.turns[turn as usize] += u64::from(met);
    }

    /// What a call did, by the model.
    pub fn after(&mut self, before: &Before, call: &Call, answer: &Answer, model: &Session) {
        let outcome = Outcome::of(answer);
        self.answers[call.kind() as usize][outcome as usize] += 1;

        let done = outcome == Outcome::Done;
        let taken = matches!(
            outcome,
            Outcome::Continue | Outcome::CancelItem | Outcome::CancelAll
        );
        let woken = model.wakes.iter().sum::<usize>() > before.wakes;
        let released = model.phase == Phase::Released;
        let was = before.item;
        let now = named(call).and_then(|id| model.find(id));
        match call {
            Call::BeginPrepare(_) if done => {
                let first = before.phase == Phase::Idle;
                let out = |item: &crate::model::Item| !model.takes_part(item.id);
                self.turn(Turn::Retry, !first);
                self.turn(Turn::LeftOut, first && model.items.iter().any(out));
                self.turn(Turn::WokenByPrepare, woken);
            }
            Call::AddItem(_) if done => {
                let joined = before.items == model.items.len();
                let is = |what: fn(&crate::model::Item) -> bool| joined && now.is_some_and(what);
                self.turn(Turn::Joined, joined);
                self.turn(Turn::JoinedCancelled, is(|item| item.cancelled));
                self.turn(Turn::JoinedSkipped, is(|item| item.skipped));
                self.turn(Turn::AddedAfterCancelAll, before.cancelled);
            }
            Call::CancelItem(_) | Call::SkipItem(_) if done => {
                let status = was.map_or(ItemStatus::Pending, |(status, _)| status);
                let working = now.is_some_and(|item| item.in_work);
                let completed = before.phase == Phase::Completed;
                self.turn(Turn::CancelledInWork, working);
                self.turn(
                    Turn::CancelledBeforeItsFirstReport,
                    status == ItemStatus::Pending,
                );
                self.turn(Turn::CancelledAfterItsEnd, status.is_final());
                self.turn(Turn::CancelledAfterTheCompletion, completed);
                self.turn(Turn::WokenLater, woken);
            }
            Call::CancelAll => {
                let news = model.cancelled && !before.cancelled;
                self.turn(Turn::AllCancelledInWork, news && before.working);
            }
            Call::Progress(_, update) if taken => {
                let late = was.is_some_and(|(status, _)| status.is_final());
                let ends = update.status.is_some_and(ItemStatus::is_final);
                let untold = late && before.cancelled && outcome == Outcome::CancelAll;
                let untold = untold && now.is_some_and(|item| !item.cancelled_with_all);
                let cut = now.is_some_and(|item| item.text.ends_with('…'));
                self.turn(
                    Turn::EndAfterCancel,
                    ends && !late && outcome != Outcome::Continue,
                );
                self.turn(Turn::LateFailed, late);
                self.turn(Turn::LateFailedAfterCancelAll, untold);
                self.turn(Turn::CutText, update.text.is_some() && cut);
            }
            Call::Set(..) | Call::Check(_) | Call::Report(..) => {
                let stale = outcome == Outcome::Released && !released;
                self.turn(Turn::StaleReporter, stale);
            }
            Call::Advance(_, amount) => {
                let wrapped = |item: &crate::model::Item| item.value < *amount && item.in_work;
                let wrapped = *amount > 7 && model.items.iter().any(wrapped);
                self.turn(Turn::Wrapped, taken && wrapped);
            }
            Call::LogError(_) if done => {
                let cut = model
                    .log
                    .last()
                    .is_some_and(|entry| entry.text.ends_with('…'));
                self.turn(Turn::CutLogText, cut);
            }
            Call::WakeOnCancel(..) => self.turn(Turn::WokenAtOnce, woken),
            Call::Release => {
                self.turn(Turn::WokenByRelease, woken);
                self.turn(Turn::ReleasedInWork, before.working);
            }
            Call::SynchronizeCompleted(_) => {
                let twice = outcome == Outcome::WrongPhase && before.phase == Phase::Completed;
                self.turn(Turn::CompletedTwice, twice);
            }
            Call::PrepareCompleted(_) if done => {
                self.turn(Turn::PrepareFailed, model.phase == Phase::Completed);
            }
            _ => {}
        }
    }

    /// What a look at the journal shows.
    pub fn looked(&mut self, changes: &Changes) {
        self.turn(
            Turn::WholeJournal,
            changes.complete && !changes.items.is_empty(),
        );
        self.turn(Turn::CutJournal, !changes.complete);
        self.turn(Turn::Over, changes.over);
    }
}

impl fmt::Display for Reached {
    /// A line a kind of call, with its answers, and a line a turn.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, _) in KINDS {
            write!(f, "{kind:?}:")?;
            for outcome in OUTCOMES {
                match self.answers(kind, *outcome) {
                    0 => {}
                    count => write!(f, " {outcome:?} {count}")?,
                }
            }
            writeln!(f)?;
        }
        for turn in TURNS {
            writeln!(f, "{turn:?} {}", self.turns[*turn as usize])?;
        }
        Ok(())
    }
}
