//! An observer that keeps its place and its sums, whatever happens to the session that it follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::{
    Changes, HResult, ItemId, ItemStatus, LogLevel, LogRecord, Observer, Phase, ProgressUpdate,
    Session, SyncCallback, Totals, Verdict,
};

use support::{
    LIMIT, driven, id, ids, item, items, join, open, receive, start_round, status, synchronizing,
    value,
};

fn named(changes: &Changes) -> Vec<ItemId> {
    changes.items().iter().map(|view| view.id).collect()
}

/// Looks, and compares the sums with those of a snapshot.
#[track_caller]
fn look(observer: &mut Observer) -> Changes {
    let changes = observer.refresh();
    assert!(changes.is_complete());
    assert_eq!(observer.totals(), observer.session().snapshot().totals);
    changes
}

#[track_caller]
fn report(session: &Session, n: u128, update: ProgressUpdate<'_>) {
    assert_eq!(session.progress(id(n), &update), Ok(Verdict::Continue));
}

fn log(session: &Session, text: &str) {
    let record = LogRecord::new(LogLevel::Information, text);
    assert_eq!(session.log_error(&record), Ok(()));
}

#[test]
fn nothing_is_known_before_the_first_look() {
    let session = open(2);
    report(&session, 1, value(3));
    let observer = Observer::new(session.clone());
    assert_eq!(observer.totals(), Totals::default());
    assert!(Arc::ptr_eq(observer.session(), &session));
}

#[test]
fn the_first_look_tells_every_item_and_the_whole_log() {
    let session = open(3);
    report(&session, 2, status(ItemStatus::Succeeded));
    log(&session, "one");
    log(&session, "two");
    let mut observer = Observer::new(session.clone());
    let first = look(&mut observer);
    assert_eq!(named(&first), ids(3));
    let texts: Vec<_> = first.log().iter().map(|entry| &*entry.text).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(first.phase(), Phase::Open);

    let next = look(&mut observer);
    assert_eq!((named(&next), next.log().len()), (vec![], 0));
    log(&session, "three");
    assert_eq!(look(&mut observer).log()[0].text, "three");
}

#[test]
fn then_a_look_tells_what_is_in_work_or_has_changed() {
    let session = open(3);
    let mut observer = Observer::new(session.clone());
    look(&mut observer);
    report(&session, 1, value(5).max(9));
    for _ in 0..2 {
        assert_eq!(named(&look(&mut observer)), [id(1)], "it is in work");
    }
    assert_eq!((observer.totals().value, observer.totals().max), (5, 9));
    report(&session, 1, status(ItemStatus::Succeeded));
    report(&session, 3, status(ItemStatus::Failed));
    assert_eq!(named(&look(&mut observer)), [id(1), id(3)]);
    assert_eq!(named(&look(&mut observer)), []);
    assert_eq!(observer.totals().finished, 2);
}

#[test]
fn a_value_counts_at_most_its_maximum_and_a_maximum_can_be_taken_back() {
    let session = open(1);
    let mut observer = Observer::new(session.clone());
    let indeterminate = status(ItemStatus::UpdatingIndeterminate);
    for (update, expected) in [
        (indeterminate.value(7), (7, 0)),
        (value(7).max(5), (5, 5)),
        (ProgressUpdate::new().max(0), (7, 0)),
        (value(0).max(10), (0, 10)),
    ] {
        report(&session, 1, update.clone());
        look(&mut observer);
        let totals = observer.totals();
        assert_eq!((totals.value, totals.max), expected, "{update:?}");
    }
}

#[test]
fn sums_that_had_stopped_at_the_limit_come_down_again() {
    let session = driven(3);
    start_round(&session, &ids(3));
    let mut observer = Observer::new(session.clone());
    for n in 1..=3 {
        report(&session, n, value(u64::MAX).max(u64::MAX));
    }
    look(&mut observer);
    assert_eq!(observer.totals().value, u64::MAX);
    for n in 1..=3 {
        report(&session, n, status(ItemStatus::Failed));
    }
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    assert_eq!(session.driver().begin_prepare(&ids(2)), Ok(()));
    report(&session, 1, value(4).max(6));
    look(&mut observer);
    assert_eq!(observer.totals().value, u64::MAX, "the third keeps its own");
    assert_eq!(observer.totals().finished, 1);
}

