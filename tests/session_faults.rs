//! Faults around a session: cancels that must not be lost, user code that panics in a drop, callbacks that come late.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use syncmgr::{
    HResult, ItemId, ItemName, ProgressUpdate, Session, SyncCallback, SyncItem, Verdict,
};

const A: ItemId = ItemId::from_u128(1);
const B: ItemId = ItemId::from_u128(2);

type Outcome = Result<(), Box<dyn Error>>;

fn item(id: ItemId) -> Result<SyncItem, Box<dyn Error>> {
    Ok(SyncItem::new(id, ItemName::try_from("an item")?))
}

fn driven(ids: &[ItemId]) -> Result<Arc<Session>, Box<dyn Error>> {
    let mut builder = Session::builder().driven();
    for id in ids {
        builder = builder.item(item(*id)?);
    }
    Ok(builder.build()?)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_cancel_of_an_item_outside_the_round_holds_when_the_handler_adds_it() -> Outcome {
    let session = driven(&[A, B])?;
    session.cancel_item(B)?;
    session.begin_prepare(&[A])?;
    session.add_item(item(B)?)?;
    assert_eq!(
        session.progress(B, &ProgressUpdate::new().value(1))?,
        Verdict::CancelItem
    );
    Ok(())
}

#[test]
fn a_cancel_from_an_earlier_round_holds_until_a_retry_names_the_item() -> Outcome {
    let session = driven(&[A, B])?;
    session.begin_prepare(&[A, B])?;
    session.cancel_item(B)?;
    session.prepare_for_sync_completed(HResult::E_FAIL)?;
    session.begin_prepare(&[A])?;
    session.add_item(item(B)?)?;
    assert_eq!(session.can_continue(Some(B))?, Verdict::CancelItem);
    session.prepare_for_sync_completed(HResult::E_FAIL)?;
    session.begin_prepare(&[B])?;
    assert_eq!(session.can_continue(Some(B))?, Verdict::Continue);
    Ok(())
}

#[test]
fn changes_list_the_items_that_the_first_prepare_leaves_out() -> Outcome {
    let session = driven(&[A, B])?;
    let snapshot = session.snapshot();
    assert!(snapshot.items.iter().all(|view| view.selected));
    session.begin_prepare(&[A])?;
    let changes = session.changes(snapshot.cursor);
    let left = changes.items().iter().find(|view| view.id == B);
    assert_eq!(left.map(|view| view.selected), Some(false));
    Ok(())
}

/// A connection that panics when it is closed.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("the line is cut");
    }
}

#[test]
fn a_connection_that_panics_when_it_closes_keeps_nobody_from_being_woken() -> Outcome {
    let session = Session::builder()
        .item(item(A)?)
        .connector(|_: Option<&str>| Ok(Box::new(Brittle) as Box<dyn Any + Send>))
        .build()?;
    session.establish_connection(None)?;
    let wakes = Arc::new(Wakes::default());
    session.wake_on_cancel(Some(A), &Waker::from(wakes.clone()))?;
    let released = catch_unwind(AssertUnwindSafe(|| session.release()));
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "the waiter sleeps on");
    assert!(released.is_ok(), "the panic of a drop is nobody's here");
    Ok(())
}
