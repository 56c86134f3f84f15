//! The handlers of the centre against the rules of the contract: each is driven by the testing kit, and cancelled at every one
//! of its reports.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use syncmgr::testing::{Harness, explore_cancellations, explore_faults};
use syncmgr::{
    ErrorId, HandlerError, HandlerInfo, ItemId, ItemName, ItemStatus, SyncCallback, SyncHandler,
    SyncItem,
};
use syncmgr_center::each::{Each, Work};
use syncmgr_center::flaky::{self, Failed, Flaky, Pace};
use syncmgr_center::list::hex;
use syncmgr_center::pull::Pull;
use syncmgr_center::task::{End, Task};
use syncmgr_mirror::handler::Mirror;
use syncmgr_mirror::place::Places;
use syncmgr_mirror::temp;
use tempfile::TempDir;

/// A directory with a list, a source and a place for the destination.
struct Place(TempDir);

const FILES: [(&str, usize); 4] = [
    ("top", 10),
    ("empty", 0),
    ("dir/deep/large", 700_000),
    ("wrong", 2_000),
];

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

fn sum(content: &[u8]) -> String {
    hex(&Sha256::digest(content).into())
}

impl Place {
    /// Of these files the checksum of `wrong` is another's, and `missing` is not there.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let mut list = format!("{}  missing\n", sum(b"missing"));
        for (path, length) in FILES {
            let file = place.source().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content(length)).unwrap();
            let length = if path == "wrong" { 1 } else { length };
            list += &format!("{}  {path}\n", sum(&content(length)));
        }
        fs::write(place.list(), list).unwrap();
        place
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("source")
    }

    fn dest(&self) -> PathBuf {
        self.0.path().join("dest")
    }

    fn list(&self) -> PathBuf {
        self.0.path().join("list")
    }

    fn pull(&self, threads: usize) -> Arc<Each<Pull>> {
        let pull = Pull::new(&self.list(), &self.source(), &self.dest());
        Each::new(pull.unwrap(), threads)
    }

    /// Every file that is there is whole and right, and nothing else is there.
    fn assert_clean(&self) {
        for file in files(&self.dest()) {
            let path = file.strip_prefix(self.dest()).unwrap();
            let known = FILES.iter().find(|(known, _)| Path::new(known) == path);
            let (path, length) = known.unwrap_or_else(|| panic!("{} is left", path.display()));
            assert_ne!(*path, "wrong");
            assert_eq!(fs::read(&file).unwrap(), content(*length), "{path}");
        }
    }
}

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all
}

fn flaky() -> Arc<Each<Flaky>> {
    let pace = Pace {
        pause: Duration::ZERO,
        steps: 4,
        laps: Some(3),
    };
    Each::new(Flaky::new(pace, &Failed::default()), 2)
}

fn all_items(handler: &dyn SyncHandler) -> Vec<ItemId> {
    let items = handler.items().unwrap().into_items();
    items.into_iter().map(|item| item.id).collect()
}

#[test]
fn a_pull_brings_what_is_right_and_fails_what_is_not() {
    let place = Place::new();
    for round in ["copied", "there already"] {
        let trace = Harness::new(place.pull(2)).run();
        trace.assert_conformant();
        for (path, _) in FILES.iter().filter(|(path, _)| *path != "wrong") {
            assert_eq!(trace.status(*path), Some(ItemStatus::Succeeded), "{trace}");
        }
        for path in ["wrong", "missing"] {
            assert_eq!(trace.status(path), Some(ItemStatus::Failed), "{trace}");
        }
        let text = trace.to_string();
        assert!(text.contains(round), "{text}");
        assert!(text.contains("wrong checksum: 2000 bytes with"), "{text}");
        assert!(text.contains("it vanished"), "{text}");
        place.assert_clean();
        assert_eq!(files(&place.dest()).len(), 3);
    }
    // What is wrong in the destination is replaced.
    fs::write(place.dest().join("top"), "other text").unwrap();
    let trace = Harness::new(place.pull(1)).run();
    assert_eq!(trace.status("top"), Some(ItemStatus::Succeeded), "{trace}");
    place.assert_clean();
}

#[test]
fn a_wrong_checksum_is_tried_again_when_it_is_shown() {
    let place = Place::new();
    let trace = Harness::new(place.pull(1))
        .show_errors()
        .max_retries(1)
        .run();
    trace.assert_conformant();
    let text = trace.to_string();
    assert_eq!(
        text.matches("2000 bytes with").count() % 2,
        0,
        "twice: {text}"
    );
    assert_eq!(trace.status("wrong"), Some(ItemStatus::Failed));
    place.assert_clean();
}

#[test]
fn a_pull_keeps_the_rules_whenever_it_is_cancelled_and_leaves_no_half_file() {
    for threads in [1, 2] {
        let exploration = Harness::explore(
            || {
                let place = Place::new();
                (
                    Harness::new(place.pull(threads))
                        .show_errors()
                        .max_retries(1),
                    place,
                )
            },
            |_, place| place.assert_clean(),
        );
        exploration.assert_conformant();
        println!("{threads} threads: {exploration}");
        assert_eq!(exploration.explored(), exploration.points());
    }
    let place = Place::new();
    explore_faults(|| place.pull(1)).assert_conformant();
}