#[test]
fn items_that_the_first_prepare_leaves_out_are_taken_off_the_sums() {
    let session = driven(3);
    let mut observer = Observer::new(session.clone());
    look(&mut observer);
    assert_eq!(observer.totals().items, 3);
    start_round(&session, &[id(2)]);
    look(&mut observer);
    assert_eq!(observer.totals().items, 1);
}

#[test]
fn a_retry_starts_its_items_anew_in_the_sums() {
    let session = synchronizing(2);
    let mut observer = Observer::new(session.clone());
    for n in 1..=2 {
        report(&session, n, value(8).max(10));
        report(&session, n, status(ItemStatus::Failed));
    }
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    look(&mut observer);
    assert_eq!(
        (observer.totals().value, observer.totals().finished),
        (16, 2)
    );
    start_round(&session, &[id(1)]);
    look(&mut observer);
    assert_eq!(
        (observer.totals().value, observer.totals().finished),
        (8, 1)
    );
}

#[test]
fn items_that_come_while_it_runs_are_told_and_counted() {
    let session = synchronizing(1);
    let mut observer = Observer::new(session.clone());
    look(&mut observer);
    assert_eq!(session.add_item(item(2)), Ok(()));
    assert_eq!(session.propose_item(item(3)), Ok(()));
    assert_eq!(named(&look(&mut observer)), [id(2)]);
    assert_eq!(observer.totals().items, 2);
    assert_eq!(session.commit_item(id(3)), Ok(()));
    assert_eq!(named(&look(&mut observer)), [id(3)]);
    assert_eq!(observer.totals().items, 2, "it takes no part");
    assert_eq!(session.add_item(item(3)), Ok(()));
    assert_eq!(named(&look(&mut observer)), [id(3)]);
    assert_eq!(observer.totals().items, 3);
}

#[test]
fn cancels_and_skips_are_told() {
    let session = synchronizing(3);
    let mut observer = Observer::new(session.clone());
    look(&mut observer);
    assert_eq!(session.cancel_item(id(1)), Ok(()));
    assert_eq!(session.skip_item(id(3)), Ok(()));
    assert_eq!(named(&look(&mut observer)), [id(1), id(3)]);
    session.cancel_all();
    let all = look(&mut observer);
    assert_eq!(named(&all), ids(3));
    let told = |view: &syncmgr::ItemView| view.verdict == Verdict::CancelAll;
    assert!(all.items().iter().all(told), "{:?}", all.items());
}

#[test]
fn a_journal_that_ran_over_is_made_good_by_telling_every_item() {
    let session = Session::builder()
        .items(items(9))
        .journal_capacity(1)
        .build()
        .expect("distinct items build");
    let mut late = Observer::new(session.clone());
    let mut observer = Observer::new(session.clone());
    assert_eq!(named(&look(&mut observer)), ids(9));
    for n in 1..=4 {
        report(&session, n, value(1).max(2));
        report(&session, n, status(ItemStatus::Succeeded));
    }
    assert_eq!(named(&look(&mut observer)), ids(9));
    assert_eq!(observer.totals().finished, 4);
    report(&session, 5, status(ItemStatus::Failed));
    assert_eq!(named(&look(&mut observer)), [id(5)], "one fits");
    report(&session, 6, status(ItemStatus::Failed));
    report(&session, 7, status(ItemStatus::Failed));
    log(&session, "lost nothing");
    let healed = look(&mut observer);
    assert_eq!(named(&healed), ids(9));
    assert_eq!(healed.log().len(), 1);
    let first = look(&mut late);
    assert_eq!((named(&first), first.log().len()), (ids(9), 1));
}

#[test]
fn observers_do_not_take_anything_from_each_other() {
    let session = open(2);
    let (mut often, mut seldom) = (
        Observer::new(session.clone()),
        Observer::new(session.clone()),
    );
    look(&mut seldom);
    report(&session, 1, status(ItemStatus::Succeeded));
    look(&mut often);
    assert_eq!(named(&look(&mut often)), []);
    assert_eq!(named(&look(&mut seldom)), [id(1)]);
}

#[test]
fn the_first_look_waits_for_nothing() {
    let mut observer = Observer::new(open(1));
    let started = Instant::now();
    assert_eq!(named(&observer.wait(LIMIT)), ids(1));
    assert!(started.elapsed() < LIMIT / 2);
}

