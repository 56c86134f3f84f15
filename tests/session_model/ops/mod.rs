//! Any bytes as the shape of two sessions and a sequence of calls on them.
//!
//! A record is four bytes. The first two records shape the sessions, each further one is a call: its kind, whom it is
//! about, and two bytes of arguments. Bytes that are missing at the end count as 0, so every string of bytes means
//! something, and dropping a record drops a call. Ids and values are few, so that calls meet.

mod arguments;

use syncmgr::{
    ErrorOutcome, HResult, ItemId, ItemName, LogRecord, LogSelector, Phase, ProgressUpdate,
    PropertiesOutcome, SyncItem,
};

use crate::model::{End, Session, Shape, TASKS, Task};
use arguments::{RESULTS, end, error, item_id, log_record, several, small, text, update};

/// How many sessions there are.
pub const SESSIONS: usize = 2;

/// How many reporters are kept at the same time.
pub const HANDS: usize = 2;

/// How many cursors each session's observer keeps.
pub const CURSORS: usize = 2;

/// The ids that calls name are those below, and now and then the nil id, which is number 0.
pub const IDS: u8 = 8;

/// How long a record is.
pub const RECORD: usize = 4;

pub type Record = [u8; RECORD];

/// How a reporter is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Session,
    Callback,
    Wrapper,
}

