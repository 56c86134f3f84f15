//! How a reporter is had from a session, and what reporters of one item share.

use std::sync::Arc;

use syncmgr::{CallbackError, ItemReporter, SyncCallback};

use support::{Stage, id, open};

#[test]
fn a_released_session_gives_no_reporter() {
    for stage in Stage::ALL {
        let session = stage.session(1);
        session.driver().release();
        for n in [1, 9] {
            assert_eq!(
                session.reporter(id(n)).err(),
                Some(CallbackError::Released),
                "item {n}, {stage:?} and released"
            );
        }
    }
}

#[test]
fn reporters_on_a_session_behind_a_pointer_share_the_value_of_the_item() {
    let session = open(1);
    let callback: Arc<dyn SyncCallback> = session.clone();
    for total in 1..=4 {
        let reporter = ItemReporter::new(&callback, id(1));
        assert!(reporter.advance(1).is_ok());
        assert_eq!(session.item(id(1)).map(|view| view.value), Some(total));
    }
}
