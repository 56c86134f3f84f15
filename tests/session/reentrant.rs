//! Foreign code that the session runs (a waker, a connector, a connection's end) may call the session back.

use std::any::Any;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Wake, Waker};

use syncmgr::{
    CallbackError, Cursor, Dialog, DialogArbiter, HResult, ItemStatus, LogLevel, LogRecord,
    LogSelector, ProgressUpdate, Session, SyncCallback, Verdict,
};

use support::hooked::OnWrite;
use support::{id, ids, item, items, open, status, synchronizing, value, within};

/// Calls everything that does not end the session; answers how many calls it made.
fn call_everything(session: &Session) {
    let _ = session.progress(
        id(2),
        &ProgressUpdate::new().value(1).max(2).text("from inside"),
    );
    let _ = session.progress(id(2), &status(ItemStatus::Paused));
    let _ = session.can_continue(Some(id(1)));
    let _ = session.can_continue(None);
    let _ = session.log_error(&LogRecord::new(LogLevel::Information, "from inside"));
    let _ = session.delete_log_error(LogSelector::All);
    let _ = session.enable_modeless(true);
    let _ = session.enable_modeless(false);
    let _ = session.set_handler_text("from inside");
    let _ = session.wake_on_cancel(Some(id(2)), Waker::noop());
    let _ = session.wake_on_cancel(None, Waker::noop());
    let _ = session.add_item(item(50));
    let _ = session.cancel_item(id(2));
    let _ = session.skip_item(id(2));
    let _ = session.item(id(1));
    let _ = session.snapshot();
    let _ = session.log();
    let _ = session.changes(Cursor::default());
    let _ = session.phase();
    let _ = session.driver().refused_completions();
    let _ = session.prepare_for_sync_completed(HResult::S_OK);
    let _ = session.driver().next_event(std::time::Duration::ZERO);
}

/// Calls the session back when it is woken.
struct Caller {
    session: Weak<Session>,
    woken: AtomicUsize,
    also: fn(&Session),
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if let Some(session) = self.session.upgrade() {
            call_everything(&session);
            (self.also)(&session);
        }
    }
}

fn caller(session: &Arc<Session>, also: fn(&Session)) -> Arc<Caller> {
    Arc::new(Caller {
        session: Arc::downgrade(session),
        woken: AtomicUsize::new(0),
        also,
    })
}

#[test]
fn a_waker_may_call_back_from_each_of_its_causes() {
    type Cause = fn(&Session);
    let causes: [(&str, Cause); 6] = [
        ("cancel_item", |session| {
            assert_eq!(session.cancel_item(id(1)), Ok(()))
        }),
        ("skip_item", |session| {
            assert_eq!(session.skip_item(id(1)), Ok(()))
        }),
        ("cancel_all", Session::cancel_all),
        ("the item's end", |session| {
            assert_eq!(
                session.progress(id(1), &status(ItemStatus::Succeeded)),
                Ok(Verdict::Continue)
            );
        }),
        ("completion", |session| {
            assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()))
        }),
        ("release", |session| session.driver().release()),
    ];
    for (name, cause) in causes {
        let woken = within(name, move || {
            let session = synchronizing(2);
            let caller = caller(&session, |_| {});
            assert_eq!(
                session.wake_on_cancel(Some(id(1)), &Waker::from(Arc::clone(&caller))),
                Ok(())
            );
            cause(&session);
            caller.woken.load(Ordering::SeqCst)
        });
        assert_eq!(woken, 1, "{name}");
    }
}

#[test]
fn a_waker_that_is_woken_at_once_may_call_back() {
    let woken = within("wake_on_cancel", || {
        let session = synchronizing(2);
        session.cancel_all();
        let caller = caller(&session, |_| {});
        assert_eq!(
            session.wake_on_cancel(Some(id(1)), &Waker::from(Arc::clone(&caller))),
            Ok(())
        );
        assert_eq!(
            session.wake_on_cancel(None, &Waker::from(Arc::clone(&caller))),
            Ok(())
        );
        caller.woken.load(Ordering::SeqCst)
    });
    assert_eq!(woken, 2);
}

#[test]
fn a_waker_may_end_the_session_that_wakes_it() {
    within("a waker that completes and releases", || {
        let session = synchronizing(2);
        let caller = caller(&session, |session| {
            session.cancel_all();
            let _ = session.synchronize_completed(HResult::S_OK);
            session.driver().release();
        });
        assert_eq!(
            session.wake_on_cancel(Some(id(1)), &Waker::from(Arc::clone(&caller))),
            Ok(())
        );
        assert_eq!(
            session.wake_on_cancel(None, &Waker::from(Arc::clone(&caller))),
            Ok(())
        );
        assert_eq!(session.cancel_item(id(1)), Ok(()));
        assert_eq!(session.phase(), syncmgr::Phase::Released);
        assert_eq!(
            session.progress(id(1), &value(1)),
            Err(CallbackError::Released)
        );
    });
}

