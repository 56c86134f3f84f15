//! The harness, a test host that drives and records one handler.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::injection::FaultPoint;
use super::intervention::Intervention;
use super::interventions::{Effect, Interventions, Trigger};
use super::item_ref::ItemRef;
use super::setting::{About, Setting};
use crate::{ItemId, SyncFlags, SyncHandler, Uuid};

/// A host for tests: it drives one handler through its whole life, does to it what it is told to do, and answers with
/// the [`Trace`](super::Trace).
///
/// The handler is called as [`run_handler`](crate::run_handler) calls it, on a thread of its own. Where it is silent for longer
/// than the [deadline](Self::deadline), the host gives up, takes the callback away, and leaves behind a thread that does not
/// return.
///
/// Reports are counted from 1, over the whole run: calls of `progress`, and of `can_continue` with an item, which is the
/// same without a mask. What is done at a report is done before the report is answered, so that report itself answers the
/// cancel.
///
/// A handler that works on the host's thread gives the same trace in each run. One that has threads of its own does not: the
/// order of calls of *different* threads differs from run to run, and with several workers so does what the n-th report of all
/// is. The k-th report of one item keeps its meaning ([`cancel_item_at_report`](Self::cancel_item_at_report)) as long as one
/// thread at a time works on the item.
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::{Harness, Rule};
/// use syncmgr::{ItemId, ItemStatus};
///
/// let photos = ItemId::from_u128(1);
/// // It works on after it was told to stop.
/// let script = Script::new().item(photos, "photos").ignore_verdicts().synchronize([
///     Step::report(photos).status(ItemStatus::Updating),
///     Step::report(photos).value(1),
///     Step::report(photos).status(ItemStatus::Succeeded),
/// ]);
/// Harness::new(script.handler()).run().assert_conformant(); // nobody cancelled it
///
/// let trace = Harness::new(script.handler()).cancel_item_at(1).run();
/// assert!(trace.breaks(Rule::StopCancelledItem), "{trace}");
/// ```
#[must_use = "a harness does nothing until `run`"]
pub struct Harness {
    pub(super) handler: Arc<dyn SyncHandler>,
    pub(super) flags: Option<SyncFlags>,
    pub(super) select: Option<Vec<ItemId>>,
    pub(super) cookie: Option<Vec<u8>>,
    pub(super) interventions: Interventions,
    pub(super) full_log: bool,
    pub(super) no_dialogs: bool,
    pub(super) no_connections: bool,
    pub(super) show_errors: bool,
    pub(super) max_retries: Option<u32>,
    pub(super) properties: Vec<Option<ItemId>>,
    pub(super) requests: Vec<ItemId>,
    pub(super) objects: Vec<(ItemId, Uuid)>,
    pub(super) deadline: Duration,
    pub(super) listen: Duration,
    pub(super) max_calls: usize,
    pub(super) about: Vec<About>,
    pub(super) replaces_callback: bool,
    pub(super) by_position: bool,
    /// Made of a handler alone, without a setting of the test's.
    pub(super) is_bare: bool,
    pub(super) max_runs: usize,
    pub(super) seed: u64,
}

impl Harness {
    /// A manual run of every item that is checked, in which nobody may be bothered; dialogs and connections are granted
    /// where the rules allow them (no connector is needed, as it is by [`run_handler`](crate::run_handler)), and no error is
    /// shown.
    pub fn new(handler: Arc<dyn SyncHandler>) -> Self {
        Self {
            handler,
            flags: None,
            select: None,
            cookie: None,
            interventions: Interventions::default(),
            full_log: false,
            no_dialogs: false,
            no_connections: false,
            show_errors: false,
            max_retries: None,
            properties: Vec::new(),
            requests: Vec::new(),
            objects: Vec::new(),
            deadline: Duration::from_secs(10),
            listen: Duration::from_millis(100),
            max_calls: 1_000_000,
            about: Vec::new(),
            replaces_callback: false,
            by_position: false,
            is_bare: false,
            max_runs: 1_000,
            seed: 1,
        }
    }

    /// The items to synchronize, in place of those that are checked.
    pub fn select(mut self, items: impl IntoIterator<Item = ItemId>) -> Self {
        self.select = Some(items.into_iter().collect());
        self
    }

    /// The flags that the handler is initialized with, in place of those of a manual run.
    pub fn flags(mut self, flags: SyncFlags) -> Self {
        self.flags = Some(flags);
        self
    }

    /// The cookie that the handler is initialized with. It goes with the event `Invoke`, which is set whatever
    /// [`flags`](Self::flags) says (rule M06); where that is another event, it is among the
    /// [unreached](super::Trace::unmet_conditions).
    pub fn cookie(mut self, cookie: impl AsRef<[u8]>) -> Self {
        self.cookie = Some(cookie.as_ref().to_vec());
        self
    }

    fn on(mut self, trigger: Trigger, effect: Effect, about: impl Into<About>) -> Self {
        self.about.push(About {
            setting: Setting::Trigger(self.interventions.triggers.len()),
            ..about.into()
        });
        self.interventions.triggers.push((trigger, effect));
        self
    }

