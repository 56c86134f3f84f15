//! The screen: the handlers with their items, the log, the sums, a message, the keys.
//!
//! Every line is made for the columns that there are; what does not fit is left out or cut, from the least important on.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use syncmgr::{ItemStatus, ItemView, Phase};
use syncmgr_mirror::show::{count, escaped, shortened, width};

use crate::app::{App, Place};
use crate::columns::{Columns, bar, cut, wrapped};
use crate::model::{Group, Row};

/// The first row that is in sight.
#[derive(Default)]
pub struct Scroll(usize);

/// A terminal of fewer rows has none to spare.
const LOW: usize = 15;

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &App, scroll: &mut Scroll) {
    let area = frame.area();
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let keys = keys(app, columns, rows);
    let mut below = if rows < LOW {
        Vec::new()
    } else {
        detail(app, columns)
    };
    below.push(total(app, columns));
    below.push(Line::raw(cut(&app.message, columns)));
    below.extend(keys);
    // The table gets what is left, and one row of it at least.
    below.truncate(rows.saturating_sub(1));
    let left = rows - below.len();
    let log = match app.log.is_open {
        true => {
            let wanted = (app.log.entries.len() + 1).max(4);
            log(app, columns, wanted.min(left / 2))
        }
        false => Vec::new(),
    };
    let mut lines = table(app, columns, left - log.len(), scroll);
    lines.extend(log);
    lines.extend(below);
    for (line, y) in lines.into_iter().zip(area.top()..area.bottom()) {
        frame.render_widget(Paragraph::new(line), Rect::new(area.x, y, area.width, 1));
    }
}

/// The rows in sight, with a head line if there is room.
fn table(app: &App, columns: usize, all: usize, scroll: &mut Scroll) -> Vec<Line<'static>> {
    let layout = Columns::of(columns);
    let mut lines = Vec::with_capacity(all);
    if all > 3 {
        lines.push(Line::styled(layout.head(), DIM));
    }
    let room = all - lines.len();
    let places = app.places();
    let cursor = places.iter().position(|place| *place == app.cursor);
    let cursor = cursor.unwrap_or(0);
    // As little as brings the cursor into sight; and no empty lines below while there are rows above.
    let last = places.len().saturating_sub(room);
    scroll.0 = scroll
        .0
        .min(cursor)
        .max((cursor + 1).saturating_sub(room))
        .min(last);
    for place in places.iter().skip(scroll.0).take(room) {
        let group = &app.groups[place.group];
        let mut line = match place.row {
            None => handler_line(app, group, layout),
            Some(row) => item_line(&group.rows[row], layout),
        };
        mark(&mut line, *place, app.cursor);
        lines.push(line);
    }
    lines.resize(all, Line::default());
    lines
}

fn mark(line: &mut Line<'static>, place: Place, cursor: Place) {
    let is_it = place == cursor;
    line.spans
        .insert(0, Span::raw(if is_it { "> " } else { "  " }));
    if is_it {
        line.style = line.style.add_modifier(Modifier::REVERSED);
    }
}

fn handler_line(app: &App, group: &Group, layout: Columns) -> Line<'static> {
    let counts = group.counts();
    let word = match group.phase() {
        _ if app.runs.is_waiting(group.id) => "waiting",
        _ if !group.note.is_empty() => "failed",
        Some(Phase::Idle | Phase::Preparing) => "preparing",
        Some(Phase::Released) | None => match counts.failed {
            _ if counts.taking_part == 0 => "",
            0 if counts.succeeded == 0 => "stopped",
            0 => "done",
            _ => "failed",
        },
        Some(_) => "running",
    };
    let text = handler_text(group);
    let part = (counts.taking_part > 0).then(|| counts.ended as f64 / counts.taking_part as f64);
    let [name, status, bar, text] = layout.cells(&group.title, word, &layout.bar(part), &text);
    Line::from(vec![
        Span::styled(name, BOLD),
        Span::styled(status, colour(word).patch(BOLD)),
        Span::raw(bar),
        Span::styled(text, BOLD),
    ])
}

fn handler_text(group: &Group) -> String {
    let counts = group.counts();
    match group.note.as_str() {
        "" if counts.taking_part == 0 => count(group.rows.len() as u64, "item"),
        "" => {
            let mut text = format!("{} of {} done", counts.succeeded, counts.taking_part);
            for (number, what) in [(counts.failed, "failed"), (counts.left, "left out")] {
                if number > 0 {
                    text += &format!(", {number} {what}");
                }
            }
            text
        }
        note => note.to_owned(),
    }
}

fn item_text(row: &Row) -> String {
    let text = row.view.as_ref().map_or("", |view| view.text.as_str());
    escaped(text)
}

