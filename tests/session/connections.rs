//! Connections: opened by a connector, kept until every session that shares them has been released.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use syncmgr::{CallbackError, Connections, Connector, HResult, Session, SyncCallback};

use support::{Stage, items, join, open};

/// What a test connector has done.
#[derive(Default)]
struct Line {
    opened: Mutex<Vec<Option<String>>>,
    closed: Arc<AtomicUsize>,
}

impl Line {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn opened(&self) -> Vec<Option<String>> {
        self.opened.lock().expect("no test thread panicked").clone()
    }

    fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

/// An open connection; it counts its end.
struct Connection(Arc<AtomicUsize>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Opens every connection but the one that is called "broken".
struct Dialler(Arc<Line>);

impl Connector for Dialler {
    fn open(&self, connection: Option<&str>) -> Result<Box<dyn Any + Send>, CallbackError> {
        if connection == Some("broken") {
            return Err(CallbackError::Other(HResult::E_ACCESSDENIED));
        }
        self.0
            .opened
            .lock()
            .expect("no test thread panicked")
            .push(connection.map(str::to_owned));
        Ok(Box::new(Connection(Arc::clone(&self.0.closed))))
    }
}

fn connected(line: &Arc<Line>) -> Arc<Session> {
    Session::builder()
        .items(items(1))
        .connector(Dialler(Arc::clone(line)))
        .build()
        .expect("one item builds")
}

#[test]
fn without_a_connector_it_is_refused() {
    let session = open(1);
    for name in [None, Some("office"), Some("")] {
        assert_eq!(
            session.establish_connection(name),
            Err(CallbackError::NotConnected)
        );
    }
    assert!(CallbackError::NotConnected.hresult().is_failure());
}

#[test]
fn the_connector_gets_the_name_or_none() {
    let line = Line::new();
    let session = connected(&line);
    assert_eq!(session.establish_connection(None), Ok(()));
    assert_eq!(session.establish_connection(Some("office")), Ok(()));
    assert_eq!(line.opened(), [None, Some("office".to_owned())]);
}

#[test]
fn a_second_call_opens_another_without_dropping_the_first() {
    let line = Line::new();
    let session = connected(&line);
    for _ in 0..3 {
        assert_eq!(session.establish_connection(Some("office")), Ok(()));
    }
    assert_eq!((line.opened().len(), line.closed()), (3, 0));
    session.driver().release();
    assert_eq!(line.closed(), 3);
    session.driver().release();
    assert_eq!(line.closed(), 3);
}

#[test]
fn completion_closes_nothing() {
    let line = Line::new();
    let session = connected(&line);
    assert_eq!(session.establish_connection(None), Ok(()));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(line.closed(), 0);
    session.driver().release();
    assert_eq!(line.closed(), 1);
}

#[test]
fn the_answer_of_a_failing_connector_is_passed_on() {
    let line = Line::new();
    let session = connected(&line);
    let answer = session.establish_connection(Some("broken"));
    assert_eq!(answer, Err(CallbackError::Other(HResult::E_ACCESSDENIED)));
    assert_eq!(
        session.establish_connection(Some("sound")),
        Ok(()),
        "the next one may still be opened"
    );
    session.driver().release();
    assert_eq!((line.opened().len(), line.closed()), (1, 1));
}

#[test]
fn a_closure_is_a_connector() {
    let calls = Arc::new(AtomicUsize::new(0));
    let connector = {
        let calls = Arc::clone(&calls);
        move |_name: Option<&str>| -> Result<Box<dyn Any + Send>, CallbackError> {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(()))
        }
    };
    let session = Session::builder()
        .items(items(1))
        .connector(connector)
        .build()
        .expect("one item builds");
    assert_eq!(session.establish_connection(None), Ok(()));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_released_session_opens_nothing() {
    let line = Line::new();
    let session = connected(&line);
    session.driver().release();
    assert_eq!(
        session.establish_connection(None),
        Err(CallbackError::Released)
    );
    assert!(line.opened().is_empty());
}

#[test]
fn a_connection_may_be_opened_in_every_phase() {
    for stage in Stage::ALL
        .into_iter()
        .filter(|&stage| stage != Stage::Released)
    {
        let line = Line::new();
        let builder = Session::builder()
            .items(items(1))
            .connector(Dialler(Arc::clone(&line)));
        let builder = if matches!(stage, Stage::Open | Stage::OpenCompleted) {
            builder
        } else {
            builder.driven()
        };
        let session = builder.build().expect("one item builds");
        stage.enter(&session, 1);
        assert_eq!(session.establish_connection(None), Ok(()), "{stage:?}");
    }
}

#[test]
fn shared_connections_close_with_the_last_session() {
    let line = Line::new();
    let shared = Connections::new(Dialler(Arc::clone(&line)));
    let build = || {
        Session::builder()
            .items(items(1))
            .connections(shared.clone())
            .build()
            .expect("one item builds")
    };
    let sessions = [build(), build(), build()];
    drop(shared);
    assert_eq!(sessions[0].establish_connection(Some("one")), Ok(()));
    assert_eq!(sessions[2].establish_connection(Some("two")), Ok(()));
    sessions[0].driver().release();
    sessions[0].driver().release();
    assert_eq!(line.closed(), 0, "two sessions have not finished");
    sessions[2].driver().release();
    assert_eq!(line.closed(), 0, "one session has not finished");
    assert_eq!(sessions[1].establish_connection(Some("three")), Ok(()));
    sessions[1].driver().release();
    assert_eq!((line.opened().len(), line.closed()), (3, 3));
}

#[test]
fn a_host_that_may_build_more_sessions_keeps_the_connections_open() {
    let line = Line::new();
    let shared = Connections::new(Dialler(Arc::clone(&line)));
    for name in ["first handler", "second handler"] {
        let session = Session::builder()
            .items(items(1))
            .connections(shared.clone())
            .build()
            .expect("one item builds");
        assert_eq!(session.establish_connection(Some(name)), Ok(()));
        session.driver().release();
    }
    assert_eq!(
        line.closed(),
        0,
        "another handler of the run may still come"
    );
    drop(shared);
    assert_eq!(line.closed(), 2);
}

#[test]
fn connections_of_racing_threads_are_all_closed_once() {
    let line = Line::new();
    let shared = Connections::new(Dialler(Arc::clone(&line)));
    let sessions: Vec<_> = (0..2)
        .map(|_| {
            Session::builder()
                .items(items(1))
                .connections(shared.clone())
                .build()
                .expect("one item builds")
        })
        .collect();
    drop(shared);
    let threads: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            std::thread::spawn(move || {
                for _ in 0..500 {
                    assert_eq!(session.establish_connection(None), Ok(()));
                }
                session.driver().release();
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| join("an opening thread", thread));
    assert_eq!((line.opened().len(), line.closed()), (1_000, 1_000));
}
