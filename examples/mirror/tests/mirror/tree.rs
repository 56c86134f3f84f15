//! Makes directories and compares them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// A random number generator (SplitMix64) whose seed is all it needs.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.roll().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// A temporary directory with a source in it, and the place of a destination. Everybody may enter it.
pub struct Place {
    pub dir: TempDir,
}

/// Where the directories are made: in memory if there is room, for then the tests are quick on a machine with a slow
/// or busy disk.
fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(memory) {
        Ok(found) if found.f_bavail * found.f_frsize >= 8 << 30 => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

impl Place {
    pub fn new() -> Self {
        let place = Self {
            dir: TempDir::with_prefix_in("syncmgr-test-", base())
                .expect("there is a temporary directory"),
        };
        mode(place.dir.path(), 0o777);
        fs::create_dir(place.source()).expect("it is new");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn source(&self) -> PathBuf {
        self.path("source")
    }

    pub fn dest(&self) -> PathBuf {
        self.path("dest")
    }

    /// Writes a file of the source, with its directories.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        write(&self.source().join(path), content)
    }

    /// A file of the source that takes long to copy, though not long to make: it is one hole.
    pub fn large_file(&self, path: &str) -> PathBuf {
        let path = self.file(path, "");
        let file = File::options()
            .write(true)
            .open(&path)
            .expect("it was just made");
        file.set_len(4 << 30).expect("the file system has holes");
        path
    }
}

/// Writes a file, with its directories.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> PathBuf {
    fs::create_dir_all(path.parent().expect("it is in a directory")).expect("it can be made");
    fs::write(path, content).expect("it can be written");
    path.to_owned()
}

/// Makes the large file small, so that the next run is quick.
pub fn shrink(path: &Path) {
    fs::write(path, "no longer large").expect("it can be written");
}

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Sets the modification time: seconds since 1970, and nanoseconds.
pub fn touch(path: &Path, seconds: i64, nanos: u32) {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 {
        SystemTime::UNIX_EPOCH - whole
    } else {
        SystemTime::UNIX_EPOCH + whole
    };
    let file = File::open(path).expect("it can be opened");
    file.set_modified(base + Duration::from_nanos(nanos.into()))
        .expect("it is ours");
}

/// A tree of so many items with so many files each, in nested directories; some files are empty, some of a megabyte.
pub fn grow(root: &Path, items: u64, files: u64, seed: u64) {
    let mut dice = Dice(seed);
    for item in 0..items {
        for file in 0..files {
            let dir = match dice.below(4) {
                0 => String::new(),
                1 => format!("a{}/", file % 3),
                _ => format!("a{}/b{}/", file % 3, file % 5),
            };
            let path = root.join(format!("item{item:02}/{dir}file{file}"));
            let size = match dice.below(100) {
                0..10 => 0,
                10..99 => dice.below(4096),
                _ => 1_000_000 + dice.below(300_000),
            };
            write(&path, dice.bytes(size as usize));
            if dice.below(10) == 0 {
                mode(&path, 0o444 | (dice.below(8) as u32) << 6);
                touch(
                    &path,
                    dice.below(2_000_000_000) as i64,
                    dice.below(1_000_000_000) as u32,
                );
            }
        }
    }
}

/// What must be the same in a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    kind: char,
    mode: u32,
    modified: (i64, i64),
    content: Vec<u8>,
}

/// The content of a file; of a huge one, which is all zeros, only how long it is.
fn content(path: &Path, length: u64) -> Vec<u8> {
    if length > 64 << 20 {
        return length.to_le_bytes().to_vec();
    }
    fs::read(path).expect("it can be read")
}

/// Everything under a directory, and the directory itself, by relative path. Pipes and sockets are not looked at.
pub fn look(root: &Path) -> BTreeMap<PathBuf, Look> {
    let mut found = BTreeMap::new();
    let mut stack = vec![root.to_owned()];
    while let Some(path) = stack.pop() {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        let (kind, content) = if meta.is_symlink() {
            let target = fs::read_link(&path).expect("it is a link");
            ('l', target.into_os_string().as_bytes().to_vec())
        } else if meta.is_dir() {
            let entries = fs::read_dir(&path).expect("it is a directory");
            stack.extend(entries.map(|entry| entry.expect("it can be listed").path()));
            ('d', Vec::new())
        } else if meta.is_file() {
            ('f', content(&path, meta.len()))
        } else {
            continue;
        };
        let relative = path
            .strip_prefix(root)
            .expect("it is under the root")
            .to_owned();
        found.insert(
            relative,
            Look {
                kind,
                mode: meta.mode() & 0o7777,
                modified: (meta.mtime(), meta.mtime_nsec()),
                content,
            },
        );
    }
    found
}

/// Fails unless both are the same in every name, kind, content, link target, permission and modification time.
#[track_caller]
pub fn assert_same(source: &Path, dest: &Path) {
    let (source, dest) = (look(source), look(dest));
    let missing: Vec<_> = source
        .keys()
        .filter(|path| !dest.contains_key(*path))
        .collect();
    let extra: Vec<_> = dest
        .keys()
        .filter(|path| !source.contains_key(*path))
        .collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing: {missing:?}, extra: {extra:?}"
    );
    for (path, look) in &source {
        assert!(
            dest[path] == *look,
            "{path:?} differs: {}",
            difference(look, &dest[path])
        );
    }
}

fn difference(one: &Look, other: &Look) -> String {
    let content = if one.content == other.content {
        "the same content"
    } else {
        "other content"
    };
    format!(
        "{}{:o} {:?} and {}{:o} {:?}, {content}",
        one.kind, one.mode, one.modified, other.kind, other.mode, other.modified
    )
}

/// Fails if a file or link of the destination is not whole. Temporary files may be there.
#[track_caller]
pub fn assert_whole(source: &Path, dest: &Path) {
    if !dest.exists() {
        return;
    }
    let (source, dest) = (look(source), look(dest));
    for (path, look) in dest
        .iter()
        .filter(|(path, look)| look.kind != 'd' && !is_part(path))
    {
        assert!(
            source.get(path) == Some(look),
            "{path:?} is not whole: {:?}",
            source.get(path).map(|there| difference(there, look))
        );
    }
}

fn is_part(path: &Path) -> bool {
    let name = path.as_os_str().as_bytes();
    name.ends_with(b".part") && name.windows(9).any(|part| part == b".syncmgr-")
}

/// The temporary files in and under a directory.
pub fn parts(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root) else {
        return found;
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(parts(&path));
        } else if is_part(&path) {
            found.push(path);
        }
    }
    found
}

/// The numbers and change times of all files: they tell whether one was touched at all.
pub fn identities(root: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let mut found = BTreeMap::new();
    for (path, look) in look(root) {
        if look.kind != 'd' {
            let meta = fs::symlink_metadata(root.join(&path)).expect("it was there");
            found.insert(path, (meta.ino(), meta.ctime(), meta.ctime_nsec()));
        }
    }
    found
}

/// A pipe at that path.
pub fn make_pipe(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status();
    assert!(status.expect("there is mkfifo").success());
}

/// The bytes as a name.
pub fn name(bytes: &[u8]) -> OsString {
    std::ffi::OsStr::from_bytes(bytes).to_owned()
}

/// Appends to a file.
pub fn append(path: &Path, content: &[u8]) {
    let mut file = File::options()
        .append(true)
        .open(path)
        .expect("it is there");
    file.write_all(content).expect("it can be written");
}

/// Fails if there is a temporary file.
#[track_caller]
pub fn assert_no_parts(root: &Path) {
    let parts = parts(root);
    assert!(parts.is_empty(), "{parts:?}");
}
