//! The four handlers under one manager.

use std::collections::HashSet;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncmgr::{
    ErrorId, HandlerId, LogEntry, ManagerError, Registration, SyncHandler, SyncItem, SyncManager,
};
use syncmgr_center::broken::Broken;
use syncmgr_center::each::Each;
use syncmgr_center::flaky::{Failed, Flaky, Pace};
use syncmgr_center::pull::Pull;
use syncmgr_mirror::handler::Mirror;
use syncmgr_mirror::place::Places;

use crate::tree::Tree;

const DOCUMENTS: HandlerId = HandlerId::from_u128(0x5b0e_94c1_6f37_4d2a_9c81_aa40_3d7e_f201);
const PHOTOS: HandlerId = HandlerId::from_u128(0x5b0e_94c1_6f37_4d2a_9c81_aa40_3d7e_f202);
const SHELF: HandlerId = HandlerId::from_u128(0x5b0e_94c1_6f37_4d2a_9c81_aa40_3d7e_f203);
const FLAKY: HandlerId = HandlerId::from_u128(0x5b0e_94c1_6f37_4d2a_9c81_aa40_3d7e_f204);

/// A handler that is silent for longer is given up.
const DEADLINE: Duration = Duration::from_secs(60);

/// How the handler that fails on purpose goes: slowly enough to be watched.
const PACE: Pace = Pace {
    pause: Duration::from_millis(50),
    steps: 20,
    laps: None,
};

/// The manager, and what it hosts.
pub struct Centre {
    pub manager: SyncManager,
    pub shown: Arc<Shown>,
    pub handlers: Vec<Listed>,
}

/// A handler before any run of it.
pub struct Listed {
    pub id: HandlerId,
    pub title: String,
    /// Its items, or why there are none.
    pub items: Result<Vec<SyncItem>, String>,
}

type Make = Arc<dyn Fn() -> Arc<dyn SyncHandler> + Send + Sync>;

impl Centre {
    /// Registers the handlers of a tree.
    pub fn new(tree: &Tree) -> Result<Self, ManagerError> {
        let shown = Arc::new(Shown::default());
        let wanted = Arc::clone(&shown);
        let manager = SyncManager::builder()
            .deadline(DEADLINE)
            .show_error_if(move |entry| wanted.wants(entry))
            .build();
        let mut centre = Self {
            manager,
            shown,
            handlers: Vec::new(),
        };
        for (id, (source, dest)) in [(DOCUMENTS, tree.documents()), (PHOTOS, tree.photos())] {
            let make = move || made(mirror(&source, &dest));
            let title = if id == DOCUMENTS {
                "Documents"
            } else {
                "Photos"
            };
            centre.add(id, title, Arc::new(make))?;
        }
        let (list, (source, dest)) = (tree.list(), tree.shelf());
        let make =
            move || made(Pull::new(&list, &source, &dest).map(|pull| Each::new(pull, 2) as _));
        centre.add(SHELF, "Shelf", Arc::new(make))?;
        let failed = Failed::default();
        let make = move || Each::new(Flaky::new(PACE, &failed), 4) as Arc<dyn SyncHandler>;
        centre.add(FLAKY, "Fails on purpose", Arc::new(make))?;
        centre.list();
        Ok(centre)
    }

    fn add(&mut self, id: HandlerId, title: &str, make: Make) -> Result<(), ManagerError> {
        let registration = Registration::new().description(title);
        self.manager.register(id, registration, move || make())?;
        self.handlers.push(Listed {
            id,
            title: title.to_owned(),
            items: Ok(Vec::new()),
        });
        Ok(())
    }

    /// Asks the handlers for their items, so that there is something to choose from.
    fn list(&mut self) {
        let report = self.manager.enumerate_all().wait();
        let mut listings = self.manager.listing();
        for handler in &mut self.handlers {
            let listing = listings
                .iter_mut()
                .find(|listing| listing.handler == handler.id);
            let report = report.handler(handler.id);
            handler.items = match listing {
                Some(listing) => Ok(std::mem::take(&mut listing.items)),
                None => match report.and_then(|report| report.error.clone()) {
                    Some(error) => Err(error),
                    None => Ok(Vec::new()), // it has none, or takes no part
                },
            };
        }
    }
}

fn mirror(
    source: &std::path::Path,
    dest: &std::path::Path,
) -> Result<Arc<dyn SyncHandler>, Box<dyn Error>> {
    Ok(Mirror::new(Places::open(source, dest)?, false, 2, &[])?.handler())
}

/// The handler, or one that says why there is none.
fn made(result: Result<Arc<dyn SyncHandler>, impl Into<Box<dyn Error>>>) -> Arc<dyn SyncHandler> {
    match result {
        Ok(handler) => handler,
        Err(error) => Broken::new(&*error.into()),
    }
}

/// Which logged errors are shown to their handlers when a round is over: all, or none, as the user has switched; and each
/// once in a run, since an error that comes again after its retry would be shown again and again.
#[derive(Default)]
pub struct Shown {
    off: AtomicBool,
    seen: Mutex<HashSet<(Option<HandlerId>, Option<ErrorId>)>>,
}

impl Shown {
    fn seen(&self) -> MutexGuard<'_, HashSet<(Option<HandlerId>, Option<ErrorId>)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants(&self, entry: &LogEntry) -> bool {
        !self.off.load(Relaxed) && self.seen().insert((entry.handler, entry.error_id))
    }

    /// A run of this handler is to begin.
    pub fn begin(&self, handler: HandlerId) {
        self.seen().retain(|(seen, _)| *seen != Some(handler));
    }

    pub fn is_on(&self) -> bool {
        !self.off.load(Relaxed)
    }

    pub fn switch(&self) {
        self.off.fetch_xor(true, Relaxed);
    }
}
