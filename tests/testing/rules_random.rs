//! Random handlers that keep every rule are clean under whatever the harness does; one breach put into them is found, and
//! nothing else.
//!
//! A failure prints its seed. `RULES_SEED=…` takes that one, `PROPTEST_CASES=…` tries more cases.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};
use support::rules;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use syncmgr::testing::mock::{Script, Step};
use syncmgr::testing::{Harness, Intervention, Rule, Severity, Trace};
use syncmgr::{
    ErrorId, HResult, HandlerFlags, ItemFlags, ItemId, ItemStatus, LogLevel, LogRecord,
    LogSelector, Prepared, ProgressUpdate, SyncEvent, SyncFlags, Uuid,
};

use support::{LIMIT, id, item, status, value};

// The handlers ----------------------------------------------------------------------------------------------------

/// One thing that a handler does while it works on an item.
#[derive(Clone, Debug)]
enum Do {
    Report {
        status: Option<ItemStatus>,
        value: Option<u64>,
        max: Option<u64>,
        text: bool,
    },
    Ask,
    AskForAll,
    Log {
        error: Option<u8>,
        jump: bool,
        of_item: bool,
    },
    /// Deletes an error that was logged before on the same item's way, or everything.
    Delete(Option<u8>),
}

/// What a handler does for one item.
#[derive(Clone, Debug)]
struct Work {
    does: Vec<Do>,
    /// None: the script ends it of its own accord.
    end: Option<ItemStatus>,
    fails_after: bool,
    asks_after: bool,
    on_thread: bool,
    /// It is not listed, and added when its turn comes.
    added: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrepareAs {
    Inline,
    OnThread,
    NeedsUser,
    Refuses,
    CompletesWith(HResult),
}

#[derive(Clone, Debug)]
struct Plan {
    items: Vec<Work>,
    prepare: PrepareAs,
    /// Asks for verdicts, logs and connects while it prepares.
    asks_early: bool,
    inline: bool,
    fails: bool,
    dialogs: u8,
    connects: u8,
    logs_at_release: bool,
    properties: bool,
    /// What a shown error retries: by places.
    retry: Option<Vec<bool>>,
    incomplete: bool,
}

fn a_status() -> impl Strategy<Value = ItemStatus> {
    prop_oneof![
        Just(ItemStatus::Pending),
        Just(ItemStatus::Updating),
        Just(ItemStatus::Updating),
        Just(ItemStatus::Paused),
        Just(ItemStatus::Resuming),
        Just(ItemStatus::UpdatingIndeterminate),
    ]
}

fn an_end() -> impl Strategy<Value = ItemStatus> {
    prop_oneof![
        Just(ItemStatus::Succeeded),
        Just(ItemStatus::Succeeded),
        Just(ItemStatus::Failed),
        Just(ItemStatus::Skipped),
        Just(ItemStatus::Stopped),
        Just(ItemStatus::Deleted),
    ]
}

fn a_do() -> impl Strategy<Value = Do> {
    prop_oneof![
        6 => (option::of(a_status()), option::of(0..50_u64), option::of(0..40_u64), any::<bool>())
            .prop_map(|(status, value, max, text)| Do::Report { status, value, max, text }),
        1 => Just(Do::Ask),
        1 => Just(Do::AskForAll),
        2 => (option::of(0..3_u8), any::<bool>(), any::<bool>())
            .prop_map(|(error, jump, of_item)| Do::Log { error, jump, of_item }),
        1 => option::of(0..3_u8).prop_map(Do::Delete),
    ]
}

fn a_work() -> impl Strategy<Value = Work> {
    (
        vec(a_do(), 0..6),
        option::weighted(0.8, an_end()),
        any::<(bool, bool, bool)>(),
        proptest::bool::weighted(0.15),
    )
        .prop_map(
            |(does, end, (fails_after, asks_after, on_thread), added)| Work {
                does,
                end,
                fails_after,
                asks_after,
                on_thread,
                added,
            },
        )
}

fn a_plan() -> impl Strategy<Value = Plan> {
    let prepare = prop_oneof![
        8 => Just(PrepareAs::Inline),
        6 => Just(PrepareAs::OnThread),
        1 => Just(PrepareAs::NeedsUser),
        1 => Just(PrepareAs::Refuses),
        1 => Just(PrepareAs::CompletesWith(HResult::E_FAIL)),
        1 => Just(PrepareAs::CompletesWith(HResult::S_FALSE)),
    ];
    (
        vec(a_work(), 1..5),
        prepare,
        any::<(bool, bool, bool, bool, bool)>(),
        proptest::bool::weighted(0.05),
        (0..3_u8, 0..3_u8),
        option::of(vec(any::<bool>(), 4)),
    )
        .prop_map(
            |(items, prepare, flags, fails, (dialogs, connects), retry)| {
                let (asks_early, inline, logs_at_release, properties, incomplete) = flags;
                Plan {
                    items,
                    prepare,
                    asks_early,
                    inline,
                    fails,
                    dialogs,
                    connects,
                    logs_at_release,
                    properties,
                    retry,
                    incomplete,
                }
            },
        )
}

fn error(number: u8) -> ErrorId {
    ErrorId::from_u128(0xE000 + u128::from(number))
}

/// The items of a plan have the ids from 1 on, in order.
fn id_of(place: usize) -> ItemId {
    id(place as u128 + 1)
}

/// The steps of one item: a value and a maximum that belong together, whatever was drawn.
fn steps_of(work: &Work, of: ItemId) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut now, mut most, mut unknown, mut begun) = (0_u64, 0_u64, false, false);
    let mut logged = BTreeSet::new();
    for does in &work.does {
        match does {
            Do::Report {
                status,
                value,
                max,
                text,
            } => {
                let mut step = Step::report(of);
                // The first report tells of no work.
                let mut told = value.map(|value| if begun { value } else { 0 });
                if let Some(status) = status {
                    step = step.status(*status);
                    let was_unknown = unknown;
                    unknown = *status == ItemStatus::UpdatingIndeterminate;
                    if was_unknown && !unknown && most > 0 && now > most {
                        told = told.or(Some(most)); // its value may be too high only so long
                    }
                }
                if let Some(max) = max {
                    let least = if told.is_some() || unknown { 0 } else { now };
                    most = if *max == 0 { 0 } else { (*max).max(least) };
                    step = step.max(most);
                }
                if let Some(told) = &mut told {
                    if most > 0 && !unknown {
                        *told = (*told).min(most);
                    }
                    now = *told;
                    step = step.value(now);
                }
                if *text {
                    step = step.text("at work");
                }
                // After a cancel of everything an item's first report asks, or says that it is
                // updating.
                if !begun && *status != Some(ItemStatus::Updating) {
                    steps.push(Step::check(of));
                }
                begun = true;
                steps.push(step);
            }
            Do::Ask => {
                begun = true;
                steps.push(Step::check(of));
            }
            Do::AskForAll => steps.push(Step::can_continue()),
            Do::Log {
                error: number,
                jump,
                of_item,
            } => {
                let mut record = LogRecord::new(LogLevel::Warning, "slow");
                if let Some(number) = number {
                    logged.insert(*number);
                    record = match jump {
                        true => record.jump_text(error(*number)),
                        false => record.error_id(error(*number)),
                    };
                }
                if *of_item {
                    record = record.item(of);
                }
                steps.push(Step::log(&record));
            }
            Do::Delete(Some(number)) if logged.contains(number) => {
                steps.push(Step::delete_log(LogSelector::ById(error(*number))));
            }
            Do::Delete(Some(_)) => {}
            Do::Delete(None) => steps.push(Step::delete_log(LogSelector::All)),
        }
    }
    // Not without a question before, if it succeeds.
    if !begun {
        steps.push(Step::check(of));
    }
    if let Some(end) = work.end {
        steps.push(Step::report(of).status(end));
        if work.asks_after {
            steps.push(Step::check(of));
        }
        if work.fails_after {
            steps.push(Step::report(of).status(ItemStatus::Failed));
        }
    }
    steps
}

