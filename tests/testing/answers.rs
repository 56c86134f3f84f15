//! What is written down of a call, as data: the code of each answer, the members of updates and entries.

use syncmgr::raw::{LogInfoMask, ProgressMask};
use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Action, Answer, Call, Harness, Intervention, Listed, Recorder, Trace};
use syncmgr::{
    CallbackError, Dialog, ErrorId, HResult, HandlerFlags, ItemId, ItemName, ItemStatus, LogLevel,
    LogRecord, Participation, Prepared, ProgressUpdate, SyncItem, Verdict,
};

const ONE: ItemId = ItemId::from_u128(1);

#[test]
fn each_answer_has_its_code() {
    let item = SyncItem::new(ONE, ItemName::truncate_start("one"));
    let list = |complete| Answer::List {
        complete,
        items: vec![Listed::from(&item)],
    };
    let codes = [
        (Answer::None, None),
        (Answer::Panicked("boom".to_owned()), None),
        (Answer::Done, Some(HResult::S_OK)),
        (Answer::Verdict(Verdict::Continue), Some(HResult::S_OK)),
        (
            Answer::Verdict(Verdict::CancelItem),
            Some(HResult::S_SYNCMGR_CANCELITEM),
        ),
        (
            Answer::Verdict(Verdict::CancelAll),
            Some(HResult::S_SYNCMGR_CANCELALL),
        ),
        (Answer::Dialog(Dialog::Granted), Some(HResult::S_OK)),
        (Answer::Dialog(Dialog::Denied), Some(HResult::S_FALSE)),
        (
            Answer::Participation(Participation::Joins),
            Some(HResult::S_OK),
        ),
        (
            Answer::Participation(Participation::Declines),
            Some(HResult::S_FALSE),
        ),
        (Answer::Prepared(Prepared::Started), Some(HResult::S_OK)),
        (
            Answer::Prepared(Prepared::NeedsUser),
            Some(HResult::S_FALSE),
        ),
        (
            Answer::Info {
                name: "Mail".to_owned(),
                flags: HandlerFlags::HIDDEN,
            },
            Some(HResult::S_OK),
        ),
        (list(true), Some(HResult::S_OK)),
        (list(false), Some(HResult::S_SYNCMGR_MISSINGITEMS)),
        (Answer::Items(vec![ONE]), Some(HResult::S_OK)),
        (Answer::Object, Some(HResult::S_OK)),
        (
            Answer::Refused(CallbackError::NotImplemented),
            Some(HResult::E_NOTIMPL),
        ),
        (
            Answer::Refused(CallbackError::Other(HResult::E_OUTOFMEMORY)),
            Some(HResult::E_OUTOFMEMORY),
        ),
        (
            Answer::Failed {
                code: HResult::E_ABORT,
                text: "stopped".to_owned(),
            },
            Some(HResult::E_ABORT),
        ),
    ];
    for (answer, code) in codes {
        assert_eq!(answer.hresult(), code, "{answer:?}");
        let verdict = match answer {
            Answer::Verdict(verdict) => Some(verdict),
            _ => None,
        };
        assert_eq!(answer.verdict(), verdict);
    }
}

#[test]
fn an_update_that_is_kept_has_the_members_that_it_was_given() {
    let all = ProgressUpdate::new()
        .text("at work")
        .status(ItemStatus::Updating)
        .value(1)
        .max(2);
    let updates = [
        (ProgressUpdate::CHECK, ProgressMask::empty()),
        (ProgressUpdate::new().text(""), ProgressMask::STATUS_TEXT),
        (
            ProgressUpdate::new().status(ItemStatus::Pending),
            ProgressMask::STATUS_TYPE,
        ),
        (ProgressUpdate::new().value(0), ProgressMask::PROG_VALUE),
        (ProgressUpdate::new().max(0), ProgressMask::MAX_VALUE),
        (
            all,
            ProgressMask::STATUS_TEXT
                | ProgressMask::STATUS_TYPE
                | ProgressMask::PROG_VALUE
                | ProgressMask::MAX_VALUE,
        ),
    ];
    for (update, mask) in updates {
        assert_eq!(update.mask(), mask);
        assert_eq!(update.only_asks(), mask.is_empty());
        let kept: ProgressUpdate<'static> = update.clone().into_owned();
        assert_eq!(kept, update);
    }
}

