//! The screen and the keyboard: draws at most twenty times a second, and only what has changed.

use std::io;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::app::{App, Ended};
use crate::draw::{Scroll, draw};

/// Between two frames at least, and between two looks at what the handlers do.
const FRAME: Duration = Duration::from_millis(50);
/// Between two looks while no run goes on.
const IDLE: Duration = Duration::from_millis(250);

/// Shows the centre until the user quits.
pub fn show(app: &mut App) -> io::Result<Ended> {
    let mut terminal = ratatui::try_init()?;
    let ended = follow(&mut terminal, app);
    ratatui::restore();
    ended
}

fn follow(terminal: &mut DefaultTerminal, app: &mut App) -> io::Result<Ended> {
    let mut scroll = Scroll::default();
    let mut next_frame = Instant::now();
    loop {
        if let Some(ended) = app.tick() {
            return Ok(ended);
        }
        if app.dirty {
            app.dirty = false;
            next_frame = Instant::now() + FRAME;
            terminal.draw(|frame| draw(frame, app, &mut scroll))?;
        }
        let look = if app.runs.is_active() { FRAME } else { IDLE };
        let next_look = Instant::now() + look;
        // A key is answered by a frame at once, unless the last one is too near.
        loop {
            let until = if app.dirty { next_frame } else { next_look };
            let wait = until.saturating_duration_since(Instant::now());
            if !event::poll(wait)? {
                break;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if let Some(ended) = app.key(key) {
                        return Ok(ended);
                    }
                }
                Event::Resize(..) => app.dirty = true,
                _ => {}
            }
        }
    }
}