/// What is put into a handler besides its plan.
#[derive(Default)]
struct Extra {
    items: Vec<syncmgr::SyncItem>,
    /// Before the items' work.
    first: Vec<Step>,
    /// After the items' work.
    last: Vec<Step>,
    prepare: Vec<Step>,
    show_error: Option<Vec<Step>>,
    show_properties: Option<Vec<Step>>,
}

impl Plan {
    /// A script of the plan. `settings` may change it in the end.
    fn script(&self, extra: Extra) -> Script {
        let mut script = Script::new().name("random");
        if self.connects > 0 {
            script = script.flags(HandlerFlags::MAY_ESTABLISH_CONNECTION);
        }
        if self.incomplete {
            script = script.incomplete();
        }
        // One that fails does so when its work is done: its threads would go on after the release.
        if self.inline || self.fails {
            script = script.inline();
        }
        let mut steps = extra.first;
        for (place, work) in self.items.iter().enumerate() {
            let (of, listed) = (id_of(place), item(place as u128 + 1));
            let mut work_steps = Vec::new();
            if work.added {
                work_steps.push(Step::add_item(listed));
            } else {
                script = script.sync_item(listed);
            }
            work_steps.extend(steps_of(work, of));
            if place < usize::from(self.connects) {
                work_steps.insert(0, Step::connect(Some("vpn")));
            }
            if work.on_thread {
                steps.push(Step::spawn(work_steps));
            } else {
                // Dialogs come from one thread only: a second turn at once would be a breach.
                for _ in 0..self.dialogs.saturating_sub(place as u8) {
                    steps.push(Step::dialog());
                }
                steps.extend(work_steps);
            }
        }
        for listed in extra.items {
            script = script.sync_item(listed);
        }
        steps.extend(extra.last);

        let mut prepare = Vec::new();
        if self.asks_early {
            if !self.items[0].added {
                prepare.push(Step::check(id_of(0)));
            }
            prepare.push(Step::log(&LogRecord::new(
                LogLevel::Information,
                "prepares",
            )));
            if self.dialogs > 0 {
                prepare.push(Step::dialog());
            }
            if self.connects > 0 {
                prepare.push(Step::connect(None));
            }
        }
        prepare.extend(extra.prepare);
        script = match self.prepare {
            PrepareAs::Inline => script.prepare(prepare),
            PrepareAs::OnThread => script.prepare_on_thread(prepare),
            PrepareAs::NeedsUser => script.prepare(prepare).prepared(Ok(Prepared::NeedsUser)),
            PrepareAs::Refuses => script.prepare(prepare).prepared(Err(HResult::E_FAIL)),
            PrepareAs::CompletesWith(code) => {
                prepare.push(Step::complete_prepare(code));
                script.prepare(prepare)
            }
        };
        if self.fails {
            script = script.synchronized(Err(HResult::E_FAIL));
        }
        if self.logs_at_release {
            let bye = LogRecord::new(LogLevel::Information, "bye");
            script = script.release([Step::log(&bye)]);
        }
        if let Some(steps) = extra.show_properties {
            script = script.show_properties(steps, Ok(()));
        } else if self.properties {
            let done = Step::complete_show_properties(HResult::S_OK);
            script = script.show_properties([done], Ok(()));
        }
        if let Some(steps) = extra.show_error {
            script = script.show_error(steps, Ok(()));
        } else if let Some(retry) = &self.retry {
            let again: Vec<ItemId> = (0..self.items.len())
                .filter(|place| retry.get(*place) == Some(&true))
                .filter(|place| !self.items[*place].added)
                .map(id_of)
                .collect();
            let code = if again.is_empty() {
                HResult::S_OK
            } else {
                HResult::S_SYNCMGR_RETRYSYNC
            };
            let steps = [Step::dialog(), Step::complete_show_error(code, again)];
            script = script.show_error(steps, Ok(()));
        } else {
            script = script.show_error([], Err(HResult::E_NOTIMPL));
        }
        script.synchronize(steps)
    }

