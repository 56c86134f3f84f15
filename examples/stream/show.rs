//! The other program: reads the lines of a stream, and shows them as text.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use syncmgr::json::{StreamMessage, StreamReader};
use syncmgr::{ItemId, ItemStatus, ItemView, LogEntry, Totals};

/// At most this often are the sums said.
const SUMS_EVERY: Duration = Duration::from_secs(1);

/// Shows the lines until the end. Answers whether all went well, with the run and with its lines.
pub fn show(lines: impl BufRead, out: impl Write) -> io::Result<bool> {
    match show_all(lines, out) {
        // Nobody looks any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        other => other,
    }
}

fn show_all(lines: impl BufRead, mut out: impl Write) -> io::Result<bool> {
    let mut lines = StreamReader::new(lines).map_err(io::Error::other)?;
    if let Some(about) = lines.about() {
        writeln!(out, "{}", escaped(about))?;
    }
    let mut shown = Shown::default();
    let mut success = None;
    let mut all_read = true;
    for line in &mut lines {
        match line {
            Ok(StreamMessage::Snapshot { snapshot, log, .. }) => {
                writeln!(out, "{} items", snapshot.items.len())?;
                shown.items(&mut out, &snapshot.items)?;
                shown.log(&mut out, &log)?;
            }
            Ok(StreamMessage::Changes {
                changes, totals, ..
            }) => {
                shown.items(&mut out, changes.items())?;
                shown.log(&mut out, changes.log())?;
                shown.sums(&mut out, &totals)?;
            }
            Ok(StreamMessage::End(end)) => {
                shown.table(&mut out)?;
                writeln!(out, "ended with {}", end.result)?;
                if let Some(error) = &end.error {
                    writeln!(out, "{}", escaped(error))?;
                }
                for fault in &end.faults {
                    writeln!(out, "{}", escaped(&fault.to_string()))?;
                }
                success = Some(end.success);
            }
            Ok(_) => {} // of a later version
            Err(error) => {
                out.flush()?;
                eprintln!("stream: {}", escaped(&error.to_string()));
                all_read = false;
            }
        }
        out.flush()?;
    }
    Ok(all_read && success == Some(true))
}

/// What was shown of each item.
#[derive(Default)]
struct Shown {
    items: HashMap<ItemId, (String, ItemStatus)>,
    sums_at: Option<Instant>,
}

impl Shown {
    /// A line for each item that ends.
    fn items(&mut self, out: &mut impl Write, views: &[ItemView]) -> io::Result<()> {
        for view in views {
            let name = escaped(view.name.as_str());
            let before = self.items.insert(view.id, (name.clone(), view.status));
            let is_new = before.is_none_or(|(_, status)| status != view.status);
            if is_new && view.is_finished() {
                let text = match &*view.text {
                    "" => String::new(),
                    text => format!(", {}", escaped(text)),
                };
                writeln!(out, "{}: {name}{text}", view.status)?;
            }
        }
        Ok(())
    }

    fn log(&self, out: &mut impl Write, log: &[LogEntry]) -> io::Result<()> {
        for entry in log {
            let item = entry.item.and_then(|item| self.items.get(&item));
            let name = item.map_or("", |(name, _)| name);
            writeln!(out, "{} {name}: {}", entry.level, escaped(&entry.text))?;
        }
        Ok(())
    }

    fn sums(&mut self, out: &mut impl Write, totals: &Totals) -> io::Result<()> {
        if self.sums_at.is_some_and(|at| at.elapsed() < SUMS_EVERY) {
            return Ok(());
        }
        self.sums_at = Some(Instant::now());
        write!(out, "{} of {} items", totals.finished, totals.items)?;
        match totals.fraction() {
            Some(fraction) => writeln!(out, ", {:.0} %", fraction * 100.0),
            None => writeln!(out),
        }
    }

    /// How many items ended how.
    fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let mut counts = BTreeMap::new();
        for (_, status) in self.items.values() {
            *counts.entry(*status).or_insert(0_u64) += 1;
        }
        for (status, count) in counts {
            writeln!(out, "{count:>8} {status}")?;
        }
        Ok(())
    }
}

/// Text from elsewhere, with what would move the cursor or colour the terminal made visible.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}
