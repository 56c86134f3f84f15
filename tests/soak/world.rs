//! What the handlers of a soak share: chance, gates, counts.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncmgr::{HandlerId, ItemId};

use super::plan::Life;

pub const HANDLERS: usize = 50;
pub const ITEMS: u128 = 200;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn handler_id(handler: usize) -> HandlerId {
    HandlerId::from_u128(handler as u128 + 1)
}

pub fn item_id(item: u128) -> ItemId {
    ItemId::from_u128(item + 1)
}

/// Numbers by chance, the same ones for the same seed (`splitmix64`).
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut chance = Self(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        chance.next();
        chance
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

macro_rules! counts {
    ($($name:ident: $text:literal,)+) => {
        /// What happened so often.
        #[derive(Default)]
        pub struct Counts { $(pub $name: AtomicU64,)+ }

        impl Counts {
            pub fn add_all(&self, other: &Self) {
                $(self.$name.fetch_add(get(&other.$name), Ordering::Relaxed);)+
            }

            pub fn print(&self) {
                $(println!("{:>12}  {}", get(&self.$name), $text);)+
            }
        }
    };
}

counts! {
    runs: "runs started",
    made: "handlers made",
    reports: "reports of handlers, each once for each run that has it",
    own_reports: "reports with a session of their own",
    well: "of them of handlers that meant well, without a fault",
    starved: "of them of handlers that meant well, past the deadline",
    items: "items that were looked at in reports",
    cancels: "cancels of items, handlers and runs",
    skips: "skips",
    unregistered: "handlers taken out of the registry",
    panics: "panics",
    hangs: "calls that hung",
    abandoned: "reports with a thread left behind",
    silent: "completions that never came",
    rounds: "retries",
    granted: "dialogs granted",
    denied: "dialogs denied",
    forgotten: "turns forgotten or panicked with",
    opened: "connections opened",
    closed: "connections closed",
    logged: "log entries taken",
    full: "log entries refused by a full log",
    own_lost: "entries of the driver refused by a full log",
    deleted: "log entries deleted",
    asked_for: "log entries taken by managers that were asked for their log",
    gone: "of them deleted",
    kept: "of them in the log",
    added: "items added, or proposed and committed",
    asked: "items that a handler was asked for and took in",
    looks: "looks of observers",
    judged: "runs that were judged by the rules",
}

pub fn count(which: &AtomicU64) {
    which.fetch_add(1, Ordering::Relaxed);
}

pub fn get(which: &AtomicU64) -> u64 {
    which.load(Ordering::Relaxed)
}

/// A gate that is closed, then open for ever.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *lock(&self.open) = true;
        self.opened.notify_all();
    }

    pub fn pass(&self) {
        let mut open = lock(&self.open);
        while !*open {
            open = self
                .opened
                .wait(open)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

pub struct World {
    pub seed: u64,
    pub counts: Counts,
    pub deadline: Duration,
    gate: Mutex<(Arc<Gate>, bool)>,
    pub lives: Mutex<HashMap<u64, Arc<Life>>>,
    next: AtomicU64,
    /// The life of each handler that was made last.
    pub current: Vec<AtomicU64>,
    /// The lives of each handler that are in a call, but for those that hung once.
    pub inside: Vec<Mutex<Vec<u64>>>,
    /// A life that was in a call while another one of the handler was: it was given up, or it is a fault.
    pub overlaps: Mutex<Vec<(u64, &'static str)>>,
    /// The lives that were given up in a call.
    pub abandoned: Mutex<HashSet<u64>>,
    /// The registrations that are gone, by their numbers: nothing is made by them any more.
    pub gone: Mutex<HashSet<u64>>,
    /// What must never happen.
    pub wrong: Mutex<Vec<String>>,
}

impl World {
    pub fn new(seed: u64, deadline: Duration) -> Arc<Self> {
        Arc::new(Self {
            seed,
            counts: Counts::default(),
            deadline,
            gate: Mutex::default(),
            lives: Mutex::default(),
            next: AtomicU64::new(1),
            current: (0..HANDLERS).map(|_| AtomicU64::new(0)).collect(),
            inside: (0..HANDLERS).map(|_| Mutex::default()).collect(),
            overlaps: Mutex::default(),
            abandoned: Mutex::default(),
            gone: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// Something that must never happen has happened.
    pub fn wrong(&self, what: impl Into<String>) {
        lock(&self.wrong).push(what.into());
    }

    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Hangs until the gate is opened that is closed now.
    pub fn hang(&self) {
        let gate = Arc::clone(&lock(&self.gate).0);
        gate.pass();
    }

    /// Opens the gate; who hangs from now on does so at another one, unless this is the last.
    pub fn open(&self, last: bool) {
        let mut gate = lock(&self.gate);
        gate.0.open();
        gate.1 |= last;
        if !gate.1 {
            gate.0 = Arc::default();
        }
    }
}
