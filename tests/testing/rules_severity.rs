//! Which findings are breaches and which are advisory, and that neither hides the other.

use std::sync::Arc;
use std::thread;

use support::lines::*;
use support::rules::{broken, clean, finish, named, obedient, reports};
use support::{id, status, value};
use syncmgr::testing::{Harness, Rule, Severity, Trace};
use syncmgr::{HResult, ItemStatus, SyncCallback, Verdict};

use Severity::{Must, Should};

/// The findings in order: rule, severity, and the number of the call at fault.
fn graded(trace: &Trace) -> Vec<(Rule, Severity, usize)> {
    let found = trace.violations().iter();
    found
        .map(|found| (found.rule, found.severity, found.at + 1))
        .collect()
}

/// The places of the calls that led to a finding, as numbers.
fn related_calls(trace: &Trace, place: usize) -> Vec<usize> {
    let related_calls = trace.violations()[place].related_calls.iter();
    related_calls.map(|at| at + 1).collect()
}

/// A round of one item after that of these lines: a retry.
fn again(lines: Lines) -> Lines {
    lines
        .host(&prepare(&[ONE]), STARTED)
        .handler(&completed("prepare_for_sync", "S_OK"), DONE)
        .host(SYNCHRONIZE, DONE)
}

#[test]
fn an_advisory_finding_does_not_hide_a_breach_of_a_later_round() {
    let first = Lines::synchronizing(&[ONE])
        .report(ONE, r#""value":3"#)
        .report(ONE, FAILED)
        .complete();
    let trace = again(first).report(ONE, SUCCEEDED).complete().trace();
    let rule = Rule::VerdictBeforeItem;
    assert_eq!(graded(&trace), [(rule, Should, 7), (rule, Must, 13)]);
    assert!(!trace.is_conformant(), "{trace}");
}

#[test]
fn a_breach_does_not_hide_an_advisory_finding_of_a_later_round() {
    let first = Lines::synchronizing(&[ONE])
        .handler(&progress(ONE, r#""status":"updating","max":9"#), CANCEL)
        .handler(&progress(ONE, r#""value":1"#), CANCEL)
        .handler(&progress(ONE, r#""value":2"#), CANCEL)
        .handler(&progress(ONE, FAILED), CANCEL)
        .complete();
    let trace = again(first)
        .handler(&progress(ONE, r#""status":"updating","max":9"#), CANCEL)
        .handler(&progress(ONE, SUCCEEDED), CANCEL)
        .complete()
        .trace();
    let rule = Rule::StopCancelledItem;
    assert_eq!(graded(&trace), [(rule, Should, 8), (rule, Must, 9)]);
    // The success of the second round is one more advisory finding of the same rule.
    assert_eq!(trace.violations()[0].repeats, 1, "{trace}");
}

#[test]
fn breaches_and_advisory_findings_are_returned_separately() {
    let trace = Lines::synchronizing(&[ONE, TWO])
        .report(ONE, r#""value":3"#)
        .report(TWO, r#""status":"updating","max":1"#)
        .report(TWO, r#""value":2"#)
        .report(ONE, SUCCEEDED)
        .report(TWO, SUCCEEDED)
        .complete()
        .trace();
    let rules = |found: Vec<&syncmgr::testing::Violation>| -> Vec<Rule> {
        found.iter().map(|found| found.rule).collect()
    };
    assert_eq!(rules(trace.faults().collect()), [Rule::ValueWithinMaximum]);
    assert_eq!(
        rules(trace.advisories().collect()),
        [Rule::VerdictBeforeItem]
    );
    assert_eq!(trace.violations().len(), 2);
    assert!(trace.faults().all(|found| found.is_fault()));
    assert!(trace.advisories().all(|found| !found.is_fault()));
    let timeline = trace.to_string();
    assert!(timeline.contains("<- H01 (should)\n"), "{timeline}");
    assert!(timeline.contains("<- H17\n"), "{timeline}");
}

#[test]
fn a_report_shows_breaches_before_advisory_findings() {
    let ids: Vec<String> = (1..=12)
        .map(|number| format!("00000000-0000-0000-0002-{number:012}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut lines = Lines::synchronizing(&ids);
    for item in &ids {
        lines = lines.report(item, r#""value":3"#);
    }
    let trace = lines.report(ids[11], r#""max":1"#).trace();
    assert_eq!(
        (trace.faults().count(), trace.advisories().count()),
        (1, 12)
    );
    let report = trace.report().to_string();
    let fault = report.find("H17 (must) at call 19");
    let advisory = report.find("H01 (should) at call 7");
    assert!(fault.is_some() && fault < advisory, "{report}");
    assert!(report.contains("\nand 3 questions more\n"), "{report}");
    assert!(!report.contains("breaches more"), "{report}");
    assert!(trace.to_string().contains("H01 (should) at call 18"));
}

// H02 and H03 ---------------------------------------------------------------------------------------------------

#[test]
fn the_first_further_report_after_a_cancellation_is_advisory_and_the_second_a_breach() {
    for (answer, rule) in [
        (CANCEL, Rule::StopCancelledItem),
        (CANCEL_ALL, Rule::StopAllWhenCancelled),
    ] {
        let further = |reports: usize| {
            let told = Lines::synchronizing(&[ONE]).handler(&progress(ONE, UPDATING), answer);
            let lines = (0..reports).fold(told, |lines, value| {
                lines.handler(&progress(ONE, &format!(r#""value":{value}"#)), answer)
            });
            lines.handler(&progress(ONE, FAILED), answer).trace()
        };
        assert_eq!(graded(&further(0)), []);
        let one = further(1);
        assert_eq!(graded(&one), [(rule, Should, 8)]);
        assert_eq!(related_calls(&one, 0), [7]);
        assert!(one.is_conformant());
        let two = further(2);
        assert_eq!(graded(&two), [(rule, Should, 8), (rule, Must, 9)]);
        assert_eq!(related_calls(&two, 1), [7, 8]);
        assert!(!two.is_conformant());
        let three = further(3);
        assert_eq!(graded(&three), graded(&two));
        assert_eq!(three.violations()[1].repeats, 1);
    }
}

#[test]
fn further_reports_are_counted_for_each_thread_and_each_item() {
    // Two threads on two items: each makes one further report of each.
    let mut lines = Lines::synchronizing(&[ONE, TWO]);
    for report in [UPDATING, r#""value":1"#] {
        for thread in [1, 2] {
            for item in [ONE, TWO] {
                let time = lines.next();
                lines = lines.handler_at(thread, time, &progress(item, report), CANCEL);
            }
        }
    }
    let trace = lines.trace();
    let rule = Rule::StopCancelledItem;
    assert_eq!(graded(&trace), [(rule, Should, 11), (rule, Should, 12)]);
    assert!(trace.violations().iter().all(|found| found.repeats == 1));
}

#[test]
fn a_new_round_counts_anew() {
    let once = |lines: Lines| {
        lines
            .handler(&progress(ONE, UPDATING), CANCEL)
            .handler(&progress(ONE, r#""value":1"#), CANCEL)
            .handler(&progress(ONE, FAILED), CANCEL)
            .complete()
    };
    let trace = once(again(once(Lines::synchronizing(&[ONE])))).trace();
    assert_eq!(graded(&trace), [(Rule::StopCancelledItem, Should, 8)]);
    assert_eq!(trace.violations()[0].repeats, 1);
}

#[test]
fn after_cancel_all_the_first_report_of_another_item_is_free_if_it_asks_or_says_updating() {
    let rule = Rule::StopAllWhenCancelled;
    let then = |updates: &[&str]| {
        let told = Lines::synchronizing(&[ONE, TWO])
            .handler(&progress(ONE, UPDATING), CANCEL_ALL)
            .handler(&progress(ONE, FAILED), CANCEL_ALL);
        let lines = updates.iter().fold(told, |lines, update| {
            lines.handler(&progress(TWO, update), CANCEL_ALL)
        });
        lines.handler(&progress(TWO, FAILED), CANCEL_ALL).trace()
    };
    for free in ["", UPDATING, r#""status":"updating_indeterminate""#] {
        assert_eq!(graded(&then(&[free])), [], "{free}");
    }
    for work in [
        r#""value":0"#,
        r#""text":"x""#,
        r#""max":4"#,
        r#""status":"pending""#,
    ] {
        let trace = then(&[work]);
        assert_eq!(graded(&trace), [(rule, Should, 9)], "{work}");
        assert_eq!(related_calls(&trace, 0), [7]);
        // Its answer has told the thread once more.
        let trace = then(&[work, r#""value":0"#]);
        assert_eq!(graded(&trace), [(rule, Should, 9), (rule, Must, 10)]);
    }
    // A second report after its answer is a breach at once.
    for free in ["", UPDATING] {
        let trace = then(&[free, r#""value":0"#]);
        assert_eq!(graded(&trace), [(rule, Must, 10)], "{free}");
        assert_eq!(related_calls(&trace, 0), [7, 9]);
    }
}

#[test]
fn after_cancel_all_the_next_report_of_an_item_in_progress_is_free_on_a_shared_thread() {
    // Tasks of one thread: each learns of the cancellation by its own next report.
    let trace = Lines::synchronizing(&[ONE, TWO])
        .report(ONE, UPDATING)
        .report(TWO, UPDATING)
        .handler(&progress(ONE, r#""value":1"#), CANCEL_ALL)
        .handler(&progress(TWO, r#""value":1"#), CANCEL_ALL)
        .handler(&progress(ONE, FAILED), CANCEL_ALL)
        .handler(&progress(TWO, FAILED), CANCEL_ALL)
        .complete()
        .trace();
    assert_eq!(graded(&trace), []);
}

#[test]
fn work_that_is_spread_over_new_threads_after_cancel_all_is_advisory() {
    let spread = |threads: u32, answer: &str, update: &str| {
        let told = Lines::synchronizing(&[ONE]).handler(&progress(ONE, UPDATING), answer);
        let lines = (0..threads).fold(told, |lines, thread| {
            let time = lines.next();
            lines.handler_at(10 + thread, time, &progress(ONE, update), answer)
        });
        lines.handler(&progress(ONE, FAILED), answer).trace()
    };
    let work = r#""value":0"#;
    assert_eq!(graded(&spread(2, CANCEL_ALL, work)), []);
    let trace = spread(3, CANCEL_ALL, work);
    assert_eq!(graded(&trace), [(Rule::StopAllWhenCancelled, Should, 10)]);
    assert_eq!(related_calls(&trace, 0), [7, 8, 9]);
    assert_eq!(spread(5, CANCEL_ALL, work).violations()[0].repeats, 2);
    assert_eq!(graded(&spread(5, CANCEL_ALL, "")), [], "they only ask");
    assert_eq!(graded(&spread(5, CANCEL, work)), [], "that is no CancelAll");
    // What began before the first answer was given is on its way.
    let time = |begun: u64| (begun, begun + 20);
    let lines = (0..5).fold(Lines::synchronizing(&[ONE]), |lines, thread| {
        lines.handler_at(
            10 + thread,
            time(20 + u64::from(thread)),
            &progress(ONE, work),
            CANCEL_ALL,
        )
    });
    assert_eq!(graded(&lines.trace()), []);
}

#[test]
fn a_handler_that_hands_each_piece_to_a_new_thread_is_asked_about() {
    let handler = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let _ = callback.progress(id(1), &status(ItemStatus::Updating).max(9))?;
        for part in 1..=5 {
            let callback = Arc::clone(&callback);
            let piece = thread::spawn(move || _ = callback.progress(id(1), &value(part)));
            piece.join().expect("the piece does not panic");
        }
        finish(&*callback, id(1), ItemStatus::Stopped);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let trace = Harness::new(handler.build()).cancel_all_at(2).run();
    let of_item = reports(&trace, id(1));
    let rule = Rule::StopAllWhenCancelled;
    assert_eq!(graded(&trace), [(rule, Should, of_item[4] + 1)], "{trace}");
}

/// The calls of the handler sample in Microsoft's first SDK: the answers to an item's first and
/// last report are not looked at, so a cancellation that comes with one of them is followed by one
/// more report.
fn sample(callback: &dyn SyncCallback, items: &[syncmgr::ItemId]) {
    let mut all = false;
    for item in items {
        if all {
            finish(callback, *item, ItemStatus::Skipped);
            continue;
        }
        let started = status(ItemStatus::Updating).value(0).max(3).text("copying");
        let _not_looked_at = callback.progress(*item, &started);
        let mut end = ItemStatus::Succeeded;
        for piece in 1..=3 {
            let answer = callback.progress(*item, &value(piece));
            if answer != Ok(Verdict::Continue) {
                all = answer == Ok(Verdict::CancelAll);
                end = ItemStatus::Stopped;
                break;
            }
        }
        finish(callback, *item, end);
    }
}

#[test]
fn microsofts_sample_gets_no_breach_of_the_rules_of_cancellations() {
    let handler = || {
        let script = obedient(3).synchronize(|handler| {
            sample(&*handler.callback(), &handler.round());
            handler.complete_synchronize(HResult::S_OK);
            Ok(())
        });
        script.build()
    };
    clean(&Harness::new(handler()).run());
    // Five reports of each item.
    for report in 1..=15 {
        let of_item = Harness::new(handler()).cancel_item_at(report).run();
        of_item.assert_conformant();
        let asked = report % 5 == 1;
        let rules: &[Rule] = if asked {
            &[Rule::StopCancelledItem]
        } else {
            &[]
        };
        assert_eq!(broken(&of_item), rules, "{report}: {of_item}");

        let of_all = Harness::new(handler()).cancel_all_at(report).run();
        of_all.assert_conformant();
        let asked = asked || (report % 5 == 0 && report < 15);
        let rules: &[Rule] = if asked {
            &[Rule::StopAllWhenCancelled]
        } else {
            &[]
        };
        assert_eq!(broken(&of_all), rules, "{report}: {of_all}");
    }
}

// H04 -----------------------------------------------------------------------------------------------------------

fn propose(item_id: &str) -> String {
    format!(
        r#"{{"call":"propose_item","item":{}}}"#,
        item(item_id, "four")
    )
}

#[test]
fn h04_asking_about_any_item_is_allowed() {
    let unknown = r#"{"refused":"unknown_item"}"#;
    let asks = with("can_continue", "item", FOUR);
    Lines::synchronizing(&[ONE])
        .handler(&progress(FOUR, ""), unknown)
        .handler(&asks, unknown)
        .trace()
        .assert_conformant();
    let trace = Lines::synchronizing(&[ONE])
        .handler(&progress(FOUR, ""), unknown)
        .handler(&progress(FOUR, UPDATING), unknown)
        .trace();
    assert_eq!(graded(&trace), [(Rule::OnlyPreparedItems, Must, 8)]);
}

#[test]
fn h04_a_proposed_item_takes_reports_and_owes_no_final_status() {
    let done = |lines: Lines| {
        lines
            .report(ONE, UPDATING)
            .report(ONE, SUCCEEDED)
            .complete()
    };
    let proposed = |answer: &str| {
        let lines = Lines::synchronizing(&[ONE]).handler(&propose(FOUR), answer);
        lines.report(FOUR, UPDATING)
    };
    let commit = with("commit_item", "item", FOUR);
    assert_eq!(graded(&done(proposed(DONE)).trace()), []);
    let refused = done(proposed(r#"{"refused":"invalid_argument"}"#)).trace();
    assert_eq!(graded(&refused), [(Rule::OnlyPreparedItems, Must, 8)]);
    // Once it is committed too, it belongs to the round, whichever came first.
    let rule = Rule::FinalStatusBeforeCompletion;
    let trace = done(proposed(DONE).handler(&commit, DONE)).trace();
    assert_eq!(graded(&trace), [(rule, Must, 12)]);
    assert_eq!(
        related_calls(&trace, 0),
        [8, 9],
        "its report and the commit"
    );
    let committed = || {
        let lines = Lines::synchronizing(&[ONE]).handler(&propose(FOUR), DONE);
        lines.handler(&commit, DONE)
    };
    assert_eq!(graded(&done(committed()).trace()), []);
    assert_eq!(graded(&done(committed().report(FOUR, "")).trace()), []);
    let trace = done(committed().report(FOUR, UPDATING)).trace();
    assert_eq!(graded(&trace), [(rule, Must, 12)]);
    let ended = proposed(DONE)
        .report(FOUR, SUCCEEDED)
        .handler(&commit, DONE);
    assert_eq!(graded(&done(ended).trace()), []);
    // In a later round it is prepared like any other.
    let ended = done(
        proposed(DONE)
            .report(FOUR, SUCCEEDED)
            .handler(&commit, DONE),
    );
    let trace = again(ended).report(FOUR, UPDATING).trace();
    assert_eq!(graded(&trace), [(Rule::OnlyPreparedItems, Must, 17)]);
}

#[test]
fn a_proposed_item_owes_no_final_status_to_an_open_session_either() {
    let trace = Lines::new()
        .phase("open")
        .handler(&propose(FOUR), DONE)
        .report(FOUR, UPDATING)
        .complete()
        .trace();
    assert_eq!(graded(&trace), []);
}

// H11, H17 and H19 ----------------------------------------------------------------------------------------------

#[test]
fn h11_asking_again_while_a_turn_is_held_is_allowed() {
    let script = obedient(1).synchronize(|handler| {
        let callback = handler.callback();
        let _granted = callback.enable_modeless(true)?;
        let _denied = callback.enable_modeless(true)?;
        let other = Arc::clone(&callback);
        let denied = thread::spawn(move || _ = other.enable_modeless(true));
        denied.join().expect("the other worker does not panic");
        let _given_back = callback.enable_modeless(false)?;
        support::rules::copy_all(handler);
        handler.complete_synchronize(HResult::S_OK);
        Ok(())
    });
    let flags = support::rules::bothering();
    let trace = Harness::new(script.build()).flags(flags).run();
    assert_eq!(named(&trace, "enable_modeless").len(), 4);
    clean(&trace);
}

#[test]
fn h17_the_end_of_the_indeterminate_status_is_advisory_if_it_sets_nothing() {
    let rule = Rule::ValueWithinMaximum;
    let then = |update: &str| {
        Lines::synchronizing(&[ONE])
            .report(ONE, r#""status":"updating_indeterminate","max":4"#)
            .report(ONE, r#""value":5"#)
            .report(ONE, update)
            .trace()
    };
    let trace = then(UPDATING);
    assert_eq!(graded(&trace), [(rule, Should, 9)]);
    assert_eq!(related_calls(&trace, 0), [7, 8]);
    assert_eq!(
        graded(&then(r#""status":"paused","text":"x""#)),
        [(rule, Should, 9)]
    );
    let sets = graded(&then(r#""status":"updating","value":6"#));
    assert_eq!(sets, [(rule, Must, 9)]);
    for ends in [
        SUCCEEDED,
        FAILED,
        r#""status":"updating_indeterminate""#,
        r#""text":"x""#,
        r#""status":"updating","value":4"#,
        r#""status":"updating","max":5"#,
    ] {
        assert_eq!(graded(&then(ends)), [], "{ends}");
    }
}

#[test]
fn h19_is_advisory() {
    let object = format!(r#"{{"call":"item_object","item":"{ONE}","interface":"{TWO}"}}"#);
    let trace = Lines::new().host(&object, r#""object""#).trace();
    assert_eq!(graded(&trace), [(Rule::NoItemObject, Should, 1)]);
    assert!(trace.is_conformant());
    assert_eq!(Rule::NoItemObject.severity(), Should);
}

#[test]
fn a_second_completion_during_the_prepare_of_a_retry_breaks_h07_only() {
    let first = Lines::synchronizing(&[ONE])
        .report(ONE, UPDATING)
        .report(ONE, FAILED)
        .complete();
    first
        .host(&prepare(&[ONE]), STARTED)
        .complete()
        .handler(&completed("prepare_for_sync", "S_OK"), DONE)
        .says(
            Rule::SynchronizeCompletedOnce,
            11,
            &[6, 9],
            "call 11 calls synchronize_completed again; call 9 had completed synchronize already",
        );
}
