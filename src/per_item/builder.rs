//! The builder of a handler.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use parking_lot::Mutex;

use super::adapter::{Adapter, ItemOrder};
#[cfg(feature = "async")]
use super::async_traits::AsyncPerItem;
use super::context::ItemContext;
use super::error::Error;
use super::handler_state::{FinishFn, HandlerState};
use super::listed_source::ListedSource;
use super::measure::MeasureFn;
use super::round::WorkSource;
#[cfg(feature = "async")]
use super::task_context::TaskContext;
#[cfg(feature = "async")]
use super::tasks::{Task, TaskWorkers};
use super::threads::ThreadWorkers;
use super::traits::PerItem;
use super::worker_group::ActiveWorkers;
use crate::util::panic::Foreign;
use crate::{HandlerFlags, HandlerInfo, HandlerName, SyncHandler, SyncItem};

/// Makes a [`SyncHandler`] of a [`PerItem`]: see the [module](super).
///
/// ```
/// use syncmgr::per_item::{self, HandlerBuilder};
/// use syncmgr::{ItemId, SyncItem};
///
/// let handler = || {
///     let items = (1..=3).map(|n| SyncItem::new(ItemId::from_u128(n), "a letter".parse().unwrap()));
///     let letters = per_item::from_items(items, |item| Ok(item.advance(1)?));
///     HandlerBuilder::new("Mail".parse().unwrap(), letters).workers(2).build()
/// };
/// # let _ = handler;
/// # #[cfg(feature = "testing")]
/// syncmgr::testing::explore_cancellations(handler).assert_conformant(); // with the feature `testing`
/// ```
#[must_use = "it does nothing until `build`"]
pub struct HandlerBuilder {
    source: Arc<dyn WorkSource>,
    info: HandlerInfo,
    workers: usize,
    stack: Option<usize>,
    order: Option<ItemOrder>,
    measure: Option<MeasureFn>,
    finish: Option<FinishFn>,
    retry: bool,
    wait: bool,
}

impl HandlerBuilder {
    /// A handler of this name that does its items one after the other, on a thread of its own.
    pub fn new(name: HandlerName, source: impl PerItem) -> Self {
        Self::with_source(name, ThreadWorkers(ListedSource::new(source)))
    }

    /// As [`new`](Self::new), for work that is a future (feature `async`). `spawn` is given one [`Task`] for each
    /// [worker](Self::workers), to be run by whatever runtime there is: see [`AsyncPerItem`].
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn new_async(
        name: HandlerName,
        source: impl AsyncPerItem,
        spawn: impl Fn(Task) + Send + Sync + 'static,
    ) -> Self {
        let spawn = Arc::new(Foreign::new(Box::new(spawn) as Box<_>));
        Self::with_source(name, TaskWorkers::new(ListedSource::new(source), spawn))
    }

    pub(super) fn with_source(name: HandlerName, source: impl WorkSource + 'static) -> Self {
        Self {
            source: Arc::new(source),
            info: HandlerInfo::new(name),
            workers: 1,
            stack: None,
            order: None,
            measure: None,
            finish: None,
            retry: true,
            wait: false,
        }
    }

    /// What the handler can do besides: [`MAY_ESTABLISH_CONNECTION`](HandlerFlags::MAY_ESTABLISH_CONNECTION) for work that
    /// asks for connections.
    pub fn flags(mut self, flags: HandlerFlags) -> Self {
        self.info = self.info.flags(flags);
        self
    }

