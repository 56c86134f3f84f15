//! A list of items with payloads, and a closure for one of them.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::builder::HandlerBuilder;
use super::context::ItemContext;
use super::error::Error;
use super::traits::PerItem;
use crate::driver::{HandlerReport, RunOptions, Running, run_handler};
use crate::session::ItemView;
use crate::util::panic::Foreign;
use crate::{HandlerName, ItemId, ItemList, ItemName, SyncHandler, SyncItem, Uuid};

/// The namespace of the ids that are derived from keys.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0e_3c0a_8d5b_4f0c_9a39_1b7e_64d2_c8f1);

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
    let items = BatchItems::new(items.into_iter().map(Into::into));
    Batch {
        values: BatchValues::new(&items),
        items: Arc::new(items),
        work: Arc::new(Foreign::new(Box::new(work))),
        settings: Vec::new(),
        name: HandlerName::truncate_end("items"),
    }
}

/// A list of items with payloads, and a closure for one of them: see [`each`].
///
/// It can run any number of times.
#[must_use = "a batch does nothing until `run`, `start` or `handler`"]
pub struct Batch<T, R> {
    items: Arc<BatchItems<T>>,
    work: Arc<Foreign<Box<Work<T, R>>>>,
    settings: Vec<BatchSetting>,
    name: HandlerName,
    values: BatchValues<R>,
}

type Work<T, R> = dyn Fn(&ItemContext, &T) -> Result<R, Error> + Send + Sync;
type BatchSetting = Arc<dyn Fn(HandlerBuilder) -> HandlerBuilder + Send + Sync>;

impl<T: Send + Sync + 'static, R: Send + Sync + 'static> Batch<T, R> {
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
            builder.measure(move |item| match items.find(item.item().id) {
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
        self.with_values(&self.values)
    }

    /// Returns a handle to the values of the [handlers](Self::handler) that this batch creates.
    #[must_use]
    pub fn values(&self) -> BatchValues<R> {
        self.values.clone()
    }

    fn with_values(&self, values: &BatchValues<R>) -> Arc<dyn SyncHandler> {
        let source = BatchSource {
            items: Arc::clone(&self.items),
            work: Arc::clone(&self.work),
            values: values.clone(),
        };
        let builder = HandlerBuilder::new(self.name.clone(), source);
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
            .field("items", &self.items.list.len())
            .finish_non_exhaustive()
    }
}

/// An item of a [`Batch`]: a name for the user, and a payload for the closure.
#[derive(Clone, Debug)]
pub struct BatchItem<T> {
    identity: BatchIdentity,
    payload: T,
}

#[derive(Clone, Debug)]
enum BatchIdentity {
    Key { name: ItemName, key: Vec<u8> },
    Item(SyncItem),
}

impl<T> BatchItem<T> {
    /// Creates an item. Its id is derived from the whole name, and its name is shortened if it is long.
    pub fn new(name: impl AsRef<str>, payload: T) -> Self {
        let name = name.as_ref();
        Self {
            identity: BatchIdentity::Key {
                name: ItemName::truncate_start(name),
                key: name.as_bytes().to_vec(),
            },
            payload,
        }
    }

    /// Derives the id from this key, and not from the name.
    #[must_use]
    pub fn key(mut self, new: impl AsRef<[u8]>) -> Self {
        if let BatchIdentity::Key { key, .. } = &mut self.identity {
            *key = new.as_ref().to_vec();
        }
        self
    }
}

impl<S: AsRef<str>, T> From<(S, T)> for BatchItem<T> {
    fn from((name, payload): (S, T)) -> Self {
        Self::new(name, payload)
    }
}

impl<T> From<(SyncItem, T)> for BatchItem<T> {
    /// The item as it is, with its id and flags.
    fn from((item, payload): (SyncItem, T)) -> Self {
        Self {
            identity: BatchIdentity::Item(item),
            payload,
        }
    }
}

/// The items, and the payload of each.
struct BatchItems<T> {
    list: Vec<SyncItem>,
    /// In the order of the list. Each is dropped for itself, in case one panics.
    payloads: Vec<Foreign<T>>,
    places: Arc<Places>,
}

type Places = HashMap<ItemId, usize, RandomState>;

impl<T> BatchItems<T> {
    fn new(items: impl Iterator<Item = BatchItem<T>>) -> Self {
        let (mut list, mut payloads, mut places) = (Vec::new(), Vec::new(), Places::default());
        // How often each key has come, of those that came more than once.
        let mut repeated: HashMap<Vec<u8>, u64, RandomState> = HashMap::default();
        for BatchItem { identity, payload } in items {
            let item = match identity {
                BatchIdentity::Item(item) => item,
                BatchIdentity::Key { name, key } => {
                    let mut id = ItemId::from_name(NAMESPACE, &key);
                    while places.contains_key(&id) {
                        let count = repeated.entry(key.clone()).or_insert(1);
                        *count += 1;
                        let mut numbered = key.clone();
                        numbered.extend(count.to_le_bytes());
                        id = ItemId::from_name(NAMESPACE, &numbered);
                    }
                    SyncItem::new(id, name)
                }
            };
            // Of two items with the same explicit id the session refuses the list.
            places.entry(item.id).or_insert(list.len());
            list.push(item);
            payloads.push(Foreign::new(payload));
        }
        Self {
            list,
            payloads,
            places: Arc::new(places),
        }
    }

