//! What the host gave the manager fails, panics or hangs: that handler's run ends, and the others go on.

use std::any::Any;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use support::gate::{Gate, answers, finish, gated, goes_well, named, of, status_of, update};
use support::manager::{Records, handler_id, script};
use support::{id, join};
use syncmgr::testing::Answer;
use syncmgr::testing::mock::{Script, Step};
use syncmgr::{
    CallbackError, ErrorId, HResult, HandlerError, HandlerFlags, HandlerInfo, ItemId, ItemList,
    ItemStatus, LogFilter, LogLevel, LogRecord, Participation, Phase, Prepared, Registration,
    SyncCallback, SyncFlags, SyncHandler, SyncManager,
};

/// A chooser that panics for handler 1.
fn panics_for_one() -> SyncManager {
    SyncManager::builder()
        .concurrency(1)
        .chooser(|handler, _, chosen| {
            assert_ne!(handler, handler_id(1), "no choice today");
            chosen.to_vec()
        })
        .build()
}

#[test]
fn a_chooser_that_panics_keeps_nobody_else_from_going_on() {
    let manager = panics_for_one();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    records.register(&manager, 2, script(2));
    let report = finish(&manager.update_all());
    assert_ne!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
    assert_eq!(status_of(of(&report, 2), 2), Some(ItemStatus::Succeeded));
    goes_well(&manager.sync_items(handler_id(1), [id(1)]).unwrap());
    records.judge();
}

#[test]
fn a_chooser_that_panics_is_no_success() {
    let manager = panics_for_one();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert!(!one.is_success(), "{one:?}");
}

#[test]
fn a_chooser_that_panics_is_told_in_the_log() {
    let manager = panics_for_one();
    let records = Records::default();
    records.register(&manager, 1, script(1));
    let _ = finish(&manager.update_all());
    let log = manager.log(&LogFilter::new().handler(handler_id(1)));
    let told = |entry: &syncmgr::LogEntry| entry.text.contains("no choice today");
    assert!(log.iter().any(told), "{log:?}");
}

#[test]
fn a_choice_of_errors_that_panics_ends_that_handler_alone() {
    let manager = SyncManager::builder()
        .concurrency(1)
        .show_error_if(|entry| {
            assert_ne!(entry.handler, Some(handler_id(1)), "no look today");
            false
        })
        .build();
    let records = Records::default();
    for n in 1..=2 {
        let error = LogRecord::new(LogLevel::Error, "e").jump_text(ErrorId::from_u128(n));
        let script = script(n)
            .prepare([Step::log(&error)])
            .show_error([Step::complete_show_error(HResult::S_OK, [])], Ok(()));
        records.register(&manager, n, script);
    }
    let report = finish(&manager.update_all());
    assert!(!of(&report, 1).is_success(), "{report:?}");
    assert!(of(&report, 2).is_success(), "{report:?}");
    records.judge();
}

#[test]
fn a_factory_that_panics_is_tried_again_by_the_next_run() {
    let manager = SyncManager::new();
    let records = Records::default();
    records.register_made(&manager, 1, |time| {
        assert_ne!(time, 1, "not the first time");
        script(1)
    });
    let waits = manager.update_all();
    let report = finish(&waits);
    let one = of(&report, 1);
    assert_eq!(
        (one.result, one.phase),
        (HResult::E_UNEXPECTED, Phase::Idle)
    );
    assert!(one.session.is_none());
    update(&manager);
    records.judge();
}

#[test]
fn a_factory_that_hangs_is_given_up() {
    let manager = SyncManager::builder()
        .concurrency(1)
        .deadline(Duration::from_millis(200))
        .build();
    let records = Records::default();
    let hang = Gate::new();
    let at = hang.clone();
    records.register_made(&manager, 1, move |_| {
        at.pass();
        script(1)
    });
    records.register(&manager, 2, script(2));
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert_eq!((one.result, one.abandoned_threads), (HResult::E_ABORT, 1));
    assert!(of(&report, 2).is_success());
    hang.open();
}

#[test]
fn a_connector_that_fails_or_panics_is_no_end_of_the_run() {
    let manager = SyncManager::builder()
        .connector(
            |name: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                match name {
                    Some("busy") => Err(CallbackError::Other(HResult::E_ABORT)),
                    Some("wrong") => Err(CallbackError::InvalidArgument),
                    _ => panic!("no line today"),
                }
            },
        )
        .build();
    let records = Records::default();
    let steps = [Step::connect(Some("busy")), Step::connect(Some("wrong"))];
    let flags = HandlerFlags::MAY_ESTABLISH_CONNECTION;
    records.register(&manager, 1, script(1).flags(flags).prepare(steps));
    let panics = [Step::connect(None)];
    records.register(&manager, 2, script(2).flags(flags).prepare(panics));
    records.register(&manager, 3, script(3));
    let report = finish(&manager.update_all());
    assert!(report.is_success(), "{report:?}");
    let traces = records.traces();
    let refused = traces
        .iter()
        .map(|trace| answers(trace, "establish_connection"));
    let refused: Vec<_> = refused.filter(|answers| !answers.is_empty()).collect();
    let codes = [
        vec![
            CallbackError::Other(HResult::E_ABORT),
            CallbackError::InvalidArgument,
        ],
        vec![CallbackError::NotConnected],
    ];
    let codes = codes.map(|codes| codes.into_iter().map(Answer::Refused).collect::<Vec<_>>());
    assert!(
        codes.iter().all(|codes| refused.contains(codes)),
        "{refused:?}"
    );
    assert_eq!(refused.len(), 2);
    let log = manager.log(&LogFilter::new().handler(handler_id(2)));
    let logged = log.iter().map(|entry| (entry.level, entry.text.as_str()));
    let panic = (LogLevel::Error, "the connector panicked: no line today");
    assert_eq!(logged.collect::<Vec<_>>(), [panic]);
    records.judge();
}

