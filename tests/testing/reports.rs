//! The report of a trace, which a failing test shows: which calls stand there, and what is left out.

use support::lines::*;
use syncmgr::testing::{Incident, Rule, Trace};

/// What stands in the first column of the calls that a report shows: their numbers, `...` where some are left out, and `-` for
/// an end on a line of its own.
fn shown(trace: &Trace) -> String {
    let report = trace.report().to_string();
    let (_, calls) = report.rsplit_once("\n\n").unwrap_or_default();
    let numbers = calls.lines().skip(1).map(|line| {
        let number = line.get(..5).unwrap_or(line).trim();
        if number.is_empty() { "-" } else { number }
    });
    numbers.collect::<Vec<_>>().join(" ")
}

/// One item in work, which is asked about as often as this: eight calls and those.
fn asked(times: usize) -> Lines {
    let lines = Lines::synchronizing(&[ONE]).report(ONE, UPDATING);
    (0..times).fold(lines, |lines, _| lines.report(ONE, ""))
}

/// The same, and then the value exceeds the maximum.
fn too_much(lines: Lines) -> Lines {
    lines.report(ONE, r#""max":1,"value":2"#)
}

#[test]
fn a_report_shows_the_breach_and_four_calls_on_each_side() {
    let around = |before: usize, after: usize| {
        let lines = too_much(asked(before));
        let trace = (0..after)
            .fold(lines, |lines, _| lines.report(ONE, ""))
            .breaks(&[Rule::ValueWithinMaximum]);
        shown(&trace)
    };
    // The breach is call 8 and those before.
    assert_eq!(around(3, 3), "... 7 8 9 10 11 12 13 14");
    assert_eq!(around(3, 4), "... 7 8 9 10 11 12 13 14 15");
    assert_eq!(around(3, 5), "... 7 8 9 10 11 12 13 14 15 ...");
    assert_eq!(around(3, 0), "... 7 8 9 10 11");
}

#[test]
fn a_report_begins_with_the_first_call_where_the_breach_is_near_it() {
    let late = |before: usize| {
        let lines = Lines::new().host(&set_callback(1), DONE);
        let lines = (1..before).fold(lines, |lines, _| lines.host(r#"{"call":"info"}"#, NONE));
        // Without a completion before.
        let lines = lines.host(SYNCHRONIZE, DONE);
        shown(&lines.breaks(&[Rule::SynchronizeAfterPrepare]))
    };
    assert_eq!(late(1), "1 2");
    assert_eq!(late(4), "1 2 3 4 5");
    assert_eq!(late(5), "... 2 3 4 5 6");
}

#[test]
fn a_report_shows_what_led_to_a_breach_and_leaves_out_what_is_between() {
    let apart = |between: usize| {
        let lines = asked(0).handler(&with("can_continue", "item", ONE), CANCEL);
        // What another thread is told counts for that one alone.
        let lines = (0..between).fold(lines, |lines, _| {
            let time = lines.clone().next();
            lines.handler_at(2, time, &progress(ONE, ""), CANCEL)
        });
        let trace = lines
            .handler(&progress(ONE, UPDATING), CANCEL)
            .breaks(&[Rule::StopCancelledItem]);
        shown(&trace)
    };
    // Call 8 is told, and then comes so much before the breach.
    assert_eq!(apart(0), "... 4 5 6 7 8 9");
    assert_eq!(apart(8), "... 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
    assert_eq!(apart(9), "... 4 5 6 7 8 9 10 11 12 ... 14 15 16 17 18");
}

#[test]
fn the_text_of_a_report() {
    let trace = too_much(asked(0))
        .report(ONE, r#""value":3"#)
        .report(ONE, r#""value":4"#)
        .breaks(&[Rule::ValueWithinMaximum]);
    let text = r#"10 calls: 1 breach

H17 (must) at call 8, on thread 1, synchronizing
  happened:  call 8 sets "one" to 2 of 1; the value may not exceed the maximum
             and the same 2 more times
  the rule:  the value does not exceed the maximum, unless the status is UpdatingIndeterminate
  instead:   raise the maximum in the same report, or use UpdatingIndeterminate while it is not known
  source:    this crate; ReportProgress of syncmgr.h (steps ignored)

    #  thread     phase          call
  ...
    4  host       preparing      prepare_for_sync("one") -> Started
    5  thread 1   preparing      prepare_for_sync_completed(S_OK) -> ok
    6  host       synchronizing  synchronize() -> ok
    7  thread 1   synchronizing  progress("one", updating) -> Continue
    8  thread 1   synchronizing  progress("one", value 2, max 1) -> Continue    <- H17
    9  thread 1   synchronizing  progress("one", value 3) -> Continue
   10  thread 1   synchronizing  progress("one", value 4) -> Continue
"#;
    assert_eq!(trace.report().to_string(), text);
}

#[test]
fn the_same_breach_once_more_is_counted() {
    let times = |more: usize| {
        let lines = (0..more).fold(too_much(asked(0)), |lines, value| {
            lines.report(ONE, &format!(r#""value":{}"#, value + 3))
        });
        let report = lines
            .breaks(&[Rule::ValueWithinMaximum])
            .report()
            .to_string();
        let mut lines = report.lines().filter(|line| line.contains("and the same"));
        lines.next().map(str::to_owned)
    };
    assert_eq!(times(0), None);
    assert_eq!(
        times(1).as_deref(),
        Some("             and the same 1 more time")
    );
    assert_eq!(
        times(2).as_deref(),
        Some("             and the same 2 more times")
    );
}

#[test]
fn of_more_than_ten_breaches_ten_are_shown_and_how_many_more() {
    let breaches = |count: u32| {
        let lines = (0..count).fold(Lines::synchronizing(&[ONE]), |lines, number| {
            // Items of which nobody has heard.
            let item = format!("00000000-0000-0000-0001-{number:012}");
            (0..9)
                .fold(lines, |lines, _| lines.report(ONE, UPDATING))
                .report(&item, UPDATING)
        });
        let trace = lines.trace();
        assert_eq!(trace.violations().len(), count as usize);
        let report = trace.report().to_string();
        let texts = report.matches("\nH04 (must)").count();
        let more = report.lines().find(|line| line.starts_with("and "));
        // The calls around the breaches that are shown.
        let calls = shown(&trace)
            .split(' ')
            .filter(|word| *word != "...")
            .count();
        (texts, more.map(str::to_owned), calls)
    };
    let (ten, one, two) = (breaches(10), breaches(11), breaches(12));
    assert_eq!((ten.0, ten.1), (10, None));
    assert_eq!((one.0, one.1.as_deref()), (10, Some("and 1 breach more")));
    assert_eq!((two.0, two.1.as_deref()), (10, Some("and 2 breaches more")));
    // Nine around each, and the eight around the prepare that led to them; none follow the tenth where it is the last call.
    assert_eq!((ten.2, one.2, two.2), (94, 98, 98));
}

#[test]
fn the_head_counts_breaches_questions_and_incidents() {
    let head = |lines: Lines| {
        let trace = lines.trace();
        let report = trace.report().to_string();
        assert_eq!(report.lines().next(), trace.to_string().lines().next());
        report.lines().next().unwrap_or_default().to_owned()
    };
    let round = || Lines::synchronizing(&[ONE, TWO]);
    assert_eq!(head(round()), "6 calls: no rule is broken");
    assert_eq!(
        head(Lines::new().host(SYNCHRONIZE, DONE)),
        "1 call: 1 breach"
    );
    // A first report with a value is a question.
    let one = round().report(ONE, r#""value":1"#);
    assert_eq!(head(one.clone()), "7 calls: 0 breaches, 1 question");
    let two = one.report(TWO, r#""value":1"#);
    assert_eq!(head(two.clone()), "8 calls: 0 breaches, 2 questions");
    let boom = r#"{"panicked":"boom"}"#;
    let panicked = two.host(r#"{"call":"info"}"#, boom);
    assert_eq!(
        head(panicked.clone()),
        "9 calls: 0 breaches, 2 questions, 1 incident"
    );
    let again = panicked.host(r#"{"call":"info"}"#, boom);
    assert_eq!(
        head(again),
        "10 calls: 0 breaches, 2 questions, 2 incidents"
    );
    let alone = round().host(r#"{"call":"info"}"#, boom);
    assert_eq!(head(alone), "7 calls: 0 breaches, 1 incident");
}

#[test]
fn incidents_are_shown_with_their_calls() {
    let lines = Lines::prepared(&[ONE])
        .host(r#"{"call":"info"}"#, r#"{"panicked":"boom"}"#)
        .phase("synchronizing");
    let lines = (0..9).fold(lines, |lines, _| lines.host(r#"{"call":"info"}"#, NONE));
    let time = lines.clone().next();
    let trace = lines
        .host_at((time.0, 0), SYNCHRONIZE, NONE)
        .host(GAVE_UP, NONE)
        .trace();
    assert_eq!(
        trace.incidents(),
        [
            Incident::Panicked {
                at: 5,
                text: "boom".to_owned()
            },
            Incident::DidNotReturn { at: 15 },
        ],
        "{trace}"
    );
    let report = trace.report().to_string();
    let (text, _) = report.rsplit_once("\n\n").unwrap();
    assert_eq!(
        text,
        "17 calls: 0 breaches, 2 incidents\n\n\
         info (call 6) panicked: boom\n\n\
         synchronize (call 16) had not returned when the host gave up waiting; it has to return soon and to work on threads of its own; does it wait for a lock that it holds itself?"
    );
    assert_eq!(
        shown(&trace),
        "... 2 3 4 5 6 7 8 9 10 ... 12 13 14 15 16 17"
    );
}

#[test]
fn the_whole_text_of_a_trace() {
    let trace = Lines::synchronizing(&[ONE])
        .handler(&completed("synchronize", "S_OK"), DONE)
        .report(TWO, UPDATING)
        .handler(&modeless(true), r#"{"dialog":"granted"}"#)
        .host(r#"{"call":"info"}"#, r#"{"panicked":"boom"}"#)
        .trace();
    let text = r#"10 calls: 3 breaches, 1 incident
    #  thread     phase          call
    1  host       idle           initialize(manual) -> Joins
    2  host       idle           items() -> complete: "one", "two", "three"
    3  host       idle           set_progress_callback(callback 1) -> ok
    4  host       preparing      prepare_for_sync("one") -> Started
    5  thread 1   preparing      prepare_for_sync_completed(S_OK) -> ok
    6  host       synchronizing  synchronize() -> ok
    7  thread 1   synchronizing  synchronize_completed(S_OK) -> ok    <- H15
    8  thread 1   synchronizing  progress("two", updating) -> Continue    <- H04
    9  thread 1   synchronizing  enable_modeless(true) -> Granted    <- H12
   10  host       synchronizing  info() -> panicked: "boom"

H15 (must) at call 7, on thread 1, synchronizing
  happened:  call 7 completes the synchronization, and 1 item has no final status: "one"
  the rule:  give every item of the round a final status before synchronize_completed
  led by:    call 4, on host: prepare_for_sync("one") -> Started
  instead:   report Succeeded, Failed, Skipped, Stopped or Deleted for each item of the prepare, also for those that a cancel kept from being started
  source:    the remarks on ISyncMgrSyncCallback of syncmgr.h; the list of final statuses is this crate's

H04 (must) at call 8, on thread 1, synchronizing
  happened:  call 8 reports "two"; the prepare of call 4 does not name it, and no add_item did since
  the rule:  report only items of the current prepare, or added since, or proposed
  led by:    call 4, on host: prepare_for_sync("one") -> Started
  instead:   report only the ids that prepare_for_sync was given; a new item has to be added by add_item or proposed by propose_item first
  source:    PrepareForSync, Synchronize, AddItemToSession of syncmgr.h; "only" is this crate's

H12 (must) at call 9, on thread 1, synchronizing
  happened:  call 9 calls enable_modeless(true) while synchronizing, and the flags of call 1 lack MAY_BOTHER_USER
  the rule:  show no dialog in prepare or synchronize without MAY_BOTHER_USER; do not even ask
  led by:    call 1, on host: initialize(manual) -> Joins
  instead:   keep the flags of initialize, and ask for a dialog only if they have MAY_BOTHER_USER; else answer NeedsUser or fail
  source:    SYNCMGRFLAG, PrepareForSync; that asking counts is this crate's

info (call 10) panicked: boom

H11 is not decided: a turn for a dialog is not given back, and the trace ends before the handler's life does
"#;
    assert_eq!(trace.to_string(), text);
}

#[test]
fn calls_inside_calls_are_indented_and_ends_stand_where_they_ended() {
    let trace = Lines::prepared(&[ONE])
        .phase("synchronizing")
        .host_at((11, 20), SYNCHRONIZE, DONE)
        .call(0, 1, (12, 17), &progress(ONE, UPDATING), CANCEL)
        .host_at((13, 16), &with("cancel_item", "item", ONE), DONE)
        .handler_at(3, (14, 19), &with("can_continue", "item", ONE), CONTINUE)
        .host_at((15, 0), r#"{"call":"info"}"#, NONE)
        .call(0, 1, (18, 21), &progress(ONE, ""), CANCEL)
        .trace();
    let text = r#"11 calls: no rule is broken
    #  thread     phase          call
    1  host       idle           initialize(manual) -> Joins
    2  host       idle           items() -> complete: "one", "two", "three"
    3  host       idle           set_progress_callback(callback 1) -> ok
    4  host       preparing      prepare_for_sync("one") -> Started
    5  thread 1   preparing      prepare_for_sync_completed(S_OK) -> ok
    6  host       synchronizing  synchronize()
    7  host       synchronizing    progress("one", updating)
    8  host       synchronizing      * the user cancels "one"
    9  thread 3   synchronizing  can_continue("one")
   10  host       synchronizing        info() -> (has not returned)
       host       synchronizing      the user cancels (call 8) -> ok
       host       synchronizing    progress (call 7) -> CancelItem
   11  host       synchronizing      progress("one", only asks)
       thread 3   synchronizing  can_continue (call 9) -> Continue
       host       synchronizing  synchronize (call 6) -> ok
       host       synchronizing      progress (call 11) -> CancelItem

H07 is not decided: synchronize_completed has not come, and the trace ends before the handler's life does
"#;
    assert_eq!(trace.to_string(), text);
}

#[test]
fn the_timelines_of_the_items() {
    let add = format!(r#"{{"call":"add_item","item":{}}}"#, item(FOUR, "four"));
    let propose = format!(r#"{{"call":"propose_item","item":{}}}"#, item(FOUR, "four"));
    let skip = format!(r#"{{"call":"set_item_status","item":"{TWO}","status":"skipped"}}"#);
    let log =
        format!(r#"{{"call":"log_error","record":{{"level":"error","text":"x","item":"{ONE}"}}}}"#);
    let trace = Lines::synchronizing(&[ONE, TWO])
        .report(ONE, UPDATING)
        .host(&with("skip_item", "item", TWO), DONE)
        .host(&skip, DONE)
        .handler(&add, DONE)
        .handler(&propose, DONE)
        .handler(&with("commit_item", "item", FOUR), DONE)
        .handler(&log, DONE)
        .handler(&with("can_continue", "item", FOUR), CONTINUE)
        .host(&with("cancel_item", "item", ONE), DONE)
        .handler(&with("handler_text", "text", "at work"), CONTINUE)
        .trace();
    let one = r#"prepare_for_sync -> Started
progress("one", updating) -> Continue
log_error(error, "x", "one") -> ok
* the user cancels "one" -> ok
"#;
    assert_eq!(trace.item("one").to_string(), one);
    let two = r#"prepare_for_sync -> Started
* the user skips "two" -> ok
set_item_status("two", skipped) -> ok
"#;
    assert_eq!(trace.item("two").to_string(), two);
    let four = r#"add_item("four") -> ok
propose_item("four") -> ok
commit_item("four") -> ok
can_continue("four") -> Continue
"#;
    assert_eq!(trace.item("four").to_string(), four);
    assert_eq!(trace.item("five").to_string(), "");
    let all = r#"the host
  initialize(manual) -> Joins
  items() -> complete: "one", "two", "three"
  set_progress_callback(callback 1) -> ok
  prepare_for_sync -> Started
  synchronize() -> ok
"one"
  prepare_for_sync -> Started
  progress("one", updating) -> Continue
  log_error(error, "x", "one") -> ok
  * the user cancels "one" -> ok
"two"
  prepare_for_sync -> Started
  * the user skips "two" -> ok
  set_item_status("two", skipped) -> ok
"three"
"four"
  add_item("four") -> ok
  propose_item("four") -> ok
  commit_item("four") -> ok
  can_continue("four") -> Continue
"#;
    assert_eq!(trace.by_item().to_string(), all);
}

#[test]
fn a_call_that_breaks_two_rules_is_marked_by_both() {
    let trace = Lines::synchronizing(&[ONE])
        .report(ONE, r#""status":"succeeded","value":2,"max":1"#)
        .breaks(&[Rule::VerdictBeforeItem, Rule::ValueWithinMaximum]);
    let text = trace.to_string();
    let marks = text.lines().find_map(|line| line.split_once("    <- "));
    assert_eq!(marks.map(|(_, marks)| marks), Some("H01, H17"), "{trace}");
}

#[test]
fn the_host_is_the_thread_that_makes_the_hosts_calls() {
    let trace = Lines::new()
        .handler_at(
            0,
            (1, 2),
            r#"{"call":"can_continue","item":null}"#,
            CONTINUE,
        )
        .call(2, 0, (3, 4), r#"{"call":"info"}"#, NONE)
        .handler_at(
            1,
            (5, 6),
            r#"{"call":"can_continue","item":null}"#,
            CONTINUE,
        )
        .call(2, 0, (7, 8), r#"{"call":"items"}"#, NONE)
        .trace();
    let text = trace.to_string();
    let threads: Vec<&str> = text
        .lines()
        .skip(2)
        .map(|line| line[7..16].trim())
        .collect();
    assert_eq!(threads, ["thread 0", "host", "thread 1", "host"], "{trace}");
}
