//! Checksums of all files in some directories: data-parallel work by rayon under each item of a handler.
//!
//! ```text
//! cargo run --release -p syncmgr-rayon-checksums -- DIRECTORY...
//! ```
//!
//! It prints a line for each file, as `sha256sum` does, the directories in the order in which they were given; `sha256sum -c`
//! reads them. On a terminal it shows on standard error how far it is.
//!
//! Exit status: 0 all is done, 1 some files could not be read, 2 bad arguments.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use syncmgr::{Observer, RunOptions, run_handler};
use syncmgr_rayon_checksums::{Checksums, write};

fn main() -> ExitCode {
    let directories: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if directories.is_empty() {
        eprintln!("rayon_checksums: expected DIRECTORY..., but found no argument");
        return ExitCode::from(2);
    }
    match run(directories) {
        Ok(success) => ExitCode::from(u8::from(!success)),
        Err(error) => {
            eprintln!("rayon_checksums: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(directories: Vec<PathBuf>) -> Result<bool, Box<dyn Error>> {
    let checksums = Checksums::new(directories, None)?;
    let handler = checksums.handler();
    let (sender, session) = mpsc::channel();
    let options = RunOptions::new().on_session(move |session| _ = sender.send(session));
    let run = thread::spawn(move || run_handler(handler, options));
    if io::stderr().is_terminal() {
        watch(Observer::new(session.recv()?));
    }
    let report = run.join().expect("the handler's panics are caught");
    for entry in report.session.iter().flat_map(|session| session.log()) {
        eprintln!("rayon_checksums: {}", entry.text);
    }
    write(&checksums.sums(), io::stdout().lock())?;
    Ok(report.is_success())
}

/// Draws one line, until all is done, and wipes it.
fn watch(mut observer: Observer) {
    while !observer.wait(Duration::from_millis(100)).is_over() {
        let totals = observer.totals();
        let (done, all) = (totals.value >> 20, totals.max >> 20);
        eprint!("\r{done} of {all} MiB\x1b[K");
        let _ = io::stderr().flush();
        thread::sleep(Duration::from_millis(50)); // many events a second need not be drawn one by one
    }
    eprint!("\r\x1b[K");
}
