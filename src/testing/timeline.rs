//! The timeline of a trace as text.
//!
//! ```text
//!   #  thread    phase          call
//!  10  host      synchronizing  synchronize()
//!  11  thread 1  synchronizing    progress("photos", updating) -> continue
//!  12  thread 1  synchronizing    progress("photos", value 5) -> continue          <- H17
//!      host      synchronizing  synchronize() (call 10) -> ok
//! ```
//!
//! A call stands where it began. Where others came before it ended, its answer stands on a line of its own, where it ended.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write as _};

use super::call::{Action, Call, Side};
use super::format::{action, arrow, counted};
use super::trace::Trace;
use super::violation::{Incident, Violation};
use crate::ItemId;
use crate::util::escape::Escaped;

/// How many calls around a breach a report shows.
const AROUND: usize = 4;

/// How many breaches a report shows in full.
const BREACHES_MOST: usize = 10;

/// A line of the timeline.
enum TimelineLine {
    /// The call begins here; with its answer if nothing came between.
    Begins(usize),
    /// The call ends here.
    Ends(usize),
}

impl TimelineLine {
    fn at(&self) -> usize {
        match self {
            TimelineLine::Begins(at) | TimelineLine::Ends(at) => *at,
        }
    }
}

/// The lines of a timeline, in the order of time.
fn lines(calls: &[Call]) -> Vec<TimelineLine> {
    // Where another call or end stands between a call's begin and its end, the end has a line of its own.
    let mut events: Vec<(u64, TimelineLine)> = Vec::with_capacity(calls.len());
    for (at, call) in calls.iter().enumerate() {
        events.push((call.begun, TimelineLine::Begins(at)));
        if let Some(ended) = call.ended {
            events.push((ended, TimelineLine::Ends(at)));
        }
    }
    events.sort_by_key(|(time, _)| *time);
    let mut lines: Vec<TimelineLine> = Vec::with_capacity(calls.len());
    for (_, line) in events {
        if let (TimelineLine::Ends(at), Some(TimelineLine::Begins(last))) = (&line, lines.last()) {
            if at == last {
                continue;
            }
        }
        lines.push(line);
    }
    lines
}

/// The lines of a trace, and what their text depends on.
struct Timeline<'a> {
    trace: &'a Trace,
    lines: Vec<TimelineLine>,
    /// Calls whose answer stands on their own line.
    short: Vec<bool>,
    /// How many calls of the same thread were not ended when this one began.
    depth: Vec<usize>,
    host: Option<u32>,
    /// For each call at fault: the rules.
    marks: HashMap<usize, String>,
}

impl<'a> Timeline<'a> {
    fn new(trace: &'a Trace) -> Self {
        let calls = trace.calls();
        let lines = lines(calls);
        let mut short = vec![true; calls.len()];
        for line in &lines {
            if let TimelineLine::Ends(at) = line {
                if let Some(short) = short.get_mut(*at) {
                    *short = false;
                }
            }
        }
        let mut open: HashMap<u32, Vec<u64>> = HashMap::new();
        let depth = calls.iter().map(|call| {
            let open = open.entry(call.thread).or_default();
            open.retain(|ended| *ended > call.begun);
            let depth = open.len();
            open.push(call.ended.unwrap_or(u64::MAX));
            depth
        });
        let depth = depth.collect();
        let mut marks: HashMap<usize, String> = HashMap::new();
        for violation in trace.violations() {
            let mark = marks.entry(violation.at).or_default();
            if !mark.is_empty() {
                mark.push_str(", ");
            }
            mark.push_str(violation.rule.id());
            if !violation.is_fault() {
                mark.push_str(" (should)");
            }
        }
        Self {
            trace,
            lines,
            short,
            depth,
            host: host_thread(calls),
            marks,
        }
    }

    fn head(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>5}  {:<9}  {:<13}  call", "#", "thread", "phase")
    }

    fn line(&self, line: &TimelineLine, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = line.at();
        let Some(call) = self.trace.calls().get(at) else {
            return Ok(());
        };
        let number = match line {
            TimelineLine::Begins(_) => (at + 1).to_string(),
            TimelineLine::Ends(_) => String::new(),
        };
        let mut text = "  ".repeat(self.depth.get(at).copied().unwrap_or(0));
        match line {
            TimelineLine::Begins(_) => {
                text.push_str(&action(&call.action, self.trace.labels()));
                if self.short.get(at).copied().unwrap_or(true) {
                    text.push_str(&arrow(call, self.trace.labels()));
                }
            }
            TimelineLine::Ends(_) => {
                let _ = write!(text, "{} (call {})", call.action.name(), at + 1);
                text.push_str(&arrow(call, self.trace.labels()));
            }
        }
        if let (TimelineLine::Begins(_), Some(mark)) = (line, self.marks.get(&at)) {
            let _ = write!(text, "    <- {mark}");
        }
        writeln!(
            f,
            "{number:>5}  {:<9}  {:<13}  {text}",
            thread(call.thread, self.host),
            call.phase.to_string(),
        )
    }
}

