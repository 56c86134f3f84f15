//! Iterators, readers and writers that report what passes through them.

use std::io::{self, Read, Write};

use super::context::ItemContext;

/// How many bytes [`ItemContext::copy`] copies between two reports.
const COPY_STEP: u64 = 4 << 20;

/// The adapters. Each asks before every step, so that nothing is begun after a cancel, and reports the step when it is done.
impl ItemContext {
    /// Advances the item by what is read. A cancel ends it with an error that wraps
    /// [`Cancelled`](super::Cancelled).
    pub fn wrap_read<R: Read>(&self, reader: R) -> ProgressReader<'_, R> {
        ProgressReader { work: self, reader }
    }

    /// Advances the item by what is written. A cancel ends it with an error that wraps
    /// [`Cancelled`](super::Cancelled).
    pub fn wrap_write<W: Write>(&self, writer: W) -> ProgressWriter<'_, W> {
        ProgressWriter { work: self, writer }
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

/// A reader whose item advances: see [`ItemContext::wrap_read`].
#[derive(Debug)]
pub struct ProgressReader<'a, R> {
    work: &'a ItemContext,
    reader: R,
}

impl<R> ProgressReader<'_, R> {
    /// The reader.
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read> Read for ProgressReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.work.check()?;
        let count = self.reader.read(buffer)?;
        // What was read is not lost: a cancel is told at the next step.
        let _ = self.work.advance(count as u64);
        Ok(count)
    }
}

/// A writer whose item advances: see [`ItemContext::wrap_write`].
#[derive(Debug)]
pub struct ProgressWriter<'a, W> {
    work: &'a ItemContext,
    writer: W,
}

impl<W> ProgressWriter<'_, W> {
    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer
    }
}

impl<W: Write> Write for ProgressWriter<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.work.check()?;
        let count = self.writer.write(buffer)?;
        let _ = self.work.advance(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.work.check()?;
        self.writer.flush()
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
