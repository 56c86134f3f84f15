//! The first program: it copies three files, two at a time, and prints how far they are.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! A handler is a list of items and a function that does one of them. What the function reports goes to a session, which any
//! thread may watch, and cancel: `session.cancel_item(id)` ends one copy at its next read, `session.cancel_all()` all of them.

use std::{error::Error, fs::File, io, path::Path, sync::mpsc, thread, time::Duration};

use syncmgr::per_item::{Handler, from_items};
use syncmgr::{ItemId, Observer, RunOptions, SyncItem, run_handler};

fn main() -> Result<(), Box<dyn Error>> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir()?; // removed at the end
    let to = directory.path().to_owned();

    let mut items = Vec::new();
    for (number, name) in (1..).zip(["README.md", "CHANGELOG.md", "Cargo.toml"]) {
        items.push(SyncItem::new(ItemId::from_u128(number), name.parse()?));
    }
    let copies = from_items(items, move |work| {
        let name = work.item().name.as_str();
        let mut source = File::open(from.join(name))?;
        work.max(source.metadata()?.len())?; // a cancel travels by the question marks
        io::copy(
            &mut work.reading(&mut source),
            &mut File::create(to.join(name))?,
        )?;
        Ok(())
    });
    let handler = Handler::new("Backup".parse()?, copies).workers(2).build();

    // One thread runs the handler, this one watches the session.
    let (sender, session) = mpsc::channel();
    let options = RunOptions::new().on_session(move |session| _ = sender.send(session));
    let run = thread::spawn(move || run_handler(handler, options));

    let mut observer = Observer::new(session.recv()?);
    loop {
        let changes = observer.wait(Duration::from_millis(100));
        for item in changes.items() {
            println!(
                "{}: {}, {} of {} bytes",
                item.name, item.status, item.value, item.max
            );
        }
        if changes.is_over() {
            break;
        }
    }
    let report = run.join().expect("the handler's panics are caught");
    assert!(report.is_success(), "{report:?}");
    Ok(())
}
