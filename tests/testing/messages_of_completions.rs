//! What the checker says of each breach of the rules of completions, word for word: the calls, the item, and what led there.

// What a case breaks is asserted before its trace is handed out.
#![allow(unused_must_use)]

use support::lines::*;
use syncmgr::testing::Rule;

#[test]
fn h05_to_h10_name_both_completions() {
    let twice = |start: &str, completes: &str, answer: &str| {
        Lines::new()
            .host(&set_callback(1), DONE)
            .host(start, answer)
            .handler(completes, DONE)
            .handler(completes, DONE)
    };
    twice(
        &prepare(&[ONE]),
        &completed("prepare_for_sync", "S_OK"),
        STARTED,
    )
    .says(
        Rule::PrepareCompletedOnce,
        4,
        &[2, 3],
        "call 4 calls prepare_for_sync_completed again; call 3 had completed prepare_for_sync already",
    );
    twice(
        r#"{"call":"show_properties","target":null}"#,
        &completed("show_properties", "S_OK"),
        DONE,
    )
    .says(
        Rule::ShowPropertiesCompletedOnce,
        4,
        &[2, 3],
        "call 4 calls show_properties_completed again; call 3 had completed show_properties already",
    );
    twice(
        &prepare(&[ONE]),
        &completed("prepare_for_sync", "S_OK"),
        r#"{"prepared":"needs_user"}"#,
    )
    .says(
        Rule::NoPrepareCompletedAfterRefusal,
        3,
        &[2],
        "call 3 calls prepare_for_sync_completed, and prepare_for_sync (call 2) answered S_FALSE (0x00000001): nothing is to be completed",
    );
    twice(
        r#"{"call":"show_properties","target":null}"#,
        &completed("show_properties", "S_OK"),
        r#"{"panicked":"boom"}"#,
    )
    .says(
        Rule::ShowPropertiesCompletedOnce,
        3,
        &[2],
        "call 3 calls show_properties_completed, and show_properties (call 2) panicked: nothing is to be completed",
    );
    // The third is counted with the second.
    let trace = twice(
        &prepare(&[ONE]),
        &completed("prepare_for_sync", "S_OK"),
        STARTED,
    )
    .handler(&completed("prepare_for_sync", "S_OK"), DONE)
    .breaks(&[Rule::PrepareCompletedOnce]);
    assert_eq!(trace.violations()[0].repeats, 1);
}

#[test]
fn a_second_completion_of_a_call_that_lasts_is_named_too() {
    let lines = Lines::new()
        .host(&set_callback(1), DONE)
        .host_at((3, 0), &prepare(&[ONE]), NONE);
    let completes = completed("prepare_for_sync", "S_OK");
    lines.clone().handler(&completes, DONE).breaks(&[]);
    lines
        .handler(&completes, DONE)
        .handler(&completes, DONE)
        .says(
            Rule::PrepareCompletedOnce,
            4,
            &[2, 3],
            "call 4 calls prepare_for_sync_completed again; call 3 had completed prepare_for_sync already",
        );
}

