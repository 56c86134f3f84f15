//! The in-memory host of one handler's synchronization. [`Session`] is its door.
//!
//! The files in `state` are what a report writes and an observer reads. The others are the interfaces to
//! it: of the handler, the host, the worker and the observer.

mod builder;
mod callback;
mod callback_sink;
mod cancel;
mod cancel_wait;
mod changes;
mod completion;
mod connections;
mod dialog_arbiter;
mod driver_api;
mod dynamic_items;
mod finish;
mod item_counter;
mod item_view;
mod log_entry;
#[cfg(all(test, loom))]
mod model;
mod observer;
mod phase;
mod queries;
mod reporter;
mod reporter_wait;
mod session_link;
mod snapshot;
mod state;
#[cfg(feature = "async")]
mod throttled_observer;
mod totals;
mod worker_host;

use std::fmt;
use std::sync::{Arc, Weak};

use crate::util::sync::{AtomicU64, CacheAligned, Mutex};
use crate::util::text;
use crate::{HandlerId, SyncItem};
use state::event_queue::EventQueue;
use state::flags;
use state::index::Index;
use state::item_wakers::ItemWakers;
use state::journal::Journal;
use state::lifecycle::Lifecycle;
use state::table::Table;

pub use builder::{BuildError, SessionBuilder};
pub use cancel_wait::CancelGuard;
pub(crate) use cancel_wait::{CancelSource, CancelWait, WaitAnswer};
pub use changes::{Changes, Cursor};
pub use completion::{Completion, RefusedCompletion};
pub use connections::{Connections, Connector};
pub use dialog_arbiter::DialogArbiter;
pub use driver_api::SessionDriver;
pub use item_counter::ItemCounter;
pub use item_view::ItemView;
pub use log_entry::LogEntry;
pub use observer::Observer;
pub use phase::Phase;
pub use reporter::ItemReporter;
pub use snapshot::SessionSnapshot;
pub use state::event_queue::HostEvent;
#[cfg(all(feature = "async", feature = "manager"))]
pub(crate) use throttled_observer::FrameSource;
#[cfg(feature = "async")]
pub use throttled_observer::ThrottledObserver;
#[cfg(feature = "manager")]
pub(crate) use totals::Sums;
pub use totals::Totals;
pub(crate) use worker_host::WorkerHost;

/// The in-memory host of one synchronization: it takes the reports, answers the verdicts and shows what goes on.
///
/// Three parties meet here:
///
/// - the **worker** reports, through [`reporter`](Self::reporter) or the [`SyncCallback`](crate::SyncCallback) methods,
///   and obeys the [`Verdict`](crate::Verdict) that each report answers;
/// - the **user** cancels: [`cancel_item`](Self::cancel_item), [`skip_item`](Self::skip_item),
///   [`cancel_all`](Self::cancel_all). Once a cancel has returned, no later report of the item is answered
///   `Continue`, on any thread (rule M10);
/// - the **observer** looks: [`item`](Self::item), [`snapshot`](Self::snapshot), [`changes`](Self::changes),
///   [`wait_for_change`](Self::wait_for_change). Looking never holds up a plain report.
///
/// A tool without a handler builds a session, reports and finishes. A driver of handlers builds it
/// [`driven`](SessionBuilder::driven) and takes it through its [`Phase`]s; [`run_handler`](crate::run_handler) is one. The guide
/// tells more of [hosts](crate::guide::host), of [observers](crate::guide::observing), and of [what costs what](crate::guide::performance).
///
/// All methods may be called on any thread, also from inside a handler, a connector or a waker: none of them holds a
/// lock while it calls user code. Looks keep working after the release.
///
/// ```
/// use syncmgr::{ItemId, ItemName, ItemStatus, Session, SyncCallback, SyncItem, Verdict, HResult};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder()
///     .item(SyncItem::new(photos, ItemName::try_from("Photos")?))
///     .build()?;
///
/// let reporter = session.reporter(photos)?;
/// if reporter.check()? != Verdict::Continue {
///     return Ok(reporter.skip()?); // ask before the work is started
/// }
/// for done in 0..100 {
///     if reporter.set(done)? != Verdict::Continue {
///         break;
///     }
///     if done == 41 {
///         session.cancel_item(photos)?; // usually from another thread
///     }
/// }
/// reporter.stop()?;
/// session.synchronize_completed(HResult::S_OK)?;
///
/// let view = session.item(photos).ok_or("no such item")?;
/// assert_eq!((view.status, view.value), (ItemStatus::Stopped, 42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    me: Weak<Session>,
    table: Table,
    lifecycle: Mutex<Lifecycle>,
    journal: Journal,
    events: EventQueue,
    wakers: ItemWakers,
    driven: bool,
    may_bother_user: bool,
    dialogs: bool,
    arbiter: DialogArbiter,
    /// Gone after the release.
    connections: Mutex<Option<Connections>>,
    /// Calls that left no mark in a slot in work. Only ever compared with itself: `Relaxed`.
    calls: CacheAligned<AtomicU64>,
    activity: Mutex<Activity>,
}

