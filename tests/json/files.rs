//! Files that were written by version 1 of each form: they are read, and mean what they say. The files are not to be changed:
//! later versions have to read them as they are.

use std::time::{Duration, SystemTime};

use syncmgr::json::{self, HandlerReportData, RunReportData, StreamMessage, StreamReader};
use syncmgr::{
    Changes, Choices, ErrorFlags, ErrorId, HResult, HandlerFlags, HandlerId, ItemFlags, ItemStatus,
    ItemView, Listing, LogEntry, LogLevel, Phase, PropertiesOutcome, ProtocolViolation,
    RegisterFlags, RunChanges, SessionSnapshot, Totals, Verdict, WaitTimeout,
};

use support::{id, ids};

const MAIL: HandlerId = HandlerId::from_u128(0x9d9c_2e6e_34a5_4f3b_8a52_7c1c_7b1b_0d11);

const SNAPSHOT: &str = include_str!("../data/snapshot-1.json");
const CHANGES: &str = include_str!("../data/changes-1.json");
const RUN_CHANGES: &str = include_str!("../data/run_changes-1.json");
const UNFINISHED: &str = include_str!("../data/unfinished-1.json");
const LISTING: &str = include_str!("../data/listing-1.json");
const CHOICES: &str = include_str!("../data/choices-1.json");
const CHOICES_WITHOUT_HEAD: &str = include_str!("../data/choices-1-without-head.json");
const HANDLER_REPORT: &str = include_str!("../data/handler_report-1.json");
const RUN_REPORT: &str = include_str!("../data/run_report-1.json");
const STREAM: &str = include_str!("../data/stream-1.jsonl");

#[track_caller]
fn the_items(items: &[ItemView]) {
    use ItemStatus::{
        Deleted, Failed, Paused, Pending, Resuming, Skipped, Stopped, Succeeded, Updating,
        UpdatingIndeterminate,
    };
    let statuses: Vec<ItemStatus> = items.iter().map(|view| view.status).collect();
    assert_eq!(
        statuses,
        [
            Stopped,
            Skipped,
            Pending,
            Updating,
            Succeeded,
            Failed,
            Paused,
            Resuming,
            UpdatingIndeterminate,
            Deleted,
            Updating,
            Pending
        ]
    );
    for (n, view) in items.iter().take(10).enumerate() {
        assert_eq!(view.id, id(n as u128 + 1));
        assert_eq!(view.name, *format!("item {}", n + 1));
        assert_eq!((view.value, view.max), (n as u64, 10));
        assert_eq!((&*view.text, view.verdict), ("", Verdict::Continue));
        assert!(view.selected);
    }
    let odd = &items[10];
    assert_eq!(odd.name, "ä \"quoted\" \\ / \u{1F600}");
    assert_eq!((odd.value, odd.max), (u64::MAX, u64::MAX));
    assert_eq!(
        odd.text,
        "NUL \0, escape \u{1b}[31m, line\n, \u{2028}, \u{10FFFF}"
    );
    assert_eq!(odd.verdict, Verdict::CancelItem);
    assert_eq!(items[11].name, "");
    assert_eq!(items[11].verdict, Verdict::CancelAll);
    assert!(!items[11].selected);
}

#[track_caller]
fn the_totals(totals: Totals) {
    let Totals {
        value,
        max,
        items,
        finished,
        measured,
        ..
    } = totals;
    assert_eq!((value, max, measured), (u64::MAX, u64::MAX, u64::MAX));
    assert_eq!((items, finished), (11, 5));
}

