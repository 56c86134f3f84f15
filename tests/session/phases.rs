//! Every method of the callback and of the host's side in every phase.

use std::task::Waker;

use syncmgr::{
    CallbackError, Dialog, ErrorOutcome, HResult, LogLevel, LogRecord, LogSelector, Phase,
    ProgressUpdate, PropertiesOutcome, Session, SyncCallback,
};

use support::{Stage, driven, id, ids, item, open, value};

use CallbackError::{
    InvalidArgument, NotConnected, Released, UnknownErrorId, UnknownItem, WrongPhase,
};
use Stage::{Completed, Idle, Open, OpenCompleted, Prepared, Preparing, Synchronizing};

/// Everything that is expected of one call: what it answers in each stage.
struct Row {
    name: &'static str,
    call: fn(&Session) -> Result<(), CallbackError>,
    /// In the order of `Stage::ALL`; `None` where no document says.
    answers: [Option<Result<(), CallbackError>>; 8],
}

const OK: Option<Result<(), CallbackError>> = Some(Ok(()));
const PHASE: Option<Result<(), CallbackError>> = Some(Err(WrongPhase));
const GONE: Option<Result<(), CallbackError>> = Some(Err(Released));
const UNKNOWN: Option<Result<(), CallbackError>> = Some(Err(UnknownItem));
const UNSAID: Option<Result<(), CallbackError>> = None;

const fn refused(error: CallbackError) -> Option<Result<(), CallbackError>> {
    Some(Err(error))
}

