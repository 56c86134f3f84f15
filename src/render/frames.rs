//! Frame by frame.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use super::frame::Frame;
use super::plain::Plain;
use super::rate::Rate;
use super::row::{RowStyle, Widest};
use super::seats::{RowSeats, is_in_work};
use super::source::{HandlerNames, Key, RenderEvent, Standing, look};
use super::tally::{ItemTally, SeenItem};
use super::text::clean;
use crate::manager::source::SourceObserver;
use crate::util::clock;
use crate::{HandlerId, ItemStatus, ItemView};

/// Draws one frame each time it is asked to, on the thread that asks.
///
/// [`Bars::session`](super::Bars::session) and [`Bars::run`](super::Bars::run) do that on a thread of their own; this is for
/// a program that has a loop already, and for tests, which say what time it is.
///
/// ```
/// use std::time::{Duration, Instant};
/// use syncmgr::render::Bars;
/// use syncmgr::{ItemId, ProgressUpdate, Session, SyncItem};
///
/// let photos = ItemId::from_u128(1);
/// let session = Session::builder().item(SyncItem::new(photos, "Photos".parse()?)).build()?;
/// let mut frames = Bars::new().plain_to(std::io::stderr()).session_frames(&session);
///
/// let begin = Instant::now();
/// frames.look_at(begin);
/// session.reporter(photos)?.report(&ProgressUpdate::new().max(200).value(50))?;
/// assert!(!frames.look_at(begin + Duration::from_millis(50)), "it is not over");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Between two frames the cursor stands at the first row. Dropping this puts it below the last one, and draws nothing more.
#[derive(Debug)]
#[must_use = "nothing is shown before `look` is called"]
pub struct Frames {
    source: SourceObserver,
    handlers: HandlerNames,
    tally: ItemTally,
    screen: Screen,
    look: RowStyle,
    widest: Widest,
    /// Of all items.
    rate: Rate,
    standing: Standing,
    /// The last error that each handler has logged for no item.
    said: HashMap<HandlerId, String>,
    is_ended: bool,
}

#[derive(Debug)]
pub(super) enum Screen {
    Bars {
        frame: Frame,
        seats: RowSeats,
        /// At most so many rows for items.
        rows: usize,
        /// Lines to be put above the frame, for good.
        kept: Vec<String>,
    },
    Plain(Plain),
}

/// Rows of the terminal that are not for items: what is typed after the end, the total, and how many more are in work.
const RESERVED: usize = 3;

impl Frames {
    pub(super) fn new(
        source: SourceObserver,
        mut handlers: HandlerNames,
        screen: Screen,
        look: RowStyle,
    ) -> Self {
        handlers.of(&source);
        Self {
            source,
            handlers,
            tally: ItemTally::default(),
            screen,
            look,
            widest: Widest::default(),
            rate: Rate::default(),
            standing: Standing::default(),
            said: HashMap::new(),
            is_ended: false,
        }
    }

    /// Looks, and draws what is new. Answers whether it is over: the session or run is, and its last frame is drawn, or the
    /// terminal is gone, so that nothing can be drawn any more.
    pub fn look(&mut self) -> bool {
        self.look_at(clock::now())
    }

    /// As [`look`](Self::look), at this time: rates and times left are computed from the times of the looks.
    pub fn look_at(&mut self, now: Instant) -> bool {
        !self.look_timed(now).0
    }

    /// Whether there is more to come, and how long the look took, without the drawing.
    pub(super) fn look_timed(&mut self, now: Instant) -> (bool, Duration) {
        if self.is_ended {
            return (false, Duration::ZERO);
        }
        let begun = clock::now();
        self.gather(now);
        let took = clock::elapsed(begun);
        let over = self.standing.over;
        let drawn = self.draw(now);
        if drawn.is_err() || over {
            self.is_ended = true;
        }
        if over && drawn.is_ok() {
            // A terminal that goes away now has nothing more to show.
            _ = self.leave(now);
        }
        (!self.is_ended, took)
    }

    /// Looks once more, draws the last frame, and leaves it on the screen with the cursor below it. For a session that is not
    /// over; where [`look`](Self::look) has answered true it does nothing.
    pub fn end(&mut self) {
        self.end_at(clock::now());
    }

    pub(super) fn end_at(&mut self, now: Instant) {
        if !self.look_at(now) {
            self.is_ended = true;
            _ = self.leave(now);
        }
    }

    /// Leaves what is on the screen, with the cursor below it.
    pub(super) fn stop(&mut self) {
        if self.is_ended {
            return;
        }
        self.is_ended = true;
        if let Screen::Bars { frame, .. } = &mut self.screen {
            _ = frame.end();
        }
    }

