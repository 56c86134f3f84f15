//! What the tests of the program share: a place for its tree, and what has to be there in the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use syncmgr_mirror::temp;
use tempfile::TempDir;

/// Only a failure takes this long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_center");

/// A directory for a tree, which the program makes, and for the file of the choices.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("there is a temporary directory"))
    }

    pub fn tree(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    pub fn choices(&self) -> PathBuf {
        self.0.path().join("choices.json")
    }

    /// The program's arguments.
    pub fn args(&self) -> Vec<PathBuf> {
        vec!["--choices".into(), self.choices(), self.tree()]
    }

    /// The program on this place, without a terminal.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(self.args());
        command
    }

    /// Both mirrors are done, everything but the damaged file is pulled, and no half file is left.
    pub fn assert_all_is_there(&self) {
        let (tree, copy) = (self.tree(), self.tree().join("copy"));
        for name in ["documents", "photos"] {
            let source = files(&tree.join(name));
            assert!(source.len() > 10, "{name}");
            assert!(source == files(&copy.join(name)), "{name} differs");
        }
        let mut shelf = files(&tree.join("shelf"));
        shelf
            .remove(Path::new("damaged.bin"))
            .expect("it is in the demo tree");
        assert_eq!(shelf.len(), 4);
        assert!(shelf == files(&copy.join("shelf")), "the shelf differs");
    }

    /// Whatever was cancelled: each file that is there is whole.
    pub fn assert_no_half_files(&self) {
        let (tree, copy) = (self.tree(), self.tree().join("copy"));
        for name in ["documents", "photos", "shelf"] {
            let source = files(&tree.join(name));
            for (path, content) in files(&copy.join(name)) {
                let is_temporary = temp::is_ours(path.file_name().unwrap_or_default());
                assert!(!is_temporary, "{name}: {} is left", path.display());
                assert!(
                    source.get(&path) == Some(&content),
                    "{name}: {}",
                    path.display()
                );
            }
        }
    }
}

/// Every file below a directory, by its path from there.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        // A directory that nothing was copied into need not be there.
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                left.push(path);
            } else {
                let content = fs::read(&path).expect("it can be read");
                let name = path.strip_prefix(dir).expect("it is below").to_owned();
                all.insert(name, content);
            }
        }
    }
    all
}
