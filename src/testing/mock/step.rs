//! The steps of a scripted handler.

use std::fmt;
use std::sync::Arc;

use crate::{
    CallbackError, ErrorOutcome, HResult, ItemId, ItemStatus, LogRecord, LogSelector,
    ProgressUpdate, PropertiesOutcome, SyncCallback, SyncItem, Verdict,
};

type StepCall = Arc<dyn Fn(&Arc<dyn SyncCallback>) + Send + Sync>;

/// One thing that a scripted handler does: mostly a call on its callback. See [`Script`](crate::testing::mock::Script).
#[derive(Clone)]
pub struct Step(pub(crate) StepKind);

#[derive(Clone)]
pub(crate) enum StepKind {
    Report {
        item: ItemId,
        update: ProgressUpdate<'static>,
    },
    CompletePrepare(HResult),
    CompleteSynchronize(HResult),
    AddItem(SyncItem),
    Work {
        item: ItemId,
        call: StepCall,
    },
    Call {
        name: &'static str,
        call: StepCall,
    },
    Spawn(Vec<Step>),
}

impl Step {
    /// Reports an item. What is reported is set by [`status`](Self::status), [`value`](Self::value), [`max`](Self::max) and
    /// [`text`](Self::text); without them the report only asks.
    #[must_use]
    pub fn report(item: ItemId) -> Self {
        Self(StepKind::Report {
            item,
            update: ProgressUpdate::new(),
        })
    }

    /// Asks for the verdict on an item.
    #[must_use]
    pub fn check(item: ItemId) -> Self {
        Self::report(item)
    }

    fn with(mut self, set: impl FnOnce(&mut ProgressUpdate<'static>)) -> Self {
        if let StepKind::Report { update, .. } = &mut self.0 {
            set(update);
        }
        self
    }

    /// Sets the status of a report. On any other step this changes nothing.
    #[must_use]
    pub fn status(self, status: ItemStatus) -> Self {
        self.with(|update| update.status = Some(status))
    }

    /// Sets the value of a report. On any other step this changes nothing.
    #[must_use]
    pub fn value(self, value: u64) -> Self {
        self.with(|update| update.value = Some(value))
    }

    /// Sets the maximum of a report. On any other step this changes nothing.
    #[must_use]
    pub fn max(self, max: u64) -> Self {
        self.with(|update| update.max = Some(max))
    }

    /// Sets the text of a report. On any other step this changes nothing.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.with(|update| update.text = Some(text.to_owned().into()))
    }

    /// Any call on the callback, or several. What they answer is the step's own matter.
    #[must_use]
    pub fn call(call: impl Fn(&Arc<dyn SyncCallback>) + Send + Sync + 'static) -> Self {
        Self::named("call", call)
    }

    fn named(
        name: &'static str,
        call: impl Fn(&Arc<dyn SyncCallback>) + Send + Sync + 'static,
    ) -> Self {
        Self(StepKind::Call {
            name,
            call: Arc::new(call),
        })
    }

    /// Does something that is no call.
    #[must_use]
    pub fn run(run: impl Fn() + Send + Sync + 'static) -> Self {
        Self::named("run", move |_| run())
    }

    /// Works on an item: does something that is no call, unless the item was cancelled, skipped or has ended. A
    /// script that [ignores verdicts](crate::testing::mock::Script::ignore_verdicts) does it all the same.
    #[must_use]
    pub fn work(item: ItemId, work: impl Fn() + Send + Sync + 'static) -> Self {
        Self(StepKind::Work {
            item,
            call: Arc::new(move |_| work()),
        })
    }

    /// Logs an entry.
    #[must_use]
    pub fn log(record: &LogRecord<'_>) -> Self {
        let record = record.clone().into_owned();
        Self::named("log_error", move |callback| {
            let _ = callback.log_error(&record);
        })
    }

    /// Deletes log entries.
    #[must_use]
    pub fn delete_log(which: LogSelector) -> Self {
        Self::named("delete_log_error", move |callback| {
            let _ = callback.delete_log_error(which);
        })
    }

