//! A directory mirror: the crate's main job on real files, and a model of how to write a sync handler.
//!
//! ```text
//! cargo run --release -p syncmgr-mirror -- [--delete] [--jobs N] [SOURCE DEST]
//! ```
//!
//! It makes DEST a copy of SOURCE, one way. Each top-level entry of SOURCE is an item of a
//! handler that [`per_item`](syncmgr::per_item) makes; [`run_handler`] takes it through its life; progress, in bytes, and
//! errors lie in the [`Session`]; one thread watches that session and draws; another reads which item to cancel.
//!
//! Where to look:
//!
//! | file | what it shows |
//! |---|---|
//! | `handler.rs` | the handler: the list of items, the size of one, the work on one |
//! | `job.rs` | one item in work: reports of several threads, one flag for all of them, what it ends as |
//! | `hands.rs` | threads that help with an item while they are free |
//! | `watch.rs`, `bars.rs`, `frame.rs`, `lines.rs`, `table.rs`, `input.rs` | the other side: who looks at a session and who cancels |
//! | `work.rs`, `folder.rs`, `copy.rs`, `remove.rs` | the work itself: list, copy, remove |
//! | `dir.rs`, `temp.rs`, `place.rs`, `fault.rs`, `show.rs`, `args.rs` | what it stands on |
//!
//! `scripts/mirror_vs_cp.py` times it against `cp -a`.
//!
//! # What it does and does not do
//!
//! - A file whose size and modification time are those of the source is left as it is. Times and permissions are kept,
//!   owners, hard links, extended attributes and holes are not; a set-user-id bit is kept only where the owner is the same.
//! - Links are made anew as links and never followed, in the source or in the destination: see `dir.rs`. SOURCE and DEST
//!   themselves may be links. Pipes, sockets and devices are left out, with a warning.
//! - A file appears whole or not at all: it is written under a temporary name beside its place, then renamed. A file
//!   or link in its place is replaced; a directory never is. A file or link never makes room for a directory. These fail the
//!   item, with or without `--delete`.
//! - The next run removes temporary files that a killed one left in the directories that it visits. `temp.rs` tells how they
//!   are known, and `Dir::lock` how those of a mirror that still runs are spared.
//! - `--delete` removes from DEST what is not in SOURCE: below an item it is a part of that item, and what stands beside
//!   the items is one more item, the last. Other file systems mounted there are left alone.
//! - It calls no `fsync`. After a power cut a file that was in its place may be empty or hold old data, and its size and time may
//!   look right all the same: then remove it, or touch its source, and run the mirror again.
//! - A file that changes while it is copied fails its item, as far as size and modification time show it.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;
use syncmgr::{HandlerReport, RunOptions, Session, SyncHandler, run_handler};
use syncmgr_mirror::args::{Command, Options};
use syncmgr_mirror::handler::Mirror;
use syncmgr_mirror::input::Input;
use syncmgr_mirror::place::Places;
use syncmgr_mirror::show::escaped;
use syncmgr_mirror::watch::{Numbers, Talk};
use syncmgr_mirror::{args, frame, input, lines, show, table, watch};

const FAILED: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;
/// Items were cancelled or left out, and nothing failed.
const LEFT_OUT: u8 = 3;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            lines::print(args::HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(options)) => options,
        Err(error) => {
            eprintln!("mirror: {error}\nTry 'mirror --help'.");
            return BAD_ARGUMENTS.into();
        }
    };
    let opened = match &options.paths {
        Some((source, dest)) => Places::open(source, dest).map_err(Into::into),
        None => own_tree(),
    };
    let places = match opened {
        Ok(places) => places,
        Err(error) => {
            eprintln!("mirror: {error}");
            return BAD_ARGUMENTS.into();
        }
    };
    let stays = options.paths.is_none().then(|| places.dest.clone());
    let code = mirror(places, &options).unwrap_or_else(|error| {
        eprintln!("mirror: {error}");
        FAILED
    });
    if let Some(dest) = stays {
        lines::print(&format!("To remove this copy: {}", show::removal(&dest)));
    }
    code.into()
}

/// The tree of the repository that this was built from, into a new temporary directory that stays.
fn own_tree() -> Result<Places, Box<dyn Error>> {
    let dest = tempfile::Builder::new()
        .prefix("syncmgr-mirror-")
        .tempdir()?;
    let places = Places::open(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")),
        dest.path(),
    )?;
    _ = dest.keep();
    Ok(places)
}

