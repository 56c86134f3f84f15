//! A handler that does by chance whatever a handler can do, well or wrong.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread;

use syncmgr::{
    CallbackError, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerFlags, HandlerInfo, ItemId,
    ItemList, ItemName, ItemReporter, ItemStatus, LogLevel, LogRecord, LogSelector, Participation,
    Prepared, ProgressUpdate, PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler, SyncItem,
    Verdict,
};

use super::plan::{Life, Plan, plan};
use super::world::{Chance, ITEMS, World, count, item_id, lock};

pub struct Handler {
    world: Arc<World>,
    life: Arc<Life>,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    callback: Option<Arc<dyn SyncCallback>>,
    items: Vec<ItemId>,
    skipped: Vec<ItemId>,
    failed: Vec<ItemId>,
    may_bother: bool,
}

/// The factory.
pub fn make(world: &Arc<World>, handler: usize) -> Arc<dyn SyncHandler> {
    let number = world.number();
    let mut chance = Chance::new(world.seed, number);
    let life = Arc::new(Life {
        number,
        handler,
        plan: plan(&mut chance),
        recorder: chance.one_in(5).then(syncmgr::testing::Recorder::new),
        entries: Mutex::default(),
        hung: false.into(),
    });
    count(&world.counts.made);
    lock(&world.lives).insert(number, Arc::clone(&life));
    world.current[handler].store(number, Ordering::SeqCst);
    let new = Handler {
        world: Arc::clone(world),
        life,
        state: Mutex::new(State {
            chance,
            callback: None,
            items: Vec::new(),
            skipped: Vec::new(),
            failed: Vec::new(),
            may_bother: false,
        }),
    };
    let _ = new.enter("the factory");
    let recorder = new.life.recorder.clone();
    let new: Arc<dyn SyncHandler> = Arc::new(new);
    match recorder {
        Some(recorder) => recorder.handler(new),
        None => new,
    }
}

