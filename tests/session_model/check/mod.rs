//! The one entry: runs what the bytes mean on two sessions and on two models of them, and compares every answer and
//! every look.

mod looks;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::{self, Debug, Display, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use syncmgr::raw::ProgressMask;
use syncmgr::{
    CallbackError, Connections, Cursor, Dialog, DialogArbiter, ErrorOutcome, HResult, HostEvent,
    ItemId, ItemReporter, ItemStatus, Observer, ProgressUpdate, Session, SyncCallback, SyncEvent,
    SyncFlags, Verdict,
};

use crate::model::{self, End, Sign, TASKS};
use crate::ops::{BROKEN, CURSORS, Call, HANDS, Plan, SESSIONS, Way, item};
use crate::reached::{Before, Reached};
use crate::wrapper::Wrapper;

/// Decodes the bytes, and makes the calls on the sessions and on their models. Panics where they disagree, with the calls
/// so far, the difference and the bytes.
pub fn check(bytes: &[u8]) {
    if let Err(told) = try_check(bytes, &mut Reached::new()) {
        panic!("{told}");
    }
}

/// As [`check`], for whoever wants to know how far the calls came, or to go on after a difference.
pub fn try_check(bytes: &[u8], reached: &mut Reached) -> Result<(), String> {
    let plan = Plan::decode(bytes);
    let mut pair = Pair::new(&plan);
    let run = catch_unwind(AssertUnwindSafe(|| pair.run(&plan, reached)));
    let difference = match run {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(difference)) => difference,
        Err(panic) => format!("it panicked: {}", said(panic.as_ref())),
    };
    Err(tell(&plan, &pair.made, &difference, bytes))
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("nothing that can be shown")
}

/// The calls so far, the difference, and the bytes.
fn tell(plan: &Plan, made: &[(usize, Call)], difference: &str, bytes: &[u8]) -> String {
    let mut told = String::from("the session and its model disagree\n\n");
    for (number, shape) in plan.shapes.iter().enumerate() {
        let connected = plan.connected[number];
        let _ = writeln!(told, "session {number}: {shape:?}, connector: {connected}");
    }
    let _ = writeln!(told, "one dialog turn for both: {}\n", plan.one_turn);
    for (at, (session, call)) in made.iter().enumerate() {
        let _ = writeln!(told, "{at:4}. session {session}: {call:?}");
    }
    let _ = write!(told, "\n{difference}\n\nthe bytes: {bytes:?}");
    // Ids are small numbers, and texts may be thousands of the same character.
    shorten(&told.replace("00000000-0000-0000-0000-00000000000", ""))
}

/// The text without the middle of its longest runs of one character.
fn shorten(text: &str) -> String {
    const MOST: usize = 40;
    let (mut short, mut last, mut run) = (String::new(), None, 0);
    for character in text.chars() {
        run = if last == Some(character) { run + 1 } else { 0 };
        last = Some(character);
        match run {
            0..MOST => short.push(character),
            MOST => short.push('⋯'),
            _ => {}
        }
    }
    short
}

/// What a call answers.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Verdict(Result<Verdict, CallbackError>),
    Done(Result<(), CallbackError>),
    Dialog(Result<Dialog, CallbackError>),
    Items(Result<Vec<ItemId>, CallbackError>),
    Event(Option<HostEvent>),
    /// Whether the handler gave a sign of life.
    Active(bool),
    /// There was nobody to call, or nothing to answer.
    Nothing,
}

impl From<Result<Verdict, CallbackError>> for Answer {
    fn from(answer: Result<Verdict, CallbackError>) -> Self {
        Self::Verdict(answer)
    }
}

impl From<Result<(), CallbackError>> for Answer {
    fn from(answer: Result<(), CallbackError>) -> Self {
        Self::Done(answer)
    }
}

/// `what` is written only where they differ.
fn same<T: PartialEq + Debug>(what: impl Display, real: &T, model: &T) -> Result<(), String> {
    if real == model {
        return Ok(());
    }
    Err(format!("{what}\n  session: {real:?}\n  model:   {model:?}"))
}

