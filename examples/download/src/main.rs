//! Downloads many files with tokio, eight at a time, from a server that it starts itself on loopback: an async handler by
//! `syncmgr::per_item`, run by a `SyncManager`, and followed as a stream.
//!
//! One of the files never comes: its download hangs in a read, and is cancelled when the others are done, which ends it at
//! once. Another one is missing, and its download fails.
//!
//! ```text
//! cargo run -p syncmgr-download
//! ```

mod fetch;
mod server;
#[cfg(test)]
mod tests;

use std::path::Path;

use syncmgr::{HandlerId, ItemStatus, Registration, RunReport, SyncManager};
use tokio::runtime::Handle;
use tokio_stream::StreamExt;

use fetch::Downloads;

const DOWNLOADS: HandlerId = HandlerId::from_u128(0x7f0c_5a1e_9d5b_4c0e_8a11_64d2_b9a7_3c01);
const FILES: usize = 30;

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let report = download(directory.path(), FILES).await?;
    let count = |status| {
        report
            .items()
            .filter(|(_, item)| item.status == status)
            .count()
    };
    println!(
        "{} downloaded, {} cancelled, {} failed",
        count(ItemStatus::Succeeded),
        count(ItemStatus::Stopped),
        count(ItemStatus::Failed),
    );
    Ok(())
}

/// Downloads so many files, the one that never comes, and the one that is not there.
async fn download(directory: &Path, files: usize) -> Result<RunReport, Error> {
    let address = server::start().await?;
    let names = server::names(files);
    let (runtime, directory) = (Handle::current(), directory.to_owned());
    let manager = SyncManager::new();
    manager.register(DOWNLOADS, Registration::new(), move || {
        let source = Downloads {
            server: address,
            names: names.clone(),
            directory: directory.clone(),
        };
        fetch::handler(source, runtime.clone(), 8)
    })?;

    let run = manager.update_all(); // returns at once
    let mut observer = run.observe();
    while let Some(changes) = observer.next().await {
        for item in changes
            .sessions
            .iter()
            .flat_map(|(_, changes)| changes.items())
        {
            match item.status {
                ItemStatus::Failed => println!("failed     {}: {}", item.name, item.text),
                status if status.is_final() => println!("{status:<10} {}", item.name),
                _ => {}
            }
        }
        let totals = changes.progress.totals;
        if totals.items > 0 && totals.finished + 1 == totals.items {
            run.cancel_item(DOWNLOADS, fetch::id(server::STALLED))?;
        }
    }
    Ok(run.finished().await)
}
