//! The handler of the example `mirror_by_hand` against the rules of the contract: cancelled and failed at every one of its
//! calls, and driven through a retry.

use std::fs;
use std::sync::Arc;

use syncmgr::testing::{Harness, Recorder};
use syncmgr::{ErrorId, HandlerError, ItemId, ItemStatus, Session, SyncHandler};
use syncmgr_mirror::by_hand::handler::Mirror;
use syncmgr_mirror::place::Places;

use crate::tree::{Place, assert_no_parts, assert_same, assert_whole};

fn mirror(place: &Place, threads: usize) -> Arc<Mirror> {
    let places = Places::open(&place.source(), &place.dest()).unwrap();
    Mirror::new(places, threads).unwrap()
}

/// Items of every kind: a file, a link, nested directories, and one that fails.
fn filled() -> Place {
    let place = Place::new();
    for path in ["a/one", "a/dir/two", "b", "c/three", "d/four"] {
        place.file(path, path.repeat(10));
    }
    place.file("e", vec![5; 3 << 20]);
    std::os::unix::fs::symlink("nowhere", place.source().join("f")).unwrap();
    crate::tree::write(&place.dest().join("c"), "in the way");
    place
}

#[test]
fn a_whole_run_keeps_the_rules_and_copies_all_that_it_can() {
    for threads in [1, 3] {
        let place = filled();
        for _ in ["copied", "there already"] {
            let trace = Harness::new(mirror(&place, threads)).run();
            trace.assert_conformant();
            assert_eq!(trace.violations(), [], "{trace}");
            for name in ["a", "b", "d", "e", "f"] {
                assert_eq!(trace.status(name), Some(ItemStatus::Succeeded), "{trace}");
                assert_same(&place.source().join(name), &place.dest().join(name));
            }
            assert_eq!(trace.status("c"), Some(ItemStatus::Failed), "{trace}");
        }
    }
}

#[test]
fn every_cancel_and_every_fault_at_every_report_keeps_the_rules_and_leaves_no_half_file() {
    for threads in [1, 3] {
        let exploration = Harness::explore(
            || {
                let place = filled();
                let harness = Harness::new(mirror(&place, threads));
                (harness.show_errors().max_retries(1), place)
            },
            |_, place| {
                fs::remove_file(place.dest().join("c")).unwrap();
                assert_whole(&place.source(), &place.dest());
                assert_no_parts(&place.dest());
            },
        );
        exploration.assert_conformant();
        println!("{threads} threads: {exploration}");
        assert_eq!(exploration.explored(), exploration.points());
        assert!(exploration.points() > 60, "{exploration}");
    }
}

#[test]
fn an_error_that_is_mended_is_done_again_when_it_is_shown() {
    let place = filled();
    let in_the_way = place.dest().join("c");
    let options =
        syncmgr::RunOptions::new().show_error_if(move |_| fs::remove_file(&in_the_way).is_ok());
    let report = syncmgr::run_handler(mirror(&place, 2), options);
    assert!(report.is_success(), "{report:?}");
    assert_eq!(report.rounds, 2);
    assert_eq!(report.session.unwrap().log(), []);
    assert_same(&place.source().join("c"), &place.dest().join("c"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = filled();
    let handler = mirror(&place, 1);
    let first = handler.items().unwrap().items()[0].id;
    let recorder = Recorder::new();
    let unknown = ItemId::from_u128(1);
    let refused = |result: Result<(), HandlerError>| {
        assert!(
            matches!(result, Err(HandlerError::InvalidArgument)),
            "{result:?}"
        );
    };
    let prepare = |items: &[ItemId]| Arc::clone(&handler).prepare_for_sync(items).map(drop);
    // Without a callback, without a prepare, with an unknown item.
    refused(prepare(&[first]));
    refused(Arc::clone(&handler).synchronize());
    let session = Session::builder().driven().build().unwrap();
    handler
        .set_progress_callback(Some(recorder.callback(session)))
        .unwrap();
    refused(prepare(&[first, unknown]));
    refused(prepare(&[]));
    refused(handler.set_item_status(unknown, ItemStatus::Skipped));
    refused(Arc::clone(&handler).show_error(ErrorId::from_u128(1)));
    assert_eq!(recorder.trace().calls(), []);
}
