//! Predicates of the harness: each acts once, and is called with no lock held.

use std::sync::{Arc, Barrier, Mutex};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Call, Harness, Trace};
use syncmgr::{ItemId, ItemStatus, SyncCallback, Verdict};

use ItemStatus::{Succeeded, Updating};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);

/// Two items, each on a thread of its own.
fn concurrent() -> Script {
    let worker = |item| {
        Step::spawn([
            Step::report(item).status(Updating),
            Step::report(item).value(1),
            Step::report(item).status(Succeeded),
        ])
    };
    Script::new()
        .item(PHOTOS, "photos")
        .item(MAIL, "mail")
        .synchronize([worker(PHOTOS), worker(MAIL)])
}

fn is_part(call: &Call) -> bool {
    call.action.update().value == Some(1)
}

fn count(trace: &Trace, wanted: impl Fn(&Action) -> bool) -> usize {
    let calls = trace.calls().iter();
    calls.filter(|call| wanted(&call.action)).count()
}

#[test]
fn a_predicate_that_holds_on_two_threads_at_the_same_time_cancels_once() {
    // Each worker is inside the predicate when the other one returns from it.
    let both = Barrier::new(2);
    let trace = Harness::new(concurrent().handler())
        .cancel_item_when(move |call| {
            if is_part(call) {
                both.wait();
            }
            is_part(call)
        })
        .run();
    trace.assert_conformant();
    let cancels = count(&trace, |action| matches!(action, Action::CancelItem { .. }));
    assert_eq!(cancels, 1, "{trace}");

    let both = Barrier::new(2);
    let trace = Harness::new(concurrent().handler())
        .cancel_all_when(move |call| {
            if is_part(call) {
                both.wait();
            }
            is_part(call)
        })
        .run();
    trace.assert_conformant();
    let cancels = count(&trace, |action| *action == Action::CancelAll);
    assert_eq!(cancels, 1, "{trace}");
}

#[test]
fn a_predicate_may_call_the_callback_itself() {
    let given: Arc<Mutex<Option<Arc<dyn SyncCallback>>>> = Arc::default();
    let kept = Arc::clone(&given);
    let script = Script::new().item(PHOTOS, "photos").inline().synchronize([
        Step::call(move |callback| *kept.lock().unwrap() = Some(Arc::clone(callback))),
        Step::report(PHOTOS).status(Updating),
        Step::report(PHOTOS).status(Succeeded),
    ]);
    let trace = Harness::new(script.handler())
        .cancel_all_when(move |call| {
            let callback = given.lock().unwrap().clone();
            if let Some(callback) = callback {
                assert_eq!(callback.can_continue(None), Ok(Verdict::Continue));
            }
            if matches!(call.action, Action::SynchronizeCompleted { .. }) {
                given.lock().unwrap().take();
            }
            false
        })
        .run();
    trace.assert_conformant();
    // Once for each call after the first step, and not for its own.
    let asked = count(&trace, |action| {
        matches!(action, Action::CanContinue { item: None })
    });
    assert_eq!(asked, 3, "{trace}");
}

#[test]
fn a_call_that_is_no_report_does_not_use_up_the_cancellation_of_an_item() {
    // The first call is the completion of the prepare.
    let trace = Harness::new(concurrent().handler())
        .cancel_item_when(|_| true)
        .run();
    trace.assert_conformant();
    let cancels = count(&trace, |action| matches!(action, Action::CancelItem { .. }));
    assert_eq!(cancels, 1, "{trace}");
    assert_eq!(trace.unmet_conditions(), [] as [String; 0]);
}