    /// Makes an intervention at a call that is found again in each run.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::testing::mock::Script;
    /// use syncmgr::testing::{Harness, Intervention};
    /// use syncmgr::ItemId;
    ///
    /// let script = Script::new().item(ItemId::from_u128(1), "photos");
    /// let skip = Intervention::SkipInPrepare { item: "photos".into(), prepare: 2 };
    /// let trace = Harness::new(script.handler()).intervene(skip).run();
    /// // There was no retry.
    /// assert_eq!(trace.unmet_conditions(), ["\"photos\" skipped in prepare 2"]);
    /// ```
    pub fn intervene(mut self, intervention: Intervention) -> Self {
        match intervention {
            Intervention::CancelItem { item, report } => {
                self.at_report(item, report, Effect::CancelItem)
            }
            Intervention::CancelAll { item, report } => {
                self.at_report(item, report, Effect::CancelAll)
            }
            Intervention::Skip { item, report } => self.at_report(item, report, Effect::Skip),
            Intervention::SkipNext { item, report } => {
                self.at_report(item, report, Effect::SkipNext)
            }
            Intervention::Release { item, report } => self.at_report(item, report, Effect::Release),
            Intervention::SkipBeforePrepare(item) => {
                self.skip_on(Trigger::Start, item, "{} skipped before the prepare")
            }
            Intervention::SkipInPrepare { item, prepare } => {
                let how = format!("{{}} skipped in prepare {prepare}");
                self.skip_on(Trigger::Prepare(prepare), item, &how)
            }
            Intervention::SkipInSynchronize(item) => {
                self.skip_on(Trigger::Synchronize, item, "{} skipped in synchronize")
            }
            Intervention::FillLog(entry) => {
                self.interventions.log = Some(entry);
                self.refuse(FaultPoint::Log, format!("log entry {entry} refused"))
            }
            Intervention::RefuseConnection(connection) => {
                self.interventions.connections = Some(connection);
                let words = format!("connection {connection} refused");
                self.refuse(FaultPoint::Connection, words)
            }
            Intervention::DenyDialog(dialog) => {
                self.interventions.dialogs = Some(dialog);
                self.refuse(FaultPoint::Dialog, format!("dialog {dialog} denied"))
            }
        }
    }

    fn refuse(mut self, point: FaultPoint, words: String) -> Self {
        self.about.push(About {
            setting: Setting::Refused(point),
            ..About::from(words)
        });
        self
    }

    /// Cancels the item of the n-th report, counted from 1, which itself answers the cancel.
    pub fn cancel_item_at(self, report: usize) -> Self {
        let about = format!("the item of report {report} cancelled");
        self.on(Trigger::Report(report), Effect::CancelItem, about)
    }

    /// Cancels everything at the n-th report, counted from 1, which itself answers the cancel.
    pub fn cancel_all_at(self, report: usize) -> Self {
        let about = format!("everything cancelled at report {report}");
        self.on(Trigger::Report(report), Effect::CancelAll, about)
    }

    /// Cancels an item at its k-th report, counted from 1, which itself answers the cancel.
    pub fn cancel_item_at_report(self, item: impl Into<ItemRef>, report: usize) -> Self {
        self.intervene(Intervention::CancelItem {
            item: item.into(),
            report,
        })
    }

    fn at_report(self, item: ItemRef, report: usize, effect: Effect) -> Self {
        let words = match effect {
            Effect::CancelItem => format!("{{}} cancelled at its report {report}"),
            Effect::CancelAll => format!("everything cancelled at report {report} of {{}}"),
            Effect::Skip | Effect::SkipThis(_) => format!("{{}} skipped at its report {report}"),
            Effect::SkipNext => format!("the next item skipped at report {report} of {{}}"),
            Effect::Release => format!("the callback released at report {report} of {{}}"),
        };
        let about = About::of(item.clone(), words);
        self.on(Trigger::OfItem(item, report), effect, about)
    }

    /// Cancels the item of the first report for which a predicate holds.
    ///
    /// Until then the predicate is called for each call of the handler, before the call is answered and on the thread of the
    /// call. Several threads may call it at the same time; only the first report for which it holds is acted on. No lock is
    /// held meanwhile, so the predicate may call the session or the callback. It is not called for its own calls.
    /// The time that it takes counts as silence of the handler ([`deadline`](Self::deadline)).
    pub fn cancel_item_when(self, holds: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        let trigger = Trigger::Holds(Box::new(holds));
        self.on(
            trigger,
            Effect::CancelItem,
            "an item cancelled by a predicate",
        )
    }

    /// Cancels everything at the first call of the handler for which a predicate holds. The predicate is called as by
    /// [`cancel_item_when`](Self::cancel_item_when).
    pub fn cancel_all_when(self, holds: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        let trigger = Trigger::Holds(Box::new(holds));
        self.on(
            trigger,
            Effect::CancelAll,
            "everything cancelled by a predicate",
        )
    }