    /// The place of an item in the list, and its payload.
    fn find(&self, item: ItemId) -> Option<(usize, &T)> {
        let place = *self.places.get(&item)?;
        Some((place, self.payloads.get(place)?))
    }
}

struct BatchSource<T, R> {
    items: Arc<BatchItems<T>>,
    work: Arc<Foreign<Box<Work<T, R>>>>,
    values: BatchValues<R>,
}

impl<T: Send + Sync + 'static, R: Send + Sync + 'static> PerItem for BatchSource<T, R> {
    fn items(&self) -> Result<ItemList, Error> {
        Ok(ItemList::Complete(self.items.list.clone()))
    }

    fn synchronize(&self, work: &ItemContext) -> Result<(), Error> {
        let Some((place, payload)) = self.items.find(work.item().id) else {
            return Err("the item is not one of the batch".into());
        };
        // The last attempt counts, also if it fails.
        self.values.set(place, None);
        let value = (self.work)(work, payload)?;
        self.values.set(place, Some(Arc::new(Foreign::new(value))));
        Ok(())
    }
}

/// The values that the closure of a [`Batch`] returned, of the items that it has done last. Clones share them.
pub struct BatchValues<R> {
    places: Arc<Places>,
    /// In the order of the list. Each is locked only to read or change it.
    slots: Arc<[Mutex<Value<R>>]>,
}

type Value<R> = Option<Arc<Foreign<R>>>;

impl<R> BatchValues<R> {
    fn new<T>(items: &BatchItems<T>) -> Self {
        Self {
            places: Arc::clone(&items.places),
            slots: items.list.iter().map(|_| Mutex::new(None)).collect(),
        }
    }

    fn set(&self, place: usize, value: Value<R>) {
        if let Some(slot) = self.slots.get(place) {
            let old = std::mem::replace(&mut *slot.lock(), value);
            drop(old); // foreign code, so without the lock
        }
    }

    /// Calls `read` with the value of an item, and returns what it returns. `None` if the closure has not returned a value for
    /// the item.
    pub fn get<V>(&self, item: ItemId, read: impl FnOnce(&R) -> V) -> Option<V> {
        let slot = self.slots.get(*self.places.get(&item)?)?;
        let value = slot.lock().clone()?;
        Some(read(&value))
    }
}

impl<R> Clone for BatchValues<R> {
    fn clone(&self) -> Self {
        Self {
            places: Arc::clone(&self.places),
            slots: Arc::clone(&self.slots),
        }
    }
}

impl<R> fmt::Debug for BatchValues<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_value = |slot: &&Mutex<Value<R>>| slot.lock().is_some();
        let count = self.slots.iter().filter(has_value).count();
        f.debug_tuple("BatchValues").field(&count).finish()
    }
}

/// How a run of a [`Batch`] ended: a [`HandlerReport`] with the payloads and values of the items.
#[must_use = "the report says whether everything was done"]
pub struct BatchReport<T, R> {
    report: HandlerReport,
    items: Arc<BatchItems<T>>,
    /// In the order of the list.
    values: Vec<Value<R>>,
}

/// An item of a [`BatchReport`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchEntry<'a, T, R> {
    /// How it ended.
    pub view: ItemView,
    /// Its payload.
    pub payload: &'a T,
    /// The value that the closure returned for it, if it was called and did not fail.
    pub value: Option<&'a R>,
}

impl<T, R> BatchReport<T, R> {
    fn new(report: HandlerReport, items: &Arc<BatchItems<T>>, values: &BatchValues<R>) -> Self {
        Self {
            report,
            items: Arc::clone(items),
            values: values
                .slots
                .iter()
                .map(|slot| slot.lock().clone())
                .collect(),
        }
    }

    /// Returns each item with its payload and value, in the order of the list.
    pub fn entries(&self) -> impl Iterator<Item = BatchEntry<'_, T, R>> {
        self.report.items().into_iter().filter_map(|view| {
            let (place, payload) = self.items.find(view.id)?;
            let value = self.values.get(place)?.as_ref();
            Some(BatchEntry {
                payload,
                value: value.map(|value| &***value),
                view,
            })
        })
    }

    /// Returns the report without the values.
    pub fn into_report(self) -> HandlerReport {
        self.report
    }
}

impl<T, R> Deref for BatchReport<T, R> {
    type Target = HandlerReport;

    fn deref(&self) -> &HandlerReport {
        &self.report
    }
}

impl<T, R> fmt::Debug for BatchReport<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchReport")
            .field("report", &self.report)
            .field("values", &self.values.iter().flatten().count())
            .finish_non_exhaustive()
    }
}