    fn flags(&self) -> SyncFlags {
        let flags = SyncFlags::new(SyncEvent::Scheduled);
        match self.dialogs {
            0 => flags,
            _ => flags | SyncFlags::MAY_BOTHER_USER,
        }
    }
}

// What the harness does -------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Setting {
    CancelItem(u8),
    CancelAll(u8),
    CancelItemOf(u8, u8),
    CancelAllOf(u8, u8),
    CancelWhenValue(u64),
    Skip(u8),
    SkipInSynchronize(u8),
    SkipAt(u8, u8),
    SkipNextAt(u8, u8),
    ReleaseAt(u8, u8),
    DenyDialogs,
    DenyDialog(u8),
    RefuseConnections,
    RefuseConnection(u8),
    FullLog,
    FullLogAt(u8),
    ShowErrors(u8),
    Properties(Option<u8>),
    Object(u8),
    Cookie,
    Select(Vec<bool>),
}

fn harmless() -> impl Strategy<Value = Setting> {
    prop_oneof![
        Just(Setting::RefuseConnections),
        (1..4_u8).prop_map(Setting::RefuseConnection),
        Just(Setting::DenyDialogs),
        (1..4_u8).prop_map(Setting::DenyDialog),
        (0..4_u8).prop_map(Setting::Object),
        Just(Setting::Cookie),
    ]
}

