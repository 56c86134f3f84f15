//! The names and signatures that other programs are compiled against: a change here is a breaking one.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use syncmgr::{
    BuildError, CallbackError, Changes, Connector, Cursor, ErrorId, HResult, HandlerId,
    HandlerReport, HostEvent, ItemFlags, ItemId, ItemName, ItemReporter, ItemStatus, ItemView,
    LogEntry, LogLevel, Phase, ProgressUpdate, PropertiesOutcome, RunOptions, Session,
    SessionDriver, SessionSnapshot, SyncCallback, SyncFlags, SyncHandler, SyncItem, Totals, Uuid,
    Verdict, run_handler,
};

type Answer<T> = Result<T, CallbackError>;

#[test]
fn the_session_has_its_methods() {
    let _: fn(&Arc<Session>, ItemId) -> Answer<ItemReporter> = Session::reporter;
    let _: fn(&Session, ItemId) -> Answer<()> = Session::cancel_item;
    let _: fn(&Session, ItemId) -> Answer<()> = Session::skip_item;
    let _: fn(&Session) = Session::cancel_all;
    let _: fn(&Session) -> Phase = Session::phase;
    let _: fn(&Session, ItemId) -> Option<ItemView> = Session::item;
    let _: fn(&Session) -> SessionSnapshot = Session::snapshot;
    let _: fn(&Session) -> Vec<LogEntry> = Session::log;
    let _: fn(&Session, Cursor) -> Changes = Session::changes;
    let _: fn(&Session, Cursor, Duration) -> Changes = Session::wait_for_change;

    let _: fn(&Session) -> SessionDriver<'_> = Session::driver;
    let _: fn(SessionDriver<'static>, &[ItemId]) -> Answer<()> = SessionDriver::begin_prepare;
    let _: fn(SessionDriver<'static>) -> Answer<()> = SessionDriver::begin_synchronize;
    let _: fn(SessionDriver<'static>, Duration) -> Option<HostEvent> = SessionDriver::next_event;
    let _: fn(SessionDriver<'static>) = SessionDriver::release;

    let _: fn(&Changes) -> Cursor = Changes::cursor;
    let _: fn(&Changes) -> Phase = Changes::phase;
    let _: fn(&Changes) -> &[ItemView] = Changes::items;
    let _: fn(&Changes) -> &[LogEntry] = Changes::log;
    let _: fn(&Changes) -> bool = Changes::is_complete;
    let _: fn(&Changes) -> bool = Changes::is_over;
}

#[test]
fn the_builder_takes_what_it_takes() -> Result<(), BuildError> {
    let item = SyncItem::new(ItemId::from_u128(1), ItemName::truncate_start("a"));
    let connector =
        |_: Option<&str>| -> Answer<Box<dyn Any + Send>> { Err(CallbackError::NotConnected) };
    let session: Arc<Session> = Session::builder()
        .item(item)
        .items([])
        .driven()
        .connector(connector)
        .dialogs(true)
        .build()?;
    let _: Arc<dyn SyncCallback> = session;
    let _: &dyn Connector = &connector;
    Ok(())
}

#[test]
fn the_reporter_has_its_methods() {
    let _: fn(&Arc<dyn SyncCallback>, ItemId) -> ItemReporter = ItemReporter::new;
    let _: fn(&ItemReporter, u64) -> Answer<Verdict> = ItemReporter::set;
    let _: fn(&ItemReporter, u64) -> Answer<Verdict> = ItemReporter::advance;
    let _: fn(&ItemReporter) -> Answer<Verdict> = ItemReporter::check;
    let _: fn(&ItemReporter, &ProgressUpdate<'_>) -> Answer<Verdict> = ItemReporter::report;
    let _: fn(&ItemReporter) -> ItemId = ItemReporter::item;
    let _: fn(ItemReporter) -> Answer<()> = ItemReporter::succeed;
    let _: fn(ItemReporter, &dyn Error) -> Answer<()> = ItemReporter::fail;
    let _: fn(ItemReporter) -> Answer<()> = ItemReporter::skip;
    let _: fn(ItemReporter) -> Answer<()> = ItemReporter::stop;
}

#[test]
fn the_driver_has_its_options() {
    let connector =
        |_: Option<&str>| -> Answer<Box<dyn Any + Send>> { Err(CallbackError::NotConnected) };
    let _: RunOptions = RunOptions::new()
        .on_session(|_: Arc<Session>| {})
        .select([ItemId::NIL])
        .flags(SyncFlags::MAY_BOTHER_USER)
        .connector(connector)
        .dialogs(false)
        .deadline(Duration::from_secs(1))
        .show_error_if(|entry: &LogEntry| entry.level == LogLevel::Error)
        .max_retries(1);
    let _: fn(Arc<dyn SyncHandler>, RunOptions) -> HandlerReport = run_handler;
}

/// What users read has these fields.
#[test]
fn plain_data_has_its_fields() {
    fn _report(report: &HandlerReport) -> bool {
        let _: HResult = report.result;
        let _: Phase = report.phase;
        let _: &Option<Arc<Session>> = &report.session;
        let _: &Vec<ItemId> = &report.unfinished;
        let _: (u32, u32) = (report.rounds, report.abandoned_threads);
        report.is_success()
    }
    fn _view(view: &ItemView) -> Option<f64> {
        let _: (ItemId, &ItemName, ItemStatus) = (view.id, &view.name, view.status);
        let _: (u64, u64, &String, Verdict) = (view.value, view.max, &view.text, view.verdict);
        view.fraction()
    }
    fn _snapshot(snapshot: &SessionSnapshot) {
        let _: &Vec<ItemView> = &snapshot.items;
        let _: (Phase, Cursor) = (snapshot.phase, snapshot.cursor);
        let Totals {
            value: _,
            max: _,
            items: _,
            finished: _,
            ..
        } = snapshot.totals;
    }
    fn _entry(entry: &LogEntry) {
        let _: std::time::SystemTime = entry.time;
        let _: (u64, Option<HandlerId>, LogLevel) = (entry.sequence, entry.handler, entry.level);
        let _: (&String, Option<ItemId>, Option<ErrorId>) =
            (&entry.text, entry.item, entry.error_id);
        let _: syncmgr::ErrorFlags = entry.flags;
    }
    fn _event(event: HostEvent) {
        match event {
            HostEvent::PrepareCompleted(code) | HostEvent::SynchronizeCompleted(code) => {
                let _: HResult = code;
            }
            HostEvent::ShowErrorCompleted(code, items) => {
                let _: (HResult, Vec<ItemId>) = (code, items);
            }
            HostEvent::ShowPropertiesCompleted(outcome) => {
                let _: PropertiesOutcome = outcome;
            }
            HostEvent::Skip(item) => {
                let _: ItemId = item;
            }
            _ => {}
        }
    }
    let item = SyncItem::new(ItemId::NIL, ItemName::truncate_start("a"));
    assert!(item.checked && item.last_update.is_none());
    assert_eq!(item.flags, ItemFlags::empty());
    let _: Uuid = item.id.as_uuid();
}
