//! Which items a run takes: the checked ones or those that were selected, and what happens when there are none.

use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::{HResult, LogLevel, LogSelector, Phase, RunOptions, run_handler};

use support::handler::{Script, Seen};
use support::{id, item, items, view};

#[test]
fn nothing_selected_means_nothing_is_called() {
    let unchecked: Vec<_> = items(2)
        .into_iter()
        .map(|item| item.checked(false))
        .collect();
    let runs: [(&str, Script, RunOptions); 4] = [
        ("no item", Script::new(0), RunOptions::new()),
        ("no checked item", Script::of(unchecked), RunOptions::new()),
        (
            "an empty selection",
            Script::new(2),
            RunOptions::new().select([]),
        ),
        (
            "an unknown selection",
            Script::new(2),
            RunOptions::new().select([id(7)]),
        ),
    ];
    for (name, script, options) in runs {
        let (handler, report) = script.run(options);
        assert_eq!(
            handler.seen(),
            [Seen::Initialize, Seen::Info, Seen::Items],
            "{name}"
        );
        assert_eq!(
            (report.result, report.phase, report.rounds),
            (HResult::S_OK, Phase::Idle, 0),
            "{name}"
        );
        assert!(report.session.is_some(), "{name}");
        assert!(report.is_success(), "{name}");
    }
}

#[test]
fn without_a_selection_the_checked_items_run() {
    let list = vec![item(1), item(2).checked(false), item(3)];
    let (handler, report) = Script::of(list).run(RunOptions::new());
    assert_eq!(handler.round(), [id(1), id(3)]);
    assert!(report.is_success());
    let session = report.session.as_ref().expect("the run has a session");
    assert_eq!(
        session.snapshot().items.len(),
        3,
        "the session knows every item"
    );
    assert!(!view(session, 2).selected);
}

#[test]
fn a_selection_names_the_items_checked_or_not() {
    let list = vec![item(1), item(2).checked(false), item(3)];
    let (handler, report) = Script::of(list).run(RunOptions::new().select([id(2)]));
    assert_eq!(handler.round(), [id(2)]);
    assert!(report.is_success());
}

#[test]
fn unknown_selected_items_are_left_out_with_a_warning() {
    let (handler, report) = Script::new(2).run(RunOptions::new().select([id(9), id(1)]));
    assert_eq!(handler.round(), [id(1)]);
    assert!(report.is_success(), "{report:?}");
    let session = report.session.as_ref().expect("the run has a session");
    let log = session.log();
    assert!(
        log.iter().any(|entry| entry.level == LogLevel::Warning),
        "{log:?}"
    );
}

#[test]
fn the_warning_stays_where_the_handler_deletes_all_that_it_has_logged() {
    let source = from_items(items(1), |work| {
        for _ in 0..600 {
            work.log(LogLevel::Error, "broken")?;
        }
        Ok(work.callback()?.delete_log_error(LogSelector::All)?)
    });
    let handler = HandlerBuilder::new("test".parse().expect("it is short"), source).build();
    let report = run_handler(handler, RunOptions::new().select([id(9), id(1)]));
    assert!(report.is_success(), "{report:?}");
    let log = report.session.expect("the run has a session").log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0].level, LogLevel::Warning);
}
