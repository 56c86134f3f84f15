//! A list of items with payloads, and a closure for one of them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::batch_items::{BatchItem, BatchItems};
use super::batch_report::BatchReport;
use super::batch_values::BatchValues;
use super::builder::HandlerBuilder;
use super::context::ItemContext;
use super::error::Error;
use super::threads::{ThreadSource, ThreadWorkers};
use crate::driver::{RunOptions, Running, run_handler};
use crate::util::panic::Foreign;
use crate::{HandlerName, ItemId, ItemList, SyncHandler, SyncItem};

/// Creates a handler of independent items: `work` is called for each of them, with its payload.
///
/// An item is a pair of a name and a payload, a [`BatchItem`], or a pair of a [`SyncItem`] and a payload. Names are for the
/// user; long ones are shortened. The id of an item is derived from its name, so it is the same in every run. If several items
/// have the same name, their ids also depend on their order: give them [keys](BatchItem::key) if the order changes.
///
/// The closure reports to its [`ItemContext`] and may return a value, which is in the [`BatchReport`]. A cancellation travels by
/// `?`, and an error fails the item only.
///
/// # Examples
///
/// ```
/// use std::fs::{self, File};
/// use syncmgr::per_item;
///
/// # let directory = std::env::temp_dir().join("syncmgr batch example");
/// # fs::create_dir_all(&directory)?;
/// # for name in ["a.txt", "b.txt"] { fs::write(directory.join(name), "some text")?; }
/// let files = ["a.txt", "b.txt"].map(|name| (name, directory.join(name)));
/// let report = per_item::each(files, |item, path| {
///     item.max(fs::metadata(path)?.len())?;
///     item.copy(File::open(path)?, File::create(path.with_extension("bak"))?)?;
///     Ok(())
/// })
/// .workers(2)
/// .run();
/// assert!(report.is_success(), "{}", report.counts());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Workers share payloads and values, so both must be `Send` and `Sync`:
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
/// use syncmgr::per_item;
///
/// let batch = per_item::each([("a.txt", ())], |_, ()| Ok(Rc::new(1)));
/// ```
pub fn each<I, T, R>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(&ItemContext, &T) -> Result<R, Error> + Send + Sync + 'static,
) -> Batch<T, R>
where
    I: Into<BatchItem<T>>,
    T: Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    let work = Arc::new(Foreign::new(work));
    Batch::new(items, move |name, items, values| {
        let source = BatchSource {
            items: Arc::clone(items),
            work: Arc::clone(&work),
            values,
        };
        HandlerBuilder::with_source(name, ThreadWorkers(source))
    })
}

/// A list of items with payloads, and a closure for one of them: see [`each`].
///
/// It can run any number of times.
#[must_use = "a batch does nothing until `run`, `start` or `handler`"]
pub struct Batch<T, R> {
    pub(super) items: Arc<BatchItems<T>>,
    /// Makes the builder of a handler of this name, whose values go there.
    builder: Arc<Foreign<Box<MakeBuilder<T, R>>>>,
    settings: Vec<BatchSetting>,
    name: HandlerName,
    /// Those of the handlers that are given out, once there is one.
    values: OnceLock<BatchValues<R>>,
}

type MakeBuilder<T, R> =
    dyn Fn(HandlerName, &Arc<BatchItems<T>>, BatchValues<R>) -> HandlerBuilder + Send + Sync;
type BatchSetting = Arc<dyn Fn(HandlerBuilder) -> HandlerBuilder + Send + Sync>;

impl<T: Send + Sync + 'static, R: Send + Sync + 'static> Batch<T, R> {
    pub(super) fn new<I: Into<BatchItem<T>>>(
        items: impl IntoIterator<Item = I>,
        builder: impl Fn(HandlerName, &Arc<BatchItems<T>>, BatchValues<R>) -> HandlerBuilder
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let items = BatchItems::new(items.into_iter().map(Into::into));
        Self {
            values: OnceLock::new(),
            items: Arc::new(items),
            builder: Arc::new(Foreign::new(Box::new(builder))),
            settings: Vec::new(),
            name: HandlerName::truncate_end("items"),
        }
    }

    /// Sets the name of the handler. A long one is shortened. Defaults to `items`.
    pub fn name(mut self, name: &str) -> Self {
        self.name = HandlerName::truncate_end(name);
        self
    }