/// What the last look for activity saw.
#[derive(Debug, Default)]
struct Activity {
    calls: u64,
    values: u64,
}

/// What a builder has gathered, checked.
struct SessionConfig {
    items: Vec<SyncItem>,
    index: Index,
    phase: Phase,
    handler: Option<HandlerId>,
    may_bother_user: bool,
    dialogs: bool,
    arbiter: DialogArbiter,
    connections: Option<Connections>,
    log_capacity: usize,
    journal_capacity: usize,
}

impl Session {
    /// The longest status text and handler text that is kept, in bytes of UTF-8. A longer one is cut at a character
    /// boundary and ends in `…`.
    pub const TEXT_LIMIT: usize = text::TEXT_LIMIT;

    /// The longest log text that is kept, in bytes of UTF-8. A longer one is cut likewise.
    pub const LOG_TEXT_LIMIT: usize = text::LOG_TEXT_LIMIT;

    /// A session to be built: see [`SessionBuilder`].
    pub fn builder() -> SessionBuilder {
        SessionBuilder::new()
    }

    fn from_config(config: SessionConfig) -> Arc<Self> {
        let bits = match config.phase {
            Phase::Open => flags::MEMBER | flags::OPEN | flags::JOINED,
            _ => flags::MEMBER,
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            table: Table::new(config.items, config.index, bits),
            lifecycle: Mutex::new(Lifecycle::default()),
            journal: Journal::new(
                config.phase,
                config.handler,
                config.log_capacity,
                config.journal_capacity,
            ),
            events: EventQueue::new(),
            wakers: ItemWakers::new(),
            driven: config.phase == Phase::Idle,
            may_bother_user: config.may_bother_user,
            dialogs: config.dialogs,
            arbiter: config.arbiter,
            connections: Mutex::new(config.connections),
            calls: CacheAligned(AtomicU64::new(0)),
            activity: Mutex::new(Activity::default()),
        })
    }

    /// What the session is called where turns are given out: its address, which no other session has while it lives.
    fn token(&self) -> usize {
        self.me.as_ptr() as usize
    }
}

impl fmt::Debug for Session {
    /// A line: the items are many, and [`snapshot`](Session::snapshot) shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("phase", &self.phase())
            .field("items", &self.table.len())
            .field("log", &self.journal.log_len())
            .field("driven", &self.driven)
            .finish_non_exhaustive()
    }
}

impl Drop for Session {
    /// Reporters that outlive the session are to learn that it is gone.
    fn drop(&mut self) {
        // A model that fails takes no more locks: loom would end the process, and not say which model it was.
        #[cfg(all(test, loom))]
        if std::thread::panicking() {
            return;
        }
        self.driver().release();
    }
}
