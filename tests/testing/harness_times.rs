//! What the harness promises about times, about the moments of what it does, and how the parts of the kit are printed.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Call, Harness, Incident, Intervention, Recorder, Trace};
use syncmgr::{
    HResult, ItemId, ItemName, ItemStatus, Phase, ProgressUpdate, SyncCallback, SyncItem, Verdict,
};

use ItemStatus::{Skipped, Succeeded, Updating};

const PHOTOS: ItemId = ItemId::from_u128(1);
const MAIL: ItemId = ItemId::from_u128(2);

/// Two items of two reports each, on the host's thread.
fn script() -> Script {
    let steps = [PHOTOS, MAIL].into_iter().flat_map(|item| {
        [
            Step::report(item).status(Updating),
            Step::report(item).status(Succeeded),
        ]
    });
    Script::new()
        .item(PHOTOS, "photos")
        .item(MAIL, "mail")
        .inline()
        .synchronize(steps)
}

/// The call of which this holds, of which there has to be just one.
#[track_caller]
fn one(trace: &Trace, holds: impl Fn(&Action) -> bool) -> &Call {
    let found: Vec<&Call> = trace
        .calls()
        .iter()
        .filter(|call| holds(&call.action))
        .collect();
    assert_eq!(found.len(), 1, "{trace}");
    found[0]
}

/// Passes the time, without a sign of life.
fn be_silent(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::thread::yield_now();
    }
}

#[test]
fn the_longest_deadline_and_the_longest_time_to_listen_are_no_fault() {
    let silent = Step::run(|| be_silent(Duration::from_millis(20)));
    let mut kept = Vec::new();
    for time in [Duration::MAX, Duration::MAX / 2] {
        let script = script().synchronize([
            Step::report(PHOTOS).status(Updating),
            silent.clone(),
            Step::report(PHOTOS).status(Succeeded),
        ]);
        let trace = Harness::new(script.handler())
            .deadline(time)
            .linger(time)
            .run();
        trace.assert_conformant();
        let gave_up = trace.calls().iter();
        assert_eq!(
            gave_up.filter(|call| call.action == Action::GaveUp).count(),
            0
        );
        kept.push(trace.calls().len());
    }
    assert_eq!(kept[0], kept[1]);
}

#[test]
fn what_is_due_in_synchronize_is_done_when_it_is_called() {
    let trace = Harness::new(script().handler())
        .intervene(Intervention::SkipInSynchronize(MAIL.into()))
        .run();
    trace.assert_conformant();
    let skip = one(&trace, |action| matches!(action, Action::SkipItem { .. }));
    let synchronize = one(&trace, |action| *action == Action::Synchronize);
    assert_eq!(skip.phase, Phase::Synchronizing);
    assert_eq!(skip.begun, synchronize.begun + 1, "{trace}");
    assert_eq!(trace.unmet_conditions(), [] as [String; 0]);
}

#[test]
fn what_is_due_before_the_prepare_is_done_before_the_callback_is_set() {
    let trace = Harness::new(script().handler()).skip("mail").run();
    trace.assert_conformant();
    let skip = one(&trace, |action| matches!(action, Action::SkipItem { .. }));
    assert_eq!(skip.phase, Phase::Idle);
    assert_eq!(skip.callback, None);
}

/// Whether this comes out in one of a few runs. A worker is held for a quarter of a second at most, which a machine that has
/// much to do may let pass.
fn in_one_run_of_five(comes_out: impl Fn() -> bool) -> bool {
    (0..5).any(|_| comes_out())
}

/// What a step does that gives a call on another thread the time to come back, if nobody holds it.
fn wait_for(came_back: mpsc::Receiver<()>) -> Step {
    let came_back = Mutex::new(came_back);
    Step::run(move || {
        let came_back = came_back.lock().unwrap();
        let _held = came_back.recv_timeout(Duration::from_millis(10));
    })
}

/// Both items end as skipped.
fn end_both(callback: &dyn SyncCallback) {
    for item in [PHOTOS, MAIL] {
        let _told = callback.progress(item, &ProgressUpdate::new().status(Skipped));
    }
    let _taken = callback.synchronize_completed(HResult::S_OK);
}

