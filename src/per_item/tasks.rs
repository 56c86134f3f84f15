//! Workers that are tasks, of whatever runtime.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::context::ItemContext;
use super::error::Error;
use super::next_item::NextItem;
use super::queue::QueuedItem;
use super::round::{Round, WorkSource};
use super::work_failure::WorkFailure;
use super::worker_group::{ActiveGuard, GroupMember, WorkerGroup};
use crate::util::inside::{Inside, RunId};
use crate::util::panic::Foreign;
use crate::util::panic::contained;
use crate::{HResult, ItemList, LogLevel, SyncItem};

/// One worker of an async handler, to be run by a runtime (feature `async`): a future that does one item after the other until
/// there is none left.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A [`PerItem`](super::PerItem) whose work is a future (feature `async`): which items there are, and how one of them is done.
///
/// [`HandlerBuilder::new_async`](super::HandlerBuilder::new_async) makes a handler of it, and of closures there are [`from_async_fn`] and
/// [`from_async_items`]. The crate brings no runtime and needs none: the handler is given a function that spawns a
/// [`Task`]. That is `|task| smol::spawn(task).detach()`, [`on_thread`], or for tokio, whose runtime the threads that call it need
/// not know:
///
/// ```ignore
/// let runtime = tokio::runtime::Handle::current(); // on a thread of the runtime's
/// let handler = HandlerBuilder::new_async(name, source, move |task| drop(runtime.spawn(task))).build();
/// ```
///
/// The function is called on the thread that drives the handler: one of its own for a [`SyncManager`](crate::SyncManager), the
/// caller's for [`run_handler`](crate::run_handler). That one blocks until the handler is released, so it is not to be called
/// inside a task: on a current-thread runtime it would wait for ever, since nobody is left to run the items. Give it a thread:
///
/// ```ignore
/// let report = tokio::task::spawn_blocking(move || run_handler(handler, options)).await?;
/// ```
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::per_item::{self, AsyncPerItem, Error, HandlerBuilder, ItemContext};
/// use syncmgr::{ItemId, ItemList, RunOptions, SyncItem, run_handler};
///
/// struct Feeds;
/// # async fn fetch(_: &str) -> Result<Vec<u8>, Error> { Ok(vec![0; 10]) }
///
/// impl AsyncPerItem for Feeds {
///     fn items(&self) -> Result<ItemList, Error> {
///         let feed = SyncItem::new(ItemId::from_u128(1), "news.example".parse()?);
///         Ok(ItemList::Complete(vec![feed]))
///     }
///
///     async fn synchronize(&self, work: Arc<ItemContext>) -> Result<(), Error> {
///         let name = work.item().name.as_str();
///         let bytes = work.until_cancelled(fetch(name)).await??; // a cancel drops the future
///         work.advance(bytes.len() as u64)?;
///         Ok(())
///     }
/// }
///
/// let handler = HandlerBuilder::new_async("Feeds".parse()?, Feeds, per_item::on_thread);
/// let report = run_handler(handler.workers(8).build(), RunOptions::new());
/// assert!(report.is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What the adapter does of an answer is the same as for a [`PerItem`](super::PerItem). Besides:
///
/// - A cancel does not drop the future of an item: it is the work that says where it may be dropped, by
///   [`ItemContext::until_cancelled`]. Or it ties a `CancellationToken` to the item, by [`ItemContext::on_cancel`]; the guard may be kept over an
///   `.await`.
/// - Where the runtime drops a task (it is shut down, or the function that spawns panics), the item in work fails. Those that
///   no other worker starts are `Skipped`, and where there are any, the round is completed with `E_ABORT`.
/// - The work may clone its [`ItemContext`] for tasks of its own. What these report after it has returned is refused, and so is what
///   they [add](ItemContext::add_item).
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub trait AsyncPerItem: Send + Sync + 'static {
    /// As [`PerItem::items`](super::PerItem::items). The host waits for it, so what is listed over a network is best listed
    /// before, or by a runtime of its own.
    ///
    /// # Errors
    ///
    /// Any; the run has failed then.
    fn items(&self) -> Result<ItemList, Error>;

    /// Does one item. It reports to `work`, and passes on what that answers by `?`.
    ///
    /// # Errors
    ///
    /// As for [`PerItem::synchronize`](super::PerItem::synchronize).
    fn synchronize(&self, work: Arc<ItemContext>)
    -> impl Future<Output = Result<(), Error>> + Send;
}

/// An [`AsyncPerItem`] of two functions (feature `async`).
///
/// ```
/// use syncmgr::per_item::{self, HandlerBuilder};
/// use syncmgr::{ItemId, ItemList, RunOptions, SyncItem, run_handler};
///
/// let list = || {
///     let feed = SyncItem::new(ItemId::from_u128(1), "news.example".parse()?);
///     Ok(ItemList::Complete(vec![feed])) // asked for anew in each run
/// };
/// let feeds = per_item::from_async_fn(list, |item| async move { Ok(item.set(1)?) });
/// let handler = HandlerBuilder::new_async("Feeds".parse()?, feeds, per_item::on_thread).build();
/// assert!(run_handler(handler, RunOptions::new()).is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub fn from_async_fn<L, W, F>(list: L, work: W) -> impl AsyncPerItem
where
    L: Fn() -> Result<ItemList, Error> + Send + Sync + 'static,
    W: Fn(Arc<ItemContext>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    AsyncFnItems { list, work }
}

