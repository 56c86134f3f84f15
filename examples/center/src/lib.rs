//! The handlers of the sync centre. The program around them, which hosts them under one
//! [`SyncManager`](syncmgr::SyncManager), is `main.rs`.
//!
//! | file | what it is |
//! |---|---|
//! | `pull` | brings the files of a list from another directory, each by its checksum |
//! | `list` | the list: lines as `sha256sum` writes them |
//! | `flaky` | fails on purpose, and shows what becomes of errors, retries and cancels |
//! | `broken` | what stands in for a handler that cannot be made |
//! | `each`, `task` | what a handler of independent items owes its host: `pull` and `flaky` stand on it |
//! | all others | the directory mirror of `examples/mirror`, from its own files; `crew` is that of `examples/mirror_by_hand` |

pub mod broken;
pub mod each;
pub mod flaky;
pub mod list;
pub mod pull;
pub mod task;

macro_rules! parts_of_the_mirrors {
    ($($path:literal $name:ident)*) => {
        $(
            #[path = $path]
            #[allow(clippy::collapsible_if, reason = "the mirror keeps to Rust 1.85, which has no `if let` chains")]
            pub mod $name;
        )*
    };
}

parts_of_the_mirrors! {
    "../../mirror/copy.rs" copy
    "../../mirror/dir.rs" dir
    "../../mirror/fault.rs" fault
    "../../mirror/folder.rs" folder
    "../../mirror/handler.rs" handler
    "../../mirror/hands.rs" hands
    "../../mirror/job.rs" job
    "../../mirror/place.rs" place
    "../../mirror/remove.rs" remove
    "../../mirror/show.rs" show
    "../../mirror/temp.rs" temp
    "../../mirror/work.rs" work
    "../../mirror_by_hand/crew.rs" crew
}
