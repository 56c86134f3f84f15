//! The two traits: object safe, shared between threads, and honest where nothing is implemented.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use syncmgr::{
    CallbackError, Dialog, ErrorId, ErrorOutcome, HResult, HandlerError, HandlerInfo, ItemId,
    ItemList, ItemName, ItemStatus, LogRecord, LogSelector, Participation, Prepared,
    ProgressUpdate, PropertiesOutcome, SyncCallback, SyncFlags, SyncHandler, SyncItem, Uuid,
    ValueError, Verdict,
};

/// A host with the required methods alone; it keeps the items that it was asked about.
#[derive(Default)]
struct Host {
    asked: Mutex<Vec<(ItemId, bool)>>,
}

impl SyncCallback for Host {
    fn progress(
        &self,
        item: ItemId,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        self.asked
            .lock()
            .unwrap()
            .push((item, *update == ProgressUpdate::CHECK));
        match item.as_u128() {
            1 => Ok(Verdict::CancelItem),
            _ => Err(CallbackError::UnknownItem),
        }
    }
    fn log_error(&self, _: &LogRecord<'_>) -> Result<(), CallbackError> {
        Ok(())
    }
    fn delete_log_error(&self, _: LogSelector) -> Result<(), CallbackError> {
        Ok(())
    }
    fn prepare_for_sync_completed(&self, _: HResult) -> Result<(), CallbackError> {
        Ok(())
    }
    fn synchronize_completed(&self, _: HResult) -> Result<(), CallbackError> {
        Ok(())
    }
    fn show_error_completed(&self, _: ErrorOutcome<'_>) -> Result<(), CallbackError> {
        Ok(())
    }
    fn show_properties_completed(&self, _: PropertiesOutcome) -> Result<(), CallbackError> {
        Ok(())
    }
    fn enable_modeless(&self, _: bool) -> Result<Dialog, CallbackError> {
        Ok(Dialog::Denied)
    }
    fn establish_connection(&self, _: Option<&str>) -> Result<(), CallbackError> {
        Err(CallbackError::NotConnected)
    }
}

/// A handler with the required methods alone.
struct Handler;

impl SyncHandler for Handler {
    fn initialize(&self, _: SyncFlags, _: Option<&[u8]>) -> Result<Participation, HandlerError> {
        Ok(Participation::Declines)
    }
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new(
            "a name of more than thirty-one units".parse()?,
        ))
    }
    fn items(&self) -> Result<ItemList, HandlerError> {
        Err(std::fs::read("").map(drop).unwrap_err().into())
    }
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        callback
            .ok_or(HResult::E_ABORT)?
            .synchronize_completed(HResult::S_OK)?;
        Ok(())
    }
    fn prepare_for_sync(self: Arc<Self>, _: &[ItemId]) -> Result<Prepared, HandlerError> {
        Ok(Prepared::NeedsUser)
    }
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        Ok(())
    }
    fn set_item_status(&self, _: ItemId, _: ItemStatus) -> Result<(), HandlerError> {
        Err(HandlerError::InvalidArgument)
    }
}

#[test]
fn a_host_that_implements_the_nine_never_guesses_the_rest() {
    let host = Host::default();
    let callback: &dyn SyncCallback = &host;
    let item = ItemId::from_u128(1);
    let new = SyncItem::new(item, ItemName::truncate_start("new"));
    let unknown = Err(CallbackError::NotImplemented);
    assert_eq!(callback.wake_on_cancel(Some(item), Waker::noop()), unknown);
    assert_eq!(callback.wake_on_cancel(None, Waker::noop()), unknown);
    assert_eq!(callback.add_item(new.clone()), unknown);
    assert_eq!(callback.propose_item(new), unknown);
    assert_eq!(callback.commit_item(item), unknown);
    assert_eq!(
        callback.additional_items(),
        Err(CallbackError::NotImplemented)
    );
    assert_eq!(
        callback.set_handler_text("text"),
        Err(CallbackError::NotImplemented)
    );
    assert_eq!(
        callback.can_continue(None),
        Err(CallbackError::NotImplemented)
    );
    assert!(callback.slot(item).is_none());
    assert_eq!(*host.asked.lock().unwrap(), [], "none of them reports");
}

#[test]
fn asking_about_an_item_is_an_empty_report() {
    let host = Host::default();
    let (known, unknown) = (ItemId::from_u128(1), ItemId::from_u128(2));
    assert_eq!(host.can_continue(Some(known)), Ok(Verdict::CancelItem));
    assert_eq!(
        host.can_continue(Some(unknown)),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(
        *host.asked.lock().unwrap(),
        [(known, true), (unknown, true)]
    );
}

#[test]
fn a_handler_that_implements_the_seven_answers_not_implemented_to_the_rest() {
    let handler: Arc<dyn SyncHandler> = Arc::new(Handler);
    let item = ItemId::from_u128(1);
    let object = handler.item_object(item, Uuid::nil()).map(|_| ());
    for answer in [
        object,
        Arc::clone(&handler).show_properties(Some(item)),
        Arc::clone(&handler).show_properties(None),
        Arc::clone(&handler).show_error(ErrorId::from_u128(1)),
    ] {
        let error = answer.unwrap_err();
        assert!(matches!(error, HandlerError::NotImplemented));
        assert_eq!(error.hresult(), HResult::E_NOTIMPL);
    }
}

#[test]
fn question_marks_make_handler_errors() {
    let handler: Arc<dyn SyncHandler> = Arc::new(Handler);
    let name = "a name of more than thirty-one units";
    let too_long: Result<syncmgr::HandlerName, ValueError> = name.parse();
    let info = handler.info();
    assert!(matches!(info, Err(HandlerError::Value(error)) if Err(&error) == too_long.as_ref()));
    assert!(matches!(handler.items(), Err(HandlerError::Failed(_))));
    let no_callback = handler.set_progress_callback(None).unwrap_err();
    assert_eq!(no_callback.hresult(), HResult::E_ABORT);
    assert!(
        handler
            .set_progress_callback(Some(Arc::new(Host::default())))
            .is_ok()
    );
    assert!(handler.initialize(SyncFlags::default(), None).is_ok());
    assert!(Arc::clone(&handler).prepare_for_sync(&[]).is_ok());
    assert!(Arc::clone(&handler).synchronize().is_ok());
    assert!(
        handler
            .set_item_status(ItemId::NIL, ItemStatus::Skipped)
            .is_err()
    );
}

#[test]
fn what_a_host_keeps_in_numbers_stays_small() {
    assert_eq!(size_of::<ItemId>(), 16);
    assert_eq!(size_of::<Option<ItemStatus>>(), 2);
    assert_eq!(size_of::<ItemName>(), 2 * size_of::<usize>());
    assert!(size_of::<CallbackError>() <= 8);
    assert!(size_of::<Result<Verdict, CallbackError>>() <= 8);
}
