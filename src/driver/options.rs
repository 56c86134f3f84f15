//! What a host decides about one run of a handler.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::call_monitor::CallMonitor;
use crate::session::DialogArbiter;
use crate::session::LogEntry;
use crate::session::{Connections, Connector, Session, SessionBuilder};
use crate::util::panic::Foreign;
use crate::{HandlerId, ItemId, ItemList, SyncEvent, SyncFlags, Uuid};

type OnSession = Foreign<Box<dyn FnOnce(Arc<Session>) + Send>>;
/// Which items of a handler's list are synchronized. Asked again where the list was told again.
pub(crate) type Select = Box<dyn FnMut(&ItemList) -> Vec<ItemId> + Send>;
type RetryDelay = Foreign<Box<dyn Fn(u32) -> Duration + Send>>;
type ShowErrorFilter = Foreign<Box<dyn Fn(&LogEntry) -> bool + Send>>;

/// What a host decides about one run of a handler: see [`run_handler`](crate::run_handler).
///
/// ```
/// use std::time::Duration;
/// use syncmgr::{ItemId, LogLevel, RunOptions, SyncEvent, SyncFlags};
///
/// let options = RunOptions::new()
///     .flags(SyncFlags::new(SyncEvent::Scheduled))
///     .select([ItemId::from_u128(1)])
///     .deadline(Duration::from_secs(60))
///     .show_error_if(|entry| entry.level == LogLevel::Error)
///     .max_retries(2);
/// # drop(options);
/// ```
#[must_use = "options do nothing until they are given to `run_handler`"]
pub struct RunOptions {
    pub(crate) flags: SyncFlags,
    pub(crate) select: Option<Select>,
    pub(crate) on_session: Vec<OnSession>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) show_error_if: Option<ShowErrorFilter>,
    pub(crate) max_retries: u32,
    pub(crate) retry_delay: Option<RetryDelay>,
    pub(crate) cookie: Option<Vec<u8>>,
    /// The properties to show before anything is prepared: of an item, or the handler's own.
    pub(crate) show_properties: Vec<Option<ItemId>>,
    /// The objects to ask for before anything is prepared (rule H19).
    pub(crate) item_objects: Vec<(ItemId, Uuid)>,
    /// Where the driver tells a supervisor what it does.
    pub(crate) monitor: CallMonitor,
    /// The session to be, but for its items and flags.
    session: SessionBuilder,
}

impl RunOptions {
    /// A manual run of every item that is checked, in which nobody may be bothered, with no connector, no deadline and no
    /// error shown.
    pub fn new() -> Self {
        Self {
            flags: SyncFlags::new(SyncEvent::Manual),
            select: None,
            on_session: Vec::new(),
            deadline: None,
            show_error_if: None,
            max_retries: 16,
            retry_delay: None,
            cookie: None,
            show_properties: Vec::new(),
            item_objects: Vec::new(),
            monitor: CallMonitor::default(),
            session: Session::builder().driven(),
        }
    }

