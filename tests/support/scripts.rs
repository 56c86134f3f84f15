//! What the tests of scripted handlers share.

use std::sync::Arc;

use syncmgr::testing::mock::Script;
use syncmgr::testing::{Call, Harness, Recorder, Side, Trace};
use syncmgr::{ItemId, ItemName, Session, SyncHandler, SyncItem};

pub const ONE: ItemId = ItemId::from_u128(1);
pub const TWO: ItemId = ItemId::from_u128(2);
pub const THREE: ItemId = ItemId::from_u128(3);

/// A script of items one and two, on the host's thread.
pub fn script() -> Script {
    Script::new().item(ONE, "one").item(TWO, "two").inline()
}

/// The calls of the handler, as a trace writes them, with their answers.
pub fn calls(trace: &Trace) -> Vec<String> {
    let text = trace.to_string();
    let timeline = text.split("\n\n").next().unwrap_or_default();
    let lines = timeline.lines().skip(2).filter_map(|line| {
        let number: usize = line.get(..5)?.trim().parse().ok()?;
        let call = trace.calls().get(number - 1)?;
        let line = line.get(33..)?.trim();
        let line = line.split("    <- ").next()?;
        (call.action.side() == Side::Handler).then(|| line.to_owned())
    });
    lines.collect()
}

/// The calls of the handler in a run without any cancel.
#[track_caller]
pub fn makes(script: Script, expected: &[&str]) {
    let trace = Harness::new(script.handler()).run();
    assert_eq!(calls(&trace), expected, "{trace}");
}

pub fn named<'a>(trace: &'a Trace, name: &'a str) -> Vec<&'a Call> {
    let calls = trace.calls().iter();
    calls.filter(|call| call.action.name() == name).collect()
}

/// A handler that was given a callback of an open session with its items, and prepared both: so nothing is refused.
pub fn prepared(script: &Script) -> (Arc<dyn SyncHandler>, Recorder) {
    let item = |id, name: &str| SyncItem::new(id, ItemName::truncate_start(name));
    let session = Session::builder()
        .items([item(ONE, "one"), item(TWO, "two")])
        .build()
        .unwrap();
    let recorder = Recorder::new();
    let handler = script.handler();
    let callback = recorder.callback(session);
    handler.set_progress_callback(Some(callback)).unwrap();
    let answer = Arc::clone(&handler).prepare_for_sync(&[ONE, TWO]);
    assert!(answer.is_ok());
    (handler, recorder)
}