#[test]
fn an_entry_that_is_kept_has_the_members_that_it_was_given() {
    let plain = LogRecord::new(LogLevel::Error, "the disk is full");
    let error = ErrorId::from_u128(7);
    let records = [
        (plain.clone(), LogInfoMask::empty()),
        (plain.clone().item(ONE), LogInfoMask::ITEM_ID),
        (plain.clone().error_id(error), LogInfoMask::ERROR_ID),
        (
            plain.clone().jump_text(error),
            LogInfoMask::ERROR_ID | LogInfoMask::ERROR_FLAGS,
        ),
        (
            plain
                .clone()
                .jump_text(error)
                .item(ONE)
                .name("full")
                .link("file:///disk")
                .link_text("open")
                .context("sda1"),
            LogInfoMask::ERROR_ID | LogInfoMask::ERROR_FLAGS | LogInfoMask::ITEM_ID,
        ),
    ];
    for (record, mask) in records {
        assert_eq!(record.mask(), mask);
        let kept: LogRecord<'static> = record.clone().into_owned();
        assert_eq!(kept, record);
    }
}

#[test]
fn a_recorder_by_default_is_a_new_one_and_says_how_much_it_has() {
    let recorder = Recorder::default();
    let text = "Recorder { calls: 0, .. }";
    assert_eq!(format!("{recorder:?}"), text);
    assert_eq!(format!("{:?}", Recorder::new()), text);
    let handler = recorder.handler(Script::new().handler());
    assert!(handler.info().is_ok());
    assert!(handler.items().is_ok());
    assert_eq!(format!("{recorder:?}"), "Recorder { calls: 2, .. }");
    assert_eq!(recorder.trace().calls().len(), 2);
}

#[test]
fn an_item_that_a_trace_does_not_know_has_no_status() {
    let script = Script::new().item(ONE, "one").synchronize([
        Step::report(ONE).status(ItemStatus::Updating),
        Step::report(ONE).status(ItemStatus::Succeeded),
    ]);
    let trace = Harness::new(script.handler()).run();
    trace.assert_conformant();
    assert_eq!(trace.status("one"), Some(ItemStatus::Succeeded));
    assert_eq!(trace.status(ONE), Some(ItemStatus::Succeeded));
    assert_eq!(trace.status("two"), None);
    assert_eq!(trace.status(ItemId::from_u128(2)), None);
    assert_eq!(trace.item("two").to_string(), "");
}

#[test]
fn a_cancel_at_a_call_that_is_no_report_has_no_item_to_cancel() {
    let script = || {
        Script::new().item(ONE, "one").synchronize([
            Step::report(ONE).status(ItemStatus::Updating),
            Step::log(&LogRecord::new(LogLevel::Warning, "slow")),
            Step::report(ONE).value(1),
            Step::report(ONE).status(ItemStatus::Succeeded),
        ])
    };
    let logs = |call: &Call| call.action.name() == "log_error";
    let trace = Harness::new(script().handler())
        .cancel_item_when(logs)
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status(ONE), Some(ItemStatus::Succeeded));
    let names = |trace: &Trace| {
        let calls = trace.calls().iter();
        let names = calls.map(|call| call.action.name());
        names.filter(|name| name.contains("cancel")).count()
    };
    assert_eq!(names(&trace), 0, "{trace}");
    // Everything can be.
    let trace = Harness::new(script().handler()).cancel_all_when(logs).run();
    trace.assert_conformant();
    assert_eq!(names(&trace), 1, "{trace}");
    assert_eq!(trace.status(ONE), Some(ItemStatus::Stopped));
}

#[test]
fn a_callback_is_released_once_however_often_it_is_asked_for() {
    let script = Script::new()
        .item(ONE, "one")
        .ignore_verdicts()
        .synchronize([
            Step::report(ONE).status(ItemStatus::Updating),
            Step::report(ONE).value(1),
            Step::report(ONE).status(ItemStatus::Succeeded),
        ]);
    let trace = Harness::new(script.handler())
        .intervene(Intervention::Release {
            item: "one".into(),
            report: 2,
        })
        .intervene(Intervention::Release {
            item: "one".into(),
            report: 3,
        })
        .run();
    assert!(trace.was_released(), "{trace}");
    assert_eq!(trace.unmet_conditions(), [] as [String; 0]);
    let released = |call: &&Call| call.action == Action::CallbackReleased;
    assert_eq!(trace.calls().iter().filter(released).count(), 1, "{trace}");
    assert_eq!(trace.status(ONE), Some(ItemStatus::Updating));
}