    /// Asks for a dialog, and if it is granted gives the turn back.
    #[must_use]
    pub fn dialog() -> Self {
        Self::named("dialog", |callback| {
            if callback
                .enable_modeless(true)
                .is_ok_and(|dialog| dialog.is_granted())
            {
                let _ = callback.enable_modeless(false);
            }
        })
    }

    /// Calls `enable_modeless`, and does nothing about the answer.
    #[must_use]
    pub fn enable_modeless(enable: bool) -> Self {
        Self::named("enable_modeless", move |callback| {
            let _ = callback.enable_modeless(enable);
        })
    }

    /// Asks for a connection.
    #[must_use]
    pub fn connect(name: Option<&str>) -> Self {
        let name = name.map(str::to_owned);
        Self::named("establish_connection", move |callback| {
            let _ = callback.establish_connection(name.as_deref());
        })
    }

    /// Adds an item.
    #[must_use]
    pub fn add_item(item: SyncItem) -> Self {
        Self(StepKind::AddItem(item))
    }

    /// Asks for the verdict on the handler as a whole.
    #[must_use]
    pub fn can_continue() -> Self {
        Self::named("can_continue", |callback| {
            let _ = callback.can_continue(None);
        })
    }

    /// Completes the prepare. A script with such a step completes the prepare by it alone.
    #[must_use]
    pub fn complete_prepare(result: HResult) -> Self {
        Self(StepKind::CompletePrepare(result))
    }

    /// Completes the synchronization. A script with such a step completes the synchronization by it alone.
    #[must_use]
    pub fn complete_synchronize(result: HResult) -> Self {
        Self(StepKind::CompleteSynchronize(result))
    }

    /// Completes a `show_error`; the items are those of a retry.
    #[must_use]
    pub fn complete_show_error(result: HResult, items: impl IntoIterator<Item = ItemId>) -> Self {
        let items: Vec<ItemId> = items.into_iter().collect();
        Self::named("show_error_completed", move |callback| {
            let _ = callback.show_error_completed(ErrorOutcome::from_raw(result, &items));
        })
    }

    /// Completes a `show_properties`.
    #[must_use]
    pub fn complete_show_properties(result: HResult) -> Self {
        Self::named("show_properties_completed", move |callback| {
            let _ = callback.show_properties_completed(PropertiesOutcome::from(result));
        })
    }

    /// Does these steps on a thread of their own, which is waited for before the synchronization is completed.
    #[must_use]
    pub fn spawn(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(StepKind::Spawn(steps.into_iter().collect()))
    }

    /// Whether this step, or one that it spawns, is as wanted.
    pub(crate) fn has(&self, wanted: fn(&StepKind) -> bool) -> bool {
        match &self.0 {
            StepKind::Spawn(steps) => steps.iter().any(|step| step.has(wanted)),
            kind => wanted(kind),
        }
    }
}

/// Reports, and answers what the host answered.
pub(crate) fn report(
    callback: &dyn SyncCallback,
    item: ItemId,
    update: &ProgressUpdate<'_>,
) -> Result<Verdict, CallbackError> {
    callback.progress(item, update)
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            StepKind::Report { item, update } => f
                .debug_struct("Report")
                .field("item", item)
                .field("update", update)
                .finish(),
            StepKind::CompletePrepare(result) => {
                f.debug_tuple("CompletePrepare").field(result).finish()
            }
            StepKind::CompleteSynchronize(result) => {
                f.debug_tuple("CompleteSynchronize").field(result).finish()
            }
            StepKind::AddItem(item) => f.debug_tuple("AddItem").field(item).finish(),
            StepKind::Work { item, .. } => f.debug_tuple("Work").field(item).finish(),
            StepKind::Call { name, .. } => f.write_str(name),
            StepKind::Spawn(steps) => f.debug_tuple("Spawn").field(steps).finish(),
        }
    }
}
