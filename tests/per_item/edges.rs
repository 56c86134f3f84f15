//! A handler of items at its edges: its settings, what passes through the adapters and fails there, a machine without threads, and
//! a host that lets go in the middle of something.

use std::error::Error as _;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use support::works::handler;
use support::{driven, id, ids, item, items, until, view, within};
use syncmgr::per_item::{self, Cancelled, Error, HandlerBuilder, ItemContext};
use syncmgr::testing::{Action, Harness};
use syncmgr::{
    CallbackError, ErrorId, HResult, HandlerError, HandlerFlags, HandlerReport, ItemStatus,
    LogLevel, Phase, Prepared, ProgressUpdate, RunOptions, Session, SyncEvent, SyncFlags,
    SyncHandler, run_handler,
};

/// Runs a handler, and hands its session to the work.
fn run(
    n: u128,
    work: fn(&ItemContext, &Session) -> Result<(), Error>,
) -> (HandlerReport, Arc<Session>) {
    let known = Arc::new(OnceLock::<Arc<Session>>::new());
    let (keep, session) = (Arc::clone(&known), Arc::clone(&known));
    let options = RunOptions::new().on_session(move |session| {
        assert!(keep.set(session).is_ok(), "it is handed out once");
    });
    let handler = handler(n, move |one| {
        work(one, session.get().expect("it is there before the work"))
    });
    let report = within("the run", move || run_handler(handler.build(), options));
    let session = known.get().expect("the run has one").clone();
    (report, session)
}

/// As [`run`], for one item whose work has to go well.
#[track_caller]
fn goes_well(work: fn(&ItemContext, &Session) -> Result<(), Error>) -> Arc<Session> {
    let (report, session) = run(1, work);
    assert!(report.is_success(), "{report:?} {:?}", session.log());
    session
}

#[test]
fn a_handler_prints_its_settings_and_no_closure() {
    let source = per_item::from_items(items(1), |_| Ok(()));
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let handler = HandlerBuilder::new("Mail".parse().unwrap(), source)
        .flags(HandlerFlags::MAY_ESTABLISH_CONNECTION | HandlerFlags::HAS_PROPERTIES)
        .measure(|_| Ok(1))
        .finish(|| Ok(()))
        .retry(false);
    let text = format!("{handler:?}");
    assert!(
        text.starts_with("HandlerBuilder { info: HandlerInfo { "),
        "{text}"
    );
    assert!(text.contains("Mail"), "{text}");
    let end = "workers: 1, retry: false, wait: false, .. }";
    assert!(text.ends_with(end), "{text}");
    let handler = handler.worker_per_core().retry(true).wait_for_work(true);
    let text = format!("{handler:?}");
    let end = format!("workers: {cores}, retry: true, wait: true, .. }}");
    assert!(text.ends_with(&end), "{text}");

    let info = handler.build().info().unwrap();
    assert_eq!(info.name.as_str(), "Mail");
    let flags = HandlerFlags::MAY_ESTABLISH_CONNECTION | HandlerFlags::HAS_PROPERTIES;
    assert_eq!(info.flags, flags);
}

#[test]
fn as_many_workers_as_there_are_cores_are_at_work_at_once() {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let at_work = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&at_work);
    let handler = handler(cores as u128, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        until("one worker for each core", || {
            count.load(Ordering::SeqCst) == cores
        });
        Ok(())
    });
    let handler = handler.worker_per_core().build();
    let report = within("the run", || run_handler(handler, RunOptions::new()));
    assert!(report.is_success(), "{report:?}");
}

#[test]
fn the_work_knows_why_it_is_done_and_prints_its_item() {
    let told = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&told);
    let handler = handler(1, move |work| {
        *tell.lock().unwrap() = Some((work.flags(), format!("{work:?}")));
        Ok(())
    });
    let flags = SyncFlags::new(SyncEvent::Scheduled);
    let report = run_handler(handler.build(), RunOptions::new().flags(flags));
    assert!(report.is_success(), "{report:?}");
    let (seen, text) = told.lock().unwrap().take().expect("the work was done");
    assert_eq!(seen, flags);
    assert_eq!(text, format!("ItemContext {{ item: {:?}, .. }}", item(1)));
}

