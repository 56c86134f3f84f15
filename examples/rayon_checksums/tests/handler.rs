//! The handler against a sequential computation, and against the rules of the contract whenever it is cancelled.

#![cfg(unix)]

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};
use syncmgr::testing::{Action, Harness, Trace};
use syncmgr::{ItemId, ItemStatus, Phase, RunOptions, run_handler};
use syncmgr_rayon_checksums::{BLOCK, Checksums, Sum};
use tempfile::TempDir;

/// Two directories: small files in nested ones, an empty file, and some of several blocks.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, size) in [
        ("a/one", 10),
        ("a/deep/er/two", 2 * BLOCK + 1),
        ("a/deep/three", BLOCK),
        ("a/empty", 0),
        ("b/four", 3 * BLOCK),
        ("b/five", 7),
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        fs::write(path, content).unwrap();
    }
    dir
}

fn checksums(dir: &TempDir, threads: usize) -> Arc<Checksums> {
    let directories = ["a", "b"].map(|name| dir.path().join(name));
    Checksums::new(directories, NonZeroUsize::new(threads)).unwrap()
}

/// The same, one file after the other.
fn sequential(directory: &Path) -> Vec<Sum> {
    let mut paths = vec![directory.to_owned()];
    let mut sums = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let sha256 = Sha256::digest(fs::read(&path).unwrap()).into();
            sums.push(Sum { path, sha256 });
        }
    }
    sums.sort_by(|a, b| a.path.cmp(&b.path));
    sums
}

/// The first and the second directory.
const A: ItemId = ItemId::from_u128(1);
const B: ItemId = ItemId::from_u128(2);

/// The most of an item that was reported as done.
fn most_done(trace: &Trace, wanted: ItemId) -> u64 {
    let calls = trace.calls().iter();
    let values = calls.filter_map(|call| match &call.action {
        Action::Progress { item, update } if *item == wanted => update.value,
        _ => None,
    });
    values.max().unwrap_or(0)
}

fn logged(trace: &Trace) -> Vec<String> {
    let calls = trace.calls().iter();
    let texts = calls.filter_map(|call| match &call.action {
        Action::LogError { record } => Some(record.text.to_string()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn the_checksums_are_those_of_a_sequential_computation() {
    for threads in [1, 4] {
        let dir = tree();
        let checksums = checksums(&dir, threads);
        let report = run_handler(checksums.handler(), RunOptions::new());
        assert!(report.is_success(), "{report:?}");
        let mut expected = sequential(&dir.path().join("a"));
        expected.extend(sequential(&dir.path().join("b")));
        assert_eq!(checksums.sums(), expected);
        for view in report.session.unwrap().snapshot().items {
            assert_eq!(
                view.value, view.max,
                "all threads together advance by all that there is"
            );
        }
    }
}

#[test]
fn every_cancel_and_every_fault_keeps_the_rules_and_leaves_no_half_of_a_directory() {
    for threads in [1, 3] {
        let exploration = Harness::explore(
            || {
                let dir = tree();
                let checksums = checksums(&dir, threads);
                // The names contain the path of the temporary directory.
                let harness = Harness::new(checksums.handler()).items_by_position();
                (harness, (dir, checksums))
            },
            |_, (dir, checksums)| {
                for name in ["a", "b"] {
                    let directory = dir.path().join(name);
                    let mut sums = checksums.sums();
                    sums.retain(|sum| sum.path.starts_with(&directory));
                    assert!(
                        sums.is_empty() || sums == sequential(&directory),
                        "{sums:?}"
                    );
                }
            },
        );
        exploration.assert_conformant();
        println!("{threads} threads: {exploration}");
        assert_eq!(exploration.explored(), exploration.points());
        assert!(exploration.points() > 30, "{exploration}");
    }
}

#[test]
fn a_cancel_in_the_middle_stops_all_threads_of_its_item_and_no_other() {
    for threads in [1, 3] {
        let dir = tree();
        for number in 0..40 {
            let file = dir.path().join(format!("a/more{number}"));
            fs::write(file, vec![1; 3 * BLOCK]).unwrap();
        }
        let checksums = checksums(&dir, threads);
        let trace = Harness::new(checksums.handler())
            .cancel_item_at_report(A, 30)
            .run();
        trace.assert_conformant();
        assert_eq!(trace.status(A), Some(ItemStatus::Stopped), "{trace}");
        assert_eq!(trace.status(B), Some(ItemStatus::Succeeded), "{trace}");
        // Every second report tells of a block, and each thread may be in the middle of one.
        let most = (30 / 2 + threads) * BLOCK;
        assert!(most_done(&trace, A) <= most as u64, "{trace}");
        assert_eq!(checksums.sums(), sequential(&dir.path().join("b")));
        assert_eq!(logged(&trace), [""; 0]);
    }
}

#[test]
fn a_cancel_of_everything_stops_both() {
    let dir = tree();
    let checksums = checksums(&dir, 3);
    let trace = Harness::new(checksums.handler())
        .cancel_all_when(|call| call.phase == Phase::Synchronizing)
        .run();
    trace.assert_conformant();
    for item in [A, B] {
        let status = trace.status(item).unwrap();
        assert!(
            matches!(status, ItemStatus::Stopped | ItemStatus::Skipped),
            "{trace}"
        );
    }
    assert_eq!(checksums.sums(), []);
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_others_are_done() {
    for threads in [1, 3] {
        let dir = tree();
        let gone = dir.path().join("a/one");
        let vanishing = gone.clone();
        let checksums = checksums(&dir, threads);
        let removed = AtomicBool::new(false);
        // When the maximum is told in the work, the files are listed and none is read.
        let trace = Harness::new(checksums.handler())
            .cancel_item_when(move |call| {
                let is_max = matches!(&call.action, Action::Progress { item, update }
                    if *item == A && update.max.is_some());
                if is_max
                    && call.phase == Phase::Synchronizing
                    && !removed.swap(true, Ordering::Relaxed)
                {
                    fs::remove_file(&vanishing).unwrap();
                }
                false
            })
            .run();
        assert_eq!(trace.violations(), [], "{trace}");
        assert_eq!(trace.status(A), Some(ItemStatus::Failed), "{trace}");
        assert_eq!(trace.status(B), Some(ItemStatus::Succeeded), "{trace}");
        let text = format!("{}: No such file or directory (os error 2)", gone.display());
        assert_eq!(logged(&trace), [text]);
        let mut expected = sequential(&dir.path().join("a"));
        expected.extend(sequential(&dir.path().join("b")));
        assert_eq!(checksums.sums(), expected);
        assert_eq!(expected.len(), 5);
    }
}

#[test]
fn a_directory_that_is_not_there_fails_alone() {
    let dir = tree();
    fs::remove_dir_all(dir.path().join("a")).unwrap();
    let checksums = checksums(&dir, 2);
    let trace = Harness::new(checksums.handler()).run();
    trace.assert_conformant();
    assert_eq!(trace.status(A), Some(ItemStatus::Failed), "{trace}");
    assert_eq!(checksums.sums(), sequential(&dir.path().join("b")));
    assert_eq!(logged(&trace).len(), 1, "{trace}");
}