    /// Skips an item before anything is prepared: [`Intervention::SkipBeforePrepare`].
    pub fn skip(self, item: impl Into<ItemRef>) -> Self {
        self.intervene(Intervention::SkipBeforePrepare(item.into()))
    }

    fn skip_on(self, trigger: Trigger, item: ItemRef, how: &str) -> Self {
        let about = About::of(item.clone(), how);
        self.on(trigger, Effect::SkipThis(item), about)
    }

    /// Sets a callback that is replaced by another one before anything is prepared. A call on the first one is a violation of
    /// rule H13.
    ///
    /// # Examples
    ///
    /// ```
    /// use syncmgr::testing::mock::{Script, Step};
    /// use syncmgr::testing::Harness;
    /// use syncmgr::{ItemId, ItemStatus};
    ///
    /// # let photos = ItemId::from_u128(1);
    /// # let script = Script::new().item(photos, "photos").synchronize([
    /// #     Step::report(photos).status(ItemStatus::Updating),
    /// #     Step::report(photos).status(ItemStatus::Succeeded),
    /// # ]);
    /// // The script always uses the newest callback.
    /// Harness::new(script.handler()).replace_callback().run().assert_conformant();
    /// ```
    pub fn replace_callback(mut self) -> Self {
        self.replaces_callback = true;
        self.about.push("the first callback replaced".into());
        self
    }

    /// Denies every dialog.
    pub fn deny_dialogs(mut self) -> Self {
        self.no_dialogs = true;
        self.about.push("dialogs denied".into());
        self
    }

    /// Refuses every connection.
    pub fn refuse_connections(mut self) -> Self {
        self.no_connections = true;
        self.about.push("connections refused".into());
        self
    }

    /// The log is full from the start.
    pub fn full_log(mut self) -> Self {
        self.full_log = true;
        self.about.push("the log full".into());
        self
    }

    /// Shows every error that was logged with jump text, and retries what the handler then asks for.
    pub fn show_errors(mut self) -> Self {
        self.show_errors = true;
        self
    }

    /// How many retries are made at most over the whole run, whichever items they are of: 16 unless this says otherwise. One that is asked
    /// for beyond them is not made.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// Shows properties before anything is prepared: those of an item, or with `None` the handler's own, whatever their flags
    /// say. May be called more than once.
    pub fn show_properties(mut self, target: impl Into<Option<ItemId>>) -> Self {
        self.properties.push(target.into());
        self
    }

    /// Asks for these items while the handler works: it learns of them by
    /// [`additional_items`](crate::SyncCallback::additional_items). A nil id is none to ask for.
    pub fn request_items(mut self, items: impl IntoIterator<Item = ItemId>) -> Self {
        let items = items.into_iter().filter(|item| *item != ItemId::NIL);
        self.requests.extend(items);
        self
    }

    /// Asks for an object of an item before anything is prepared (rule H19). May be called more than once.
    pub fn item_object(mut self, item: ItemId, interface: Uuid) -> Self {
        self.objects.push((item, interface));
        self
    }

    /// How long the handler may be silent, without a call and without an answer to one, before the host gives up: 10 s
    /// unless this says otherwise.
    pub fn deadline(mut self, silence: Duration) -> Self {
        self.deadline = silence;
        self
    }

    /// How long the harness listens for late calls after the release while somebody still holds the callback (rule H13):
    /// 100 ms unless this says otherwise. Where the handler has dropped it, there is nothing to listen for.
    pub fn linger(mut self, time: Duration) -> Self {
        self.listen = time;
        self
    }

    /// How many calls are recorded at most: a million unless this says otherwise. A handler that makes more does not end, it
    /// seems: the host gives up as after silence.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// For explorations: sets the number of points that are explored at most, one less than this. Defaults to 1,000. If there
    /// are more points, a sample of them is explored. Retries of points that were missed come on top, and so does the second
    /// run of the smallest failure.
    pub fn max_runs(mut self, runs: usize) -> Self {
        self.max_runs = runs;
        self
    }

    /// For explorations: sets the seed of the sample. Defaults to a fixed seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// For explorations: identifies items by their position in the handler's list ([`ItemRef::Position`]) instead of by name. For
    /// handlers whose items have another name in each run, but always the same order.
    pub fn items_by_position(mut self) -> Self {
        self.by_position = true;
        self
    }
}

/// A harness without settings, for an exploration of a handler alone.
impl From<Arc<dyn SyncHandler>> for Harness {
    fn from(handler: Arc<dyn SyncHandler>) -> Self {
        Self {
            is_bare: true,
            ..Self::new(handler)
        }
    }
}

/// A harness without settings, for an exploration of a handler alone.
impl<H: SyncHandler + 'static> From<Arc<H>> for Harness {
    fn from(handler: Arc<H>) -> Self {
        let handler: Arc<dyn SyncHandler> = handler;
        handler.into()
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness")
            .field("flags", &self.flags)
            .field("select", &self.select)
            .field("about", &self.about)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
