//! Removes from the destination what is not in the source; only with `--delete`.

use crate::dir::{Dir, Kind, Meta};
use crate::fault::{Problem, ProtocolViolation, Step};
use crate::job::Job;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Removes a file, a link or a whole directory. Links are removed, never followed; another file system that is mounted there is
/// left alone. Asks for the verdict before each. `true` if it is gone.
pub fn remove(dir: &Dir, name: &OsStr, path: &Path, job: &Job<'_>, limits: &Limits) -> bool {
    if !job.check() {
        return false;
    }
    let failed = |problem| {
        job.fault(&ProtocolViolation {
            path: path.to_owned(),
            problem,
        });
        false
    };
    let result = match dir.look(name) {
        Ok(found) if found.kind == Kind::Dir => {
            if !limits.allow(&found) {
                return failed(Problem::NotOurs);
            }
            match contents(dir, name) {
                Ok((inner, names)) => {
                    let mut all = true;
                    for inner_name in &names {
                        all &= remove(&inner, inner_name, &path.join(inner_name), job, limits);
                    }
                    if !all {
                        // Said already.
                        return false;
                    }
                    dir.remove_dir(name)
                }
                Err(error) => Err(error),
            }
        }
        Ok(_) => dir.remove_file(name),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => {
            job.removed();
            true
        }
        // Somebody else removed it.
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => failed(Problem::Io(Step::Remove, error)),
    }
}

fn contents(dir: &Dir, name: &OsStr) -> io::Result<(Dir, Vec<std::ffi::OsString>)> {
    let inner = dir.sub(name)?;
    inner.unlock_mode()?;
    let names = inner.names()?;
    Ok((inner, names))
}

/// Where removing ends.
pub struct Limits {
    pub source: Meta,
    pub dest: Meta,
}

impl Limits {
    /// A directory may be removed if it is on the destination's file system and is not the source.
    fn allow(&self, found: &Meta) -> bool {
        found.id == (0, 0) || (found.id.0 == self.dest.id.0 && found.id != self.source.id)
    }
}
