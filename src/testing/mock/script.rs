//! The script of a scripted handler.

use super::step::{Step, StepKind};
use crate::{
    HResult, HandlerFlags, HandlerName, ItemId, ItemName, Participation, Prepared, SyncItem,
};

/// What a scripted handler does: a handler without a class of its own, for tests of hosts and of this kit.
///
/// A script obeys verdicts unless it is told to [ignore them](Self::ignore_verdicts): it does the steps of an item only if the
/// item is in the round, does not start a skipped item, and drops the rest of an item that is cancelled for its final status: `Stopped`, where the
/// cancel was the answer to its first report too. When
/// its steps are done, it gives each item that has none a final status, and completes. What a [`Step::call`] does beside
/// it, it does not know. The prepare is done on the host's
/// thread; the synchronization on a thread of its own, unless the script is [`inline`](Self::inline).
///
/// ```
/// use syncmgr::testing::mock::{Script, Step};
/// use syncmgr::testing::Harness;
/// use syncmgr::{ItemId, ItemStatus};
///
/// let photos = ItemId::from_u128(1);
/// let handler = Script::new()
///     .item(photos, "photos")
///     .synchronize([
///         Step::report(photos).status(ItemStatus::Updating).max(2),
///         Step::report(photos).value(1),
///         Step::report(photos).value(2),
///         Step::report(photos).status(ItemStatus::Succeeded),
///     ])
///     .handler();
///
/// let trace = Harness::new(handler).cancel_item_at(2).run();
/// trace.assert_conformant();
/// assert_eq!(trace.status(photos), Some(ItemStatus::Stopped));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a script does nothing until `handler` makes a handler of it"]
pub struct Script {
    pub(crate) name: HandlerName,
    pub(crate) flags: HandlerFlags,
    pub(crate) items: Vec<SyncItem>,
    pub(crate) is_complete: bool,
    pub(crate) participation: ScriptAnswer<Participation>,
    pub(crate) prepare: ScriptPart,
    pub(crate) prepared: ScriptAnswer<Prepared>,
    pub(crate) synchronize: ScriptPart,
    pub(crate) synchronized: ScriptAnswer<()>,
    pub(crate) show_error: Option<(ScriptPart, ScriptAnswer<()>)>,
    pub(crate) show_properties: Option<(ScriptPart, ScriptAnswer<()>)>,
    pub(crate) release: Vec<Step>,
    pub(crate) ignores_verdicts: bool,
    pub(crate) completes: bool,
}

/// What a method answers: a value, or a code.
pub(crate) type ScriptAnswer<T> = Result<T, HResult>;

/// The steps of a method, and where they are done.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptPart {
    pub(crate) steps: Vec<Step>,
    pub(crate) on_thread: bool,
}

impl ScriptPart {
    fn new(steps: impl IntoIterator<Item = Step>, on_thread: bool) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            on_thread,
        }
    }

    pub(crate) fn has(&self, wanted: fn(&StepKind) -> bool) -> bool {
        self.steps.iter().any(|step| step.has(wanted))
    }
}

impl Script {
    /// A handler called `script`, without items, that takes part, prepares and completes.
    pub fn new() -> Self {
        Self {
            name: HandlerName::truncate_start("script"),
            flags: HandlerFlags::empty(),
            items: Vec::new(),
            is_complete: true,
            participation: Ok(Participation::Joins),
            prepare: ScriptPart::new([], false),
            prepared: Ok(Prepared::Started),
            synchronize: ScriptPart::new([], true),
            synchronized: Ok(()),
            show_error: None,
            show_properties: None,
            release: Vec::new(),
            ignores_verdicts: false,
            completes: true,
        }
    }

    /// Sets the name of the handler; a name that is too long is [shortened](HandlerName::truncate_start).
    pub fn name(mut self, name: &str) -> Self {
        self.name = HandlerName::truncate_start(name);
        self
    }

    /// Sets the handler's flags.
    pub fn flags(mut self, flags: HandlerFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Adds an item to the list; a name that is too long is [shortened](ItemName::truncate_start).
    pub fn item(self, id: ItemId, name: &str) -> Self {
        self.sync_item(SyncItem::new(id, ItemName::truncate_start(name)))
    }

    /// Adds an item to the list, as it is.
    pub fn sync_item(mut self, item: SyncItem) -> Self {
        self.items.push(item);
        self
    }

    /// The list of items is [incomplete](crate::ItemList::Incomplete).
    pub fn incomplete(mut self) -> Self {
        self.is_complete = false;
        self
    }

    /// What `initialize` answers.
    pub fn participation(mut self, answer: Result<Participation, HResult>) -> Self {
        self.participation = answer;
        self
    }

    /// The steps of the prepare, on the host's thread.
    pub fn prepare(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.prepare = ScriptPart::new(steps, false);
        self
    }

    /// The steps of the prepare, on a thread of their own: so there is a window for skips between the return of
    /// `prepare_for_sync` and its completion.
    pub fn prepare_on_thread(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.prepare = ScriptPart::new(steps, true);
        self
    }

    /// What `prepare_for_sync` answers.
    pub fn prepared(mut self, answer: Result<Prepared, HResult>) -> Self {
        self.prepared = answer;
        self
    }

    /// The steps of the synchronization.
    pub fn synchronize(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.synchronize.steps = steps.into_iter().collect();
        self
    }

    /// The synchronization is done on the host's thread, before `synchronize` returns.
    pub fn inline(mut self) -> Self {
        self.synchronize.on_thread = false;
        self
    }

    /// What `synchronize` answers.
    pub fn synchronized(mut self, answer: Result<(), HResult>) -> Self {
        self.synchronized = answer;
        self
    }

    /// The steps of `show_error`, and what it answers. Without this call it is not implemented. Its completion is a step.
    pub fn show_error(
        mut self,
        steps: impl IntoIterator<Item = Step>,
        answer: Result<(), HResult>,
    ) -> Self {
        self.show_error = Some((ScriptPart::new(steps, false), answer));
        self
    }

    /// The steps of `show_properties`, and what it answers. Without this call it is not implemented. Its completion is a
    /// step.
    pub fn show_properties(
        mut self,
        steps: impl IntoIterator<Item = Step>,
        answer: Result<(), HResult>,
    ) -> Self {
        self.show_properties = Some((ScriptPart::new(steps, false), answer));
        self
    }

    /// The steps that are done when the callback is taken away, before that call returns.
    pub fn release(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.release = steps.into_iter().collect();
        self
    }

    /// The handler does its steps whatever it is told, and gives no item a final status of its own accord.
    pub fn ignore_verdicts(mut self) -> Self {
        self.ignores_verdicts = true;
        self
    }

    /// The handler completes nothing of its own accord: only by a step.
    pub fn without_completions(mut self) -> Self {
        self.completes = false;
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}
