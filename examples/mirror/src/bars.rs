//! Live bars on a terminal: one for each item in work, one for all, and a line for what is typed.

use crate::frame::{Frame, Row, Size};
use crate::input::MOST_DIGITS;
use crate::show::{padded, shortened, width};
use crate::watch::{Numbers, Screen, Sums};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::Arc;
use syncmgr::{ItemStatus, ItemView, LogEntry};

/// The bars.
pub struct Bars {
    numbers: Arc<Numbers>,
    /// What to tell the user, the longest text first.
    hints: &'static [&'static str],
    /// By the item's number.
    items: BTreeMap<usize, Bar>,
    total: Bar,
    layout: Layout,
    frame: Frame,
}

/// What fits the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Layout(Size);

impl Layout {
    /// Columns for a name.
    fn name(self) -> usize {
        (self.0.columns / 3).clamp(8, 40)
    }

    /// Bars for items: some lines are for the total, the prompt, and what was said before.
    fn bars(self) -> usize {
        self.0.rows.saturating_sub(5).max(1)
    }

    fn style(self, total: bool) -> ProgressStyle {
        let numbers = match (self.0.columns, total) {
            (..44, _) => "{percent:>3} %",
            (..72, _) => "{binary_bytes:>10} {percent:>3} %",
            (_, false) => "{binary_bytes:>10} of {binary_total_bytes:<10} {percent:>3} %     ",
            (_, true) => "{binary_bytes:>10} of {binary_total_bytes:<10} {percent:>3} % {eta:>4}",
        };
        ProgressStyle::with_template(&format!("{{prefix}} {{msg}} {{wide_bar}} {numbers}"))
            .expect("the template is right for every terminal")
            .progress_chars("=> ")
    }
}

/// One bar. indicatif renders it, whenever something is set.
struct Bar {
    row: Row,
    bar: ProgressBar,
    name: String,
}

impl Bar {
    fn new(prefix: String) -> Self {
        let row = Row::default();
        let target = ProgressDrawTarget::term_like(Box::new(row.clone()));
        let bar = ProgressBar::with_draw_target(Some(0), target).with_prefix(prefix);
        Self {
            row,
            bar,
            name: String::new(),
        }
    }

    fn lay_out(&self, layout: Layout, total: bool) {
        self.row.set_columns(layout.0.columns.saturating_sub(1));
        self.bar.set_style(layout.style(total));
    }

    fn set(&mut self, name: &str, room: usize, value: u64, max: u64) {
        let name = padded(&shortened(name, room), room);
        if name != self.name {
            self.bar.set_message(name.clone());
            self.name = name;
        }
        self.bar.update(|state| {
            state.set_len(max);
            state.set_pos(value);
        });
    }
}

impl Bars {
    pub fn new(numbers: Arc<Numbers>, hints: &'static [&'static str]) -> Self {
        let frame = Frame::on(Term::stderr());
        let bars = Self {
            total: Bar::new(" ".repeat(numbers.width())),
            numbers,
            hints,
            items: BTreeMap::new(),
            layout: Layout(frame.size()),
            frame,
        };
        bars.lay_out();
        bars
    }

    fn lay_out(&self) {
        for bar in self.items.values() {
            bar.lay_out(self.layout, false);
        }
        self.total.lay_out(self.layout, true);
    }

    fn show(&mut self, number: usize, view: &ItemView) {
        if !self.items.contains_key(&number) {
            if self.items.len() >= self.layout.bars() {
                return;
            }
            let bar = Bar::new(format!("{number:>0$}", self.numbers.width()));
            bar.lay_out(self.layout, false);
            self.items.insert(number, bar);
        }
        let text = if view.verdict.is_continue() {
            view.name.to_string()
        } else {
            format!("cancelling {}", view.name)
        };
        if let Some(bar) = self.items.get_mut(&number) {
            bar.set(&text, self.layout.name(), view.value, view.max);
        }
    }

    /// The longest hint that leaves room for what is typed.
    fn prompt(&self, typed: &str) -> String {
        let room = self.layout.0.columns.saturating_sub(MOST_DIGITS + 2);
        let fits = |hint: &&&str| width(hint) <= room;
        let hint = self.hints.iter().find(fits).or(self.hints.last());
        format!("{} {typed}", hint.copied().unwrap_or_default())
    }
}

impl Screen for Bars {
    fn items(&mut self, views: &[ItemView]) {
        let layout = Layout(self.frame.size());
        if layout != self.layout {
            self.layout = layout;
            self.lay_out();
        }
        for view in views {
            let number = self.numbers.of(view.id);
            if view.is_finished() {
                self.items.remove(&number);
            } else if view.status != ItemStatus::Pending {
                self.show(number, view);
            }
        }
    }

    fn log(&mut self, entry: &LogEntry) {
        let line = self.numbers.line(entry);
        self.line(&line);
    }

    fn line(&mut self, text: &str) {
        self.frame.keep(text);
    }

    fn frame(&mut self, sums: &Sums, typed: &str) {
        let layout = self.layout;
        let count = format!("{}/{} items", sums.finished, self.numbers.len());
        self.total.set(&count, layout.name(), sums.value, sums.max);
        let mut rows: Vec<_> = (self.items.values().take(layout.bars()))
            .chain([&self.total])
            .map(|bar| bar.row.text())
            .collect();
        rows.push(self.prompt(typed));
        self.frame.draw(rows, layout.0);
    }

    fn end(&mut self) {
        self.frame.end();
    }
}
