//! The table at the end.

use crate::handler::Mirror;
use crate::job::Counts;
use crate::lines::word;
use crate::show::{bytes, count, padded, shortened, time, width};
use crate::watch::Numbers;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;
use syncmgr::{LogEntry, LogLevel, Session};

/// Of more errors than this only the number is told.
const MOST_ERRORS: usize = 1000;

/// Where a column's text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// What became of each item, and of all; then what was logged.
pub fn table(
    mirror: &Mirror,
    session: &Session,
    numbers: &Numbers,
    columns: usize,
    took: Duration,
    delete: bool,
) -> String {
    let views: HashMap<_, _> = (session.snapshot().items.into_iter())
        .map(|view| (view.id, view))
        .collect();
    let mut heads = vec![
        ("No", Side::Right),
        ("Item", Side::Left),
        ("Status", Side::Left),
        ("Bytes", Side::Right),
        ("Files", Side::Right),
        ("Unchanged", Side::Right),
    ];
    if delete {
        heads.push(("Removed", Side::Right));
    }
    heads.push(("Time", Side::Right));
    let mut rows = Vec::new();
    let mut all = Counts::default();
    let mut by_status: Vec<(&str, u64)> = Vec::new();
    for (number, (id, subject)) in (1..).zip(mirror.subjects()) {
        let counts = mirror.counts(*id);
        let status = views.get(id).map_or("not begun", word);
        match by_status.iter_mut().find(|(word, _)| *word == status) {
            Some((_, times)) => *times += 1,
            None => by_status.push((status, 1)),
        }
        let mut row = vec![
            format!("{number}"),
            subject.text(),
            status.to_owned(),
            bytes(counts.bytes),
            counts.copied.to_string(),
            counts.unchanged.to_string(),
        ];
        if delete {
            row.push(counts.removed.to_string());
        }
        row.push(time(counts.time));
        rows.push(row);
        all.bytes += counts.bytes;
        all.copied += counts.copied;
        all.unchanged += counts.unchanged;
        all.removed += counts.removed;
    }
    let mut text = String::new();
    if !rows.is_empty() {
        lay_out(&mut text, &heads, rows, columns);
    }
    let statuses: Vec<_> = (by_status.iter())
        .map(|(word, times)| format!("{times} {word}"))
        .collect();
    let statuses = match statuses.as_slice() {
        [] => "no items".to_owned(),
        some => format!(
            "{}: {}",
            count(numbers.len() as u64, "item"),
            some.join(", ")
        ),
    };
    let removed = if delete {
        format!(", {} removed", all.removed)
    } else {
        String::new()
    };
    _ = writeln!(
        text,
        "{statuses}. {} in {} copied, {} unchanged{removed}, in {}.",
        bytes(all.bytes),
        count(all.copied, "file"),
        all.unchanged,
        time(took)
    );
    log(&mut text, session, numbers);
    text
}

/// Columns as wide as their widest text, but the name's: that one gets what is left.
fn lay_out(text: &mut String, heads: &[(&str, Side)], mut rows: Vec<Vec<String>>, columns: usize) {
    const NAME: usize = 1;
    rows.insert(
        0,
        heads.iter().map(|(head, _)| (*head).to_owned()).collect(),
    );
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max();
    let mut widths: Vec<_> = (0..heads.len()).map(|at| widest(at).unwrap_or(0)).collect();
    let others = widths.iter().sum::<usize>() - widths[NAME] + 2 * (heads.len() - 1);
    widths[NAME] = widths[NAME].min(columns.saturating_sub(others).max(8));
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                line.push_str("  ");
            }
            let cell = if at == NAME {
                shortened(cell, widths[NAME])
            } else {
                cell.clone()
            };
            if heads[at].1 == Side::Right {
                line.push_str(&" ".repeat(widths[at].saturating_sub(width(&cell))));
                line.push_str(&cell);
            } else {
                line.push_str(&padded(&cell, widths[at]));
            }
        }
        _ = writeln!(text, "{}", line.trim_end());
    }
}

fn log(text: &mut String, session: &Session, numbers: &Numbers) {
    let log = session.log();
    let serious = |entry: &&LogEntry| entry.level != LogLevel::Information;
    let entries: Vec<_> = log.iter().filter(serious).collect();
    if entries.is_empty() {
        return;
    }
    _ = writeln!(text, "\nErrors and warnings:");
    for entry in entries.iter().take(MOST_ERRORS) {
        _ = writeln!(text, "{}", numbers.line(entry));
    }
    let more = entries.len().saturating_sub(MOST_ERRORS) as u64 + session.log_refused();
    if more > 0 {
        _ = writeln!(text, "and {more} more");
    }
}