/// The callback's methods, with items 1 and 2 in the session and in the round.
const CALLBACK: [Row; 25] = [
    //                             Open   OpenCompleted  Idle  Preparing  Prepared  Synchronizing  Completed  Released
    Row {
        name: "progress, known item",
        call: |s| s.progress(id(1), &value(1)).map(drop),
        answers: [OK, PHASE, PHASE, OK, OK, OK, PHASE, GONE],
    },
    Row {
        name: "progress, only asking",
        call: |s| s.progress(id(1), &ProgressUpdate::CHECK).map(drop),
        answers: [OK, PHASE, PHASE, OK, OK, OK, PHASE, GONE],
    },
    Row {
        name: "progress, unknown item",
        call: |s| s.progress(id(9), &value(1)).map(drop),
        answers: [
            UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, GONE,
        ],
    },
    Row {
        name: "log_error",
        call: |s| s.log_error(&LogRecord::new(LogLevel::Error, "text")),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "delete_log_error, all",
        call: |s| s.delete_log_error(LogSelector::All),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "delete_log_error, unknown",
        call: |s| s.delete_log_error(LogSelector::ById(syncmgr::ErrorId::from_u128(5))),
        answers: {
            const U: Option<Result<(), CallbackError>> = refused(UnknownErrorId);
            [U, U, U, U, U, U, U, GONE]
        },
    },
    Row {
        name: "prepare_for_sync_completed",
        call: |s| s.prepare_for_sync_completed(HResult::S_OK),
        answers: [PHASE, PHASE, PHASE, OK, PHASE, PHASE, PHASE, GONE],
    },
    Row {
        name: "prepare_for_sync_completed, failed",
        call: |s| s.prepare_for_sync_completed(HResult::E_FAIL),
        answers: [PHASE, PHASE, PHASE, OK, PHASE, PHASE, PHASE, GONE],
    },
    Row {
        name: "synchronize_completed",
        call: |s| s.synchronize_completed(HResult::S_OK),
        answers: [OK, PHASE, PHASE, PHASE, PHASE, OK, PHASE, GONE],
    },
    Row {
        name: "synchronize_completed, failed",
        call: |s| s.synchronize_completed(HResult::E_FAIL),
        answers: [OK, PHASE, PHASE, PHASE, PHASE, OK, PHASE, GONE],
    },
    Row {
        name: "show_error_completed",
        call: |s| s.show_error_completed(ErrorOutcome::Done),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "show_properties_completed",
        call: |s| s.show_properties_completed(PropertiesOutcome::Done),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "enable_modeless",
        call: |s| {
            assert_eq!(s.enable_modeless(true)?, Dialog::Granted);
            assert_eq!(s.enable_modeless(false)?, Dialog::Granted);
            Ok(())
        },
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "establish_connection, without a connector",
        call: |s| s.establish_connection(None),
        answers: {
            const N: Option<Result<(), CallbackError>> = refused(NotConnected);
            [N, N, N, N, N, N, N, GONE]
        },
    },
    Row {
        name: "can_continue, known item",
        call: |s| s.can_continue(Some(id(2))).map(drop),
        answers: [OK, PHASE, PHASE, OK, OK, OK, PHASE, GONE],
    },
    Row {
        name: "can_continue, the whole handler",
        call: |s| s.can_continue(None).map(drop),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "wake_on_cancel, known item",
        call: |s| s.wake_on_cancel(Some(id(1)), Waker::noop()),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "wake_on_cancel, unknown item",
        call: |s| s.wake_on_cancel(Some(id(9)), Waker::noop()),
        answers: [
            UNKNOWN, UNSAID, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNSAID, GONE,
        ],
    },
    Row {
        name: "wake_on_cancel, the whole handler",
        call: |s| s.wake_on_cancel(None, Waker::noop()),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "add_item",
        call: |s| s.add_item(item(8)),
        answers: [OK, PHASE, OK, OK, OK, OK, PHASE, GONE],
    },
    Row {
        name: "set_handler_text",
        call: |s| s.set_handler_text("text").map(drop),
        answers: [OK, UNSAID, UNSAID, OK, OK, OK, UNSAID, GONE],
    },
    Row {
        name: "additional_items",
        call: |s| s.additional_items().map(drop),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "propose_item",
        call: |s| s.propose_item(item(7)),
        answers: [OK, OK, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "commit_item, proposed",
        call: |s| {
            s.propose_item(item(7))?;
            s.commit_item(id(7))
        },
        answers: [OK, PHASE, OK, OK, OK, OK, OK, GONE],
    },
    Row {
        name: "commit_item, not proposed",
        call: |s| s.commit_item(id(7)),
        answers: {
            const N: Option<Result<(), CallbackError>> = refused(InvalidArgument);
            [N, UNSAID, N, N, N, N, N, GONE]
        },
    },
];

/// The host's side.
const HOST: [Row; 8] = [
    Row {
        name: "begin_prepare",
        call: |s| s.driver().begin_prepare(&ids(1)),
        answers: [PHASE, PHASE, OK, PHASE, PHASE, PHASE, OK, GONE],
    },
    Row {
        name: "begin_prepare, no item",
        call: |s| s.driver().begin_prepare(&[]),
        answers: [
            UNSAID,
            UNSAID,
            refused(InvalidArgument),
            UNSAID,
            UNSAID,
            UNSAID,
            refused(InvalidArgument),
            GONE,
        ],
    },
    Row {
        name: "begin_prepare, unknown item",
        call: |s| s.driver().begin_prepare(&[id(1), id(9)]),
        answers: [
            UNSAID, UNSAID, UNKNOWN, UNSAID, UNSAID, UNSAID, UNKNOWN, GONE,
        ],
    },
    Row {
        name: "begin_synchronize",
        call: |session| session.driver().begin_synchronize(),
        answers: [PHASE, PHASE, PHASE, PHASE, OK, PHASE, PHASE, GONE],
    },
    Row {
        name: "cancel_item",
        call: |s| s.cancel_item(id(1)),
        answers: [OK, UNSAID, OK, OK, OK, OK, UNSAID, GONE],
    },
    Row {
        name: "cancel_item, unknown item",
        call: |s| s.cancel_item(id(9)),
        answers: [
            UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, GONE,
        ],
    },
    Row {
        name: "skip_item",
        call: |s| s.skip_item(id(1)),
        answers: [OK, UNSAID, OK, OK, OK, OK, UNSAID, GONE],
    },
    Row {
        name: "skip_item, unknown item",
        call: |s| s.skip_item(id(9)),
        answers: [
            UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, GONE,
        ],
    },
];

fn check(rows: &[Row]) {
    for row in rows {
        for (stage, expected) in Stage::ALL.into_iter().zip(&row.answers) {
            let session = stage.session(2);
            let answer = (row.call)(&session);
            if let Some(expected) = expected {
                assert_eq!(&answer, expected, "{} in {stage:?}", row.name);
            }
            if answer.is_err() {
                assert_eq!(
                    session.phase(),
                    stage.phase(),
                    "a refused {} in {stage:?} moved the phase",
                    row.name
                );
            }
        }
    }
}

#[test]
fn every_callback_method_answers_by_the_phase() {
    check(&CALLBACK);
}

#[test]
fn every_host_method_answers_by_the_phase() {
    check(&HOST);
}

#[test]
fn only_completions_and_begins_and_release_move_the_phase() {
    const MOVING: [&str; 5] = [
        "prepare_for_sync_completed",
        "prepare_for_sync_completed, failed",
        "synchronize_completed",
        "synchronize_completed, failed",
        "begin_prepare",
    ];
    for row in CALLBACK.iter().chain(&HOST) {
        if MOVING.contains(&row.name) || row.name == "begin_synchronize" {
            continue;
        }
        for stage in Stage::ALL {
            let session = stage.session(2);
            let _ = (row.call)(&session);
            session.cancel_all();
            assert_eq!(session.phase(), stage.phase(), "{} in {stage:?}", row.name);
        }
    }
}

#[test]
fn completions_lead_where_their_result_says() {
    for (result, next) in [
        (HResult::S_OK, Phase::Prepared),
        (HResult::S_FALSE, Phase::Completed),
        (HResult::E_FAIL, Phase::Completed),
        (HResult::S_SYNCMGR_RETRYSYNC, Phase::Completed),
    ] {
        let session = Preparing.session(1);
        assert_eq!(session.prepare_for_sync_completed(result), Ok(()));
        assert_eq!(session.phase(), next, "prepare completed with {result}");
    }
    for result in [HResult::S_OK, HResult::S_FALSE, HResult::E_ABORT] {
        for stage in [Open, Synchronizing] {
            let session = stage.session(1);
            assert_eq!(session.synchronize_completed(result), Ok(()));
            assert_eq!(
                session.phase(),
                Phase::Completed,
                "synchronize completed with {result} in {stage:?}"
            );
        }
    }
}

#[test]
fn the_phases_of_a_whole_life() {
    let session = driven(2);
    assert_eq!(session.phase(), Phase::Idle);
    assert_eq!(session.driver().begin_prepare(&ids(2)), Ok(()));
    assert_eq!(session.phase(), Phase::Preparing);
    assert_eq!(session.prepare_for_sync_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.phase(), Phase::Prepared);
    assert_eq!(session.driver().begin_synchronize(), Ok(()));
    assert_eq!(session.phase(), Phase::Synchronizing);
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.phase(), Phase::Completed);
    session.driver().release();
    assert_eq!(session.phase(), Phase::Released);
}