/// An [`AsyncPerItem`] of a fixed list of items and a function that does one of them (feature `async`).
///
/// ```
/// use syncmgr::per_item::{self, HandlerBuilder};
/// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
///
/// let feed = SyncItem::new(ItemId::from_u128(1), "news.example".parse()?);
/// let feeds = per_item::from_async_items([feed], |item| async move { Ok(item.set(1)?) });
/// let handler = HandlerBuilder::new_async("Feeds".parse()?, feeds, per_item::on_thread).build();
/// assert!(run_handler(handler, RunOptions::new()).is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub fn from_async_items<W, F>(
    items: impl IntoIterator<Item = SyncItem>,
    work: W,
) -> impl AsyncPerItem
where
    W: Fn(Arc<ItemContext>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    let items: Vec<SyncItem> = items.into_iter().collect();
    from_async_fn(move || Ok(ItemList::Complete(items.clone())), work)
}

struct AsyncFnItems<L, W> {
    list: L,
    work: W,
}

impl<L, W, F> AsyncPerItem for AsyncFnItems<L, W>
where
    L: Fn() -> Result<ItemList, Error> + Send + Sync + 'static,
    W: Fn(Arc<ItemContext>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    fn items(&self) -> Result<ItemList, Error> {
        (self.list)()
    }

    fn synchronize(
        &self,
        work: Arc<ItemContext>,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        (self.work)(work)
    }
}

/// Runs a task on a new thread (feature `async`): for work that needs no runtime, and for tests.
///
/// Where there is no thread to be had, the task is dropped.
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub fn on_thread(mut task: Task) {
    let name = "syncmgr-item".to_owned();
    let _ = thread::Builder::new().name(name).spawn(move || {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        while task.as_mut().poll(&mut context).is_pending() {
            thread::park(); // a wake before it makes it return at once
        }
    });
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) struct TaskWorkers<P> {
    source: Foreign<P>,
    spawn: Foreign<Box<dyn Fn(Task) + Send + Sync>>,
}

impl<P: AsyncPerItem> TaskWorkers<P> {
    pub(super) fn new(source: P, spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self {
            source: Foreign::new(source),
            spawn: Foreign::new(Box::new(spawn)),
        }
    }

    async fn work(&self, round: &Round) {
        let mut passed = 0;
        loop {
            let work = match round.step() {
                NextItem::Begun(work) => work,
                NextItem::Passed => {
                    passed += 1;
                    if passed % PASSED_AT_MOST == 0 {
                        yield_once().await;
                    }
                    continue;
                }
                NextItem::Over => return,
            };
            let open = StartedItem {
                round,
                work: Arc::new(work),
                ended: false,
            };
            let done = self.one(Arc::clone(&open.work)).await;
            open.end(done);
            // Items that need not wait are not to keep the runtime from its other tasks.
            yield_once().await;
        }
    }

    /// The work of one item, with its panics contained: when it is called, polled and dropped.
    async fn one(&self, work: Arc<ItemContext>) -> Result<(), WorkFailure> {
        let begun = catch_unwind(AssertUnwindSafe(|| Box::pin(self.source.synchronize(work))));
        let mut future = Contained(Some(begun.map_err(WorkFailure::panicked)?));
        poll_fn(|context| future.poll(context)).await
    }
}

/// How many items a task ends without work before it yields to its runtime. One takes about half a microsecond in a session.
const PASSED_AT_MOST: usize = 256;

/// How many items a round has at most whose completion the last task passes on itself. The host looks at each of them, in a session
/// for less than 100 ns.
const COMPLETED_AT_MOST: usize = 4_096;

/// Completes a round. A large one is completed on a thread, because the host checks every item, and
/// freeing the queue takes as long.
fn complete(round: &Arc<Round>, result: HResult, left: VecDeque<QueuedItem>) {
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

fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// A future whose panic, and that of whose drop, is an answer.
struct Contained<F>(Option<Pin<Box<F>>>);

impl<F: Future<Output = Result<(), Error>>> Contained<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), WorkFailure>> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending; // it was ready
        };
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(polled) => polled.map_err(WorkFailure::error),
            Err(payload) => Poll::Ready(Err(WorkFailure::panicked(payload))),
        }
    }
}

impl<F> Drop for Contained<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        contained(|| drop(future));
    }
}

/// An item in work, which ends when its task is dropped too.
struct StartedItem<'a> {
    round: &'a Round,
    work: Arc<ItemContext>,
    ended: bool,
}

impl StartedItem<'_> {
    fn end(mut self, done: Result<(), WorkFailure>) {
        self.ended = true;
        self.round.end(&self.work, done);
    }
}

impl Drop for StartedItem<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.round.end(&self.work, Err(WorkFailure::Dropped));
        }
    }
}

impl<P: AsyncPerItem> WorkSource for TaskWorkers<P> {
    fn items(&self) -> Result<ItemList, Error> {
        self.source.items()
    }

    fn start(self: Arc<Self>, round: &Arc<Round>, workers: usize) -> io::Result<()> {
        // The one who starts is one of them too, so that the round is not over before all of this is told.
        let end = Arc::clone(round);
        let group = WorkerGroup::new(workers + 1, move || end.complete(complete));
        let _starter = GroupMember(Arc::clone(&group));
        for number in 0..workers {
            let (source, on_task) = (Arc::clone(&self), Arc::clone(round));
            let waits = round.handler.wait;
            let task: Task = Box::pin(TaskWorker {
                work: Box::pin(async move { source.work(&on_task).await }),
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