fn a_setting() -> impl Strategy<Value = Setting> {
    let report = || (0..4_u8, 1..6_u8);
    prop_oneof![
        2 => (1..16_u8).prop_map(Setting::CancelItem),
        2 => (1..16_u8).prop_map(Setting::CancelAll),
        2 => report().prop_map(|(item, report)| Setting::CancelItemOf(item, report)),
        1 => report().prop_map(|(item, report)| Setting::CancelAllOf(item, report)),
        1 => (0..20_u64).prop_map(Setting::CancelWhenValue),
        1 => (0..4_u8).prop_map(Setting::Skip),
        1 => (0..4_u8).prop_map(Setting::SkipInSynchronize),
        1 => report().prop_map(|(item, report)| Setting::SkipAt(item, report)),
        1 => report().prop_map(|(item, report)| Setting::SkipNextAt(item, report)),
        1 => report().prop_map(|(item, report)| Setting::ReleaseAt(item, report)),
        1 => Just(Setting::FullLog),
        1 => (1..6_u8).prop_map(Setting::FullLogAt),
        2 => (0..4_u8).prop_map(Setting::ShowErrors),
        1 => option::of(0..4_u8).prop_map(Setting::Properties),
        1 => vec(any::<bool>(), 4).prop_map(Setting::Select),
        3 => harmless(),
    ]
}

fn set(harness: Harness, setting: &Setting) -> Harness {
    let of = |place: &u8| id_of(usize::from(*place));
    match setting {
        Setting::CancelItem(report) => harness.cancel_item_at((*report).into()),
        Setting::CancelAll(report) => harness.cancel_all_at((*report).into()),
        Setting::CancelItemOf(item, report) => {
            harness.cancel_item_at_report(of(item), (*report).into())
        }
        Setting::CancelAllOf(item, report) => harness.intervene(Intervention::CancelAll {
            item: of(item).into(),
            report: (*report).into(),
        }),
        Setting::CancelWhenValue(least) => {
            let least = *least;
            harness.cancel_item_when(move |call| {
                call.action
                    .update()
                    .value
                    .is_some_and(|value| value >= least)
            })
        }
        Setting::Skip(item) => harness.skip(of(item)),
        Setting::SkipInSynchronize(item) => {
            harness.intervene(Intervention::SkipInSynchronize(of(item).into()))
        }
        Setting::SkipAt(item, report) => harness.intervene(Intervention::Skip {
            item: of(item).into(),
            report: (*report).into(),
        }),
        Setting::SkipNextAt(item, report) => harness.intervene(Intervention::SkipNext {
            item: of(item).into(),
            report: (*report).into(),
        }),
        Setting::ReleaseAt(item, report) => harness.intervene(Intervention::Release {
            item: of(item).into(),
            report: (*report).into(),
        }),
        Setting::DenyDialogs => harness.deny_dialogs(),
        Setting::DenyDialog(call) => harness.intervene(Intervention::DenyDialog((*call).into())),
        Setting::RefuseConnections => harness.refuse_connections(),
        Setting::RefuseConnection(call) => {
            harness.intervene(Intervention::RefuseConnection((*call).into()))
        }
        Setting::FullLog => harness.full_log(),
        Setting::FullLogAt(call) => harness.intervene(Intervention::FillLog((*call).into())),
        Setting::ShowErrors(retries) => harness.show_errors().max_retries((*retries).into()),
        Setting::Properties(item) => harness.show_properties(item.as_ref().map(of)),
        Setting::Object(item) => harness.item_object(of(item), Uuid::from_u128(7)),
        Setting::Cookie => harness.cookie("random"),
        Setting::Select(chosen) => harness.select(
            chosen
                .iter()
                .enumerate()
                .filter(|(_, chosen)| **chosen)
                .map(|(place, _)| id_of(place)),
        ),
    }
}

// The test of those that keep the rules ---------------------------------------------------------------------------