/// Mirrors, and answers the exit status.
fn mirror(places: Places, options: &Options) -> Result<u8, Box<dyn Error>> {
    let without: &[&str] = match options.paths {
        Some(_) => &[],
        None => &["target", ".git"],
    };
    let title = format!("{} -> {}", escaped(&places.source), escaped(&places.dest));
    let live = !options.plain && frame::is_possible();
    let mirror = Mirror::new(places, options.delete, options.jobs, without)?;
    let numbers = Arc::new(Numbers::new(mirror.subjects()));
    lines::print(&format!(
        "{title}, {}",
        show::count(numbers.len() as u64, "item")
    ));
    let talk = Arc::new(Mutex::new(Talk::default()));
    let interrupt = Interrupt::install(Arc::clone(&talk))?;
    let begun = Instant::now();
    let report = run_watched(mirror.handler(), &numbers, &interrupt, &talk, live);
    let took = begun.elapsed();
    let mut failed =
        report.counts().failed > 0 || report.result.is_failure() || !report.unfinished.is_empty();
    if let Some(session) = &report.session {
        if report.rounds == 0 && report.is_success() {
            // No items, so nothing was synchronized.
            mirror.keep_top()?;
        }
        let columns = console::Term::stdout()
            .size_checked()
            .map_or(120, |size| size.1);
        let columns = columns.into();
        let text = table::table(&mirror, session, &numbers, columns, took, options.delete);
        lines::print(text.trim_end());
    }
    if report.result.is_failure() {
        let why = report.error.as_deref().unwrap_or("see above");
        eprintln!("mirror: the run ended with {}: {why}", report.result);
    }
    for fault in &report.faults {
        failed = true;
        eprintln!("mirror: {fault}");
    }
    if interrupt.happened() {
        lines::print("Cancelled. Run it again to finish the job.");
        return Ok(INTERRUPTED);
    }
    Ok(match failed {
        true => FAILED,
        false if report.is_success() => 0,
        false => LEFT_OUT,
    })
}

/// Runs the handler on this thread; others watch the session, cancel in it, and read what is typed.
fn run_watched(
    handler: Arc<dyn SyncHandler>,
    numbers: &Arc<Numbers>,
    interrupt: &Arc<Interrupt>,
    talk: &Arc<Mutex<Talk>>,
    live: bool,
) -> HandlerReport {
    let input = Input::new(live);
    let (to_watcher, sessions) = mpsc::channel::<Arc<Session>>();
    std::thread::scope(|scope| {
        let input = &input;
        scope.spawn(move || {
            if let Ok(session) = sessions.recv() {
                let (mine, theirs) = (Arc::clone(&session), Arc::clone(numbers));
                input.start(mine, theirs, Arc::clone(talk));
                watch::watch(&session, numbers, talk, input, live);
            }
        });
        let interrupt = Arc::clone(interrupt);
        let options = RunOptions::new().on_session(move |session| {
            interrupt.set_session(Arc::clone(&session));
            _ = to_watcher.send(session);
        });
        run_handler(handler, options)
    })
}

/// Ctrl-C, or another request to end: cancels everything, the second time without waiting.
struct Interrupt {
    happened: AtomicBool,
    session: Mutex<Option<Arc<Session>>>,
    talk: Arc<Mutex<Talk>>,
}

impl Interrupt {
    fn install(talk: Arc<Mutex<Talk>>) -> Result<Arc<Self>, ctrlc::Error> {
        let this = Arc::new(Self {
            happened: AtomicBool::new(false),
            session: Mutex::default(),
            talk,
        });
        let other = Arc::clone(&this);
        ctrlc::set_handler(move || other.happen())?;
        Ok(this)
    }

    fn happen(&self) {
        // SeqCst: either this sees the session, or `set_session` sees the flag.
        if self.happened.swap(true, Ordering::SeqCst) {
            input::restore();
            frame::leave();
            std::process::exit(INTERRUPTED.into());
        }
        let told = "cancelling everything; Ctrl-C again ends at once".to_owned();
        (self
            .talk
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .told)
            .push(told);
        self.cancel();
    }

    fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    fn set_session(&self, session: Arc<Session>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        if self.happened() {
            self.cancel();
        }
    }

    fn cancel(&self) {
        let session = (self.session.lock().unwrap_or_else(PoisonError::into_inner)).clone();
        if let Some(session) = session {
            session.cancel_all();
        }
    }
}