#[test]
fn a_wait_lasts_its_timeout_where_nothing_happens_and_shows_the_values_then() {
    const FRAME: Duration = Duration::from_millis(20);
    let session = open(2);
    report(&session, 1, value(1));
    let mut observer = Observer::new(session.clone());
    look(&mut observer);
    report(&session, 1, value(2));
    let started = Instant::now();
    let changes = observer.wait(FRAME);
    assert!(started.elapsed() >= FRAME);
    assert_eq!(named(&changes), [id(1)]);
    assert_eq!(observer.totals().value, 2);
}

#[test]
fn a_wait_ends_with_what_happens_and_with_the_end() {
    let session = open(2);
    let (told, news) = mpsc::channel();
    let watched = session.clone();
    let follower = thread::spawn(move || {
        let mut observer = Observer::new(watched);
        loop {
            let changes = observer.wait(Duration::MAX);
            let over = changes.is_over();
            told.send((named(&changes), over))
                .expect("the test listens");
            if over {
                return observer.totals();
            }
        }
    });
    let next = || receive("the next look", &news);
    assert_eq!(next(), (ids(2), false));
    report(&session, 2, status(ItemStatus::Succeeded));
    assert_eq!(next(), (vec![id(2)], false));
    session.driver().release();
    assert_eq!(next(), (vec![], true));
    assert_eq!(join("the follower", follower).finished, 1);
    let mut after = Observer::new(session);
    assert!(after.wait(Duration::MAX).is_over(), "it is over already");
    assert!(after.wait(Duration::MAX).is_over());
}

#[test]
fn looks_beside_a_worker_lead_to_what_the_session_shows_in_the_end() {
    const ITEMS: u128 = 40;
    for journal in [1, 8, 16_384] {
        let session = Session::builder()
            .items(items(ITEMS))
            .journal_capacity(journal)
            .build()
            .expect("distinct items build");
        let watched = session.clone();
        let follower = thread::spawn(move || {
            let mut observer = Observer::new(watched);
            let mut seen = BTreeMap::new();
            loop {
                let changes = observer.refresh();
                for view in changes.items() {
                    seen.insert(view.id, view.clone());
                }
                let value: u64 = seen.values().map(|view| view.value.min(5)).sum();
                let totals = observer.totals();
                assert_eq!((totals.value, totals.items), (value, ITEMS as u64));
                if changes.is_over() {
                    return (seen, totals);
                }
            }
        });
        for n in 1..=ITEMS {
            report(&session, n, value(0).max(5));
            let reporter = session.reporter(id(n)).expect("a known item");
            for step in 1..=5 {
                assert_eq!(reporter.set(step), Ok(Verdict::Continue));
            }
            assert_eq!(reporter.succeed(), Ok(()));
        }
        session.driver().release();
        let (seen, totals) = join("the follower", follower);
        let end = session.snapshot();
        assert_eq!(totals, end.totals);
        assert_eq!(seen.into_values().collect::<Vec<_>>(), end.items);
    }
}

#[test]
fn the_fraction_of_the_sums_is_of_what_told_a_maximum() {
    let session = open(3);
    let mut observer = Observer::new(session.clone());
    let mut fraction = || {
        let _ = observer.refresh();
        observer.totals().fraction()
    };
    assert_eq!(fraction(), None, "nobody told a maximum");
    let report = |n, update: &ProgressUpdate<'_>| {
        assert_eq!(session.progress(id(n), update), Ok(Verdict::Continue));
    };
    report(1, &ProgressUpdate::new().value(500));
    assert_eq!(fraction(), None);
    report(2, &ProgressUpdate::new().value(1).max(6));
    report(3, &ProgressUpdate::new().value(9).max(2));
    assert_eq!(
        fraction(),
        Some(3.0 / 8.0),
        "the first does not count, the third is done"
    );
    report(2, &ProgressUpdate::new().value(6));
    assert_eq!(fraction(), Some(1.0));
    assert_eq!(session.snapshot().totals.fraction(), Some(1.0));
}

#[test]
fn an_observer_prints_its_sums() {
    let mut observer = Observer::new(open(2));
    let _ = observer.refresh();
    let text = format!("{observer:?}");
    for told in ["Observer", "items: 2", "Session"] {
        assert!(text.contains(told), "{told} is missing in {text}");
    }
}
