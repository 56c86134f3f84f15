//! `FILETIME`: 100-nanosecond ticks since 1601-01-01 UTC.

use std::time::{Duration, SystemTime};

/// The tick of the Unix epoch, 1970-01-01 UTC.
const UNIX_EPOCH_TICK: u64 = 116_444_736_000_000_000;
const TICKS_PER_SECOND: u64 = 10_000_000;
const NANOS_PER_TICK: u32 = 100;

/// Converts a time to `FILETIME` ticks: 100 nanoseconds each, since 1601-01-01 UTC.
///
/// What is finer than a tick is dropped towards the past, before the Unix epoch as after it, so the
/// result never lies after `time` and keeps its order. `None` if the time is before 1601 or past
/// tick `u64::MAX` (the year 60056). Windows itself refuses most uses of ticks above `i64::MAX`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use syncmgr::raw::{from_filetime, to_filetime};
///
/// let epoch = SystemTime::UNIX_EPOCH;
/// assert_eq!(to_filetime(epoch), Some(116_444_736_000_000_000));
/// assert_eq!(from_filetime(116_444_736_000_000_001), Some(epoch + Duration::from_nanos(100)));
/// ```
#[must_use]
#[doc(alias = "FILETIME")]
pub fn to_filetime(time: SystemTime) -> Option<u64> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => {
            let ticks = after.as_nanos() / u128::from(NANOS_PER_TICK);
            UNIX_EPOCH_TICK.checked_add(u64::try_from(ticks).ok()?)
        }
        Err(before) => {
            let ticks = before
                .duration()
                .as_nanos()
                .div_ceil(u128::from(NANOS_PER_TICK));
            UNIX_EPOCH_TICK.checked_sub(u64::try_from(ticks).ok()?)
        }
    }
}

/// Converts `FILETIME` ticks to a time, exactly.
///
/// `None` if the platform's [`SystemTime`] cannot hold it; on Windows that begins above tick
/// `i64::MAX`. See [`to_filetime`] for an example.
#[must_use]
#[doc(alias = "FILETIME")]
pub fn from_filetime(ticks: u64) -> Option<SystemTime> {
    match ticks.checked_sub(UNIX_EPOCH_TICK) {
        Some(after) => SystemTime::UNIX_EPOCH.checked_add(span(after)),
        None => SystemTime::UNIX_EPOCH.checked_sub(span(UNIX_EPOCH_TICK - ticks)),
    }
}

fn span(ticks: u64) -> Duration {
    // The remainder is below ten million, so a hundred times it is below one second's nanoseconds.
    let nanos = (ticks % TICKS_PER_SECOND) as u32 * NANOS_PER_TICK;
    Duration::new(ticks / TICKS_PER_SECOND, nanos)
}
