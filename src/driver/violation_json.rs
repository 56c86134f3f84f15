//! Serialization of protocol violations (feature `serde`).

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::report::ProtocolViolation;
use crate::session::{BuildError, Completion, RefusedCompletion};
use crate::{CallbackError, HResult, Phase};

/// The names that a fault gives to calls.
const CALLS: [&str; 16] = [
    "the factory",
    "initialize",
    "info",
    "items",
    "set_progress_callback",
    "prepare_for_sync",
    "synchronize",
    "set_item_status",
    "item_object",
    "show_properties",
    "show_error",
    "drop",
    "prepare_for_sync_completed",
    "synchronize_completed",
    "show_properties_completed",
    "show_error_completed",
];

/// What stands for a call that is none of them: a fault made elsewhere, or by a later version.
const OTHER: &str = "another call";

fn call(name: &str) -> &'static str {
    let mut known = CALLS.into_iter();
    known.find(|known| *known == name).unwrap_or(OTHER)
}

/// A fault, and beside it what it says and its code, for whoever reads the file without this crate.
#[derive(Serialize)]
struct ViolationDocument<'a> {
    #[serde(flatten)]
    fault: ViolationForm,
    text: &'a str,
    hresult: HResult,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
enum ViolationForm {
    Panicked {
        call: String,
        message: String,
    },
    NotCompleted {
        call: String,
        #[serde(with = "crate::contract::serde_time::span")]
        after: Duration,
    },
    DidNotReturn {
        call: String,
        #[serde(with = "crate::contract::serde_time::span")]
        after: Duration,
    },
    RefusedCompletion {
        call: Completion,
        result: HResult,
        phase: Phase,
    },
    UnexpectedCompletion {
        call: String,
    },
    BadItems {
        error: BuildError,
    },
    BadRetry {
        error: CallbackError,
    },
}

impl Serialize for ProtocolViolation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = |call: &&str| (*call).to_owned();
        let fault = match self {
            Self::Panicked { call, message } => ViolationForm::Panicked {
                call: name(call),
                message: message.clone(),
            },
            Self::NotCompleted { call, after } => ViolationForm::NotCompleted {
                call: name(call),
                after: *after,
            },
            Self::DidNotReturn { call, after } => ViolationForm::DidNotReturn {
                call: name(call),
                after: *after,
            },
            Self::RefusedCompletion(refused) => ViolationForm::RefusedCompletion {
                call: refused.call,
                result: refused.result,
                phase: refused.phase,
            },
            Self::UnexpectedCompletion { call } => {
                ViolationForm::UnexpectedCompletion { call: name(call) }
            }
            Self::BadItems(error) => ViolationForm::BadItems {
                error: error.clone(),
            },
            Self::BadRetry(error) => ViolationForm::BadRetry { error: *error },
        };
        let (text, hresult) = (&*self.to_string(), self.hresult());
        ViolationDocument {
            fault,
            text,
            hresult,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProtocolViolation {
    /// The name of a call that this version does not know is read as `another call`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match ViolationForm::deserialize(deserializer)? {
            ViolationForm::Panicked {
                call: name,
                message,
            } => Self::Panicked {
                call: call(&name),
                message,
            },
            ViolationForm::NotCompleted { call: name, after } => Self::NotCompleted {
                call: call(&name),
                after,
            },
            ViolationForm::DidNotReturn { call: name, after } => Self::DidNotReturn {
                call: call(&name),
                after,
            },
            ViolationForm::RefusedCompletion {
                call,
                result,
                phase,
            } => Self::RefusedCompletion(RefusedCompletion {
                call,
                result,
                phase,
            }),
            ViolationForm::UnexpectedCompletion { call: name } => {
                Self::UnexpectedCompletion { call: call(&name) }
            }
            ViolationForm::BadItems { error } => Self::BadItems(error),
            ViolationForm::BadRetry { error } => Self::BadRetry(error),
        })
    }
}
