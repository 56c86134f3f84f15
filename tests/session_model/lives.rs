//! Whole lives, written by hand: where the fuzzer begins.

use crate::ops::{KINDS, Kind, RECORD, Record};

/// The first byte of a shape: an open session, with a connector, or with a turn of its own.
const OPEN: u8 = 3;
const CONNECTED: u8 = 0x40;
const OWN_TURN: u8 = 0x80;
/// The third byte: the session is in its first round, and three log entries are kept.
const BEGUN: u8 = 0x60;
/// A call on the second session.
const SECOND: u8 = 0xD0;
/// `Step` ends the synchronization.
const END: u8 = 0xC0;

/// Who is meant: items one to three, one that a handler may add, and nobody.
const A: u8 = 0;
const B: u8 = 1;
const C: u8 = 2;
const NEW: u8 = 14;
const NIL: u8 = 15;

/// What an update names, and a status above it.
const VALUE: u8 = 0;
const STATUS: u8 = 3;
const TEXT: u8 = 4;
const MAX: u8 = 5;
const ALL: u8 = 15;
const SUCCEEDED: u8 = 1 << 4;
const FAILED: u8 = 2 << 4;
const PENDING: u8 = 3 << 4;
const PAUSED: u8 = 4 << 4;
const STOPPED: u8 = 8 << 4;

/// How a reporter ends.
const STOP: u8 = 6 << 4;
const FAIL: u8 = 9 << 4;
const FAIL_AS: u8 = 12 << 4;
const PANIC: u8 = 15 << 4;
/// A reporter on a wrapper.
const WRAPPER: u8 = 6 << 5;

/// The whole handler, where an item could be named; every log entry.
const WHOLE: u8 = 3;

/// The first byte of those that mean this kind, and the rest of a record.
fn call(kind: Kind, who: u8, x: u8, y: u8) -> Record {
    let before = KINDS.iter().take_while(|(other, _)| *other != kind);
    [before.map(|(_, weight)| *weight).sum(), who, x, y]
}

fn step() -> Record {
    call(Kind::Step, A, 0, 0)
}

fn end() -> Record {
    call(Kind::Step, A, END, 0)
}

