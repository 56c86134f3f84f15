//! A directory of the source and its counterpart in the destination.

use crate::dir::{Dir, Kind, Lock, Meta};
use crate::fault::{Problem, ProtocolViolation, Step};
use crate::job::Job;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use syncmgr::LogLevel;

/// Both directories, open. When the last task in it is gone, the counterpart gets the permissions and times of the
/// source: not before, for its contents change the times, and a directory may be read-only.
pub struct Folder<'j> {
    pub source: Arc<Dir>,
    pub dest: Arc<Dir>,
    /// `None` for the folder that all items share; its owner cares for it.
    inner: Option<Inner<'j>>,
    /// Whether the counterpart was made just now, so that it is empty.
    pub fresh: bool,
}

struct Inner<'j> {
    job: &'j Job<'j>,
    parent: Arc<Folder<'j>>,
    name: OsString,
    meta: Meta,
}

impl<'j> Folder<'j> {
    /// The source and the destination themselves.
    pub fn top(source: Arc<Dir>, dest: Arc<Dir>) -> Self {
        Self {
            source,
            dest,
            inner: None,
            fresh: false,
        }
    }

    /// Opens a directory of this folder on both sides; makes it in the destination if it is not there.
    pub fn enter(
        self: &Arc<Self>,
        job: &'j Job<'j>,
        name: &OsStr,
        taken: bool,
        forbidden: &Meta,
    ) -> Result<Self, Problem> {
        let source = match self.source.sub(name) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(Problem::Replaced);
            }
            opened => opened.map_err(|error| Problem::Io(Step::Open, error))?,
        };
        let meta = source
            .meta()
            .map_err(|error| Problem::Io(Step::Look, error))?;
        if meta.id == forbidden.id && meta.id != (0, 0) {
            return Err(Problem::Loop);
        }
        let (dest, fresh) = self.counterpart(name, taken)?;
        // Other mirrors see that this one is at work here.
        dest.lock(false);
        dest.unlock_mode()
            .map_err(|error| Problem::Io(Step::Keep, error))?;
        Ok(Self {
            source: Arc::new(source),
            dest: Arc::new(dest),
            inner: Some(Inner {
                job,
                parent: Arc::clone(self),
                name: name.to_owned(),
                meta,
            }),
            fresh,
        })
    }

    fn counterpart(&self, name: &OsStr, taken: bool) -> Result<(Dir, bool), Problem> {
        let failed = |error| Problem::Io(Step::Enter, error);
        if taken {
            match self.dest.sub(name) {
                Ok(dest) => return Ok((dest, false)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::NotADirectory => {
                    return Err(Problem::FileInTheWay);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        match self.dest.make_dir(name) {
            Ok(()) => Ok((self.dest.sub(name).map_err(failed)?, true)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !taken => {
                self.counterpart(name, true)
            }
            Err(error) => Err(Problem::Io(Step::Create, error)),
        }
    }

    /// The path of a name in this folder, relative to the source and the destination.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        let mut names = vec![name];
        let mut folder = self;
        while let Some(inner) = &folder.inner {
            names.push(&inner.name);
            folder = &inner.parent;
        }
        names.iter().rev().map(Path::new).collect()
    }

    /// A fault at a name in this folder.
    pub fn fault(&self, name: &OsStr, problem: Problem) -> ProtocolViolation {
        ProtocolViolation {
            path: self.path(name),
            problem,
        }
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        if let Some(Inner {
            job,
            parent,
            name,
            meta,
        }) = &self.inner
        {
            if let Err(error) = self.dest.keep(meta) {
                job.fault(&parent.fault(name, Problem::Io(Step::Keep, error)));
            }
        }
    }
}

/// Removes what an earlier mirror, killed at its work, left in a directory: `names` are temporary names. Nothing is
/// touched while another mirror works there.
pub fn remove_leftovers(dest: &Dir, names: &[OsString], log: impl Fn(LogLevel, &str)) {
    if names.is_empty() {
        return;
    }
    let lock = dest.lock(true);
    // Without locks, as on Windows, two mirrors must not have one destination.
    if lock == Lock::Taken || cfg!(not(unix)) {
        for name in names {
            if let Err(error) = remove_leftover(dest, name) {
                let name = crate::show::escaped(name);
                log(
                    LogLevel::Warning,
                    &format!("cannot remove the leftover {name}: {error}"),
                );
            }
        }
    } else {
        let why = match lock {
            Lock::Busy => "another mirror is at work there",
            _ => "the file system has no locks that tell whether they are in use",
        };
        let first = crate::show::escaped(&names[0]);
        let text = format!(
            "{} left alone, such as {first}: {why}",
            crate::show::count(names.len() as u64, "leftover")
        );
        log(LogLevel::Warning, &text);
    }
    dest.lock(false);
}

fn remove_leftover(dest: &Dir, name: &OsStr) -> io::Result<()> {
    match dest.look(name)?.kind {
        Kind::File | Kind::Link => dest.remove_file(name),
        // Nothing that a mirror makes.
        Kind::Dir | Kind::Special => Ok(()),
    }
}
