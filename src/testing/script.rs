//! A handler that follows a list of steps.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::call::Update;
use super::step::{Kind, Step, report};
use crate::{
    ErrorId, HResult, HandlerError, HandlerFlags, HandlerInfo, HandlerName, ItemId, ItemList,
    ItemName, ItemStatus, Participation, Prepared, SyncCallback, SyncFlags, SyncHandler, SyncItem,
};

/// What a scripted handler does: a handler without a class of its own, for tests of hosts and of this kit.
///
/// A script is obedient unless it is made [`deaf`](Self::deaf): it does the steps of an item only if the item is in the
/// round, does not start a skipped item, and drops the rest of an item that is cancelled for its final status. When
/// its steps are done, it gives each item that has none a final status, and completes. The prepare is done on the host's
/// thread; the synchronization on a thread of its own, unless the script is [`inline`](Self::inline).
///
/// ```
/// use syncmgr::testing::{Harness, Script, Step};
/// use syncmgr::{ItemId, ItemStatus};
///
/// let photos = ItemId::from_u128(1);
/// let handler = Script::new()
///     .item(photos, "photos")
///     .synchronize([
///         Step::report(photos).status(ItemStatus::Updating).max(2),
///         Step::report(photos).value(1),
///         Step::report(photos).value(2),
///         Step::report(photos).status(ItemStatus::Succeeded),
///     ])
///     .handler();
///
/// let trace = Harness::new(handler).cancel_item_at(2).run();
/// trace.assert_conformant();
/// assert_eq!(trace.status(photos), Some(ItemStatus::Stopped));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until `handler` makes a handler of it"]
pub struct Script {
    name: HandlerName,
    flags: HandlerFlags,
    items: Vec<SyncItem>,
    is_complete: bool,
    participation: Answered<Participation>,
    prepare: Part,
    prepared: Answered<Prepared>,
    synchronize: Part,
    synchronized: Answered<()>,
    show_error: Option<(Part, Answered<()>)>,
    show_properties: Option<(Part, Answered<()>)>,
    release: Vec<Step>,
    deaf: bool,
    completes: bool,
}

/// What a method answers: a value, or a code.
type Answered<T> = Result<T, HResult>;

/// The steps of a method, and where they are done.
#[derive(Clone, Debug, Default)]
struct Part {
    steps: Vec<Step>,
    on_thread: bool,
}

impl Part {
    fn new(steps: impl IntoIterator<Item = Step>, on_thread: bool) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            on_thread,
        }
    }

    fn has(&self, wanted: fn(&Kind) -> bool) -> bool {
        self.steps.iter().any(|step| step.has(wanted))
    }
}

impl Script {
    /// A handler called `script`, without items, that takes part, prepares and completes.
    pub fn new() -> Self {
        Self {
            name: HandlerName::shortened("script"),
            flags: HandlerFlags::empty(),
            items: Vec::new(),
            is_complete: true,
            participation: Ok(Participation::Joins),
            prepare: Part::new([], false),
            prepared: Ok(Prepared::Started),
            synchronize: Part::new([], true),
            synchronized: Ok(()),
            show_error: None,
            show_properties: None,
            release: Vec::new(),
            deaf: false,
            completes: true,
        }
    }

    /// Names the handler; a name that is too long is [shortened](HandlerName::shortened).
    pub fn name(mut self, name: &str) -> Self {
        self.name = HandlerName::shortened(name);
        self
    }

