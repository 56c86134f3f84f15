//! Items that come while the handler runs, as the harness asks for them and as the trace shows them.

use std::sync::{Arc, Mutex};

use support::{id, item};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Harness};
use syncmgr::{CallbackError, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate, SyncItem};

#[test]
fn a_handler_learns_of_the_items_that_the_harness_asks_for() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let script = Script::new().item(id(1), "one").synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::call(move |callback| {
            for wanted in callback.additional_items().unwrap_or_default() {
                seen.lock().unwrap().push(wanted);
                let _ = callback.add_item(SyncItem::new(wanted, item(2).name));
                for status in [ItemStatus::Updating, ItemStatus::Succeeded] {
                    let _ = callback.progress(wanted, &ProgressUpdate::new().status(status));
                }
            }
        }),
        Step::report(id(1)).status(ItemStatus::Succeeded),
    ]);
    let harness = Harness::new(script.handler());
    let trace = harness.request_items([id(2), ItemId::NIL]).run();
    trace.assert_conformant();
    assert_eq!(*asked.lock().unwrap(), [id(2)]);
    assert_eq!(trace.status(id(2)), Some(ItemStatus::Succeeded));
}

#[test]
fn a_proposed_item_is_committed_and_the_timeline_tells_both() {
    let script = Script::new().item(id(1), "one").synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::call(|callback| {
            assert_eq!(callback.propose_item(item(2)), Ok(()));
            assert_eq!(callback.commit_item(id(2)), Ok(()));
            let again = callback.commit_item(id(2));
            assert_eq!(again, Err(CallbackError::InvalidArgument));
        }),
        Step::report(id(1)).status(ItemStatus::Succeeded),
    ]);
    let trace = Harness::new(script.handler()).run();
    trace.assert_conformant();
    let committed = trace
        .calls()
        .iter()
        .filter(|call| matches!(call.action, Action::CommitItem { item } if item == id(2)));
    let answers: Vec<&Answer> = committed.map(|call| &call.answer).collect();
    let refused = Answer::Refused(CallbackError::InvalidArgument);
    assert_eq!(answers, [&Answer::Done, &refused], "{trace}");
}

#[test]
fn the_timeline_tells_the_details_of_a_log_entry() {
    let record = LogRecord::new(LogLevel::Warning, "both are kept")
        .name("Conflict")
        .link("file:///other")
        .link_text("the other one")
        .context("row 7");
    let script = Script::new().item(id(1), "one").synchronize([
        Step::report(id(1)).status(ItemStatus::Updating),
        Step::log(&record),
        Step::report(id(1)).status(ItemStatus::Succeeded),
    ]);
    let trace = Harness::new(script.handler()).run();
    let told = "log_error(warning, \"both are kept\", name \"Conflict\", link \"file:///other\", \
                link text \"the other one\", context \"row 7\")";
    assert!(trace.to_string().contains(told), "{trace}");
    {
        let read = syncmgr::testing::Trace::from_json_lines(&trace.to_json_lines());
        assert_eq!(read.expect("it was just written").calls(), trace.calls());
    }
}
