//! Runs of several handlers.

use std::sync::Mutex;
use std::sync::mpsc;

use super::plain::Text;
use super::*;
use support::LIMIT;
use syncmgr::ItemStatus;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{HResult, HandlerId, HandlerName, Registration, SyncHandler, SyncManager};

const MAIL: HandlerId = HandlerId::from_u128(1);
const FILES: HandlerId = HandlerId::from_u128(2);
const BROKEN: HandlerId = HandlerId::from_u128(3);

fn script(n: u128, name: &str, end: ItemStatus) -> Arc<dyn SyncHandler> {
    Script::new()
        .item(id(n), name)
        .synchronize([
            Step::report(id(n))
                .status(ItemStatus::Updating)
                .value(5)
                .max(10),
            Step::report(id(n)).status(end),
        ])
        .handler()
}

fn manager() -> SyncManager {
    let manager = SyncManager::new();
    let register = |id, make: fn() -> Arc<dyn SyncHandler>| {
        manager.register(id, Registration::new(), make).unwrap();
    };
    register(MAIL, || script(1, "Inbox", ItemStatus::Succeeded));
    register(FILES, || script(1, "Inbox", ItemStatus::Failed));
    register(BROKEN, || panic!("no handler today"));
    manager
}

fn bars() -> Bars {
    Bars::new().handler(MAIL, "Mail").handler(BROKEN, "Broken")
}

#[test]
fn a_run_of_several_handlers() {
    let manager = manager();
    let terminal = InMemoryTerm::new(24, 100);
    let run = manager.update_all();
    let mut frames = bars()
        .draw_to(terminal.clone())
        .color(false)
        .run_frames(&run);
    assert!(!run.wait().is_success());
    assert!(frames.look());
    let screen = terminal.contents();
    let rows = lines(&screen);
    assert_eq!(rows.len(), 3, "{screen}");
    assert!(
        rows[0].starts_with("Broken failed: ") && rows[0].contains("no handler today"),
        "{screen}"
    );
    assert_eq!(rows[1], "Inbox                failed", "{screen}");
    assert!(
        rows[2].starts_with("2 of 2 items ")
            && rows[2].ends_with("1 failed  3 of 3 handlers  1 handler failed"),
        "{screen}"
    );
}

#[test]
fn a_handler_that_was_cancelled_before_its_turn_has_not_failed() {
    let manager = SyncManager::builder().concurrency(1).build();
    let (reached, gate) = (mpsc::channel(), mpsc::channel::<()>());
    let opened = Mutex::new(Some((reached.0, gate.1)));
    let make = move || {
        if let Some((reached, gate)) = opened.lock().unwrap().take() {
            reached.send(()).unwrap();
            let _ = gate.recv_timeout(LIMIT);
        }
        script(1, "Inbox", ItemStatus::Succeeded)
    };
    manager.register(MAIL, Registration::new(), make).unwrap();
    let second = || script(1, "Files", ItemStatus::Succeeded);
    manager
        .register(FILES, Registration::new(), second)
        .unwrap();
    let terminal = InMemoryTerm::new(24, 100);
    let run = manager.update_all();
    let mut frames = bars()
        .handler(FILES, "Files")
        .draw_to(terminal.clone())
        .color(false)
        .run_frames(&run);
    reached.1.recv_timeout(LIMIT).unwrap();
    assert!(!frames.look());
    assert_eq!(
        total(&terminal.contents()),
        "0 of 0 items 0% 0 of 2 handlers"
    );
    run.cancel_handler(FILES);
    gate.0.send(()).unwrap();
    let _ = run.wait();
    assert!(frames.look());
    let screen = terminal.contents();
    assert_eq!(
        lines(&screen)[0],
        "Files: it was cancelled before it was started"
    );
    assert_eq!(total(&screen), "1 of 1 item 100% 5 of 10 2 of 2 handlers");
}

#[test]
fn what_a_handler_leaves_open_is_unfinished() {
    let manager = SyncManager::new();
    let make = || {
        Script::new()
            .inline()
            .item(id(1), "Inbox")
            .synchronize([
                Step::report(id(1))
                    .status(ItemStatus::Updating)
                    .value(5)
                    .max(10),
                Step::run(|| panic!("the disk is gone")),
            ])
            .handler()
    };
    manager.register(MAIL, Registration::new(), make).unwrap();
    let terminal = InMemoryTerm::new(24, 100);
    let run = manager.update_all();
    let bars = bars().draw_to(terminal.clone()).color(false);
    let mut frames = bars.run_frames(&run);
    assert!(!run.wait().is_success());
    assert!(frames.look());
    let screen = terminal.contents();
    let rows = lines(&screen);
    assert!(
        rows[0].starts_with("Mail: error: ") && rows[0].ends_with("the disk is gone"),
        "{screen}"
    );
    assert_eq!(rows[1], "Mail: Inbox          unfinished");
    assert_eq!(total(&screen), "0 of 1 item 50% 5 of 10 1 handler failed");
}

#[test]
fn a_handler_without_a_name_here_has_its_own() {
    let manager = SyncManager::new();
    let make = || {
        let name = HandlerName::truncate_start("Post\u{9b}2J");
        Script::new()
            .inline()
            .name(name.as_str())
            .item(id(1), "Inbox")
            .synchronize([Step::run(|| panic!("the disk is gone"))])
            .handler()
    };
    manager.register(MAIL, Registration::new(), make).unwrap();
    let text = Text::default();
    let run = manager.update_all();
    let mut frames = Bars::new().plain_to(text.clone()).run_frames(&run);
    assert!(!run.wait().is_success());
    assert!(frames.look());
    let text = text.take();
    assert!(text.contains("\nPost\u{fffd}2J"), "{text}");
    assert!(!text.contains(&MAIL.to_string()), "{text}");
}

#[test]
fn a_run_in_plain_lines_on_a_thread() {
    let manager = manager();
    let text = Text::default();
    let run = manager.update_all();
    let shown = bars().plain_to(text.clone()).run(&run);
    assert!(!run.wait().is_success());
    shown.finish();
    let text = text.take();
    let mut rows = lines(&text);
    assert_eq!(rows[0], "3 handlers");
    rows[1..4].sort_unstable();
    assert!(rows[1].starts_with("Broken failed: "), "{text}");
    assert_eq!(rows[2..4], ["Inbox: failed", "Mail: Inbox: succeeded"]);
    assert!(
        rows[4].starts_with("2 of 2 items, 1 failed, 3 of 3 handlers, 1 handler failed, in 0:0"),
        "{text}"
    );
}

#[test]
fn a_handler_that_has_told_no_name_is_called_by_its_id() {
    let manager = SyncManager::new();
    let register = |id, make: fn() -> Arc<dyn SyncHandler>| {
        manager.register(id, Registration::new(), make).unwrap();
    };
    register(BROKEN, || panic!("no handler today"));
    register(MAIL, || {
        let script = Script::new().name("Post").item(id(1), "Inbox");
        script.participation(Err(HResult::E_FAIL)).handler()
    });
    let text = Text::default();
    let run = manager.update_all();
    let mut frames = Bars::new()
        .handler(FILES, "Files")
        .plain_to(text.clone())
        .run_frames(&run);
    assert!(!run.wait().is_success());
    assert!(frames.look());
    let text = text.take();
    for handler in [BROKEN, MAIL] {
        let begin = format!("\n{handler} failed: ");
        assert!(text.contains(&begin), "{begin} in {text}");
    }
    assert!(text.contains("no handler today"), "{text}");
    assert!(!text.contains("Post"), "it was not asked: {text}");
}