#[test]
fn the_completion_of_the_prepare_is_held_until_the_handler_was_told_of_the_skip() {
    let is_held = || {
        let (sender, came_back) = mpsc::channel();
        let script = script().ignore_verdicts().without_completions().prepare([
            Step::call(move |callback| {
                let (callback, sender) = (Arc::clone(callback), sender.clone());
                std::thread::spawn(move || {
                    let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
                    let _heard = sender.send(());
                });
            }),
            wait_for(came_back),
        ]);
        let end = Step::call(|callback| end_both(&**callback));
        let trace = Harness::new(script.synchronize([end]).handler())
            .skip("mail")
            .run();
        trace.assert_conformant();
        let told = one(&trace, |action| {
            matches!(action, Action::SetItemStatus { .. })
        });
        let completed = one(&trace, |action| {
            matches!(action, Action::PrepareForSyncCompleted { .. })
        });
        told.phase == Phase::Preparing && told.ended < completed.ended
    };
    assert!(in_one_run_of_five(is_held));
}

#[test]
fn a_worker_is_held_at_its_first_report_until_the_handler_was_told_of_the_skip() {
    let is_held = || {
        let (sender, came_back) = mpsc::channel();
        let script = script()
            .ignore_verdicts()
            .without_completions()
            .synchronize([
                Step::call(move |callback| {
                    let (callback, sender) = (Arc::clone(callback), sender.clone());
                    std::thread::spawn(move || {
                        let _told = callback.can_continue(Some(MAIL));
                        let _heard = sender.send(());
                        end_both(&*callback);
                    });
                }),
                wait_for(came_back),
            ]);
        // There is no window for the skip here.
        let script = script.prepare([Step::complete_prepare(HResult::S_OK)]);
        let trace = Harness::new(script.handler()).skip("mail").run();
        trace.assert_conformant();
        let told = one(&trace, |action| {
            matches!(action, Action::SetItemStatus { .. })
        });
        let asked = one(&trace, |action| {
            matches!(action, Action::CanContinue { .. })
        });
        assert_eq!(asked.answer.verdict(), Some(Verdict::CancelItem));
        told.ended < asked.ended
    };
    assert!(in_one_run_of_five(is_held));
}

#[test]
fn a_worker_that_the_harness_holds_does_not_count_as_silent() {
    let is_clean = || {
        // The worker is joined before `synchronize` returns, so the handler cannot be notified while it is held.
        let joins = Step::call(|callback| {
            let callback = Arc::clone(callback);
            let worker = std::thread::spawn(move || end_both(&*callback));
            worker.join().unwrap();
        });
        let script = script()
            .ignore_verdicts()
            .without_completions()
            .synchronize([joins]);
        // There is no window for the skip here.
        let script = script.prepare([Step::complete_prepare(HResult::S_OK)]);
        let trace = Harness::new(script.handler())
            .skip("mail")
            .deadline(Duration::from_millis(150))
            .run();
        trace.is_conformant()
    };
    assert!(in_one_run_of_five(is_clean));
}

/// Sends when it is woken.
struct Woken(mpsc::Sender<()>);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        let _heard = self.0.send(());
    }
}

#[test]
fn a_worker_is_not_held_once_the_host_has_given_up() {
    let is_seen = || {
        let (open, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let hangs = Step::call(move |callback| {
            let callback = Arc::clone(callback);
            std::thread::spawn(move || {
                let (sender, woken) = mpsc::channel();
                let waker = Arc::new(Woken(sender)).into();
                let _registered = callback.wake_on_cancel(None, &waker);
                // By the release of the session.
                let _released = woken.recv();
                for _ in 0..2 {
                    let _refused = callback.can_continue(Some(MAIL));
                }
            });
            // Until the test is over.
            let _closed = gate.lock().unwrap().recv();
        });
        let script = script()
            .ignore_verdicts()
            .without_completions()
            .synchronize([hangs]);
        let script = script.prepare([Step::complete_prepare(HResult::S_OK)]);
        let trace = Harness::new(script.handler())
            .skip("mail")
            .deadline(Duration::from_millis(50))
            .run();
        drop(open);
        let calls = trace.calls().iter();
        let late = calls.filter(|call| matches!(call.action, Action::CanContinue { .. }));
        late.count() == 2
    };
    assert!(in_one_run_of_five(is_seen));
}

#[test]
fn a_call_that_does_not_return_is_left_behind_after_a_second_wait() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let script = script().synchronize([Step::run(move || {
        // Until the test is over.
        let _closed = gate.lock().unwrap().recv();
    })]);
    let begun = Instant::now();
    let trace = Harness::new(script.handler())
        .deadline(Duration::from_millis(150))
        .linger(Duration::ZERO)
        .run();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let synchronize = one(&trace, |action| *action == Action::Synchronize);
    assert!(!synchronize.has_returned());
    let _gave_up_once = one(&trace, |action| *action == Action::GaveUp);
    let [Incident::DidNotReturn { at }] = trace.incidents() else {
        panic!("{trace}");
    };
    assert_eq!(trace.calls()[*at].action, Action::Synchronize);
    drop(open);
}

