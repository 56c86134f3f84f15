//! Dialog turns: one at a time, over all sessions that share an arbiter, never blocking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use syncmgr::{
    CallbackError, Dialog, DialogArbiter, ErrorOutcome, HResult, PropertiesOutcome, Session,
    SyncCallback, SyncEvent, SyncFlags,
};

use support::{Stage, ids, item, items, join, open};

/// What is done to a session, and what it is called.
type Step = (&'static str, fn(&Session));

const GRANTED: Result<Dialog, CallbackError> = Ok(Dialog::Granted);
const DENIED: Result<Dialog, CallbackError> = Ok(Dialog::Denied);

/// Two driven sessions that synchronize and share one arbiter.
fn pair() -> (Arc<Session>, Arc<Session>) {
    let arbiter = DialogArbiter::new();
    let build = || {
        let session = Session::builder()
            .items(items(1))
            .driven()
            .dialog_arbiter(arbiter.clone())
            .build()
            .expect("one item builds");
        Stage::Synchronizing.enter(&session, 1);
        session
    };
    (build(), build())
}

#[test]
fn a_dialog_may_be_shown_and_given_back() {
    let session = open(1);
    for _ in 0..3 {
        assert_eq!(session.enable_modeless(true), GRANTED);
        assert_eq!(session.enable_modeless(false), GRANTED);
    }
    assert_eq!(
        Dialog::Granted,
        Dialog::try_from(HResult::S_OK).expect("S_OK may show it")
    );
}

#[test]
fn a_second_true_by_the_holder_is_denied() {
    let session = open(1);
    assert_eq!(session.enable_modeless(true), GRANTED);
    assert_eq!(session.enable_modeless(true), DENIED);
    assert_eq!(session.enable_modeless(false), GRANTED);
    assert_eq!(session.enable_modeless(true), GRANTED, "one FALSE ends it");
}

#[test]
fn false_without_a_turn_answers_granted_and_takes_nobodys() {
    let (one, two) = pair();
    assert_eq!(two.enable_modeless(false), GRANTED);
    assert_eq!(one.enable_modeless(true), GRANTED);
    assert_eq!(two.enable_modeless(false), GRANTED);
    assert_eq!(
        two.enable_modeless(true),
        DENIED,
        "the turn is still with the first"
    );
}

#[test]
fn one_dialog_at_a_time_over_all_sessions() {
    let (one, two) = pair();
    assert_eq!(one.enable_modeless(true), GRANTED);
    assert_eq!(two.enable_modeless(true), DENIED);
    assert_eq!(one.enable_modeless(false), GRANTED);
    assert_eq!(two.enable_modeless(true), GRANTED);
    assert_eq!(one.enable_modeless(true), DENIED);
}

#[test]
fn sessions_without_a_common_arbiter_do_not_meet() {
    let (one, two) = (open(1), open(1));
    assert_eq!(one.enable_modeless(true), GRANTED);
    assert_eq!(two.enable_modeless(true), GRANTED);
}

#[test]
fn the_turn_is_given_back_by_every_end() {
    let ends: [Step; 5] = [
        ("FALSE", |s| assert_eq!(s.enable_modeless(false), GRANTED)),
        ("completion", |s| {
            assert_eq!(s.synchronize_completed(HResult::E_FAIL), Ok(()))
        }),
        ("show error", |s| {
            assert_eq!(s.show_error_completed(ErrorOutcome::Done), Ok(()))
        }),
        ("show properties", |s| {
            assert_eq!(s.show_properties_completed(PropertiesOutcome::Done), Ok(()))
        }),
        ("release", |session| session.driver().release()),
    ];
    for (name, end) in ends {
        let (one, two) = pair();
        assert_eq!(one.enable_modeless(true), GRANTED);
        assert_eq!(two.enable_modeless(true), DENIED);
        end(&one);
        assert_eq!(two.enable_modeless(true), GRANTED, "given back by {name}");
    }
}

#[test]
fn a_prepare_that_fails_gives_the_turn_back() {
    let arbiter = DialogArbiter::new();
    let build = || {
        Session::builder()
            .items(items(1))
            .driven()
            .dialog_arbiter(arbiter.clone())
            .build()
            .expect("one item builds")
    };
    let (one, two) = (build(), build());
    Stage::Preparing.enter(&one, 1);
    assert_eq!(one.enable_modeless(true), GRANTED);
    assert_eq!(two.enable_modeless(true), DENIED);
    assert_eq!(one.prepare_for_sync_completed(HResult::E_FAIL), Ok(()));
    assert_eq!(two.enable_modeless(true), GRANTED);
}

#[test]
fn the_end_of_one_session_leaves_the_turn_of_another() {
    let (one, two) = pair();
    assert_eq!(one.enable_modeless(true), GRANTED);
    assert_eq!(two.synchronize_completed(HResult::S_OK), Ok(()));
    two.driver().release();
    assert_eq!(one.enable_modeless(true), DENIED, "it still holds it");
    assert_eq!(one.enable_modeless(false), GRANTED);
    assert_eq!(two.enable_modeless(true), Err(CallbackError::Released));
}

#[test]
fn a_host_that_grants_no_dialogs_denies_them() {
    let session = Session::builder()
        .item(item(1))
        .dialogs(false)
        .build()
        .expect("one item builds");
    assert_eq!(session.enable_modeless(true), DENIED);
    assert_eq!(session.enable_modeless(false), GRANTED);
    let session = Session::builder()
        .item(item(1))
        .dialogs(true)
        .build()
        .expect("one item builds");
    assert_eq!(session.enable_modeless(true), GRANTED);
}

#[test]
fn a_user_who_may_not_be_bothered_sees_dialogs_only_outside_the_work() {
    let quiet = SyncFlags::new(SyncEvent::Idle);
    let bothered = quiet | SyncFlags::MAY_BOTHER_USER;
    for stage in [
        Stage::Idle,
        Stage::Preparing,
        Stage::Prepared,
        Stage::Synchronizing,
        Stage::Completed,
    ] {
        let working = matches!(
            stage,
            Stage::Preparing | Stage::Prepared | Stage::Synchronizing
        );
        for (flags, expected) in [
            (quiet, if working { DENIED } else { GRANTED }),
            (bothered, GRANTED),
        ] {
            let session = Session::builder()
                .items(items(1))
                .driven()
                .flags(flags)
                .build()
                .expect("one item builds");
            stage.enter(&session, 1);
            assert_eq!(
                session.enable_modeless(true),
                expected,
                "{flags:?} in {stage:?}"
            );
            assert_eq!(
                session.enable_modeless(false),
                GRANTED,
                "{flags:?} in {stage:?}"
            );
        }
    }
}

#[test]
fn threads_never_hold_two_turns() {
    let (one, two) = pair();
    let (holders, granted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let threads: Vec<_> = [one, two]
        .into_iter()
        .map(|session| {
            let (holders, granted) = (Arc::clone(&holders), Arc::clone(&granted));
            thread::spawn(move || {
                for _ in 0..20_000 {
                    if session.enable_modeless(true) == GRANTED {
                        assert_eq!(
                            holders.fetch_add(1, Ordering::SeqCst),
                            0,
                            "two dialogs at once"
                        );
                        granted.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(
                            holders.fetch_sub(1, Ordering::SeqCst),
                            1,
                            "two dialogs at once"
                        );
                        assert_eq!(session.enable_modeless(false), GRANTED);
                    }
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| join("a thread that asks", thread));
    assert!(granted.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_retry_may_show_dialogs_again() {
    let session = Stage::Synchronizing.session(1);
    assert_eq!(session.enable_modeless(true), GRANTED);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    support::start_round(&session, &ids(1));
    assert_eq!(
        session.enable_modeless(true),
        GRANTED,
        "the first round's turn ended with it"
    );
}
