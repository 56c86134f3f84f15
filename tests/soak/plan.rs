//! What goes wrong with a handler, and what is known of it.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use syncmgr::ErrorId;
use syncmgr::testing::Recorder;

use super::world::Chance;

/// What one handler that was made does and did.
pub struct Life {
    pub number: u64,
    pub handler: usize,
    pub plan: Plan,
    pub recorder: Option<Recorder>,
    /// The entries that stand in its session's log. Locked while one is logged or deleted.
    pub entries: Mutex<Vec<ErrorId>>,
    pub hung: AtomicBool,
}

/// What goes wrong in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Well,
    Panic(&'static str),
    Hang(&'static str),
    /// Never completes.
    Silent(&'static str),
    /// Answers an error.
    Refuse(&'static str),
    Declines,
    NeedsUser,
}

/// Where something can go wrong.
const PLACES: [&str; 13] = [
    "the factory",
    "initialize",
    "info",
    "items",
    "set callback",
    "prepare",
    "synchronize",
    "set_item_status",
    "show_error",
    "show_properties",
    "take callback",
    "drop",
    "a worker",
];

pub fn plan(chance: &mut Chance) -> Plan {
    match chance.below(100) {
        0..70 => Plan::Well,
        70..84 => Plan::Panic(chance.of(&PLACES)),
        84..88 => Plan::Hang(chance.of(&PLACES)),
        88..91 => {
            Plan::Silent(chance.of(&["prepare", "synchronize", "show_error", "show_properties"]))
        }
        91..96 => Plan::Refuse(chance.of(&PLACES[1..11])),
        96..98 => Plan::Declines,
        _ => Plan::NeedsUser,
    }
}
