//! What the manager knows of each handler's items from the last time that it enumerated them.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Registration;
use super::start_request::Distinct;
use crate::{HandlerId, HandlerInfo, ItemFlags, ItemId, ItemList, SyncItem};

/// What a user is shown of a handler, to choose from: see [`SyncManager::listing`](crate::SyncManager::listing).
///
/// ```
/// use syncmgr::per_item::{HandlerBuilder, from_items};
/// use syncmgr::{HandlerId, ItemId, Registration, SyncItem, SyncManager};
///
/// const MAIL: HandlerId = HandlerId::from_u128(1);
/// let names = ["Inbox", "Sent"];
/// let mail = move || {
///     let item = |(n, name): (u128, &str)| SyncItem::new(ItemId::from_u128(n), name.parse().expect("a short name"));
///     let items: Vec<SyncItem> = (1..).zip(names).map(item).collect();
///     HandlerBuilder::new("Mail".parse().expect("a short name"), from_items(items, |_| Ok(()))).build()
/// };
///
/// let manager = SyncManager::new();
/// manager.register(MAIL, Registration::new(), mail)?;
/// assert!(manager.enumerate_all().wait().is_success()); // asks for the items, and synchronizes none
/// manager.choose(MAIL, ItemId::from_u128(2), false); // the user takes the check mark off
///
/// for listing in manager.listing() {
///     println!("{}", listing.info.name);
///     for item in &listing.items {
///         println!("[{}] {}", if item.checked { 'x' } else { ' ' }, item.name);
///     }
/// }
/// # let checked: Vec<bool> = manager.listing()[0].items.iter().map(|item| item.checked).collect();
/// # assert_eq!(checked, [true, false]);
/// # Ok::<(), syncmgr::ManagerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Listing {
    /// The handler's id.
    pub handler: HandlerId,
    /// What it is registered with.
    pub registration: Registration,
    /// What it tells about itself.
    pub info: HandlerInfo,
    /// Its items, but for those that are [`HIDDEN`](ItemFlags::HIDDEN). [`checked`](SyncItem::checked) tells whether the item
    /// takes part by what was chosen; [`last_update`](SyncItem::last_update) is there only where the handler says that it
    /// keeps it ([`LAST_UPDATE_TIME`](ItemFlags::LAST_UPDATE_TIME)).
    pub items: Vec<SyncItem>,
    /// Whether the handler listed all of its items.
    pub complete: bool,
}

/// What a handler told last.
#[derive(Clone, Debug)]
pub(super) struct CachedListing {
    pub(super) info: HandlerInfo,
    /// Behind an `Arc`, so that it is compared and copied with no lock held.
    pub(super) items: Arc<Vec<SyncItem>>,
    pub(super) complete: bool,
}

impl CachedListing {
    pub(super) fn new(info: HandlerInfo, list: &ItemList) -> Self {
        Self {
            info,
            items: Arc::new(list.items().to_vec()),
            complete: list.is_complete(),
        }
    }

    /// Whether this is what is known already.
    pub(super) fn is(&self, list: &ItemList) -> bool {
        self.complete == list.is_complete() && *self.items == list.items()
    }

    /// Takes in items that the handler added or committed while it ran.
    pub(super) fn grow(&mut self, items: Vec<SyncItem>) {
        if items.is_empty() {
            return;
        }
        let known: HashSet<ItemId, RandomState> = self.items.iter().map(|item| item.id).collect();
        let mut new: Vec<SyncItem> = items;
        new.retain(|item| !known.contains(&item.id));
        if !new.is_empty() {
            Arc::make_mut(&mut self.items).extend(new);
        }
    }

    pub(super) fn remove_all(&mut self, items: &Distinct<ItemId>) {
        if !items.list().is_empty() {
            Arc::make_mut(&mut self.items).retain(|known| !items.contains(&known.id));
        }
    }

    /// What of it is for the user's eyes.
    pub(super) fn visible(&self) -> Vec<SyncItem> {
        let items = self.items.iter();
        let shown = items.filter(|item| !item.flags.contains(ItemFlags::HIDDEN));
        shown
            .map(|item| {
                let mut item = item.clone();
                if !item.flags.contains(ItemFlags::LAST_UPDATE_TIME) {
                    item.last_update = None;
                }
                item
            })
            .collect()
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }
}
