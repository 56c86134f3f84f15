//! A host that records every call and judges them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};

use syncmgr::{
    CallbackError, Dialog, ErrorOutcome, HResult, HostEvent, ItemId, ItemList, ItemStatus,
    LogRecord, LogSelector, Prepared, ProgressUpdate, PropertiesOutcome, Session, SyncCallback,
    SyncHandler, Verdict,
};

use crate::handler::Mirror;
use crate::place::Places;
use crate::run::DEADLINE;
use crate::tree::Place;

/// At which report, counted from 0, the host cancels, and what.
#[derive(Clone, Copy, Debug)]
pub enum Cancel {
    Never,
    /// The item of the report.
    Item(usize),
    /// The last item that has no final status, as skipped.
    Skip(usize),
    All(usize),
}

/// A call of the handler's.
#[derive(Debug)]
enum Call {
    Progress {
        thread: ThreadId,
        item: ItemId,
        only_asks: bool,
        status: Option<ItemStatus>,
        value: Option<u64>,
        max: Option<u64>,
        answer: Result<Verdict, CallbackError>,
    },
    Log,
    Prepared(HResult),
    Synchronized(HResult),
    /// Not a call: `set_item_status` has returned.
    SkipReturned(ItemId),
}

/// The callback: forwards to a session, and records.
struct Recorder {
    session: Arc<Session>,
    cancel: Cancel,
    items: Vec<ItemId>,
    handler: Arc<Mirror>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    progress: usize,
    cancelled: bool,
    hold: bool,
    held: bool,
}

pub struct Host {
    recorder: Arc<Recorder>,
}

impl SyncCallback for Recorder {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        let mut state = self.state.lock().unwrap();
        let synchronizing = state
            .calls
            .iter()
            .any(|call| matches!(call, Call::Prepared(_)));
        if state.hold && synchronizing {
            state.held = true;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |state| state.hold).unwrap();
        }
        let number = state.progress;
        state.progress += 1;
        match self.cancel {
            Cancel::Item(at) if at == number => {
                state.cancelled = true;
                self.session.cancel_item(item).unwrap();
            }
            Cancel::All(at) if at == number => {
                state.cancelled = true;
                self.session.cancel_all();
            }
            Cancel::Skip(at) if at == number => {
                state.cancelled = true;
                let open = |item: &&ItemId| !self.session.item(**item).unwrap().status.is_final();
                let last = *self.items.iter().rev().find(open).unwrap();
                self.session.skip_item(last).unwrap();
                // From inside a report: a handler that holds a lock while it reports would hang here.
                self.handler
                    .set_item_status(last, ItemStatus::Skipped)
                    .unwrap();
                state.calls.push(Call::SkipReturned(last));
            }
            _ => {}
        }
        // With the lock held, so that the record has the order of the answers.
        let answer = self.session.progress(item, update);
        state.calls.push(Call::Progress {
            thread: thread::current().id(),
            item,
            only_asks: update.mask().is_empty(),
            status: update.status,
            value: update.value,
            max: update.max,
            answer,
        });
        answer
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        self.state.lock().unwrap().calls.push(Call::Log);
        self.session.log_error(record)
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.state
            .lock()
            .unwrap()
            .calls
            .push(Call::Prepared(result));
        self.session.prepare_for_sync_completed(result)
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.state
            .lock()
            .unwrap()
            .calls
            .push(Call::Synchronized(result));
        self.session.synchronize_completed(result)
    }

    fn delete_log_error(&self, _: LogSelector) -> Result<(), CallbackError> {
        panic!("the mirror deletes no log entries");
    }

    fn show_error_completed(&self, _: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        panic!("the mirror shows no errors");
    }

    fn show_properties_completed(&self, _: PropertiesOutcome) -> Result<(), CallbackError> {
        panic!("the mirror has no properties");
    }

    fn enable_modeless(&self, _: bool) -> Result<Dialog, CallbackError> {
        panic!("H11, H12: the mirror has no dialogs");
    }

    fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
        panic!("H22: the mirror needs no connection");
    }
}

