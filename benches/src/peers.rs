//! What a user would pick in place of `syncmgr`, each doing the same work: report the value of an item out of some, and
//! ask whether to go on.
//!
//! A peer that has no cancel of its own gets tokio-util's `CancellationToken` beside it, one an item, since that is what
//! its users would take. Each peer is made as its documentation shows it, with nothing drawn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use syncmgr::{
    ItemId, ItemName, ItemReporter, ProgressUpdate, Session, SyncCallback, SyncItem, Uuid, Verdict,
};
use tokio_util::sync::CancellationToken;

/// Reports the value of items and answers whether to go on.
pub trait Peer {
    /// Reports `value` for the item with this number, from 0.
    fn report(&self, item: usize, value: u64) -> bool;
}

fn session(items: usize) -> Arc<Session> {
    let items = (1..=items as u128).map(|n| {
        SyncItem::new(
            ItemId::from_u128(n),
            ItemName::truncate_start(&format!("item {n}")),
        )
    });
    let session = Session::builder().items(items).build();
    session.unwrap_or_else(|error| panic!("the items of the benchmark: {error}"))
}

fn tokens(items: usize) -> Vec<CancellationToken> {
    (0..items).map(|_| CancellationToken::new()).collect()
}

/// `syncmgr`, with a reporter an item.
pub struct Reporters(Vec<ItemReporter>, Arc<Session>);

impl Reporters {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let session = session(items);
        let reporters = (1..=items as u128).map(|n| {
            let reporter = session.reporter(ItemId::from_u128(n));
            reporter.unwrap_or_else(|error| panic!("item {n} of the benchmark: {error}"))
        });
        Self(reporters.collect(), Arc::clone(&session))
    }

    /// The session, to look at it.
    pub fn session(&self) -> &Arc<Session> {
        &self.1
    }
}

impl Peer for Reporters {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.0[item].set(value) == Ok(Verdict::Continue)
    }
}

/// `syncmgr`, by id through the callback, as a handler that keeps no reporters does it.
pub struct ById(Arc<dyn SyncCallback>, Vec<ItemId>);

impl ById {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let ids = (1..=items as u128).map(ItemId::from_u128).collect();
        Self(session(items), ids)
    }

    /// A report with a text.
    #[inline]
    pub fn report_text(&self, item: usize, text: &str, value: u64) -> bool {
        let update = ProgressUpdate::new().text(text).value(value);
        self.0.progress(self.1[item], &update) == Ok(Verdict::Continue)
    }
}

impl Peer for ById {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        let update = ProgressUpdate::new().value(value);
        self.0.progress(self.1[item], &update) == Ok(Verdict::Continue)
    }
}

/// prodash, an item of its tree and a token each.
pub struct Prodash {
    items: Vec<prodash::tree::Item>,
    tokens: Vec<CancellationToken>,
    /// Keeps the tree.
    _root: Arc<prodash::tree::Root>,
}

impl Prodash {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let root = prodash::tree::Root::new();
        let items: Vec<_> = (0..items)
            .map(|n| {
                let item = root.add_child(format!("item {n}"));
                item.init(Some(usize::MAX), None);
                item
            })
            .collect();
        Self {
            tokens: tokens(items.len()),
            items,
            _root: root,
        }
    }

    /// What comes nearest to a status text.
    #[inline]
    pub fn set_name(&self, item: usize, name: &str) {
        self.items[item].set_name(name);
    }
}

impl Peer for Prodash {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.items[item].set(value as usize);
        !self.tokens[item].is_cancelled()
    }
}

/// indicatif, a hidden bar and a token each.
pub struct Indicatif(Vec<indicatif::ProgressBar>, Vec<CancellationToken>);

impl Indicatif {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let bars = (0..items).map(|_| {
            let bar = indicatif::ProgressBar::hidden();
            bar.set_length(u64::MAX);
            bar
        });
        Self(bars.collect(), tokens(items))
    }

    /// The bar alone, without the token.
    #[inline]
    pub fn set_position(&self, item: usize, value: u64) {
        self.0[item].set_position(value);
    }
}

