//! Workers that are tasks, of whatever runtime.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use super::error::Error;
use super::next_item::{BegunItem, ItemWorker, NextItem};
use super::queue::UnstartedItems;
use super::round::{Round, WorkSource};
use super::shared_context::SharedContext;
use super::task_context::TaskContext;
use super::task_future::{TaskFuture, block_on, yield_once};
use super::threads::measure_on_threads;
use super::work_failure::WorkFailure;
use super::worker_group::{ActiveGuard, GroupMember, WorkerGroup};
use crate::util::inside::{Inside, RunId};
use crate::util::panic::Foreign;
use crate::util::panic::contained;
use crate::{HResult, ItemId, ItemList, LogLevel, SyncItem};

/// One worker of an async handler, to be run by a runtime (feature `async`): a future that does one item after the other until
/// there is none left.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a task on a new thread (feature `async`): for work that needs no runtime, and for tests.
///
/// Where there is no thread to be had, the task is dropped.
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub fn on_thread(task: Task) {
    let name = "syncmgr-item".to_owned();
    let _ = thread::Builder::new()
        .name(name)
        .spawn(move || block_on(task));
}

/// Items that are done by tasks.
pub(super) trait TaskSource: Send + Sync + 'static {
    fn items(&self) -> Result<ItemList, Error>;
    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem>;
    fn synchronize(&self, item: TaskContext) -> impl Future<Output = Result<(), Error>> + Send;
}

pub(super) struct TaskWorkers<S> {
    source: S,
    spawn: SpawnFn,
}

/// The user's function that gives a task to a runtime.
pub(super) type SpawnFn = Arc<Foreign<Box<dyn Fn(Task) + Send + Sync>>>;

impl<S: TaskSource> TaskWorkers<S> {
    pub(super) fn new(source: S, spawn: SpawnFn) -> Self {
        Self { source, spawn }
    }

    async fn measure_items(&self, round: &Round) {
        let (mut passed, mut worker) = (0, ItemWorker::default());
        loop {
            match round.step_of_measure(&mut worker) {
                NextItem::Begun(BegunItem { context, place }) => {
                    round.measure_in_task(&context, place).await;
                    yield_once().await;
                }
                NextItem::Passed => yield_of_passed(&mut passed).await,
                NextItem::Over => return,
            }
        }
    }

    async fn do_items(&self, round: &Round) {
        let (mut passed, mut worker) = (0, ItemWorker::default());
        loop {
            let begun = match round.step(&mut worker) {
                NextItem::Begun(begun) => begun,
                NextItem::Passed => {
                    yield_of_passed(&mut passed).await;
                    continue;
                }
                NextItem::Over => return,
            };
            let open = StartedItem {
                round,
                context: begun.context,
                ended: false,
            };
            if begun.place.is_none() && !round.measure_in_task(&open.context, None).await {
                open.end_by_host();
                continue;
            }
            let context = TaskContext::new(open.context.clone());
            let done = TaskFuture::call(|| self.source.synchronize(context)).await;
            open.end(done);
            // Items that need not wait are not to keep the runtime from its other tasks.
            yield_once().await;
        }
    }

    /// Starts so many tasks, the last of which calls `done`.
    fn start_tasks<F>(
        &self,
        round: &Arc<Round>,
        workers: usize,
        work: impl Fn() -> F,
        done: impl Fn() + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        // The one who starts is one of them too, so that the round is not over before all of this is told.
        let group = WorkerGroup::new(workers + 1, done);
        let _starter = GroupMember(Arc::clone(&group));
        for number in 0..workers {
            let waits = round.handler.wait;
            let task: Task = Box::pin(TaskWorker {
                work: Box::pin(work()),
                member: GroupMember(Arc::clone(&group)),
                guard: waits.then(|| ActiveGuard::of_task(&round.handler.active)),
                run: RunId::current(),
            });
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.spawn)(task))) {
                // Whether it has taken the task or not, the task leaves the round. So the call succeeds, and the completion
                // tells (rules H07, H08).
                let broken = WorkFailure::panicked(payload);
                let text = format!("the function that spawns the tasks {broken}");
                round.log(LogLevel::Error, &text);
                group.leave(workers - number - 1);
                break;
            }
        }
    }
}

