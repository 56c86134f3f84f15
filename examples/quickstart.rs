//! The first program: it copies three files, two at a time, and prints how each of them ended.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! A handler is a list of items and a closure for one of them. `start` in place of `run` returns immediately, with a handle to
//! cancel and to watch it: the example `bars` draws one.

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use syncmgr::per_item;

fn main() -> Result<(), Box<dyn Error>> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let to = tempfile::tempdir()?; // removed at the end

    let files = ["README.md", "CHANGELOG.md", "Cargo.toml"]
        .map(|name| (name, (from.join(name), to.path().join(name))));
    let report = per_item::each(files, |item, (source, target)| {
        item.max(fs::metadata(source)?.len())?; // a cancellation travels by the question marks
        Ok(item.copy(File::open(source)?, File::create(target)?)?)
    })
    .name("Backup")
    .workers(2)
    .run();

    for file in report.entries() {
        println!(
            "{}: {}, {} bytes",
            file.view.name,
            file.view.status,
            file.value.unwrap_or(&0)
        );
    }
    println!("{}", report.counts());
    Ok(())
}
