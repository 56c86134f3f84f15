//! The first program: it copies three files, two at a time, and prints what became of each.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! A handler is a list of items and a function that does one of them. What the function reports goes to a session, which any
//! thread may watch, and cancel: `RunOptions::on_session` hands it out, and the example `bars` draws one.

use std::{error::Error, fs::File, io, path::Path};

use syncmgr::per_item::{HandlerBuilder, from_items};
use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};

fn main() -> Result<(), Box<dyn Error>> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir()?; // removed at the end
    let to = directory.path().to_owned();

    let mut items = Vec::new();
    for (number, name) in (1..).zip(["README.md", "CHANGELOG.md", "Cargo.toml"]) {
        items.push(SyncItem::new(ItemId::from_u128(number), name.parse()?));
    }
    let copies = from_items(items, move |item| {
        let name = item.item().name.as_str();
        let source = File::open(from.join(name))?;
        item.max(source.metadata()?.len())?; // a cancel travels by the question marks
        io::copy(
            &mut item.wrap_read(source),
            &mut File::create(to.join(name))?,
        )?;
        Ok(())
    });
    let handler = HandlerBuilder::new("Backup".parse()?, copies)
        .workers(2)
        .build();

    let report = run_handler(handler, RunOptions::new());
    for item in report.items() {
        println!(
            "{}: {}, {} of {} bytes",
            item.name, item.status, item.value, item.max
        );
    }
    Ok(())
}