#[test]
fn the_phases_of_a_tool_without_a_handler() {
    let session = open(1);
    assert_eq!(session.phase(), Phase::Open);
    assert_eq!(
        session.progress(id(1), &value(1)),
        Ok(syncmgr::Verdict::Continue)
    );
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.phase(), Phase::Completed);
    session.driver().release();
    assert_eq!(session.phase(), Phase::Released);
}

#[test]
fn release_may_come_in_every_phase_and_twice() {
    for stage in Stage::ALL {
        let session = stage.session(1);
        session.driver().release();
        assert_eq!(session.phase(), Phase::Released, "{stage:?}");
        session.driver().release();
        session.cancel_all();
        session.driver().release();
        assert_eq!(session.phase(), Phase::Released, "{stage:?}");
    }
}

#[test]
fn views_go_on_after_the_release() {
    let session = Completed.session(2);
    assert_eq!(
        session.log_error(&LogRecord::new(LogLevel::Warning, "kept")),
        Ok(())
    );
    session.driver().release();
    assert_eq!(session.snapshot().items.len(), 2);
    assert_eq!(session.snapshot().phase, Phase::Released);
    assert!(session.item(id(1)).is_some());
    assert_eq!(session.log().len(), 1);
    let changes = session.changes(syncmgr::Cursor::default());
    assert_eq!(changes.phase(), Phase::Released);
    assert!(changes.is_over());
}