    /// Hands the session to whoever cancels and draws: called once, before the prepare, on the driver's thread. A
    /// second call adds a second one.
    ///
    /// What is to outlive the call goes out by a channel: the session, the thread that follows it, or what shows it.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::thread;
    /// use std::time::Duration;
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, Observer, RunOptions, SyncItem, run_handler};
    ///
    /// let items = [SyncItem::new(ItemId::from_u128(1), "letters".parse()?)];
    /// let handler = HandlerBuilder::new("Mail".parse()?, from_items(items, |item| Ok(item.set(1)?))).build();
    ///
    /// let (give, take) = mpsc::channel();
    /// let options = RunOptions::new().on_session(move |session| {
    ///     let mut observer = Observer::new(session);
    ///     let draw = move || {
    ///         while !observer.wait(Duration::from_millis(50)).is_over() {
    ///             println!("{:?}", observer.totals().fraction());
    ///         }
    ///     };
    ///     let _ = give.send(thread::spawn(draw));
    /// });
    /// let report = run_handler(handler, options);
    /// if let Ok(display) = take.recv() {
    ///     display.join().expect("it does not panic"); // there is none where the handler told no items
    /// }
    /// assert!(report.is_success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_session(mut self, call: impl FnOnce(Arc<Session>) + Send + 'static) -> Self {
        self.on_session.push(Foreign::new(Box::new(call)));
        self
    }

    /// The items to synchronize, in place of those that are [`checked`](crate::SyncItem::checked). Ids that the handler
    /// does not list are left out, with a warning in the session's log.
    pub fn select(self, items: impl IntoIterator<Item = ItemId>) -> Self {
        let items: Vec<ItemId> = items.into_iter().collect();
        self.select_by(Box::new(move |_| items.clone()))
    }

    /// Tells a supervisor what the driver does.
    #[cfg(feature = "manager")]
    pub(crate) fn monitored(mut self, monitor: CallMonitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// The items to synchronize, once the handler's list is known.
    pub(crate) fn select_by(mut self, select: Select) -> Self {
        self.select = Some(select);
        self
    }

    /// Why the handler is started: the event, and what it may do. With [`SETTINGS`](SyncFlags::SETTINGS) it is started
    /// for configuration only: nothing is prepared.
    pub fn flags(mut self, flags: SyncFlags) -> Self {
        self.flags = flags;
        self
    }

    /// The handler's id: log entries carry it.
    pub fn handler(mut self, handler: HandlerId) -> Self {
        self.session = self.session.handler(handler);
        self
    }

    /// Opens the connections that the handler asks for. Without it they are refused.
    pub fn connector(self, connector: impl Connector + 'static) -> Self {
        self.connections(Connections::new(connector))
    }

    /// Shares connections with other runs, in place of a connector of its own.
    pub fn connections(mut self, connections: Connections) -> Self {
        self.session = self.session.connections(connections);
        self
    }

    /// Whether dialogs may be shown at all, one at a time. They may, unless this says otherwise; but in prepare and
    /// synchronize only with [`MAY_BOTHER_USER`](SyncFlags::MAY_BOTHER_USER) among the flags (rule H12).
    pub fn dialogs(mut self, allowed: bool) -> Self {
        self.session = self.session.dialogs(allowed);
        self
    }

    /// Shares the turn to show a dialog with other runs.
    pub fn dialog_arbiter(mut self, arbiter: DialogArbiter) -> Self {
        self.session = self.session.dialog_arbiter(arbiter);
        self
    }

    /// How long an awaited completion may be silent: without a call on the callback and without a change of a value.
    /// Past it the run ends with `E_ABORT`: the handler is let go, its reporters are answered `Released`, and threads of
    /// its own go on unwatched. Without this call the driver waits for ever.
    ///
    /// A worker that waits for something shows that it lives by a [`check`](crate::ItemReporter::check); storing the same
    /// value again counts as silence.
    ///
    /// A call of the handler's own that does not return is not covered: it runs on the driver's thread, which it blocks.
    pub fn deadline(mut self, silence: Duration) -> Self {
        self.deadline = Some(silence);
        self
    }

    /// Which logged errors the user wants to see: `show_error` is called for them after the synchronization, if they
    /// can be shown (rule M05). Without this call none is.
    pub fn show_error_if(mut self, wanted: impl Fn(&LogEntry) -> bool + Send + 'static) -> Self {
        self.show_error_if = Some(Foreign::new(Box::new(wanted)));
        self
    }

    /// Retries failed items up to `retries` times: [`show_error_if`](Self::show_error_if) for every error, and
    /// [`max_retries`](Self::max_retries). Defaults to no retry.
    ///
    /// The handler decides which errors it retries. One of [`per_item`](crate::per_item) retries every item that failed, unless it
    /// is [built otherwise](crate::per_item::HandlerBuilder::retry).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    /// use syncmgr::per_item::{HandlerBuilder, from_items};
    /// use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
    ///
    /// let attempts = AtomicU32::new(0);
    /// let inbox = SyncItem::new(ItemId::from_u128(1), "Inbox".parse()?);
    /// let flaky = from_items([inbox], move |_| match attempts.fetch_add(1, Ordering::Relaxed) {
    ///     0..2 => Err("the server is busy".into()),
    ///     _ => Ok(()),
    /// });
    /// let handler = HandlerBuilder::new("Mail".parse()?, flaky).build();
    ///
    /// // 10 ms before the first retry, 20 ms before the second, 40 ms before the third.
    /// let delay = |retry| Duration::from_millis(10) * 2_u32.pow(retry - 1);
    /// let report = run_handler(handler, RunOptions::new().retries(3).retry_delay(delay));
    /// assert!(report.is_success());
    /// assert_eq!(report.rounds, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retries(self, retries: u32) -> Self {
        self.show_error_if(|_| true).max_retries(retries)
    }

    /// Sets how long to wait before each retry, whose number is counted from 1. Defaults to no delay.
    ///
    /// A cancellation of everything or a release of the session ends the wait, and there is no retry then.
    pub fn retry_delay(mut self, delay: impl Fn(u32) -> Duration + Send + 'static) -> Self {
        self.retry_delay = Some(Foreign::new(Box::new(delay)));
        self
    }

    /// How many retries are made at most when a shown error asks for one: 16 unless this says otherwise.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// What the program that invokes the handler tells it. It goes with the event
    /// [`Invoke`](SyncEvent::Invoke), which this call sets, and is left out where [`flags`](Self::flags) sets another event
    /// afterwards (rule M06): the session's log then has a warning that says so.
    pub fn cookie(mut self, cookie: impl Into<Vec<u8>>) -> Self {
        let rest = self.flags.difference(SyncFlags::EVENT_MASK);
        self.flags = SyncFlags::new(SyncEvent::Invoke) | rest;
        self.cookie = Some(cookie.into());
        self
    }

    /// How many log entries are kept, as for [`SessionBuilder::log_capacity`].
    pub fn log_capacity(mut self, entries: usize) -> Self {
        self.session = self.session.log_capacity(entries);
        self
    }

    /// Shows properties before anything is prepared: of an item, or (none) the handler's own. A further call shows further
    /// ones, one after the other. Whether the target has `HAS_PROPERTIES` in its flags is not asked.
    ///
    /// An item that is [deleted](crate::PropertiesOutcome::ItemDeleted) there takes no part. Where the handler's items
    /// [changed](crate::PropertiesOutcome::ItemsChanged), it is asked for its list anew; items that are gone take no part,
    /// and new ones do as the selection says. What came of it stands in
    /// [`HandlerReport::properties`](crate::HandlerReport::properties).
    pub fn show_properties(mut self, target: impl Into<Option<ItemId>>) -> Self {
        self.show_properties.push(target.into());
        self
    }

    /// Asks for these objects before anything is prepared.
    #[cfg(feature = "testing")]
    pub(crate) fn item_objects(mut self, objects: Vec<(ItemId, Uuid)>) -> Self {
        self.item_objects = objects;
        self
    }

    /// The builder of the session that these options ask for. It is there once.
    pub(crate) fn take_session(&mut self) -> SessionBuilder {
        std::mem::replace(&mut self.session, Session::builder()).flags(self.flags)
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("flags", &self.flags)
            .field("select", &self.select.is_some())
            .field("deadline", &self.deadline)
            .field("max_retries", &self.max_retries)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