/// Runs the cases; a failure says its seed and the smallest case.
fn try_all<S: Strategy>(
    cases: u32,
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: std::fmt::Debug,
{
    let drawn = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let seed: u64 = match std::env::var("RULES_SEED") {
        Ok(seed) => seed.parse().expect("RULES_SEED is a number"),
        Err(_) => drawn as u64,
    };
    let cases = match std::env::var("PROPTEST_CASES") {
        Ok(more) => more.parse().expect("PROPTEST_CASES is a number"),
        Err(_) => cases,
    };
    println!("RULES_SEED={seed}");
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    match runner.run(&strategy, test) {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("RULES_SEED={seed}\n{case:#?}\n{reason}"),
        Err(error) => panic!("RULES_SEED={seed}\n{error}"),
    }
}

fn fail(trace: &Trace) -> TestCaseError {
    TestCaseError::fail(trace.to_string())
}

#[test]
fn random_handlers_that_keep_the_rules_are_clean() {
    let cases = (a_plan(), vec(a_setting(), 0..4));
    try_all(600, cases, |(plan, settings)| {
        let mut harness = Harness::new(plan.script(Extra::default()).handler()).flags(plan.flags());
        for setting in &settings {
            harness = set(harness, setting);
        }
        let trace = harness.run();
        match trace.violations().is_empty() && trace.incidents().is_empty() {
            true => Ok(()),
            false => Err(fail(&trace)),
        }
    });
}

// The test of one breach ------------------------------------------------------------------------------------------

/// A breach, as it is put into a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breach {
    SucceedsUnasked,
    BeginsWithAValue,
    WorksOnOnceAfterItsCancel,
    WorksOnOnceAfterTheCancelOfAll,
    WorksOnAfterItsCancel,
    WorksOnAfterTheCancelOfAll,
    SpreadsOverThreads,
    StartsAnotherAfterTheCancelOfAll,
    ReportsAStranger,
    CompletesThePrepareTwice,
    CompletesARefusedPrepare,
    CompletesTwice,
    CompletesAFailure,
    CompletesAnErrorTwice,
    CompletesPropertiesTwice,
    GivesBackNoTurn,
    KeepsATurn,
    AsksWithoutLeave,
    CallsLate,
    StartsASkippedItem,
    LeavesAnItemOpen,
    ReportsAfterTheEnd,
    PassesTheMaximum,
    EndsTheMarquee,
    RetriesAStranger,
    RetriesAProposal,
    DeletesAStranger,
    ListsTwice,
    ListsATimeThatIsNone,
    ConnectsUndeclared,
}

impl Breach {
    const ALL: [(Self, Rule); 30] = [
        (Self::SucceedsUnasked, Rule::VerdictBeforeItem),
        (Self::BeginsWithAValue, Rule::VerdictBeforeItem),
        (Self::WorksOnOnceAfterItsCancel, Rule::StopCancelledItem),
        (
            Self::WorksOnOnceAfterTheCancelOfAll,
            Rule::StopAllWhenCancelled,
        ),
        (Self::WorksOnAfterItsCancel, Rule::StopCancelledItem),
        (Self::WorksOnAfterTheCancelOfAll, Rule::StopAllWhenCancelled),
        (Self::SpreadsOverThreads, Rule::StopAllWhenCancelled),
        (
            Self::StartsAnotherAfterTheCancelOfAll,
            Rule::StopAllWhenCancelled,
        ),
        (Self::ReportsAStranger, Rule::OnlyPreparedItems),
        (Self::CompletesThePrepareTwice, Rule::PrepareCompletedOnce),
        (
            Self::CompletesARefusedPrepare,
            Rule::NoPrepareCompletedAfterRefusal,
        ),
        (Self::CompletesTwice, Rule::SynchronizeCompletedOnce),
        (
            Self::CompletesAFailure,
            Rule::NoSynchronizeCompletedAfterFailure,
        ),
        (Self::CompletesAnErrorTwice, Rule::ShowErrorCompletedOnce),
        (
            Self::CompletesPropertiesTwice,
            Rule::ShowPropertiesCompletedOnce,
        ),
        (Self::GivesBackNoTurn, Rule::DialogTurns),
        (Self::KeepsATurn, Rule::DialogTurns),
        (Self::AsksWithoutLeave, Rule::NoDialogUnlessMayBother),
        (Self::CallsLate, Rule::NoCallAfterRelease),
        (Self::StartsASkippedItem, Rule::SkippedItemNotStarted),
        (Self::LeavesAnItemOpen, Rule::FinalStatusBeforeCompletion),
        (Self::ReportsAfterTheEnd, Rule::OnlyFailedAfterFinal),
        (Self::PassesTheMaximum, Rule::ValueWithinMaximum),
        (Self::EndsTheMarquee, Rule::ValueWithinMaximum),
        (Self::RetriesAStranger, Rule::RetryOnlyKnownItems),
        (Self::RetriesAProposal, Rule::RetryOnlyKnownItems),
        (Self::DeletesAStranger, Rule::DeleteOnlyOwnErrors),
        (Self::ListsTwice, Rule::WellFormedItems),
        (Self::ListsATimeThatIsNone, Rule::WellFormedItems),
        (Self::ConnectsUndeclared, Rule::ConnectOnlyIfDeclared),
    ];

