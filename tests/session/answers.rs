//! The one answer of a progress call when several would fit: Released, UnknownItem, WrongPhase, ItemFinished, CancelAll,
//! CancelItem, Continue, in this order.

use std::sync::Arc;

use syncmgr::{
    CallbackError, HResult, ItemReporter, ItemStatus, ProgressUpdate, Session, SyncCallback,
    Verdict,
};

use support::{driven, id, open, start_round, status, synchronizing, text, value, view};

type Answer = Result<Verdict, CallbackError>;

/// What is true of the session and of the item that is asked about.
#[derive(Clone, Copy, Debug)]
struct Facts {
    released: bool,
    unknown: bool,
    completed: bool,
    finished: bool,
    cancel_all: bool,
    cancel_item: bool,
}

impl Facts {
    fn all() -> impl Iterator<Item = Facts> {
        (0..64_u32).map(|bits| Facts {
            released: bits & 1 != 0,
            unknown: bits & 2 != 0,
            completed: bits & 4 != 0,
            finished: bits & 8 != 0,
            cancel_all: bits & 16 != 0,
            cancel_item: bits & 32 != 0,
        })
    }

    fn expected(self) -> Answer {
        match self {
            Facts { released: true, .. } => Err(CallbackError::Released),
            Facts { unknown: true, .. } => Err(CallbackError::UnknownItem),
            Facts {
                completed: true, ..
            } => Err(CallbackError::WrongPhase),
            Facts { finished: true, .. } => Err(CallbackError::ItemFinished),
            Facts {
                cancel_all: true, ..
            } => Ok(Verdict::CancelAll),
            Facts {
                cancel_item: true, ..
            } => Ok(Verdict::CancelItem),
            _ => Ok(Verdict::Continue),
        }
    }

    /// Makes the facts true for item 1, in the order in which they can come about.
    fn bring_about(self, session: &Session) {
        if self.cancel_item {
            assert_eq!(session.cancel_item(id(1)), Ok(()));
        }
        if self.cancel_all {
            session.cancel_all();
        }
        if self.finished {
            let answer = session.progress(id(1), &status(ItemStatus::Stopped));
            assert!(answer.is_ok(), "the final status was refused: {answer:?}");
        }
        if self.completed {
            assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
        }
        if self.released {
            session.driver().release();
        }
    }

    fn item(self) -> syncmgr::ItemId {
        if self.unknown { id(99) } else { id(1) }
    }
}

fn check_every_entrance(build: impl Fn() -> Arc<Session>) {
    let asks: [ProgressUpdate<'static>; 5] = [
        ProgressUpdate::CHECK,
        value(3),
        ProgressUpdate::new().max(9),
        text("words"),
        status(ItemStatus::Paused),
    ];
    for facts in Facts::all() {
        for ask in asks.clone() {
            let session = build();
            facts.bring_about(&session);
            assert_eq!(
                session.progress(facts.item(), &ask),
                facts.expected(),
                "{ask:?} with {facts:?}"
            );
        }
        let session = build();
        facts.bring_about(&session);
        assert_eq!(
            session.can_continue(Some(facts.item())),
            facts.expected(),
            "can_continue with {facts:?}"
        );
    }
}

#[test]
fn the_first_answer_that_fits_is_given_in_an_open_session() {
    check_every_entrance(|| open(2));
}

#[test]
fn the_first_answer_that_fits_is_given_in_a_driven_session() {
    check_every_entrance(|| synchronizing(2));
}

#[test]
fn a_reporter_gives_the_same_answers() {
    for facts in Facts::all().filter(|facts| !facts.unknown) {
        for session in [open(2), synchronizing(2)] {
            let reporter = session
                .reporter(id(1))
                .expect("a known item has a reporter");
            facts.bring_about(&session);
            assert_eq!(reporter.set(3), facts.expected(), "set with {facts:?}");
            assert_eq!(
                reporter.advance(3),
                facts.expected(),
                "advance with {facts:?}"
            );
            assert_eq!(reporter.check(), facts.expected(), "check with {facts:?}");
            assert_eq!(
                reporter.report(&text("words")),
                facts.expected(),
                "report with {facts:?}"
            );
        }
    }
}

#[test]
fn a_reporter_that_reported_before_gives_the_same_answers() {
    for facts in Facts::all().filter(|facts| !facts.unknown) {
        for session in [open(2), synchronizing(2)] {
            let reporter = session
                .reporter(id(1))
                .expect("a known item has a reporter");
            assert_eq!(reporter.set(1), Ok(Verdict::Continue));
            assert_eq!(reporter.set(2), Ok(Verdict::Continue));
            facts.bring_about(&session);
            assert_eq!(reporter.set(3), facts.expected(), "set with {facts:?}");
            assert_eq!(reporter.check(), facts.expected(), "check with {facts:?}");
            let stored = if facts.expected().is_ok() { 3 } else { 2 };
            assert_eq!(
                view(&session, 1).value,
                stored,
                "a refused value is not stored: {facts:?}"
            );
        }
    }
}

