//! The recording wrappers of callbacks, handlers and connectors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};
use std::task::Waker;

use super::answer::Answer;
use super::call::Action;
use super::listed::Listed;
use super::recorder::{Intercept, Recorder};
use crate::util::panic::panic_text;
use crate::{
    CallbackError, Connector, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo,
    ItemId, ItemList, ItemReporter, ItemStatus, LogRecord, LogSelector, Participation, Phase,
    Prepared, ProgressUpdate, PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler, SyncItem,
    Uuid, Verdict,
};

impl Recorder {
    /// Wraps a callback.
    #[must_use]
    pub fn callback(&self, inner: Arc<dyn SyncCallback>) -> Arc<dyn SyncCallback> {
        let number = self.next_callback();
        RecordedCallback::wrap(self.clone(), number, inner)
    }

    /// Wraps a handler. The callbacks that the host sets are wrapped too.
    #[must_use]
    pub fn handler(&self, inner: Arc<dyn SyncHandler>) -> Arc<dyn SyncHandler> {
        self.state().phase = Phase::Idle;
        RecordedHandler::wrap(self.clone(), inner)
    }

    /// Wraps a connector, so that the trace shows when connections open and close (rule M08).
    #[must_use]
    pub fn connector<C: Connector + 'static>(&self, inner: C) -> impl Connector + use<C> {
        RecordedConnector::wrap(self.clone(), Box::new(inner))
    }
}

/// A callback whose calls are written down. It gives no slot, so that each report is seen.
pub(super) struct RecordedCallback {
    recorder: Recorder,
    number: u32,
    inner: Arc<dyn SyncCallback>,
    me: Weak<Self>,
    /// Set in the callback of one reporter: the reports of its item go on to this reporter of the
    /// inner callback. So a reporter that was kept across a retry is refused, as it would be
    /// without the wrapper.
    reporter: Option<ItemReporter>,
}

impl RecordedCallback {
    pub(super) fn wrap(
        recorder: Recorder,
        number: u32,
        inner: Arc<dyn SyncCallback>,
    ) -> Arc<dyn SyncCallback> {
        Self::new(recorder, number, inner, None)
    }

    fn new(
        recorder: Recorder,
        number: u32,
        inner: Arc<dyn SyncCallback>,
        reporter: Option<ItemReporter>,
    ) -> Arc<Self> {
        recorder.change(|state| state.live += 1);
        Arc::new_cyclic(|me| Self {
            recorder,
            number,
            inner,
            me: me.clone(),
            reporter,
        })
    }

    /// Passes a call on, unless the harness answers it.
    fn call<T>(
        &self,
        action: Action,
        forward: impl FnOnce(&dyn SyncCallback) -> Result<T, CallbackError>,
        denied: impl FnOnce() -> Option<T>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Result<T, CallbackError> {
        let begun = self.recorder.begin(action, Some(self.number));
        let result = match self.recorder.intercept(&begun) {
            Intercept::Refuse(error) => Err(error),
            Intercept::Deny => match denied() {
                Some(denied) => Ok(denied),
                None => forward(&*self.inner),
            },
            Intercept::Pass => forward(&*self.inner),
        };
        self.recorder
            .end(begun.at, Answer::of_callback(&result, answer));
        result
    }

    fn plain<T>(
        &self,
        action: Action,
        forward: impl FnOnce(&dyn SyncCallback) -> Result<T, CallbackError>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Result<T, CallbackError> {
        self.call(action, forward, || None, answer)
    }

    fn done(
        &self,
        action: Action,
        forward: impl FnOnce(&dyn SyncCallback) -> Result<(), CallbackError>,
    ) -> Result<(), CallbackError> {
        self.plain(action, forward, |()| Answer::Done)
    }

    fn verdict(
        &self,
        action: Action,
        forward: impl FnOnce(&dyn SyncCallback) -> Result<Verdict, CallbackError>,
    ) -> Result<Verdict, CallbackError> {
        self.plain(action, forward, |verdict| Answer::Verdict(*verdict))
    }
}

impl Drop for RecordedCallback {
    fn drop(&mut self) {
        self.recorder.change(|state| state.live -= 1);
    }
}

impl SyncCallback for RecordedCallback {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        let action = Action::Progress {
            item,
            update: update.clone().into_owned(),
        };
        let own = self.reporter.as_ref().filter(|own| own.item() == item);
        self.verdict(action, |inner| match own {
            Some(own) => own.report(update),
            None => inner.progress(item, update),
        })
    }

    fn for_reporter(&self, item: ItemId) -> Option<Arc<dyn SyncCallback>> {
        let reporter = ItemReporter::new(&self.inner, item).without_end();
        let me = self.me.upgrade()?;
        let (recorder, inner) = (me.recorder.clone(), Arc::clone(&me.inner));
        Some(Self::new(recorder, me.number, inner, Some(reporter)))
    }

    fn log_error(&self, record: &LogRecord<'_>) -> Result<(), CallbackError> {
        let action = Action::LogError {
            record: record.clone().into_owned(),
        };
        self.done(action, |inner| inner.log_error(record))
    }

    fn delete_log_error(&self, which: LogSelector) -> Result<(), CallbackError> {
        self.done(which.into(), |inner| inner.delete_log_error(which))
    }

    fn prepare_for_sync_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(Action::PrepareForSyncCompleted { result }, |inner| {
            inner.prepare_for_sync_completed(result)
        })
    }