#[test]
fn a_completion_that_is_missing_is_told_with_what_the_handler_did_last() {
    let gave_up = |lines: Lines| lines.host(GAVE_UP, NONE);
    gave_up(Lines::synchronizing(&[ONE])).says(
        Rule::SynchronizeCompletedOnce,
        6,
        &[7],
        "synchronize (call 6) was answered by a success, and synchronize_completed had not come when the host gave up waiting at call 7; it made no call",
    );
    gave_up(
        Lines::synchronizing(&[ONE])
            .report(ONE, UPDATING)
            .host(&with("cancel_item", "item", ONE), DONE)
            .host(&with("skip_item", "item", ONE), DONE)
            .host(r#"{"call":"info"}"#, NONE),
    )
    .says(
        Rule::SynchronizeCompletedOnce,
        6,
        &[7, 9, 11],
        "synchronize (call 6) was answered by a success, and synchronize_completed had not come when the host gave up waiting at call 11; its last call was call 7; \"one\" has no final status since call 7",
    );
    gave_up(
        Lines::synchronizing(&[ONE])
            .host(CANCELS_ALL, DONE)
            .handler(&progress(ONE, UPDATING), CANCEL_ALL),
    )
    .says(
        Rule::SynchronizeCompletedOnce,
        6,
        &[7, 8, 9],
        "synchronize (call 6) was answered by a success, and synchronize_completed had not come when the host gave up waiting at call 9; its last call was call 8; \"one\" has no final status since call 8",
    );
    // What is in work is told, however much other items did meanwhile: three of them, those that were silent longest.
    let all = [ONE, TWO, THREE];
    let mut busy = Lines::synchronizing(&all);
    for item in all {
        busy = busy.report(item, UPDATING);
    }
    gave_up(busy.report(TWO, FAILED)).says(
        Rule::SynchronizeCompletedOnce,
        6,
        &[7, 9, 10, 11],
        "synchronize (call 6) was answered by a success, and synchronize_completed had not come when the host gave up waiting at call 11; its last call was call 10; \"one\" has no final status since call 7; \"three\" has no final status since call 9",
    );
    // One that comes after that is too late.
    gave_up(Lines::synchronizing(&[ONE]).report(ONE, FAILED))
        .complete()
        .says(
            Rule::SynchronizeCompletedOnce,
            6,
            &[7, 8],
            "synchronize (call 6) was answered by a success, and synchronize_completed had not come when the host gave up waiting at call 8; its last call was call 7",
        );
    // Nothing is due on a callback that is released.
    gave_up(Lines::synchronizing(&[ONE]).host(RELEASED, NONE)).breaks(&[]);
}

#[test]
fn of_two_completions_that_overlap_the_one_that_was_taken_is_the_first() {
    let wrong = r#"{"refused":"wrong_phase"}"#;
    let twice = |first: (u64, u64), answers: [&str; 2], second: (u64, u64)| {
        let done = completed("synchronize", "S_OK");
        Lines::synchronizing(&[ONE])
            .handler_at(1, (13, 14), &progress(ONE, UPDATING), CONTINUE)
            .handler_at(1, (15, 16), &progress(ONE, FAILED), CONTINUE)
            .handler_at(1, first, &done, answers[0])
            .handler_at(2, second, &done, answers[1])
    };
    let rule = Rule::SynchronizeCompletedOnce;
    twice((17, 20), [wrong, DONE], (18, 19)).says(
        rule,
        9,
        &[6, 10],
        "call 9 calls synchronize_completed too, while call 10 completes synchronize",
    );
    twice((17, 20), [DONE, wrong], (18, 19)).says(
        rule,
        10,
        &[6, 9],
        "call 10 calls synchronize_completed too, while call 9 completes synchronize",
    );
    // A host that took neither, or both, leaves the first.
    for answer in [wrong, DONE] {
        let trace = twice((17, 20), [answer, answer], (18, 19)).breaks(&[rule]);
        assert_eq!(trace.violations()[0].at + 1, 10, "{trace}");
    }
    // One after the other: the second is too many, whatever was taken.
    for answers in [[DONE, wrong], [wrong, DONE]] {
        twice((17, 18), answers, (19, 20)).says(
            rule,
            10,
            &[6, 9],
            "call 10 calls synchronize_completed again; call 9 had completed synchronize already",
        );
    }
}

#[test]
fn h15_judges_the_completion_that_was_taken() {
    // One completion begins too early and is refused in the end; the other one comes after the last status.
    let overlapping = |answers: [&str; 2]| {
        let done = completed("synchronize", "S_OK");
        Lines::synchronizing(&[ONE])
            .handler_at(1, (13, 14), &progress(ONE, UPDATING), CONTINUE)
            .handler_at(2, (15, 24), &done, answers[0])
            .handler_at(1, (17, 18), &progress(ONE, FAILED), CONTINUE)
            .handler_at(1, (19, 20), &done, answers[1])
    };
    let wrong = r#"{"refused":"wrong_phase"}"#;
    overlapping([wrong, DONE]).breaks(&[Rule::SynchronizeCompletedOnce]);
    overlapping([DONE, wrong]).breaks(&[
        Rule::FinalStatusBeforeCompletion,
        Rule::SynchronizeCompletedOnce,
    ]);
}

#[test]
fn final_statuses_are_not_missed_before_the_synchronization() {
    let message = "prepare_for_sync (call 2) was answered by a success, and prepare_for_sync_completed had not come when the host gave up waiting at call 4; its last call was call 3";
    Lines::new()
        .host(&set_callback(1), DONE)
        .phase("preparing")
        .host(&prepare(&[ONE]), STARTED)
        .report(ONE, UPDATING)
        .host(GAVE_UP, NONE)
        .says(Rule::PrepareCompletedOnce, 2, &[3, 4], message);
}

#[test]
fn a_success_code_of_synchronize_that_is_not_ok_is_called_by_its_name() {
    Lines::prepared(&[ONE])
        .phase("synchronizing")
        .host(SYNCHRONIZE, &failed("S_FALSE"))
        .complete()
        .says(
            Rule::NoSynchronizeCompletedAfterFailure,
            7,
            &[6],
            "call 7 calls synchronize_completed, and synchronize (call 6) answered S_FALSE (0x00000001): nothing is to be completed",
        );
    let rule = Rule::NoSynchronizeCompletedAfterFailure;
    assert!(!rule.text().contains("an error"), "{}", rule.text());
}

#[test]
fn a_completion_that_has_not_come_yet_is_undecided() {
    assert_eq!(
        Lines::undecided(Lines::synchronizing(&[ONE])),
        [(
            Rule::SynchronizeCompletedOnce,
            "synchronize_completed has not come, and the trace ends before the handler's life does"
                .to_owned()
        )]
    );
    let over = "synchronize_completed did not come before the callback was taken away; whether the host waited long enough the trace does not tell";
    let expected = [(Rule::SynchronizeCompletedOnce, over.to_owned())];
    assert_eq!(
        Lines::undecided(Lines::synchronizing(&[ONE]).host(TAKEN_AWAY, DONE)),
        expected
    );
    assert_eq!(
        Lines::undecided(
            Lines::synchronizing(&[ONE])
                .host(TAKEN_AWAY, DONE)
                .host(DROPPED, NONE)
        ),
        expected
    );
    // While it is being taken away, its life is not over.
    let time = Lines::synchronizing(&[ONE]).next();
    let lasting = Lines::synchronizing(&[ONE]).host_at((time.0, 0), TAKEN_AWAY, NONE);
    assert!(Lines::undecided(lasting)[0].1.contains("has not come"));
}

#[test]
fn a_completion_of_nothing_is_told() {
    Lines::new()
        .host(&set_callback(1), DONE)
        .handler(&completed("prepare_for_sync", "S_OK"), DONE)
        .says(
            Rule::PrepareCompletedOnce,
            2,
            &[],
            "call 2 calls prepare_for_sync_completed before the host has called what it completes",
        );
    Lines::new().phase("open").complete().complete().says(
        Rule::SynchronizeCompletedOnce,
        2,
        &[1],
        "call 2 calls synchronize_completed again; call 1 had completed synchronize already",
    );
}
