//! A source of items that remembers what it has listed.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

#[cfg(feature = "async")]
use super::async_traits::AsyncPerItem;
use super::context::ItemContext;
use super::error::Error;
#[cfg(feature = "async")]
use super::task_context::TaskContext;
#[cfg(feature = "async")]
use super::tasks::TaskSource;
use super::threads::ThreadSource;
use super::traits::PerItem;
use crate::util::panic::Foreign;
use crate::{ItemId, ItemList, SyncItem};

type ListedById = HashMap<ItemId, SyncItem, RandomState>;

/// A [`PerItem`] or [`AsyncPerItem`](super::AsyncPerItem), and the items that it has listed last.
pub(super) struct ListedSource<P> {
    source: Foreign<P>,
    /// Locked only to read or replace it.
    listed: Mutex<Arc<ListedById>>,
}

impl<P> ListedSource<P> {
    pub(super) fn new(source: P) -> Self {
        Self {
            source: Foreign::new(source),
            listed: Mutex::default(),
        }
    }

    fn remember(&self, list: ItemList) -> Result<ItemList, Error> {
        let mut listed = ListedById::default();
        listed.reserve(list.items().len());
        for item in list.items() {
            check_id(item, &listed)?;
            listed.insert(item.id, item.clone());
        }
        let old = std::mem::replace(&mut *self.listed.lock(), Arc::new(listed));
        drop(old);
        Ok(list)
    }

    fn listed(&self, id: ItemId) -> Option<SyncItem> {
        self.listed.lock().get(&id).cloned()
    }
}

/// An item needs an id of its own (rule H21). Told here with the item's name.
pub(super) fn check_id<V>(
    item: &SyncItem,
    before: &HashMap<ItemId, V, RandomState>,
) -> Result<(), String> {
    let (name, id) = (item.name.as_str(), item.id);
    if id == ItemId::NIL {
        return Err(format!(
            "the item {name:?} has the nil id; an item needs one of its own"
        ));
    }
    if before.contains_key(&id) {
        return Err(format!(
            "the item {name:?} is listed twice, or another has its id {id}"
        ));
    }
    Ok(())
}

impl<P: PerItem> ThreadSource for ListedSource<P> {
    fn items(&self) -> Result<ItemList, Error> {
        self.remember(self.source.items()?)
    }

    fn find(&self, id: ItemId, _place: usize) -> Option<SyncItem> {
        self.listed(id)
    }

    fn synchronize(&self, item: &ItemContext) -> Result<(), Error> {
        self.source.synchronize(item)
    }
}

#[cfg(feature = "async")]
impl<P: AsyncPerItem> TaskSource for ListedSource<P> {
    fn items(&self) -> Result<ItemList, Error> {
        self.remember(self.source.items()?)
    }

    fn find(&self, id: ItemId, _place: usize) -> Option<SyncItem> {
        self.listed(id)
    }

    fn synchronize(&self, item: TaskContext) -> impl Future<Output = Result<(), Error>> + Send {
        self.source.synchronize(item)
    }
}