    /// How many items are done at the same time, each on a thread or task of its own: one, unless this says otherwise; at
    /// least one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// As many items at the same time as there are cores.
    pub fn worker_per_core(self) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.workers(cores)
    }

    /// The size of the workers' stacks, for work that calls itself deep down, such as in nested directories. Without this call it
    /// is that of the [platform](std::thread::Builder::stack_size). Tasks run on the stacks of their runtime.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack = Some(bytes);
        self
    }

    /// In which order the items are begun. Without this call it is that of the prepare: the user's.
    pub fn order_by(
        mut self,
        order: impl Fn(&SyncItem, &SyncItem) -> Ordering + Send + Sync + 'static,
    ) -> Self {
        self.order = Some(Foreign::new(Box::new(order)));
        self
    }

    /// Whether an item that failed can be done again: its error is then logged with jump text, and done again where the host
    /// shows it. It can, unless this says otherwise.
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// How much there is to do for an item: its maximum, in the units in which its work advances. With this the host knows it
    /// of all items before the first is begun.
    ///
    /// It is asked in the prepare, by as many workers as do the items, and for items that come later before their work. It
    /// passes on what the work answers by `?`, and asks it now and then where it takes long. What it answers with an error
    /// has no maximum until its work reports one; the error is logged as a warning.
    ///
    /// An answer of 0 is the same as no maximum told. As long as such an item has not ended, nobody knows the sum, and what
    /// shows it counts items instead. So for an item with nothing to do answer 1, or its size where that is not 0.
    ///
    /// ```
    /// use std::{fs, io};
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    ///
    /// # let items = Vec::new();
    /// let copies = from_items(items, |item| {
    ///     let mut source = fs::File::open(item.item().name.as_str())?;
    ///     io::copy(&mut item.wrap_read(&mut source), &mut io::sink())?;
    ///     Ok(())
    /// });
    /// let handler = HandlerBuilder::new("Copies".parse()?, copies)
    ///     .measure(|item| Ok(fs::metadata(item.item().name.as_str())?.len().max(1))); // of an empty file, too
    /// # let _ = handler.build();
    /// # Ok::<(), syncmgr::ValueError>(())
    /// ```
    pub fn measure(
        mut self,
        measure: impl Fn(&ItemContext) -> Result<u64, Error> + Send + Sync + 'static,
    ) -> Self {
        self.measure = Some(MeasureFn::blocking(measure));
        self
    }

    /// As [`measure`](Self::measure), by a future (feature `async`). The handler's tasks await it; a handler whose workers are threads
    /// blocks on it.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::per_item::{self, HandlerBuilder, from_async_items};
    /// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
    ///
    /// # async fn content_length(_: &str) -> std::io::Result<u64> { Ok(10) }
    /// let feed = SyncItem::new(ItemId::from_u128(1), "news.example".parse()?);
    /// let feeds = from_async_items([feed], |item| async move { Ok(item.advance(10).await?) });
    /// let handler = HandlerBuilder::new_async("Feeds".parse()?, feeds, per_item::on_thread)
    ///     .measure_async(|item| async move { Ok(content_length(item.name()).await?) });
    /// let report = run_handler(handler.build(), RunOptions::new());
    /// assert_eq!(report.items()[0].max, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "async")]
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn measure_async<F>(
        mut self,
        measure: impl Fn(TaskContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<u64, Error>> + Send + 'static,
    {
        self.measure = Some(MeasureFn::new_async(measure));
        self
    }

    /// What is to be done when all items of a round have ended, however they have. The round is complete after it; with an
    /// error, which is logged, it has failed.
    pub fn finish(
        mut self,
        finish: impl Fn() -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.finish = Some(Foreign::new(Box::new(finish)));
        self
    }

    /// Whether a host that takes its callback away in the middle of the work is kept waiting until the work has ended. Then
    /// nothing is in the making, and no call on its way, when it goes on (rule H13 to the letter).
    ///
    /// It is not, unless this says otherwise: the work is refused its next report, and ends after that. For work that may
    /// hang, such as on a server that does not answer, that is what a host wants which gives it up after a deadline.
    ///
    /// Threads of the work's own are not known here: a host must not take the callback away from inside an answer to one of
    /// them.
    ///
    /// If the host takes the callback away inside a call of a task, tasks that are suspended at that moment are not waited for,
    /// because they may need the same thread to end. They are refused their next report.
    pub fn wait_for_work(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// The handler.
    #[must_use]
    pub fn build(self) -> Arc<dyn SyncHandler> {
        Arc::new(Adapter {
            source: self.source,
            info: self.info,
            workers: self.workers,
            order: self.order,
            shared: Arc::new(HandlerState {
                measure: self.measure,
                finish: self.finish,
                retry: self.retry,
                wait: self.wait,
                active: ActiveWorkers::new(self.stack),
                has_skipped: AtomicBool::new(false),
                has_logged: AtomicBool::new(false),
                state: Mutex::default(),
            }),
        })
    }
}

impl fmt::Debug for HandlerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerBuilder")
            .field("info", &self.info)
            .field("workers", &self.workers)
            .field("retry", &self.retry)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