/// The thread on which the host makes its calls.
fn host_thread(calls: &[Call]) -> Option<u32> {
    let mut calls = calls.iter();
    calls
        .find(|call| call.action.side() == Side::Host)
        .map(|call| call.thread)
}

fn thread(number: u32, host: Option<u32>) -> String {
    if host == Some(number) {
        "host".to_owned()
    } else {
        format!("thread {number}")
    }
}

/// The whole timeline, with the breaches under it.
pub(super) fn whole(trace: &Trace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    summary(trace, f)?;
    let timeline = Timeline::new(trace);
    Timeline::head(f)?;
    for line in &timeline.lines {
        timeline.line(line, f)?;
    }
    for violation in trace.faults().chain(trace.advisories()) {
        writeln!(f)?;
        breach(trace, violation, f)?;
    }
    incidents(trace, f)?;
    undecided(trace, f)
}

fn summary(trace: &Trace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (faults, questions) = (trace.faults().count(), trace.advisories().count());
    let incidents = trace.incidents().len();
    write!(f, "{}", counted(trace.calls().len(), "call", "calls"))?;
    if let Some(about) = trace.what_was_done() {
        write!(f, ", {}", Escaped(about))?;
    }
    if faults + questions + incidents == 0 {
        return writeln!(f, ": no rule is broken");
    }
    write!(f, ": {}", counted(faults, "breach", "breaches"))?;
    if questions > 0 {
        write!(f, ", {}", counted(questions, "question", "questions"))?;
    }
    if incidents > 0 {
        write!(f, ", {}", counted(incidents, "incident", "incidents"))?;
    }
    writeln!(f)
}

fn breach(trace: &Trace, violation: &Violation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let rule = violation.rule;
    let host = host_thread(trace.calls());
    let at = violation.at;
    let on = trace.calls().get(at).map_or_else(String::new, |call| {
        format!(", on {}, {}", thread(call.thread, host), call.phase)
    });
    writeln!(f, "{rule} ({}) at call {}{on}", violation.severity, at + 1)?;
    writeln!(f, "  happened:  {}", violation.message)?;
    if violation.repeats > 0 {
        let times = counted(violation.repeats, "more time", "more times");
        writeln!(f, "             and the same {times}")?;
    }
    writeln!(f, "  the rule:  {}", rule.text())?;
    for related_calls in &violation.related_calls {
        if let Some(call) = trace.calls().get(*related_calls) {
            writeln!(
                f,
                "  led by:    call {}, on {}: {}{}",
                related_calls + 1,
                thread(call.thread, host),
                action(&call.action, trace.labels()),
                arrow(call, trace.labels()),
            )?;
        }
    }
    writeln!(f, "  instead:   {}", rule.advice())?;
    writeln!(f, "  source:    {}", rule.source())
}

fn incidents(trace: &Trace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for incident in trace.incidents() {
        let name = |at: &usize| {
            trace
                .calls()
                .get(*at)
                .map_or("?", |call| call.action.name())
        };
        writeln!(f)?;
        match incident {
            Incident::Panicked { at, text } => {
                writeln!(
                    f,
                    "{} (call {}) panicked: {}",
                    name(at),
                    at + 1,
                    indented(text)
                )?;
            }
            Incident::DidNotReturn { at } => writeln!(
                f,
                "{} (call {}) had not returned when the host gave up waiting; it has to return soon and to work on threads of its own; does it wait for a lock that it holds itself?",
                name(at),
                at + 1
            )?,
            Incident::After { text } => {
                writeln!(
                    f,
                    "the look at the world after the run panicked: {}",
                    indented(text)
                )?;
            }
        }
    }
    Ok(())
}

/// A text of more than one line, whose further lines cannot be taken for lines of the report.
fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| Escaped(line).to_string()).collect();
    lines.join("\n    ")
}

fn undecided(trace: &Trace, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for undecided in trace.undecided() {
        writeln!(f, "\n{} is not decided: {}", undecided.rule, undecided.why)?;
    }
    Ok(())
}

/// The findings that a report shows in full: breaches first, so that advisory findings cannot hide
/// one.
fn shown(trace: &Trace) -> impl Iterator<Item = &Violation> {
    trace.faults().chain(trace.advisories()).take(BREACHES_MOST)
}