/// Their names, and what they are as bytes.
pub fn lives() -> Vec<(&'static str, Vec<u8>)> {
    use Kind::{
        AddItem, AdditionalItems, Advance, BeginPrepare, BeginSynchronize, CanContinue, CancelAll,
        CancelItem, Check, CommitItem, DeleteLogError, DropReporter, EnableModeless,
        EstablishConnection, HandlerText, HostEvent, KeepCursor, LogError, MakeReporter,
        PrepareCompleted, Progress, ProposeItem, Release, Report, RequestItems, Set,
        ShowErrorCompleted, ShowPropertiesCompleted, SkipItem, SynchronizeCompleted, WakeOnCancel,
    };
    const REPORTER_ENDS: Kind = Kind::End;
    let lives: Vec<(&str, Vec<Record>)> = vec![
        (
            "a tool without a handler",
            vec![
                [OPEN, 0, 0, 0],
                [0; RECORD],
                call(Progress, A, ALL, 5),
                call(MakeReporter, A, 0, 0),
                call(Set, A, 0, 3),
                call(Advance, A, 0, 2),
                call(Check, A, 0, 0),
                call(REPORTER_ENDS, A, 0, 0),
                call(Progress, A, VALUE, 1),
                call(Progress, B, STATUS | SUCCEEDED, 0),
                call(SynchronizeCompleted, A, 0, 0),
                call(SynchronizeCompleted, A, 5, 0),
                call(Release, A, 0, 0),
            ],
        ),
        (
            "a round",
            vec![
                [0; RECORD],
                [0; RECORD],
                call(Progress, A, VALUE, 1),
                call(BeginPrepare, A, 7, 0),
                call(CanContinue, A, 0, 0),
                call(PrepareCompleted, A, 0, 0),
                call(BeginSynchronize, A, 0, 0),
                call(Progress, A, VALUE, 1),
                call(Progress, A, VALUE, 2),
                call(Progress, A, TEXT, 1),
                call(Progress, A, MAX, 9),
                call(Progress, B, STATUS | PAUSED, 0),
                call(Progress, B, VALUE, 2),
                call(Progress, A, STATUS | SUCCEEDED, 0),
                call(Progress, C, STATUS | FAILED, 0),
                call(SynchronizeCompleted, A, 0, 0),
                call(HostEvent, A, 0, 0),
                call(HostEvent, A, 0, 0),
                call(Release, A, 0, 0),
                call(Progress, A, VALUE, 3),
            ],
        ),
        (
            "two retries and a reporter from before",
            vec![
                [0, 0, BEGUN, 0],
                [0; RECORD],
                call(MakeReporter, A, 0, 0),
                call(Set, A, 0, 1),
                call(Progress, B, STATUS | FAILED, 0),
                end(),
                call(BeginPrepare, A, 3, 0),
                call(Set, A, 0, 2),
                step(),
                step(),
                call(MakeReporter, A, 1, 0),
                call(Report, B, ALL, 6),
                end(),
                step(),
                call(Set, A, 1, 2),
                call(REPORTER_ENDS, A, FAIL, 1),
            ],
        ),
        (
            "cancels of one item",
            vec![
                [0, 0, BEGUN, 0],
                [0; RECORD],
                call(Progress, A, VALUE, 1),
                call(MakeReporter, B, 0, 0),
                call(CancelItem, A, 0, 0),
                call(Progress, A, VALUE, 2),
                call(CancelItem, A, 0, 0),
                call(Progress, A, STATUS | STOPPED, 0),
                call(Progress, A, STATUS | FAILED, 0),
                call(CancelItem, B, 0, 0),
                call(Set, A, 0, 1),
                call(REPORTER_ENDS, A, STOP, 0),
                call(CancelItem, B, 0, 0),
                end(),
                call(CancelItem, C, 0, 0),
                step(),
                call(CanContinue, C, 0, 0),
            ],
        ),
        (
            "skips and the host's events",
            vec![
                [0; RECORD],
                [0; RECORD],
                call(SkipItem, A, 0, 0),
                step(),
                call(SkipItem, B, 0, 0),
                call(SkipItem, B, 0, 0),
                step(),
                call(CancelItem, C, 0, 0),
                call(SkipItem, C, 0, 0),
                call(HostEvent, A, 0, 0),
                call(HostEvent, A, 0, 0),
                call(HostEvent, A, 0, 0),
                call(HostEvent, A, 0, 0),
                call(HostEvent, A, 0, 0),
            ],
        ),
        (
            "all is cancelled",
            vec![
                [0, 0, BEGUN, 0],
                [0; RECORD],
                call(Progress, A, VALUE, 1),
                call(Progress, B, STATUS | SUCCEEDED, 0),
                call(WakeOnCancel, A, 0, 0),
                call(CancelAll, A, 0, 0),
                call(Progress, A, VALUE, 2),
                call(Progress, B, STATUS | FAILED, 0),
                call(AddItem, NEW, 0, 0),
                call(Progress, NEW, VALUE, 0),
                call(CanContinue, A, WHOLE, 0),
                call(HandlerText, A, 0, 1),
                end(),
                step(),
            ],
        ),
        (
            "a full log",
            vec![
                [0, 0, 1, 0],
                [0; RECORD],
                call(LogError, A, 4 | 8, 1),
                call(LogError, B, 4 | 0x30, 2),
                call(LogError, B, 0, 2),
                call(DeleteLogError, A, 0, 0),
                call(DeleteLogError, A, 0, 0),
                call(LogError, A, 0xE8, 0),
                call(DeleteLogError, A, WHOLE, 0),
                call(LogError, A, 1, 0),
                call(LogError, A, 2, 0),
                call(LogError, A, 2, 0),
            ],
        ),
        (
            "a journal that is cut",
            vec![
                [OPEN, 0, 0, 1],
                [0; RECORD],
                call(Progress, A, VALUE, 1),
                call(KeepCursor, A, 0, 0),
                call(Progress, B, STATUS | PAUSED, 0),
                call(HandlerText, A, 0, 1),
                call(KeepCursor, A, 1, 0),
                call(LogError, A, 0, 1),
                call(CancelItem, C, 0, 0),
                call(Progress, C, TEXT, 1),
                call(CancelAll, A, 0, 0),
                call(SynchronizeCompleted, A, 0, 0),
            ],
        ),
        (
            "dialogs of two sessions",
            vec![
                [0, 0, BEGUN, 0],
                [0x30, 0, 0, 0],
                call(EnableModeless, A, 0, 0),
                call(EnableModeless, SECOND, 0, 0),
                call(EnableModeless, A, WHOLE, 0),
                call(EnableModeless, SECOND, 0, 0),
                call(EnableModeless, A, 0, 0),
                call(ShowErrorCompleted, SECOND, 0, 0),
                call(EnableModeless, A, 0, 0),
                end(),
                call(Kind::Step, SECOND, 0, 0),
                call(EnableModeless, SECOND, 0, 0),
                call(Release, SECOND, 0, 0),
                call(EnableModeless, A, 0, 0),
                call(ShowPropertiesCompleted, A, 1, 0),
            ],
        ),
        (
            "turns of their own",
            vec![
                [OWN_TURN, 0, BEGUN, 0],
                [OWN_TURN | 0xC, 0, 0, 0],
                call(EnableModeless, A, 0, 0),
                call(EnableModeless, SECOND, 0, 0),
                call(Release, A, 0, 0),
                call(EnableModeless, A, 0, 0),
            ],
        ),
        (
            "connections that are shared",
            vec![
                [CONNECTED, 0, 0, 0],
                [CONNECTED, 0, 0, 0],
                call(EstablishConnection, A, 0, 0),
                call(EstablishConnection, A, 1, 0),
                call(EstablishConnection, A, 2, 0),
                call(EstablishConnection, SECOND, 1, 0),
                call(Release, A, 0, 0),
                call(EstablishConnection, A, 0, 0),
                call(EstablishConnection, SECOND, 0, 0),
                call(Release, SECOND, 0, 0),
            ],
        ),
        (
            "whoever waits is woken",
            vec![
                [0; RECORD],
                [0; RECORD],
                call(WakeOnCancel, A, 0, 0),
                call(WakeOnCancel, A, 0, 0),
                call(WakeOnCancel, A, 0, 1),
                call(WakeOnCancel, B, 0, 0),
                call(WakeOnCancel, C, 0, 0),
                call(WakeOnCancel, A, WHOLE, 0),
                call(BeginPrepare, A, 3, 0),
                call(CancelItem, A, 0, 0),
                call(WakeOnCancel, A, 0, 1),
                call(Progress, B, STATUS | SUCCEEDED, 0),
                call(WakeOnCancel, B, 0, 1),
                call(WakeOnCancel, C, 0, 1),
                step(),
                call(Release, A, 0, 0),
                call(WakeOnCancel, A, WHOLE, 0),
            ],
        ),
        (
            "long texts",
            vec![
                [OPEN, 0, 4, 0],
                [0; RECORD],
                call(Progress, A, TEXT, 0xE8),
                call(Progress, A, TEXT, 0xE9),
                call(Progress, A, TEXT, 0xEA),
                call(Progress, A, TEXT, 0xEB),
                call(HandlerText, A, 0, 0xEB),
                call(LogError, A, 0, 0xEC),
                call(LogError, A, 0, 0xED),
                call(LogError, A, 0, 0xEE),
                call(LogError, A, 0, 0xEF),
            ],
        ),
        (
            "left out and added again",
            vec![
                [0; RECORD],
                [0; RECORD],
                call(MakeReporter, B, 0, 0),
                call(SkipItem, B, 0, 0),
                call(BeginPrepare, A, 1, 0),
                call(Progress, B, VALUE, 1),
                call(AddItem, B, 0, 0),
                call(AddItem, B, 0, 0),
                call(Set, A, 0, 1),
                call(Progress, B, VALUE, 1),
                call(SkipItem, B, 0, 0),
                call(AddItem, NEW, 0, 0),
                call(AddItem, NIL, 0, 0),
                step(),
                step(),
                end(),
                call(AddItem, C, 0, 0),
                call(BeginPrepare, A, 2 | 0x80, 0),
                call(Progress, B, VALUE, 1),
            ],
        ),
        (
            "a prepare that fails",
            vec![
                [0; RECORD],
                [0; RECORD],
                step(),
                call(Progress, A, VALUE, 1),
                call(WakeOnCancel, A, 0, 0),
                call(PrepareCompleted, A, 5, 0),
                call(PrepareCompleted, A, 0, 0),
                call(BeginSynchronize, A, 0, 0),
                call(ShowErrorCompleted, A, 7, 3),
                call(BeginPrepare, A, 3, 0),
                step(),
                step(),
            ],
        ),
        (
            "a reporter on a wrapper",
            vec![
                [0; RECORD],
                [0; RECORD],
                call(MakeReporter, A, WRAPPER, 0),
                call(Advance, A, 0, 5),
                step(),
                call(Advance, A, 0, 3),
                call(Set, A, 0, 1),
                call(Advance, A, 0, 3),
                step(),
                step(),
                end(),
                call(Set, A, 0, 7),
                step(),
                call(Advance, A, 0, 1),
                call(CancelItem, A, 0, 0),
                call(Advance, A, 0, 1),
                call(REPORTER_ENDS, A, STOP, 0),
            ],
        ),
        (
            "workers that fail and break",
            vec![
                [0, 0, BEGUN, 0],
                [0; RECORD],
                call(MakeReporter, A, 0, 0),
                call(MakeReporter, B, 1, 0),
                call(REPORTER_ENDS, A, FAIL, 1),
                call(REPORTER_ENDS, A, FAIL_AS | 1, 2),
                call(MakeReporter, C, 0, 0),
                call(MakeReporter, C, 1 | WRAPPER, 0),
                call(REPORTER_ENDS, A, PANIC, 0),
                call(REPORTER_ENDS, A, PANIC | 1, 0),
                call(MakeReporter, C, 0, 0),
                call(DropReporter, A, 0, 0),
            ],
        ),
        (
            "the largest values",
            vec![
                [OPEN, 0, 0, 0],
                [0; RECORD],
                call(MakeReporter, A, 0, 0),
                call(Set, A, 0, 0xF0),
                call(Advance, A, 0, 3),
                call(Progress, B, ALL, 0xFE),
                call(Progress, A, ALL, 0xFE),
                call(Progress, C, STATUS | PENDING, 0),
                call(Progress, C, VALUE, 0),
                call(Advance, A, 0, 0xF0),
            ],
        ),
        (
            "completions that are refused",
            [[0; RECORD]; 2]
                .into_iter()
                .chain((0..18).map(|n| match n % 2 {
                    0 => call(PrepareCompleted, A, n % 8, 0),
                    _ => call(SynchronizeCompleted, A, n % 8, 0),
                }))
                .collect(),
        ),
        (
            "items that come while it runs",
            vec![
                [0, 0, BEGUN, 0],
                [0; RECORD],
                call(AdditionalItems, A, 0, 0),
                call(RequestItems, A, ALL, 0),
                call(AdditionalItems, A, 0, 0),
                call(ProposeItem, B, 0, 0),
                call(ProposeItem, NEW, 0, 0),
                call(ProposeItem, NEW, 0, 0),
                step(),
                call(AdditionalItems, A, 0, 0),
                call(CommitItem, NEW, 0, 0),
                call(CommitItem, NEW, 0, 0),
                call(Progress, NEW, ALL, 1),
                call(AddItem, NEW, 0, 0),
                call(Progress, NEW, ALL, 1),
                call(AdditionalItems, A, 0, 0),
                call(CommitItem, NEW, 0, 0),
            ],
        ),
        (
            "nobody is meant",
            vec![
                [0, 0, BEGUN, 0],
                [0; RECORD],
                call(Progress, NIL, ALL, 1),
                call(Progress, NEW, ALL, 1),
                call(CancelItem, NIL, 0, 0),
                call(SkipItem, NEW, 0, 0),
                call(MakeReporter, NIL, 0, 0),
                call(MakeReporter, NEW, WRAPPER, 0),
                call(Set, A, 0, 1),
                call(AddItem, NEW, 0, 0),
                call(Set, A, 0, 1),
                call(ProposeItem, NEW, 0, 0),
                call(CommitItem, NEW, 0, 0),
                call(RequestItems, A, 0, 7),
                call(BeginPrepare, A, 0, 0),
                end(),
                call(BeginPrepare, A, 0, 0),
                call(BeginPrepare, A, 0x30, 0),
            ],
        ),
    ];
    let bytes = |(name, records): (_, Vec<Record>)| (name, records.concat());
    lives.into_iter().map(bytes).collect()
}
