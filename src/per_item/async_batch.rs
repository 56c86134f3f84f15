//! A list of items with payloads, and a future for one of them.

use std::sync::Arc;

use super::batch::{Batch, NOT_LISTED};
use super::batch_items::{BatchItem, BatchItems};
use super::batch_values::BatchValues;
use super::builder::HandlerBuilder;
use super::error::Error;
use super::payload::Payload;
use super::task_context::TaskContext;
use super::tasks::{SpawnFn, Task, TaskSource, TaskWorkers};
use crate::util::panic::Foreign;
use crate::{ItemId, ItemList, SyncItem};

/// Creates a handler of independent items whose work is a future: [`each`](super::each) for async code (feature `async`).
///
/// `spawn` gives a [`Task`] to your runtime. It is called once for each of the [`workers`](Batch::workers), which is how many
/// items are in progress concurrently. The run itself needs a thread: [`start`](Batch::start) takes one and returns a
/// [`Running`](crate::Running), whose [`finished`](crate::Running::finished) is awaited. [`AsyncPerItem`](super::AsyncPerItem) tells
/// more of runtimes, and of what happens to futures.
///
/// # Examples
///
/// ```
/// use syncmgr::{RunOptions, per_item};
///
/// # async fn fetch(_: &str) -> std::io::Result<Vec<u8>> { Ok(vec![0; 10]) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let feeds = [("news", "https://news.example/feed"), ("weather", "https://weather.example/feed")];
/// // With tokio: `|task| drop(tokio::runtime::Handle::spawn(&runtime, task))`.
/// let report = per_item::each_async(feeds, per_item::on_thread, |item, url| async move {
///     let bytes = item.until_cancelled(fetch(&url)).await??; // the first `?` is the cancellation
///     item.advance(bytes.len() as u64).await?;
///     Ok(bytes)
/// })
/// .workers(8)
/// .start(RunOptions::new())
/// .finished()
/// .await?;
/// assert_eq!(report.counts().to_string(), "2 succeeded");
/// # Ok(())
/// # }
/// # let runtime = example();
/// # let mut runtime = std::pin::pin!(runtime);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # while runtime.as_mut().poll(&mut context).is_pending() { std::thread::yield_now(); }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub fn each_async<I, T, R, F>(
    items: impl IntoIterator<Item = I>,
    spawn: impl Fn(Task) + Send + Sync + 'static,
    work: impl Fn(TaskContext, Payload<T>) -> F + Send + Sync + 'static,
) -> Batch<T, R>
where
    I: Into<BatchItem<T>>,
    T: Send + Sync + 'static,
    R: Send + Sync + 'static,
    F: Future<Output = Result<R, Error>> + Send + 'static,
{
    let spawn: SpawnFn = Arc::new(Foreign::new(Box::new(spawn)));
    let work = Arc::new(Foreign::new(work));
    Batch::new(items, move |name, items, values| {
        let source = AsyncBatchSource {
            items: Arc::clone(items),
            work: Arc::clone(&work),
            values,
        };
        HandlerBuilder::with_source(name, TaskWorkers::new(source, Arc::clone(&spawn)))
    })
}

impl<T: Send + Sync + 'static, R: Send + Sync + 'static> Batch<T, R> {
    /// As [`measure`](Self::measure), by a future (feature `async`): see [`HandlerBuilder::measure_async`].
    #[cfg_attr(docsrs, doc(cfg(feature = "async")))]
    pub fn measure_async<F>(self, measure: impl Fn(Payload<T>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<u64, Error>> + Send + 'static,
    {
        let items = Arc::clone(&self.items);
        let measure = Arc::new(Foreign::new(measure));
        self.configure(move |builder| {
            let (items, measure) = (Arc::clone(&items), Arc::clone(&measure));
            builder.measure_async(move |item| {
                let payload = Payload::new(&items, &item);
                let measured = payload.map(|payload| measure(payload));
                async move {
                    match measured {
                        Some(measured) => measured.await,
                        None => Ok(0),
                    }
                }
            })
        })
    }
}

/// The items of a batch, done by tasks.
struct AsyncBatchSource<T, R, W> {
    items: Arc<BatchItems<T>>,
    work: Arc<Foreign<W>>,
    values: BatchValues<R>,
}

impl<T, R, W, F> TaskSource for AsyncBatchSource<T, R, W>
where
    T: Send + Sync + 'static,
    R: Send + Sync + 'static,
    W: Fn(TaskContext, Payload<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, Error>> + Send + 'static,
{
    fn items(&self) -> Result<ItemList, Error> {
        self.items.list()
    }

    fn find(&self, id: ItemId, place: usize) -> Option<SyncItem> {
        self.items.item(id, place)
    }

    async fn synchronize(&self, item: TaskContext) -> Result<(), Error> {
        let payload = Payload::new(&self.items, &item).ok_or(NOT_LISTED)?;
        let place = payload.place();
        // The last attempt counts, also if it fails.
        self.values.clear(place);
        let value = (self.work)(item, payload).await?;
        self.values.set(place, value);
        Ok(())
    }
}
