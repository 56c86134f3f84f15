//! A call of the handler: whatever happens in it, the driver goes on.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::call_monitor::CallMonitor;
use super::report::ProtocolViolation;
use crate::session::Session;
use crate::util::panic::panicked;
use crate::{HResult, HandlerError, LogLevel, LogRecord, SyncCallback, SyncHandler};

/// How a run ended.
pub(crate) struct RunEnd {
    pub(crate) result: HResult,
    pub(crate) error: Option<String>,
}

impl RunEnd {
    pub(crate) fn of(result: HResult) -> Self {
        Self {
            result,
            error: None,
        }
    }

    /// A result that came from this call, with what it said.
    pub(crate) fn by(call: &'static str, result: HResult, text: impl fmt::Display) -> Self {
        Self {
            result,
            error: Some(format!("{call}: {text}")),
        }
    }

    /// Where there is nothing to go on with, an error that carries `S_OK` is still none.
    pub(crate) fn failed(self) -> Self {
        let result = match self.result {
            HResult::S_OK => HResult::E_UNEXPECTED,
            code => code,
        };
        Self { result, ..self }
    }
}

/// Calls a method of the handler; a panic ends the run, and so does a supervisor who gave it up meanwhile. An error is put into
/// words here, since that is the handler's code too, and so is its drop.
pub(crate) fn call<R>(
    handler: &Arc<dyn SyncHandler>,
    session: Option<&Session>,
    monitor: &CallMonitor,
    faults: &mut Vec<ProtocolViolation>,
    name: &'static str,
    method: impl FnOnce(Arc<dyn SyncHandler>) -> Result<R, HandlerError>,
) -> Result<Result<R, RunEnd>, RunEnd> {
    let inside = monitor.enter(name);
    let called =
        || method(Arc::clone(handler)).map_err(|error| RunEnd::by(name, error.hresult(), &error));
    let result = catch_unwind(AssertUnwindSafe(called));
    drop(inside);
    let result = result.map_err(|payload| {
        let fault = ProtocolViolation::Panicked {
            call: name,
            message: panicked(payload),
        };
        let text = fault.to_string();
        log(session, LogLevel::Error, &text);
        faults.push(fault);
        RunEnd {
            result: HResult::E_UNEXPECTED,
            error: Some(text),
        }
    })?;
    let Some(after) = monitor.take_given_up() else {
        return Ok(result);
    };
    let fault = ProtocolViolation::DidNotReturn { call: name, after };
    let error = Some(fault.to_string());
    faults.push(fault);
    Err(RunEnd {
        result: HResult::E_ABORT,
        error,
    })
}

/// The driver's own entry in the session's log. A full log loses it; the report has it as well.
pub(crate) fn log(session: Option<&Session>, level: LogLevel, text: &str) {
    if let Some(session) = session {
        let _ = session.log_error(&LogRecord::new(level, text));
    }
}
