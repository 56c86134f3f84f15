//! The handler: each directory is an item, and the files of a directory are read by all threads of a rayon pool at once.
//!
//! - All threads report to the same item, by a [`SharedContext`].
//! - The first thread that is told of a cancel answers its error from the parallel iterator, which takes no further file; the
//!   others are told at the next block that they read. So a cancel costs one block a thread.
//! - What goes wrong with a file is logged and fails the item in the end; the other files are done.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use sha2::{Digest, Sha256};
use syncmgr::per_item::{Cancelled, Error, HandlerBuilder, ItemContext, PerItem, SharedContext};
use syncmgr::{
    HandlerName, ItemId, ItemList, ItemName, ItemStatus, LogLevel, SyncHandler, SyncItem,
};

/// So much is read between two reports.
pub const BLOCK: usize = 64 << 10;

/// The checksums of the files in some directories.
pub struct Checksums {
    directories: Vec<Directory>,
    pool: ThreadPool,
}

struct Directory {
    path: PathBuf,
    /// What was found, once the whole directory is done.
    sums: Mutex<Vec<Sum>>,
}

/// A file and its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    pub path: PathBuf,
    pub sha256: [u8; 32],
}

/// A file that is to be read.
struct Found {
    path: PathBuf,
    size: u64,
}

impl Checksums {
    /// Of these directories; so many threads read, or as many as there are cores.
    ///
    /// # Errors
    ///
    /// The threads cannot be started.
    pub fn new(
        directories: impl IntoIterator<Item = PathBuf>,
        threads: Option<NonZeroUsize>,
    ) -> Result<Arc<Self>, ThreadPoolBuildError> {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = threads.map_or_else(cores, NonZeroUsize::get);
        let directory = |path| Directory {
            path,
            sums: Mutex::default(),
        };
        Ok(Arc::new(Self {
            directories: directories.into_iter().map(directory).collect(),
            pool: ThreadPoolBuilder::new().num_threads(threads).build()?,
        }))
    }

    /// The handler. Two items are in work at a time, so that no thread waits for the last file of a directory.
    #[must_use]
    pub fn handler(self: &Arc<Self>) -> Arc<dyn SyncHandler> {
        let checksums = Arc::clone(self);
        HandlerBuilder::new(HandlerName::truncate_start("Checksums"), Arc::clone(self))
            .workers(2)
            .measure(move |work| {
                let path = &checksums.find(work)?.path;
                // What is wrong with it is told when it is done.
                let files = list(path, &work.share(), |_, _| {})?;
                Ok(files.iter().map(|file| file.size).sum())
            })
            .build()
    }

    /// What was found: the directories in the order in which they were given, the files of each by their paths. A directory
    /// that was cancelled has none.
    #[must_use]
    pub fn sums(&self) -> Vec<Sum> {
        let all = self.directories.iter().flat_map(|directory| {
            let sums = directory.sums.lock();
            sums.unwrap_or_else(PoisonError::into_inner).clone()
        });
        all.collect()
    }

    fn find(&self, work: &ItemContext) -> Result<&Directory, Error> {
        let mut numbered = (1..).map(ItemId::from_u128).zip(&self.directories);
        let found = numbered.find(|(id, _)| *id == work.item().id);
        Ok(found.ok_or("there is no such directory")?.1)
    }
}

impl PerItem for Checksums {
    fn items(&self) -> Result<ItemList, Error> {
        let numbered = (1..).map(ItemId::from_u128).zip(&self.directories);
        let items = numbered.map(|(id, directory)| {
            SyncItem::new(
                id,
                ItemName::truncate_start(&directory.path.to_string_lossy()),
            )
        });
        Ok(ItemList::Complete(items.collect()))
    }

    fn synchronize(&self, work: &ItemContext) -> Result<(), Error> {
        let directory = self.find(work)?;
        let work = work.share();
        let fault = |path: &Path, error: io::Error| {
            // A log that is full counts what it refuses.
            let _ = work.log(LogLevel::Error, &format!("{}: {error}", path.display()));
            work.set_outcome(ItemStatus::Failed);
        };
        let mut files = list(&directory.path, &work, fault)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        work.max(files.iter().map(|file| file.size).sum())?;
        let sum = |file: Found| match checksum(&file, &work) {
            Ok(sha256) => Ok(Some(Sum {
                path: file.path,
                sha256,
            })),
            Err(error) => match Cancelled::find(&error) {
                Some(interrupted) => Err(interrupted),
                None => {
                    fault(&file.path, error);
                    Ok(None)
                }
            },
        };
        let sums = self.pool.install(|| {
            let sums = files.into_par_iter().map(sum);
            // In the order of the files; the first error ends it.
            sums.collect::<Result<Vec<_>, Cancelled>>()
        })?;
        let mut done = directory
            .sums
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *done = sums.into_iter().flatten().collect();
        Ok(())
    }
}

/// The regular files below a directory. Links are not followed. Asks for the verdict at each directory.
fn list(
    directory: &Path,
    work: &SharedContext,
    fault: impl Fn(&Path, io::Error),
) -> Result<Vec<Found>, Cancelled> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        work.check()?;
        let entries = fs::read_dir(&directory).and_then(|entries| {
            for entry in entries {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_file() {
                    let size = entry.metadata().map_or(0, |meta| meta.len());
                    files.push(Found { path, size });
                }
            }
            Ok(())
        });
        if let Err(error) = entries {
            fault(&directory, error);
        }
    }
    Ok(files)
}

/// Reads a file. What it advances is what was listed, whatever has become of the file since.
fn checksum(file: &Found, work: &SharedContext) -> io::Result<[u8; 32]> {
    let mut reader = File::open(&file.path)?;
    let mut hash = Sha256::new();
    let mut left = file.size;
    let mut block = vec![0; BLOCK];
    loop {
        work.check()?;
        let read = match reader.read(&mut block) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        hash.update(&block[..read]);
        let counted = left.min(read as u64);
        left -= counted;
        work.advance(counted)?;
    }
    work.advance(left)?;
    Ok(hash.finalize().into())
}

/// Writes lines as `sha256sum` does.
///
/// # Errors
///
/// Those of the writer.
pub fn write(sums: &[Sum], mut out: impl Write) -> io::Result<()> {
    for Sum { path, sha256 } in sums {
        let name = escaped(path.as_os_str());
        if name.is_some() {
            out.write_all(b"\\")?;
        }
        for byte in sha256 {
            write!(out, "{byte:02x}")?;
        }
        out.write_all(b"  ")?;
        out.write_all(
            name.as_deref()
                .unwrap_or(path.as_os_str().as_encoded_bytes()),
        )?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// The name with line ends and backslashes escaped, where it has some: its line begins with a backslash then.
fn escaped(name: &OsStr) -> Option<Vec<u8>> {
    let name = name.as_encoded_bytes();
    let special = |byte: &u8| matches!(byte, b'\\' | b'\n' | b'\r');
    if !name.iter().any(special) {
        return None;
    }
    let mut text = Vec::with_capacity(name.len() + 8);
    for byte in name {
        match byte {
            b'\\' => text.extend(br"\\"),
            b'\n' => text.extend(br"\n"),
            b'\r' => text.extend(br"\r"),
            other => text.push(*other),
        }
    }
    Some(text)
}