/// Inside a call of a handler.
struct Inside<'a>(&'a Handler);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Handler {
    /// A call begins; here it goes wrong, if that is the plan.
    fn enter(&self, place: &'static str) -> Inside<'_> {
        let (world, life) = (&self.world, &self.life);
        let current = world.current[life.handler].load(Ordering::SeqCst);
        let lets_go = matches!(place, "take callback" | "drop");
        if !lets_go && current != life.number {
            let plan = life.plan;
            world.wrong(format!(
                "{plan:?} was called in {place} after the next one was made"
            ));
        }
        if place != "drop" && !life.hung.load(Ordering::SeqCst) {
            let mut inside = lock(&world.inside[life.handler]);
            if !lets_go {
                lock(&world.overlaps).extend(inside.iter().map(|other| (*other, place)));
            }
            inside.push(life.number);
        }
        let inside = Inside(self);
        match life.plan {
            Plan::Panic(at) if at == place => panic!("as planned in {place}"),
            Plan::Hang(at) if at == place => {
                self.leave();
                self.hang();
            }
            _ => {}
        }
        inside
    }

    fn leave(&self) {
        let mut inside = lock(&self.world.inside[self.life.handler]);
        if let Some(place) = inside.iter().position(|life| *life == self.life.number) {
            inside.swap_remove(place);
        }
    }

    fn hang(&self) {
        count(&self.world.counts.hangs);
        self.life.hung.store(true, Ordering::SeqCst);
        self.world.hang();
    }

    fn refuses(&self, place: &'static str) -> Result<(), HandlerError> {
        match self.life.plan {
            Plan::Refuse(at) if at == place => Err(HResult::E_FAIL.into()),
            _ => Ok(()),
        }
    }

    fn completes(&self, place: &'static str) -> bool {
        let silent = self.life.plan == Plan::Silent(place);
        if silent {
            count(&self.world.counts.silent);
        }
        !silent
    }

    fn chance(&self) -> Chance {
        let mut state = lock(&self.state);
        Chance::new(state.chance.next(), 0)
    }

    fn callback(&self) -> Result<Arc<dyn SyncCallback>, HandlerError> {
        let callback = lock(&self.state).callback.clone();
        callback.ok_or(HandlerError::Code(HResult::E_UNEXPECTED))
    }

    fn spawn(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), HandlerError> {
        let this = Arc::clone(self);
        let builder = thread::Builder::new().name("soak worker".into());
        let _ = builder.spawn(move || work(&this))?;
        Ok(())
    }

    fn log(&self, callback: &dyn SyncCallback, record: &LogRecord<'_>, error: ErrorId) {
        let mut entries = lock(&self.life.entries);
        match callback.log_error(record) {
            Ok(()) => {
                entries.push(error);
                count(&self.world.counts.logged);
            }
            Err(CallbackError::LogFull) => count(&self.world.counts.full),
            Err(_) => {}
        }
    }

    /// What a handler may do beside its work.
    fn aside(&self, callback: &Arc<dyn SyncCallback>, chance: &mut Chance) {
        let counts = &self.world.counts;
        let many = if chance.one_in(300) {
            10_100
        } else {
            chance.below(6)
        };
        for n in 0..many {
            let error = ErrorId::from_u128(u128::from(1 + n % 4_000));
            let text = format!("soak {}", self.life.number);
            let record = LogRecord::new(LogLevel::Error, &text).item(item_id(u128::from(n)));
            let record = match chance.one_in(2) {
                true => record.jump_text(error),
                false => record.error_id(error),
            };
            self.log(&**callback, &record, error);
        }
        if chance.one_in(4) {
            let error = ErrorId::from_u128(1);
            let mut entries = lock(&self.life.entries);
            let before = entries.len();
            if callback.delete_log_error(LogSelector::ById(error)).is_ok() {
                entries.retain(|entry| *entry != error);
            }
            if chance.one_in(4) && callback.delete_log_error(LogSelector::All).is_ok() {
                entries.clear();
            }
            let deleted = (before - entries.len()) as u64;
            counts.deleted.fetch_add(deleted, Ordering::Relaxed);
        }
        if chance.one_in(2) {
            let _ = callback.establish_connection(Some("line"));
        }
        if lock(&self.state).may_bother && chance.one_in(3) {
            match callback.enable_modeless(true) {
                Ok(turn) if turn.is_granted() => {
                    count(&counts.granted);
                    if chance.one_in(3) {
                        count(&counts.forgotten);
                        let panics = chance.one_in(2) && self.life.plan != Plan::Well;
                        assert!(!panics, "with the turn");
                    } else {
                        let _ = callback.enable_modeless(false);
                    }
                }
                Ok(_) => count(&counts.denied),
                Err(_) => {}
            }
        }
        if chance.one_in(4) {
            let new = SyncItem::new(
                item_id(ITEMS + u128::from(chance.below(20))),
                ItemName::truncate_start("new"),
            );
            let id = new.id;
            let taken = match chance.one_in(2) {
                true => callback.add_item(new),
                false => callback
                    .propose_item(new)
                    .and_then(|()| callback.commit_item(id))
                    .and_then(|()| {
                        callback.add_item(SyncItem::new(id, ItemName::truncate_start("new")))
                    }),
            };
            // One that was committed and not added takes no part.
            if taken.is_ok() {
                count(&counts.added);
                lock(&self.state).items.push(id);
            }
        }
        for id in callback.additional_items().unwrap_or_default() {
            let item = SyncItem::new(id, ItemName::truncate_start("asked"));
            if callback.add_item(item).is_ok() {
                count(&counts.asked);
                lock(&self.state).items.push(id);
            }
        }
        if chance.one_in(4) {
            let waker = Waker::from(Arc::new(Woken(chance.one_in(10))));
            let item = chance
                .one_in(2)
                .then(|| item_id(u128::from(chance.below(200))));
            let _ = callback.wake_on_cancel(item, &waker);
        }
    }

    /// Brings one item to its end.
    fn item(
        &self,
        callback: &Arc<dyn SyncCallback>,
        item: ItemId,
        chance: &mut Chance,
    ) -> Result<(), CallbackError> {
        if lock(&self.state).skipped.contains(&item) {
            let skipped = ProgressUpdate::new().status(ItemStatus::Skipped);
            return callback.progress(item, &skipped).map(drop);
        }
        let steps = chance.below(5);
        let end = chance.of(&[
            ItemStatus::Succeeded,
            ItemStatus::Succeeded,
            ItemStatus::Failed,
        ]);
        if end == ItemStatus::Failed {
            lock(&self.state).failed.push(item);
        }
        if chance.one_in(2) {
            let reporter = ItemReporter::new(callback, item);
            let mut verdict = reporter.check()?;
            for step in 1..=steps {
                if verdict == Verdict::Continue {
                    verdict = reporter.set(step)?;
                }
            }
            return match (verdict, end) {
                (Verdict::Continue, ItemStatus::Succeeded) => reporter.succeed(),
                (Verdict::Continue, end) => reporter
                    .report(&ProgressUpdate::new().status(end))
                    .map(drop),
                _ => reporter.stop(),
            };
        }
        let first = ProgressUpdate::new()
            .status(ItemStatus::Updating)
            .max(steps)
            .text("item");
        let mut verdict = callback.progress(item, &first)?;
        for step in 1..=steps {
            if verdict == Verdict::Continue {
                verdict = callback.progress(item, &ProgressUpdate::new().value(step))?;
            }
        }
        let end = if verdict == Verdict::Continue {
            end
        } else {
            ItemStatus::Stopped
        };
        callback
            .progress(item, &ProgressUpdate::new().status(end))
            .map(drop)
    }

    /// The whole synchronization.
    fn work(self: &Arc<Self>, callback: &Arc<dyn SyncCallback>) {
        let mut chance = self.chance();
        self.aside(callback, &mut chance);
        let items = std::mem::take(&mut lock(&self.state).items);
        let share = items.len() / 2;
        let workers = chance.below(3) as usize;
        let (mine, others) = items.split_at(if workers > 0 { share } else { items.len() });
        thread::scope(|scope| {
            for part in others.chunks(others.len() / workers.max(1) + 1) {
                let mut chance = Chance::new(chance.next(), 0);
                let builder = thread::Builder::new().name("soak worker".into());
                let work = move || {
                    self.enter_worker();
                    for item in part {
                        let _ = self.item(callback, *item, &mut chance);
                    }
                };
                builder
                    .spawn_scoped(scope, work)
                    .expect("a thread is to be had");
            }
            for item in mine {
                let _ = self.item(callback, *item, &mut chance);
            }
        });
        if self.completes("synchronize") {
            let _ = callback.synchronize_completed(HResult::S_OK);
        }
    }

    /// A worker of its own goes wrong.
    fn enter_worker(&self) {
        match self.life.plan {
            Plan::Panic("a worker") => panic!("as planned in a worker"),
            Plan::Hang("a worker") => {
                self.hang();
            }
            _ => {}
        }
    }
}

struct Woken(bool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        assert!(!self.0, "as planned in a waker");
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = self.enter("drop");
        }
    }
}

