//! The handler of the example `mirror` against the rules of the contract: it is driven by the testing kit, and cancelled at
//! every one of its reports. And the other side: its observer against a session that forgets, its frame on a terminal that is
//! resized.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use syncmgr::testing::{Action, Call, Harness, Intervention, Recorder, Trace};
use syncmgr::{
    HResult, HandlerError, HostEvent, ItemId, ItemStatus, Prepared, Session, SyncItem, Uuid,
};
use syncmgr_mirror::handler::Mirror;
use syncmgr_mirror::place::Places;

use crate::tree::{Place, assert_no_parts, assert_same, assert_whole};

fn mirror(place: &Place, threads: usize) -> Arc<Mirror> {
    let places = Places::open(&place.source(), &place.dest()).unwrap();
    Mirror::new(places, true, threads, &[]).unwrap()
}

fn items(mirror: &Mirror) -> Vec<ItemId> {
    mirror.subjects().iter().map(|(item, _)| *item).collect()
}

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
    crate::tree::make_pipe(&place.source().join("g"));
    restart(&place);
    place
}

/// A destination in which an item fails, and with something that is not in the source.
fn restart(place: &Place) {
    _ = fs::remove_dir_all(place.dest());
    crate::tree::write(&place.dest().join("c"), "in the way");
    crate::tree::write(&place.dest().join("extra/file"), "extra");
}

#[test]
fn a_whole_run_keeps_the_rules() {
    for threads in [1, 3] {
        let place = filled();
        let mirror = mirror(&place, threads);
        let ids = items(&mirror);
        let trace = Harness::new(mirror.handler()).run();
        trace.assert_conformant();
        assert_eq!(trace.violations(), [], "{trace}");
        let statuses: Vec<_> = ids.iter().map(|item| trace.status(*item)).collect();
        use ItemStatus::{Failed, Skipped, Succeeded};
        let all = [
            Succeeded, Succeeded, Failed, Succeeded, Succeeded, Succeeded, Skipped, Succeeded,
        ];
        assert_eq!(statuses, all.map(Some), "{trace}");
        fs::remove_file(place.dest().join("c")).unwrap();
        fs::remove_dir_all(place.source().join("c")).unwrap();
        fs::remove_file(place.source().join("g")).unwrap();
        for path in ["a", "b", "d", "e", "f"] {
            assert_same(&place.source().join(path), &place.dest().join(path));
        }
    }
}

/// No half file: what is there under its own name is whole, and nothing is left of what was begun.
fn assert_clean(source: &Path, dest: &Path) {
    _ = fs::remove_dir_all(dest.join("extra"));
    fs::remove_file(dest.join("c")).unwrap();
    assert_whole(source, dest);
    assert_no_parts(dest);
}

#[test]
fn every_cancel_and_every_fault_at_every_report_keeps_the_rules_and_leaves_no_half_file() {
    for threads in [1, 3] {
        let exploration = Harness::explore(
            || {
                let place = filled();
                (Harness::new(mirror(&place, threads).handler()), place)
            },
            |_, place| assert_clean(&place.source(), &place.dest()),
        );
        exploration.assert_conformant();
        println!("{threads} threads: {exploration}");
        assert_eq!(exploration.explored(), exploration.points());
        assert!(exploration.points() > 150, "{exploration}");
    }
}

#[test]
fn an_item_that_is_skipped_while_it_waits_is_never_begun() {
    let place = filled();
    let mirror = mirror(&place, 1);
    let last = items(&mirror)[3];
    // The only thread is held inside the first report of the synchronization until the handler was told.
    let trace = Harness::new(mirror.handler())
        .intervene(Intervention::SkipInSynchronize(last.into()))
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status(last), Some(ItemStatus::Skipped));
    assert_eq!(
        reports_in_synchronize(&trace, last),
        1,
        "nothing but the final status: {trace}"
    );
    assert!(!place.dest().join("d").exists());
}

/// How many reports of this item came after the prepare.
fn reports_in_synchronize(trace: &Trace, wanted: ItemId) -> usize {
    let calls = trace.calls().iter();
    calls
        .skip_while(|call| call.action != Action::Synchronize)
        .filter(|call| call.action.reported() == Some(wanted))
        .count()
}

