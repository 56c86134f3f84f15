//! The source and the destination, checked before anything is written.

use crate::dir::{self, Dir, Kind, Meta};
use crate::show::escaped;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// Both directories, open.
#[derive(Debug)]
pub struct Places {
    pub source: PathBuf,
    pub source_dir: Dir,
    pub dest: PathBuf,
    pub dest_dir: Dir,
}

/// Why a mirror from here to there cannot be.
#[derive(Debug)]
pub enum BadPlace {
    SourceMissing(PathBuf),
    SourceNotDir(PathBuf),
    SourceUnreadable(PathBuf, io::Error),
    DestNotDir(PathBuf),
    DestParent(PathBuf),
    DestUnusable(PathBuf, io::Error),
    DestDangling(PathBuf),
    Same(PathBuf),
    DestInSource(PathBuf, PathBuf),
    SourceInDest(PathBuf, PathBuf),
}

impl fmt::Display for BadPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceMissing(path) => {
                write!(f, "the source '{}' does not exist", escaped(path))
            }
            Self::SourceNotDir(path) => {
                write!(f, "the source '{}' is not a directory", escaped(path))
            }
            Self::SourceUnreadable(path, error) => {
                write!(f, "cannot read the source '{}': {error}", escaped(path))
            }
            Self::DestNotDir(path) => {
                write!(f, "the destination '{}' is not a directory", escaped(path))
            }
            Self::DestParent(path) => write!(
                f,
                "the destination '{}' cannot be made: only its last part may be missing",
                escaped(path)
            ),
            Self::DestUnusable(path, error) => {
                write!(f, "cannot use the destination '{}': {error}", escaped(path))
            }
            Self::DestDangling(path) => write!(
                f,
                "the destination '{}' is a link that leads nowhere",
                escaped(path)
            ),
            Self::Same(path) => write!(
                f,
                "source and destination are the same directory, '{}'",
                escaped(path)
            ),
            Self::DestInSource(dest, source) => write!(
                f,
                "the destination '{}' lies inside the source '{}'",
                escaped(dest),
                escaped(source)
            ),
            Self::SourceInDest(source, dest) => write!(
                f,
                "the source '{}' lies inside the destination '{}'",
                escaped(source),
                escaped(dest)
            ),
        }
    }
}

impl std::error::Error for BadPlace {}

impl Places {
    /// Checks and opens both; makes the destination if only its last part is missing.
    pub fn open(source: &Path, dest: &Path) -> Result<Self, BadPlace> {
        let (source, source_meta, source_dir) = open_source(source)?;
        let dest = Dest::find(dest)?;
        check_apart(&source, &source_meta, &dest)?;
        let (dest, dest_dir) = dest.open()?;
        Ok(Self {
            source,
            source_dir,
            dest,
            dest_dir,
        })
    }
}

fn open_source(given: &Path) -> Result<(PathBuf, Meta, Dir), BadPlace> {
    let unreadable = |error| BadPlace::SourceUnreadable(given.to_owned(), error);
    match dir::follow(given) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(BadPlace::SourceMissing(given.to_owned()));
        }
        Err(error) => return Err(unreadable(error)),
        Ok(meta) if meta.kind != Kind::Dir => {
            return Err(BadPlace::SourceNotDir(given.to_owned()));
        }
        Ok(_) => {}
    }
    let path = given.canonicalize().map_err(unreadable)?;
    let dir = Dir::open(&path).map_err(unreadable)?;
    // Opening shows that it can be listed, this that its entries can be reached.
    let meta = dir.look(".".as_ref()).map_err(unreadable)?;
    Ok((path, meta, dir))
}

/// A destination that is there, or that can be made.
struct Dest {
    given: PathBuf,
    /// The real path of what is there: the destination, or its parent.
    there: PathBuf,
    /// The name that is missing.
    missing: Option<OsString>,
}

impl Dest {
    fn find(given: &Path) -> Result<Self, BadPlace> {
        let unusable = |error| BadPlace::DestUnusable(given.to_owned(), error);
        match dir::follow(given) {
            Ok(meta) if meta.kind != Kind::Dir => Err(BadPlace::DestNotDir(given.to_owned())),
            Ok(_) => Ok(Self {
                given: given.to_owned(),
                there: given.canonicalize().map_err(unusable)?,
                missing: None,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if fs::symlink_metadata(given).is_ok() {
                    return Err(BadPlace::DestDangling(given.to_owned()));
                }
                let bad_parent = || BadPlace::DestParent(given.to_owned());
                let name = given.file_name().ok_or_else(bad_parent)?;
                let parent = match given.parent() {
                    Some(parent) if parent != Path::new("") => parent,
                    _ => Path::new("."),
                };
                Ok(Self {
                    given: given.to_owned(),
                    there: parent.canonicalize().map_err(|_| bad_parent())?,
                    missing: Some(name.to_owned()),
                })
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// The real path that it has, or will have.
    fn path(&self) -> PathBuf {
        match &self.missing {
            Some(name) => self.there.join(name),
            None => self.there.clone(),
        }
    }

    fn open(self) -> Result<(PathBuf, Dir), BadPlace> {
        let path = self.path();
        let open = || {
            let there = Dir::open(&self.there)?;
            let dir = match &self.missing {
                Some(name) => {
                    there.make_dir(name)?;
                    there.sub(name)?
                }
                None => there,
            };
            dir.unlock_mode()?;
            Ok(dir)
        };
        match open() {
            Ok(dir) => Ok((path, dir)),
            Err(error) => Err(BadPlace::DestUnusable(self.given, error)),
        }
    }
}

/// Neither may lie inside the other. The real paths tell, and where a file system is mounted in two places, the
/// identity of each directory on the way up.
fn check_apart(source: &Path, source_meta: &Meta, dest: &Dest) -> Result<(), BadPlace> {
    let path = dest.path();
    let is_at = |path: &Path, meta: &Meta| {
        meta.id != (0, 0) && dir::follow(path).is_ok_and(|found| found.id == meta.id)
    };
    if path == source || is_at(&path, source_meta) {
        return Err(BadPlace::Same(source.to_owned()));
    }
    if path.starts_with(source) || dest.there.ancestors().any(|up| is_at(up, source_meta)) {
        return Err(BadPlace::DestInSource(path, source.to_owned()));
    }
    let around = |meta: Meta| source.ancestors().any(|up| is_at(up, &meta));
    if source.starts_with(&path) || dir::follow(&path).is_ok_and(around) {
        return Err(BadPlace::SourceInDest(source.to_owned(), path));
    }
    Ok(())
}