    /// Sets the handler's flags.
    pub fn flags(mut self, flags: HandlerFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Adds an item to the list; a name that is too long is [shortened](ItemName::shortened).
    pub fn item(self, id: ItemId, name: &str) -> Self {
        self.sync_item(SyncItem::new(id, ItemName::shortened(name)))
    }

    /// Adds an item to the list, as it is.
    pub fn sync_item(mut self, item: SyncItem) -> Self {
        self.items.push(item);
        self
    }

    /// The list of items is [incomplete](ItemList::Incomplete).
    pub fn incomplete(mut self) -> Self {
        self.is_complete = false;
        self
    }

    /// What `initialize` answers.
    pub fn participation(mut self, answer: Result<Participation, HResult>) -> Self {
        self.participation = answer;
        self
    }

    /// The steps of the prepare, on the host's thread.
    pub fn prepare(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.prepare = Part::new(steps, false);
        self
    }

    /// The steps of the prepare, on a thread of their own: so there is a window for skips between the return of
    /// `prepare_for_sync` and its completion.
    pub fn prepare_on_thread(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.prepare = Part::new(steps, true);
        self
    }

    /// What `prepare_for_sync` answers.
    pub fn prepared(mut self, answer: Result<Prepared, HResult>) -> Self {
        self.prepared = answer;
        self
    }

    /// The steps of the synchronization.
    pub fn synchronize(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.synchronize.steps = steps.into_iter().collect();
        self
    }

    /// The synchronization is done on the host's thread, before `synchronize` returns.
    pub fn inline(mut self) -> Self {
        self.synchronize.on_thread = false;
        self
    }

    /// What `synchronize` answers.
    pub fn synchronized(mut self, answer: Result<(), HResult>) -> Self {
        self.synchronized = answer;
        self
    }

    /// The steps of `show_error`, and what it answers. Without this call it is not implemented. Its completion is a step.
    pub fn show_error(
        mut self,
        steps: impl IntoIterator<Item = Step>,
        answer: Result<(), HResult>,
    ) -> Self {
        self.show_error = Some((Part::new(steps, false), answer));
        self
    }

    /// The steps of `show_properties`, and what it answers. Without this call it is not implemented. Its completion is a
    /// step.
    pub fn show_properties(
        mut self,
        steps: impl IntoIterator<Item = Step>,
        answer: Result<(), HResult>,
    ) -> Self {
        self.show_properties = Some((Part::new(steps, false), answer));
        self
    }

    /// The steps that are done when the callback is taken away, before that call returns.
    pub fn release(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.release = steps.into_iter().collect();
        self
    }

    /// The handler does its steps whatever it is told, and gives no item a final status of its own accord.
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// The handler completes nothing of its own accord: only by a step.
    pub fn without_completions(mut self) -> Self {
        self.completes = false;
        self
    }

    /// Makes a handler that follows the script.
    #[must_use]
    pub fn handler(&self) -> Arc<dyn SyncHandler> {
        Arc::new(Scripted {
            script: self.clone(),
            state: Mutex::new(State::default()),
            reported: Condvar::new(),
        })
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

/// How far an item is in the current round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing was reported.
    Waiting,
    /// The first report is being made: a skip has to wait until it is, since what is started is judged by it (rule H14).
    Beginning,
    Begun,
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
    items: HashMap<ItemId, Progress>,
}

struct Scripted {
    script: Script,
    state: Mutex<State>,
    /// The first report of an item was made.
    reported: Condvar,
}

impl Scripted {
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
                Kind::Report { item, update } if self.script.deaf => {
                    // It does not listen.
                    let _ = report(&**callback, *item, update);
                }
                Kind::Report { item, update } => self.report(&**callback, *item, update),
                Kind::CompletePrepare(result) => {
                    let _ = callback.prepare_for_sync_completed(*result);
                }
                Kind::CompleteSynchronize(result) => {
                    let _ = callback.synchronize_completed(*result);
                }
                Kind::Call { call, .. } => call(callback),
                Kind::Spawn(steps) => {
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
    fn report(&self, callback: &dyn SyncCallback, item: ItemId, update: &Update) {
        let progress = {
            let mut state = self.state.lock();
            match state.items.get(&item).copied() {
                Some(Progress::Waiting) => {
                    state.items.insert(item, Progress::Beginning);
                    Progress::Waiting
                }
                // What was added by a step is not known here.
                None => {
                    state.items.insert(item, Progress::Beginning);
                    state.round.push(item);
                    Progress::Waiting
                }
                Some(progress) => progress,
            }
        };
        if matches!(progress, Progress::Skipped | Progress::Ended) {
            return;
        }
        let answer = report(callback, item, update);
        let ended = update.is_final();
        let now = if ended {
            Progress::Ended
        } else {
            Progress::Begun
        };
        self.state.lock().items.insert(item, now);
        self.reported.notify_all();
        if !ended && !answer.is_ok_and(|verdict| verdict.is_continue()) {
            self.end(callback, item, ItemStatus::Stopped);
        }
    }

    fn end(&self, callback: &dyn SyncCallback, item: ItemId, status: ItemStatus) {
        self.state.lock().items.insert(item, Progress::Ended);
        let update = Update {
            status: Some(status),
            ..Update::default()
        };
        let _ = report(callback, item, &update);
    }

    /// Gives each item of the round that has none its final status.
    fn end_all(&self, callback: &dyn SyncCallback) {
        let open: Vec<(ItemId, Progress)> = {
            let state = self.state.lock();
            let progress = |item: &ItemId| state.items.get(item).map(|progress| (*item, *progress));
            state.round.iter().filter_map(progress).collect()
        };
        for (item, progress) in open {
            match progress {
                Progress::Waiting | Progress::Skipped => {
                    self.end(callback, item, ItemStatus::Skipped);
                }
                Progress::Beginning | Progress::Begun => {
                    self.end(callback, item, ItemStatus::Stopped);
                }
                Progress::Ended => {}
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
            .has(|kind| matches!(kind, Kind::CompletePrepare(_)));
        let due = self.script.prepared == Ok(Prepared::Started);
        if self.script.completes && !by_step && due {
            let _ = callback.prepare_for_sync_completed(HResult::S_OK);
        }
    }

    fn do_synchronize(self: &Arc<Self>, callback: &Arc<dyn SyncCallback>) {
        let mut threads = Vec::new();
        self.steps(&self.script.synchronize.steps, callback, &mut threads);
        join(threads);
        if !self.script.deaf {
            self.end_all(&**callback);
        }
        let by_step = self
            .script
            .synchronize
            .has(|kind| matches!(kind, Kind::CompleteSynchronize(_)));
        let due = self.script.synchronized == Ok(());
        if self.script.completes && !by_step && due {
            let _ = callback.synchronize_completed(HResult::S_OK);
        }
    }

    fn show(self: &Arc<Self>, part: Option<&(Part, Answered<()>)>) -> Result<(), HandlerError> {
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

impl SyncHandler for Scripted {
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
                if let Kind::Call { call, .. } = &step.0 {
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
            for progress in state.items.values_mut() {
                *progress = Progress::Ended;
            }
            for item in &self.script.items {
                state.items.insert(item.id, Progress::Ended);
            }
            for item in items {
                state.items.insert(*item, Progress::Waiting);
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
                Some(Progress::Beginning) => self.reported.wait(&mut state),
                Some(Progress::Waiting) => {
                    state.items.insert(item, Progress::Skipped);
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
