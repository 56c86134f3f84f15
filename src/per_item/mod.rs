//! The easy way to write a handler: say which items there are and how one of them is done.
//!
//! The contract asks a handler for ten methods and two-step completions. Most handlers are a list of items that are done each
//! for itself, and of those this module makes a whole one: [`HandlerBuilder`] turns a [`PerItem`] into a
//! [`SyncHandler`](crate::SyncHandler) that keeps the rules, whatever the work does.
//!
//! ```
//! use std::fs;
//! use syncmgr::per_item::{self, HandlerBuilder};
//! use syncmgr::{ItemId, RunOptions, SyncItem, Uuid, run_handler};
//!
//! # let directory = std::env::temp_dir().join("syncmgr per_item example");
//! # fs::create_dir_all(&directory)?;
//! # fs::write(directory.join("a.txt"), "some text")?;
//! let names = ["a.txt"];
//! let id = |name: &str| ItemId::from_name(Uuid::NAMESPACE_URL, name.as_bytes());
//! let items = names.map(|name| SyncItem::new(id(name), name.parse().expect("it is short")));
//! let done = directory.join("done");
//! # fs::create_dir_all(&done)?;
//!
//! let handler = HandlerBuilder::new("Backup".parse()?, per_item::from_items(items, move |item| {
//!     let name = item.item().name.as_str();
//!     let mut source = fs::File::open(directory.join(name))?;
//!     item.max(source.metadata()?.len())?;
//!     let mut target = fs::File::create(done.join(name))?;
//!     std::io::copy(&mut item.wrap_read(&mut source), &mut target)?; // a cancel ends it here
//!     Ok(())
//! }));
//! let report = run_handler(handler.workers(2).build(), RunOptions::new());
//! assert!(report.is_success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the adapter does
//!
//! - It asks for the verdict before each item, and does not start one that is cancelled or skipped: it ends `Skipped`. One that it
//!   starts it reports as `Updating`, so that it is seen before its work has told a value.
//! - It gives the work a [`ItemContext`], whose reports answer `Ok` or [`Cancelled`]. A cancel therefore travels with `?`, and nobody
//!   needs to look at a verdict. An item whose work was told of a cancel ends `Stopped`, whatever the work answers then, an `Ok`
//!   too: it may have left a loop early.
//! - An `Ok` ends the item `Succeeded`, or as [`ItemContext::set_outcome`] says; an error ends it `Failed`, and is logged with its sources;
//!   so is a panic, with its text. The other items go on. Where an item has many parts, of which one may fail and the others go on,
//!   the work gives each result to [`ItemContext::record_part`].
//! - A failed item is done again where the host shows its error ([`show_error`](crate::SyncHandler::show_error)). Its entry is
//!   deleted from the log when it then succeeds, or fails again, which logs a new one; it stays where the item ends otherwise.
//! - Where it is told how to [measure](HandlerBuilder::measure) an item, it does so in the prepare, for all of them.
//! - It completes both steps once, when the last worker is done; the second after what there is to
//!   [finish](HandlerBuilder::finish).
//! - Items that the host [asks for](crate::SyncCallback::additional_items) while it works are taken in, if it listed them; the work
//!   can [add](ItemContext::add_item) others.
//!
//! If the host panics in a call of a worker, the item of that call ends `Failed`, and the worker goes on with the next one.
//!
//! ItemContext that never reports and never asks cannot be stopped: it is done to its end, and its item is what it answers. The adapter
//! waits for it.

// | file | what lives there |
// |---|---|
// | `handler`, `lease` | the adapter itself, and the host's callback while it may be called |
// | `round`, `queue` | the items of one prepare: begun, worked on, ended; and those that wait |
// | `threads`, `tasks` | workers that are threads, and those that are tasks of a runtime (feature `async`) |
// | `group` | the threads of one step, and who is at work |
// | `work`, `adapters`, `waits`, `interrupted` | what the work of an item reports to, what does so for it, what waits for a cancel, and how one is told |
// | `maximum` | the value and the maximum of an item, reported in order by several threads |

mod callback_lease;
mod cancel;
mod cancelled;
mod context;
mod handler;
mod maximum;
mod queue;
mod round;
#[cfg(feature = "async")]
mod tasks;
mod threads;
mod worker_group;
mod wrap;

pub use cancelled::Cancelled;
pub use context::ItemContext;
pub use handler::HandlerBuilder;
#[cfg(feature = "async")]
pub use tasks::{AsyncPerItem, Task, from_async_fn, from_async_items, on_thread};
pub use wrap::{ProgressIter, ProgressReader, ProgressWriter};

use std::sync::Arc;

