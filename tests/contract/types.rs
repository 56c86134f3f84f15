//! Every public type: it crosses threads and prints itself; data can be copied, compared and hashed; errors are errors.

use std::error::Error;
use std::fmt::Debug;
use std::hash::Hash;

use syncmgr::{Connector, SyncCallback, SyncHandler};

/// What a type of each kind is, beside `Debug`.
trait Shared: Debug + Send + Sync + 'static {}
impl<T: Debug + Send + Sync + 'static> Shared for T {}

/// It belongs to one thread.
trait Local: Debug + 'static {}
impl<T: Debug + 'static> Local for T {}

trait Sent: Debug + Send + 'static {}
impl<T: Debug + Send + 'static> Sent for T {}

trait Data: Shared + Clone + Eq + Hash {}
impl<T: Shared + Clone + Eq + Hash> Data for T {}

trait Number: Data + Copy {}
impl<T: Data + Copy> Number for T {}

trait Refusal: Shared + Error {}
impl<T: Shared + Error> Refusal for T {}

/// Checks what the types are, and answers their names.
macro_rules! are {
    ($kind:ident: $($type:ty),+ $(,)?) => {{
        fn is<T: $kind>() {}
        $(is::<$type>();)+
        [$(name(stringify!($type))),+]
    }};
}

/// The last part of a path, without what it is generic over.
fn name(path: &str) -> String {
    let path = path.split('<').next().unwrap_or(path);
    let last = path.rsplit("::").next().unwrap_or(path);
    last.trim().to_owned()
}

fn at_the_root() -> Vec<String> {
    use syncmgr::raw::{LogInfoMask, ProgressMask};
    use syncmgr::*;
    let mut names = Vec::new();
    names.extend(are!(Number:
        Completion, Cursor, Dialog, ErrorFlags, ErrorId, ErrorOutcome<'static>, HResult, HandlerFlags, HandlerId, InvokeFlags,
        ItemFlags, ItemId, ItemStatus, LogInfoMask, LogLevel, LogSelector, Outcome, OutcomeCounts, Participation, Phase, Prepared,
        ProgressMask, PropertiesOutcome, RefusedCompletion, RegisterFlags, RunProgress, SyncEvent,
        SyncFlags, Totals, Verdict,
    ));
    names.extend(are!(Data:
        Changes, Choices, HandlerInfo, HandlerName, HostEvent, ItemList, ItemName, ItemView, Listing, LogEntry, LogFilter, LogRecord<'static>, ProgressUpdate<'static>,
        Registration, RunChanges, SessionSnapshot, SyncItem,
    ));
    names.extend(are!(Refusal: BuildError, CallbackError, ProtocolViolation, ManagerError, ValueError, WaitError, WaitTimeout));
    are!(Data: BuildError, CallbackError, ProtocolViolation, ManagerError, ValueError, WaitError, WaitTimeout);
    // It carries any error, and so cannot be compared.
    names.extend(are!(Refusal: HandlerError));
    names.extend(are!(Shared:
        CancelGuard<'static>, Connections, DialogArbiter, HandlerReport, ItemCounter<'static>, ItemReporter, Observer, Run, RunObserver, RunReport, Running,
        Session, SessionBuilder, SessionDriver<'static>, SyncManager, SyncManagerBuilder,
        ThrottledObserver<Observer, fn() -> std::future::Ready<()>, std::future::Ready<()>>,
    ));
    // It carries closures that are called by one thread.
    names.extend(are!(Sent: RunOptions));
    names
}

fn of_per_item() -> Vec<String> {
    use syncmgr::per_item::*;
    let mut names = Vec::new();
    names.extend(are!(Refusal: Cancelled));
    are!(Number: Cancelled);
    names.extend(are!(Shared:
        Batch<(), ()>, BatchEntry<'static, (), ()>, BatchItem<()>, BatchReport<(), ()>, BatchValues<()>,
        HandlerBuilder, Payload<()>, ProgressReader<'static, std::fs::File, SharedContext>, ProgressWriter<'static, std::fs::File, SharedContext>,
        SharedContext, TaskContext,
    ));
    names.extend(are!(Local: ItemContext, ProgressIter<'static, std::vec::IntoIter<u8>>));
    names
}

fn of_testing() -> Vec<String> {
    use syncmgr::testing::mock::*;
    use syncmgr::testing::*;
    let mut names = Vec::new();
    names.extend(are!(Number: Rule, Severity, Side));
    names.extend(are!(Data: Action, Answer, Call, Incident, Intervention, Listed, Inconclusive, Violation, ItemRef));
    names.extend(are!(Shared: Expect, Exploration, Recorder, Script, ScriptedHost, Step, Trace));
    names.extend(are!(Sent: Harness));
    names
}

fn of_json() -> Vec<String> {
    use syncmgr::json::*;
    let mut names = Vec::new();
    names.extend(are!(Refusal: JsonError));
    names.extend(are!(Number: JsonErrorKind));
    names.extend(are!(Shared:
        HandlerReportData, StreamMessage, RunReportData, StreamSummary, StreamReader<std::io::Empty>, StreamWriter<Vec<u8>>,
    ));
    names
}

fn of_render() -> Vec<String> {
    use syncmgr::render::*;
    let mut names = Vec::from(are!(Shared: Shown));
    // They carry what they draw to, which one thread does.
    names.extend(are!(Sent: Bars, Frames));
    names
}

fn of_telemetry() -> Vec<String> {
    use syncmgr::telemetry::*;
    are!(Shared: Telemetry, TelemetryHandle).into()
}

/// The names of all types here.
fn all() -> Vec<String> {
    let mut names = at_the_root();
    names.extend(of_per_item());
    names.extend(of_testing());
    names.extend(of_json());
    names.extend(of_render());
    names.extend(of_telemetry());
    names.sort();
    names
}

/// The types that the list of the public API has.
fn listed() -> Vec<String> {
    let mut names: Vec<String> = include_str!("../../docs/public-api.txt")
        .lines()
        .map(|line| line.trim_start_matches("#[non_exhaustive] "))
        .filter_map(|line| {
            line.strip_prefix("pub struct ")
                .or_else(|| line.strip_prefix("pub enum "))
        })
        .map(|rest| name(rest.split('(').next().unwrap_or(rest)))
        .collect();
    names.sort();
    names
}

#[test]
fn every_public_type_is_what_its_kind_is() {
    let (here, listed) = (all(), listed());
    let strange: Vec<_> = here.iter().filter(|name| !listed.contains(name)).collect();
    assert!(
        strange.is_empty(),
        "not in docs/public-api.txt: {strange:?}"
    );
    assert_eq!(
        here, listed,
        "a type of docs/public-api.txt is not checked here"
    );
}

#[test]
fn what_stands_behind_a_trait_crosses_threads() {
    fn is<T: Send + Sync + ?Sized>() {}
    is::<dyn Connector>();
    is::<dyn SyncCallback>();
    is::<dyn SyncHandler>();
    is::<dyn syncmgr::per_item::PerItem>();
}
