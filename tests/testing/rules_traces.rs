//! What the checker makes of calls that overlap, that have not returned, that were refused: on traces written by hand, where each
//! call has just the place in time that the case needs.

// What a case breaks is asserted before its trace is handed out.
#![allow(unused_must_use)]

use syncmgr::testing::{Incident, Rule, Trace};

/// Two ids as a trace writes them.
const ONE: &str = "00000000-0000-0000-0000-000000000001";
const TWO: &str = "00000000-0000-0000-0000-000000000002";

/// A trace to be.
#[derive(Clone, Default)]
struct Lines {
    calls: Vec<(u64, String)>,
}

impl Lines {
    /// A call on a thread, from begin to end; an end of 0: it has not returned. One of the handler is on callback 1.
    fn call(
        mut self,
        thread: u32,
        time: (u64, u64),
        phase: &str,
        action: &str,
        answer: &str,
    ) -> Self {
        let ended = match time.1 {
            0 => "null".to_owned(),
            ended => ended.to_string(),
        };
        let begun = time.0;
        self.calls.push((
            begun,
            format!(
                r#"{{"thread":{thread},"phase":"{phase}","begun":{begun},"ended":{ended},"callback":1,"action":{action},"answer":{answer}}}"#
            ),
        ));
        self
    }

    /// A call of the host, on thread 0.
    fn host(self, time: (u64, u64), action: &str, answer: &str) -> Self {
        let with = self.call(0, time, "synchronizing", action, answer);
        Self {
            calls: with
                .calls
                .into_iter()
                .map(|(begun, line)| {
                    (
                        begun,
                        if begun == time.0 {
                            line.replace(r#""callback":1,"#, "")
                        } else {
                            line
                        },
                    )
                })
                .collect(),
        }
    }

    /// The beginning of a life with both items prepared; it takes the times 1 to 8.
    fn begun() -> Self {
        Self::default()
            .host(
                (1, 2),
                r#"{"call":"initialize","flags":3,"cookie":null}"#,
                r#"{"participation":"joins"}"#,
            )
            .host(
                (3, 4),
                r#"{"call":"set_progress_callback","set":1}"#,
                r#""done""#,
            )
            .host(
                (5, 8),
                &format!(r#"{{"call":"prepare_for_sync","items":["{ONE}","{TWO}"]}}"#),
                r#"{"prepared":"started"}"#,
            )
            .call(
                1,
                (6, 7),
                "preparing",
                r#"{"call":"prepare_for_sync_completed","result":"S_OK"}"#,
                r#""done""#,
            )
    }

    /// The same, synchronizing; it takes the times 1 to 10.
    fn synchronizing() -> Self {
        Self::begun().host((9, 10), r#"{"call":"synchronize"}"#, r#""done""#)
    }

    fn report(self, thread: u32, time: (u64, u64), item: &str, update: &str, answer: &str) -> Self {
        let action = format!(r#"{{"call":"progress","item":"{item}","update":{{{update}}}}}"#);
        self.call(thread, time, "synchronizing", &action, answer)
    }

    fn completed(self, time: (u64, u64)) -> Self {
        let action = r#"{"call":"synchronize_completed","result":"S_OK"}"#;
        self.call(1, time, "synchronizing", action, r#""done""#)
    }

    fn trace(mut self) -> Trace {
        self.calls.sort();
        let mut text = "{\"syncmgr_trace\":1}\n".to_owned();
        for (_, line) in &self.calls {
            text.push_str(line);
            text.push('\n');
        }
        Trace::from_json_lines(&text).unwrap()
    }

    #[track_caller]
    fn breaks(self, wanted: &[Rule]) -> Trace {
        let trace = self.trace();
        let rules: Vec<Rule> = trace.violations().iter().map(|found| found.rule).collect();
        assert_eq!(rules, wanted, "{trace}");
        trace
    }
}

const CONTINUE: &str = r#"{"verdict":"continue"}"#;
const CANCEL: &str = r#"{"verdict":"cancel_item"}"#;
const UPDATING: &str = r#""status":"updating""#;
const SUCCEEDED: &str = r#""status":"succeeded""#;

/// Both items asked about and done, at the times 11 to 18.
fn done() -> Lines {
    Lines::synchronizing()
        .report(1, (11, 12), ONE, UPDATING, CONTINUE)
        .report(1, (13, 14), ONE, SUCCEEDED, CONTINUE)
        .report(1, (15, 16), TWO, UPDATING, CONTINUE)
        .report(1, (17, 18), TWO, SUCCEEDED, CONTINUE)
}

#[test]
fn a_second_completion_is_one_too_many_also_while_the_call_lasts() {
    let lasting = |again: bool| {
        let lines = Lines::begun()
            .host((9, 0), r#"{"call":"synchronize"}"#, r#""none""#)
            .report(1, (11, 12), ONE, UPDATING, CONTINUE)
            .report(1, (13, 14), ONE, SUCCEEDED, CONTINUE)
            .report(1, (15, 16), TWO, UPDATING, CONTINUE)
            .report(1, (17, 18), TWO, SUCCEEDED, CONTINUE)
            .completed((19, 20));
        if again {
            lines.completed((21, 22))
        } else {
            lines
        }
    };
    lasting(false).breaks(&[]);
    let trace = lasting(true).breaks(&[Rule::SynchronizeCompletedOnce]);
    assert_eq!(trace.violations()[0].related_calls.len(), 2);
}

#[test]
fn a_completion_that_comes_after_the_host_gave_up_is_missing() {
    let gave_up =
        |lines: Lines, at: u64| lines.host((at, at + 1), r#"{"call":"gave_up"}"#, r#""none""#);
    let trace = gave_up(done(), 19)
        .completed((21, 22))
        .breaks(&[Rule::SynchronizeCompletedOnce]);
    let found = &trace.violations()[0];
    assert_eq!(
        trace.calls()[found.at].action.name(),
        "synchronize",
        "{trace}"
    );
    // What the handler did last is call 9 of the timeline: the last report.
    assert!(
        found.message.contains("its last call was call 9"),
        "{}",
        found.message
    );
    assert!(found.related_calls.contains(&8), "{trace}");
    gave_up(done().completed((19, 20)), 21).breaks(&[]);
    // Given up before: of what was begun after that nothing is known.
    let before = Lines::default()
        .host((1, 2), r#"{"call":"gave_up"}"#, r#""none""#)
        .host(
            (3, 4),
            r#"{"call":"set_progress_callback","set":1}"#,
            r#""done""#,
        )
        .host(
            (5, 6),
            &format!(r#"{{"call":"prepare_for_sync","items":["{ONE}"]}}"#),
            r#"{"prepared":"started"}"#,
        );
    let trace = before.breaks(&[]);
    assert_eq!(trace.undecided()[0].rule, Rule::PrepareCompletedOnce);
}

#[test]
fn a_call_of_the_host_that_has_not_returned_when_it_gives_up_is_an_incident() {
    let lasting = Lines::begun().host((9, 0), r#"{"call":"synchronize"}"#, r#""none""#);
    assert_eq!(lasting.trace().incidents(), []);
    let trace = Lines::begun()
        .host((9, 0), r#"{"call":"synchronize"}"#, r#""none""#)
        .report(1, (11, 0), ONE, UPDATING, r#""none""#)
        .host((13, 14), r#"{"call":"gave_up"}"#, r#""none""#)
        .trace();
    assert_eq!(
        trace.incidents(),
        [Incident::DidNotReturn { at: 4 }],
        "{trace}"
    );
}

#[test]
fn nothing_is_due_once_the_callback_is_released() {
    let released = |lines: Lines, at: u64| {
        lines.host((at, at + 1), r#"{"call":"callback_released"}"#, r#""none""#)
    };
    let half = || Lines::synchronizing().report(1, (11, 12), ONE, UPDATING, CONTINUE);
    half()
        .completed((19, 20))
        .breaks(&[Rule::FinalStatusBeforeCompletion]);
    released(half(), 15).completed((19, 20)).breaks(&[]);
    released(half().completed((19, 20)), 21).breaks(&[Rule::FinalStatusBeforeCompletion]);
}

#[test]
fn an_item_that_is_added_counts_from_when_it_was_taken() {
    const LATE: &str = "00000000-0000-0000-0000-000000000003";
    let add =
        format!(r#"{{"call":"add_item","item":{{"id":"{LATE}","name":"late","checked":true}}}}"#);
    let with = |time: (u64, u64), answer: &str| {
        done()
            .call(2, time, "synchronizing", &add, answer)
            .report(1, (25, 26), LATE, UPDATING, CONTINUE)
            .report(1, (27, 28), LATE, SUCCEEDED, CONTINUE)
    };
    with((19, 20), r#""done""#).breaks(&[]);
    with((19, 0), r#""none""#).breaks(&[]);
    with((19, 20), r#"{"refused":"invalid_argument"}"#).breaks(&[Rule::OnlyPreparedItems]);
    // A completion that begins while the item is being added may be the earlier one.
    let added = |time: (u64, u64)| {
        done()
            .call(2, time, "synchronizing", &add, r#""done""#)
            .completed((25, 26))
    };
    added((19, 20)).breaks(&[Rule::FinalStatusBeforeCompletion]);
    added((19, 30)).breaks(&[]);
}

#[test]
fn a_retry_names_what_was_listed_or_added_and_other_outcomes_name_nothing() {
    let items = format!(
        r#"{{"list":{{"complete":true,"items":[{{"id":"{ONE}","name":"one","checked":true}},{{"id":"{TWO}","name":"two","checked":true}}]}}}}"#
    );
    let add = r#"{"call":"add_item","item":{"id":"00000000-0000-0000-0000-000000000003","name":"late","checked":true}}"#;
    let with = |added: &str, result: &str| {
        done()
            .host((19, 20), r#"{"call":"items"}"#, &items)
            .call(1, (21, 22), "synchronizing", add, added)
            .host((31, 34), r#"{"call":"show_error","error":"00000000-0000-0000-0000-000000000009"}"#, r#""done""#)
            .call(1, (32, 33), "completed",
                &format!(r#"{{"call":"show_error_completed","result":"{result}","items":["00000000-0000-0000-0000-000000000003"]}}"#),
                r#""done""#)
            .call(1, (23, 24), "synchronizing",
                r#"{"call":"log_error","record":{"level":"error","text":"x","error_id":"00000000-0000-0000-0000-000000000009","flags":1}}"#,
                r#""done""#)
    };
    let refused = r#"{"refused":"invalid_argument"}"#;
    with(r#""done""#, "S_SYNCMGR_RETRYSYNC").breaks(&[]);
    with(refused, "S_SYNCMGR_RETRYSYNC").breaks(&[Rule::RetryOnlyKnownItems]);
    with(refused, "S_OK").breaks(&[]);
}

fn dialog(lines: Lines, thread: u32, time: (u64, u64), enable: bool, answer: &str) -> Lines {
    let action = format!(r#"{{"call":"enable_modeless","enable":{enable}}}"#);
    let answer = format!(r#"{{"dialog":"{answer}"}}"#);
    lines.call(thread, time, "completed", &action, &answer)
}

#[test]
fn of_two_dialogs_that_are_asked_for_neither_is_a_breach_and_each_grant_is_given_back() {
    let overlapping = dialog(Lines::synchronizing(), 1, (11, 14), true, "granted");
    let overlapping = dialog(overlapping, 2, (12, 13), true, "denied");
    dialog(overlapping, 1, (15, 16), false, "granted").breaks(&[]);
    let apart = dialog(Lines::synchronizing(), 1, (11, 12), true, "granted");
    let apart = dialog(apart, 2, (13, 14), true, "denied");
    let once = dialog(apart, 1, (15, 16), false, "granted");
    once.clone().breaks(&[]);
    dialog(once, 1, (17, 18), false, "granted").breaks(&[Rule::DialogTurns]);
    // Two that were granted at once are the host's matter only where one was before the other.
    let both = dialog(Lines::synchronizing(), 1, (11, 14), true, "granted");
    let both = dialog(both, 2, (12, 13), true, "granted");
    let trace = dialog(both, 1, (15, 16), false, "granted").trace();
    assert!(!trace.breaks(Rule::OneDialogAtATime), "{trace}");
}

#[test]
fn whether_the_user_may_be_bothered_is_asked_only_where_it_matters() {
    let without_initialize = |phase: &str| {
        let lines = Lines::default().host(
            (1, 2),
            r#"{"call":"info"}"#,
            r#"{"info":{"name":"x","flags":0}}"#,
        );
        let action = r#"{"call":"enable_modeless","enable":true}"#;
        lines
            .call(1, (3, 4), phase, action, r#"{"dialog":"denied"}"#)
            .trace()
    };
    let undecided = |trace: &Trace| {
        let mut undecided = trace.undecided().iter();
        undecided.any(|undecided| undecided.rule == Rule::NoDialogUnlessMayBother)
    };
    assert!(undecided(&without_initialize("preparing")));
    assert!(!undecided(&without_initialize("completed")));
}

#[test]
fn a_skip_is_told_while_a_step_that_was_begun_well_is_in_hand() {
    let skip = format!(r#"{{"call":"set_item_status","item":"{ONE}","status":"skipped"}}"#);
    let prepared = |answer: &str| {
        Lines::default()
            .host(
                (1, 2),
                r#"{"call":"set_progress_callback","set":1}"#,
                r#""done""#,
            )
            .host(
                (3, 4),
                &format!(r#"{{"call":"prepare_for_sync","items":["{ONE}"]}}"#),
                answer,
            )
            .host((5, 6), &skip, r#""done""#)
    };
    prepared(r#"{"prepared":"started"}"#).breaks(&[]);
    prepared(r#"{"failed":{"code":"E_FAIL","text":"x"}}"#).breaks(&[Rule::SkipInItsWindows]);
    prepared(r#"{"prepared":"needs_user"}"#).breaks(&[Rule::SkipInItsWindows]);
}

#[test]
fn a_connection_stays_open_from_the_prepare_to_the_completion() {
    let closed = |lines: Lines, at: u64| {
        lines.host(
            (at, at + 1),
            r#"{"call":"connection_closed","name":"office"}"#,
            r#""none""#,
        )
    };
    let rule = &[Rule::ConnectionsOutliveHandlers][..];
    let trace = closed(Lines::begun(), 19).breaks(rule); // prepared, and not yet synchronized
    assert!(
        trace.violations()[0].message.contains("\"office\""),
        "{trace}"
    );
    closed(Lines::synchronizing(), 19).breaks(rule);
    closed(
        Lines::begun().host((9, 0), r#"{"call":"synchronize"}"#, r#""none""#),
        19,
    )
    .breaks(rule);
    closed(done().completed((19, 0)), 21).breaks(&[]);
    let failed = Lines::begun().host(
        (9, 10),
        r#"{"call":"synchronize"}"#,
        r#"{"failed":{"code":"E_FAIL","text":"x"}}"#,
    );
    closed(failed, 19).breaks(&[]);
    for over in ["gave_up", "callback_released"] {
        let call = format!(r#"{{"call":"{over}"}}"#);
        let lines = done().host((19, 20), &call, r#""none""#);
        let trace = closed(lines, 21).trace();
        assert!(
            !trace.breaks(Rule::ConnectionsOutliveHandlers),
            "{over}: {trace}"
        );
    }
}

fn cancel(lines: Lines, time: (u64, u64), answer: &str) -> Lines {
    lines.host(
        time,
        &format!(r#"{{"call":"cancel_item","item":"{ONE}"}}"#),
        answer,
    )
}

#[test]
fn a_cancel_is_seen_once_the_first_of_them_has_returned() {
    let rule = &[Rule::CancelIsSeen][..];
    let report = |lines: Lines| lines.report(1, (17, 18), ONE, UPDATING, CONTINUE);
    let done = r#""done""#;
    report(cancel(Lines::synchronizing(), (11, 12), done)).breaks(rule);
    report(cancel(Lines::synchronizing(), (11, 20), done)).breaks(&[]);
    report(cancel(
        Lines::synchronizing(),
        (11, 12),
        r#"{"refused":"unknown_item"}"#,
    ))
    .breaks(&[]);
    // Two at once, the one that began first returns last, or first.
    let outer = cancel(
        cancel(Lines::synchronizing(), (11, 30), done),
        (12, 13),
        done,
    );
    assert_eq!(
        report(outer).breaks(rule).violations()[0].related_calls,
        [6]
    );
    let inner = cancel(
        cancel(Lines::synchronizing(), (11, 12), done),
        (13, 30),
        done,
    );
    assert_eq!(
        report(inner).breaks(rule).violations()[0].related_calls,
        [5]
    );
    // What one report was answered, the next one is answered too, on whatever thread.
    let answered = Lines::synchronizing().report(1, (11, 12), ONE, UPDATING, CANCEL);
    answered.report(2, (13, 14), ONE, "", CONTINUE).breaks(rule);
    let overlapping = Lines::synchronizing().report(1, (11, 14), ONE, UPDATING, CANCEL);
    overlapping
        .report(2, (12, 13), ONE, "", CONTINUE)
        .breaks(&[]);
}

#[test]
fn of_two_reports_that_overlap_neither_came_after_the_end() {
    let ends = |time: (u64, u64)| {
        Lines::synchronizing()
            .report(1, (11, 12), ONE, UPDATING, CONTINUE)
            .report(1, time, ONE, SUCCEEDED, CONTINUE)
    };
    ends((13, 14))
        .report(2, (15, 16), ONE, r#""value":0"#, CONTINUE)
        .breaks(&[Rule::OnlyFailedAfterFinal]);
    ends((13, 16))
        .report(2, (14, 15), ONE, r#""value":0"#, CONTINUE)
        .breaks(&[]);
    // But the host's answer tells which came first.
    let refused = r#"{"refused":"item_finished"}"#;
    let trace = ends((13, 16))
        .report(2, (14, 15), ONE, r#""value":0"#, refused)
        .breaks(&[Rule::OnlyFailedAfterFinal]);
    let found = &trace.violations()[0];
    assert!(
        found.message.starts_with("call 8 reports value 0 of"),
        "{}",
        found.message
    );
    assert!(
        found
            .message
            .contains("which call 7 had ended as succeeded"),
        "{}",
        found.message
    );
}

#[test]
fn of_two_reports_that_overlap_neither_made_the_value_too_high() {
    let told = |time: (u64, u64)| {
        Lines::synchronizing()
            .report(
                1,
                (11, 12),
                ONE,
                r#""status":"updating","max":10"#,
                CONTINUE,
            )
            .report(1, time, ONE, r#""max":20"#, CONTINUE)
    };
    told((13, 14))
        .report(2, (15, 16), ONE, r#""value":15"#, CONTINUE)
        .breaks(&[]);
    told((15, 16))
        .report(2, (13, 14), ONE, r#""value":15"#, CONTINUE)
        .breaks(&[Rule::ValueWithinMaximum]);
    told((14, 15))
        .report(2, (13, 16), ONE, r#""value":15"#, CONTINUE)
        .breaks(&[]);
}

#[test]
fn a_skip_binds_from_when_the_call_has_returned() {
    let skip = format!(r#"{{"call":"set_item_status","item":"{ONE}","status":"skipped"}}"#);
    let starts = |time: (u64, u64)| {
        Lines::synchronizing()
            .host((11, 14), &skip, r#""done""#)
            .report(1, time, ONE, UPDATING, CANCEL)
    };
    starts((15, 16)).breaks(&[Rule::SkippedItemNotStarted]);
    starts((12, 13)).breaks(&[]);
}

#[test]
fn what_has_not_returned_binds_nobody() {
    let none = r#""none""#;
    let report = |lines: Lines| lines.report(1, (17, 18), ONE, UPDATING, CONTINUE);
    // A cancel of everything, beside one that has returned.
    let cancel_all =
        |time: (u64, u64)| Lines::synchronizing().host(time, r#"{"call":"cancel_all"}"#, none);
    report(cancel_all((11, 12))).breaks(&[Rule::CancelIsSeen]);
    report(cancel_all((11, 0))).breaks(&[]);
    // A report that was told of one, as far as its answer goes.
    let told = |time: (u64, u64)| Lines::synchronizing().report(2, time, ONE, "", CANCEL);
    report(told((11, 12))).breaks(&[Rule::CancelIsSeen]);
    report(told((11, 0))).breaks(&[]);
    // A skip.
    let skip = format!(r#"{{"call":"set_item_status","item":"{ONE}","status":"skipped"}}"#);
    let skipped = |time: (u64, u64), answer: &str| {
        let lines = Lines::synchronizing().host(time, &skip, answer);
        lines.report(1, (17, 18), ONE, UPDATING, CANCEL)
    };
    skipped((11, 12), r#""done""#).breaks(&[Rule::SkippedItemNotStarted]);
    skipped((11, 0), none).breaks(&[]);
}
