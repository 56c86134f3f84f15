//! A small sync centre in the terminal: several handlers under one [`SyncManager`](syncmgr::SyncManager), keys to start,
//! choose, cancel, skip and retry, and their log.
//!
//! ```text
//! cargo run -p syncmgr-center -- [--choices FILE] [DIR]
//! ```
//!
//! The handlers are in the library beside it (`lib.rs`); this is the host's side. Where to look:
//!
//! | file | what it shows |
//! |---|---|
//! | `centre.rs` | the manager: registration, factories, which errors are shown |
//! | `runs.rs` | what a key started: sessions, sums, cancels, reports |
//! | `model.rs` | following sessions by what has changed |
//! | `app.rs` | what each key does |
//! | `log_pane.rs` | the log of a handler |
//! | `terminal.rs`, `draw.rs`, `columns.rs` | the screen |
//! | `plain.rs` | the same without a terminal |
//! | `saved.rs`, `tree.rs`, `args.rs` | the choices on disk, the demo tree, the command line |

mod app;
mod args;
mod centre;
mod columns;
mod draw;
mod log_pane;
mod model;
mod plain;
mod runs;
mod saved;
mod terminal;
mod tree;

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use app::{App, Ended};
use args::{Command, Options};
use centre::Centre;
use tree::Tree;

const FAILED: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;

fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            plain::print(args::HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(options)) => options,
        Err(error) => {
            eprintln!("center: {error}\nTry 'center --help'.");
            return BAD_ARGUMENTS.into();
        }
    };
    let (tree, centre) = match open(&options) {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("center: {error}");
            return BAD_ARGUMENTS.into();
        }
    };
    let code = host(centre, options).unwrap_or_else(|error| {
        eprintln!("center: {error}");
        FAILED
    });
    drop(tree); // a temporary one is removed, now that nobody works on it
    code.into()
}

fn open(options: &Options) -> Result<(Tree, Centre), Box<dyn Error>> {
    // The choices first: where they cannot be read, nothing is written.
    let choices = match &options.choices {
        Some(file) => Some(saved::read(file)?),
        None => None,
    };
    let tree = Tree::open(options.dir.as_deref())?;
    let centre = Centre::new(&tree)?;
    if let Some(choices) = choices {
        centre.manager.set_choices(choices);
    }
    Ok((tree, centre))
}

/// Hosts the handlers, and answers the exit status.
fn host(centre: Centre, options: Options) -> Result<u8, Box<dyn Error>> {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name == "dumb");
    if !std::io::stdout().is_terminal() || (dumb && cfg!(unix)) {
        let well = plain::run(centre);
        return Ok(if well { 0 } else { FAILED });
    }
    let mut app = App::new(centre, options.choices);
    let ended = terminal::show(&mut app)?;
    app.keep_choices()?;
    match ended {
        Ended::Well => Ok(0),
        Ended::WaitTimeout => Err("handlers were still at work, and were left behind".into()),
    }
}
