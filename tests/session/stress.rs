//! What a model checker cannot reach: real threads, many reports.
//!
//! Four writers, one canceller and one reader, 10^7 reports in all. No last value is lost, and no report that happens
//! after a cancel is answered `Continue`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use syncmgr::{Cursor, ItemId, ItemName, ItemStatus, Session, SyncItem, Verdict};

const WRITERS: u128 = 4;
const REPORTS: u64 = 10_000_000;
/// At least so many cancels of each writer.
const ROUNDS: u64 = 200;
/// How many reports a writer makes after it was told of the cancel: each must be told again.
const AFTER: u64 = 500;

fn id(n: u128) -> ItemId {
    ItemId::from_u128(n)
}

fn session() -> Arc<Session> {
    let items = (1..=WRITERS).map(|n| SyncItem::new(id(n), ItemName::truncate_start("item")));
    let session = Session::builder().items(items).build();
    session.expect("the ids are distinct")
}

#[test]
fn ten_million_reports_lose_no_last_value_and_miss_no_cancel() {
    let (mut reports, mut round) = (0, 0_u64);
    while reports < REPORTS || round < ROUNDS {
        round += 1;
        let session = session();
        // A writer tells how far it is, so that cancels come at all points of the round.
        let reached: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        // The value that the canceller puts here after the cancel has returned.
        let cancelled: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        let (last, seen) = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|n| {
                    let (session, reached) = (&session, &reached[n as usize]);
                    let cancelled = &cancelled[n as usize];
                    scope.spawn(move || {
                        let reporter = session.reporter(id(n + 1)).expect("known");
                        let (mut value, mut told) = (0, 0);
                        while told < AFTER {
                            value += 1;
                            // With the Release after the cancel: what follows happens after its return.
                            let before = cancelled.load(Ordering::Acquire) == 1;
                            let verdict = reporter.set(value).expect("the item is open");
                            if before {
                                assert_eq!(
                                    verdict,
                                    Verdict::CancelItem,
                                    "round {round}, value {value}"
                                );
                            }
                            assert!(told == 0 || verdict == Verdict::CancelItem);
                            told += u64::from(verdict == Verdict::CancelItem);
                            reached.store(value, Ordering::Relaxed);
                        }
                        reporter.stop().expect("the item is open");
                        value
                    })
                })
                .collect();
            scope.spawn(|| {
                for n in 0..WRITERS as usize {
                    // Another point in each round; the writers go on until they are cancelled, so this ends.
                    let point = (round * 7919 + n as u64 * 613) % 5_000;
                    while reached[n].load(Ordering::Relaxed) < point {
                        thread::yield_now();
                    }
                    session.cancel_item(id(n as u128 + 1)).expect("known");
                    cancelled[n].store(1, Ordering::Release);
                }
            });
            let reader = scope.spawn(|| {
                // From the beginning: nothing that the writers did before this thread ran is left out.
                let mut cursor = Cursor::default();
                let mut values = vec![0; WRITERS as usize];
                // An item can be listed as stopped twice: as it ends, and by the entry of its end.
                let mut stopped = [false; WRITERS as usize];
                while stopped.contains(&false) {
                    let changes = session.wait_for_change(cursor, Duration::from_millis(1));
                    assert!(changes.is_complete());
                    for view in changes.items() {
                        let place = (1..=WRITERS).position(|n| id(n) == view.id);
                        let place = place.expect("known");
                        let kept = &mut values[place];
                        assert!(*kept <= view.value, "a value went back");
                        *kept = view.value;
                        stopped[place] |= view.status == ItemStatus::Stopped;
                    }
                    cursor = changes.cursor();
                }
                values
            });
            let last: Vec<_> = writers
                .into_iter()
                .map(|writer| writer.join().expect("no writer panics"))
                .collect();
            (last, reader.join().expect("the reader does not panic"))
        });
        assert_eq!(last, seen, "a last value is lost in round {round}");
        reports += last.iter().sum::<u64>();
    }
    println!("{reports} reports in {round} rounds");
}
