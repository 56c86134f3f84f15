//! The recorder knows where the handler's life stands, which thread makes a call and on which callback.

use std::sync::{Arc, Mutex};
use support::between::*;

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Harness, Recorder};
use syncmgr::{ErrorId, HResult, HandlerError, Phase, Prepared};

#[test]
fn a_callback_alone_is_open_and_a_handler_idle() {
    let host = Host {
        seen: Arc::default(),
        fails: false,
    };
    let recorder = Recorder::new();
    let _told = recorder.callback(Arc::new(host)).can_continue(None);
    assert_eq!(recorder.trace().calls()[0].phase, Phase::Open);
    assert_eq!(between().phase(), Phase::Idle);
}

#[test]
fn the_phases_of_a_life_that_goes_well() {
    let between = between();
    between.prepare();
    assert_eq!(between.last().phase, Phase::Preparing);
    assert_eq!(between.phase(), Phase::Preparing);
    between.prepared(HResult::S_OK);
    assert_eq!(between.last().phase, Phase::Preparing);
    assert_eq!(between.phase(), Phase::Prepared);
    between.synchronize();
    assert_eq!(between.last().phase, Phase::Synchronizing);
    assert_eq!(between.phase(), Phase::Synchronizing);
    between.synchronized();
    assert_eq!(between.phase(), Phase::Completed);
    let _shown = Arc::clone(&between.handler).show_error(ErrorId::from_u128(1));
    assert_eq!(between.last().phase, Phase::Completed);
    between.prepare();
    assert_eq!(between.phase(), Phase::Preparing);
    let _taken = between.handler.set_progress_callback(None);
    assert_eq!(between.last().phase, Phase::Preparing);
    assert_eq!(between.phase(), Phase::Released);
}

#[test]
fn a_step_that_fails_is_completed() {
    for answer in [
        Ok(Prepared::NeedsUser),
        Err(HandlerError::Code(HResult::E_FAIL)),
    ] {
        let between = between();
        between.prepares(answer);
        assert_eq!(between.phase(), Phase::Completed);
    }
    let failed = between();
    failed.prepare();
    failed.prepared(HResult::E_FAIL);
    assert_eq!(failed.phase(), Phase::Completed);

    let failed = between();
    failed.prepare();
    failed.prepared(HResult::S_OK);
    *failed.probe.fails.lock().unwrap() = true;
    failed.synchronize();
    assert_eq!(failed.phase(), Phase::Completed);
}

#[test]
fn a_completion_that_is_refused_changes_nothing() {
    let refuses = |between: &Between| {
        between.recorder.callback(Arc::new(Host {
            seen: between.seen.clone(),
            fails: true,
        }))
    };
    let preparing = between();
    preparing.prepare();
    let _refused = refuses(&preparing).prepare_for_sync_completed(HResult::S_OK);
    assert_eq!(preparing.phase(), Phase::Preparing);
    let synchronizing = Between::synchronizing();
    let _refused = refuses(&synchronizing).synchronize_completed(HResult::S_OK);
    assert_eq!(synchronizing.phase(), Phase::Synchronizing);
}

#[test]
fn what_is_completed_inside_its_call_stays_so_when_the_call_fails() {
    // The prepare is completed, and answers that it needs the user.
    let between = between();
    let callback = between.callback.clone();
    between.seen.inside(move || {
        let _taken = callback.prepare_for_sync_completed(HResult::S_OK);
    });
    between.prepares(Ok(Prepared::NeedsUser));
    assert_eq!(between.phase(), Phase::Prepared);
}

#[test]
fn a_completion_from_before_the_hosts_last_step_says_nothing_of_what_came_since() {
    // The host begins the next round while the completion has not returned.
    let between = Between::synchronizing();
    let handler = between.handler.clone();
    between.seen.inside(move || {
        let _answer = handler.prepare_for_sync(&[ONE]);
    });
    between.synchronized();
    assert_eq!(between.phase(), Phase::Preparing);

    // It synchronizes while the completion of the prepare has not returned.
    let between = self::between();
    between.prepare();
    let handler = between.handler.clone();
    between.seen.inside(move || {
        let _answer = handler.synchronize();
    });
    between.prepared(HResult::S_OK);
    assert_eq!(between.phase(), Phase::Synchronizing);
}

#[test]
fn a_synchronize_that_fails_after_the_next_round_began_says_nothing_of_it() {
    let between = between();
    between.prepare();
    between.prepared(HResult::S_OK);
    let handler = between.handler.clone();
    let probe = between.probe.clone();
    between.seen.inside(move || {
        let _answer = handler.prepare_for_sync(&[ONE]);
        *probe.fails.lock().unwrap() = true;
    });
    between.synchronize();
    assert_eq!(between.phase(), Phase::Preparing);
}

#[test]
fn a_call_that_lasts_is_in_the_trace_without_an_answer() {
    let between = between();
    let (recorder, taken) = (between.recorder.clone(), Arc::new(Mutex::new(None)));
    let place = taken.clone();
    between.seen.inside(move || {
        *place.lock().unwrap() = Some(recorder.trace());
    });
    let _info = between.handler.info();
    let trace = taken.lock().unwrap().take().unwrap();
    let [call] = trace.calls() else {
        panic!("{trace}");
    };
    assert_eq!((call.ended, &call.answer), (None, &Answer::None));
    assert!(!call.has_returned());
    let call = between.last();
    assert_eq!((call.begun, call.ended), (1, Some(2)));
    assert!(call.has_returned());
}

#[test]
fn threads_and_callbacks_are_numbered_in_the_order_in_which_they_come() {
    let between = between();
    let _info = between.handler.info();
    let second = between.recorder.callback(Arc::new(Host {
        seen: between.seen.clone(),
        fails: false,
    }));
    std::thread::scope(|scope| {
        scope.spawn(|| between.callback.can_continue(None).map(drop));
    });
    std::thread::scope(|scope| {
        scope.spawn(|| second.can_continue(None).map(drop));
    });
    let _told = second.can_continue(None);
    let trace = between.recorder.trace();
    let numbers: Vec<(u32, Option<u32>)> = trace
        .calls()
        .iter()
        .map(|call| (call.thread, call.callback))
        .collect();
    assert_eq!(
        numbers,
        [(0, None), (1, Some(1)), (2, Some(2)), (0, Some(2))]
    );
}

#[test]
fn that_the_host_gave_up_stands_on_its_own_thread() {
    // The prepare is completed on another thread, and nothing more comes.
    let script = Script::new()
        .item(ONE, "one")
        .without_completions()
        .prepare_on_thread([Step::complete_prepare(HResult::S_OK)]);
    let trace = Harness::new(script.handler())
        .deadline(std::time::Duration::from_millis(50))
        .run();
    let mut calls = trace.calls().iter();
    let gave_up = calls.find(|call| call.action == Action::GaveUp).unwrap();
    assert_eq!(gave_up.thread, 0, "{trace}");
    assert_eq!(trace.calls()[0].thread, 0);
}
