//! A job that streams its session as JSON lines, and the program that shows them, on the same machine or another.
//!
//! ```text
//! cargo build --release --features serde --example stream
//! stream --pace 20000 | stream --show
//! ssh HOST stream DIRECTORY | stream --show
//! ```
//!
//! The job counts the lines of each file in a directory. Whoever reads its standard output may go away at any time: the
//! streaming ends, and the job goes on.
//!
//! | file | what it shows |
//! |---|---|
//! | `job.rs` | a handler made of a list of files and the work of one |
//! | `produce.rs` | a [`StreamWriter`](syncmgr::json::StreamWriter) on a thread of its own beside the job; the report as a document |
//! | `show.rs` | a [`StreamReader`](syncmgr::json::StreamReader), and what to say of lines that are broken or cut |

mod job;
mod produce;
mod show;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Count the lines of the files of a directory, and stream how that goes as JSON
lines to standard output; or show such lines.

Usage: stream [OPTIONS] [DIRECTORY]
       stream --show < LINES

Without DIRECTORY it is the source of this crate.

Options:
      --pace N        Read N bytes a second at most
      --report FILE   When it is done, write the report to FILE, as JSON
      --show          Read such lines from standard input, and show them as text
  -h, --help          Print this text

Exit status: 0 all is done, 1 something failed, 2 bad arguments.
";

const FAILED: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;

/// What to do.
enum Command {
    Help,
    Show,
    Produce(Options),
}

/// What to count, and how.
#[derive(Default)]
struct Options {
    directory: Option<PathBuf>,
    pace: Option<u32>,
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            // Whoever closed it does not want to know.
            let _ = io::stdout().write_all(HELP.as_bytes());
            Ok(true)
        }
        Ok(Command::Show) => show::show(io::stdin().lock(), io::stdout().lock()),
        Ok(Command::Produce(options)) => produce::produce(&options),
        Err(error) => {
            eprintln!("stream: {error}\nTry 'stream --help'.");
            return BAD_ARGUMENTS.into();
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => FAILED.into(),
        Err(error) => {
            eprintln!("stream: {error}");
            FAILED.into()
        }
    }
}

fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut show = false;
    while let Some(word) = words.next() {
        let mut value = |what: &str| words.next().ok_or(format!("{what} is missing"));
        match word.to_str() {
            Some("-h" | "--help") => return Ok(Command::Help),
            Some("--show") => show = true,
            Some("--pace") => {
                let text = value("the number of --pace")?;
                let pace = text.to_str().and_then(|text| text.parse().ok());
                let pace = pace.filter(|pace| *pace > 0);
                options.pace = Some(pace.ok_or_else(|| {
                    let most = u32::MAX;
                    format!("--pace {text:?} is no number of bytes; one from 1 to {most} is wanted")
                })?);
            }
            Some("--report") => options.report = Some(value("the file of --report")?.into()),
            Some(option) if option.starts_with('-') => {
                return Err(format!("{option:?} is no option"));
            }
            _ if options.directory.is_some() => {
                return Err(format!("{word:?} is one directory too many"));
            }
            _ => options.directory = Some(word.into()),
        }
    }
    let produces =
        options.directory.is_some() || options.pace.is_some() || options.report.is_some();
    match show {
        true if produces => Err("--show takes nothing else".to_owned()),
        true => Ok(Command::Show),
        false => Ok(Command::Produce(options)),
    }
}
