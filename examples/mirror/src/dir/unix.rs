//! Directories on Unix: descriptors and `…at` calls. See [`dir`](super).

use super::{Kind, Lock, Meta, Stamp};
use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RawMode, Stat, Timespec, Timestamps,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Dir {
    /// Opens the directory of a path that the user gave; this one follows links.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(CWD, path, DIR, Mode::empty())?))
    }

    /// Opens the directory of that name. A link is not followed: `NotADirectory`.
    pub fn sub(&self, name: &OsStr) -> io::Result<Self> {
        match rustix::fs::openat(&self.0, name, DIR | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Self(fd)),
            // Some systems say "too many links" for a link that must not be followed.
            Err(Errno::LOOP | Errno::MLINK) => Err(Errno::NOTDIR.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every name in it, in no order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// What stands at that name; a link is looked at, not followed.
    pub fn look(&self, name: &OsStr) -> io::Result<Meta> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(meta_of(&stat))
    }

    /// What this directory itself is.
    pub fn meta(&self) -> io::Result<Meta> {
        Ok(meta_of(&rustix::fs::fstat(&self.0)?))
    }

    /// Opens a file to read. A link is not followed, and a pipe not waited for.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(&self.0, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        Ok(File::from(fd))
    }

    /// Makes a new file to write, which nobody else may read yet.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, mode)?))
    }

    /// Makes a new directory, which nobody else may enter yet.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::RWXU)?)
    }

    /// Where the link of that name points.
    pub fn link_target(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(&self.0, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    /// Makes a new link.
    pub fn make_link(&self, target: &Path, name: &OsStr, _source: &Self) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &self.0, name)?)
    }

    /// Gives the link of that name the times of another.
    pub fn keep_link_times(&self, name: &OsStr, meta: &Meta) -> io::Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(&self.0, name, &times(meta), flags)?)
    }

    /// Renames within this directory. A file or link of the new name is replaced, a directory never.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file or a link.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Gives this directory the permissions and times of another.
    pub fn keep(&self, source: &Meta) -> io::Result<()> {
        let now = self.meta()?;
        let mode = safe_mode(source, &now);
        if mode != now.mode {
            rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode as RawMode))?;
        }
        Ok(rustix::fs::futimens(&self.0, &times(source))?)
    }

    /// Sees to it that its owner may make and remove files in it.
    pub fn unlock_mode(&self) -> io::Result<()> {
        let mode = self.meta()?.mode;
        if mode & 0o700 != 0o700 {
            rustix::fs::fchmod(&self.0, Mode::from_raw_mode((mode | 0o700) as RawMode))?;
        }
        Ok(())
    }

    /// Takes the lock on this directory: shared by all mirrors that write here, or for this one `alone`. It ends with
    /// the handle, also when the process is killed. Asking for it alone gives up the shared one. It never waits: a mirror
    /// that does not get the shared one, because another is removing leftovers just then, works without.
    pub fn lock(&self, alone: bool) -> Lock {
        let kind = if alone {
            FlockOperation::NonBlockingLockExclusive
        } else {
            FlockOperation::NonBlockingLockShared
        };
        match rustix::fs::flock(&self.0, kind) {
            Ok(()) => Lock::Taken,
            Err(Errno::WOULDBLOCK) => Lock::Busy,
            Err(_) => Lock::Unknown,
        }
    }
}

/// What a path that the user gave leads to; links are followed.
pub fn follow(path: &Path) -> io::Result<Meta> {
    Ok(meta_of(&rustix::fs::stat(path)?))
}

/// What an open file is.
pub fn meta(file: &File) -> io::Result<Meta> {
    Ok(meta_of(&rustix::fs::fstat(file)?))
}

/// Gives a file the permissions and times of another.
pub fn keep(file: &File, source: &Meta) -> io::Result<()> {
    let mode = if source.mode & 0o6000 == 0 {
        source.mode
    } else {
        safe_mode(source, &meta(file)?)
    };
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode as RawMode))?;
    Ok(rustix::fs::futimens(file, &times(source))?)
}

impl Meta {
    /// Whether the copy has the permissions that [`keep`] gives it.
    pub fn has_mode_of(&self, source: &Self) -> bool {
        self.mode == safe_mode(source, self)
    }
}

/// The permissions of the source, for a copy that belongs to whoever it belongs to. The owner is not kept, and a program
/// that runs as its owner must not become one that runs as somebody else.
fn safe_mode(source: &Meta, copy: &Meta) -> u32 {
    let mut mode = source.mode;
    if source.kind == Kind::File {
        if source.owner.0 != copy.owner.0 {
            mode &= !0o4000;
        }
        if source.owner.1 != copy.owner.1 {
            mode &= !0o2000;
        }
    }
    mode
}

fn times(meta: &Meta) -> Timestamps {
    let time = |stamp: Stamp| Timespec {
        tv_sec: stamp.seconds,
        tv_nsec: stamp.nanos.into(),
    };
    Timestamps {
        last_access: time(meta.accessed),
        last_modification: time(meta.modified),
    }
}

// The fields of `Stat` have other types on other systems.
#[allow(clippy::unnecessary_cast)]
fn meta_of(stat: &Stat) -> Meta {
    Meta {
        kind: match FileType::from_raw_mode(stat.st_mode as RawMode) {
            FileType::Directory => Kind::Dir,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        },
        size: stat.st_size as u64,
        modified: Stamp {
            seconds: stat.st_mtime as i64,
            nanos: stat.st_mtime_nsec as u32,
        },
        accessed: Stamp {
            seconds: stat.st_atime as i64,
            nanos: stat.st_atime_nsec as u32,
        },
        mode: stat.st_mode as u32 & 0o7777,
        owner: (stat.st_uid, stat.st_gid),
        id: (stat.st_dev as u64, stat.st_ino as u64),
    }
}