use crate::{ItemList, SyncItem};

/// Whatever went wrong with an item. A text is one too: `"the server is down".into()`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Which items there are, and how one of them is done.
///
/// Both are called on any thread; the items at the same time where [several workers](HandlerBuilder::workers) are asked for.
///
/// For closures there are [`from_fn`] and [`from_items`].
///
/// ```
/// use syncmgr::per_item::{Error, HandlerBuilder, PerItem, ItemContext};
/// use syncmgr::{ItemId, ItemList, ItemStatus, RunOptions, SyncItem, Uuid, run_handler};
///
/// const CACHE: Uuid = Uuid::from_u128(0x3f6e_91d4_08c2_4b7a_8e15_a4d0_72c9_5be3);
///
/// /// Brings the tiles of a map up to date.
/// struct Tiles {
///     names: Vec<String>,
/// }
///
/// impl PerItem for Tiles {
///     fn items(&self) -> Result<ItemList, Error> {
///         let item = |name: &String| {
///             Ok(SyncItem::new(ItemId::from_name(CACHE, name.as_bytes()), name.parse()?))
///         };
///         Ok(ItemList::Complete(self.names.iter().map(item).collect::<Result<_, Error>>()?))
///     }
///
///     fn synchronize(&self, work: &ItemContext) -> Result<(), Error> {
///         if work.item().name.as_str().ends_with("ocean") {
///             work.set_outcome(ItemStatus::Skipped); // there is nothing to do
///             return Ok(());
///         }
///         for block in work.wrap_iter(0..16) {
///             let _ = block; // ... fetch it; a cancel ends the loop ...
///         }
///         Ok(())
///     }
/// }
///
/// let tiles = Tiles { names: vec!["3/4 land".into(), "3/5 ocean".into()] };
/// let report = run_handler(HandlerBuilder::new("Map".parse()?, tiles).build(), RunOptions::new());
/// assert!(report.is_success());
/// let ends: Vec<ItemStatus> = report.items().iter().map(|item| item.status).collect();
/// assert_eq!(ends, [ItemStatus::Succeeded, ItemStatus::Skipped]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait PerItem: Send + Sync + 'static {
    /// The items that can be synchronized; asked for at the start of each run.
    ///
    /// # Errors
    ///
    /// Any; the run has failed then.
    fn items(&self) -> Result<ItemList, Error>;

    /// Does one item, on a thread of its own. It reports to `work`, and passes on what that answers by `?`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] as it came from `work`, bare or as the source of another error; and any other, which fails the item.
    fn synchronize(&self, work: &ItemContext) -> Result<(), Error>;
}

/// One may keep a hand on what the handler does.
impl<P: PerItem + ?Sized> PerItem for Arc<P> {
    fn items(&self) -> Result<ItemList, Error> {
        (**self).items()
    }

    fn synchronize(&self, work: &ItemContext) -> Result<(), Error> {
        (**self).synchronize(work)
    }
}

/// A [`PerItem`] of two functions.
///
/// ```
/// use syncmgr::ItemList;
/// use syncmgr::per_item::{HandlerBuilder, from_fn};
///
/// // What cannot be listed now keeps the user's choices.
/// let list = || Ok(ItemList::Incomplete(Vec::new()));
/// let handler = HandlerBuilder::new("Camera".parse()?, from_fn(list, |item| Ok(item.check()?))).build();
/// # drop(handler);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_fn<L, W>(list: L, work: W) -> impl PerItem
where
    L: Fn() -> Result<ItemList, Error> + Send + Sync + 'static,
    W: Fn(&ItemContext) -> Result<(), Error> + Send + Sync + 'static,
{
    FnItems { list, work }
}

/// A [`PerItem`] of a fixed list of items and a function that does one of them.
pub fn from_items<W>(items: impl IntoIterator<Item = SyncItem>, work: W) -> impl PerItem
where
    W: Fn(&ItemContext) -> Result<(), Error> + Send + Sync + 'static,
{
    let items: Vec<SyncItem> = items.into_iter().collect();
    from_fn(move || Ok(ItemList::Complete(items.clone())), work)
}

struct FnItems<L, W> {
    list: L,
    work: W,
}

impl<L, W> PerItem for FnItems<L, W>
where
    L: Fn() -> Result<ItemList, Error> + Send + Sync + 'static,
    W: Fn(&ItemContext) -> Result<(), Error> + Send + Sync + 'static,
{
    fn items(&self) -> Result<ItemList, Error> {
        (self.list)()
    }

    fn synchronize(&self, work: &ItemContext) -> Result<(), Error> {
        (self.work)(work)
    }
}
