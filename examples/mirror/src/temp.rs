//! The names of files that are being written.
//!
//! A file is written beside its place under the name `.STEM.syncmgr-RRRRRRRRCCCCCCCC.part` and
//! renamed when it is whole. `STEM` is the name of the file, cut so that the whole fits the 255 bytes of a
//! name; `R` are eight random hexadecimal digits, `C` eight more: a checksum of the stem and `R`.
//!
//! So a name of this kind was made here and not by a person, who would have to compute the checksum: a file
//! that merely looks similar (`.a.syncmgr-0123456789abcdef.part`) is never taken for a leftover.
//! A leftover is also not in the source, is a file or a link, and stands in a directory that no other mirror has locked
//! ([`Dir::lock`](crate::dir::Dir)).

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

const MARK: &str = ".syncmgr-";
const END: &str = ".part";
/// Hexadecimal digits between the two.
const DIGITS: usize = 16;
/// The longest name that all usual file systems take.
const LONGEST: usize = 255;
const AROUND: usize = 1 + MARK.len() + DIGITS + END.len();

/// Makes names that no other call of this process makes, and most likely no other process.
#[derive(Debug, Default)]
pub struct Namer {
    seed: RandomState,
    count: AtomicU32,
}

impl Namer {
    pub fn new() -> Self {
        Self::default()
    }

    /// A temporary name for the file of this name. Ask again if it exists.
    pub fn name(&self, file: &OsStr) -> OsString {
        // Relaxed: only that no two calls get the same number matters.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let random = self.seed.hash_one(count) as u32;
        let stem = cut(file, LONGEST - AROUND);
        let mut name = OsString::with_capacity(AROUND + stem.len());
        name.push(".");
        name.push(stem);
        name.push(MARK);
        name.push(format!("{random:08x}{:08x}", checksum(stem, random)));
        name.push(END);
        name
    }
}

/// Whether the name was made by a [`Namer`].
pub fn is_ours(name: &OsStr) -> bool {
    fn parse(name: &[u8]) -> Option<(&[u8], u32, u32)> {
        let rest = name.strip_prefix(b".")?.strip_suffix(END.as_bytes())?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let stem = rest.strip_suffix(MARK.as_bytes())?;
        // `from_str_radix` would take a sign and capital letters.
        if !digits
            .iter()
            .all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        let (random, sum) = std::str::from_utf8(digits).ok()?.split_at(DIGITS / 2);
        let number = |digits| u32::from_str_radix(digits, 16).ok();
        Some((stem, number(random)?, number(sum)?))
    }
    parse(name.as_encoded_bytes())
        .is_some_and(|(stem, random, sum)| checksum_of(stem, random) == sum)
}

fn checksum(stem: &OsStr, random: u32) -> u32 {
    checksum_of(stem.as_encoded_bytes(), random)
}

/// FNV-1a over the stem and the random number. It guards against chance, not against malice.
fn checksum_of(stem: &[u8], random: u32) -> u32 {
    stem.iter()
        .chain(&random.to_le_bytes())
        .fold(0x811c_9dc5, |sum, byte| {
            (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
}

/// The beginning of the name, at most `most` bytes of it; a character is not split.
#[cfg(unix)]
fn cut(name: &OsStr, most: usize) -> &OsStr {
    use std::os::unix::ffi::OsStrExt;
    let bytes = name.as_bytes();
    if bytes.len() <= most {
        return name;
    }
    let mut end = most;
    // Some file systems refuse half a character. In UTF-8 one has at most three bytes like this after its first.
    while end > most - 3 && bytes[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    OsStr::from_bytes(&bytes[..end])
}

/// Elsewhere the bytes of a name cannot be cut without unsafe code: a name too long gets none of its own.
#[cfg(not(unix))]
fn cut(name: &OsStr, most: usize) -> &OsStr {
    if name.len() <= most {
        name
    } else {
        OsStr::new("long")
    }
}