    /// Puts a line above the bars, where it stays; it is drawn with the next frame, and not at all where there is none any
    /// more. Control characters do not reach the terminal.
    pub fn line(&mut self, text: impl Into<String>) {
        if self.is_ended {
            return;
        }
        let text = clean(&text.into());
        match &mut self.screen {
            Screen::Bars { kept, .. } => kept.push(text),
            Screen::Plain(plain) => plain.line(&text),
        }
    }

    fn gather(&mut self, now: Instant) {
        if let Screen::Bars {
            frame, seats, rows, ..
        } = &mut self.screen
        {
            let room = frame.size().rows.saturating_sub(RESERVED);
            seats.begin(room.min(*rows), now);
        }
        let Self {
            source,
            handlers,
            tally,
            screen,
            said,
            ..
        } = self;
        let mut begun = 0.0;
        self.standing = look(source, |news| match news {
            RenderEvent::Error(handler, entry) => {
                let Some(item) = entry.item else {
                    let text = clean(&entry.text);
                    screen.line(match handler == HandlerId::NIL {
                        true => format!("error: {text}"),
                        false => format!("{}: error: {text}", handlers.name(handler)),
                    });
                    said.insert(handler, text);
                    return;
                };
                if let Some(late) = tally.error((handler, item), entry) {
                    screen.late((handler, item), &late);
                }
            }
            RenderEvent::Item(key, view, before) => {
                let seen = tally.see(key, view, before);
                if is_in_work(view.status) && view.status != ItemStatus::UpdatingIndeterminate {
                    begun += view.fraction().unwrap_or_default();
                }
                let reason = match seen {
                    SeenItem::Ended => tally.reason(key, view),
                    _ => None,
                };
                screen.item(key, view, seen, reason, handlers);
            }
            RenderEvent::Ended(handler, wrong) => {
                if let Screen::Bars { seats, .. } = screen {
                    seats.abandon(Some(handler));
                }
                if let Some((wrong, failed)) = wrong {
                    tally.handlers_failed += u64::from(failed);
                    let wrong = clean(&wrong);
                    // What ends a run early stands in its log too.
                    if said.remove(&handler).is_none_or(|said| said != wrong) {
                        let name = handlers.name(handler);
                        let word = if failed { " failed" } else { "" };
                        screen.line(format!("{name}{word}: {wrong}"));
                    }
                }
            }
        });
        if let Screen::Bars { seats, kept, .. } = screen {
            if self.standing.over {
                seats.abandon(None);
            }
            for seat in seats.end() {
                kept.push(match seat.text.as_str() {
                    "" => format!("{}  failed", seat.name),
                    text => format!("{}  failed: {text}", seat.name),
                });
            }
        }
        self.standing.begun = begun;
        self.rate.see(now, self.standing.totals.value);
    }

    fn draw(&mut self, now: Instant) -> io::Result<()> {
        let Self {
            tally,
            screen,
            look,
            widest,
            rate,
            standing,
            ..
        } = self;
        match screen {
            Screen::Plain(plain) => plain.look(standing, tally, rate, look.unit, now),
            Screen::Bars {
                frame, seats, kept, ..
            } => {
                let size = frame.size();
                let room = size.room();
                let items = seats.seats().iter();
                items.clone().for_each(|seat| widest.see(seat));
                let row = |seat| look.item(seat, room, *widest, now);
                let mut rows: Vec<String> = items.map(row).collect();
                rows.extend(look.hidden(seats.hidden(), room));
                rows.push(look.total(standing, tally, rate, room));
                let drawn = frame.draw(rows, kept, size);
                kept.clear();
                drawn
            }
        }
    }

    fn leave(&mut self, now: Instant) -> io::Result<()> {
        match &mut self.screen {
            Screen::Bars { frame, .. } => frame.end(),
            Screen::Plain(plain) => plain.end(&self.standing, &self.tally, now),
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // A panic may be that of the terminal's code.
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

impl Screen {
    fn line(&mut self, text: String) {
        match self {
            Self::Bars { kept, .. } => kept.push(text),
            Self::Plain(plain) => plain.line(&text),
        }
    }

    /// An error was logged for an item after it had failed.
    fn late(&mut self, key: Key, text: &str) {
        match self {
            Self::Bars { seats, .. } => seats.set_reason(key, text),
            Self::Plain(plain) => plain.late(key, text),
        }
    }

    fn item(
        &mut self,
        key: Key,
        view: &ItemView,
        seen: SeenItem,
        reason: Option<String>,
        handlers: &HandlerNames,
    ) {
        match (self, seen) {
            (_, SeenItem::Before) => {}
            (Self::Bars { seats, .. }, SeenItem::Apart) => seats.leave(key),
            (Self::Bars { seats, .. }, _) => {
                seats.see(key, view, || handlers.item(key, view), reason);
            }
            (Self::Plain(plain), SeenItem::Ended) => {
                plain.ended(key, handlers.item(key, view), view, reason);
            }
            (Self::Plain(_), _) => {}
        }
    }
}
