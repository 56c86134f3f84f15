//! The observer of the example against a session whose journal forgets nearly everything: no log entry is lost.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use syncmgr::{
    ItemId, ItemName, ItemStatus, ItemView, LogEntry, LogLevel, LogRecord, Session, SyncCallback,
    SyncItem,
};

use syncmgr_mirror::watch::{Screen, Sums, Talk, observe};

const ITEMS: usize = 8;

fn items() -> Vec<SyncItem> {
    (1..=ITEMS)
        .map(|number| {
            let name = ItemName::try_from(format!("item {number}").as_str()).unwrap();
            SyncItem::new(ItemId::from_u128(number as u128), name)
        })
        .collect()
}

fn log(session: &Session, text: &str) {
    let record = LogRecord::new(LogLevel::Warning, text);
    session.log_error(&record).unwrap();
}

/// Ends an item. With its log entries that is more than the journal of one entry holds.
fn end(session: &Arc<Session>, number: usize) {
    let reporter = session.reporter(items()[number].id).unwrap();
    reporter.succeed().unwrap();
}

/// A screen to which something happens just when the observer has looked at the changes, and has not looked at the
/// items yet.
struct Witness {
    session: Arc<Session>,
    heard: Vec<String>,
    /// How many there were at the last frame.
    before: usize,
    ended: HashSet<ItemId>,
    finished: usize,
}

impl Screen for Witness {
    fn items(&mut self, views: &[ItemView]) {
        let ended = views
            .iter()
            .filter(|view| view.status == ItemStatus::Succeeded);
        self.ended.extend(ended.map(|view| view.id));
    }

    fn log(&mut self, entry: &LogEntry) {
        self.heard.push(entry.text.clone());
        let times = self.heard.len();
        if times < ITEMS {
            log(&self.session, &format!("entry {times}"));
            end(&self.session, times);
        } else {
            self.session.driver().release();
        }
    }

    fn line(&mut self, text: &str) {
        panic!("nobody said {text:?}");
    }

    fn frame(&mut self, sums: &Sums, _: &str) {
        self.finished = sums.finished;
        // Each look but the last one finds what was logged in the one before: a frame without news has lost it.
        if self.heard.len() == self.before {
            self.session.driver().release();
        }
        self.before = self.heard.len();
    }

    fn end(&mut self) {}
}

#[test]
fn the_observer_loses_no_entry_and_no_item() {
    let session = Session::builder()
        .items(items())
        .journal_capacity(1)
        .build()
        .unwrap();
    // Before it looks for the first time.
    log(&session, "entry 0");
    end(&session, 0);
    let mut witness = Witness {
        session: Arc::clone(&session),
        heard: Vec::new(),
        before: 0,
        ended: HashSet::new(),
        finished: 0,
    };
    observe(&session, &Mutex::new(Talk::default()), &mut witness);
    let expected: Vec<_> = (0..ITEMS).map(|n| format!("entry {n}")).collect();
    assert_eq!(witness.heard, expected);
    assert_eq!((witness.ended.len(), witness.finished), (ITEMS, ITEMS));
}
