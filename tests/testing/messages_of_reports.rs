//! What the checker says of each breach of the rules of reports, word for word: the calls, the item, and what led there.

// What a case breaks is asserted before its trace is handed out.
#![allow(unused_must_use)]

use support::lines::*;
use syncmgr::testing::Rule;

#[test]
fn h01_names_the_first_report() {
    Lines::synchronizing(&[ONE])
        .report(ONE, SUCCEEDED)
        .says(
            Rule::VerdictBeforeItem,
            7,
            &[],
            r#"call 7 is the first report of "one", and says that it succeeded: nobody was asked whether to start it"#,
        );
    Lines::synchronizing(&[ONE])
        .report(ONE, r#""value":3"#)
        .says(
            Rule::VerdictBeforeItem,
            7,
            &[],
            r#"call 7 is the first report of "one", and has the value 3 already: unless the item is resumed there, it was started without asking"#,
        );
    // A value of 0 says that nothing is done, and the second report may say what it likes.
    Lines::synchronizing(&[ONE])
        .report(ONE, r#""value":0"#)
        .report(ONE, r#""value":3"#)
        .breaks(&[]);
}

#[test]
fn h02_and_h03_name_the_report_that_was_answered_the_cancel() {
    let told = |answer: &str| {
        Lines::synchronizing(&[ONE])
            .handler(&progress(ONE, UPDATING), answer)
            .handler(&progress(ONE, ""), answer)
            .handler(&progress(ONE, r#""value":1"#), answer)
    };
    told(CANCEL).says(
        Rule::StopCancelledItem,
        9,
        &[8],
        r#"call 9 reports more work on "one" although the same thread was answered CancelItem by call 8; one such report may be on its way, a second is a breach"#,
    );
    told(CANCEL_ALL).says(
        Rule::StopAllWhenCancelled,
        9,
        &[8],
        r#"call 9 reports more work on "one" although the same thread was answered CancelAll by call 8; one such report may be on its way, a second is a breach"#,
    );
    // What the second says.
    let second = told(CANCEL_ALL)
        .handler(&progress(ONE, r#""value":2"#), CANCEL_ALL)
        .trace();
    assert_eq!(
        second.violations()[1].message,
        r#"call 10 reports more work on "one" although the same thread was answered CancelAll by call 8, for the second time: call 9 was the first"#,
    );
    // Its final status, and a question.
    Lines::synchronizing(&[ONE])
        .handler(&progress(ONE, UPDATING), CANCEL)
        .handler(&progress(ONE, ""), CANCEL)
        .handler(&progress(ONE, r#""status":"stopped","value":1"#), CANCEL)
        .breaks(&[]);
}

#[test]
fn h02_and_h03_ask_about_an_item_that_succeeds_long_after_its_cancel() {
    let cancelled = |answer: &str| {
        Lines::synchronizing(&[ONE])
            .report(ONE, r#""status":"updating","max":9"#)
            .handler(&progress(ONE, r#""value":3"#), answer)
    };
    for (answer, rule, verdict) in [
        (CANCEL, Rule::StopCancelledItem, "CancelItem"),
        (CANCEL_ALL, Rule::StopAllWhenCancelled, "CancelAll"),
    ] {
        // By another thread than the one that was told, too; what the final report itself says counts.
        for (lines, value) in [
            (
                cancelled(answer).handler(&progress(ONE, SUCCEEDED), answer),
                3,
            ),
            (
                cancelled(answer).handler_at(2, (17, 18), &progress(ONE, SUCCEEDED), answer),
                3,
            ),
            (
                cancelled(answer)
                    .handler(&progress(ONE, r#""status":"succeeded","value":8"#), answer),
                8,
            ),
        ] {
            let trace = lines.breaks(&[rule]);
            let found = &trace.violations()[0];
            assert_eq!((found.at, &found.related_calls[..]), (8, &[7][..]));
            assert!(!found.is_fault() && trace.is_conformant());
            assert_eq!(
                found.message,
                format!(
                    r#"call 9 ends "one" as succeeded, with {value} of 9 reported, although call 8 was answered {verdict}: was the rest done all the same?"#
                )
            );
        }
        // The last piece was done when the cancel came, or nobody knows how much there was; or it was stopped.
        cancelled(answer)
            .handler(&progress(ONE, r#""status":"succeeded","value":9"#), answer)
            .breaks(&[]);
        cancelled(answer)
            .handler(&progress(ONE, r#""status":"failed""#), answer)
            .breaks(&[]);
        Lines::synchronizing(&[ONE])
            .handler(&progress(ONE, UPDATING), answer)
            .handler(&progress(ONE, SUCCEEDED), answer)
            .breaks(&[]);
        // What was told while the final status was on its way came too late.
        Lines::synchronizing(&[ONE])
            .report(ONE, r#""status":"updating","max":9"#)
            .handler_at(2, (15, 18), &progress(ONE, ""), answer)
            .handler_at(1, (16, 17), &progress(ONE, SUCCEEDED), CONTINUE)
            .breaks(&[]);
        // That it worked on says it already.
        let trace = cancelled(answer)
            .handler(&progress(ONE, r#""value":4"#), answer)
            .handler(&progress(ONE, SUCCEEDED), answer)
            .breaks(&[rule]);
        let found = &trace.violations()[0];
        assert_eq!((found.at, found.repeats), (8, 0));
        assert!(found.message.contains("reports more work"), "{trace}");
    }
}

#[test]
fn h04_names_the_prepare_and_the_id_of_an_item_without_a_name() {
    Lines::synchronizing(&[ONE]).report(TWO, UPDATING).says(
        Rule::OnlyPreparedItems,
        7,
        &[4],
        r#"call 7 reports "two"; the prepare of call 4 does not name it, and no add_item did since"#,
    );
    Lines::synchronizing(&[ONE]).report(FOUR, UPDATING).says(
        Rule::OnlyPreparedItems,
        7,
        &[4],
        "call 7 reports unknown item 1 (the id 00000000-0000-0000-0000-000000000004); the prepare of call 4 does not name it, and no add_item did since",
    );
    Lines::synchronizing(&[ONE]).report(NIL, UPDATING).says(
        Rule::OnlyPreparedItems,
        7,
        &[4],
        "call 7 reports the nil item; the prepare of call 4 does not name it, and no add_item did since",
    );
    Lines::new()
        .host(&set_callback(1), DONE)
        .report(TWO, UPDATING)
        .says(
            Rule::OnlyPreparedItems,
            2,
            &[],
            "call 2 reports unknown item 1 (the id 00000000-0000-0000-0000-000000000002); there was no prepare yet",
        );
}

#[test]
fn h14_names_the_skip() {
    let skipped = || Lines::synchronizing(&[ONE]).host(&skip(ONE, "skipped"), DONE);
    skipped().report(ONE, UPDATING).says(
        Rule::SkippedItemNotStarted,
        8,
        &[7],
        r#"call 8 starts "one" after call 7 had told the handler to skip it"#,
    );
    // The skip that was told first counts.
    skipped()
        .host(&skip(ONE, "skipped"), DONE)
        .report(ONE, UPDATING)
        .says(
            Rule::SkippedItemNotStarted,
            9,
            &[7],
            r#"call 9 starts "one" after call 7 had told the handler to skip it"#,
        );
    // A question and a final status start nothing; and what came before the skip had started.
    skipped()
        .report(ONE, "")
        .report(ONE, r#""status":"skipped""#)
        .breaks(&[]);
    Lines::synchronizing(&[ONE])
        .report(ONE, "")
        .host(&skip(ONE, "skipped"), DONE)
        .report(ONE, UPDATING)
        .breaks(&[]);
    // One that asked only after the skip had not started.
    skipped().report(ONE, "").report(ONE, UPDATING).says(
        Rule::SkippedItemNotStarted,
        9,
        &[7],
        r#"call 9 starts "one" after call 7 had told the handler to skip it"#,
    );
}

#[test]
fn h15_names_the_items_that_are_open() {
    let all = [ONE, TWO, THREE];
    Lines::synchronizing(&all)
        .report(ONE, UPDATING)
        .report(TWO, UPDATING)
        .report(TWO, FAILED)
        .complete()
        .says(
            Rule::FinalStatusBeforeCompletion,
            10,
            &[4, 7],
            r#"call 10 completes the synchronization, and 2 items have no final status: "one", "three""#,
        );
    Lines::synchronizing(&[ONE]).complete().says(
        Rule::FinalStatusBeforeCompletion,
        7,
        &[4],
        r#"call 7 completes the synchronization, and 1 item has no final status: "one""#,
    );
    // The last that was said of it may be a log entry.
    let log = format!(
        r#"{{"call":"log_error","record":{{"level":"error","text":"gone","item":"{ONE}"}}}}"#
    );
    let missing = Lines::synchronizing(&[ONE])
        .report(ONE, "")
        .handler(&log, DONE);
    missing.complete().says(
        Rule::FinalStatusBeforeCompletion,
        9,
        &[4, 8],
        r#"call 9 completes the synchronization, and 1 item has no final status: "one""#,
    );
    // Somebody is still at work on one: after the completion (its report is call 10 then), or while it is made.
    for (time, completes, reports, related_calls) in [
        ((21, 22), 9, 10, &[4][..]),
        ((17, 22), 10, 9, &[4, 9]),
        ((17, 19), 10, 9, &[4, 9]),
    ] {
        Lines::synchronizing(&[ONE, TWO])
            .report(ONE, UPDATING)
            .report(ONE, FAILED)
            .handler_at(2, time, &progress(TWO, UPDATING), CONTINUE)
            .handler_at(1, (18, 20), &completed("synchronize", "S_OK"), DONE)
            .says(
                Rule::FinalStatusBeforeCompletion,
                completes,
                related_calls,
                &format!(
                    r#"call {completes} completes the synchronization, and 1 item has no final status: "two"; another thread is still at work on "two", by call {reports}: the last worker is to complete"#,
                ),
            );
    }
    // Five of them, and how many more.
    let ids: Vec<String> = (1..=7)
        .map(|number| format!("00000000-0000-0000-0002-{number:012}"))
        .collect();
    let six: Vec<&str> = ids[..6].iter().map(String::as_str).collect();
    Lines::synchronizing(&six).complete().says(
        Rule::FinalStatusBeforeCompletion,
        7,
        &[4],
        "call 7 completes the synchronization, and 6 items have no final status: unknown item 1, unknown item 2, unknown item 3, unknown item 4, unknown item 5, and 1 more",
    );
    Lines::synchronizing(&six[..5]).complete().says(
        Rule::FinalStatusBeforeCompletion,
        7,
        &[4],
        "call 7 completes the synchronization, and 5 items have no final status: unknown item 1, unknown item 2, unknown item 3, unknown item 4, unknown item 5",
    );
}

#[test]
fn h15_names_the_call_that_brought_the_item_into_the_round() {
    let add = |lines: Lines| {
        let action = format!(r#"{{"call":"add_item","item":{}}}"#, item(FOUR, "four"));
        lines.handler(&action, DONE)
    };
    let ended = |lines: Lines| lines.report(ONE, UPDATING).report(ONE, FAILED);
    let rule = Rule::FinalStatusBeforeCompletion;
    let says = r#"call 10 completes the synchronization, and 1 item has no final status: "four""#;
    add(ended(Lines::synchronizing(&[ONE])))
        .complete()
        .says(rule, 10, &[9], says);
    // Beside one of the prepare.
    add(Lines::synchronizing(&[ONE])).complete().says(
        rule,
        8,
        &[4, 7],
        r#"call 8 completes the synchronization, and 2 items have no final status: "one", "four""#,
    );
    // In a retry it is of the prepare.
    let first = add(ended(Lines::synchronizing(&[ONE]))).report(FOUR, UPDATING);
    first
        .report(FOUR, FAILED)
        .complete()
        .host(&prepare(&[FOUR]), STARTED)
        .handler(&completed("prepare_for_sync", "S_OK"), DONE)
        .host(SYNCHRONIZE, DONE)
        .complete()
        .says(
            rule,
            16,
            &[13],
            r#"call 16 completes the synchronization, and 1 item has no final status: "four""#,
        );
}

#[test]
fn h15_is_judged_once_and_only_of_a_synchronize_that_did_not_fail() {
    Lines::synchronizing(&[ONE]).complete().complete().breaks(&[
        Rule::FinalStatusBeforeCompletion,
        Rule::SynchronizeCompletedOnce,
    ]);
    let answered = |answer: &str| {
        Lines::prepared(&[ONE])
            .phase("synchronizing")
            .host(SYNCHRONIZE, answer)
            .complete()
    };
    answered(&failed("E_FAIL")).breaks(&[Rule::NoSynchronizeCompletedAfterFailure]);
    answered(r#"{"panicked":"boom"}"#).breaks(&[Rule::NoSynchronizeCompletedAfterFailure]);
    // Before any synchronize there is nothing in hand.
    Lines::prepared(&[ONE])
        .complete()
        .breaks(&[Rule::SynchronizeCompletedOnce]);
    // A new round is judged anew.
    let again = Lines::synchronizing(&[ONE])
        .report(ONE, UPDATING)
        .report(ONE, FAILED)
        .complete()
        .host(&prepare(&[ONE]), STARTED)
        .handler(&completed("prepare_for_sync", "S_OK"), DONE)
        .host(SYNCHRONIZE, DONE)
        .complete();
    again.says(
        Rule::FinalStatusBeforeCompletion,
        13,
        &[10],
        r#"call 13 completes the synchronization, and 1 item has no final status: "one""#,
    );
}

#[test]
fn h16_names_the_report_that_ended_the_item() {
    let ended = || {
        Lines::synchronizing(&[ONE])
            .report(ONE, UPDATING)
            .report(ONE, SUCCEEDED)
    };
    ended().report(ONE, r#""value":1,"text":"x""#).says(
        Rule::OnlyFailedAfterFinal,
        9,
        &[8],
        r#"call 9 reports value 1, "x" of "one", which call 8 had ended as succeeded"#,
    );
    // The first of two ends counts.
    ended()
        .report(ONE, FAILED)
        .report(ONE, r#""status":"stopped""#)
        .says(
            Rule::OnlyFailedAfterFinal,
            10,
            &[8],
            r#"call 10 reports stopped of "one", which call 8 had ended as succeeded"#,
        );
    // A question is none.
    ended().report(ONE, "").report(ONE, FAILED).breaks(&[]);
    // An end that was refused is none, and a report that was refused as one after the end is.
    Lines::synchronizing(&[ONE])
        .report(ONE, UPDATING)
        .handler(&progress(ONE, SUCCEEDED), r#"{"refused":"released"}"#)
        .report(ONE, r#""value":1"#)
        .breaks(&[]);
}

#[test]
fn h17_names_what_set_the_value_and_what_set_the_maximum() {
    let updating = || Lines::synchronizing(&[ONE]).report(ONE, UPDATING);
    updating()
        .report(ONE, r#""max":4"#)
        .report(ONE, r#""value":5"#)
        .says(
            Rule::ValueWithinMaximum,
            9,
            &[8],
            r#"call 9 sets "one" to 5 of 4; the value may not exceed the maximum"#,
        );
    updating()
        .report(ONE, r#""value":5"#)
        .report(ONE, r#""max":4"#)
        .says(
            Rule::ValueWithinMaximum,
            9,
            &[8],
            r#"call 9 sets "one" to 5 of 4; the value may not exceed the maximum"#,
        );
    updating().report(ONE, r#""value":5,"max":4"#).says(
        Rule::ValueWithinMaximum,
        8,
        &[],
        r#"call 8 sets "one" to 5 of 4; the value may not exceed the maximum"#,
    );
    // As much as the maximum is not too much; a maximum of 0 is none; where it is not known nothing is.
    updating().report(ONE, r#""value":4,"max":4"#).breaks(&[]);
    updating().report(ONE, r#""value":4,"max":0"#).breaks(&[]);
    updating().report(ONE, r#""value":4"#).breaks(&[]);
    let indeterminate = r#""status":"updating_indeterminate","value":5,"max":4"#;
    updating().report(ONE, indeterminate).breaks(&[]);
    // What was refused did not set it; a text after it sets nothing either.
    updating()
        .report(ONE, r#""max":4"#)
        .handler(&progress(ONE, r#""value":5"#), r#"{"refused":"released"}"#)
        .report(ONE, r#""max":4"#)
        .breaks(&[]);
    updating()
        .report(ONE, indeterminate)
        .report(ONE, r#""text":"x""#)
        .breaks(&[]);
    // The end of the status that allowed it is a question.
    updating()
        .report(ONE, indeterminate)
        .report(ONE, UPDATING)
        .report(ONE, r#""text":"x""#)
        .says(
            Rule::ValueWithinMaximum,
            9,
            &[8],
            r#"call 9 ends the status updating_indeterminate, which leaves "one" at 5 of 4; the value may not exceed the maximum"#,
        );
}

#[test]
fn without_the_hosts_calls_it_is_said_what_is_not_known() {
    let alone = Lines::new()
        .phase("open")
        .report(ONE, UPDATING)
        .report(ONE, FAILED)
        .complete()
        .report(TWO, UPDATING);
    assert_eq!(
        Lines::undecided(alone),
        [
            (
                Rule::OnlyPreparedItems,
                "the trace does not have the host's calls, so what was prepared is not known".to_owned()
            ),
            (
                Rule::SynchronizeCompletedOnce,
                "the trace does not have the host's calls, so what was due is not known".to_owned()
            ),
            (
                Rule::FinalStatusBeforeCompletion,
                "the trace does not have the list of items: those that were never reported are not known".to_owned()
            ),
        ]
    );
    // What was reported takes part.
    Lines::new()
        .phase("open")
        .report(ONE, UPDATING)
        .complete()
        .says(
            Rule::FinalStatusBeforeCompletion,
            2,
            &[1],
            "call 2 completes the synchronization, and 1 item has no final status: unknown item 1",
        );
}

#[test]
fn h15_counts_an_end_that_has_not_returned_and_none_that_was_refused() {
    let ends = |answer: &str, returned: bool| {
        let lines = Lines::synchronizing(&[ONE]).report(ONE, UPDATING);
        let (begun, ended) = lines.next();
        let time = (begun, if returned { ended } else { 0 });
        lines
            .handler_at(2, time, &progress(ONE, FAILED), answer)
            .complete()
    };
    ends(CONTINUE, true).breaks(&[]);
    ends(NONE, false).breaks(&[]);
    let refused = ends(r#"{"refused":"released"}"#, true);
    refused.breaks(&[Rule::FinalStatusBeforeCompletion]);
}

#[test]
fn h15_is_judged_while_synchronize_lasts() {
    let lines = Lines::prepared(&[ONE]).phase("synchronizing");
    let (begun, _) = lines.next();
    let lasts = lines.host_at((begun, 0), SYNCHRONIZE, NONE);
    lasts.complete().says(
        Rule::FinalStatusBeforeCompletion,
        7,
        &[4],
        r#"call 7 completes the synchronization, and 1 item has no final status: "one""#,
    );
}

#[test]
fn h16_of_two_ends_that_overlap_the_one_that_returned_first_counts() {
    let ends = |first: (u64, u64), second: (u64, u64)| {
        Lines::synchronizing(&[ONE])
            .handler_at(1, (13, 14), &progress(ONE, UPDATING), CONTINUE)
            .handler_at(1, first, &progress(ONE, SUCCEEDED), CONTINUE)
            .handler_at(2, second, &progress(ONE, FAILED), CONTINUE)
            .handler_at(3, (25, 26), &progress(ONE, r#""value":1"#), CONTINUE)
    };
    let says = |lines: Lines, end: usize, status: &str| {
        lines.says(
            Rule::OnlyFailedAfterFinal,
            10,
            &[end],
            &format!(r#"call 10 reports value 1 of "one", which call {end} had ended as {status}"#),
        );
    };
    says(ends((15, 30), (16, 17)), 9, "failed");
    says(ends((15, 18), (16, 30)), 8, "succeeded");
    says(ends((15, 18), (16, 17)), 9, "failed");
    ends((15, 30), (16, 31)).breaks(&[]);
}

#[test]
fn h17_is_not_judged_of_reports_that_overlap_one_that_began_long_before() {
    // The maximum is being set by a call that began before many others, and has not returned.
    let lines = Lines::synchronizing(&[ONE]).report(ONE, r#""status":"updating","max":4"#);
    let (begun, _) = lines.next();
    let lasts = |ended: u64| {
        let lines = lines.clone();
        let raises = progress(ONE, r#""max":9"#);
        let answer = if ended == 0 { NONE } else { CONTINUE };
        lines.handler_at(2, (begun, ended), &raises, answer)
    };
    let asked = (0..40).fold(lasts(0), |lines, value| {
        lines.report(ONE, &format!(r#""value":{}"#, value % 4))
    });
    let (late, _) = asked.next();
    asked.report(ONE, r#""value":5"#).breaks(&[]);
    // It has returned just before, or just after.
    let returned = |ended: u64| {
        let asked = (1..40).fold(lasts(ended), |lines, value| {
            let time = (begun + 2 * value, begun + 2 * value + 1);
            lines.handler_at(1, time, &progress(ONE, r#""value":1"#), CONTINUE)
        });
        asked.handler_at(
            1,
            (late, late + 2),
            &progress(ONE, r#""value":10"#),
            CONTINUE,
        )
    };
    returned(late + 1).breaks(&[]);
    returned(late - 1).breaks(&[Rule::ValueWithinMaximum]);
}
