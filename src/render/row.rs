//! What stands in a row, for the columns that there are: what does not fit is left out, from the least important on.

use std::time::{Duration, Instant};

use console::Style;

use super::number::{Unit, count, counted, percent, rest};
use super::rate::Rate;
use super::seats::RowSeat;
use super::source::Standing;
use super::tally::ItemTally;
use super::text::{begun, padded, right, shortened, width};
use crate::ItemStatus;

/// How wide each cell is; 0 where there is no room for it.
#[derive(Debug, Clone, Copy)]
struct Cells {
    name: usize,
    bar: usize,
    percent: usize,
    amount: usize,
    rate: usize,
    left: usize,
    /// The rest of the row.
    text: usize,
}

const GAP: usize = 2;
/// "1023 KiB of 1023 KiB", "999,999 of 1,000,000".
const AMOUNT: usize = 20;
/// "1023 KiB/s".
const RATE: usize = 10;
/// "99:59:59 left"
const LEFT: usize = 13;
/// A bar of fewer columns shows nothing.
const LEAST_BAR: usize = 12;
/// A text of fewer columns tells nothing.
const LEAST_TEXT: usize = 8;

/// The widest that the rows have had to show so far. It never shrinks, so that the cells keep their places while items come
/// and go.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Widest {
    name: usize,
    /// Of items in work; 0 where none has said anything.
    text: usize,
}

impl Widest {
    pub(super) fn see(&mut self, seat: &RowSeat) {
        self.name = self.name.max(width(&seat.name));
        if seat.is_busy() {
            self.text = self.text.max(width(&said(seat)));
        }
    }
}

impl Cells {
    /// The cells of an item's row. What no text needs is for the names.
    fn of_items(room: usize, widest: Widest) -> Self {
        let mut cells = Self::of(room);
        let text = match widest.text {
            0 => 0,
            text => text.max(LEAST_TEXT),
        };
        let free = cells.text.saturating_sub(text);
        // What became of an item stands behind its name.
        let name = widest.name.min((room / 2).saturating_sub(1));
        let more = free.min(name.saturating_sub(cells.name));
        cells.name += more;
        cells.text -= more;
        cells
    }

    fn of(room: usize) -> Self {
        let mut cells = Self {
            name: (room / 5).clamp(14, 30),
            bar: (room / 8).clamp(LEAST_BAR, 30),
            percent: 4,
            amount: AMOUNT,
            rate: RATE,
            left: 7,
            text: 0,
        };
        let used = |cells: &Self| {
            let all = [
                cells.bar,
                cells.percent,
                cells.amount,
                cells.rate,
                cells.left,
            ];
            let shown = all.iter().filter(|columns| **columns > 0);
            cells.name + shown.map(|columns| columns + GAP).sum::<usize>()
        };
        // The name comes first, then how far it is, then what goes on: so the cells between go one by one.
        let wanted = if room < 40 { 0 } else { GAP + LEAST_TEXT };
        let least_first: [fn(&mut Self); 4] = [
            |cells| cells.amount = 0,
            |cells| cells.rate = 0,
            |cells| cells.left = 0,
            |cells| cells.bar = 0,
        ];
        for leave_out in least_first {
            if used(&cells) + wanted > room {
                leave_out(&mut cells);
            }
        }
        if used(&cells) > room {
            cells.percent = 0;
        }
        let free = room.saturating_sub(used(&cells));
        match free.checked_sub(GAP) {
            Some(text) if wanted > 0 && text >= LEAST_TEXT => cells.text = text,
            // No text, so the name has the rest.
            _ => cells.name = (cells.name + free).min(room),
        }
        cells
    }
}

/// How rows are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowStyle {
    pub(super) unit: Unit,
    pub(super) color: bool,
    /// When the renderer was made: by it the bar of what has no end moves.
    pub(super) since: Instant,
}

/// A row that grows to the right.
struct RowLine {
    text: String,
    /// Columns that it takes.
    used: usize,
    color: bool,
}

impl RowLine {
    fn new(color: bool) -> Self {
        Self {
            text: String::new(),
            used: 0,
            color,
        }
    }

    /// Adds a cell of so many columns, after a gap.
    fn cell(&mut self, text: &str, columns: usize, style: &Style) {
        if columns == 0 {
            return;
        }
        let gap = if self.used > 0 { GAP } else { 0 };
        self.text.extend(std::iter::repeat_n(' ', gap));
        let text = padded(text, columns);
        self.used += gap + width(&text);
        if self.color {
            let style = style.clone().force_styling(true);
            self.text.push_str(&style.apply_to(text).to_string());
        } else {
            self.text.push_str(&text);
        }
    }

