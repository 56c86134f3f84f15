//! Iterators, readers and writers that report what passes through them.

use std::fmt;
use std::io::{self, Read, Write};

use super::cancelled::Cancelled;
use super::context::ItemContext;
use super::shared_context::SharedContext;

/// How many bytes [`ItemContext::copy`] copies between two reports.
const COPY_STEP: u64 = 4 << 20;

/// What a wrapped reader or writer reports to.
trait AdvanceItem {
    fn check(&self) -> Result<(), Cancelled>;
    fn advance(&self, amount: u64) -> Result<(), Cancelled>;
}

impl AdvanceItem for ItemContext {
    fn check(&self) -> Result<(), Cancelled> {
        ItemContext::check(self)
    }

    fn advance(&self, amount: u64) -> Result<(), Cancelled> {
        ItemContext::advance(self, amount)
    }
}

impl AdvanceItem for SharedContext {
    fn check(&self) -> Result<(), Cancelled> {
        SharedContext::check(self)
    }

    fn advance(&self, amount: u64) -> Result<(), Cancelled> {
        SharedContext::advance(self, amount)
    }
}

/// The adapters. Each asks before every step, so that nothing is begun after a cancel, and reports the step when it is done.
impl ItemContext {
    /// Advances the item by what is read. A cancel ends it with an error that wraps
    /// [`Cancelled`](super::Cancelled).
    pub fn wrap_read<R: Read>(&self, reader: R) -> ProgressReader<'_, R> {
        ProgressReader { item: self, reader }
    }

    /// Advances the item by what is written. A cancel ends it with an error that wraps
    /// [`Cancelled`](super::Cancelled).
    pub fn wrap_write<W: Write>(&self, writer: W) -> ProgressWriter<'_, W> {
        ProgressWriter { item: self, writer }
    }

    /// Copies everything from a reader to a writer, and advances the item by what is copied. Returns the number of bytes.
    ///
    /// Use it for files: it copies 4 MiB at a time by [`io::copy`], which on Linux lets the kernel copy from file to file without
    /// passing the content through the program. Asks for the verdict before each step. For other readers and writers, such as
    /// sockets, [`wrap_read`](Self::wrap_read) reports more often.
    ///
    /// # Errors
    ///
    /// Returns the error of the reader or writer, or one that wraps [`Cancelled`](super::Cancelled).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use syncmgr::per_item::{Error, ItemContext};
    ///
    /// fn back_up(item: &ItemContext, name: &str) -> Result<u64, Error> {
    ///     let source = File::open(name)?;
    ///     item.max(source.metadata()?.len())?;
    ///     Ok(item.copy(source, File::create(format!("{name}.bak"))?)?)
    /// }
    /// # let _ = back_up;
    /// ```
    pub fn copy(&self, mut reader: impl Read, mut writer: impl Write) -> io::Result<u64> {
        let mut total: u64 = 0;
        loop {
            self.check()?;
            // A limited `File` is still a file to `io::copy`.
            let copied = io::copy(&mut reader.by_ref().take(COPY_STEP), &mut writer)?;
            // What was copied is not lost: a cancellation is returned by the next step.
            let _ = self.advance(copied);
            total = total.saturating_add(copied);
            if copied < COPY_STEP {
                return Ok(total);
            }
        }
    }

    /// Advances the item by one for each element, when the next one is asked for. A cancel ends the iteration; the item ends
    /// `Stopped` then. Where the iterator knows how many elements it has, that is the maximum.
    ///
    /// ```no_run
    /// # use syncmgr::per_item::{Error, ItemContext};
    /// fn send(work: &ItemContext, letters: &[String]) -> Result<(), Error> {
    ///     for letter in work.wrap_iter(letters) {
    ///         println!("{letter}");
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = send;
    /// ```
    pub fn wrap_iter<I: IntoIterator>(&self, elements: I) -> ProgressIter<'_, I::IntoIter> {
        let elements = elements.into_iter();
        let known = match elements.size_hint() {
            (low, Some(high)) if low == high => u64::try_from(low).ok(),
            _ => None,
        };
        ProgressIter {
            work: self,
            elements,
            max: known,
            open: false,
        }
    }
}

/// The adapters for threads of your own.
impl SharedContext {
    /// Advances the item by what is read: see [`ItemContext::wrap_read`].
    pub fn wrap_read<R: Read>(&self, reader: R) -> ProgressReader<'_, R, Self> {
        ProgressReader { item: self, reader }
    }

    /// Advances the item by what is written: see [`ItemContext::wrap_write`].
    pub fn wrap_write<W: Write>(&self, writer: W) -> ProgressWriter<'_, W, Self> {
        ProgressWriter { item: self, writer }
    }
}

/// A reader whose item advances: see [`ItemContext::wrap_read`]. `C` is the type of the context.
pub struct ProgressReader<'a, R, C = ItemContext> {
    item: &'a C,
    reader: R,
}

impl<R, C> ProgressReader<'_, R, C> {
    /// The reader.
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read, C: AdvanceItem> Read for ProgressReader<'_, R, C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.item.check()?;
        let count = self.reader.read(buffer)?;
        // What was read is not lost: a cancel is told at the next step.
        let _ = self.item.advance(count as u64);
        Ok(count)
    }
}

/// A writer whose item advances: see [`ItemContext::wrap_write`]. `C` is the type of the context.
pub struct ProgressWriter<'a, W, C = ItemContext> {
    item: &'a C,
    writer: W,
}

impl<W, C> ProgressWriter<'_, W, C> {
    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer
    }
}

impl<W: Write, C: AdvanceItem> Write for ProgressWriter<'_, W, C> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.item.check()?;
        let count = self.writer.write(buffer)?;
        let _ = self.item.advance(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.item.check()?;
        self.writer.flush()
    }
}

impl<R: fmt::Debug, C> fmt::Debug for ProgressReader<'_, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProgressReader").field(&self.reader).finish()
    }
}

impl<W: fmt::Debug, C> fmt::Debug for ProgressWriter<'_, W, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProgressWriter").field(&self.writer).finish()
    }
}

/// An iterator whose item advances: see [`ItemContext::wrap_iter`].
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ProgressIter<'a, I> {
    work: &'a ItemContext,
    elements: I,
    /// To be told at the first step.
    max: Option<u64>,
    /// An element is out, and not counted yet.
    open: bool,
}

impl<I: Iterator> Iterator for ProgressIter<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if let Some(max) = self.max.take() {
            self.work.max(max).ok()?;
        }
        let done = u64::from(std::mem::take(&mut self.open));
        if done > 0 {
            self.work.advance(done).ok()?;
        } else {
            self.work.check().ok()?;
        }
        let element = self.elements.next()?;
        self.open = true;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A cancel may end it at any time.
        (0, self.elements.size_hint().1)
    }
}
