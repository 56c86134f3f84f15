//! A directory mirror on the whole [`SyncHandler`](syncmgr::SyncHandler) trait, without
//! [`per_item`](syncmgr::per_item): a model of a handler for which that is not enough.
//!
//! ```text
//! cargo run -p syncmgr-mirror --bin mirror_by_hand -- SOURCE DEST
//! ```
//!
//! It makes each top-level entry of SOURCE an item and copies it into DEST as the program `mirror` does, whose modules it
//! uses: whole files or none, links as links, nothing that is there already. It does less: one thread for an item, the
//! first error ends it, nothing is removed, and nothing is drawn.
//!
//! | file | what it shows |
//! |---|---|
//! | `by_hand/handler.rs` | the handler's side of the contract, with the rule that each step keeps |
//! | `by_hand/crew.rs` | threads of which the last one completes, and a wait until nobody is at work |
//!
//! Exit status: 0 all is done, 1 something failed, 2 bad arguments.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use syncmgr::{HandlerReport, RunOptions, run_handler};
use syncmgr_mirror::by_hand::handler;
use syncmgr_mirror::place;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            if let Some(session) = &report.session {
                for item in session.snapshot().items {
                    println!("{}: {}, {} bytes", item.name, item.status, item.value);
                }
                for entry in session.log() {
                    eprintln!("mirror_by_hand: {}", entry.text);
                }
            }
            ExitCode::from(u8::from(!report.is_success()))
        }
        Err(error) => {
            eprintln!("mirror_by_hand: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<HandlerReport, Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, dest] = paths.as_slice() else {
        return Err(format!(
            "expected SOURCE and DEST, but found {} arguments",
            paths.len()
        )
        .into());
    };
    let mirror = handler::Mirror::new(place::Places::open(source, dest)?, 4)?;
    Ok(run_handler(mirror, RunOptions::new()))
}
