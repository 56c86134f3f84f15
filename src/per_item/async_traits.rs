//! The trait of independent items whose work is a future, and closures that implement it.

use super::error::Error;
use super::task_context::TaskContext;
use crate::{ItemList, SyncItem};

/// A [`PerItem`](super::PerItem) whose work is a future (feature `async`): which items there are, and how one of them is done.
///
/// [`HandlerBuilder::new_async`](super::HandlerBuilder::new_async) makes a handler of it. For closures there are
/// [`each_async`](super::each_async), [`from_async_fn`] and [`from_async_items`].
///
/// # Runtimes
///
/// The crate brings no runtime and needs none: you give it a function that spawns a [`Task`](super::Task). That is
/// [`on_thread`](super::on_thread), `|task| smol::spawn(task).detach()`, or for tokio:
///
/// ```ignore
/// let runtime = tokio::runtime::Handle::current(); // on a thread of the runtime
/// let handler = HandlerBuilder::new_async(name, source, move |task| drop(runtime.spawn(task))).build();
/// ```
///
/// The function is called on the thread that drives the handler: one of its own for [`start`](crate::start) and
/// [`SyncManager`](crate::SyncManager), the caller's for [`run_handler`](crate::run_handler), which blocks until the handler is
/// released. So do not call `run_handler` inside a task: on a current-thread runtime nobody would be left to run the items.
///
/// # What the adapter does
///
/// It does with what the work returns what it does for a [`PerItem`](super::PerItem). Besides:
///
/// - A cancellation does not drop the future of an item. The work says where it may be dropped, by
///   [`TaskContext::until_cancelled`], or ties a `CancellationToken` to the item, by [`TaskContext::on_cancel`].
/// - If the runtime drops a task (it is shut down, or the function that spawns panics), the item in progress fails. Those that
///   no other worker starts are `Skipped`, and if there are any, the round is completed with `E_ABORT`.
/// - The work may clone its [`TaskContext`] for tasks of its own. What these report after it has returned is refused, and so is
///   what they [add](TaskContext::add_item).
///
/// # Examples
///
/// ```
/// use syncmgr::per_item::{self, AsyncPerItem, Error, HandlerBuilder, TaskContext};
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
///     async fn synchronize(&self, item: TaskContext) -> Result<(), Error> {
///         let bytes = item.until_cancelled(fetch(item.name())).await??; // a cancellation drops the future
///         item.advance(bytes.len() as u64).await?;
///         Ok(())
///     }
/// }
///
/// let handler = HandlerBuilder::new_async("Feeds".parse()?, Feeds, per_item::on_thread);
/// let report = run_handler(handler.workers(8).build(), RunOptions::new());
/// assert!(report.is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub trait AsyncPerItem: Send + Sync + 'static {
    /// Returns the items that can be synchronized: see [`PerItem::items`](super::PerItem::items). The host waits for it, so list
    /// over a network before, or by a runtime of its own.
    ///
    /// # Errors
    ///
    /// Any; the run has failed then.
    fn items(&self) -> Result<ItemList, Error>;

    /// Does one item. It reports to `item`, and passes on what that returns by `?`.
    ///
    /// # Errors
    ///
    /// As for [`PerItem::synchronize`](super::PerItem::synchronize).
    fn synchronize(&self, item: TaskContext) -> impl Future<Output = Result<(), Error>> + Send;
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
/// let feeds = per_item::from_async_fn(list, |item| async move { Ok(item.set(1).await?) });
/// let handler = HandlerBuilder::new_async("Feeds".parse()?, feeds, per_item::on_thread).build();
/// assert!(run_handler(handler, RunOptions::new()).is_success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub fn from_async_fn<L, W, F>(list: L, work: W) -> impl AsyncPerItem
where
    L: Fn() -> Result<ItemList, Error> + Send + Sync + 'static,
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
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
/// let feeds = per_item::from_async_items([feed], |item| async move { Ok(item.set(1).await?) });
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
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
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
    W: Fn(TaskContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send,
{
    fn items(&self) -> Result<ItemList, Error> {
        (self.list)()
    }

    fn synchronize(&self, work: TaskContext) -> impl Future<Output = Result<(), Error>> + Send {
        (self.work)(work)
    }
}