fn item_line(row: &Row, layout: Columns) -> Line<'static> {
    let mark = if row.checked { "[x]" } else { "[ ]" };
    let word = row.word();
    let bar = row
        .view
        .as_ref()
        .map_or(String::new(), |view| item_bar(view, layout));
    let text = item_text(row);
    let name = format!("  {mark} {}", row.name);
    let [name, status, bar, text] = layout.cells(&name, word, &bar, &text);
    Line::from(vec![
        Span::raw(name),
        Span::styled(status, colour(word)),
        Span::raw(bar),
        Span::styled(text, DIM),
    ])
}

fn item_bar(view: &ItemView, layout: Columns) -> String {
    match view.status {
        ItemStatus::UpdatingIndeterminate => layout.marquee(view.value),
        ItemStatus::Succeeded => layout.bar(Some(1.0)),
        ItemStatus::Pending => String::new(),
        _ => layout.bar(view.fraction()),
    }
}

fn colour(word: &str) -> Style {
    let colour = match word {
        "done" => Color::Green,
        "failed" => Color::Red,
        "stopped" | "skipped" | "stopping" => Color::Yellow,
        "working" | "running" | "preparing" => Color::Cyan,
        _ => return Style::new(),
    };
    Style::new().fg(colour)
}

/// The newest entries, below a title.
fn log(app: &App, columns: usize, room: usize) -> Vec<Line<'static>> {
    if room == 0 {
        return Vec::new();
    }
    let group = app.group();
    let (title, level) = (&group.title, app.log.level());
    let entries = &app.log.entries;
    let end = entries.len() - app.log.scrolled.min(entries.len());
    let newer = match app.log.scrolled {
        0 => String::new(),
        newer => format!(", {newer} newer below"),
    };
    let head = format!("-- log of {title}: {level}, {}{newer} ", entries.len());
    let head = shortened(&head, columns);
    let rest = "-".repeat(columns.saturating_sub(width(&head)));
    let mut lines = vec![Line::styled(head + &rest, BOLD)];
    let begin = end.saturating_sub(room - 1);
    for entry in &entries[begin..end] {
        let style = match entry.level {
            syncmgr::LogLevel::Error => Style::new().fg(Color::Red),
            syncmgr::LogLevel::Warning => Style::new().fg(Color::Yellow),
            syncmgr::LogLevel::Information => Style::new(),
        };
        let text = cut(&app.log.line(entry, group), columns);
        lines.push(Line::styled(text, style));
    }
    lines.resize(room, Line::default());
    lines
}

/// The text of the row at the cursor, where its column does not hold all of it.
fn detail(app: &App, columns: usize) -> Vec<Line<'static>> {
    let group = app.group();
    let row = app.cursor.row.and_then(|row| group.rows.get(row));
    let text = row.map_or_else(|| handler_text(group), item_text);
    let text = match Columns::of(columns).shows(&text) {
        true => String::new(),
        false => text,
    };
    wrapped(&text, columns, 3)
        .into_iter()
        .map(Line::raw)
        .collect()
}

/// The sums over the runs of the last start.
fn total(app: &App, columns: usize) -> Line<'static> {
    if app.runs.is_empty() {
        return Line::styled(shortened("Total: nothing was started", columns), BOLD);
    }
    let sums = app.runs.sums();
    let text = format!(
        "Total: {} of {}, {} of {}",
        sums.finished,
        count(sums.handlers as u64, "handler"),
        sums.items_finished,
        count(sums.items, "item")
    );
    let part = (sums.items > 0).then(|| sums.items_finished as f64 / sums.items as f64);
    let room = columns.saturating_sub(width(&text) + 2).min(40);
    let bar = if room >= 10 {
        bar(part, room)
    } else {
        String::new()
    };
    Line::styled(
        shortened(&format!("{}  {bar}", text.trim_end()), columns),
        BOLD,
    )
}

/// The keys, in as many lines as they need; one where the terminal is low.
fn keys(app: &App, columns: usize, rows: usize) -> Vec<Line<'static>> {
    const GAP: &str = "  ";
    let log: &[&str] = match app.log.is_open {
        true => &["l close log", "L level", "pgup older"],
        false => &["l log"],
    };
    let errors = match app.shows_errors() {
        true => "e errors on",
        false => "e errors off",
    };
    let first = [
        "q quit",
        "s start",
        "space check",
        "c cancel",
        "x skip",
        "C handler",
        "a all",
        "r retry",
    ];
    let mut lines: Vec<String> = Vec::new();
    for key in first.iter().chain(log).chain(&[errors]) {
        match lines.last_mut() {
            Some(line) if width(line) + GAP.len() + width(key) <= columns => {
                line.push_str(GAP);
                line.push_str(key);
            }
            _ => lines.push((*key).to_owned()),
        }
    }
    let most = if rows < LOW { 1 } else { 3 };
    let lines = lines.iter().take(most);
    lines
        .map(|line| Line::styled(cut(line, columns), DIM))
        .collect()
}
