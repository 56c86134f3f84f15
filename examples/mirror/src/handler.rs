//! The sync handler: which items there are, how much there is to do for one, and how one is done.
//!
//! What the contract asks of a handler besides is the matter of [`per_item::HandlerBuilder`](syncmgr::per_item::HandlerBuilder).

use crate::dir::{Dir, Kind};
use crate::hands::{Hands, STACK};
use crate::job::{Counts, Job, Subject, Tally};
use crate::place::Places;
use crate::remove::Limits;
use crate::show::shortened;
use crate::temp::Namer;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use syncmgr::per_item::{Cancelled, Error, HandlerBuilder, ItemContext, PerItem};
use syncmgr::{HandlerName, ItemId, ItemList, ItemName, SyncHandler, SyncItem, Uuid};

/// Makes one directory a copy of another; each entry of the source is an item.
pub struct Mirror {
    pub source: Arc<Dir>,
    pub dest: Arc<Dir>,
    /// In the order of their numbers, from 1.
    subjects: Vec<(ItemId, Subject)>,
    states: HashMap<ItemId, State>,
    pub delete: bool,
    pub limits: Limits,
    pub namer: Namer,
    pub hands: Hands,
    /// The leftovers at the top of the destination are removed.
    pub swept: Once,
}

/// What is known of an item.
struct State {
    /// Its place in `subjects`.
    place: usize,
    /// The bytes that were counted in the prepare. `Relaxed`: written before the item is begun.
    measured: AtomicU64,
    tally: Tally,
}

/// The ids of our items are made in this name space from the raw bytes of their names, so an item has the same id
/// in every run.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d1c_9a54_38e6_4f0b_a2c5_60d1_97be_f843);

impl Mirror {
    /// A mirror of the source's entries but those of the names in `without`.
    pub fn new(
        places: Places,
        delete: bool,
        threads: usize,
        without: &[&str],
    ) -> io::Result<Arc<Self>> {
        // Other mirrors see that this one is at work here.
        places.dest_dir.lock(false);
        let mut names: Vec<OsString> = places.source_dir.names()?;
        names.retain(|name| !without.iter().any(|left_out| name == left_out));
        names.sort_unstable();
        let mut subjects: Vec<_> = names
            .into_iter()
            .map(|name| (id(name.as_encoded_bytes()), Subject::Entry(name)))
            .collect();
        if delete {
            // No entry has an empty name.
            subjects.push((id(b""), Subject::Extras));
        }
        let state = |(place, (id, _)): (usize, &(ItemId, Subject))| {
            let (measured, tally) = Default::default();
            (
                *id,
                State {
                    place,
                    measured,
                    tally,
                },
            )
        };
        Ok(Arc::new(Self {
            states: subjects.iter().enumerate().map(state).collect(),
            limits: Limits {
                source: places.source_dir.meta()?,
                dest: places.dest_dir.meta()?,
            },
            source: Arc::new(places.source_dir),
            dest: Arc::new(places.dest_dir),
            subjects,
            delete,
            namer: Namer::new(),
            hands: Hands::new(threads),
            swept: Once::new(),
        }))
    }

    /// The whole handler. A host that lets it go in the middle waits until no file is in the making.
    pub fn handler(self: &Arc<Self>) -> Arc<dyn SyncHandler> {
        let (measured, finished) = (Arc::clone(self), Arc::clone(self));
        HandlerBuilder::new(
            HandlerName::truncate_start("Directory mirror"),
            Arc::clone(self),
        )
        .workers(self.hands.most())
        .stack_size(STACK)
        .measure(move |work| Ok(measured.measure(work)?))
        .finish(move || {
            finished.keep_top().map_err(|error| {
                format!("cannot set the times and permissions of the destination: {error}").into()
            })
        })
        .retry(false)
        .wait_for_work(true)
        .build()
    }

    /// The items in the order of their numbers.
    pub fn subjects(&self) -> &[(ItemId, Subject)] {
        &self.subjects
    }

    /// What was done for an item.
    pub fn counts(&self, item: ItemId) -> Counts {
        let state = self.states.get(&item);
        state.map(|state| state.tally.counts()).unwrap_or_default()
    }

    /// Gives the destination itself the permissions and times of the source.
    pub fn keep_top(&self) -> io::Result<()> {
        self.dest.keep(&self.source.meta()?)
    }

    fn find(&self, item: ItemId) -> Option<(&Subject, &State)> {
        let state = self.states.get(&item)?;
        Some((&self.subjects.get(state.place)?.1, state))
    }

    /// Counts the bytes of an item, so that its maximum is known.
    fn measure(&self, work: &ItemContext) -> Result<u64, Cancelled> {
        let Some((Subject::Entry(name), state)) = self.find(work.item().id) else {
            return Ok(0);
        };
        let bytes = count(&self.source, name, work)?;
        state.measured.store(bytes, Ordering::Relaxed);
        Ok(bytes)
    }
}

fn id(name: &[u8]) -> ItemId {
    ItemId::from_name(NAMESPACE, name)
}

/// The bytes of the files at that name and under it. What cannot be read counts nothing here; the work on it tells why.
fn count(dir: &Dir, name: &OsStr, work: &ItemContext) -> Result<u64, Cancelled> {
    match dir.look(name) {
        Ok(meta) if meta.kind == Kind::File => Ok(meta.size),
        Ok(meta) if meta.kind == Kind::Dir => {
            work.check()?;
            let Ok(inner) = dir.sub(name) else {
                return Ok(0);
            };
            let names = inner.names().unwrap_or_default();
            names.iter().map(|name| count(&inner, name, work)).sum()
        }
        _ => Ok(0),
    }
}

impl PerItem for Mirror {
    fn items(&self) -> Result<ItemList, Error> {
        // A file's name may be any bytes and 255 of them; an item's name is text of at most 127 units.
        let item = |(id, subject): &(ItemId, Subject)| {
            let name = shortened(&subject.text(), 100);
            SyncItem::new(*id, ItemName::truncate_start(&name))
        };
        Ok(ItemList::Complete(self.subjects.iter().map(item).collect()))
    }

    fn synchronize(&self, work: &ItemContext) -> Result<(), Error> {
        let (subject, state) = self.find(work.item().id).ok_or("there is no such item")?;
        let measured = state.measured.load(Ordering::Relaxed);
        let shared = work.share();
        let job = Job::new(&shared, subject, &state.tally, measured);
        self.swept
            .call_once(|| crate::work::sweep_top(self, &shared));
        if job.begin() {
            crate::work::perform(self, &job);
        }
        job.end();
        Ok(())
    }
}