#[test]
fn a_list_that_makes_no_sense_is_refused_with_its_line() {
    let place = Place::new();
    fs::write(place.list(), "\nnot a line\n").unwrap();
    let error = Pull::new(&place.list(), &place.source(), &place.dest()).err();
    let text = error.unwrap().to_string();
    assert!(
        text.contains("list', line 2: \"not a line\" is not 64"),
        "{text}"
    );
    fs::remove_file(place.list()).unwrap();
    let error = Pull::new(&place.list(), &place.source(), &place.dest()).err();
    assert!(
        error
            .unwrap()
            .to_string()
            .starts_with("cannot read the list '")
    );
}

#[test]
fn no_link_leads_out_of_the_destination() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(place.dest()).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.dest().join("dir")).unwrap();
    let trace = Harness::new(place.pull(1)).run();
    trace.assert_conformant();
    let status = trace.status("dir/deep/large");
    assert_eq!(status, Some(ItemStatus::Failed), "{trace}");
    assert_eq!(files(outside.path()), Vec::<PathBuf>::new());
}

#[test]
fn flaky_fails_on_purpose_and_is_mended_by_a_retry() {
    let failed = Failed::default();
    let pace = Pace {
        pause: Duration::ZERO,
        steps: 4,
        laps: None,
    };
    let make = || Each::new(Flaky::new(pace, &failed), 1);
    let statuses = |trace: &syncmgr::testing::Trace| {
        [flaky::WHEN_SHOWN, flaky::BY_A_RETRY, flaky::NEVER].map(|item| trace.status(item).unwrap())
    };
    use ItemStatus::{Failed as Bad, Succeeded as Good};
    let first = Harness::new(make()).run();
    first.assert_conformant();
    assert_eq!(statuses(&first), [Bad, Bad, Bad], "{first}");
    assert_eq!(first.status(flaky::ENDLESS), None, "it is not checked");
    let second = Harness::new(make()).show_errors().run();
    second.assert_conformant();
    assert_eq!(statuses(&second), [Good, Good, Bad], "{second}");
}

#[test]
fn the_endless_item_ends_when_it_is_cancelled() {
    let pace = Pace {
        pause: Duration::from_millis(1),
        steps: 4,
        laps: None,
    };
    let handler = Each::new(Flaky::new(pace, &Failed::default()), 1);
    let trace = Harness::new(handler)
        .select([flaky::ENDLESS])
        .cancel_item_at_report(flaky::ENDLESS, 20)
        .run();
    trace.assert_conformant();
    assert_eq!(trace.status(flaky::ENDLESS), Some(ItemStatus::Stopped));
}

#[test]
fn flaky_keeps_the_rules_whenever_it_is_cancelled() {
    let exploration = Harness::explore(
        || {
            let handler = flaky();
            let items = all_items(&*handler);
            (Harness::new(handler).select(items).show_errors(), ())
        },
        |_, ()| {},
    );
    exploration.assert_conformant();
    println!("{exploration}");
    explore_cancellations(flaky).assert_conformant();
    explore_faults(flaky).assert_conformant();
}

#[test]
fn the_mirror_keeps_the_rules_here_too() {
    let place = Place::new();
    let make = || {
        let places = Places::open(&place.source(), &place.dest()).unwrap();
        Mirror::new(places, false, 2, &[]).unwrap().handler()
    };
    explore_cancellations(make).assert_conformant();
    Harness::new(make()).run().assert_conformant();
    for file in files(&place.dest()) {
        assert!(!temp::is_ours(file.file_name().unwrap()));
        let path = file.strip_prefix(place.dest()).unwrap();
        let source = fs::read(place.source().join(path)).unwrap();
        assert_eq!(fs::read(&file).unwrap(), source, "{}", path.display());
    }
}

/// Two items, of which the first makes the code panic.
struct Panics;

impl Work for Panics {
    fn info(&self) -> Result<HandlerInfo, HandlerError> {
        Ok(HandlerInfo::new("Panics".parse()?))
    }
    fn items(&self) -> Vec<SyncItem> {
        let item =
            |(id, name)| SyncItem::new(ItemId::from_u128(id), ItemName::truncate_start(name));
        [(1, "bad"), (2, "good")].map(item).into()
    }
    fn measure(&self, item: ItemId) -> u64 {
        assert_ne!(item, ItemId::from_u128(1), "on purpose");
        1
    }
    fn perform(&self, task: &Task) -> End {
        assert_ne!(task.item(), ItemId::from_u128(1), "on purpose");
        task.advance(1);
        End::Succeeded(String::new())
    }
    fn show_error(&self, _: ErrorId, _: &dyn SyncCallback) -> Option<Vec<ItemId>> {
        None
    }
}

#[test]
fn a_panic_in_the_work_fails_its_item_and_the_others_go_on() {
    let trace = Harness::new(Each::new(Panics, 1)).run();
    trace.assert_conformant();
    assert_eq!(trace.status("bad"), Some(ItemStatus::Failed), "{trace}");
    assert_eq!(trace.status("good"), Some(ItemStatus::Succeeded), "{trace}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let handler = flaky();
    let refused = |result: Result<(), HandlerError>| {
        assert!(matches!(result, Err(HandlerError::InvalidArgument)));
    };
    refused(
        Arc::clone(&handler)
            .prepare_for_sync(&[flaky::NEVER])
            .map(drop),
    );
    refused(Arc::clone(&handler).synchronize());
    refused(handler.set_item_status(flaky::NEVER, ItemStatus::Skipped));
    refused(Arc::clone(&handler).show_error(flaky::ERROR));
}