impl Peer for Indicatif {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.0[item].set_position(value);
        !self.1[item].is_cancelled()
    }
}

/// atomic-progress, and a token each.
pub struct AtomicProgress(Vec<atomic_progress::Progress>, Vec<CancellationToken>);

impl AtomicProgress {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let all =
            (0..items).map(|n| atomic_progress::Progress::new_pb(format!("item {n}"), u64::MAX));
        Self(all.collect(), tokens(items))
    }
}

impl Peer for AtomicProgress {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.0[item].set_pos(value);
        !self.1[item].is_cancelled()
    }
}

/// progress-token, a child token an item. Its progress is a fraction; it has a cancel of its own.
pub struct ProgressToken(
    Vec<progress_token::ProgressToken<String>>,
    /// Keeps the root.
    #[allow(dead_code)]
    progress_token::ProgressToken<String>,
);

impl ProgressToken {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let root = progress_token::ProgressToken::new("all".to_owned());
        let weight = 1.0 / items as f64;
        let all = (0..items).map(|n| root.child(weight, format!("item {n}")));
        Self(all.collect(), root)
    }
}

impl Peer for ProgressToken {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.0[item].update_progress(value as f64 / u32::MAX as f64);
        self.0[item].check().is_ok()
    }
}

/// howudoin, whose reports go to its consumer thread. Its cancel is one for the process.
pub struct Howudoin(Vec<howudoin::Tx>);

impl Howudoin {
    /// With so many items. One at a time: the consumer is the process's.
    pub fn new(items: usize) -> Self {
        howudoin::init(howudoin::consumers::Noop::default());
        let all = (0..items).map(|n| {
            howudoin::new_root()
                .label(format!("item {n}"))
                .set_len(u64::MAX)
        });
        Self(all.collect())
    }
}

impl Peer for Howudoin {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.0[item].set_pos(value);
        howudoin::cancelled() != Some(true)
    }
}

impl Drop for Howudoin {
    fn drop(&mut self) {
        howudoin::disable();
    }
}

/// What many write by hand: an atomic value, and tokio-util's token for the cancel.
pub struct Token(Vec<AtomicU64>, Vec<CancellationToken>);

impl Token {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        Self(
            (0..items).map(|_| AtomicU64::new(0)).collect(),
            tokens(items),
        )
    }
}

impl Peer for Token {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        self.0[item].store(value, Ordering::Relaxed);
        !self.1[item].is_cancelled()
    }
}

/// A channel to a thread that keeps the values, and a flag an item for the cancel.
pub struct Channel {
    sender: Option<Sender<(usize, u64)>>,
    cancelled: Vec<AtomicBool>,
    keeper: Option<JoinHandle<Vec<u64>>>,
}

impl Channel {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let (sender, receiver) = channel::<(usize, u64)>();
        let keeper = std::thread::spawn(move || {
            let mut values = vec![0; items];
            for (item, value) in receiver {
                values[item] = value;
            }
            values
        });
        Self {
            sender: Some(sender),
            cancelled: (0..items).map(|_| AtomicBool::new(false)).collect(),
            keeper: Some(keeper),
        }
    }
}

impl Peer for Channel {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        let sent = self
            .sender
            .as_ref()
            .is_some_and(|sender| sender.send((item, value)).is_ok());
        sent && !self.cancelled[item].load(Ordering::Relaxed)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// A locked map from id to value and cancel.
pub struct Map(Mutex<HashMap<Uuid, (u64, bool)>>, Vec<Uuid>);

impl Map {
    /// With so many items.
    pub fn new(items: usize) -> Self {
        let ids: Vec<_> = (1..=items as u128).map(Uuid::from_u128).collect();
        let map = ids.iter().map(|id| (*id, (0, false))).collect();
        Self(Mutex::new(map), ids)
    }
}

impl Peer for Map {
    #[inline]
    fn report(&self, item: usize, value: u64) -> bool {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match map.get_mut(&self.1[item]) {
            Some((kept, cancelled)) => {
                *kept = value;
                !*cancelled
            }
            None => false,
        }
    }
}