impl Host {
    pub fn new(place: &Place, threads: usize, cancel: Cancel) -> Self {
        let places = Places::open(&place.source(), &place.dest()).unwrap();
        let handler = Mirror::new(places, true, threads, &[]).unwrap();
        let ItemList::Complete(items) = handler.items().unwrap() else {
            panic!("the list is complete");
        };
        let session = Session::builder()
            .items(items.clone())
            .driven()
            .build()
            .unwrap();
        Self {
            recorder: Arc::new(Recorder {
                session,
                cancel,
                items: items.iter().map(|item| item.id).collect(),
                handler,
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
        }
    }

    pub fn handler(&self) -> Arc<Mirror> {
        Arc::clone(&self.recorder.handler)
    }

    pub fn callback(&self) -> Arc<dyn SyncCallback> {
        Arc::clone(&self.recorder) as _
    }

    pub fn item(&self, number: usize) -> ItemId {
        self.recorder.items[number]
    }

    /// Takes the handler up to where it synchronizes.
    pub fn start(&self) -> Arc<Mirror> {
        let handler = self.handler();
        let session = &self.recorder.session;
        handler
            .set_progress_callback(Some(self.callback()))
            .unwrap();
        session.begin_prepare(&self.recorder.items).unwrap();
        let prepared = Arc::clone(&handler).prepare_for_sync(&self.recorder.items);
        assert_eq!(prepared.unwrap(), Prepared::Started);
        assert_eq!(self.completion(), HResult::S_OK);
        session.begin_synchronize().unwrap();
        Arc::clone(&handler).synchronize().unwrap();
        handler
    }

    /// Waits for the end, and releases the handler.
    pub fn finish(&self, handler: &Arc<Mirror>) -> HResult {
        let result = self.completion();
        handler.set_progress_callback(None).unwrap();
        self.recorder.session.release();
        result
    }

    pub fn run(&self) -> HResult {
        let handler = self.start();
        self.finish(&handler)
    }

    fn completion(&self) -> HResult {
        loop {
            match self.recorder.session.host_event(DEADLINE) {
                Some(
                    HostEvent::PrepareCompleted(result) | HostEvent::SynchronizeCompleted(result),
                ) => {
                    return result;
                }
                // The recorder has told the handler already.
                Some(HostEvent::Skip(_)) => {}
                other => panic!("no completion but {other:?}"),
            }
        }
    }

    pub fn hold_first_report_of_synchronize(&self) {
        self.recorder.state.lock().unwrap().hold = true;
    }

    pub fn wait_until_held(&self) {
        let state = self.recorder.state.lock().unwrap();
        drop(
            self.recorder
                .changed
                .wait_while(state, |state| !state.held)
                .unwrap(),
        );
    }

    pub fn let_go(&self) {
        self.recorder.state.lock().unwrap().hold = false;
        self.recorder.changed.notify_all();
    }

    pub fn statuses(&self) -> Vec<ItemStatus> {
        let items = self.recorder.session.snapshot().items;
        items.iter().map(|item| item.status).collect()
    }

    pub fn cancelled(&self) -> bool {
        self.recorder.state.lock().unwrap().cancelled
    }

    pub fn calls(&self) -> usize {
        self.recorder.state.lock().unwrap().calls.len()
    }

    /// How many reports of this item came after the prepare.
    pub fn reports_in_synchronize(&self, wanted: ItemId) -> usize {
        let state = self.recorder.state.lock().unwrap();
        let calls = state
            .calls
            .iter()
            .skip_while(|call| !matches!(call, Call::Prepared(_)));
        calls
            .filter(|call| matches!(call, Call::Progress { item, .. } if *item == wanted))
            .count()
    }

    /// Judges the calls of a run by the rules.
    pub fn judge(&self) {
        let state = self.recorder.state.lock().unwrap();
        let calls = &state.calls;
        let mut told = HashSet::new();
        let mut ended = HashSet::new();
        let mut asked = HashSet::new();
        let mut dropped = HashSet::new();
        let mut maxima: HashMap<ItemId, u64> = HashMap::new();
        let mut completions = (0, 0);
        for (at, call) in calls.iter().enumerate() {
            let where_ = || format!("call {at} of {calls:#?}");
            match call {
                Call::Progress {
                    thread,
                    item,
                    only_asks,
                    status,
                    value,
                    max,
                    answer,
                } => {
                    let is_final = status.is_some_and(ItemStatus::is_final);
                    assert!(answer.is_ok(), "refused: {}", where_());
                    assert_eq!(completions.1, 0, "after the completion: {}", where_());
                    assert!(!ended.contains(item), "H16: {}", where_());
                    let is_told = told.contains(&(*thread, *item));
                    assert!(!is_told || is_final || *only_asks, "H02, H03: {}", where_());
                    let begins =
                        *status == Some(ItemStatus::Updating) || value.is_some() && !is_final;
                    assert!(!begins || asked.contains(item), "H01: {}", where_());
                    assert!(!begins || !dropped.contains(item), "H14: {}", where_());
                    if let Some(max) = max {
                        maxima.insert(*item, *max);
                    }
                    let max = maxima.get(item).copied().unwrap_or(0);
                    assert!(value.unwrap_or(0) <= max, "H17: {}", where_());
                    if answer.is_ok_and(|verdict| !verdict.is_continue()) {
                        told.insert((*thread, *item));
                    }
                    if is_final {
                        ended.insert(*item);
                    }
                    asked.insert(*item);
                }
                Call::SkipReturned(item) => {
                    if !asked.contains(item) {
                        dropped.insert(*item);
                    }
                }
                Call::Log => assert_eq!(completions.1, 0, "after the completion: {}", where_()),
                Call::Prepared(result) => {
                    assert_eq!(*result, HResult::S_OK);
                    completions.0 += 1;
                }
                Call::Synchronized(result) => {
                    assert_eq!(*result, HResult::S_OK);
                    completions.1 += 1;
                    let open = self
                        .recorder
                        .items
                        .iter()
                        .find(|item| !ended.contains(*item));
                    assert_eq!(open, None, "H15: {}", where_());
                }
            }
        }
        assert_eq!(completions, (1, 1), "H05, H07: {calls:#?}");
    }
}