    /// The severities of what is found, in order.
    fn severities(self) -> &'static [Severity] {
        match self {
            Self::BeginsWithAValue
            | Self::WorksOnOnceAfterItsCancel
            | Self::WorksOnOnceAfterTheCancelOfAll
            | Self::SpreadsOverThreads
            | Self::EndsTheMarquee => &[Severity::Should],
            // The first report too many is a question.
            Self::WorksOnAfterItsCancel | Self::WorksOnAfterTheCancelOfAll => {
                &[Severity::Should, Severity::Must]
            }
            _ => &[Severity::Must],
        }
    }

    /// Whether it comes about after a cancel of everything.
    fn cancels_all(self) -> bool {
        matches!(
            self,
            Self::WorksOnOnceAfterTheCancelOfAll
                | Self::WorksOnAfterTheCancelOfAll
                | Self::SpreadsOverThreads
                | Self::StartsAnotherAfterTheCancelOfAll
        )
    }
}

/// The item that a breach is about. It is the last of the list.
const VICTIM: ItemId = ItemId::from_u128(99);
/// An item for breaches that need two.
const ANOTHER: ItemId = ItemId::from_u128(98);
const STRANGER: u128 = 0xBAD;
const SHOWN: ErrorId = ErrorId::from_u128(0x5407);

fn item_of(of: ItemId) -> syncmgr::SyncItem {
    syncmgr::SyncItem::new(of, syncmgr::ItemName::truncate_start("another"))
}

/// Reports the victim like this, whatever is answered, and ends it.
fn victim(updates: Vec<ProgressUpdate<'static>>) -> Step {
    Step::call(move |callback| {
        for update in &updates {
            let _told = callback.progress(VICTIM, update);
        }
        let _told = callback.progress(VICTIM, &status(ItemStatus::Stopped));
    })
}

