//! The manager whose run is told.

use std::sync::Arc;

use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::telemetry::Telemetry;
use syncmgr::{HandlerId, ItemId, LogLevel, Registration, SyncHandler, SyncItem, SyncManager};
use tracing::Dispatch;

const MAIL: HandlerId = HandlerId::from_u128(1);
const FILES: HandlerId = HandlerId::from_u128(2);

fn item(n: u128, name: &str) -> SyncItem {
    SyncItem::new(ItemId::from_u128(n), name.parse().expect("it is short"))
}

/// Mail has an item that succeeds, and logs; Files has one that fails.
fn manager(telemetry: &Telemetry) -> SyncManager {
    let manager = SyncManager::new();
    let telemetry = telemetry.clone();
    // Workers are not this thread: a program sets its subscriber for all of them, a test for each.
    let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
    let mail = move || -> Arc<dyn SyncHandler> {
        let (telemetry, subscriber) = (telemetry.clone(), subscriber.clone());
        let work = from_items([item(1, "Letters")], move |work| {
            while telemetry.span_in(MAIL, work.item().id).is_disabled() {
                std::thread::yield_now(); // the run is not told yet
            }
            tracing::dispatcher::with_default(&subscriber, || {
                let _in = telemetry.span_in(MAIL, work.item().id).entered();
                tracing::info!(target: "mail", letters = 12, "sent");
            });
            work.max(12)?;
            work.set(12)?;
            work.log(LogLevel::Warning, "one letter is large")?;
            Ok(())
        });
        HandlerBuilder::new("Mail".parse().expect("it is short"), work).build()
    };
    let files = || -> Arc<dyn SyncHandler> {
        let work = from_items([item(2, "Photos")], |_| Err("the disk is full".into()));
        HandlerBuilder::new("Files".parse().expect("it is short"), work).build()
    };
    let registered = manager.register(MAIL, Registration::new(), mail);
    assert_eq!(registered, Ok(()));
    let registered = manager.register(FILES, Registration::new(), files);
    assert_eq!(registered, Ok(()));
    manager
}

/// Runs it all, and tells it.
pub fn run(telemetry: &Telemetry) {
    let manager = manager(telemetry);
    let run = manager.update_all();
    let traced = telemetry.run(&run);
    let report = run.wait();
    assert!(!report.is_success(), "Photos fails");
    traced.finish();
}