    /// Sets how many items are in progress concurrently, each on a thread of its own. Defaults to 1, which is also the least.
    pub fn workers(self, workers: usize) -> Self {
        self.configure(move |builder| builder.workers(workers))
    }

    /// Sets how to find the maximum of an item before any item starts, so that the total is known from the start: see
    /// [`HandlerBuilder::measure`].
    pub fn measure(
        self,
        measure: impl Fn(&T) -> Result<u64, Error> + Send + Sync + 'static,
    ) -> Self {
        let items = Arc::clone(&self.items);
        let measure = Arc::new(Foreign::new(measure));
        self.configure(move |builder| {
            let (items, measure) = (Arc::clone(&items), Arc::clone(&measure));
            builder.measure(move |item| match items.find(item.item().id, item.place()) {
                Some((_, payload)) => measure(payload),
                None => Ok(0),
            })
        })
    }

    /// Changes any other setting of the [`HandlerBuilder`].
    pub fn configure(
        mut self,
        setting: impl Fn(HandlerBuilder) -> HandlerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.settings.push(Arc::new(setting));
        self
    }

    /// Runs all items, and blocks until they have ended.
    #[must_use = "the report says whether everything was done"]
    pub fn run(&self) -> BatchReport<T, R> {
        self.run_with(RunOptions::new())
    }

    /// Runs the items with options, such as [`retries`](RunOptions::retries), and blocks until they have ended.
    ///
    /// # Panics
    ///
    /// As for [`run_handler`].
    #[must_use = "the report says whether everything was done"]
    pub fn run_with(&self, options: RunOptions) -> BatchReport<T, R> {
        let values = BatchValues::new(&self.items);
        let handler = self.with_values(&values);
        BatchReport::new(run_handler(handler, options), &self.items, &values)
    }

    /// Runs the items on other threads, and returns immediately: see [`start`](crate::start).
    pub fn start(&self, options: RunOptions) -> Running<BatchReport<T, R>> {
        let values = BatchValues::new(&self.items);
        let handler = self.with_values(&values);
        let items = Arc::clone(&self.items);
        Running::start(handler, options, move |report| {
            BatchReport::new(report, &items, &values)
        })
    }

    /// Creates a handler, for another host than this crate's functions or for a `SyncManager`. Its values are in
    /// [`values`](Self::values).
    #[must_use]
    pub fn handler(&self) -> Arc<dyn SyncHandler> {
        self.with_values(self.own_values())
    }

    /// Returns a handle to the values of the [handlers](Self::handler) that this batch creates.
    #[must_use]
    pub fn values(&self) -> BatchValues<R> {
        self.own_values().clone()
    }

    fn own_values(&self) -> &BatchValues<R> {
        self.values.get_or_init(|| BatchValues::new(&self.items))
    }

    fn with_values(&self, values: &BatchValues<R>) -> Arc<dyn SyncHandler> {
        let builder = (self.builder)(self.name.clone(), &self.items, values.clone());
        let settings = self.settings.iter();
        settings
            .fold(builder, |builder, setting| setting(builder))
            .build()
    }
}

impl<T, R> fmt::Debug for Batch<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("name", &self.name)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// The items of a batch, done by threads.
struct BatchSource<T, R, W> {
    items: Arc<BatchItems<T>>,
    work: Arc<Foreign<W>>,
    values: BatchValues<R>,
}

impl<T, R, W> ThreadSource for BatchSource<T, R, W>
where
    T: Send + Sync + 'static,
    R: Send + Sync + 'static,
    W: Fn(&ItemContext, &T) -> Result<R, Error> + Send + Sync + 'static,
{
    fn items(&self) -> Result<ItemList, Error> {
        self.items.list()
    }

    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem> {
        self.items.item(id, place)
    }

    fn synchronize(&self, item: &ItemContext) -> Result<(), Error> {
        let Some((place, payload)) = self.items.find(item.item().id, item.place()) else {
            return Err(NOT_LISTED.into());
        };
        // The last attempt counts, also if it fails.
        self.values.clear(place);
        let value = (self.work)(item, payload)?;
        self.values.set(place, value);
        Ok(())
    }
}

/// An error of an item that the work has added.
pub(super) const NOT_LISTED: &str = "the item is not one of the batch";