#[test]
fn a_callback_behind_a_pointer_gives_the_same_answers() {
    for facts in Facts::all() {
        let session = synchronizing(2);
        let callback: Arc<dyn SyncCallback> = session.clone();
        facts.bring_about(&session);
        let answer = ItemReporter::new(&callback, facts.item()).set(3);
        assert_eq!(answer, facts.expected(), "{facts:?}");
    }
}

#[test]
fn idle_refuses_known_items_by_phase_and_unknown_ones_by_name() {
    let session = driven(1);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    session.cancel_all();
    assert_eq!(
        session.progress(id(1), &value(1)),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(
        session.progress(id(9), &value(1)),
        Err(CallbackError::UnknownItem)
    );
}

#[test]
fn a_final_status_of_a_cancelled_item_is_taken_and_answers_the_cancel() {
    for last in [
        ItemStatus::Stopped,
        ItemStatus::Succeeded,
        ItemStatus::Failed,
        ItemStatus::Skipped,
        ItemStatus::Deleted,
    ] {
        let session = synchronizing(2);
        assert_eq!(session.cancel_item(id(1)), Ok(()));
        assert_eq!(
            session.progress(id(1), &status(last)),
            Ok(Verdict::CancelItem),
            "{last:?}"
        );
        assert_eq!(view(&session, 1).status, last);

        session.cancel_all();
        assert_eq!(
            session.progress(id(2), &status(last)),
            Ok(Verdict::CancelAll),
            "{last:?}"
        );
        assert_eq!(view(&session, 2).status, last);
    }
}

#[test]
fn a_report_of_a_cancelled_item_is_stored_and_answers_the_cancel() {
    let session = synchronizing(1);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    let update = ProgressUpdate::new()
        .value(4)
        .max(8)
        .text("stopping")
        .status(ItemStatus::Updating);
    assert_eq!(session.progress(id(1), &update), Ok(Verdict::CancelItem));
    let seen = view(&session, 1);
    assert_eq!(
        (seen.value, seen.max, seen.text.as_str()),
        (4, 8, "stopping")
    );
    assert_eq!(
        (seen.status, seen.verdict),
        (ItemStatus::Updating, Verdict::CancelItem)
    );
    let reporter = session
        .reporter(id(1))
        .expect("a cancelled item has a reporter");
    assert_eq!(reporter.set(5), Ok(Verdict::CancelItem));
    assert_eq!(reporter.advance(2), Ok(Verdict::CancelItem));
    assert_eq!(view(&session, 1).value, 7);
}

#[test]
fn failed_after_the_final_status_of_a_cancelled_item_answers_the_cancel() {
    let session = synchronizing(1);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Stopped)),
        Ok(Verdict::CancelItem)
    );
    assert_eq!(
        session.progress(id(1), &status(ItemStatus::Failed)),
        Ok(Verdict::CancelItem)
    );
    assert_eq!(view(&session, 1).status, ItemStatus::Failed);
}

#[test]
fn one_cancelled_item_leaves_the_others_alone() {
    let session = synchronizing(3);
    assert_eq!(session.cancel_item(id(2)), Ok(()));
    assert_eq!(session.progress(id(1), &value(1)), Ok(Verdict::Continue));
    assert_eq!(session.progress(id(2), &value(1)), Ok(Verdict::CancelItem));
    assert_eq!(session.progress(id(3), &value(1)), Ok(Verdict::Continue));
    assert_eq!(session.can_continue(None), Ok(Verdict::Continue));
}

#[test]
fn an_item_outside_the_round_is_unknown_before_anything_else() {
    let session = driven(2);
    start_round(&session, &[id(1)]);
    session.cancel_all();
    assert_eq!(
        session.progress(id(2), &status(ItemStatus::Stopped)),
        Err(CallbackError::UnknownItem)
    );
    assert_eq!(
        session.can_continue(Some(id(2))),
        Err(CallbackError::UnknownItem)
    );
}

#[test]
fn the_whole_session_answers_its_own_verdict() {
    for session in [open(1), synchronizing(1)] {
        assert_eq!(session.can_continue(None), Ok(Verdict::Continue));
        assert_eq!(session.set_handler_text("working"), Ok(Verdict::Continue));
        assert_eq!(session.handler_text(), "working");
        session.cancel_all();
        assert_eq!(session.can_continue(None), Ok(Verdict::CancelAll));
        assert_eq!(session.set_handler_text("stopping"), Ok(Verdict::CancelAll));
        assert_eq!(session.handler_text(), "stopping");
        session.driver().release();
        assert_eq!(session.can_continue(None), Err(CallbackError::Released));
        assert_eq!(
            session.set_handler_text("late"),
            Err(CallbackError::Released)
        );
        assert_eq!(session.handler_text(), "stopping");
    }
}

#[test]
fn failed_after_the_final_status_answers_the_cancel_of_everything() {
    let session = open(2);
    let report = |n, update| session.progress(id(n), &update);
    assert_eq!(
        report(1, status(ItemStatus::Succeeded)),
        Ok(Verdict::Continue)
    );
    assert_eq!(report(1, status(ItemStatus::Failed)), Ok(Verdict::Continue));
    session.cancel_all();
    assert_eq!(view(&session, 1).verdict, Verdict::Continue);
    assert_eq!(
        report(1, status(ItemStatus::Failed)),
        Ok(Verdict::CancelAll)
    );
}
