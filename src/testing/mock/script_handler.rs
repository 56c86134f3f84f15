//! A handler that follows a [`Script`].

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::script::{Script, ScriptAnswer, ScriptPart};
use super::step::{Step, StepKind, report};
use crate::{
    ErrorId, HResult, HandlerError, HandlerInfo, ItemId, ItemList, ItemStatus, Participation,
    Prepared, ProgressUpdate, SyncCallback, SyncFlags, SyncHandler,
};

/// How far an item is in the current round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ItemState {
    /// Nothing was reported.
    Waiting,
    /// The first report is being made: a skip has to wait until it is, since what is started is judged by it (rule H14).
    Beginning,
    Started,
    /// The host said that it is to be skipped before it began.
    Skipped,
    /// It has a final status.
    Ended,
}

#[derive(Default)]
struct State {
    callback: Option<Arc<dyn SyncCallback>>,
    /// In the order of the prepare.
    round: Vec<ItemId>,
    items: HashMap<ItemId, ItemState>,
}

pub(crate) struct ScriptHandler {
    script: Script,
    state: Mutex<State>,
    /// The first report of an item was made.
    reported: Condvar,
}

impl Script {
    /// Makes a handler that follows the script.
    #[must_use]
    pub fn handler(&self) -> Arc<dyn SyncHandler> {
        Arc::new(ScriptHandler::new(self.clone()))
    }
}

impl ScriptHandler {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            script,
            state: Mutex::new(State::default()),
            reported: Condvar::new(),
        }
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, HandlerError> {
        let callback = self.state.lock().callback.clone();
        callback.ok_or(HandlerError::Code(HResult::E_UNEXPECTED))
    }

    /// Does steps; answers the threads that they started.
    fn steps(
        self: &Arc<Self>,
        steps: &[Step],
        callback: &Arc<dyn SyncCallback>,
        threads: &mut Vec<JoinHandle<()>>,
    ) {
        for step in steps {
            match &step.0 {
                StepKind::Report { item, update } if self.script.ignores_verdicts => {
                    // It does not listen.
                    let _ = report(&**callback, *item, update);
                }
                StepKind::Report { item, update } => self.report(&**callback, *item, update),
                StepKind::CompletePrepare(result) => {
                    let _ = callback.prepare_for_sync_completed(*result);
                }
                StepKind::CompleteSynchronize(result) => {
                    let _ = callback.synchronize_completed(*result);
                }
                StepKind::AddItem(item) => {
                    let id = item.id;
                    if callback.add_item(item.clone()).is_ok() {
                        let mut state = self.state.lock();
                        state.items.insert(id, ItemState::Waiting);
                        state.round.push(id);
                    }
                }
                StepKind::Work { item, call } => {
                    let item_state = self.state.lock().items.get(item).copied();
                    if self.script.ignores_verdicts || item_state == Some(ItemState::Started) {
                        call(callback);
                    }
                }
                StepKind::Call { call, .. } => call(callback),
                StepKind::Spawn(steps) => {
                    let (this, steps) = (Arc::clone(self), steps.clone());
                    let callback = Arc::clone(callback);
                    let worker = thread::Builder::new().spawn(move || {
                        let mut threads = Vec::new();
                        this.steps(&steps, &callback, &mut threads);
                        join(threads);
                    });
                    // Where there is no thread to be had, the steps are not done, and the items end as skipped.
                    threads.extend(worker);
                }
            }
        }
    }

    /// Makes a report as the contract asks: not of an item that is out, and with an end where it is cancelled.
    fn report(&self, callback: &dyn SyncCallback, item: ItemId, update: &ProgressUpdate<'_>) {
        let item_state = {
            let mut state = self.state.lock();
            match state.items.get(&item).copied() {
                Some(ItemState::Waiting) => {
                    state.items.insert(item, ItemState::Beginning);
                    ItemState::Waiting
                }
                // In no round, and no step has added it.
                None => ItemState::Ended,
                Some(item_state) => item_state,
            }
        };
        if matches!(item_state, ItemState::Skipped | ItemState::Ended) {
            return;
        }
        let answer = report(callback, item, update);
        let ended = update.is_final();
        let now = if ended {
            ItemState::Ended
        } else {
            ItemState::Started
        };
        self.state.lock().items.insert(item, now);
        self.reported.notify_all();
        if !ended && !answer.is_ok_and(|verdict| verdict.is_continue()) {
            self.end(callback, item, ItemStatus::Stopped);
        }
    }

    fn end(&self, callback: &dyn SyncCallback, item: ItemId, status: ItemStatus) {
        self.state.lock().items.insert(item, ItemState::Ended);
        let update = ProgressUpdate::new().status(status);
        let _ = report(callback, item, &update);
    }

    /// Gives each item of the round that has none its final status.
    fn end_all(&self, callback: &dyn SyncCallback) {
        let open: Vec<(ItemId, ItemState)> = {
            let state = self.state.lock();
            let item_state =
                |item: &ItemId| state.items.get(item).map(|item_state| (*item, *item_state));
            state.round.iter().filter_map(item_state).collect()
        };
        for (item, item_state) in open {
            match item_state {
                ItemState::Waiting | ItemState::Skipped => {
                    self.end(callback, item, ItemStatus::Skipped);
                }
                ItemState::Beginning | ItemState::Started => {
                    self.end(callback, item, ItemStatus::Stopped);
                }
                ItemState::Ended => {}
            }
        }
    }

    fn do_prepare(self: &Arc<Self>, callback: &Arc<dyn SyncCallback>) {
        let mut threads = Vec::new();
        self.steps(&self.script.prepare.steps, callback, &mut threads);
        join(threads);
        let by_step = self
            .script
            .prepare
            .has(|kind| matches!(kind, StepKind::CompletePrepare(_)));
        let due = self.script.prepared == Ok(Prepared::Started);
        if self.script.completes && !by_step && due {
            let _ = callback.prepare_for_sync_completed(HResult::S_OK);
        }
    }

    fn do_synchronize(self: &Arc<Self>, callback: &Arc<dyn SyncCallback>) {
        let mut threads = Vec::new();
        self.steps(&self.script.synchronize.steps, callback, &mut threads);
        join(threads);
        if !self.script.ignores_verdicts {
            self.end_all(&**callback);
        }
        let by_step = self
            .script
            .synchronize
            .has(|kind| matches!(kind, StepKind::CompleteSynchronize(_)));
        let due = self.script.synchronized == Ok(());
        if self.script.completes && !by_step && due {
            let _ = callback.synchronize_completed(HResult::S_OK);
        }
    }

    fn show(
        self: &Arc<Self>,
        part: Option<&(ScriptPart, ScriptAnswer<()>)>,
    ) -> Result<(), HandlerError> {
        let Some((part, answer)) = part else {
            return Err(HandlerError::NotImplemented);
        };
        let callback = self.callback()?;
        let mut threads = Vec::new();
        self.steps(&part.steps, &callback, &mut threads);
        join(threads);
        Ok((*answer)?)
    }
}

