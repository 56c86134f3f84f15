//! Traces written by hand, call by call: each with just the place in time that a case needs.

use syncmgr::testing::{Rule, Trace};

/// Ids as a trace writes them.
pub const ONE: &str = "00000000-0000-0000-0000-000000000001";
pub const TWO: &str = "00000000-0000-0000-0000-000000000002";
pub const THREE: &str = "00000000-0000-0000-0000-000000000003";
pub const FOUR: &str = "00000000-0000-0000-0000-000000000004";
pub const NIL: &str = "00000000-0000-0000-0000-000000000000";

pub const NONE: &str = r#""none""#;
pub const DONE: &str = r#""done""#;
pub const CONTINUE: &str = r#"{"verdict":"continue"}"#;
pub const CANCEL: &str = r#"{"verdict":"cancel_item"}"#;
pub const CANCEL_ALL: &str = r#"{"verdict":"cancel_all"}"#;
pub const STARTED: &str = r#"{"prepared":"started"}"#;

/// The updates of reports.
pub const UPDATING: &str = r#""status":"updating""#;
pub const SUCCEEDED: &str = r#""status":"succeeded""#;
pub const FAILED: &str = r#""status":"failed""#;

pub const CANCELS_ALL: &str = r#"{"call":"cancel_all"}"#;
pub const GAVE_UP: &str = r#"{"call":"gave_up"}"#;
pub const RELEASED: &str = r#"{"call":"callback_released"}"#;
pub const DROPPED: &str = r#"{"call":"handler_dropped"}"#;
pub const SYNCHRONIZE: &str = r#"{"call":"synchronize"}"#;
pub const TAKEN_AWAY: &str = r#"{"call":"set_progress_callback","set":null}"#;