    fn synchronize_completed(&self, result: HResult) -> Result<(), CallbackError> {
        self.done(Action::SynchronizeCompleted { result }, |inner| {
            inner.synchronize_completed(result)
        })
    }

    fn show_error_completed(&self, outcome: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        let action = Action::ShowErrorCompleted {
            result: outcome.into(),
            items: outcome.items().to_vec(),
        };
        self.done(action, |inner| inner.show_error_completed(outcome))
    }

    fn show_properties_completed(&self, outcome: PropertiesOutcome) -> Result<(), CallbackError> {
        let action = Action::ShowPropertiesCompleted {
            result: outcome.into(),
        };
        self.done(action, |inner| inner.show_properties_completed(outcome))
    }

    fn enable_modeless(&self, enable: bool) -> Result<Dialog, CallbackError> {
        self.call(
            Action::EnableModeless { enable },
            |inner| inner.enable_modeless(enable),
            || Some(Dialog::Denied),
            |dialog| Answer::Dialog(*dialog),
        )
    }

    fn establish_connection(&self, connection: Option<&str>) -> Result<(), CallbackError> {
        let action = Action::EstablishConnection {
            name: connection.map(str::to_owned),
        };
        self.done(action, |inner| inner.establish_connection(connection))
    }

    fn can_continue(&self, item: Option<ItemId>) -> Result<Verdict, CallbackError> {
        self.verdict(Action::CanContinue { item }, |inner| {
            inner.can_continue(item)
        })
    }

    fn wake_on_cancel(&self, item: Option<ItemId>, waker: &Waker) -> Result<(), CallbackError> {
        self.done(Action::WakeOnCancel { item }, |inner| {
            inner.wake_on_cancel(item, waker)
        })
    }

    fn add_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let action = Action::AddItem {
            item: Listed::from(&item),
        };
        self.done(action, |inner| inner.add_item(item))
    }

    fn propose_item(&self, item: SyncItem) -> Result<(), CallbackError> {
        let action = Action::ProposeItem {
            item: Listed::from(&item),
        };
        self.done(action, |inner| inner.propose_item(item))
    }

    fn commit_item(&self, item: ItemId) -> Result<(), CallbackError> {
        self.done(Action::CommitItem { item }, |inner| inner.commit_item(item))
    }

    fn additional_items(&self) -> Result<Vec<ItemId>, CallbackError> {
        self.plain(
            Action::AdditionalItems,
            |inner| inner.additional_items(),
            |items| Answer::Items(items.clone()),
        )
    }

    fn set_handler_text(&self, text: &str) -> Result<Verdict, CallbackError> {
        let action = Action::HandlerText {
            text: text.to_owned(),
        };
        self.verdict(action, |inner| inner.set_handler_text(text))
    }
}

/// A handler whose calls are written down.
pub(super) struct RecordedHandler {
    recorder: Recorder,
    inner: Arc<dyn SyncHandler>,
}

impl RecordedHandler {
    pub(super) fn wrap(recorder: Recorder, inner: Arc<dyn SyncHandler>) -> Arc<dyn SyncHandler> {
        Arc::new(Self { recorder, inner })
    }