/// A call, as it is made on the session and on the model.
#[derive(Debug, Clone)]
pub enum Call {
    Progress(ItemId, ProgressUpdate<'static>),
    TakeActivity,
    CanContinue(Option<ItemId>),
    LogError(LogRecord<'static>),
    DeleteLogError(LogSelector),
    PrepareCompleted(HResult),
    SynchronizeCompleted(HResult),
    ShowErrorCompleted(HResult, Vec<ItemId>),
    ShowPropertiesCompleted(PropertiesOutcome),
    EnableModeless(bool),
    EstablishConnection(Option<&'static str>),
    WakeOnCancel(Option<ItemId>, Task),
    AddItem(ItemId),
    ProposeItem(ItemId),
    CommitItem(ItemId),
    AdditionalItems,
    RequestItems(Vec<ItemId>),
    WithdrawItems(Vec<ItemId>),
    HandlerText(&'static str),
    /// Puts a reporter into a hand, if one is to be had.
    MakeReporter(usize, ItemId, Way),
    Set(usize, u64),
    Advance(usize, u64),
    Check(usize),
    Report(usize, ProgressUpdate<'static>),
    End(usize, End<'static>),
    DropReporter(usize),
    CancelItem(ItemId),
    SkipItem(ItemId),
    CancelAll,
    BeginPrepare(Vec<ItemId>),
    BeginSynchronize,
    /// The call that belongs in the phase, to be chosen by these two bytes when it is known.
    Step(u8, u8),
    Release,
    HostEvent,
    /// The observer keeps the cursor of this moment.
    KeepCursor(usize),
}

/// The kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Progress,
    TakeActivity,
    CanContinue,
    LogError,
    DeleteLogError,
    PrepareCompleted,
    SynchronizeCompleted,
    ShowErrorCompleted,
    ShowPropertiesCompleted,
    EnableModeless,
    EstablishConnection,
    WakeOnCancel,
    AddItem,
    ProposeItem,
    CommitItem,
    AdditionalItems,
    RequestItems,
    WithdrawItems,
    HandlerText,
    MakeReporter,
    Set,
    Advance,
    Check,
    Report,
    End,
    DropReporter,
    CancelItem,
    SkipItem,
    CancelAll,
    BeginPrepare,
    BeginSynchronize,
    Step,
    Release,
    HostEvent,
    KeepCursor,
}

/// Each kind, and how many of the 256 values of a byte mean it.
pub const KINDS: [(Kind, u8); 35] = [
    (Kind::Progress, 52),
    (Kind::TakeActivity, 3),
    (Kind::CanContinue, 6),
    (Kind::LogError, 10),
    (Kind::DeleteLogError, 4),
    (Kind::PrepareCompleted, 4),
    (Kind::SynchronizeCompleted, 4),
    (Kind::ShowErrorCompleted, 3),
    (Kind::ShowPropertiesCompleted, 2),
    (Kind::EnableModeless, 8),
    (Kind::EstablishConnection, 3),
    (Kind::WakeOnCancel, 10),
    (Kind::AddItem, 7),
    (Kind::ProposeItem, 3),
    (Kind::CommitItem, 3),
    (Kind::AdditionalItems, 1),
    (Kind::RequestItems, 3),
    (Kind::WithdrawItems, 1),
    (Kind::HandlerText, 3),
    (Kind::MakeReporter, 8),
    (Kind::Set, 18),
    (Kind::Advance, 12),
    (Kind::Check, 5),
    (Kind::Report, 9),
    (Kind::End, 7),
    (Kind::DropReporter, 1),
    (Kind::CancelItem, 6),
    (Kind::SkipItem, 5),
    (Kind::CancelAll, 2),
    (Kind::BeginPrepare, 6),
    (Kind::BeginSynchronize, 2),
    (Kind::Step, 34),
    (Kind::Release, 2),
    (Kind::HostEvent, 5),
    (Kind::KeepCursor, 4),
];

impl Kind {
    fn decode(byte: u8) -> Self {
        let mut below = 0_u32;
        let found = KINDS.iter().find(|(_, weight)| {
            below += u32::from(*weight);
            u32::from(byte) < below
        });
        found.map_or(Self::KeepCursor, |(kind, _)| *kind)
    }
}

/// The id with this number.
pub fn id(number: u8) -> ItemId {
    ItemId::from_u128(number.into())
}

/// The name of an item.
pub fn name(item: ItemId) -> &'static str {
    const NAMES: [&str; IDS as usize] = ["nil", "one", "two", "three", "4", "5", "6", "7"];
    NAMES.get(item.as_u128() as usize).copied().unwrap_or("?")
}

/// An item as a handler describes it.
pub fn item(id: ItemId) -> SyncItem {
    SyncItem::new(id, ItemName::truncate_start(name(id)))
}

/// What the bytes mean.
#[derive(Debug)]
pub struct Plan {
    pub shapes: [Shape; SESSIONS],
    pub connected: [bool; SESSIONS],
    /// The sessions share the turn to show a dialog.
    pub one_turn: bool,
    /// After every so many calls all looks are compared.
    pub looks: usize,
    /// The calls, and the session that each is made on.
    pub calls: Vec<(usize, Call)>,
}

impl Plan {
    pub fn decode(bytes: &[u8]) -> Self {
        let mut records = bytes.chunks(RECORD).map(|chunk| {
            let mut record = Record::default();
            for (to, from) in record.iter_mut().zip(chunk) {
                *to = *from;
            }
            record
        });
        let first = records.next().unwrap_or_default();
        let second = records.next().unwrap_or_default();
        // Mostly the first session is led into its first round.
        let steps = if first[2] >= 0x60 { 3 } else { 0 };
        let opening = std::iter::repeat_n((0, Call::Step(0, 0)), steps);
        Self {
            shapes: [shape(first), shape(second)],
            connected: [first, second].map(|[bits, ..]| bits & 0x40 != 0),
            one_turn: first[0] & 0x80 == 0,
            looks: 1 + usize::from(first[1] >> 4) / 4,
            calls: opening.chain(records.map(call)).collect(),
        }
    }
}

fn shape([bits, items, log, journal]: Record) -> Shape {
    const ITEMS: [u8; 8] = [3, 4, 2, 5, 3, 1, 4, 0];
    const LOG: [usize; 8] = [3, 2, 1, 4, 8, 0, 2, 5];
    const JOURNAL: [usize; 8] = [64, 4, 16, 128, 1, 8, 0, 32];
    Shape {
        driven: bits & 3 != 3,
        dialogs: bits & 0xC != 0xC,
        may_bother_user: bits & 0x30 != 0x30,
        items: (1..=ITEMS[usize::from(items) % 8]).map(id).collect(),
        log_capacity: LOG[usize::from(log) % 8],
        journal_capacity: JOURNAL[usize::from(journal) % 8],
    }
}

/// The call that a record means, and the session that it is made on: mostly the first.
fn call([kind, who, x, y]: Record) -> (usize, Call) {
    let session = usize::from(who >= 0xD0);
    let item = item_id(who);
    let hand = usize::from(x) % HANDS;
    let or_none = |item| if x & 3 == 3 { None } else { Some(item) };
    let call = match Kind::decode(kind) {
        Kind::Progress => Call::Progress(item, update(x, y)),
        Kind::TakeActivity => Call::TakeActivity,
        Kind::CanContinue => Call::CanContinue(or_none(item)),
        Kind::LogError => Call::LogError(log_record(who, x, y)),
        Kind::DeleteLogError => Call::DeleteLogError(match x & 3 {
            3 => LogSelector::All,
            _ => LogSelector::ById(error(y)),
        }),
        Kind::PrepareCompleted => Call::PrepareCompleted(RESULTS[usize::from(x) % 8]),
        Kind::SynchronizeCompleted => Call::SynchronizeCompleted(RESULTS[usize::from(x) % 8]),
        Kind::ShowErrorCompleted => {
            let items = several(y);
            let outcome = ErrorOutcome::from_raw(RESULTS[usize::from(x) % 8], &items);
            Call::ShowErrorCompleted(outcome.into(), outcome.items().to_vec())
        }
        Kind::ShowPropertiesCompleted => Call::ShowPropertiesCompleted(match x & 3 {
            0 => PropertiesOutcome::Done,
            1 => PropertiesOutcome::ItemDeleted,
            2 => PropertiesOutcome::ItemsChanged,
            _ => PropertiesOutcome::Other(RESULTS[usize::from(y) % 8]),
        }),
        Kind::EnableModeless => Call::EnableModeless(x & 3 != 3),
        Kind::EstablishConnection => {
            const NAMES: [Option<&str>; 4] = [None, Some("office"), Some(BROKEN), Some("")];
            Call::EstablishConnection(NAMES[usize::from(x) % 4])
        }
        Kind::WakeOnCancel => Call::WakeOnCancel(or_none(item), usize::from(y) % TASKS),
        Kind::AddItem => Call::AddItem(item),
        Kind::ProposeItem => Call::ProposeItem(item),
        Kind::CommitItem => Call::CommitItem(item),
        Kind::AdditionalItems => Call::AdditionalItems,
        Kind::WithdrawItems => Call::WithdrawItems(several(x)),
        Kind::RequestItems => {
            let mut items = several(x);
            if y & 7 == 7 {
                items.push(ItemId::NIL);
            }
            Call::RequestItems(items)
        }
        Kind::HandlerText => Call::HandlerText(text(y)),
        Kind::MakeReporter => Call::MakeReporter(
            hand,
            item,
            match x >> 5 {
                0..=4 => Way::Session,
                5 => Way::Callback,
                _ => Way::Wrapper,
            },
        ),
        Kind::Set => Call::Set(hand, small(y)),
        Kind::Advance => Call::Advance(hand, small(y)),
        Kind::Check => Call::Check(hand),
        Kind::Report => Call::Report(usize::from(who) % HANDS, update(x, y)),
        Kind::End => Call::End(hand, end(x, y)),
        Kind::DropReporter => Call::DropReporter(hand),
        Kind::CancelItem => Call::CancelItem(item),
        Kind::SkipItem => Call::SkipItem(item),
        Kind::CancelAll => Call::CancelAll,
        Kind::BeginPrepare => Call::BeginPrepare(several(x)),
        Kind::BeginSynchronize => Call::BeginSynchronize,
        Kind::Step => Call::Step(x, y),
        Kind::Release => Call::Release,
        Kind::HostEvent => Call::HostEvent,
        Kind::KeepCursor => Call::KeepCursor(usize::from(x) % CURSORS),
    };
    (session, call)
}

/// The name of the connection that cannot be made.
pub const BROKEN: &str = "broken";

impl Call {
    /// The call that is made in a session where the model stands so, and where `empty` says whether a hand has no reporter.
    /// Most calls are made as they are; but if each round had to begin, go on and end by chance, there would be few.
    pub fn settle(&self, model: &Session, empty: impl Fn(usize) -> bool) -> Self {
        match *self {
            Self::Step(x, y) => {
                let result = match y {
                    0xE0.. => RESULTS[usize::from(y) % 8],
                    _ => HResult::S_OK,
                };
                match model.phase {
                    Phase::Idle | Phase::Completed if x >= 0xA0 => Self::BeginPrepare(several(x)),
                    Phase::Idle | Phase::Completed => {
                        Self::BeginPrepare(model.items.iter().map(|item| item.id).collect())
                    }
                    Phase::Preparing => Self::PrepareCompleted(result),
                    Phase::Prepared => Self::BeginSynchronize,
                    _ if x >= 0xC0 => Self::SynchronizeCompleted(result),
                    _ => Self::Progress(item_id(x), update(x, y)),
                }
            }
            Self::Set(hand, value) if empty(hand) => {
                Self::MakeReporter(hand, item_id(value as u8), Way::Session)
            }
            Self::Advance(hand, amount) if empty(hand) => {
                Self::MakeReporter(hand, item_id(amount as u8), Way::Callback)
            }
            _ => self.clone(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Progress(..) => Kind::Progress,
            Self::TakeActivity => Kind::TakeActivity,
            Self::CanContinue(..) => Kind::CanContinue,
            Self::LogError(..) => Kind::LogError,
            Self::DeleteLogError(..) => Kind::DeleteLogError,
            Self::PrepareCompleted(..) => Kind::PrepareCompleted,
            Self::SynchronizeCompleted(..) => Kind::SynchronizeCompleted,
            Self::ShowErrorCompleted(..) => Kind::ShowErrorCompleted,
            Self::ShowPropertiesCompleted(..) => Kind::ShowPropertiesCompleted,
            Self::EnableModeless(..) => Kind::EnableModeless,
            Self::EstablishConnection(..) => Kind::EstablishConnection,
            Self::WakeOnCancel(..) => Kind::WakeOnCancel,
            Self::AddItem(..) => Kind::AddItem,
            Self::ProposeItem(..) => Kind::ProposeItem,
            Self::CommitItem(..) => Kind::CommitItem,
            Self::AdditionalItems => Kind::AdditionalItems,
            Self::RequestItems(..) => Kind::RequestItems,
            Self::WithdrawItems(..) => Kind::WithdrawItems,
            Self::HandlerText(..) => Kind::HandlerText,
            Self::MakeReporter(..) => Kind::MakeReporter,
            Self::Set(..) => Kind::Set,
            Self::Advance(..) => Kind::Advance,
            Self::Check(..) => Kind::Check,
            Self::Report(..) => Kind::Report,
            Self::End(..) => Kind::End,
            Self::DropReporter(..) => Kind::DropReporter,
            Self::CancelItem(..) => Kind::CancelItem,
            Self::SkipItem(..) => Kind::SkipItem,
            Self::CancelAll => Kind::CancelAll,
            Self::BeginPrepare(..) => Kind::BeginPrepare,
            Self::BeginSynchronize => Kind::BeginSynchronize,
            Self::Step(..) => Kind::Step,
            Self::Release => Kind::Release,
            Self::HostEvent => Kind::HostEvent,
            Self::KeepCursor(..) => Kind::KeepCursor,
        }
    }
}
