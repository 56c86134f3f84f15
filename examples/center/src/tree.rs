//! The directories that the handlers work on, and the demo tree.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use sha2::{Digest, Sha256};
use syncmgr_center::list::hex;
use syncmgr_mirror::show::escaped;
use tempfile::TempDir;

/// The directories that the handlers work on.
pub struct Tree {
    root: PathBuf,
    /// Removed when the tree is dropped.
    _temporary: Option<TempDir>,
}

/// Why a tree cannot be used.
#[derive(Debug)]
pub enum BadTree {
    Io(PathBuf, io::Error),
    Missing(PathBuf, &'static str),
}

impl fmt::Display for BadTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot use '{}': {error}", escaped(path)),
            Self::Missing(path, name) => write!(
                f,
                "'{}' has no '{name}'; a tree has {}, and one that is missing or empty is made",
                escaped(path),
                NAMES.join(", ")
            ),
        }
    }
}

impl std::error::Error for BadTree {}

const DOCUMENTS: &str = "documents";
const PHOTOS: &str = "photos";
const SHELF: &str = "shelf";
const LIST: &str = "shelf.sha256";
const COPY: &str = "copy";
const NAMES: [&str; 4] = [DOCUMENTS, PHOTOS, SHELF, LIST];

impl Tree {
    /// The tree in this directory, or a demo tree in a temporary one.
    pub fn open(dir: Option<&Path>) -> Result<Self, BadTree> {
        let (root, temporary) = match dir {
            Some(dir) => (dir.to_owned(), None),
            None => {
                let dir = tempfile::Builder::new().prefix("syncmgr-center-").tempdir();
                let dir = dir.map_err(|error| BadTree::Io(std::env::temp_dir(), error))?;
                (dir.path().to_owned(), Some(dir))
            }
        };
        let failed = |error| BadTree::Io(root.clone(), error);
        fs::create_dir_all(&root).map_err(failed)?;
        if fs::read_dir(&root).map_err(failed)?.next().is_none() {
            make_demo(&root).map_err(failed)?;
        }
        for name in NAMES {
            if !root.join(name).exists() {
                return Err(BadTree::Missing(root, name));
            }
        }
        fs::create_dir_all(root.join(COPY)).map_err(failed)?;
        Ok(Self {
            root,
            _temporary: temporary,
        })
    }

    /// What the first mirror makes a copy of, and where.
    pub fn documents(&self) -> (PathBuf, PathBuf) {
        self.pair(DOCUMENTS)
    }

    /// What the second mirror makes a copy of, and where.
    pub fn photos(&self) -> (PathBuf, PathBuf) {
        self.pair(PHOTOS)
    }

    /// From where the files of the list are pulled, and whereto.
    pub fn shelf(&self) -> (PathBuf, PathBuf) {
        self.pair(SHELF)
    }

    /// The list of what is pulled.
    pub fn list(&self) -> PathBuf {
        self.root.join(LIST)
    }

    fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.root.join(name), self.root.join(COPY).join(name))
    }
}

/// Content that looks random and is the same each time (SplitMix64).
fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend((z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn make_demo(root: &Path) -> io::Result<()> {
    let mut seed = 0;
    let mut file = |path: String, length: usize| {
        seed += 1;
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let content = content(seed, length);
        fs::write(path, &content).map(|()| content)
    };
    file(format!("{DOCUMENTS}/read me.txt"), 700)?;
    for folder in ["letters", "reports", "accounts/2024", "accounts/2025"] {
        for number in 1..=8 {
            let path = format!("{DOCUMENTS}/{folder}/page {number}.txt");
            file(path, number * 1_900)?;
        }
    }
    for album in ["harbour", "mountains", "winter"] {
        for number in 1..=5 {
            let path = format!("{PHOTOS}/{album}/{number:02}.raw");
            file(path, 2_000_000 + number * 111_111)?;
        }
    }
    let mut list = String::new();
    for (path, length) in [
        ("atlas/north.bin", 3_000_000),
        ("atlas/south.bin", 2_500_000),
        ("dictionary.bin", 4_000_000),
        ("damaged.bin", 600_000),
        ("timetable.txt", 4_321),
    ] {
        let mut content = file(format!("{SHELF}/{path}"), length)?;
        if path.starts_with("damaged")
            && let Some(last) = content.last_mut()
        {
            *last ^= 1;
        }
        list += &format!("{}  {path}\n", hex(&Sha256::digest(&content).into()));
    }
    fs::write(root.join(LIST), list)
}
