//! The thread that draws.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::frames::Frames;
use crate::util::clock;
use crate::util::follower::{Follower, FollowerEnd, FollowerThread};
use crate::util::sync::Mutex;

/// Lines that wait for a terminal that takes none: as many are kept.
const MOST_LINES: usize = 10_000;

/// A look takes at most one part in so many of a processor's time: the workers need it more.
const SHARE: u32 = 10;

/// A session or a run that is shown, until it is over or this is dropped.
///
/// The thread that draws reads the session and nothing more, and holds none of its locks while it draws: a terminal that is
/// slow, or stands still, holds up no worker and no report. A terminal that answers an error is drawn on no more, and the
/// thread ends; the session does not learn of it.
///
/// Dropping this tells the thread to stop, and waits for nothing. Then the thread draws no more frame, but puts the cursor
/// below the last one, if the process lives so long. A thread that stands in a write to a terminal that takes nothing ends
/// when the terminal takes it or fails; until then it keeps the session's memory, and nothing else.
///
/// Between two frames the cursor stands at the first row. So a program that ends early, by a signal for example, calls
/// [`finish`](Self::finish) before, or what comes next is written over the bars.
///
/// Every method takes `&self`, so threads share it in an [`Arc`]: one that reads input puts lines above the bars, another one
/// finishes.
///
/// ```
/// use std::io::{self, BufRead};
/// use std::sync::Arc;
/// use std::thread;
/// use syncmgr::render::Bars;
/// use syncmgr::{HResult, ItemId, Session, SyncCallback, SyncItem};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
/// let shown = Arc::new(Bars::new().session(&session));
///
/// let (at_input, asked) = (Arc::clone(&shown), Arc::clone(&session));
/// thread::spawn(move || {
///     for line in io::stdin().lock().lines().map_while(Result::ok) {
///         match line.trim() {
///             "q" => asked.cancel_all(),
///             other => at_input.line(format!("{other}: only q is known")),
///         }
///     }
/// }); // it may wait for input until the process ends
///
/// session.reporter(photos)?.succeed()?; // usually on other threads
/// session.synchronize_completed(HResult::S_OK)?;
/// shown.finish();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the show at once"]
pub struct Shown {
    follower: Follower,
    /// Lines to be put above the bars.
    lines: Arc<Mutex<Vec<String>>>,
}

impl Shown {
    pub(super) fn new(frames: Frames, interval: Duration) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let drawn = Arc::clone(&lines);
        // Without a thread nothing is drawn, and it is over.
        let (follower, _) = Follower::spawn("syncmgr-render", move |thread| {
            draw(frames, thread, &drawn, interval);
        });
        Self { follower, lines }
    }

    /// Puts a line above the bars, where it stays: what a program writes to the terminal itself would be drawn over. It
    /// waits for nothing; the line appears with the next frame, and not at all once the session is over or the terminal gone.
    pub fn line(&self, text: impl Into<String>) {
        let text = text.into(); // user code
        let mut lines = self.lines.lock();
        if lines.len() < MOST_LINES {
            lines.push(text);
        }
    }

    /// Whether nothing is drawn any more: the session or run is over and its last frame drawn, or the terminal is gone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.follower.is_over()
    }

    /// Draws the last frame, of what there is now, and waits until it is drawn.
    ///
    /// It does not wait for the session: call it when that is over, or when it is to be shown no longer. It waits as long as the
    /// terminal takes; [`finish_within`](Self::finish_within) does not. Once the last frame is drawn, a further call returns at
    /// once. From the terminal's own code, while it is drawn on, it waits for nothing.
    pub fn finish(&self) {
        _ = self.finish_within(Duration::MAX);
    }

    /// As [`finish`](Self::finish), at most so long. Answers whether the last frame was drawn in that time, or could not be; if
    /// not, it is drawn as soon as the terminal lets it, and a further call waits for it again.
    pub fn finish_within(&self, timeout: Duration) -> bool {
        self.follower.finish_within(timeout)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.follower.end(FollowerEnd::Immediately);
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}

fn draw(
    mut frames: Frames,
    thread: &FollowerThread,
    lines: &Mutex<Vec<String>>,
    interval: Duration,
) {
    let mut next = clock::now();
    loop {
        // Before the look, so that what was reported before a request to end is in the last frame.
        let end = thread.next(Some(next));
        let begun = clock::now();
        let lines = std::mem::take(&mut *lines.lock());
        lines.iter().for_each(|line| frames.line(line));
        match end {
            Some(FollowerEnd::Immediately) => return frames.stop(),
            Some(FollowerEnd::AfterLastRead) => return frames.end(),
            None => {}
        }
        let (goes_on, took) = frames.look_timed(begun);
        if !goes_on {
            return;
        }
        next = begun + interval.max(took * SHARE);
    }
}
