//! Brings the files of a list from a source directory into a destination, each by its checksum.
//!
//! One item for each line of the [`list`]. A file that the destination has already, with the right checksum,
//! is left as it is. Any other is copied under a temporary name, its checksum taken on the way, and renamed when it is
//! right: so a file appears whole and right or not at all. Every step goes by the mirror's [`Dir`], which follows no link.
//!
//! A wrong checksum fails the item with an error that can be shown; shown, it asks for one more try.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use syncmgr::{
    ErrorId, HandlerError, HandlerInfo, ItemId, ItemName, ProgressUpdate, SyncCallback, SyncItem,
    Uuid,
};

use crate::each::Work;
use crate::list::{self, BadLine, Entry, Sum, hex};
use crate::task::{End, Task};
use syncmgr_mirror::copy::Copier;
use syncmgr_mirror::dir::{self, Dir, Kind, Meta};
use syncmgr_mirror::fault::{Problem, Step};
use syncmgr_mirror::show::{bytes, escaped, shortened};
use syncmgr_mirror::temp::Namer;

/// The most that is copied between two questions for the verdict.
const CHUNK: usize = 256 << 10;

/// So many digits of a checksum tell it from any other.
const SHOWN: usize = 16;

/// The ids of the items and errors are made in these name spaces from the paths of the list.
const ITEMS: Uuid = Uuid::from_u128(0x27b0_61f8_5f0d_4c8e_9d5a_b6b9_4f7e_1c30);
const ERRORS: Uuid = Uuid::from_u128(0xf5a3_0c92_8b1d_4a67_8e24_d07c_6a91_53be);

/// What the handler does.
pub struct Pull {
    source: Dir,
    dest: Dir,
    entries: Vec<(ItemId, Entry)>,
    namer: Namer,
}

/// Why there can be no pull.
#[derive(Debug)]
pub enum BadPull {
    List(PathBuf, io::Error),
    Line(PathBuf, BadLine),
    Dir(PathBuf, io::Error),
}

impl fmt::Display for BadPull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(path, error) => {
                write!(f, "cannot read the list '{}': {error}", escaped(path))
            }
            Self::Line(path, error) => write!(f, "the list '{}', {error}", escaped(path)),
            Self::Dir(path, error) => {
                write!(f, "cannot use the directory '{}': {error}", escaped(path))
            }
        }
    }
}

impl std::error::Error for BadPull {}

/// Why a file was not brought.
enum Failure {
    Problem(Problem),
    Sum { found: Sum, bytes: u64 },
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn at<T>(step: Step, result: io::Result<T>) -> Result<T, Problem> {
    result.map_err(|error| Problem::Io(step, error))
}

impl Pull {
    /// A pull of the files of this list. Makes the destination if it is not there.
    pub fn new(list: &Path, source: &Path, dest: &Path) -> Result<Self, BadPull> {
        let text = fs::read_to_string(list).map_err(|error| BadPull::List(list.into(), error))?;
        let entries = list::parse(&text).map_err(|error| BadPull::Line(list.into(), error))?;
        let with_id = |entry: Entry| (item_id(&entry.path), entry);
        let open = |path: &Path| Dir::open(path).map_err(|error| BadPull::Dir(path.into(), error));
        fs::create_dir_all(dest).map_err(|error| BadPull::Dir(dest.into(), error))?;
        Ok(Self {
            source: open(source)?,
            dest: open(dest)?,
            entries: entries.into_iter().map(with_id).collect(),
            namer: Namer::new(),
        })
    }