#[test]
fn items_are_added_wherever_a_handler_may_add_them() {
    for stage in [Open, Idle, Preparing, Prepared, Synchronizing] {
        let session = stage.session(2);
        assert_eq!(session.add_item(item(8)), Ok(()), "{stage:?}");
        for (again, why) in [(item(8), "added"), (item(1), "built")] {
            assert_eq!(
                session.add_item(again),
                Err(InvalidArgument),
                "{why} already, in {stage:?}"
            );
        }
        let nil = syncmgr::SyncItem::new(syncmgr::ItemId::NIL, item(7).name);
        assert_eq!(session.add_item(nil), Err(InvalidArgument), "{stage:?}");
        let order: Vec<_> = session
            .snapshot()
            .items
            .iter()
            .map(|view| view.id)
            .collect();
        assert_eq!(order, [id(1), id(2), id(8)], "{stage:?}");
        if stage != Idle {
            assert_eq!(
                session.progress(id(8), &value(1)),
                Ok(syncmgr::Verdict::Continue),
                "{stage:?}"
            );
            assert!(support::view(&session, 8).selected, "{stage:?}");
        }
    }
    for stage in [OpenCompleted, Completed] {
        let session = stage.session(2);
        assert_eq!(session.add_item(item(8)), Err(WrongPhase), "{stage:?}");
        assert_eq!(session.snapshot().items.len(), 2, "{stage:?}");
    }
}

#[test]
fn adding_a_known_item_lets_it_join_the_round() {
    let session = driven(2);
    support::start_round(&session, &[id(1)]);
    assert_eq!(session.progress(id(2), &value(1)), Err(UnknownItem));
    assert_eq!(session.add_item(item(2)), Ok(()));
    assert_eq!(
        session.progress(id(2), &value(1)),
        Ok(syncmgr::Verdict::Continue)
    );
    assert!(support::view(&session, 2).selected);
    assert_eq!(
        session.add_item(item(2)),
        Err(InvalidArgument),
        "now it is there"
    );
    assert_eq!(session.snapshot().items.len(), 2);
}

#[test]
fn many_items_can_be_added_while_it_runs() {
    let session = Synchronizing.session(1);
    for n in 2..=300 {
        assert_eq!(session.add_item(item(n)), Ok(()), "item {n}");
        assert_eq!(
            session.progress(id(n), &value(n as u64)),
            Ok(syncmgr::Verdict::Continue),
            "item {n}"
        );
        let reporter = session
            .reporter(id(n))
            .unwrap_or_else(|error| panic!("item {n}: {error}"));
        assert_eq!(
            reporter.advance(1),
            Ok(syncmgr::Verdict::Continue),
            "item {n}"
        );
    }
    for n in 2..=300 {
        assert_eq!(support::view(&session, n).value, n as u64 + 1, "item {n}");
    }
    assert_eq!(session.snapshot().items.len(), 300);
}

#[test]
fn a_tool_finishes_its_session_in_plain_words() {
    let session = open(1);
    assert_eq!(session.finish(), Ok(()));
    let ended = (session.phase(), session.result());
    assert_eq!(ended, (Phase::Completed, Some(HResult::S_OK)));
    for late in [session.finish(), session.finish_with("late")] {
        assert_eq!(late, Err(CallbackError::WrongPhase));
    }
    assert_eq!(session.log(), []);

    let session = open(1);
    let error = std::io::Error::other(CallbackError::LogFull);
    assert_eq!(session.finish_with(error), Ok(()));
    assert_eq!(session.result(), Some(HResult::E_FAIL));
    let log = session.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].text, CallbackError::LogFull.to_string());

    let full = Session::builder()
        .log_capacity(0)
        .build()
        .expect("no items");
    assert_eq!(full.finish_with("the disk is full"), Ok(()));
    assert_eq!(full.result(), Some(HResult::E_FAIL));
    full.driver().release();
    assert_eq!(full.finish(), Err(CallbackError::Released));

    let idle = support::driven(1);
    assert_eq!(
        idle.finish_with("too early"),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(idle.log(), []);
}