/// A handler of the plan with the breach, and the harness that brings it out.
fn broken(mut plan: Plan, breach: Breach, first: bool, settings: &[Setting]) -> Harness {
    // What a breach needs of the plan, so that it comes about for certain.
    plan.prepare = PrepareAs::Inline;
    plan.fails = false;
    plan.retry = None;
    let shown = matches!(
        breach,
        Breach::CompletesAnErrorTwice | Breach::RetriesAStranger | Breach::RetriesAProposal
    );
    let by_itself = matches!(
        breach,
        Breach::CompletesTwice | Breach::CompletesAFailure | Breach::LeavesAnItemOpen
    ) || breach.cancels_all();
    // The script is deaf, so that it does the breach; nothing else is cancelled, and every item has its end.
    for work in &mut plan.items {
        work.end.get_or_insert(ItemStatus::Succeeded);
        work.on_thread &= !by_itself;
        if shown {
            // An error that is deleted is not shown.
            work.does.retain(|does| !matches!(does, Do::Delete(None)));
        }
    }
    plan.inline |= by_itself;
    let mut flags = None;
    match breach {
        Breach::CompletesARefusedPrepare => plan.prepare = PrepareAs::NeedsUser,
        Breach::AsksWithoutLeave => plan.dialogs = 0,
        Breach::ConnectsUndeclared => plan.connects = 0,
        Breach::GivesBackNoTurn | Breach::KeepsATurn => {
            plan.dialogs = 0;
            flags = Some(plan.flags() | SyncFlags::MAY_BOTHER_USER);
        }
        Breach::StartsASkippedItem => {
            plan.inline = false;
            plan.items[0].on_thread = false;
            plan.items[0].added = false;
        }
        _ => {}
    }

    let named = syncmgr::ItemName::truncate_start("victim");
    let mut listed = syncmgr::SyncItem::new(VICTIM, named);
    let updating = || status(ItemStatus::Updating);
    let mut extra = Extra::default();
    let mut steps = Vec::new();
    match breach {
        Breach::SucceedsUnasked => steps.push(Step::call(|callback| {
            let _told = callback.progress(VICTIM, &status(ItemStatus::Succeeded));
        })),
        Breach::BeginsWithAValue => steps.push(victim(vec![value(3)])),
        Breach::WorksOnOnceAfterItsCancel | Breach::WorksOnOnceAfterTheCancelOfAll => {
            steps.push(victim(vec![updating(), value(1)]));
        }
        Breach::WorksOnAfterItsCancel | Breach::WorksOnAfterTheCancelOfAll => {
            steps.push(victim(vec![updating(), value(1), value(2)]));
        }
        Breach::SpreadsOverThreads => steps.push(Step::call(move |callback| {
            let _told = callback.progress(VICTIM, &updating());
            for part in 1..=3 {
                let callback = Arc::clone(callback);
                let piece = thread::spawn(move || callback.progress(VICTIM, &value(part)));
                let _told = piece.join();
            }
            let _told = callback.progress(VICTIM, &status(ItemStatus::Stopped));
        })),
        Breach::StartsAnotherAfterTheCancelOfAll => {
            extra.items.push(item_of(ANOTHER));
            steps.push(victim(vec![updating()]));
            steps.push(Step::call(|callback| {
                let _told = callback.progress(ANOTHER, &ProgressUpdate::CHECK);
                let _told = callback.progress(ANOTHER, &value(0));
                let _told = callback.progress(ANOTHER, &status(ItemStatus::Stopped));
            }));
        }
        Breach::ReportsAStranger => steps.push(Step::call(move |callback| {
            let _told = callback.progress(id(STRANGER), &ProgressUpdate::CHECK);
            let _told = callback.progress(id(STRANGER), &updating());
        })),
        Breach::CompletesThePrepareTwice => {
            extra.prepare = vec![Step::complete_prepare(HResult::S_OK); 2];
        }
        Breach::CompletesARefusedPrepare => {
            extra.prepare = vec![Step::complete_prepare(HResult::S_FALSE)];
        }
        Breach::CompletesTwice => {
            extra.last = vec![
                Step::complete_synchronize(HResult::S_OK),
                Step::complete_synchronize(HResult::S_OK),
            ];
        }
        Breach::CompletesAFailure => {
            plan.fails = true;
            extra.last = vec![Step::complete_synchronize(HResult::E_FAIL)];
        }
        Breach::CompletesAnErrorTwice => {
            extra.show_error = Some(vec![Step::complete_show_error(HResult::S_OK, []); 2]);
        }
        Breach::CompletesPropertiesTwice => {
            extra.show_properties = Some(vec![Step::complete_show_properties(HResult::S_OK); 2]);
        }
        Breach::GivesBackNoTurn => steps.push(Step::enable_modeless(false)),
        Breach::KeepsATurn => steps.push(Step::enable_modeless(true)),
        Breach::AsksWithoutLeave => steps.push(Step::dialog()),
        Breach::CallsLate => steps.push(late()),
        Breach::StartsASkippedItem => extra.last = vec![victim(vec![updating()])],
        Breach::LeavesAnItemOpen => {
            extra.last = vec![Step::complete_synchronize(HResult::S_OK)];
        }
        Breach::ReportsAfterTheEnd => {
            steps.push(victim(vec![updating(), status(ItemStatus::Succeeded)]));
        }
        Breach::PassesTheMaximum => steps.push(victim(vec![updating().max(4), value(5)])),
        Breach::EndsTheMarquee => {
            let marquee = status(ItemStatus::UpdatingIndeterminate).max(4);
            steps.push(victim(vec![marquee, value(5), updating()]));
        }
        Breach::RetriesAProposal => {
            let proposal = item_of(ANOTHER);
            steps.push(Step::call(move |callback| {
                let _taken = callback.propose_item(proposal.clone());
            }));
            let again = Step::complete_show_error(HResult::S_SYNCMGR_RETRYSYNC, [ANOTHER]);
            extra.show_error = Some(vec![again]);
        }
        Breach::RetriesAStranger => {
            let again = Step::complete_show_error(HResult::S_SYNCMGR_RETRYSYNC, [id(STRANGER)]);
            extra.show_error = Some(vec![again]);
        }
        Breach::DeletesAStranger => {
            let stranger = ErrorId::from_u128(STRANGER);
            steps.push(Step::delete_log(LogSelector::ById(stranger)));
        }
        Breach::ListsTwice => extra.items.push(listed.clone()),
        Breach::ListsATimeThatIsNone => listed.flags |= ItemFlags::LAST_UPDATE_TIME,
        Breach::ConnectsUndeclared => steps.push(Step::connect(None)),
    }
    if shown {
        let record = LogRecord::new(LogLevel::Error, "shown").jump_text(SHOWN);
        extra.last.push(Step::log(&record));
    }
    extra.items.push(listed);
    let touched = matches!(
        breach,
        Breach::SucceedsUnasked
            | Breach::BeginsWithAValue
            | Breach::WorksOnOnceAfterItsCancel
            | Breach::WorksOnAfterItsCancel
            | Breach::ReportsAfterTheEnd
            | Breach::PassesTheMaximum
            | Breach::EndsTheMarquee
            | Breach::StartsASkippedItem
            | Breach::LeavesAnItemOpen
    ) || breach.cancels_all();
    if !touched {
        extra.first.push(victim(vec![updating()]));
    }
    match first && !breach.cancels_all() {
        true => extra.first.extend(steps),
        false => extra.last.splice(0..0, steps).for_each(drop),
    }

    let flags = flags.unwrap_or_else(|| plan.flags());
    let mut harness = Harness::new(plan.script(extra).ignore_verdicts().handler()).flags(flags);
    for setting in settings {
        let hides = match breach {
            Breach::KeepsATurn => {
                matches!(setting, Setting::DenyDialogs | Setting::DenyDialog(_))
            }
            _ => false,
        };
        if !hides {
            harness = set(harness, setting);
        }
    }
    match breach {
        Breach::WorksOnOnceAfterItsCancel | Breach::WorksOnAfterItsCancel => {
            harness.cancel_item_at_report(VICTIM, 1)
        }
        _ if breach.cancels_all() => harness.intervene(Intervention::CancelAll {
            item: VICTIM.into(),
            report: 1,
        }),
        _ if shown => harness.show_errors(),
        Breach::CompletesPropertiesTwice => harness.show_properties(None),
        Breach::StartsASkippedItem => {
            harness.intervene(Intervention::SkipInSynchronize(VICTIM.into()))
        }
        Breach::CallsLate => harness.linger(LIMIT),
        _ => harness,
    }
}

