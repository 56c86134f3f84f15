//! What the command line says.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use syncmgr_mirror::show::escaped;

/// The text of `--help`.
pub const HELP: &str = "\
A small sync centre: several handlers under one manager, in the terminal.

Usage: center [--choices FILE] [DIR]

It hosts four handlers: two mirror DIR/documents and DIR/photos into DIR/copy;
one pulls the files of the list DIR/shelf.sha256 from DIR/shelf into DIR/copy,
each by its checksum; and one fails on purpose. If DIR is missing or empty, a
small demo tree is made there, in which one checksum is wrong. Without DIR the
demo tree is made in a temporary directory and removed in the end.

Options:
      --choices FILE  Keep in FILE which items are checked; made if missing
  -h, --help          Print this text

Keys:
  up, down, j, k      Move the cursor            s  Start all that is checked
  space               Check or uncheck an item   c  Cancel the item
  x                   Skip the item              C  Cancel the handler
  r                   Retry what failed          a  Cancel all
  l                   Open or close the log of   e  Whether errors are shown to
                      the handler at the cursor     their handlers after a run
  L                   Level of the log           q  Quit
  page up, page down  Scroll the log

If standard output is no terminal, everything that is checked is run once, and
told in plain lines.

Exit status: 0 all went well, or you quit; 1 something failed;
2 bad arguments, and nothing was written.
";

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print the help text.
    Help,
    /// Host the handlers.
    Run(Options),
}

/// On what.
#[derive(Debug, Default)]
pub struct Options {
    /// The file of the choices.
    pub choices: Option<PathBuf>,
    /// The tree; a temporary one where there is none.
    pub dir: Option<PathBuf>,
}

/// A command line that makes no sense.
#[derive(Debug)]
pub enum BadArgs {
    UnknownOption(OsString),
    NoFile,
    NoValue(OsString),
    SecondDir(OsString),
}

impl fmt::Display for BadArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(text) => write!(
                f,
                "unknown option '{}'; allowed are --choices FILE and --help",
                escaped(text)
            ),
            Self::NoFile => write!(f, "--choices takes the name of a file"),
            Self::NoValue(text) => write!(f, "'{}' takes no value", escaped(text)),
            Self::SecondDir(text) => write!(
                f,
                "'{}' is a second directory; at most one is allowed",
                escaped(text)
            ),
        }
    }
}

impl std::error::Error for BadArgs {}

/// Reads the arguments, without the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, BadArgs> {
    let mut args = args.into_iter();
    let mut options = Options::default();
    let mut only_paths = false;
    while let Some(arg) = args.next() {
        // A path need not be UTF-8, an option is.
        let text = arg.to_string_lossy().into_owned();
        if only_paths || !text.starts_with('-') || text == "-" {
            if options.dir.is_some() {
                return Err(BadArgs::SecondDir(arg));
            }
            options.dir = Some(arg.into());
            continue;
        }
        match text.as_str() {
            "--" => only_paths = true,
            "-h" | "--help" => return Ok(Command::Help),
            "--choices" => {
                let file = args.next().filter(|file| !file.is_empty());
                options.choices = Some(file.ok_or(BadArgs::NoFile)?.into());
            }
            _ => match text.split_once('=') {
                Some(("--choices", "")) => return Err(BadArgs::NoFile),
                // The name in the form that was given, which may be any bytes, has to stand alone.
                Some(("--choices", file)) if arg.to_str().is_some() => {
                    options.choices = Some(file.into());
                }
                Some(("-h" | "--help", _)) => return Err(BadArgs::NoValue(arg)),
                _ => return Err(BadArgs::UnknownOption(arg)),
            },
        }
    }
    Ok(Command::Run(options))
}
