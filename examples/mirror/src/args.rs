//! What the command line says.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// The text of `--help`.
pub const HELP: &str = "\
Mirror a directory one way: make DEST a copy of SOURCE.

Usage: mirror [OPTIONS] [SOURCE DEST]

Without SOURCE and DEST it mirrors this crate's own tree (without `target` and
`.git`) into a new temporary directory and prints where that is.

Options:
      --delete     Remove from DEST what is not in SOURCE
  -j, --jobs N     Work with N threads, 1 to 64 (default: one per core, at most 8)
      --plain      Print plain lines even if standard error is a terminal
  -h, --help       Print this text

While it runs, a number and Enter cancel the item of that number; ? and Enter
list the items that wait or are in work, with their numbers (?51: from 51 on).
Ctrl-C cancels everything. A second Ctrl-C ends the program at once.

Exit status: 0 all is done, 1 something failed, 2 bad arguments, and nothing
was written, 3 items were cancelled or left out, 130 cancelled by Ctrl-C.
";

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print the help text.
    Help,
    /// Mirror.
    Run(Options),
}

/// How to mirror, and what.
#[derive(Debug)]
pub struct Options {
    /// Source and destination; without them the crate mirrors itself.
    pub paths: Option<(PathBuf, PathBuf)>,
    /// Remove what is not in the source.
    pub delete: bool,
    /// Number of worker threads.
    pub jobs: usize,
    /// No bars.
    pub plain: bool,
}

/// A command line that makes no sense.
#[derive(Debug)]
pub enum BadArgs {
    UnknownOption(OsString),
    Jobs(OsString),
    NoJobs,
    NoValue(OsString),
    PathCount(usize),
}

impl fmt::Display for BadArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::show::escaped;
        match self {
            Self::UnknownOption(text) => write!(f, "unknown option '{}'", escaped(text)),
            Self::Jobs(text) => write!(
                f,
                "--jobs takes a number from 1 to {MOST_JOBS}, not '{}'",
                escaped(text)
            ),
            Self::NoJobs => write!(f, "--jobs takes a number from 1 to {MOST_JOBS}"),
            Self::NoValue(text) => write!(f, "'{}' takes no value", escaped(text)),
            Self::PathCount(count) => {
                write!(f, "expected SOURCE and DEST, or no path, but found {count}")
            }
        }
    }
}

impl std::error::Error for BadArgs {}

/// More threads than this only wait for the same disk.
const MOST_JOBS: usize = 64;

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

fn jobs(text: &OsStr) -> Result<usize, BadArgs> {
    text.to_str()
        .and_then(|text| text.parse().ok())
        .filter(|jobs| (1..=MOST_JOBS).contains(jobs))
        .ok_or_else(|| BadArgs::Jobs(text.to_owned()))
}

/// Reads the arguments, without the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, BadArgs> {
    let mut args = args.into_iter();
    let mut options = Options {
        paths: None,
        delete: false,
        jobs: default_jobs(),
        plain: false,
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut only_paths = false;
    while let Some(arg) = args.next() {
        // A path need not be UTF-8, an option is.
        let text = arg.to_string_lossy().into_owned();
        if only_paths || !text.starts_with('-') || text == "-" {
            paths.push(arg.into());
            continue;
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsStr::new(value))),
            None => (text.as_str(), None),
        };
        match (name, value) {
            ("--", None) => only_paths = true,
            ("-h" | "--help", None) => return Ok(Command::Help),
            ("--delete", None) => options.delete = true,
            ("--plain", None) => options.plain = true,
            ("-j" | "--jobs", Some(value)) => options.jobs = jobs(value)?,
            ("-j" | "--jobs", None) => {
                options.jobs = jobs(&args.next().ok_or(BadArgs::NoJobs)?)?;
            }
            ("-h" | "--help" | "--delete" | "--plain", Some(_)) => {
                return Err(BadArgs::NoValue(name.into()));
            }
            _ => match text.strip_prefix("-j").filter(|rest| !rest.is_empty()) {
                Some(rest) if !text.starts_with("--") => options.jobs = jobs(OsStr::new(rest))?,
                _ => return Err(BadArgs::UnknownOption(arg)),
            },
        }
    }
    let count = paths.len();
    let mut paths = paths.into_iter();
    options.paths = match (paths.next(), paths.next(), paths.next()) {
        (None, ..) => None,
        (Some(source), Some(dest), None) => Some((source, dest)),
        _ => return Err(BadArgs::PathCount(count)),
    };
    Ok(Command::Run(options))
}