    fn end(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

const PLAIN: Style = Style::new();

impl RowStyle {
    /// The row of an item, in at most `room` columns.
    pub(super) fn item(&self, seat: &RowSeat, room: usize, widest: Widest, now: Instant) -> String {
        let cells = Cells::of_items(room, widest);
        let mut line = RowLine::new(self.color);
        let (word, style) = mark(seat);
        let is_busy = seat.is_busy();
        let fraction = (seat.max > 0 && seat.status != ItemStatus::UpdatingIndeterminate)
            .then(|| (seat.value as f64 / seat.max as f64).min(1.0));
        let name = match cells.text {
            0 if !is_busy => cells.name.min((room / 2).saturating_sub(1)), // what happened matters more
            _ => cells.name,
        };
        line.cell(&shortened(&seat.name, name), name, &PLAIN);
        if !is_busy {
            // A word for all the cells that tell how far it is, and why. What went on when an item was cancelled says nothing.
            let word = match (seat.status, seat.text.as_str()) {
                (ItemStatus::Failed, text) if !text.is_empty() => format!("{word}: {text}"),
                (ItemStatus::Stopped, _) if fraction.is_some() => {
                    format!("{word} at {}", fraction.map(percent).unwrap_or_default())
                }
                _ => word.to_owned(),
            };
            let columns = room.saturating_sub(line.used + GAP);
            line.cell(&begun(&word, columns), columns, &style);
            return line.end();
        }
        let time = now.saturating_duration_since(self.since);
        let bar = match fraction {
            Some(fraction) => bar(fraction, cells.bar),
            None => marquee(time, cells.bar),
        };
        line.cell(&bar, cells.bar, &style);
        let part = match fraction {
            Some(fraction) => percent(fraction),
            None if cells.bar == 0 => turning(time).to_owned(),
            None => String::new(),
        };
        line.cell(&right(&part, cells.percent), cells.percent, &PLAIN);
        let max = if fraction.is_some() { seat.max } else { 0 };
        self.numbers(&mut line, &cells, (seat.value, max), &seat.rate);
        line.cell(
            &begun(&said(seat), cells.text),
            cells.text,
            &Style::new().dim(),
        );
        line.end()
    }

    /// Amount, rate and time left.
    fn numbers(&self, line: &mut RowLine, cells: &Cells, (value, max): (u64, u64), rate: &Rate) {
        let fits = |text: &String| width(text) <= cells.amount;
        let amounts = [self.unit.part(value, max), self.unit.amount(value)];
        let amount = amounts.into_iter().find(fits).unwrap_or_default();
        line.cell(&right(&amount, cells.amount), cells.amount, &PLAIN);
        let per_second = rate.per_second().map(|rate| self.unit.rate(rate));
        let per_second = per_second
            .filter(|text| width(text) <= cells.rate)
            .unwrap_or_default();
        line.cell(&right(&per_second, cells.rate), cells.rate, &PLAIN);
        let left = (max > 0)
            .then(|| rate.left(max.saturating_sub(value)))
            .flatten();
        let left = left.map(rest).unwrap_or_default();
        line.cell(&right(&left, cells.left), cells.left, &PLAIN);
    }

    /// How many items in work have no row.
    pub(super) fn hidden(&self, hidden: u64, room: usize) -> Option<String> {
        (hidden > 0).then(|| {
            let mut line = RowLine::new(self.color);
            let text = begun(&format!("and {} more in work", count(hidden)), room);
            line.cell(&text, width(&text), &Style::new().dim());
            line.end()
        })
    }

    /// The row of all.
    pub(super) fn total(
        &self,
        standing: &Standing,
        tally: &ItemTally,
        rate: &Rate,
        room: usize,
    ) -> String {
        let mut line = RowLine::new(self.color);
        let totals = &standing.totals;
        let done = match room {
            ..40 => format!("{}/{}", count(totals.finished), count(totals.items)),
            _ => format!(
                "{} of {}",
                count(totals.finished),
                counted(totals.items, "item")
            ),
        };
        let done = begun(&done, room);
        let mut ends: Vec<(String, Style)> = Vec::new();
        if tally.failed > 0 {
            ends.push((
                format!("{} failed", count(tally.failed)),
                Style::new().red(),
            ));
        }
        if tally.cancelled > 0 {
            ends.push((
                format!("{} cancelled", count(tally.cancelled)),
                Style::new().yellow(),
            ));
        }
        if let Some((finished, all)) = standing.handlers.filter(|(_, all)| *all > 1) {
            let text = format!("{finished} of {all} handlers");
            ends.push((text, PLAIN));
        }
        if tally.handlers_failed > 0 {
            let text = counted(tally.handlers_failed, "handler") + " failed";
            ends.push((text, Style::new().red()));
        }
        let settled = tally.settled(standing);
        let of_items = (totals.finished as f64 + standing.begun) / totals.items.max(1) as f64;
        let fraction = settled.map_or(of_items, |(done, max)| done as f64 / max as f64);
        // The counts of what went wrong come first when there is little room.
        let ends_width: usize = ends.iter().map(|(text, _)| width(text) + GAP).sum();
        let mut free = room.saturating_sub(width(&done) + ends_width);
        let mut take = |columns: usize| {
            let fits = free >= columns + GAP;
            free -= if fits { columns + GAP } else { 0 };
            if fits { columns } else { 0 }
        };
        let mut cells = Cells {
            name: width(&done),
            percent: take(4),
            bar: take(LEAST_BAR),
            left: 0,
            amount: 0,
            rate: 0,
            text: 0,
        };
        let max = settled.map_or(0, |(_, max)| max);
        let amount = match totals.value {
            _ if max > 0 => self.unit.part(totals.measured, max),
            0 => String::new(),
            value => self.unit.amount(value),
        };
        let per_second = rate.per_second().filter(|_| !standing.over);
        let per_second = per_second.map(|rate| self.unit.rate(rate));
        let per_second = per_second.unwrap_or_default();
        // Their room is kept before there is anything to say, so that the bar does not change its length.
        if !standing.over {
            cells.left = take(LEFT);
        }
        if !standing.over || !amount.is_empty() {
            cells.amount = take(width(&amount).max(AMOUNT));
        }
        if !standing.over {
            cells.rate = take(width(&per_second).max(RATE));
        }
        if cells.bar > 0 {
            cells.bar += free.min((room / 4).saturating_sub(LEAST_BAR));
        }
        line.cell(&done, cells.name, &Style::new().bold());
        line.cell(&bar(fraction, cells.bar), cells.bar, &Style::new().cyan());
        line.cell(
            &right(&percent(fraction), cells.percent),
            cells.percent,
            &PLAIN,
        );
        line.cell(&right(&amount, cells.amount), cells.amount, &PLAIN);
        line.cell(&right(&per_second, cells.rate), cells.rate, &PLAIN);
        let left = settled.and_then(|(done, max)| rate.left(max.saturating_sub(done)));
        let left = left.map_or(String::new(), |left| format!("{} left", rest(left)));
        line.cell(&right(&left, cells.left), cells.left, &PLAIN);
        for (text, style) in &ends {
            let text = begun(text, room.saturating_sub(line.used + GAP));
            line.cell(&text, width(&text), style);
        }
        line.end()
    }
}

/// The word for an item that needs one, and its colour.
fn mark(seat: &RowSeat) -> (&'static str, Style) {
    let style = Style::new();
    match seat.status {
        _ if seat.is_abandoned => ("unfinished", style.yellow()),
        _ if seat.is_cancelling => ("cancelling", style.yellow()),
        ItemStatus::Failed => ("failed", style.red()),
        ItemStatus::Stopped => ("stopped", style.yellow()),
        ItemStatus::Skipped => ("skipped", style.yellow()),
        ItemStatus::Pending => ("waiting", style.dim()),
        ItemStatus::Paused => ("paused", style.yellow()),
        ItemStatus::Resuming => ("resuming", style.cyan()),
        _ => ("", style.cyan()),
    }
}

/// What an item in work says.
fn said(seat: &RowSeat) -> String {
    match (mark(seat).0, seat.text.as_str()) {
        ("", text) => text.to_owned(),
        (word, "") => word.to_owned(),
        (word, text) => format!("{word}: {text}"),
    }
}

/// `[====>   ]` in so many columns.
fn bar(fraction: f64, columns: usize) -> String {
    let Some(inside) = columns.checked_sub(2) else {
        return String::new();
    };
    // Rounded down: a full bar means done.
    let full = ((inside as f64 * fraction) as usize).min(inside);
    let head = usize::from(full > 0 && full < inside);
    let (line, rest) = ("=".repeat(full - head), " ".repeat(inside - full));
    let tip = if head > 0 { ">" } else { "" };
    format!("[{line}{tip}{rest}]")
}

/// Where there is no room for a bar that goes to and fro.
fn turning(time: Duration) -> &'static str {
    match time.as_millis() / 100 % 4 {
        0 => "|",
        1 => "/",
        2 => "-",
        _ => "\\",
    }
}

/// `[  <=>   ]`: it goes to and fro, and means nothing but that something goes on.
fn marquee(time: Duration, columns: usize) -> String {
    const TIP: &str = "<=>";
    let Some(inside) = columns.checked_sub(2).filter(|inside| *inside >= TIP.len()) else {
        return String::new();
    };
    let way = inside - TIP.len();
    let steps = (time.as_millis() / 100) as usize % (2 * way).max(1);
    let before = steps.min(2 * way - steps);
    let after = way - before;
    format!("[{:before$}{TIP}{:after$}]", "", "")
}
