//! Directories by path, for systems other than Unix. See [`dir`](super) for what this cannot guarantee.

use super::{Kind, Lock, Meta, Stamp};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A directory that was one when it was opened.
#[derive(Debug)]
pub struct Dir(PathBuf);

impl Dir {
    /// The directory of a path that the user gave; this one follows links.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The directory of that name. A link is not followed: `NotADirectory`.
    pub fn sub(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.0.join(name);
        if fs::symlink_metadata(&path)?.is_dir() {
            Ok(Self(path))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// Every name in it, in no order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(&self.0)?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// What stands at that name; a link is looked at, not followed.
    pub fn look(&self, name: &OsStr) -> io::Result<Meta> {
        Ok(meta_of(&fs::symlink_metadata(self.0.join(name))?))
    }

    /// What this directory itself is.
    pub fn meta(&self) -> io::Result<Meta> {
        Ok(meta_of(&fs::metadata(&self.0)?))
    }

    /// Opens a file to read. A link is not followed.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        let path = self.0.join(name);
        if fs::symlink_metadata(&path)?.is_file() {
            File::open(path)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// Makes a new file to write.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        File::create_new(self.0.join(name))
    }

    /// Makes a new directory.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    /// Where the link of that name points.
    pub fn link_target(&self, name: &OsStr) -> io::Result<PathBuf> {
        fs::read_link(self.0.join(name))
    }

    /// Makes a new link.
    #[cfg(windows)]
    pub fn make_link(&self, target: &Path, name: &OsStr, source: &Self) -> io::Result<()> {
        use std::os::windows::fs::{symlink_dir, symlink_file};
        // Windows has two kinds of links, one to directories and one to files.
        if source.0.join(target).is_dir() {
            symlink_dir(target, self.0.join(name))
        } else {
            symlink_file(target, self.0.join(name))
        }
    }

    /// Makes a new link: not here.
    #[cfg(not(windows))]
    pub fn make_link(&self, _target: &Path, _name: &OsStr, _source: &Self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the link of that name the times of another: std cannot.
    pub fn keep_link_times(&self, _name: &OsStr, _meta: &Meta) -> io::Result<()> {
        Ok(())
    }

    /// Renames within this directory. A file or link of the new name is replaced, a directory never.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    /// Removes a file or a link.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        let path = self.0.join(name);
        // A link to a directory is removed like a directory on Windows.
        fs::remove_file(&path).or_else(|error| match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => fs::remove_dir(&path),
            _ => Err(error),
        })
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// Gives this directory the permissions and times of another: std can neither here.
    pub fn keep(&self, _source: &Meta) -> io::Result<()> {
        Ok(())
    }

    /// Nothing to do: a directory that is marked read-only takes files.
    pub fn unlock_mode(&self) -> io::Result<()> {
        Ok(())
    }

    /// There are no locks on directories here.
    pub fn lock(&self, _alone: bool) -> Lock {
        Lock::Unknown
    }
}

/// What a path that the user gave leads to; links are followed.
pub fn follow(path: &Path) -> io::Result<Meta> {
    Ok(meta_of(&fs::metadata(path)?))
}

/// What an open file is.
pub fn meta(file: &File) -> io::Result<Meta> {
    Ok(meta_of(&file.metadata()?))
}

/// Gives a file the permissions and times of another.
pub fn keep(file: &File, source: &Meta) -> io::Result<()> {
    let mut times = FileTimes::new();
    if let Some(time) = source.modified.system() {
        times = times.set_modified(time);
    }
    if let Some(time) = source.accessed.system() {
        times = times.set_accessed(time);
    }
    file.set_times(times)?;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(source.mode == 0);
    file.set_permissions(permissions)
}

impl Meta {
    /// Whether the copy has the permissions that [`keep`] gives it.
    pub fn has_mode_of(&self, source: &Self) -> bool {
        self.mode == source.mode
    }
}

fn meta_of(found: &Metadata) -> Meta {
    let stamp = |time: io::Result<SystemTime>| {
        let since = time
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .unwrap_or_default();
        Stamp {
            seconds: since.as_secs() as i64,
            nanos: since.subsec_nanos(),
        }
    };
    Meta {
        kind: match found.file_type() {
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_dir() => Kind::Dir,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Special,
        },
        size: found.len(),
        modified: stamp(found.modified()),
        accessed: stamp(found.accessed()),
        mode: u32::from(!found.permissions().readonly()),
        owner: (0, 0),
        id: (0, 0),
    }
}

impl Stamp {
    /// As the standard library has it; `None` for a time that it cannot hold.
    fn system(self) -> Option<SystemTime> {
        let whole = Duration::from_secs(self.seconds.unsigned_abs());
        let base = if self.seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(whole)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(whole)
        };
        base?.checked_add(Duration::from_nanos(self.nanos.into()))
    }
}