/// Waits for threads. One that panicked has said so, and its items end as the others do.
fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        let _ = thread.join();
    }
}

/// Does the work here, or on a thread of its own.
fn work(on_thread: bool, work: impl FnOnce() + Send + 'static) -> Result<(), HandlerError> {
    if on_thread {
        thread::Builder::new().spawn(work)?;
    } else {
        work();
    }
    Ok(())
}

impl SyncHandler for ScriptHandler {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(self.script.participation?)
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(self.script.name.clone()).flags(self.script.flags))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        let items = self.script.items.clone();
        Ok(match self.script.is_complete {
            true => ItemList::Complete(items),
            false => ItemList::Incomplete(items),
        })
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let is_release = callback.is_none();
        let old = std::mem::replace(&mut self.state.lock().callback, callback);
        if let Some(old) = old.filter(|_| is_release) {
            for step in &self.script.release {
                if let StepKind::Call { call, .. } = &step.0 {
                    call(&old);
                }
            }
        }
        Ok(())
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let callback = self.callback()?;
        {
            let mut state = self.state.lock();
            state.round = items.to_vec();
            // Items out of the round have ended, for the steps of all rounds are the same.
            for item_state in state.items.values_mut() {
                *item_state = ItemState::Ended;
            }
            for item in &self.script.items {
                state.items.insert(item.id, ItemState::Ended);
            }
            for item in items {
                state.items.insert(*item, ItemState::Waiting);
            }
        }
        let this = Arc::clone(&self);
        let on_thread = self.script.prepare.on_thread;
        work(on_thread, move || this.do_prepare(&callback))?;
        Ok(self.script.prepared?)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let callback = self.callback()?;
        let this = Arc::clone(&self);
        let on_thread = self.script.synchronize.on_thread;
        work(on_thread, move || this.do_synchronize(&callback))?;
        Ok(self.script.synchronized?)
    }

    fn set_item_status(&self, item: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        let mut state = self.state.lock();
        loop {
            match state.items.get(&item) {
                None => return Err(HandlerError::InvalidArgument),
                Some(ItemState::Beginning) => self.reported.wait(&mut state),
                Some(ItemState::Waiting) => {
                    state.items.insert(item, ItemState::Skipped);
                    return Ok(());
                }
                Some(_) => return Ok(()),
            }
        }
    }

    fn show_properties(self: Arc<Self>, _: Option<ItemId>) -> Result<(), HandlerError> {
        self.show(self.script.show_properties.as_ref())
    }

    fn show_error(self: Arc<Self>, _: ErrorId) -> Result<(), HandlerError> {
        self.show(self.script.show_error.as_ref())
    }
}