pub fn set_callback(number: u32) -> String {
    format!(r#"{{"call":"set_progress_callback","set":{number}}}"#)
}

pub fn prepare(items: &[&str]) -> String {
    format!(r#"{{"call":"prepare_for_sync","items":{}}}"#, list(items))
}

pub fn list(items: &[&str]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    format!("[{}]", quoted.join(","))
}

/// The answer of `items`: these ids, with their names.
pub fn listed(items: &[(&str, &str)]) -> String {
    let items: Vec<String> = items.iter().map(|(id, name)| item(id, name)).collect();
    format!(
        r#"{{"list":{{"complete":true,"items":[{}]}}}}"#,
        items.join(",")
    )
}

pub fn item(id: &str, name: &str) -> String {
    format!(r#"{{"id":"{id}","name":"{name}","checked":true}}"#)
}

pub fn progress(item: &str, update: &str) -> String {
    format!(r#"{{"call":"progress","item":"{item}","update":{{{update}}}}}"#)
}

/// `show_error_completed` and its like.
pub fn completed(what: &str, result: &str) -> String {
    format!(r#"{{"call":"{what}_completed","result":"{result}"}}"#)
}

/// An action with one argument, which is an id or another text.
pub fn with(call: &str, argument: &str, value: &str) -> String {
    format!(r#"{{"call":"{call}","{argument}":"{value}"}}"#)
}

pub fn skip(item: &str, status: &str) -> String {
    format!(r#"{{"call":"set_item_status","item":"{item}","status":"{status}"}}"#)
}

pub fn modeless(enable: bool) -> String {
    format!(r#"{{"call":"enable_modeless","enable":{enable}}}"#)
}

pub fn failed(code: &str) -> String {
    format!(r#"{{"failed":{{"code":"{code}","text":"x"}}}}"#)
}

/// A trace to be. Each call takes the next place in time, unless it is given one.
#[derive(Clone)]
pub struct Lines {
    calls: Vec<(u64, String)>,
    phase: &'static str,
    now: u64,
}

impl Lines {
    pub fn new() -> Self {
        Self {
            calls: Vec::new(),
            phase: "idle",
            now: 0,
        }
    }

    /// The phase of the calls from here on.
    pub fn phase(mut self, phase: &'static str) -> Self {
        self.phase = phase;
        self
    }

    /// A call with all that it has: the callback's number, 0 where it is none of the handler's; the end, 0 where it has not
    /// returned.
    pub fn call(
        mut self,
        thread: u32,
        callback: u32,
        (begun, ended): (u64, u64),
        action: &str,
        answer: &str,
    ) -> Self {
        let end = match ended {
            0 => "null".to_owned(),
            ended => ended.to_string(),
        };
        let on = match callback {
            0 => String::new(),
            number => format!(r#""callback":{number},"#),
        };
        let phase = self.phase;
        let line = format!(
            r#"{{"thread":{thread},"phase":"{phase}","begun":{begun},"ended":{end},{on}"action":{action},"answer":{answer}}}"#
        );
        self.calls.push((begun, line));
        self.now = self.now.max(begun).max(ended);
        self
    }

    /// The next place in time.
    pub fn next(&self) -> (u64, u64) {
        (self.now + 1, self.now + 2)
    }

    /// A call of the host, or a note, on thread 0.
    pub fn host(self, action: &str, answer: &str) -> Self {
        let time = self.next();
        self.call(0, 0, time, action, answer)
    }

    /// The same at this time.
    pub fn host_at(self, time: (u64, u64), action: &str, answer: &str) -> Self {
        self.call(0, 0, time, action, answer)
    }

    /// A call on callback 1, on thread 1.
    pub fn handler(self, action: &str, answer: &str) -> Self {
        let time = self.next();
        self.call(1, 1, time, action, answer)
    }

    /// The same at this time, on this thread.
    pub fn handler_at(self, thread: u32, time: (u64, u64), action: &str, answer: &str) -> Self {
        self.call(thread, 1, time, action, answer)
    }

    /// A report on thread 1 that is answered Continue.
    pub fn report(self, item: &str, update: &str) -> Self {
        self.handler(&progress(item, update), CONTINUE)
    }

    /// The items are listed as `one`, `two`, `three`, and those of this round prepared, on callback 1: six calls.
    pub fn prepared(items: &[&str]) -> Self {
        let known = listed(&[(ONE, "one"), (TWO, "two"), (THREE, "three")]);
        Self::new()
            .host(
                r#"{"call":"initialize","flags":3,"cookie":null}"#,
                r#"{"participation":"joins"}"#,
            )
            .host(r#"{"call":"items"}"#, &known)
            .host(&set_callback(1), DONE)
            .phase("preparing")
            .host(&prepare(items), STARTED)
            .handler(&completed("prepare_for_sync", "S_OK"), DONE)
            .phase("prepared")
    }

    /// The same, and they are synchronized: seven calls.
    pub fn synchronizing(items: &[&str]) -> Self {
        Self::prepared(items)
            .phase("synchronizing")
            .host(SYNCHRONIZE, DONE)
    }

    /// The synchronization is completed.
    pub fn complete(self) -> Self {
        self.handler(&completed("synchronize", "S_OK"), DONE)
            .phase("completed")
    }

    pub fn trace(mut self) -> Trace {
        self.calls.sort();
        let mut text = "{\"syncmgr_trace\":1}\n".to_owned();
        for (_, line) in &self.calls {
            text.push_str(line);
            text.push('\n');
        }
        Trace::from_json_lines(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The trace breaks these rules, in this order.
    #[track_caller]
    pub fn breaks(self, wanted: &[Rule]) -> Trace {
        let trace = self.trace();
        let rules: Vec<Rule> = trace.violations().iter().map(|found| found.rule).collect();
        assert_eq!(rules, wanted, "{trace}");
        trace
    }

    /// The trace breaks this rule alone, at the call of this number, counted from 1, which the calls of these numbers led to, in
    /// these words.
    #[track_caller]
    pub fn says(self, rule: Rule, at: usize, related_calls: &[usize], message: &str) {
        let trace = self.breaks(&[rule]);
        let found = &trace.violations()[0];
        assert_eq!(found.message, message, "{trace}");
        assert_eq!(found.at + 1, at, "{trace}");
        let led: Vec<usize> = found.related_calls.iter().map(|place| place + 1).collect();
        assert_eq!(led, related_calls, "{trace}");
    }

    /// What cannot be judged, and why; no rule is broken.
    #[track_caller]
    pub fn undecided(self) -> Vec<(Rule, String)> {
        let trace = self.breaks(&[]);
        let undecided = trace.undecided().iter();
        undecided
            .map(|undecided| (undecided.rule, undecided.why.clone()))
            .collect()
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}