    fn call<T>(
        &self,
        action: Action,
        forward: impl FnOnce(&Arc<dyn SyncHandler>) -> Result<T, HandlerError>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Result<T, HandlerError> {
        let begun = self.recorder.begin(action, None);
        // The host's own call: there is nothing to refuse.
        let _ = self.recorder.intercept(&begun);
        // What an error says is the handler's code too.
        let called = catch_unwind(AssertUnwindSafe(|| {
            let result = forward(&self.inner);
            let answer = Answer::of_handler(&result, answer);
            (result, answer)
        }));
        match called {
            Ok((result, answer)) => {
                self.recorder.end(begun.at, answer);
                result
            }
            Err(payload) => {
                let text = panic_text(&*payload);
                self.recorder.end(begun.at, Answer::Panicked(text));
                resume_unwind(payload)
            }
        }
    }
}

impl Drop for RecordedHandler {
    fn drop(&mut self) {
        self.recorder.note(Action::HandlerDropped);
    }
}

impl SyncHandler for RecordedHandler {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        let action = Action::Initialize {
            flags,
            cookie: cookie.map(<[u8]>::to_vec),
        };
        self.call(
            action,
            |inner| inner.initialize(flags, cookie),
            |answer| Answer::Participation(*answer),
        )
    }

    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.call(Action::Info, |inner| inner.info(), |info| info.into())
    }

    fn items(&self) -> Result<ItemList, HandlerError> {
        self.call(Action::Items, |inner| inner.items(), |list| list.into())
    }

    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        let recorder = &self.recorder;
        if let Some(replaced) = callback.clone().filter(|_| recorder.take_replacement()) {
            // The answer to the callback that stays is the one that counts.
            let _ = self.set_progress_callback(Some(replaced));
        }
        let wrapped = callback.map(|inner| {
            let number = recorder.next_callback();
            let wrapped = RecordedCallback::wrap(recorder.clone(), number, inner);
            (number, wrapped)
        });
        let action = Action::SetProgressCallback {
            set: wrapped.as_ref().map(|(number, _)| *number),
        };
        self.call(
            action,
            |inner| inner.set_progress_callback(wrapped.map(|(_, wrapped)| wrapped)),
            |()| Answer::Done,
        )
    }

    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        let action = Action::PrepareForSync {
            items: items.to_vec(),
        };
        self.call(
            action,
            |inner| Arc::clone(inner).prepare_for_sync(items),
            |answer| Answer::Prepared(*answer),
        )
    }

    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        self.call(
            Action::Synchronize,
            |inner| Arc::clone(inner).synchronize(),
            |()| Answer::Done,
        )
    }

    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        self.call(
            Action::SetItemStatus { item, status },
            |inner| inner.set_item_status(item, status),
            |()| Answer::Done,
        )
    }

    fn item_object(
        &self,
        item: ItemId,
        interface: Uuid,
    ) -> Result<Box<dyn Any + Send>, HandlerError> {
        self.call(
            Action::ItemObject { item, interface },
            |inner| inner.item_object(item, interface),
            |_| Answer::Object,
        )
    }

    fn show_properties(self: Arc<Self>, target: Option<ItemId>) -> Result<(), HandlerError> {
        self.call(
            Action::ShowProperties { target },
            |inner| Arc::clone(inner).show_properties(target),
            |()| Answer::Done,
        )
    }

    fn show_error(self: Arc<Self>, error: ErrorId) -> Result<(), HandlerError> {
        self.call(
            Action::ShowError { error },
            |inner| Arc::clone(inner).show_error(error),
            |()| Answer::Done,
        )
    }
}

/// A connector whose connections are written down.
pub(super) struct RecordedConnector {
    recorder: Recorder,
    inner: Box<dyn Connector>,
}

impl RecordedConnector {
    pub(super) fn wrap(recorder: Recorder, inner: Box<dyn Connector>) -> Self {
        Self { recorder, inner }
    }
}

impl Connector for RecordedConnector {
    fn open(&self, connection: Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError> {
        let opened = self.inner.open(connection)?;
        let name = connection.map(str::to_owned);
        self.recorder
            .note(Action::ConnectionOpened { name: name.clone() });
        Ok(Box::new(RecordedConnection {
            inner: Some(opened),
            recorder: self.recorder.clone(),
            name,
        }))
    }
}

/// An open connection.
struct RecordedConnection {
    inner: Option<Box<dyn Any + Send>>,
    recorder: Recorder,
    name: Option<String>,
}

impl Drop for RecordedConnection {
    fn drop(&mut self) {
        drop(self.inner.take());
        let name = self.name.take();
        self.recorder.note(Action::ConnectionClosed { name });
    }
}
