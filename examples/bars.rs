//! What [`syncmgr::render`] shows: a small job on four items at a time, of a few seconds, with one item that fails, one that
//! the user cancels, and one of which nobody knows how much it is.
//!
//! ```text
//! cargo run --example bars --features indicatif
//! cargo run --example bars --features indicatif 2>&1 | cat     # plain lines: standard error is no terminal
//! ```

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use syncmgr::render::Bars;
use syncmgr::{
    HResult, ItemId, ItemName, ItemReporter, ItemStatus, ProgressUpdate, Session, SyncCallback,
    SyncItem, Verdict,
};

/// One item: its name, and how many parts of 400 KiB it has; none where nobody knows.
type Item = (&'static str, Option<u64>);

const ITEMS: [Item; 12] = [
    ("Contacts", Some(20)),
    ("Photos of a summer that was long ago", Some(60)),
    ("Mail", Some(50)),
    ("Videos", Some(200)),
    ("Search index", None),
    ("写真と音楽", Some(40)),
    ("Calendar", Some(15)),
    ("Notes\x1b[2J with a command to the terminal", Some(30)),
    ("Music", Some(45)),
    ("Documents", Some(35)),
    ("Settings", Some(5)),
    ("Keys", Some(3)),
];
const PART: u64 = 400 << 10;
const FAILS: &str = "Mail";
const CANCELLED: &str = "Videos";

fn id(n: usize) -> ItemId {
    ItemId::from_u128(1 + n as u128)
}

/// The work on one item: ask, report, obey, end.
fn work(item: ItemReporter, (name, parts): Item) -> Result<(), Box<dyn Error>> {
    if item.check()? != Verdict::Continue {
        return Ok(item.skip()?);
    }
    let first = match parts {
        Some(parts) => ProgressUpdate::new().max(parts * PART).text("copying"),
        None => ProgressUpdate::new()
            .status(ItemStatus::UpdatingIndeterminate)
            .text("looking for changes"),
    };
    if item.report(&first)? != Verdict::Continue {
        return Ok(item.stop()?);
    }
    for part in 1..=parts.unwrap_or(50) {
        thread::sleep(Duration::from_millis(25));
        if item.advance(PART)? != Verdict::Continue {
            // What is half done is put away, and that takes a moment.
            thread::sleep(Duration::from_millis(500));
            return Ok(item.stop()?);
        }
        if name == FAILS && part == 20 {
            return Ok(item.fail(&*Box::<dyn Error>::from(
                "the server has closed the mailbox",
            ))?);
        }
    }
    Ok(item.succeed()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let items = ITEMS.iter().enumerate();
    let items = items.map(|(n, (name, _))| SyncItem::new(id(n), ItemName::truncate_start(name)));
    let session = Session::builder().items(items).build()?;

    let shown = Bars::new().bytes().session(&session);
    let queue = Arc::new(Mutex::new(ITEMS.iter().copied().enumerate()));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (session, queue) = (Arc::clone(&session), Arc::clone(&queue));
            thread::spawn(move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((n, item)) = next() {
                    let worked = session.reporter(id(n)).map_err(Into::into);
                    if let Err(error) = worked.and_then(|reporter| work(reporter, item)) {
                        eprintln!("{}: {error}", item.0);
                    }
                }
            })
        })
        .collect();

    thread::sleep(Duration::from_millis(2_500));
    if let Some(n) = ITEMS.iter().position(|(name, _)| *name == CANCELLED) {
        shown.line("Videos: cancelled by the user");
        session.cancel_item(id(n))?;
    }
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    session.synchronize_completed(HResult::S_OK)?;
    shown.finish();
    Ok(())
}