#[test]
fn an_iterator_of_unknown_length_tells_no_maximum() {
    let session = goes_well(|work, session| {
        let mut each = work.wrap_iter([1, 2, 3].into_iter().filter(|n| *n > 0));
        assert_eq!(each.size_hint(), (0, Some(3)));
        assert_eq!(each.next(), Some(1));
        assert_eq!(each.size_hint(), (0, Some(2)));
        assert!(format!("{each:?}").starts_with("ProgressIter { work: ItemContext { item: "));
        // The first is done when the second is asked for.
        assert_eq!(view(session, 1).value, 0);
        assert_eq!(each.collect::<Vec<_>>(), [2, 3]);
        Ok(())
    });
    assert_eq!((view(&session, 1).value, view(&session, 1).max), (3, 0));
    let session = goes_well(|work, _| {
        work.wrap_iter([1, 2, 3]).for_each(drop);
        Ok(())
    });
    assert_eq!((view(&session, 1).value, view(&session, 1).max), (3, 3));
}

/// Reads and writes three bytes, and then fails; counts how often it is flushed.
#[derive(Debug, Default, PartialEq)]
struct Cable {
    passed: usize,
    flushed: usize,
}

impl Cable {
    fn pass(&mut self, count: usize) -> io::Result<usize> {
        let count = count.min(3 - self.passed);
        self.passed += count;
        match count {
            0 => Err(io::Error::other("the cable is out")),
            count => Ok(count),
        }
    }
}

impl Read for Cable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass(buffer.len())
    }
}

impl Write for Cable {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.pass(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed += 1;
        match self.flushed {
            1 => Ok(()),
            _ => Err(io::Error::other("nothing goes out")),
        }
    }
}

#[test]
fn what_passes_before_an_error_is_counted_and_the_error_is_passed_on() {
    let session = goes_well(|work, session| {
        let mut reader = work.wrap_read(Cable::default());
        assert_eq!(reader.read(&mut [0; 2])?, 2);
        assert_eq!(reader.read(&mut [0; 2])?, 1);
        let error = reader.read(&mut [0; 2]).unwrap_err();
        assert_eq!(error.to_string(), "the cable is out");
        assert_eq!(view(session, 1).value, 3);
        assert_eq!(reader.into_inner().passed, 3);

        let mut writer = work.wrap_write(Cable::default());
        assert_eq!(writer.write(b"12")?, 2);
        let error = writer.write_all(b"345").unwrap_err();
        assert_eq!(error.to_string(), "the cable is out");
        assert_eq!(writer.into_inner().passed, 3);
        Ok(())
    });
    assert_eq!(view(&session, 1).value, 6);
}

#[test]
fn a_flush_reaches_the_writer_and_none_does_after_a_cancel() {
    let (_, session) = run(1, |work, session| {
        let mut writer = work.wrap_write(Cable::default());
        writer.flush()?;
        let error = writer.flush().unwrap_err();
        assert_eq!(error.to_string(), "nothing goes out");
        session.cancel_item(id(1))?;
        let error = writer.flush().unwrap_err();
        assert_eq!(Cancelled::find(&error), Some(Cancelled::Item));
        assert_eq!(writer.write(b"1").unwrap_err().kind(), io::ErrorKind::Other);
        let cable = writer.into_inner();
        assert_eq!((cable.passed, cable.flushed), (0, 2), "neither reached it");
        let mut reader = work.wrap_read(cable);
        let error = reader.read(&mut [0]).unwrap_err();
        assert_eq!(Cancelled::find(&error), Some(Cancelled::Item));
        let cable = reader.into_inner();
        assert_eq!(cable.passed, 0);
        Err(error.into())
    });
    assert_eq!(view(&session, 1).status, ItemStatus::Stopped);
    assert_eq!(session.log(), []);
}

