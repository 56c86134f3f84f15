//! Sums that do not fit 64 bits stop at the limit; the share that is done stays right.

use std::sync::Arc;

use support::{id, open, reporter};
use syncmgr::{Observer, ProgressUpdate, Session, Totals};

/// So many items of the largest maximum, each at this value.
fn huge(values: &[u64]) -> Arc<Session> {
    let session = open(values.len() as u128);
    for (n, value) in (1..).zip(values) {
        let update = ProgressUpdate::new().value(*value).max(u64::MAX);
        let verdict = reporter(&session, n).report(&update);
        assert!(verdict.is_ok_and(|verdict| verdict.is_continue()));
    }
    session
}

/// As a snapshot and as an observer sums them up.
fn totals(session: &Arc<Session>) -> Totals {
    let mut observer = Observer::new(session.clone());
    observer.refresh();
    let totals = session.snapshot().totals;
    assert_eq!(observer.totals(), totals);
    totals
}

#[test]
fn the_share_that_is_done_is_right_where_the_sums_exceed_64_bits() {
    const HALF: u64 = u64::MAX / 2;
    let cases: [(&[u64], f64); 6] = [
        (&[u64::MAX, 0], 0.5),
        (&[HALF, HALF, HALF], 0.5),
        (&[0, 0, 0, u64::MAX], 0.25),
        (&[1, 1], 0.0),
        (&[u64::MAX; 5], 1.0),
        (&[HALF], 0.5),
    ];
    for (values, share) in cases {
        let totals = totals(&huge(values));
        assert_eq!(totals.max, u64::MAX);
        let fraction = totals.fraction().expect("maxima were told");
        assert!((fraction - share).abs() < 1e-9, "{fraction} of {values:?}");
    }
}

#[test]
fn sums_that_come_back_below_the_limit_are_exact_again() {
    let session = huge(&[u64::MAX, u64::MAX]);
    let mut observer = Observer::new(session.clone());
    observer.refresh();
    assert_eq!(observer.totals().value, u64::MAX);
    let small = ProgressUpdate::new().value(3).max(4);
    let _ = reporter(&session, 1).report(&small).expect("it is open");
    let _ = reporter(&session, 2).report(&small).expect("it is open");
    observer.refresh();
    let totals = observer.totals();
    assert_eq!((totals.value, totals.max, totals.measured), (6, 8, 6));
    assert_eq!(session.item(id(1)).map(|view| view.max), Some(4));
}