#[track_caller]
fn the_log(log: &[LogEntry]) {
    let [first, second, third] = log else {
        panic!("{log:?}");
    };
    let epoch = SystemTime::UNIX_EPOCH;
    assert_eq!(
        first.time,
        epoch + Duration::new(1_709_209_800, 123_456_700)
    );
    assert_eq!((first.sequence, first.level), (1, LogLevel::Information));
    assert_eq!((&*first.text, first.handler), ("begun", None));
    assert_eq!((first.item, first.error_id), (None, None));
    assert_eq!((&first.name, &first.link), (&None, &None));
    assert_eq!((&first.link_text, &first.context), (&None, &None));
    assert!(first.flags.is_empty());

    assert_eq!(second.time, epoch - Duration::from_millis(1));
    assert_eq!((second.handler, second.item), (Some(MAIL), Some(id(1))));
    assert_eq!(second.error_id, Some(ErrorId::from_u128(9)));
    assert_eq!(second.level, LogLevel::Warning);
    assert_eq!(second.flags, ErrorFlags::from_bits_retain(0x8000_0001));
    assert_eq!(second.name.as_deref(), Some("n"));
    assert_eq!(second.link.as_deref(), Some("l"));
    assert_eq!(second.link_text.as_deref(), Some("t"));
    assert_eq!(second.context.as_deref(), Some("c\0"));

    assert_eq!(third.time, epoch - Duration::from_secs(11_644_473_600));
    assert_eq!((third.sequence, third.level), (u64::MAX, LogLevel::Error));
    assert_eq!(third.text, "e\u{85}");
}

#[track_caller]
fn the_snapshot(snapshot: &SessionSnapshot) {
    the_items(&snapshot.items);
    the_totals(snapshot.totals);
    assert_eq!(snapshot.phase, Phase::Synchronizing);
}

#[track_caller]
fn the_changes(changes: &Changes) {
    let statuses: Vec<_> = changes.items().iter().map(|view| view.status).collect();
    assert_eq!(statuses, [ItemStatus::Stopped, ItemStatus::Skipped]);
    the_log(changes.log());
    assert_eq!(changes.phase(), Phase::Completed);
    assert!(!changes.is_complete());
    assert!(changes.is_over());
}

#[track_caller]
fn the_report(record: &HandlerReportData) {
    assert_eq!(record.result, HResult::E_ABORT);
    assert!(!record.cancelled); // it is not in the file
    assert_eq!(record.phase, Phase::Synchronizing);
    assert_eq!((record.rounds, record.abandoned_threads), (2, 1));
    let info = record.info.as_ref().expect("it told itself");
    assert_eq!(info.name, "Mail");
    assert_eq!(info.flags, HandlerFlags::from_bits_retain(0x8000_0002));
    assert_eq!(record.error.as_deref(), Some("synchronize did not return"));
    assert_eq!(record.text, "waits");
    the_items(&record.items);
    assert_eq!(record.unfinished, [id(4), id(11)]);
    the_log(&record.log);
    assert_eq!(record.log_refused, 3);
    assert_eq!(
        record.properties,
        [
            (None, PropertiesOutcome::Done),
            (Some(id(1)), PropertiesOutcome::ItemDeleted),
            (Some(id(2)), PropertiesOutcome::ItemsChanged),
            (
                None,
                PropertiesOutcome::Other(HResult::from_u32(0x8007_0002))
            ),
        ]
    );
    assert!(!record.is_success());
    the_faults(&record.faults);
}

#[track_caller]
fn the_faults(faults: &[ProtocolViolation]) {
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let told = "there was neither a call nor a new value for";
    assert_eq!(
        said,
        [
            "the handler panicked in the factory: boom\\n".to_owned(),
            format!("synchronize_completed was not called: {told} 250ms"),
            format!("items did not return: {told} 18446744073709551615.999999999s"),
            "prepare_for_sync_completed with 0x80070002 came in the phase open; one is allowed for each call that answered S_OK".to_owned(),
            "show_error_completed was called with nothing to complete; it is due once, after a call that answered a success".to_owned(),
            "the list of items cannot be used: the item \"a\" has the id 00000000-0000-0000-0000-000000000001, as an earlier item has; ids must be unique".to_owned(),
            "the list of items cannot be used: the item \"a\" has the nil id; an item needs an id of its own".to_owned(),
            "the list of items cannot be used: there are 4294967295 items; a session takes at most 4294967294".to_owned(),
            "the retry cannot be made: the item takes no part; only items of the current prepare, or added since, can be named".to_owned(),
            "the retry cannot be made: the host answered 0x00000123; only S_OK counts as done".to_owned(),
        ]
    );
}

