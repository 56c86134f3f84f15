//! A callback that forwards every call and gives no slot: a reporter on it goes by calls.

use std::sync::Arc;
use std::task::Waker;

use syncmgr::{
    CallbackError, Dialog, ErrorOutcome, HResult, ItemId, LogRecord, LogSelector, ProgressUpdate,
    PropertiesOutcome, SyncCallback, SyncItem, Verdict,
};

pub struct Wrapper(pub Arc<dyn SyncCallback>);

/// Forwards each method to the callback that is wrapped.
macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl SyncCallback for Wrapper {
            $(fn $method(&self, $($argument: $type),*) -> Result<$answer, CallbackError> {
                self.0.$method($($argument),*)
            })+
        }
    };
}

forward! {
    progress(item: ItemId, update: &ProgressUpdate<'_>) -> Verdict;
    log_error(record: &LogRecord<'_>) -> ();
    delete_log_error(which: LogSelector) -> ();
    prepare_for_sync_completed(result: HResult) -> ();
    synchronize_completed(result: HResult) -> ();
    show_error_completed(outcome: ErrorOutcome<'_>) -> ();
    show_properties_completed(outcome: PropertiesOutcome) -> ();
    enable_modeless(enable: bool) -> Dialog;
    establish_connection(connection: Option<&str>) -> ();
    can_continue(item: Option<ItemId>) -> Verdict;
    wake_on_cancel(item: Option<ItemId>, waker: &Waker) -> ();
    add_item(item: SyncItem) -> ();
    propose_item(item: SyncItem) -> ();
    commit_item(item: ItemId) -> ();
    additional_items() -> Vec<ItemId>;
    set_handler_text(text: &str) -> Verdict;
}
