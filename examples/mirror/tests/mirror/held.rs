//! A mirror that is held in the middle of a copy, so that what happens then does not depend on who is quicker.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::run::{DEADLINE, Running, command, until};
use crate::tree::{Place, parts};

/// A mirror that is stopped while it copies a file, and goes on by `Running::go_on`.
pub struct Held {
    pub running: Running,
    /// The temporary file that is being written.
    pub part: PathBuf,
}

/// The temporary file for this file, if it is there and not complete.
fn unfinished(place: &Place, large: &Path) -> Option<PathBuf> {
    let relative = large.strip_prefix(place.source()).expect("it is there");
    let dest = place.dest().join(relative);
    let name = dest.file_name().map(OsStr::as_bytes).expect("it has one");
    let prefix = [b".", name, b"."].concat();
    let size = fs::metadata(large).expect("it is there").len();
    let ours = |part: &PathBuf| {
        part.parent() == dest.parent()
            && part
                .file_name()
                .map(OsStr::as_bytes)
                .expect("it has one")
                .starts_with(&prefix)
            && fs::metadata(part).is_ok_and(|meta| meta.len() < size)
    };
    parts(dest.parent().expect("it is in a directory"))
        .into_iter()
        .find(ours)
}

/// Starts a mirror with these options, and holds it while it copies this file. It has looked at the file before it began
/// to write, and will look again: whatever happens now happens in between. Where the file was copied before this
/// process had its turn, all begins anew.
pub fn held(place: &Place, options: &[&str], large: &Path) -> Held {
    let begun = Instant::now();
    loop {
        let mut args: Vec<_> = options.iter().map(PathBuf::from).collect();
        args.extend([place.source(), place.dest()]);
        let mut running = Running::start(&mut command(args));
        until("a temporary file, or the end", || {
            unfinished(place, large).is_some() || running.has_ended()
        });
        if running.hold() {
            if let Some(part) = unfinished(place, large) {
                return Held { running, part };
            }
            running.go_on();
        }
        running.end();
        assert!(
            begun.elapsed() < DEADLINE,
            "the copy was always done before it could be held"
        );
        fs::remove_dir_all(place.dest()).expect("it can be removed");
    }
}
