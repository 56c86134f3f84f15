//! Live bars on a terminal: one for each item in work, one for all, and a line for what is typed.

use crate::show::{padded, shortened};
use crate::watch::{Numbers, Screen, Sums};
use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::Arc;
use syncmgr::{ItemStatus, ItemView};

/// The bars.
pub struct Bars {
    numbers: Arc<Numbers>,
    hint: &'static str,
    multi: MultiProgress,
    /// By the item's number.
    items: BTreeMap<usize, ProgressBar>,
    total: ProgressBar,
    prompt: ProgressBar,
    term: Term,
    layout: Layout,
}

/// What fits the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Layout {
    columns: usize,
    rows: usize,
}

impl Layout {
    fn of(term: &Term) -> Self {
        let (rows, columns) = term.size();
        Self {
            columns: columns.into(),
            rows: rows.into(),
        }
    }

    /// Columns for a name.
    fn name(self) -> usize {
        (self.columns / 3).clamp(8, 40)
    }

    /// Bars for items: some lines are for the total, the prompt, and what was said before.
    fn bars(self) -> usize {
        self.rows.saturating_sub(5).max(1)
    }

    fn style(self, total: bool) -> ProgressStyle {
        let numbers = match (self.columns, total) {
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

impl Bars {
    pub fn new(numbers: Arc<Numbers>, hint: &'static str) -> Self {
        let term = Term::stderr();
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::term(term.clone(), 15));
        let total = multi.add(ProgressBar::new(0));
        let prompt = multi.add(ProgressBar::new(0));
        prompt.set_style(ProgressStyle::with_template("{msg}").expect("the template is right"));
        let mut bars = Self {
            numbers,
            hint,
            multi,
            items: BTreeMap::new(),
            total,
            prompt,
            layout: Layout::of(&term),
            term,
        };
        bars.lay_out();
        bars
    }

    fn lay_out(&mut self) {
        for bar in self.items.values() {
            bar.set_style(self.layout.style(false));
        }
        self.total.set_style(self.layout.style(true));
    }

    fn number_width(&self) -> usize {
        self.numbers.len().to_string().len()
    }

    fn show(&mut self, number: usize, view: &ItemView) {
        if !self.items.contains_key(&number) {
            if self.items.len() >= self.layout.bars() {
                return;
            }
            // In the order of the numbers.
            let after = self.items.range(number..).next().map(|(_, bar)| bar);
            let bar = self
                .multi
                .insert_before(after.unwrap_or(&self.total), ProgressBar::new(0));
            bar.set_style(self.layout.style(false));
            bar.set_prefix(format!("{number:>0$}", self.number_width()));
            self.items.insert(number, bar);
        }
        let bar = &self.items[&number];
        let text = if view.verdict.is_continue() {
            view.name.to_string()
        } else {
            format!("cancelling {}", view.name)
        };
        let room = self.layout.name();
        bar.set_message(padded(&shortened(&text, room), room));
        bar.set_length(view.max);
        bar.set_position(view.value);
    }
}

impl Screen for Bars {
    fn items(&mut self, views: &[ItemView]) {
        for view in views {
            let number = self.numbers.of(view.id);
            if view.is_finished() {
                if let Some(bar) = self.items.remove(&number) {
                    bar.finish_and_clear();
                    self.multi.remove(&bar);
                }
            } else if view.status != ItemStatus::Pending {
                self.show(number, view);
            }
        }
    }

    fn line(&mut self, text: &str) {
        _ = self.multi.println(text);
    }

    fn frame(&mut self, sums: &Sums, typed: &str) {
        let layout = Layout::of(&self.term);
        if layout != self.layout {
            self.layout = layout;
            self.lay_out();
        }
        let room = layout.name();
        let count = format!("{}/{} items", sums.finished, self.numbers.len());
        self.total.set_prefix(" ".repeat(self.number_width()));
        self.total
            .set_message(padded(&shortened(&count, room), room));
        self.total.set_length(sums.max);
        self.total.set_position(sums.value);
        let hint = if layout.columns < 60 {
            "Cancel item:"
        } else {
            self.hint
        };
        let prompt = format!("{hint} {typed}");
        self.prompt
            .set_message(shortened(&prompt, layout.columns.saturating_sub(1)));
        self.prompt.tick();
    }

    fn end(&mut self) {
        _ = self.multi.clear();
    }
}