impl SyncHandler for Handler {
    fn initialize(
        &self,
        flags: SyncFlags,
        _: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        let _inside = self.enter("initialize");
        self.refuses("initialize")?;
        lock(&self.state).may_bother = flags.contains(SyncFlags::MAY_BOTHER_USER);
        match self.life.plan {
            Plan::Declines => Ok(Participation::Declines),
            _ => Ok(Participation::Joins),
        }
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        let _inside = self.enter("info");
        self.refuses("info")?;
        let name = format!("{}", self.life.number).parse()?;
        Ok(HandlerInfo::new(name)
            .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION | HandlerFlags::HAS_PROPERTIES))
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        let _inside = self.enter("items");
        self.refuses("items")?;
        let item =
            |n| SyncItem::new(item_id(n), ItemName::truncate_start("item")).checked(n % 7 != 0);
        let items = (0..ITEMS).map(item).collect();
        Ok(match self.chance().one_in(4) {
            true => ItemList::Incomplete(items),
            false => ItemList::Complete(items),
        })
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let place = if callback.is_some() {
            "set callback"
        } else {
            "take callback"
        };
        let _inside = self.enter(place);
        let old = std::mem::replace(&mut lock(&self.state).callback, callback);
        drop(old);
        self.refuses(place)
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let _inside = self.enter("prepare");
        if self.life.plan == Plan::NeedsUser {
            return Ok(Prepared::NeedsUser);
        }
        self.refuses("prepare")?;
        {
            let mut state = lock(&self.state);
            state.items = items.to_vec();
            state.skipped.clear();
            state.failed.clear();
        }
        let callback = self.callback()?;
        let mut chance = self.chance();
        if chance.one_in(2) {
            self.aside(&callback, &mut chance);
        }
        if !self.completes("prepare") {
            return Ok(Prepared::Started);
        }
        if chance.one_in(2) {
            let _ = callback.prepare_for_sync_completed(HResult::S_OK);
        } else {
            self.spawn(move |_| _ = callback.prepare_for_sync_completed(HResult::S_OK))?;
        }
        Ok(Prepared::Started)
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        let _inside = self.enter("synchronize");
        self.refuses("synchronize")?;
        let callback = self.callback()?;
        if self.chance().one_in(3) {
            self.work(&callback);
            return Ok(());
        }
        self.spawn(move |this| this.work(&callback))
    }

    fn set_item_status(&self, item: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        let _inside = self.enter("set_item_status");
        lock(&self.state).skipped.push(item);
        self.refuses("set_item_status")
    }

    fn show_properties(self: Arc<Self>, _: Option<ItemId>) -> Result<(), HandlerError> {
        let _inside = self.enter("show_properties");
        self.refuses("show_properties")?;
        let outcome = self.chance().of(&[
            PropertiesOutcome::ItemsChanged,
            PropertiesOutcome::ItemDeleted,
            PropertiesOutcome::from(HResult::S_OK),
        ]);
        if self.completes("show_properties") {
            let _ = self.callback()?.show_properties_completed(outcome);
        }
        Ok(())
    }

    fn show_error(self: Arc<Self>, _: ErrorId) -> Result<(), HandlerError> {
        let _inside = self.enter("show_error");
        self.refuses("show_error")?;
        let callback = self.callback()?;
        let failed = std::mem::take(&mut lock(&self.state).failed);
        if self.completes("show_error") {
            let _ = callback.show_error_completed(match failed.is_empty() {
                true => ErrorOutcome::Done,
                false => ErrorOutcome::Retry(&failed),
            });
        }
        Ok(())
    }
}