#[test]
fn no_call_comes_after_the_callback_was_taken_away() {
    let place = filled();
    place.large_file("h/large");
    let mirror = mirror(&place, 2);
    let ids = items(&mirror);
    let recorder = Recorder::new();
    let handler = recorder.handler(mirror.handler());
    let session = Session::builder()
        .items(handler.items().unwrap().into_items())
        .driven()
        .build()
        .unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    session.driver().begin_prepare(&ids).unwrap();
    let prepared = Arc::clone(&handler).prepare_for_sync(&ids);
    assert_eq!(prepared.unwrap(), Prepared::Started);
    let completed = session.driver().next_event(Duration::from_secs(60));
    assert_eq!(completed, Some(HostEvent::PrepareCompleted(HResult::S_OK)));
    session.driver().begin_synchronize().unwrap();
    Arc::clone(&handler).synchronize().unwrap();

    let dest = place.dest().join("h");
    crate::run::until("a temporary file", || !crate::tree::parts(&dest).is_empty());
    handler.set_progress_callback(None).unwrap();
    assert_no_parts(&place.dest());
    drop(handler);
    let trace = recorder.trace();
    trace.assert_conformant();
    // It was in the middle of its work, and the last call that it made had been answered when it was let go.
    let large = trace.status("h").unwrap();
    assert!(!large.is_final(), "{trace}");
    let is_taken = |call: &&Call| call.action == Action::SetProgressCallback { set: None };
    let taken = trace.calls().iter().find(is_taken).unwrap();
    let mut made = trace.calls().iter().filter(|call| call.callback.is_some());
    assert!(
        made.all(|call| call.has_returned() && call.ended < taken.ended),
        "{trace}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = filled();
    let mirror = mirror(&place, 1);
    let first = items(&mirror)[0];
    let handler = mirror.handler();
    // Without a callback.
    let prepared = Arc::clone(&handler).prepare_for_sync(&[first]);
    assert_eq!(prepared.unwrap_err().hresult(), HResult::E_UNEXPECTED);
    let started = Arc::clone(&handler).synchronize();
    assert_eq!(started.unwrap_err().hresult(), HResult::E_UNEXPECTED);
    // H19.
    let object = handler.item_object(first, Uuid::nil());
    assert!(matches!(object, Err(HandlerError::NotImplemented)));
}

#[test]
fn an_item_that_it_does_not_have_fails_and_the_others_are_done() {
    let place = filled();
    let mirror = mirror(&place, 1);
    let (first, unknown) = (items(&mirror)[0], ItemId::from_u128(1));
    let recorder = Recorder::new();
    let handler = recorder.handler(mirror.handler());
    let mut items = handler.items().unwrap().into_items();
    items.push(SyncItem::new(unknown, "unknown".parse().unwrap()));
    let session = Session::builder().items(items).driven().build().unwrap();
    handler
        .set_progress_callback(Some(session.clone()))
        .unwrap();
    let chosen = [unknown, first];
    session.driver().begin_prepare(&chosen).unwrap();
    let prepared = Arc::clone(&handler).prepare_for_sync(&chosen);
    assert_eq!(prepared.unwrap(), Prepared::Started);
    let completed = |expected| {
        let event = session.driver().next_event(Duration::from_secs(60));
        assert_eq!(event, Some(expected));
    };
    completed(HostEvent::PrepareCompleted(HResult::S_OK));
    session.driver().begin_synchronize().unwrap();
    Arc::clone(&handler).synchronize().unwrap();
    completed(HostEvent::SynchronizeCompleted(HResult::S_OK));
    let status = |item| session.item(item).map(|view| view.status);
    assert_eq!(status(unknown), Some(ItemStatus::Failed));
    assert_eq!(status(first), Some(ItemStatus::Succeeded));
    assert_eq!(session.log()[0].text, "there is no such item");
    assert_same(&place.source().join("a"), &place.dest().join("a"));
}

#[test]
fn ids_come_from_the_raw_bytes_and_stay() {
    let place = Place::new();
    for name in [b"a".as_slice(), b"b", b"\xff", b"\xfe"] {
        crate::tree::write(&place.source().join(crate::tree::name(name)), "x");
    }
    let ids = || {
        items(&mirror(&place, 1))
            .into_iter()
            .take(4)
            .collect::<Vec<_>>()
    };
    let first = ids();
    let second = ids();
    assert_eq!(first, second);
    let different: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(different.len(), 4);
}