    fn entry(&self, item: ItemId) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|(id, _)| *id == item).map(|(_, entry)| entry)
    }

    /// Brings one file; answers what was done, or `None` where the task was told to stop.
    fn bring(&self, task: &Task, entry: &Entry) -> Result<Option<String>, Failure> {
        let name = entry.path.file_name().unwrap_or_default();
        let parent = entry.path.parent().unwrap_or(Path::new(""));
        let source_dir = at(Step::Open, descend(&self.source, parent, false))?;
        let source = at(Step::Open, source_dir.read(name))?;
        let meta = at(Step::Look, dir::meta(&source))?;
        if meta.kind != Kind::File {
            return Err(Problem::Replaced.into());
        }
        if !task.report(&ProgressUpdate::new().max(meta.size)) {
            return Ok(None);
        }
        let dest = at(Step::Enter, descend(&self.dest, parent, true))?;
        match self.there(task, &dest, name)? {
            _ if !task.goes_on() => return Ok(None),
            Some(sum) if sum == entry.sum => {
                task.report(&ProgressUpdate::new().value(meta.size));
                return Ok(Some("there already, its checksum is right".into()));
            }
            _ => {}
        }
        task.report(&ProgressUpdate::new().text("copying"));
        self.copy(task, entry, &source, &meta, (&dest, name))
    }

    /// The checksum of what the destination has, if it has such a file.
    fn there(&self, task: &Task, dest: &Dir, name: &OsStr) -> Result<Option<Sum>, Problem> {
        match dest.look(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(found) if found.kind == Kind::Dir => return Err(Problem::DirInTheWay),
            Ok(found) if found.kind != Kind::File => return Ok(None),
            found => at(Step::Look, found)?,
        };
        task.report(&ProgressUpdate::new().text("comparing"));
        let file = at(Step::Open, dest.read(name))?;
        let mut sum = Sha256::new();
        let whole = pieces(&file, |piece| {
            sum.update(piece);
            Ok(task.check())
        })?;
        Ok(whole.then(|| sum.finalize().into()))
    }

    fn copy(
        &self,
        task: &Task,
        entry: &Entry,
        source: &File,
        meta: &Meta,
        (dest, name): (&Dir, &OsStr),
    ) -> Result<Option<String>, Failure> {
        // The part is removed where it is dropped before it has got its name.
        let copier = Copier::new(&self.namer);
        let (file, part) = copier.create(dest, name)?;
        let mut sum = Sha256::new();
        let mut done = 0;
        let whole = pieces(source, |piece| {
            sum.update(piece);
            at(Step::Write, (&file).write_all(piece))?;
            let length = piece.len() as u64;
            done += length;
            if done > meta.size {
                // It has grown: the value does not exceed the maximum (H17).
                task.report(&ProgressUpdate::new().max(done));
            }
            Ok(task.advance(length))
        })?;
        if !whole {
            return Ok(None);
        }
        let found = sum.finalize().into();
        if found != entry.sum {
            return Err(Failure::Sum { found, bytes: done });
        }
        at(Step::Keep, dir::keep(&file, meta))?;
        drop(file);
        part.place(name)?;
        let text = format!("copied {}, its checksum is right", bytes(done));
        Ok(Some(text))
    }
}

/// Reads to the end, piece by piece; `false` where `take` wants no more.
fn pieces(
    mut file: &File,
    mut take: impl FnMut(&[u8]) -> Result<bool, Problem>,
) -> Result<bool, Problem> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => {
                if !take(&buffer[..read])? {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Problem::Io(Step::Read, error)),
        }
    }
}

/// The directory at that path below another; with `make`, directories that are missing are made.
fn descend(top: &Dir, path: &Path, make: bool) -> io::Result<Dir> {
    let mut dir = top.sub(".".as_ref())?;
    for name in path {
        dir = match dir.sub(name) {
            Err(error) if make && error.kind() == ErrorKind::NotFound => {
                match dir.make_dir(name) {
                    // Another file of the list needed it at this moment.
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => dir.sub(name)?,
                }
            }
            entered => entered?,
        };
    }
    Ok(dir)
}

fn item_id(path: &Path) -> ItemId {
    ItemId::from_name(ITEMS, path.as_os_str().as_encoded_bytes())
}

fn error_id(path: &Path) -> ErrorId {
    ErrorId::from_name(ERRORS, path.as_os_str().as_encoded_bytes())
}

impl Work for Pull {
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new("Pull by checksum".parse()?))
    }

    fn items(&self) -> Vec<SyncItem> {
        let item = |(id, entry): &(ItemId, Entry)| {
            let name = shortened(&escaped(&entry.path), 100);
            SyncItem::new(*id, ItemName::truncate_start(&name))
        };
        self.entries.iter().map(item).collect()
    }

    /// The bytes of the file; 0 where it cannot be looked at, which the copy then tells.
    fn measure(&self, item: ItemId) -> u64 {
        let size = |entry: &Entry| {
            let dir = descend(&self.source, entry.path.parent()?, false).ok()?;
            Some(dir.look(entry.path.file_name()?).ok()?.size)
        };
        self.entry(item).and_then(size).unwrap_or(0)
    }

    fn perform(&self, task: &Task) -> End {
        let Some(entry) = self.entry(task.item()) else {
            return End::Failed("it is not in the list".into(), None);
        };
        let error = error_id(&entry.path);
        match self.bring(task, entry) {
            Ok(Some(text)) => {
                task.forget(error);
                End::Succeeded(text)
            }
            Ok(None) => End::Stopped,
            Err(Failure::Problem(problem)) => End::Failed(problem.to_string(), None),
            Err(Failure::Sum { found, bytes }) => {
                let (found, wanted) = (hex(&found), hex(&entry.sum));
                let text = format!(
                    "wrong checksum: {bytes} bytes with {}… were found, {}… is in the list",
                    &found[..SHOWN],
                    &wanted[..SHOWN]
                );
                End::Failed(text, Some(error))
            }
        }
    }

    /// The source may have been mended meanwhile: the file is tried again.
    fn show_error(&self, error: ErrorId, _: &dyn SyncCallback) -> Option<Vec<ItemId>> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(_, entry)| error_id(&entry.path) == error)?;
        Some(vec![found.0])
    }
}