#[test]
fn a_maximum_that_is_taken_back_is_raised_no_more() {
    let session = goes_well(|work, session| {
        work.max(10)?;
        work.set(12)?;
        assert_eq!(view(session, 1).max, 12, "raised");
        work.report(&ProgressUpdate::new().max(0).text("who knows"))?;
        work.set(20)?;
        let view = view(session, 1);
        assert_eq!((view.value, view.max), (20, 0));
        // A new one is not below what is done.
        work.max(15)?;
        Ok(())
    });
    assert_eq!((view(&session, 1).value, view(&session, 1).max), (20, 20));
}

#[test]
fn a_value_and_its_maximum_in_one_report_are_told_as_they_are() {
    let session = goes_well(|work, session| {
        work.max(10)?;
        work.report(&ProgressUpdate::new().value(30).max(40))?;
        let seen = view(session, 1);
        assert_eq!((seen.value, seen.max), (30, 40));
        // A maximum below the value is told as that.
        work.report(&ProgressUpdate::new().value(50).max(45))?;
        let seen = view(session, 1);
        assert_eq!((seen.value, seen.max), (50, 50));
        work.advance(1)?;
        Ok(())
    });
    assert_eq!((view(&session, 1).value, view(&session, 1).max), (51, 51));
}

/// A stack that no machine has room for.
const TOO_MUCH: usize = isize::MAX as usize / 2 + 1;

#[test]
fn where_no_thread_is_to_be_had_nothing_begins_and_the_run_says_why() {
    for measured in [false, true] {
        let done = Arc::new(AtomicUsize::new(0));
        let (count, measures) = (Arc::clone(&done), Arc::clone(&done));
        let mut handler = handler(3, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .workers(2)
        .stack_size(TOO_MUCH)
        // It does not wait for workers that never came.
        .wait_for_work(true);
        if measured {
            handler = handler.measure(move |_| {
                measures.fetch_add(1, Ordering::SeqCst);
                Ok(1)
            });
        }
        let handler = handler.build();
        let report = within("the run", || run_handler(handler, RunOptions::new()));
        assert_eq!(done.load(Ordering::SeqCst), 0);
        assert!(!report.is_success(), "{report:?}");
        assert_eq!(report.result, HResult::E_FAIL);
        assert_eq!(report.faults, [], "nothing was completed twice");
        let call = if measured {
            "prepare_for_sync"
        } else {
            "synchronize"
        };
        let error = report.error.as_deref().unwrap_or_default();
        assert!(error.starts_with(&format!("{call}: ")), "{error}");
        assert!(error.len() > call.len() + 2, "it says why: {error}");
        assert_eq!(report.unfinished, ids(3));
        for item in report.items() {
            assert_eq!(item.status, ItemStatus::Pending, "{item:?}");
        }
    }
}

/// A session whose host is this test, and a handler that has its callback.
fn started(handler: &Arc<dyn SyncHandler>, n: u128) -> Arc<Session> {
    let session = driven(n);
    assert!(handler.initialize(SyncFlags::default(), None).is_ok());
    assert!(handler.items().is_ok());
    let set = handler.set_progress_callback(Some(session.clone()));
    assert!(set.is_ok());
    session
}

#[track_caller]
fn prepare(handler: &Arc<dyn SyncHandler>, session: &Session, n: u128) {
    assert_eq!(session.driver().begin_prepare(&ids(n)), Ok(()));
    let answer = Arc::clone(handler).prepare_for_sync(&ids(n));
    assert!(matches!(answer, Ok(Prepared::Started)), "{answer:?}");
}

#[track_caller]
fn synchronize(handler: &Arc<dyn SyncHandler>, session: &Session) {
    until("the prepare", || session.phase() == Phase::Prepared);
    assert_eq!(session.driver().begin_synchronize(), Ok(()));
    let answer = Arc::clone(handler).synchronize();
    assert!(answer.is_ok(), "{answer:?}");
}

/// The workers have ended, and whatever they do at their end: nobody but the test has the handler.
#[track_caller]
fn rested(handler: &Arc<dyn SyncHandler>) {
    until("the last worker's end", || Arc::strong_count(handler) == 1);
}

/// The handler, for its own work: which takes the callback away as a host may from inside any call.
type Own = Arc<OnceLock<Weak<dyn SyncHandler>>>;

fn let_go(own: &Own) {
    let handler = own.get().and_then(Weak::upgrade);
    let handler = handler.expect("the test has it");
    assert!(handler.set_progress_callback(None).is_ok());
}

/// Builds a handler, and tells it to its work.
fn known(own: &Own, handler: HandlerBuilder) -> Arc<dyn SyncHandler> {
    let handler = handler.build();
    assert!(own.set(Arc::downgrade(&handler)).is_ok());
    handler
}

#[test]
fn a_host_that_lets_go_while_the_items_are_measured_is_told_no_more() {
    let (own, measured) = (Own::default(), Arc::new(AtomicUsize::new(0)));
    let (mine, count) = (own.clone(), measured.clone());
    let handler = known(
        &own,
        handler(3, |_| Ok(())).measure(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let_go(&mine);
            Ok(7)
        }),
    );
    let session = started(&handler, 3);
    prepare(&handler, &session, 3);
    rested(&handler);
    assert_eq!(measured.load(Ordering::SeqCst), 1, "only the first");
    assert_eq!(session.phase(), Phase::Preparing, "nothing is completed");
    assert_eq!(view(&session, 1).max, 0);
}

