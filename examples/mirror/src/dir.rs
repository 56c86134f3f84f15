//! Directories as handles: everything under a source or a destination is reached by one name at a time from an open
//! directory, and no step follows a symbolic link.
//!
//! On Unix the handle is a file descriptor and each step an `…at` system call with "do not follow". What is
//! guaranteed there: even if somebody swaps a directory for a symbolic link while the mirror runs, it does not
//! read or write through that link. A directory that is moved elsewhere while the mirror has it open is still the same
//! directory, so what goes into it moves along.
//!
//! Elsewhere (`dir/portable.rs`) the handle is a path, checked before each step: a swap between check and step
//! goes unseen, and there are no locks.

#[cfg(unix)]
#[path = "dir/unix.rs"]
mod system;

#[cfg(not(unix))]
#[path = "dir/portable.rs"]
mod system;

pub use system::{Dir, follow, keep, meta};

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dir,
    File,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Special,
}

/// What the mirror wants to know of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub kind: Kind,
    pub size: u64,
    pub modified: Stamp,
    pub accessed: Stamp,
    /// The permission bits; where there are none, whether it may be written.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// File system and number: the same for two names of one file. Zeros where there is no such thing.
    pub id: (u64, u64),
}

/// A time, in seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub seconds: i64,
    pub nanos: u32,
}

impl Meta {
    /// Whether two looks at a file show the same content, as far as size and time tell.
    pub fn same_content(&self, other: &Self) -> bool {
        self.kind == other.kind && self.size == other.size && self.modified == other.modified
    }
}

/// The answer to asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code))]
pub enum Lock {
    Taken,
    /// Somebody else has it.
    Busy,
    /// There are no locks here.
    Unknown,
}
