//! Plain lines, where standard output is no terminal: everything that is checked is run once.

use std::io::{self, Write};
use std::time::Duration;

use syncmgr_mirror::show::{count, escaped};

use crate::centre::Centre;
use crate::log_pane::told;
use crate::model::Group;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Writes to standard output. Whoever closed it does not want to know.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Runs everything that is checked; answers whether all went well.
pub fn run(centre: Centre) -> bool {
    let choices = centre.manager.choices();
    let handlers = centre.handlers.into_iter();
    let mut groups: Vec<Group> = handlers
        .map(|listed| Group::new(listed, &choices))
        .collect();
    let run = centre.manager.update_all();
    let report = loop {
        let waited = run.wait_timeout(LOOK);
        for group in &mut groups {
            look(group, run.session(group.id));
        }
        match waited {
            Ok(report) => break report,
            Err(_goes_on) => {}
        }
    };
    for group in &mut groups {
        if let Some(report) = report.handler(group.id) {
            group.ended(report);
        }
        summary(group);
    }
    let well = report.is_success();
    print(match well {
        true => "all went well",
        false => "something failed",
    });
    well
}

/// Tells the log entries and the items that ended since the last look.
fn look(group: &mut Group, session: Option<std::sync::Arc<syncmgr::Session>>) {
    let news = group.update(session);
    for entry in &news.log {
        print(&format!("{}: {}", group.title, told(entry, group)));
    }
    for row in news.rows.iter().filter_map(|place| group.rows.get(*place)) {
        if row.is_finished() {
            let text = row.view.as_ref().map_or("", |view| view.text.as_str());
            let text = match escaped(text) {
                text if text.is_empty() => text,
                text => format!(", {text}"),
            };
            print(&format!(
                "{}: {}: {}{text}",
                group.title,
                row.name,
                row.word()
            ));
        }
    }
}

fn summary(group: &Group) {
    let counts = group.counts();
    let items = count(counts.taking_part as u64, "item");
    let mut line = format!("{}: {items}, {} done", group.title, counts.succeeded);
    for (number, what) in [(counts.failed, "failed"), (counts.left, "left out")] {
        if number > 0 {
            line += &format!(", {number} {what}");
        }
    }
    if !group.note.is_empty() {
        line += &format!("; {}", group.note);
    }
    print(&line);
}