#[test]
fn a_host_that_lets_go_in_the_finish_gets_no_completion_and_no_entry() {
    for fails in [false, true] {
        let (own, done) = (Own::default(), Arc::new(AtomicUsize::new(0)));
        let (mine, count) = (own.clone(), done.clone());
        let finish = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let_go(&mine);
            match fails {
                true => Err("not finished".into()),
                false => Ok(()),
            }
        };
        let handler = known(&own, handler(2, |_| Ok(())).finish(finish));
        let session = started(&handler, 2);
        prepare(&handler, &session, 2);
        synchronize(&handler, &session);
        rested(&handler);
        assert_eq!(done.load(Ordering::SeqCst), 1);
        assert_eq!(session.phase(), Phase::Synchronizing);
        assert_eq!(session.log(), []);
        assert_eq!(view(&session, 2).status, ItemStatus::Succeeded);
    }
}

#[test]
fn a_host_that_lets_go_in_the_work_is_given_no_item_and_no_end() {
    let own = Own::default();
    let (mine, answers) = (own.clone(), Arc::new(Mutex::new(Vec::new())));
    let answered = answers.clone();
    let work = move |work: &ItemContext| {
        let_go(&mine);
        let mut answers = answered.lock().unwrap();
        answers.push(work.add_item(item(9)));
        answers.push(work.log(LogLevel::Warning, "too late"));
        answers.push(work.callback().map(drop));
        assert_eq!(
            work.set(1),
            Err(Cancelled::Refused(CallbackError::Released))
        );
        Ok(())
    };
    let handler = known(&own, handler(2, work));
    let session = started(&handler, 2);
    prepare(&handler, &session, 2);
    synchronize(&handler, &session);
    rested(&handler);
    let released = Err(CallbackError::Released);
    assert_eq!(*answers.lock().unwrap(), [released; 3], "of one item alone");
    assert!(session.item(id(9)).is_none());
    assert_eq!(session.log(), []);
    let statuses = [1, 2].map(|n| view(&session, n).status);
    assert_eq!(statuses, [ItemStatus::Updating, ItemStatus::Pending]);
    assert_eq!(session.phase(), Phase::Synchronizing);
}

#[test]
fn a_finish_that_passes_an_interruption_on_has_failed_with_its_words() {
    let handler = handler(1, |_| Ok(())).finish(|| Err(Cancelled::All.into()));
    let report = run_handler(handler.build(), RunOptions::new());
    assert_eq!(report.result, HResult::E_FAIL);
    let session = report.session.as_ref().expect("it told its items");
    let log = session.log();
    let told: Vec<_> = log
        .iter()
        .map(|entry| (entry.level, &*entry.text))
        .collect();
    let text = "everything was cancelled; all work is to end";
    assert_eq!(told, [(LogLevel::Error, text)]);
}