#[test]
fn a_snapshot() {
    the_snapshot(&json::from_str(SNAPSHOT).unwrap());
}

#[test]
fn changes() {
    the_changes(&json::from_str(CHANGES).unwrap());
}

#[test]
fn changes_of_a_run() {
    let changes: RunChanges = json::from_str(RUN_CHANGES).unwrap();
    let progress = changes.progress;
    assert_eq!((progress.handlers, progress.waiting), (4, 1));
    assert_eq!((progress.running, progress.finished), (1, 2));
    the_totals(progress.totals);
    let [(handler, session)] = &changes.sessions[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(*handler, MAIL);
    the_changes(session);
    let handler = HandlerId::from_u128;
    assert_eq!(changes.ended, [handler(2), handler(3)]);
}

#[test]
fn an_unfinished_run() {
    let unfinished: WaitTimeout = json::from_str(UNFINISHED).unwrap();
    assert_eq!(
        unfinished.handlers,
        [
            (MAIL, Phase::Preparing, ids(2)),
            (HandlerId::from_u128(3), Phase::Idle, Vec::new())
        ]
    );
}

#[test]
fn a_listing() {
    let listing: Listing = json::from_str(LISTING).unwrap();
    assert_eq!(listing.handler, MAIL);
    let registration = &listing.registration;
    assert_eq!(
        registration.description.as_deref(),
        Some("Mail of the office")
    );
    assert_eq!(registration.flags, RegisterFlags::from_bits_retain(7));
    assert_eq!(listing.info.name, "Mail");
    assert_eq!(listing.info.flags, HandlerFlags::from_bits_retain(15));
    let [inbox, drafts] = &listing.items[..] else {
        panic!("{listing:?}");
    };
    assert_eq!((inbox.id, inbox.name.as_str()), (id(1), "Inbox"));
    assert_eq!(inbox.flags, ItemFlags::LAST_UPDATE_TIME);
    assert_eq!(
        inbox.last_update,
        Some(SystemTime::UNIX_EPOCH - Duration::from_nanos(100))
    );
    assert!(inbox.checked);
    assert_eq!(
        (drafts.id, drafts.last_update, drafts.checked),
        (id(2), None, false)
    );
    assert!(!listing.complete);
}

#[test]
fn choices_with_a_head_and_from_before() {
    for text in [CHOICES, CHOICES_WITHOUT_HEAD] {
        let choices: Choices = json::from_str(text).unwrap();
        let chosen: Vec<_> = choices.iter().collect();
        let other = HandlerId::from_u128(7);
        assert_eq!(
            chosen,
            [
                (other, id(3), true),
                (MAIL, id(1), false),
                (MAIL, id(2), true)
            ]
        );
    }
}

#[test]
fn a_report_of_a_handler() {
    the_report(&json::from_str(HANDLER_REPORT).unwrap());
}

#[test]
fn a_report_of_a_run() {
    let record: RunReportData = json::from_str(RUN_REPORT).unwrap();
    let [(mail, report), (other, bare)] = &record.handlers[..] else {
        panic!("{record:?}");
    };
    assert_eq!((*mail, *other), (MAIL, HandlerId::from_u128(3)));
    the_report(report);
    assert!(!record.is_success() && !record.was_cancelled());
    assert_eq!(record.handler(MAIL), Some(report));
    assert!(bare.is_success());
    assert_eq!((bare.result, bare.phase), (HResult::S_FALSE, Phase::Idle));
    assert_eq!((&bare.info, &bare.error), (&None, &None));
    assert!(bare.items.is_empty() && bare.log.is_empty() && bare.faults.is_empty());
}

#[test]
fn a_stream() {
    let mut lines = StreamReader::new(STREAM.as_bytes()).unwrap();
    assert_eq!((lines.handler(), lines.about()), (Some(MAIL), Some("mail")));
    let mut next = || lines.next().expect("a line").expect("of a stream");
    let StreamMessage::Snapshot {
        snapshot,
        log,
        text,
        ..
    } = next()
    else {
        panic!("no snapshot");
    };
    the_snapshot(&snapshot);
    assert_eq!((log.len(), text.as_deref()), (1, Some("connects")));
    let StreamMessage::Changes {
        changes,
        totals,
        text,
        ..
    } = next()
    else {
        panic!("no changes");
    };
    the_log(changes.log());
    the_totals(totals);
    assert_eq!((text, changes.is_over()), (None, false));
    let StreamMessage::Changes {
        changes,
        totals,
        text,
        ..
    } = next()
    else {
        panic!("no changes");
    };
    assert_eq!((totals, text.as_deref()), (Totals::default(), Some("")));
    assert_eq!(
        (changes.phase(), changes.is_over()),
        (Phase::Released, true)
    );
    let StreamMessage::End(end) = next() else {
        panic!("no end");
    };
    assert_eq!((end.result, end.success), (HResult::E_FAIL, false));
    assert_eq!(end.error.as_deref(), Some("prepare_for_sync: no"));
    assert_eq!((end.unfinished, end.faults.len()), (vec![id(4)], 1));
    assert!(lines.next().is_none());
}

/// Not where the clock of the machine is coarser than what is written.
#[test]
#[cfg(unix)]
fn what_was_read_is_written_as_it_was_then() {
    macro_rules! check {
        ($($type:ty: $text:expr, $same:literal;)+) => {$(
            let read: $type = json::from_str($text).unwrap();
            let written = json::to_string(&read);
            assert_eq!(written == $text, $same, "{written}");
            let again: $type = json::from_str(&written).unwrap();
            assert_eq!(again, read);
        )+};
    }
    check! {
        SessionSnapshot: SNAPSHOT, true;
        Changes: CHANGES, true;
        RunChanges: RUN_CHANGES, true;
        WaitTimeout: UNFINISHED, true;
        Listing: LISTING, true;
        Choices: CHOICES, false; // the ids are sorted
        Choices: CHOICES_WITHOUT_HEAD, false;
        HandlerReportData: HANDLER_REPORT, false; // what a fault says is put into words anew
        RunReportData: RUN_REPORT, false;
    }
}

#[test]
fn a_text_that_is_no_object_is_refused_with_the_field_that_is_wanted() {
    for text in ["7", "\"a text\"", "[]", "null"] {
        let error = json::from_str::<SessionSnapshot>(text).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("an object with the field \"syncmgr_snapshot\""),
            "{said}"
        );
    }
}

