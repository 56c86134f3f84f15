//! The handler under the kit, and what becomes of its files.

use std::fs;
use std::sync::Arc;

use syncmgr::testing::Harness;
use syncmgr::{ItemStatus, SyncHandler};
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};

use crate::fetch::{self, Downloads};
use crate::server;

fn files_of(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).expect("it is there");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

/// Each file that is there is whole.
fn assert_whole(directory: &TempDir) {
    for name in files_of(directory) {
        let there = fs::read(directory.path().join(&name)).expect("readable");
        assert_eq!(Some(there), server::content(&name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_had_comes_whole_and_what_hangs_is_cancelled() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = crate::download(directory.path(), 12)
        .await
        .expect("it is run");
    for (_, item) in report.items() {
        let expected = match item.name.as_str() {
            server::STALLED => ItemStatus::Stopped,
            "gone.txt" => ItemStatus::Failed,
            _ => ItemStatus::Succeeded,
        };
        assert_eq!(item.status, expected, "{}", item.name);
    }
    let names: Vec<String> = (0..12).map(|n| format!("part {n:02}.bin")).collect();
    assert_eq!(files_of(&directory), names);
    assert_whole(&directory);
    let (_, handler) = &report.handlers[0];
    let log = handler.session.as_ref().expect("it ran").log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].text, "the server has no \"gone.txt\"");
}

#[test]
fn no_cancel_leaves_half_a_file_or_breaks_a_rule() {
    let runtime = Runtime::new().expect("a runtime");
    let address = runtime.block_on(server::start()).expect("it listens");
    for at_once in [1, 3] {
        let explored = Harness::explore(
            || {
                let directory = tempfile::tempdir().expect("a directory");
                let handler = downloads(&directory, address, runtime.handle().clone(), at_once);
                (Harness::new(handler), directory)
            },
            |_, directory| assert_whole(&directory),
        );
        explored.assert_conformant();
        assert!(explored.runs() > 10, "{}", explored.runs());
    }
}

fn downloads(
    directory: &TempDir,
    server: std::net::SocketAddr,
    runtime: Handle,
    at_once: usize,
) -> Arc<dyn SyncHandler> {
    let source = Downloads {
        server,
        names: ["gone.txt", "part 01.bin", "part 04.bin"]
            .map(str::to_owned)
            .to_vec(),
        directory: directory.path().to_owned(),
    };
    fetch::handler(source, runtime, at_once)
}