#[test]
fn only_a_skip_keeps_an_item_from_being_done() {
    let handler = handler(3, |work| Ok(work.advance(1)?)).build();
    let session = started(&handler, 3);
    prepare(&handler, &session, 3);
    assert!(handler.set_item_status(id(1), ItemStatus::Stopped).is_ok());
    assert!(handler.set_item_status(id(2), ItemStatus::Skipped).is_ok());
    synchronize(&handler, &session);
    until("the end", || session.phase() == Phase::Completed);
    let statuses = [1, 2, 3].map(|n| view(&session, n).status);
    use ItemStatus::{Skipped, Succeeded};
    assert_eq!(statuses, [Succeeded, Skipped, Succeeded]);
}

#[test]
fn an_error_that_the_handler_did_not_log_cannot_be_shown() {
    let handler = handler(1, |_| Ok(())).build();
    let unknown = ErrorId::from_u128(7);
    let answer = Arc::clone(&handler).show_error(unknown).unwrap_err();
    assert_eq!(answer.hresult(), HResult::E_UNEXPECTED, "no host yet");
    let session = started(&handler, 1);
    let answer = Arc::clone(&handler).show_error(unknown).unwrap_err();
    assert!(matches!(answer, HandlerError::InvalidArgument), "{answer}");
    assert!(answer.source().is_none());
    assert_eq!(session.phase(), Phase::Idle);
    assert_eq!(session.driver().next_event(std::time::Duration::ZERO), None);
}

#[test]
fn a_handler_that_is_run_again_deletes_no_error_of_the_run_before() {
    let rounds = AtomicUsize::new(0);
    let handler = handler(1, move |_| match rounds.fetch_add(1, Ordering::SeqCst) {
        0 => Err("not the first time".into()),
        _ => Ok(()),
    });
    let handler = handler.build();
    for succeeds in [false, true] {
        let recorder = syncmgr::testing::Recorder::new();
        let recorded = recorder.handler(Arc::clone(&handler));
        let report = within("the run", move || run_handler(recorded, RunOptions::new()));
        assert_eq!(report.items()[0].status == ItemStatus::Succeeded, succeeds);
        let trace = recorder.trace();
        assert!(trace.violations().is_empty(), "{trace}");
    }
}

#[test]
fn an_iterator_with_a_range_of_lengths_reports_no_maximum() {
    let session = goes_well(|item, _| {
        let elements = [1, 2].into_iter();
        let elements = elements.chain([3, 4].into_iter().filter(|n| *n > 3));
        item.wrap_iter(elements).for_each(drop);
        Ok(())
    });
    assert_eq!((view(&session, 1).value, view(&session, 1).max), (3, 0));
}

#[test]
fn an_iterator_asks_before_the_first_element_and_reports_no_value() {
    let handler = handler(1, |item| {
        item.wrap_iter([1, 2]).for_each(drop);
        Ok(())
    });
    let trace = Harness::new(handler.build()).run();
    trace.assert_conformant();
    let values: Vec<_> = trace
        .calls()
        .iter()
        .filter_map(|call| match &call.action {
            Action::Progress { update, .. } => update.value,
            _ => None,
        })
        .collect();
    assert_eq!(values, [1, 2]);
}

#[test]
fn an_item_that_waits_for_a_cancellation_that_does_not_come_succeeds() {
    let session = goes_well(|item, _| {
        item.wait_cancelled(Duration::ZERO)?;
        let guard = item.on_cancel(|| panic!("nothing is cancelled"))?;
        assert!(!guard.was_called());
        Ok(())
    });
    assert_eq!(view(&session, 1).status, ItemStatus::Succeeded);
}

#[test]
fn a_cancelled_item_of_a_host_that_does_not_wake_is_stopped_though_its_wait_fails() {
    let (_, session) = run(1, |item, session| {
        session.cancel_item(id(1)).unwrap();
        assert_eq!(item.set(1), Err(Cancelled::Item));
        Err(Cancelled::Refused(CallbackError::NotImplemented).into())
    });
    assert_eq!(view(&session, 1).status, ItemStatus::Stopped);
}
