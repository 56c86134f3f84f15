//! The handler of the example `mirror` against the rules of the contract that bind a handler: it is driven by hand,
//! with a callback that records every call, and cancelled at every one of its reports. And the other side:
//! its observer against a session that forgets, its frame on a terminal that is resized.

#![cfg(unix)]

mod host;
mod observer;
mod screen;

macro_rules! parts_of_the_example {
    ($($path:literal $name:ident)*) => {
        $(#[path = $path] #[allow(dead_code)] mod $name;)*
    };
}

parts_of_the_example! {
    "../../examples/mirror/bars.rs" bars
    "../../examples/mirror/copy.rs" copy
    "../../examples/mirror/crew.rs" crew
    "../../examples/mirror/dir.rs" dir
    "../../examples/mirror/fault.rs" fault
    "../../examples/mirror/folder.rs" folder
    "../../examples/mirror/frame.rs" frame
    "../../examples/mirror/handler.rs" handler
    "../../examples/mirror/input.rs" input
    "../../examples/mirror/job.rs" job
    "../../examples/mirror/lines.rs" lines
    "../../examples/mirror/place.rs" place
    "../../examples/mirror/pool.rs" pool
    "../../examples/mirror/remove.rs" remove
    "../../examples/mirror/scan.rs" scan
    "../../examples/mirror/show.rs" show
    "../../examples/mirror/temp.rs" temp
    "../../examples/mirror/watch.rs" watch
    "../../examples/mirror/work.rs" work
    "../mirror/run.rs" run
    "../mirror/tree.rs" tree
}

use std::fs;
use std::sync::Arc;

use host::{Cancel, Host};
use syncmgr::{HResult, HandlerError, ItemId, ItemStatus, SyncHandler, Uuid};
use tree::{Place, assert_no_parts, assert_same, assert_whole};

/// Items of every kind: a file, a link, nested directories, one that fails, and something to delete.
fn filled() -> Place {
    let place = Place::new();
    for path in [
        "a/one",
        "a/dir/two",
        "a/dir/deep/three",
        "b",
        "c/four",
        "d/five",
    ] {
        place.file(path, path.repeat(10));
    }
    place.file("e", vec![5; 3 << 20]);
    std::os::unix::fs::symlink("nowhere", place.source().join("f")).unwrap();
    tree::make_pipe(&place.source().join("g"));
    restart(&place);
    place
}

/// A destination in which an item fails, and with something that is not in the source.
fn restart(place: &Place) {
    _ = fs::remove_dir_all(place.dest());
    tree::write(&place.dest().join("c"), "in the way");
    tree::write(&place.dest().join("extra/file"), "extra");
}

#[test]
fn a_whole_run_keeps_the_rules() {
    for threads in [1, 3] {
        let place = filled();
        let host = Host::new(&place, threads, Cancel::Never);
        assert_eq!(host.run(), HResult::S_OK);
        host.judge();
        let statuses: Vec<_> = host.statuses();
        use ItemStatus::{Failed, Skipped, Succeeded};
        let all = [
            Succeeded, Succeeded, Failed, Succeeded, Succeeded, Succeeded, Skipped, Succeeded,
        ];
        assert_eq!(statuses, all);
        fs::remove_file(place.dest().join("c")).unwrap();
        fs::remove_dir_all(place.source().join("c")).unwrap();
        fs::remove_file(place.source().join("g")).unwrap();
        for path in ["a", "b", "d", "e", "f"] {
            assert_same(&place.source().join(path), &place.dest().join(path));
        }
    }
}

#[test]
fn a_cancel_at_every_report_keeps_the_rules() {
    for threads in [1, 3] {
        for cancel in [Cancel::Item, Cancel::All, Cancel::Skip] {
            let place = filled();
            let mut number = 0;
            // Until the run has fewer reports than that.
            loop {
                let host = Host::new(&place, threads, cancel(number));
                assert_eq!(host.run(), HResult::S_OK, "{:?} {threads}", cancel(number));
                host.judge();
                _ = fs::remove_dir_all(place.dest().join("extra"));
                fs::remove_file(place.dest().join("c")).unwrap();
                assert_whole(&place.source(), &place.dest());
                assert_no_parts(&place.dest());
                restart(&place);
                if !host.cancelled() {
                    break;
                }
                number += 1;
            }
            assert!(number > 30, "only {number} reports");
        }
    }
}

#[test]
fn an_item_that_is_skipped_while_it_waits_is_never_begun() {
    let place = filled();
    let host = Host::new(&place, 1, Cancel::Never);
    // The only thread is held inside the first item while the host skips another.
    host.hold_first_report_of_synchronize();
    let last = host.item(3);
    let handler = host.start();
    host.wait_until_held();
    handler.set_item_status(last, ItemStatus::Skipped).unwrap();
    host.let_go();
    host.finish(&handler);
    host.judge();
    assert_eq!(host.statuses()[3], ItemStatus::Skipped);
    assert_eq!(
        host.reports_in_synchronize(last),
        1,
        "nothing but the final status"
    );
    assert!(!place.dest().join("d").exists());
}

#[test]
fn no_call_comes_after_the_callback_was_taken_away() {
    let place = filled();
    place.large_file("h/large");
    let host = Host::new(&place, 2, Cancel::Never);
    let handler = host.start();
    let dest = place.dest().join("h");
    run::until("a temporary file", || !tree::parts(&dest).is_empty());
    handler.set_progress_callback(None).unwrap();
    let calls = host.calls();
    assert_no_parts(&place.dest());
    drop(handler);
    assert_eq!(host.calls(), calls);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = filled();
    let host = Host::new(&place, 1, Cancel::Never);
    let handler = host.handler();
    let unknown = ItemId::from_u128(1);
    let refused = |result: Result<(), HandlerError>| {
        assert!(
            matches!(result, Err(HandlerError::InvalidArgument)),
            "{result:?}"
        );
    };
    // Without a callback, without a prepare, with an unknown item.
    refused(
        Arc::clone(&handler)
            .prepare_for_sync(&[host.item(0)])
            .map(drop),
    );
    refused(Arc::clone(&handler).synchronize());
    handler
        .set_progress_callback(Some(host.callback()))
        .unwrap();
    refused(Arc::clone(&handler).synchronize());
    refused(
        Arc::clone(&handler)
            .prepare_for_sync(&[host.item(0), unknown])
            .map(drop),
    );
    refused(Arc::clone(&handler).prepare_for_sync(&[]).map(drop));
    refused(handler.set_item_status(host.item(0), ItemStatus::Skipped));
    // H19.
    let object = handler.item_object(host.item(0), Uuid::nil());
    assert!(matches!(object, Err(HandlerError::NotImplemented)));
    assert_eq!(host.calls(), 0);
}

#[test]
fn ids_come_from_the_raw_bytes_and_stay() {
    let ids = |host: &Host| (0..4).map(|number| host.item(number)).collect::<Vec<_>>();
    let place = Place::new();
    for name in [b"a".as_slice(), b"b", b"\xff", b"\xfe"] {
        tree::write(&place.source().join(tree::name(name)), "x");
    }
    let first = ids(&Host::new(&place, 1, Cancel::Never));
    let second = ids(&Host::new(&place, 1, Cancel::Never));
    assert_eq!(first, second);
    let different: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(different.len(), 4);
}
