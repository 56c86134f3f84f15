//! A timeline is printed: names, texts and panics of a handler, and traces from elsewhere, neither command a terminal nor forge a
//! line.

use support::hostile::{ESCAPED, HOSTILE, is_harmless};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Harness, Trace};
use syncmgr::{ItemId, LogLevel, LogRecord};

const ITEM: ItemId = ItemId::from_u128(1);

#[track_caller]
fn prints_harmlessly(trace: &Trace) {
    let printed = [
        trace.to_string(),
        trace.report().to_string(),
        trace.by_item().to_string(),
        trace.item(HOSTILE).to_string(),
    ];
    for text in printed {
        is_harmless(&text, true);
        let forged = text.lines().any(|line| line.starts_with("ERROR"));
        assert!(!forged, "{text}");
    }
    for violation in trace.violations() {
        is_harmless(&violation.to_string(), false);
    }
}

#[test]
fn names_texts_and_panics_are_escaped_in_a_timeline() {
    let script = Script::new()
        .name("hostile")
        .item(ITEM, HOSTILE)
        .inline()
        .synchronize([
            Step::report(ITEM).value(2).max(1).text(HOSTILE),
            Step::log(&LogRecord::new(LogLevel::Error, HOSTILE).item(ITEM)),
            Step::connect(Some(HOSTILE)),
            Step::run(|| panic!("{HOSTILE}")),
        ]);
    let trace = Harness::new(script.handler()).run();
    assert!(!trace.violations().is_empty() && !trace.incidents().is_empty());
    prints_harmlessly(&trace);
}

#[test]
fn what_a_trace_from_elsewhere_says_of_itself_is_escaped() {
    let about = serde_json::to_string(HOSTILE).expect("a text");
    let text = format!("{{\"syncmgr_trace\":1,\"about\":{about}}}\n");
    let trace = Trace::from_json_lines(&text).expect("a trace without calls");
    assert!(trace.to_string().contains(ESCAPED));
    prints_harmlessly(&trace);
}