/// What a call is to a driver who listens for the handler.
fn sign_of_life(call: &Call, answer: &Answer) -> Sign {
    let taken = matches!(answer, Answer::Verdict(Ok(_)));
    match call {
        // The host's calls, and what is none.
        Call::CancelItem(_)
        | Call::SkipItem(_)
        | Call::CancelAll
        | Call::BeginPrepare(_)
        | Call::BeginSynchronize
        | Call::RequestItems(_)
        | Call::WithdrawItems(_)
        | Call::HostEvent
        | Call::TakeActivity
        | Call::Step(..)
        | Call::MakeReporter(..)
        | Call::DropReporter(_)
        | Call::KeepCursor(_) => Sign::None,
        Call::Set(..) | Call::Advance(..) if taken => Sign::Value,
        Call::Progress(_, update) | Call::Report(_, update)
            if taken && update.mask() == ProgressMask::PROG_VALUE =>
        {
            Sign::Value
        }
        // Of no reporter, perhaps; or the end of everything.
        Call::End(_, End::Panic) | Call::Release => Sign::Unsure,
        _ if *answer == Answer::Nothing => Sign::None,
        _ => Sign::Call,
    }
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An error of a worker.
#[derive(Debug)]
struct Failed(&'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {}

/// An open connection: it counts itself.
struct Connection(Arc<AtomicUsize>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the connector answers.
fn made(connection: Option<&str>) -> Result<(), CallbackError> {
    if connection == Some(BROKEN) {
        Err(CallbackError::Other(HResult::E_ACCESSDENIED))
    } else {
        Ok(())
    }
}

fn connections(open: &Arc<AtomicUsize>) -> Connections {
    let open = Arc::clone(open);
    Connections::new(move |connection: Option<&str>| {
        made(connection)?;
        open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Connection(Arc::clone(&open))) as Box<dyn Any + Send>)
    })
}

/// A reporter, its model, and the session that it reports to.
struct Hand {
    session: usize,
    real: ItemReporter,
    model: model::Reporter,
}

/// The session and its model.
struct One {
    real: Arc<Session>,
    /// It looks now and then, and has the sums.
    observer: RefCell<Observer>,
    model: model::Session,
    arbiter: DialogArbiter,
    turn: model::Turn,
    wakes: [Arc<Wakes>; TASKS],
    /// Made once each: two wakers of a task are the same only if they are clones.
    wakers: [Waker; TASKS],
    /// Cursors, and where they stand in the model's journal. The first stays at the beginning.
    cursors: [(Cursor, usize); 1 + CURSORS],
}

/// Two sessions with their models, and what they share.
struct Pair {
    sessions: [One; SESSIONS],
    hands: [Option<Hand>; HANDS],
    open: Arc<AtomicUsize>,
    line: Weak<Cell<usize>>,
    /// The calls so far, the one in hand included, and the session of each.
    made: Vec<(usize, Call)>,
}

impl Pair {
    fn new(plan: &Plan) -> Self {
        let open = Arc::new(AtomicUsize::new(0));
        let connections = connections(&open);
        let line = Rc::new(Cell::new(0));
        let shared = (DialogArbiter::new(), model::Turn::default());
        let sessions = std::array::from_fn(|number| {
            let (arbiter, turn) = match plan.one_turn {
                true => shared.clone(),
                false => Default::default(),
            };
            let shape = &plan.shapes[number];
            let mut builder = Session::builder()
                .items(shape.items.iter().copied().map(item))
                .dialogs(shape.dialogs)
                .dialog_arbiter(arbiter.clone())
                .log_capacity(shape.log_capacity)
                .journal_capacity(shape.journal_capacity);
            if shape.driven {
                builder = builder.driven();
            }
            if !shape.may_bother_user {
                builder = builder.flags(SyncFlags::new(SyncEvent::Idle));
            }
            if plan.connected[number] {
                builder = builder.connections(connections.clone());
            }
            let real = builder.build().expect("the items are distinct");
            let line = plan.connected[number].then(|| Rc::clone(&line));
            let wakes: [Arc<Wakes>; TASKS] = Default::default();
            One {
                observer: RefCell::new(Observer::new(Arc::clone(&real))),
                real,
                model: model::Session::new(number, shape.clone(), Rc::clone(&turn), line),
                arbiter,
                turn,
                wakers: std::array::from_fn(|task| Waker::from(Arc::clone(&wakes[task]))),
                wakes,
                cursors: Default::default(),
            }
        });
        Self {
            sessions,
            hands: Default::default(),
            open,
            line: Rc::downgrade(&line),
            made: Vec::with_capacity(plan.calls.len()),
        }
    }

    fn run(&mut self, plan: &Plan, reached: &mut Reached) -> Result<(), String> {
        for (session, call) in &plan.calls {
            let session = self.session_of(*session, call);
            let empty = |hand: usize| self.hands[hand].is_none();
            let call = &call.settle(&self.sessions[session].model, empty);
            self.made.push((session, call.clone()));
            let before = Before::new(&self.sessions[session].model, call);
            let (real, model) = self.make(session, call);
            same(format_args!("{call:?} answers"), &real, &model)?;
            let one = &self.sessions[session];
            reached.after(&before, call, &model, &one.model);
            let sign = sign_of_life(call, &model);
            self.sessions[session].model.called(sign);
            let one = &self.sessions[session];
            one.glance(call)?;
            if self.made.len() % plan.looks == 0 {
                self.look(reached)?;
            }
        }
        self.look(reached)?;
        self.end()
    }

    /// A reporter's call is made on its own session.
    fn session_of(&self, session: usize, call: &Call) -> usize {
        match call {
            Call::Set(hand, _)
            | Call::Advance(hand, _)
            | Call::Check(hand)
            | Call::Report(hand, _)
            | Call::End(hand, _)
            | Call::DropReporter(hand) => {
                let hand = self.hands[*hand].as_ref();
                hand.map_or(session, |hand| hand.session)
            }
            _ => session,
        }
    }

    /// Makes the call on the session and on the model.
    fn make(&mut self, session: usize, call: &Call) -> (Answer, Answer) {
        let One {
            real,
            model,
            wakers,
            cursors,
            ..
        } = &mut self.sessions[session];
        /// The same expression of both.
        macro_rules! both {
            (|$it:ident| $answer:expr) => {{
                let real = {
                    let $it = &mut *real;
                    $answer.into()
                };
                let $it = model;
                (real, $answer.into())
            }};
        }
        match call {
            Call::Progress(item, update) => both!(|it| it.progress(*item, update)),
            Call::CanContinue(item) => both!(|it| it.can_continue(*item)),
            Call::LogError(record) => both!(|it| it.log_error(record)),
            Call::DeleteLogError(which) => both!(|it| it.delete_log_error(*which)),
            Call::PrepareCompleted(result) => both!(|it| it.prepare_for_sync_completed(*result)),
            Call::SynchronizeCompleted(result) => both!(|it| it.synchronize_completed(*result)),
            Call::ShowErrorCompleted(result, items) => (
                real.show_error_completed(ErrorOutcome::from_raw(*result, items))
                    .into(),
                model.show_error_completed(*result, items).into(),
            ),
            Call::ShowPropertiesCompleted(outcome) => {
                both!(|it| it.show_properties_completed(*outcome))
            }
            Call::EnableModeless(enable) => (
                Answer::Dialog(real.enable_modeless(*enable)),
                Answer::Dialog(model.enable_modeless(*enable)),
            ),
            Call::EstablishConnection(name) => (
                real.establish_connection(*name).into(),
                model.establish_connection(made(*name)).into(),
            ),
            Call::WakeOnCancel(item, task) => (
                real.wake_on_cancel(*item, &wakers[*task]).into(),
                model.wake_on_cancel(*item, *task).into(),
            ),
            Call::AddItem(id) => (real.add_item(item(*id)).into(), model.add_item(*id).into()),
            Call::ProposeItem(id) => (
                real.propose_item(item(*id)).into(),
                model.propose_item(*id).into(),
            ),
            Call::CommitItem(id) => both!(|it| it.commit_item(*id)),
            Call::AdditionalItems => (
                Answer::Items(real.additional_items()),
                Answer::Items(model.additional_items()),
            ),
            Call::RequestItems(items) => both!(|it| it.request_items(items)),
            Call::WithdrawItems(items) => {
                real.withdraw_items(items);
                model.requested.retain(|item| !items.contains(item));
                (Answer::Nothing, Answer::Nothing)
            }
            Call::HandlerText(text) => both!(|it| it.set_handler_text(text)),
            Call::CancelItem(item) => both!(|it| it.cancel_item(*item)),
            Call::SkipItem(item) => both!(|it| it.skip_item(*item)),
            Call::BeginPrepare(items) => (
                real.driver().begin_prepare(items).into(),
                model.begin_prepare(items).into(),
            ),
            Call::BeginSynchronize => (
                real.driver().begin_synchronize().into(),
                model.begin_synchronize().into(),
            ),
            Call::CancelAll => {
                real.cancel_all();
                model.cancel_all();
                (Answer::Nothing, Answer::Nothing)
            }
            Call::Release => {
                real.driver().release();
                model.release();
                (Answer::Nothing, Answer::Nothing)
            }
            Call::HostEvent => (
                Answer::Event(real.driver().next_event(Duration::ZERO)),
                Answer::Event(model.host_event()),
            ),
            Call::KeepCursor(which) => {
                cursors[1 + which] = (real.snapshot().cursor, model.journal.len());
                (Answer::Nothing, Answer::Nothing)
            }
            Call::MakeReporter(hand, item, way) => self.make_reporter(session, *hand, *item, *way),
            Call::Set(hand, value) => {
                let update = ProgressUpdate::new().value(*value);
                self.by_hand(*hand, |real| real.set(*value), |m, r| m.report(r, &update))
            }
            Call::Advance(hand, amount) => self.by_hand(
                *hand,
                |real| real.advance(*amount),
                |m, r| m.advance(r, *amount),
            ),
            Call::Check(hand) => {
                let update = ProgressUpdate::CHECK;
                self.by_hand(*hand, |real| real.check(), |m, r| m.report(r, &update))
            }
            Call::Report(hand, update) => self.by_hand(
                *hand,
                |real| real.report(update),
                |m, r| m.report(r, update),
            ),
            Call::End(hand, end) => self.end_reporter(*hand, *end),
            Call::Step(..) => (Answer::Nothing, Answer::Nothing),
            Call::TakeActivity => {
                let real = real.driver().take_activity();
                let model = model.take_activity().unwrap_or(real); // or it may answer either
                (Answer::Active(real), Answer::Active(model))
            }
            Call::DropReporter(hand) => {
                self.hands[*hand] = None;
                (Answer::Nothing, Answer::Nothing)
            }
        }
    }

    fn make_reporter(
        &mut self,
        session: usize,
        hand: usize,
        item: ItemId,
        way: Way,
    ) -> (Answer, Answer) {
        let One { real, model, .. } = &mut self.sessions[session];
        let callback = || Arc::clone(real) as Arc<dyn SyncCallback>;
        let (real, model) = match way {
            Way::Session => (real.reporter(item), model.reporter(item)),
            Way::Callback => (
                Ok(ItemReporter::new(&callback(), item)),
                Ok(model.reporter_on_callback(item, false)),
            ),
            Way::Wrapper => {
                let wrapper: Arc<dyn SyncCallback> = Arc::new(Wrapper(callback()));
                (
                    Ok(ItemReporter::new(&wrapper, item)),
                    Ok(model.reporter_on_callback(item, true)),
                )
            }
        };
        let answers = (
            real.as_ref().map(drop).map_err(|error| *error).into(),
            model.map(drop).into(),
        );
        if let (Ok(real), Ok(model)) = (real, model) {
            self.hands[hand] = Some(Hand {
                session,
                real,
                model,
            });
        }
        answers
    }

    fn by_hand(
        &mut self,
        hand: usize,
        real: impl FnOnce(&ItemReporter) -> Result<Verdict, CallbackError>,
        model: impl FnOnce(&mut model::Session, &mut model::Reporter) -> Result<Verdict, CallbackError>,
    ) -> (Answer, Answer) {
        match &mut self.hands[hand] {
            None => (Answer::Nothing, Answer::Nothing),
            Some(hand) => (
                real(&hand.real).into(),
                model(&mut self.sessions[hand.session].model, &mut hand.model).into(),
            ),
        }
    }

    fn end_reporter(&mut self, hand: usize, end: End<'static>) -> (Answer, Answer) {
        let Some(hand) = self.hands[hand].take() else {
            return (Answer::Nothing, Answer::Nothing);
        };
        let model = self.sessions[hand.session].model.end(hand.model, end);
        let reporter = hand.real;
        let real = match end {
            End::Status(ItemStatus::Succeeded) => reporter.succeed(),
            End::Status(ItemStatus::Skipped) => reporter.skip(),
            End::Status(_) => reporter.stop(),
            End::Fail(text, None) => reporter.fail(&Failed(text)),
            End::Fail(text, Some(id)) => reporter.fail_as(&Failed(text), id),
            End::Panic => {
                // The thread goes down with the reporter. `resume_unwind` prints nothing.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    let _reporter = reporter;
                    resume_unwind(Box::new("the worker breaks"));
                }));
                return (Answer::Nothing, Answer::Nothing);
            }
        };
        (real.into(), model.into())
    }

    /// Compares all that can be looked at.
    fn look(&self, reached: &mut Reached) -> Result<(), String> {
        for (number, one) in self.sessions.iter().enumerate() {
            one.look(reached)
                .map_err(|difference| format!("session {number}: {difference}"))?;
        }
        let open = self.line.upgrade().map_or(0, |line| line.get());
        let real = self.open.load(Ordering::Relaxed);
        same("open connections", &real, &open)
    }

    /// The ends of everything: what is left of the host's events, and the release.
    fn end(&mut self) -> Result<(), String> {
        for one in &mut self.sessions {
            let (real, model) = (&one.real, &mut one.model);
            while let Some(event) = model.host_event() {
                let real = real.driver().next_event(Duration::ZERO);
                same("the next of the host's events", &real, &Some(event))?;
            }
            let more = real.driver().next_event(Duration::ZERO);
            same("the host's events after the last", &more, &None)?;
            real.driver().release();
            model.release();
        }
        for hand in self.hands.iter().flatten() {
            let late = hand.real.check();
            same(
                "a reporter after the release",
                &late,
                &Err(CallbackError::Released),
            )?;
        }
        self.look(&mut Reached::new())?;
        same("open connections", &self.open.load(Ordering::Relaxed), &0)
    }
}