#[test]
fn a_trace_tells_whether_the_callback_was_released_on_purpose() {
    let trace = Harness::new(script().handler())
        .intervene(Intervention::Release {
            item: "photos".into(),
            report: 1,
        })
        .run();
    trace.assert_conformant();
    assert!(trace.was_released());
    let trace = Harness::new(script().handler()).run();
    assert!(!trace.was_released());
}

#[test]
fn the_parts_of_the_kit_are_printed_for_debugging() {
    let harness = Harness::new(script().handler()).select([PHOTOS]);
    let text = format!("{:?}", harness.cancel_all_at(3));
    assert!(text.starts_with("Harness { flags: "), "{text}");
    assert!(text.contains("everything cancelled at report 3"), "{text}");

    let recorder = Recorder::new();
    assert_eq!(format!("{recorder:?}"), "Recorder { calls: 0, .. }");
    let _info = recorder.handler(script().handler()).info();
    // The call, and that the handler was let go.
    assert_eq!(format!("{recorder:?}"), "Recorder { calls: 2, .. }");
    assert_eq!(
        format!("{:?}", recorder.trace()),
        "Trace { calls: 2, violations: [], incidents: [], .. }"
    );
}

#[test]
fn steps_are_printed_by_what_they_do() {
    let item = SyncItem::new(MAIL, ItemName::truncate_start("mail"));
    let printed = |step: Step| format!("{step:?}");
    let report = printed(Step::report(PHOTOS).value(7));
    assert!(
        report.starts_with("Report { item: ") && report.contains("value: Some(7)"),
        "{report}"
    );
    assert_eq!(
        printed(Step::complete_prepare(HResult::S_OK)),
        format!("CompletePrepare({:?})", HResult::S_OK)
    );
    assert_eq!(
        printed(Step::complete_synchronize(HResult::S_OK)),
        format!("CompleteSynchronize({:?})", HResult::S_OK)
    );
    assert_eq!(
        printed(Step::add_item(item.clone())),
        format!("AddItem({item:?})")
    );
    assert_eq!(
        printed(Step::work(PHOTOS, || {})),
        format!("Work({PHOTOS:?})")
    );
    for (step, name) in [
        (Step::call(|_| {}), "call"),
        (Step::run(|| {}), "run"),
        (Step::dialog(), "dialog"),
        (Step::enable_modeless(true), "enable_modeless"),
        (Step::connect(None), "establish_connection"),
        (Step::can_continue(), "can_continue"),
    ] {
        assert_eq!(printed(step), name);
    }
    assert_eq!(printed(Step::spawn([Step::dialog()])), "Spawn([dialog])");
}

#[test]
fn an_item_that_is_selected_and_not_there_is_told() {
    let script = Script::new().item(ItemId::from_u128(1), "a");
    let trace = Harness::new(script.handler())
        .select([ItemId::from_u128(7)])
        .run();
    assert_eq!(
        trace.unmet_conditions(),
        ["the item 00000000-0000-0000-0000-000000000007 selected"],
        "{trace}"
    );
    let trace = Harness::new(script.handler())
        .select([ItemId::from_u128(1)])
        .run();
    assert_eq!(trace.unmet_conditions(), [] as [String; 0], "{trace}");
}
