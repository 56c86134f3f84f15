//! Traces as JSON lines (feature `serde`).
//!
//! The first line contains the version. Each other line is a call.
//!
//! ```text
//! {"syncmgr_trace":1}
//! {"thread":0,"phase":"idle","begun":1,"ended":2,"action":{"call":"info"},"answer":{"info":{"name":"mirror","flags":0}}}
//! ```

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::trace::Trace;
use crate::json::{Envelope, JsonError, JsonErrorKind};

/// The version of the form that is written. Every version up to it is read.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct TraceHead {
    syncmgr_trace: u64,
    /// What was done to the handler on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<String>,
}

impl Trace {
    /// The trace as JSON lines. They can be kept, and [read](Self::from_json_lines) and judged again later. (Feature `serde`.)
    ///
    /// A time in it is kept to 100 ns, which is what the contract has. What the look at the world found, after a run of an
    /// exploration, is not kept.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut text = String::new();
        let head = TraceHead {
            syncmgr_trace: VERSION,
            about: self.what_was_done().map(str::to_owned),
        };
        push(&mut text, &head);
        for call in self.calls() {
            push(&mut text, call);
        }
        text
    }

    /// Reads a trace and judges it. (Feature `serde`.)
    ///
    /// ```
    /// use syncmgr::testing::{Rule, Trace};
    ///
    /// let trace = Trace::from_json_lines(
    ///     r#"{"syncmgr_trace":1}
    ///     {"thread":0,"phase":"idle","begun":1,"ended":2,"action":{"call":"items"},
    ///      "answer":{"list":{"complete":true,"items":[{"id":"00000000-0000-0000-0000-000000000000","name":"photos","checked":true}]}}}"#
    ///         .replace("},\n", "},").as_str(),
    /// )?;
    /// assert!(trace.breaks(Rule::WellFormedItems)); // the nil id
    /// # Ok::<(), syncmgr::json::JsonError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A line is not a call, or the calls are not in the order in which they began. Empty lines are passed over.
    pub fn from_json_lines(text: &str) -> Result<Self, JsonError> {
        let mut lines = text.lines().enumerate();
        let (_, head) = lines.next().unwrap_or_default();
        let wanted = Envelope {
            head: "syncmgr_trace",
            old_head: None,
            version: VERSION,
        };
        let head: TraceHead = wanted.read(head.as_bytes()).map_err(|error| {
            let what = r#"line 1 is not the head of a trace, such as {"syncmgr_trace":1}"#;
            error.prefixed(what).at_line(1)
        })?;
        let mut calls = Vec::new();
        let mut last = None;
        for (place, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let number = place as u64 + 1;
            let call: Call = serde_json::from_str(line).map_err(|source| {
                let what = format!("line {number} is not a call");
                JsonError::invalid(JsonErrorKind::InvalidData, &what, source).in_line(number)
            })?;
            let after = last.is_none_or(|last| call.begun > last);
            if !after || call.ended.is_some_and(|ended| ended <= call.begun) {
                let ends = match call.ended {
                    Some(at) => format!("ends at {at}"),
                    None => "does not end".to_owned(),
                };
                let message = format!(
                    "the call in line {number} begins at {} and {ends}; it has to begin after the calls before it, and to end after it began",
                    call.begun
                );
                return Err(JsonError::new(JsonErrorKind::InvalidData, message).at_line(number));
            }
            last = Some(call.begun);
            calls.push(call);
        }
        Ok(Self::from_calls(calls).about(head.about))
    }
}

fn push<T: Serialize>(text: &mut String, value: &T) {
    // Nothing here has a key that is no text, which is all that can go wrong.
    if let Ok(line) = serde_json::to_string(value) {
        text.push_str(&line);
        text.push('\n');
    }
}
