//! What can go wrong with one file.

use crate::show::escaped;
use std::path::PathBuf;
use std::{fmt, io};

/// One file, directory or link that could not be mirrored.
#[derive(Debug)]
pub struct ProtocolViolation {
    /// Relative to the source and the destination.
    pub path: PathBuf,
    pub problem: Problem,
}

/// Why.
#[derive(Debug)]
pub enum Problem {
    /// A call failed.
    Io(Step, io::Error),
    /// It was written to while it was copied, as its size or time shows.
    Changed,
    /// It was a file when it was listed, and no longer is.
    Replaced,
    /// The destination has a directory where a file or link must go.
    DirInTheWay,
    /// The destination has something else where a directory must go.
    FileInTheWay,
    /// The directory is the destination itself.
    Loop,
    /// What is to be removed lies on another file system, or is the source itself.
    NotOurs,
}

/// What was being done when a call failed.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    List,
    Look,
    Open,
    Read,
    Create,
    Write,
    /// Reading or writing: the system copied by itself.
    Copy,
    Keep,
    Place,
    Remove,
    Enter,
}

impl Step {
    fn text(self) -> &'static str {
        match self {
            Self::List => "cannot list the directory",
            Self::Look => "cannot look at it",
            Self::Open => "cannot open it",
            Self::Read => "cannot read it",
            Self::Create => "cannot create it in the destination",
            Self::Write => "cannot write it in the destination",
            Self::Copy => "cannot copy it",
            Self::Keep => "cannot set its times and permissions in the destination",
            Self::Place => "cannot put it in its place in the destination",
            Self::Remove => "cannot remove it from the destination",
            Self::Enter => "cannot open the directory in the destination",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(Step::Open | Step::Look | Step::List, error)
                if error.kind() == io::ErrorKind::NotFound =>
            {
                f.write_str("it vanished")
            }
            Self::Io(step, error) => write!(f, "{}: {error}", step.text()),
            Self::Changed => f.write_str("it changed while it was copied"),
            Self::Replaced => f.write_str("it was replaced by something else"),
            Self::DirInTheWay => f.write_str(
                "the destination has a directory in its place: \
                 remove or rename that one, then run again",
            ),
            Self::FileInTheWay => f.write_str(
                "the destination has a file or link in place of this directory: \
                 remove or rename that one, then run again",
            ),
            Self::Loop => f.write_str("this directory is the destination itself"),
            Self::NotOurs => {
                f.write_str("cannot remove it: it is another file system or the source")
            }
        }
    }
}

impl fmt::Display for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", escaped(&self.path), self.problem)
    }
}

impl std::error::Error for ProtocolViolation {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

impl ProtocolViolation {
    /// Whether every other file of the item would meet the same: then going on only makes noise.
    pub fn is_hopeless(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match &self.problem {
            Problem::Io(_, error) => {
                matches!(
                    error.kind(),
                    QuotaExceeded | ReadOnlyFilesystem | StorageFull
                )
            }
            _ => false,
        }
    }
}