/// Yields now and then while items are ended without work.
async fn yield_of_passed(passed: &mut usize) {
    *passed += 1;
    if *passed % PASSED_AT_MOST == 0 {
        yield_once().await;
    }
}

/// How many items a task ends without work before it yields to its runtime. One takes about half a microsecond in a session.
const PASSED_AT_MOST: usize = 256;

/// How many items a round has at most whose completion the last task passes on itself. The host looks at each of them, in a session
/// for less than 100 ns.
const COMPLETED_AT_MOST: usize = 4_096;

/// Completes a round. A large one is completed on a thread, because the host checks every item, and
/// freeing the queue takes as long.
fn complete(round: &Arc<Round>, result: HResult, left: UnstartedItems) {
    if round.size <= COMPLETED_AT_MOST {
        return round.completed(result);
    }
    let mut guard = (round.handler.wait).then(|| ActiveGuard::new(&round.handler.active));
    let on_thread = Arc::clone(round);
    let builder = thread::Builder::new().name("syncmgr-item".to_owned());
    let started = builder.spawn(move || {
        if let Some(guard) = &mut guard {
            guard.begin();
        }
        // Dropped from the last to the first: it is at work until the round is let go, too.
        let _turn = guard;
        let round = on_thread;
        contained(|| round.completed(result));
        drop(left);
    });
    if started.is_err() {
        round.completed(result);
    }
}

/// An item in work, which ends when its task is dropped too.
struct StartedItem<'a> {
    round: &'a Round,
    context: SharedContext,
    ended: bool,
}

impl StartedItem<'_> {
    fn end_by_host(mut self) {
        self.ended = true;
        self.round.end_by_host(&self.context);
    }

    fn end(mut self, done: Result<(), WorkFailure>) {
        self.ended = true;
        self.round.end(&self.context, done);
    }
}

impl Drop for StartedItem<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.round.end(&self.context, Err(WorkFailure::Dropped));
        }
    }
}

impl<S: TaskSource> WorkSource for TaskWorkers<S> {
    fn items(&self) -> Result<ItemList, Error> {
        self.source.items()
    }

    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem> {
        self.source.find(id, place)
    }

    fn measure(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        if !round.handler.measures_in_tasks() {
            return measure_on_threads(round, workers);
        }
        let work = || {
            let (source, on_task) = (Arc::clone(&self), Arc::clone(round));
            async move { source.measure_items(&on_task).await }
        };
        let end = Arc::clone(round);
        self.start_tasks(round, workers, work, move || end.measured());
        Ok(())
    }

    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        let work = || {
            let (source, on_task) = (Arc::clone(&self), Arc::clone(round));
            async move { source.do_items(&on_task).await }
        };
        let end = Arc::clone(round);
        self.start_tasks(round, workers, work, move || end.complete(complete));
        Ok(())
    }
}

/// A worker from its start to its end: also where it is dropped, be it before its first poll. The fields are dropped in their
/// order: first the work, then it leaves the round, then it is not at work any more.
struct TaskWorker {
    work: Task,
    #[expect(dead_code, reason = "held until the task has ended")]
    member: GroupMember,
    /// Where the handler is to know who is at work.
    guard: Option<ActiveGuard>,
    /// The run of which its polls are a part.
    run: Option<RunId>,
}

impl Future for TaskWorker {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let worker = &mut *self;
        let _inside = Inside::enter(worker.run);
        if let Some(guard) = &mut worker.guard {
            guard.begin();
        }
        let polled = worker.work.as_mut().poll(context);
        if let Some(guard) = worker.guard.as_mut().filter(|_| polled.is_pending()) {
            guard.pause();
        }
        polled
    }
}