#[test]
fn a_connector_may_call_back_and_open_another() {
    within("establish_connection", || {
        let known = Arc::new(OnceLock::<Weak<Session>>::new());
        let opened = Arc::new(Mutex::new(Vec::new()));
        let connector = {
            let (known, opened) = (Arc::clone(&known), Arc::clone(&opened));
            move |name: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                let session = known
                    .get()
                    .and_then(Weak::upgrade)
                    .expect("the session is known by now");
                call_everything(&session);
                if name == Some("outer") {
                    session.establish_connection(Some("inner"))?;
                }
                opened
                    .lock()
                    .expect("no test thread panicked")
                    .push(name.map(str::to_owned));
                Ok(Box::new(()))
            }
        };
        let session = Session::builder()
            .items(items(2))
            .connector(connector)
            .build()
            .expect("distinct items build");
        assert!(known.set(Arc::downgrade(&session)).is_ok());
        assert_eq!(session.establish_connection(Some("outer")), Ok(()));
        let opened = opened.lock().expect("no test thread panicked").clone();
        assert_eq!(opened, [Some("inner".to_owned()), Some("outer".to_owned())]);
    });
}

#[test]
fn a_connector_may_end_the_session() {
    within("establish_connection", || {
        let known = Arc::new(OnceLock::<Weak<Session>>::new());
        let connector = {
            let known = Arc::clone(&known);
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                known
                    .get()
                    .and_then(Weak::upgrade)
                    .expect("the session is known by now")
                    .driver()
                    .release();
                Ok(Box::new(()))
            }
        };
        let session = Session::builder()
            .items(items(1))
            .connector(connector)
            .build()
            .expect("distinct items build");
        assert!(known.set(Arc::downgrade(&session)).is_ok());
        let _ = session.establish_connection(None);
        assert_eq!(
            session.establish_connection(None),
            Err(CallbackError::Released)
        );
    });
}

/// A connection that looks at the session while it is closed.
struct Looking(Weak<Session>, Arc<AtomicUsize>);

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(session) = self.0.upgrade() {
            call_everything(&session);
        }
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_connection_may_call_back_while_it_is_closed() {
    let closed = within("release", || {
        let known = Arc::new(OnceLock::<Weak<Session>>::new());
        let closed = Arc::new(AtomicUsize::new(0));
        let connector = {
            let (known, closed) = (Arc::clone(&known), Arc::clone(&closed));
            move |_: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
                let session = known.get().expect("the session is known by now").clone();
                Ok(Box::new(Looking(session, Arc::clone(&closed))))
            }
        };
        let session = Session::builder()
            .items(items(1))
            .connector(connector)
            .build()
            .expect("distinct items build");
        assert!(known.set(Arc::downgrade(&session)).is_ok());
        assert_eq!(session.establish_connection(None), Ok(()));
        assert_eq!(session.establish_connection(Some("second")), Ok(()));
        session.driver().release();
        closed.load(Ordering::SeqCst)
    });
    assert_eq!(closed, 2);
}

#[test]
fn an_error_may_call_back_while_it_is_printed() {
    struct Telling(Arc<Session>);
    impl std::fmt::Debug for Telling {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Telling")
        }
    }
    impl std::fmt::Display for Telling {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            call_everything(&self.0);
            f.write_str("it went wrong")
        }
    }
    impl std::error::Error for Telling {}
    within("ItemReporter::fail", || {
        let session = open(2);
        let reporter = session
            .reporter(id(1))
            .expect("a known item has a reporter");
        assert_eq!(reporter.fail(&Telling(Arc::clone(&session))), Ok(()));
        assert_eq!(support::view(&session, 1).status, ItemStatus::Failed);
    });
}

#[test]
fn a_dialog_may_be_asked_for_while_another_call_waits_for_a_change() {
    let session = synchronizing(1);
    let cursor = session.snapshot().cursor;
    let waiting = {
        let session = Arc::clone(&session);
        std::thread::spawn(move || session.wait_for_change(cursor, support::LIMIT))
    };
    assert_eq!(session.enable_modeless(true), Ok(Dialog::Granted));
    assert_eq!(
        session.driver().begin_prepare(&ids(1)),
        Err(CallbackError::WrongPhase)
    );
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    let changes = support::join("wait_for_change", waiting);
    assert_eq!(changes.items().len(), 1);
}

#[test]
fn a_session_and_its_arbiter_may_be_used_while_they_are_printed() {
    within("the text", || {
        let arbiter = DialogArbiter::new();
        let session = Session::builder()
            .items(items(2))
            .dialog_arbiter(arbiter.clone())
            .build()
            .expect("distinct items build");
        let mut out = OnWrite(|| {
            assert!(!arbiter.is_taken());
            call_everything(&session);
        });
        write!(out, "{arbiter:?} {session:?}").expect("it takes everything");
    });
}
