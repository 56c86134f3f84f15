//! What counts as a sign of life of the handler: each call that it makes, and each value that changes.

use std::sync::Arc;

use syncmgr::{ItemReporter, ItemStatus, ProgressUpdate, Session, Verdict};

use support::{reporter, status, synchronizing};

/// Items in work, none of which has given a sign of life since it was asked last.
fn in_work(n: u128) -> (Arc<Session>, Vec<ItemReporter>) {
    let session = synchronizing(n);
    let reporters: Vec<_> = (1..=n).map(|n| reporter(&session, n)).collect();
    for reporter in &reporters {
        assert_eq!(reporter.set(0), Ok(Verdict::Continue));
    }
    assert!(session.driver().take_activity(), "the first values");
    assert!(!session.driver().take_activity(), "each sign is taken once");
    (session, reporters)
}

#[test]
fn each_change_of_a_value_is_a_sign_of_life_whichever_item_it_is() {
    let (session, reporters) = in_work(3);
    let counted = 1..=100;
    let far_apart = (0..64).flat_map(|bit| [1 << bit, 0]);
    for value in counted.chain([0]).chain(far_apart) {
        for (place, reporter) in reporters.iter().enumerate() {
            assert_eq!(reporter.set(value), Ok(Verdict::Continue));
            assert!(
                session.driver().take_activity(),
                "{value} of reporter {place}"
            );
            assert!(
                !session.driver().take_activity(),
                "{value} of reporter {place}"
            );
        }
    }
}

#[test]
fn reports_that_change_nothing_are_signs_of_life_however_many_they_are() {
    let updates = [
        ProgressUpdate::CHECK,
        status(ItemStatus::Updating),
        ProgressUpdate::new().text("still here"),
    ];
    for update in updates {
        for times in 1..=4 {
            let (session, reporters) = in_work(1);
            for _ in 0..times {
                assert_eq!(reporters[0].report(&update), Ok(Verdict::Continue));
            }
            assert!(session.driver().take_activity(), "{update:?} {times} times");
            assert!(
                !session.driver().take_activity(),
                "{update:?} {times} times"
            );
        }
    }
}

#[test]
fn a_value_that_is_told_again_is_silence() {
    let (session, reporters) = in_work(1);
    assert_eq!(reporters[0].set(0), Ok(Verdict::Continue));
    assert!(!session.driver().take_activity());
}
