//! The job: a handler whose items are the files of a directory, and whose work is to count the lines of one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::per_item::{self, HandlerBuilder, ItemContext};
use syncmgr::{ItemId, ItemName, SyncHandler, SyncItem, Uuid};

/// Keeps the ids of this program apart from those of others.
const NAMESPACE: Uuid = Uuid::from_u128(0x1f6b_0d6e_6f8a_4e0f_8d43_50b1_1f3c_9a27);

/// At least this often does a paced reader report.
const STEP: Duration = Duration::from_millis(50);

/// The handler.
pub fn handler(directory: &Path, pace: Option<u32>) -> io::Result<Arc<dyn SyncHandler>> {
    let mut files = Vec::new();
    list(directory, &mut files)?;
    files.sort();
    let item = |path: &PathBuf| {
        let inside = path.strip_prefix(directory).unwrap_or(path);
        let name = ItemName::truncate_start(&inside.to_string_lossy());
        SyncItem::new(id(path), name)
    };
    let items: Vec<SyncItem> = files.iter().map(item).collect();
    let paths = files.into_iter().map(|path| (id(&path), path)).collect();
    let count = count_in(paths, pace);
    let name = "StreamMessage counter".parse().map_err(io::Error::other)?;
    Ok(HandlerBuilder::new(name, per_item::from_items(items, count)).build())
}

fn id(path: &Path) -> ItemId {
    ItemId::from_name(NAMESPACE, path.as_os_str().as_encoded_bytes())
}

/// The files in a directory and below. Links are not followed.
fn list(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
    };
    for entry in fs::read_dir(directory).map_err(named)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

type Paths = std::collections::HashMap<ItemId, PathBuf>;

fn count_in(
    paths: Paths,
    pace: Option<u32>,
) -> impl Fn(&ItemContext) -> Result<(), per_item::Error> + Send + Sync {
    move |work| {
        let path = paths.get(&work.item().id).ok_or("it was not listed")?;
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        work.max(length)?;
        let lines = count(work, &mut file, pace)?;
        work.text(&format!("{lines} lines"))?;
        Ok(())
    }
}

fn count(work: &ItemContext, file: &mut File, pace: Option<u32>) -> Result<u64, per_item::Error> {
    let begun = Instant::now();
    let mut piece = vec![0; 64 << 10];
    let most = pace.map_or(piece.len(), |pace| {
        let in_a_step = u64::from(pace) * STEP.as_millis() as u64 / 1_000;
        usize::try_from(in_a_step).map_or(piece.len(), |most| most.clamp(1, piece.len()))
    });
    let (mut bytes, mut lines) = (0_u64, 0);
    loop {
        let read = file.read(&mut piece[..most])?;
        if read == 0 {
            return Ok(lines);
        }
        bytes += read as u64;
        lines += piece[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        work.set(bytes)?; // a cancel ends it here
        if let Some(pace) = pace {
            let due = Duration::from_secs_f64(bytes as f64 / f64::from(pace));
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
}