#[test]
fn an_error_message_is_cut_only_where_something_is_left_out() {
    let mut cut = 0;
    for length in 0..700 {
        let phase = "Z".repeat(length);
        let text = format!("{{\"syncmgr_snapshot\":1,\"phase\":\"{phase}\"}}");
        let error = json::from_str::<SessionSnapshot>(&text).unwrap_err();
        let said = error.to_string();
        if said.contains(" … ") {
            cut += 1;
            assert!(said.matches('Z').count() < length, "{length}: {said}");
        } else {
            assert!(said.contains(&phase), "{length}: {said}");
        }
    }
    assert!((100..600).contains(&cut), "{cut} messages were cut");
}

#[test]
fn a_field_of_the_wrong_kind_is_refused() {
    let report = HANDLER_REPORT.replacen(
        r#""properties":[{"result":"S_OK"}"#,
        r#""properties":[7"#,
        1,
    );
    assert_ne!(report, HANDLER_REPORT);
    assert!(json::from_str::<HandlerReportData>(&report).is_err());
    let listing = LISTING.replacen(
        r#""last_update":"1969-12-31T23:59:59.999999900Z""#,
        r#""last_update":true"#,
        1,
    );
    assert_ne!(listing, LISTING);
    assert!(json::from_str::<Listing>(&listing).is_err());
}