/// The breaches, with the calls around them.
pub(super) struct TraceReport<'a> {
    pub(super) trace: &'a Trace,
}

impl fmt::Display for TraceReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace = self.trace;
        summary(trace, f)?;
        for violation in shown(trace) {
            writeln!(f)?;
            breach(trace, violation, f)?;
        }
        let faults = trace.faults().count();
        let left = BREACHES_MOST.saturating_sub(faults);
        let more = faults.saturating_sub(BREACHES_MOST);
        if more > 0 {
            writeln!(f, "\nand {}", counted(more, "breach more", "breaches more"))?;
        }
        let more = trace.advisories().count().saturating_sub(left);
        if more > 0 {
            writeln!(
                f,
                "\nand {}",
                counted(more, "question more", "questions more")
            )?;
        }
        incidents(trace, f)?;

        let timeline = Timeline::new(trace);
        let wanted = around(trace, &timeline.lines);
        writeln!(f)?;
        Timeline::head(f)?;
        let mut next = 0;
        for place in wanted {
            if place > next {
                writeln!(f, "{:>5}", "...")?;
            }
            if let Some(line) = timeline.lines.get(place) {
                timeline.line(line, f)?;
            }
            next = place + 1;
        }
        if next < timeline.lines.len() {
            writeln!(f, "{:>5}", "...")?;
        }
        Ok(())
    }
}

/// The lines that a report shows: those at fault, those that led there, and some around each.
fn around(trace: &Trace, lines: &[TimelineLine]) -> BTreeSet<usize> {
    let mut calls: BTreeSet<usize> = BTreeSet::new();
    for violation in shown(trace) {
        calls.insert(violation.at);
        calls.extend(&violation.related_calls);
    }
    for incident in trace.incidents() {
        match incident {
            Incident::Panicked { at, .. } | Incident::DidNotReturn { at } => {
                calls.insert(*at);
            }
            // What was done to the handler, and its end.
            Incident::After { .. } => {
                let all = trace.calls().iter().enumerate();
                let done = all.filter(|(_, call)| {
                    matches!(
                        call.action,
                        Action::CancelItem { .. }
                            | Action::CancelAll
                            | Action::SkipItem { .. }
                            | Action::CallbackReleased
                    )
                });
                calls.extend(done.map(|(at, _)| at));
                calls.insert(trace.calls().len().saturating_sub(1));
            }
        }
    }
    let mut wanted = BTreeSet::new();
    for (place, line) in lines.iter().enumerate() {
        if calls.contains(&line.at()) {
            let last = (place + AROUND).min(lines.len().saturating_sub(1));
            wanted.extend(place.saturating_sub(AROUND)..=last);
        }
    }
    wanted
}

/// The timeline of one item.
pub(super) struct ItemTimeline<'a> {
    pub(super) trace: &'a Trace,
    pub(super) item: Option<ItemId>,
}

impl fmt::Display for ItemTimeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(wanted) = self.item else {
            return Ok(());
        };
        for call in self.trace.calls() {
            let is_its_own = match &call.action {
                Action::SetItemStatus { item, .. }
                | Action::CommitItem { item }
                | Action::CancelItem { item }
                | Action::SkipItem { item } => *item == wanted,
                Action::AddItem { item } | Action::ProposeItem { item } => item.id == wanted,
                Action::LogError { record } => record.item == Some(wanted),
                Action::PrepareForSync { items } => items.contains(&wanted),
                action => action.reported() == Some(wanted),
            };
            if is_its_own {
                plain(self.trace, call, f)?;
            }
        }
        Ok(())
    }
}

/// A call and its answer, without thread, phase and number.
fn plain(trace: &Trace, call: &Call, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let labels = trace.labels();
    let text = match &call.action {
        // A new round, of whichever items.
        Action::PrepareForSync { .. } => "prepare_for_sync".to_owned(),
        called => action(called, labels),
    };
    writeln!(f, "{text}{}", arrow(call, labels))
}

/// The host's calls, then each item's timeline.
pub(super) struct TimelineByItem<'a> {
    pub(super) trace: &'a Trace,
}

impl fmt::Display for TimelineByItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the host")?;
        let calls = self.trace.calls().iter();
        for call in calls.filter(|call| call.action.side() == Side::Host) {
            // What is told of one item stands there.
            if !matches!(call.action, Action::SetItemStatus { .. }) {
                write!(f, "  ")?;
                plain(self.trace, call, f)?;
            }
        }
        for item in self.trace.labels().in_order() {
            writeln!(f, "{}", self.trace.labels().item(item))?;
            let text = ItemTimeline {
                trace: self.trace,
                item: Some(item),
            };
            for line in text.to_string().lines() {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}