/// Keeps the callback on a thread that makes a call once the handler is gone, and with it this step.
fn late() -> Step {
    let alive = Mutex::new(None);
    Step::call(move |callback| {
        let (sender, closed) = mpsc::channel::<()>();
        let callback = Arc::clone(callback);
        thread::spawn(move || {
            let _closed = closed.recv();
            let _ = callback.log_error(&LogRecord::new(LogLevel::Information, "bye"));
        });
        *alive.lock().unwrap() = Some(sender);
    })
}

/// Whether the breach is found with its severities, and nothing else.
fn is_found(trace: &Trace, breach: Breach, rule: Rule) -> bool {
    let found = trace.violations().iter();
    let wanted = breach.severities().iter();
    found
        .map(|found| (found.rule, found.severity))
        .eq(wanted.map(|severity| (rule, *severity)))
}

#[test]
fn one_breach_in_a_random_handler_is_found_and_nothing_else() {
    let cases = (
        a_plan(),
        0..Breach::ALL.len(),
        any::<bool>(),
        vec(harmless(), 0..3),
    );
    try_all(800, cases, |(plan, breach, first, settings)| {
        let (breach, rule) = Breach::ALL[breach];
        let trace = broken(plan, breach, first, &settings).run();
        if !is_found(&trace, breach, rule) || !trace.incidents().is_empty() {
            let found = trace.violations();
            let reason = format!("{breach:?} breaks {rule}, found is {found:?}\n{trace}");
            return Err(TestCaseError::fail(reason));
        }
        Ok(())
    });
}

#[test]
fn every_breach_is_found_in_the_smallest_handler() {
    let work = Work {
        does: Vec::new(),
        end: None,
        fails_after: false,
        asks_after: false,
        on_thread: false,
        added: false,
    };
    let plan = Plan {
        items: vec![work],
        prepare: PrepareAs::Inline,
        asks_early: false,
        inline: false,
        fails: false,
        dialogs: 0,
        connects: 0,
        logs_at_release: false,
        properties: false,
        retry: None,
        incomplete: false,
    };
    for (breach, rule) in Breach::ALL {
        for first in [false, true] {
            let trace = broken(plan.clone(), breach, first, &[]).run();
            let is_found = is_found(&trace, breach, rule) && trace.incidents().is_empty();
            assert!(is_found, "{breach:?}\n{trace}");
        }
    }
}

#[test]
fn a_script_reports_no_item_before_it_is_added() {
    let script = Script::new()
        .sync_item(item(2))
        .prepare([Step::check(id(1))])
        .synchronize([
            Step::add_item(item(1)),
            Step::check(id(1)),
            Step::check(id(2)),
        ]);
    rules::clean(&Harness::new(script.handler()).run());
}