#[test]
fn a_session_that_is_released_from_outside_ends_that_handler_alone() {
    let manager = SyncManager::builder().concurrency(2).build();
    let records = Records::default();
    let gates = [Gate::new(), Gate::new()];
    for (n, gate) in (1..).zip(&gates) {
        records.register(
            &manager,
            n,
            Script::new()
                .sync_item(named(n))
                .synchronize(gated(id(n), gate)),
        );
    }
    let run = manager.update_all();
    gates.iter().for_each(Gate::reached);
    run.session(handler_id(1)).unwrap().driver().release();
    gates.iter().for_each(Gate::open);
    let report = finish(&run);
    assert!(!of(&report, 1).is_success());
    assert_eq!(of(&report, 1).items().len(), 1);
    assert!(of(&report, 2).is_success());
    records.judge();
}

/// A handler that panics when it is dropped.
struct Breaks(Arc<dyn SyncHandler>);

impl Drop for Breaks {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("not without a word");
        }
    }
}

impl SyncHandler for Breaks {
    fn initialize(
        &self,
        flags: SyncFlags,
        cookie: Option<&[u8]>,
    ) -> Result<Participation, HandlerError> {
        self.0.initialize(flags, cookie)
    }
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        self.0.info()
    }
    fn items(&self) -> Result<ItemList, HandlerError> {
        self.0.items()
    }
    fn set_progress_callback(
        &self,
        callback: Option<Arc<dyn SyncCallback>>,
    ) -> Result<(), HandlerError> {
        self.0.set_progress_callback(callback)
    }
    fn prepare_for_sync(self: Arc<Self>, items: &[ItemId]) -> Result<Prepared, HandlerError> {
        Arc::clone(&self.0).prepare_for_sync(items)
    }
    fn synchronize(self: Arc<Self>) -> Result<(), HandlerError> {
        Arc::clone(&self.0).synchronize()
    }
    fn set_item_status(&self, item: ItemId, status: ItemStatus) -> Result<(), HandlerError> {
        self.0.set_item_status(item, status)
    }
}

#[test]
fn a_handler_that_panics_when_it_is_dropped_harms_nobody() {
    let manager = SyncManager::builder().concurrency(1).build();
    let records = Records::default();
    let made = manager.register(handler_id(1), Registration::new(), || {
        Arc::new(Breaks(script(1).handler()))
    });
    assert_eq!(made, Ok(()));
    records.register(&manager, 2, script(2));
    for _ in 0..3 {
        let report = finish(&manager.update_all());
        assert_eq!(status_of(of(&report, 1), 1), Some(ItemStatus::Succeeded));
        assert!(of(&report, 2).is_success());
    }
    records.judge();
}

#[test]
fn a_connector_that_hangs_is_given_up_with_the_handler_that_asked() {
    let hang = Gate::new();
    let at = hang.clone();
    let manager = SyncManager::builder()
        .deadline(Duration::from_millis(200))
        .connector(
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                at.pass();
                Ok(Box::new(()))
            },
        )
        .build();
    let records = Records::default();
    let flags = HandlerFlags::MAY_ESTABLISH_CONNECTION;
    let connect = [Step::connect(None)];
    records.register(&manager, 1, script(1).flags(flags).prepare(connect));
    records.register(&manager, 2, script(2));
    let report = finish(&manager.update_all());
    let one = of(&report, 1);
    assert_eq!((one.result, one.abandoned_threads), (HResult::E_ABORT, 1));
    assert!(of(&report, 2).is_success());
    hang.open();
    records.judge();
}

#[test]
fn a_run_is_waited_for_on_many_threads() {
    let manager = SyncManager::new();
    let records = Records::default();
    let gate = Gate::new();
    let script = Script::new()
        .sync_item(named(1))
        .synchronize(gated(id(1), &gate));
    records.register(&manager, 1, script);
    let run = manager.update_all();
    gate.reached();
    let waits: Vec<_> = (0..4)
        .map(|_| {
            let run = run.clone();
            thread::spawn(move || run.wait().is_success())
        })
        .collect();
    gate.open();
    for wait in waits {
        assert!(join("a wait", wait));
    }
    records.judge();
}
