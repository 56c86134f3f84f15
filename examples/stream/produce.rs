//! The job's side: one thread does the job, another streams its session.

use std::fs::File;
use std::io::{self, Stdout};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use syncmgr::json::{self, StreamWriter};
use syncmgr::{RunOptions, Session, run_handler};

use crate::{Options, job};

/// At most ten lines a second.
const EVERY: Duration = Duration::from_millis(100);

/// Does the job and streams it. Answers whether all went well.
pub fn produce(options: &Options) -> io::Result<bool> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let directory = options.directory.as_deref().unwrap_or(&own);
    let handler = job::handler(directory, options.pace)?;
    let about = format!("lines of the files in {}", directory.display());

    let (to_stream, sessions) = mpsc::channel();
    let streaming = thread::spawn(move || stream(&sessions, about));
    let options_of_run = RunOptions::new().on_session(move |session| {
        let _ = to_stream.send(session);
    });
    let report = run_handler(handler, options_of_run);

    let followed = streaming
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the streaming panicked")));
    let streamed = followed.and_then(|stream| match stream {
        Some(stream) => stream.end(&report),
        None => Ok(()), // there was no session
    });
    if let Some(path) = &options.report {
        json::to_writer(File::create(path)?, &report)?;
    }
    match streamed {
        // Whoever read it went away, which is no business of the job's.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    Ok(report.is_success())
}

/// Streams the session until it is over.
fn stream(
    sessions: &Receiver<Arc<Session>>,
    about: String,
) -> io::Result<Option<StreamWriter<Stdout>>> {
    let Ok(session) = sessions.recv() else {
        return Ok(None);
    };
    let mut stream = StreamWriter::new(session, io::stdout()).about(about);
    stream.follow(EVERY)?;
    Ok(Some(stream))
}
