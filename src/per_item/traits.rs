//! The trait of independent items, and closures that implement it.

use std::sync::Arc;

use super::context::ItemContext;
use super::error::Error;
use crate::{ItemList, SyncItem};

/// Which items there are, and how one of them is done.
///
/// Both are called on any thread; the items at the same time where [several workers](super::HandlerBuilder::workers) are asked for.
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
    /// [`Cancelled`](super::Cancelled) as it came from `work`, bare or as the source of another error; and any other, which fails the item.
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
