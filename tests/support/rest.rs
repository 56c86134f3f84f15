//! What a callback of a test's own passes on as it is.

/// Every required method of `SyncCallback` but `progress`, passed on to this field.
#[macro_export]
macro_rules! forward_the_rest {
    ($inner:ident) => {
        fn log_error(&self, record: &syncmgr::LogRecord<'_>) -> Result<(), syncmgr::CallbackError> {
            self.$inner.log_error(record)
        }
        fn delete_log_error(
            &self,
            which: syncmgr::LogSelector,
        ) -> Result<(), syncmgr::CallbackError> {
            self.$inner.delete_log_error(which)
        }
        fn prepare_for_sync_completed(
            &self,
            result: syncmgr::HResult,
        ) -> Result<(), syncmgr::CallbackError> {
            self.$inner.prepare_for_sync_completed(result)
        }
        fn synchronize_completed(
            &self,
            result: syncmgr::HResult,
        ) -> Result<(), syncmgr::CallbackError> {
            self.$inner.synchronize_completed(result)
        }
        fn show_error_completed(
            &self,
            outcome: syncmgr::ErrorOutcome<'_>,
        ) -> Result<(), syncmgr::CallbackError> {
            self.$inner.show_error_completed(outcome)
        }
        fn show_properties_completed(
            &self,
            outcome: syncmgr::PropertiesOutcome,
        ) -> Result<(), syncmgr::CallbackError> {
            self.$inner.show_properties_completed(outcome)
        }
        fn enable_modeless(&self, enable: bool) -> Result<syncmgr::Dialog, syncmgr::CallbackError> {
            self.$inner.enable_modeless(enable)
        }
        fn establish_connection(
            &self,
            connection: Option<&str>,
        ) -> Result<(), syncmgr::CallbackError> {
            self.$inner.establish_connection(connection)
        }
    };
}
