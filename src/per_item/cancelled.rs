//! Why work is to end before its end.

use std::error::Error;
use std::io;

use crate::util::text::SOURCES_MOST;
use crate::{CallbackError, Verdict};

/// Why work is to end: a cancel, or a host that takes no more reports. An error, so that `?` carries it out of the work.
///
/// As an [`io::Error`] its kind is [`Other`](io::ErrorKind::Other), not `Cancelled`: at that one the loops of `std`, such as
/// [`io::copy`] and [`Read::read_to_end`](io::Read::read_to_end), try again, and would never end.
///
/// ```
/// use syncmgr::per_item::Cancelled;
///
/// let error = std::io::Error::from(Cancelled::Item);
/// assert_eq!(Cancelled::find(&error), Some(Cancelled::Item));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Cancelled {
    /// The item was cancelled.
    #[error("the item was cancelled; its work is to end")]
    Item,
    /// Everything was cancelled.
    #[error("everything was cancelled; all work is to end")]
    All,
    /// The host took the report for none that it can take: it has let the handler go, or the item has ended.
    #[error("the host takes no more reports of the item: {0}")]
    Refused(CallbackError),
}

impl Cancelled {
    /// Finds it in an error: the error itself, what it wraps, or one of its first 64 sources.
    #[must_use]
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        for _ in 0..=SOURCES_MOST {
            let error = next?;
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            // An I/O error does not name what it wraps as its source, but the source of that.
            let wrapped = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            if let Some(found) = wrapped.and_then(|inner| inner.downcast_ref::<Self>()) {
                return Some(*found);
            }
            next = match wrapped {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }

    /// What an answer of the host means to the work.
    pub(super) const fn of(answer: Result<Verdict, CallbackError>) -> Result<(), Self> {
        match answer {
            Ok(Verdict::Continue) => Ok(()),
            Ok(Verdict::CancelItem) => Err(Self::Item),
            Ok(Verdict::CancelAll) => Err(Self::All),
            Err(error) => Err(Self::Refused(error)),
        }
    }
}

impl From<Cancelled> for io::Error {
    fn from(interrupted: Cancelled) -> Self {
        Self::other(interrupted)
    }
}
