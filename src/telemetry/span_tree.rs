//! The spans of one session or run: who is whose parent, and which are open. The follower and the workers share it.
//!
//! ```text
//! the caller's span, if any
//! └─ syncmgr.run           none for a lone session
//!    └─ syncmgr.handler
//!       └─ syncmgr.item    while it is in work
//! ```
//!
//! A parent is opened before its child, and each is told its parent explicitly: nobody enters a span here.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tracing::field::Empty;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level, Span, dispatcher, span};

use super::lazy_span::{LazySpan, SpanContext};
use super::targets;
use crate::manager::source::Source;
use crate::util::panic::contained;
use crate::{HandlerId, ItemId, ItemView, Session};

pub(super) struct SpanTree {
    /// The caller's subscriber; none where that is the program's.
    dispatch: Option<Dispatch>,
    above: LazySpan,
    run: LazySpan,
    name: Option<String>,
    source: Source,
    /// Never locked while anything of a session or a subscriber is called. Those that are over stay, so that a late worker does
    /// not open them again; none once all is closed.
    handlers: Mutex<Option<HandlerSpans>>,
}

type HandlerSpans = HashMap<HandlerId, Arc<HandlerSpan>, RandomState>;

/// The spans of a handler.
pub(super) struct HandlerSpan {
    id: HandlerId,
    /// None where it was let go without one.
    session: Option<Arc<Session>>,
    span: LazySpan,
    /// Those in work; none once the handler's span is closed. Never locked while a subscriber is called.
    items: Mutex<Option<Items>>,
}

type Items = HashMap<ItemId, Arc<LazySpan>, RandomState>;

impl SpanTree {
    /// For what this thread follows: its subscriber and its span.
    pub(super) fn of_this_thread(source: Source, name: Option<String>) -> Arc<Self> {
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let above = contained(Span::current).unwrap_or_else(Span::none);
        Arc::new(Self {
            // A subscriber that the program sets later is not to be shadowed by none at all.
            dispatch: Some(dispatch).filter(|dispatch| !dispatch.is::<NoSubscriber>()),
            above: LazySpan::of(SpanContext::own(above)),
            run: LazySpan::new(),
            name,
            source,
            handlers: Mutex::new(Some(HandlerSpans::default())),
        })
    }

    /// Does this with the subscriber of whoever began to follow.
    pub(super) fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.dispatch {
            Some(dispatch) => dispatcher::with_default(dispatch, work),
            None => work(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The run's context.
    pub(super) fn run(&self) -> SpanContext {
        let above = self.above();
        let Source::Run(run) = &self.source else {
            return above;
        };
        self.run.get(|| {
            let span = span!(
                target: targets::RUN,
                parent: above.span(),
                Level::INFO,
                "syncmgr.run",
                syncmgr.run.name = self.name.as_deref(),
                syncmgr.run.handlers = targets::number(run.handlers().len() as u64),
                syncmgr.run.failed = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
            );
            SpanContext::inside(&above, span)
        })
    }

    fn above(&self) -> SpanContext {
        self.above.get(SpanContext::nowhere)
    }

    /// The spans of a handler: of the one that there is, for a session. None once all is closed.
    pub(super) fn handler(&self, id: HandlerId) -> Option<Arc<HandlerSpan>> {
        if let Some(known) = self.handlers.lock().as_ref()?.get(&id) {
            return Some(Arc::clone(known));
        }
        let session = match &self.source {
            Source::Session(session) => Some(Arc::clone(session)),
            Source::Run(run) => run.session(id),
        };
        let new = Arc::new(HandlerSpan {
            id,
            session,
            span: LazySpan::new(),
            items: Mutex::new(Some(Items::default())),
        });
        let mut handlers = self.handlers.lock();
        let handlers = handlers.as_mut()?;
        // If another thread was faster, the new one is dropped after the lock: it has a session, which is foreign code.
        let known = handlers.entry(id).or_insert_with(|| Arc::clone(&new));
        Some(Arc::clone(known))
    }

    /// The handler's context.
    pub(super) fn context(&self, handler: &HandlerSpan) -> SpanContext {
        let outer = self.run();
        handler.span.get(|| {
            let told = match &self.source {
                Source::Session(_) => None,
                Source::Run(run) => run.info(handler.id),
            };
            let name = match &told {
                Some(info) => Some(info.name.as_str()),
                None if matches!(self.source, Source::Session(_)) => self.name.as_deref(),
                None => None,
            };
            let id = Some(handler.id).filter(|id| *id != HandlerId::NIL);
            let span = span!(
                target: targets::HANDLER,
                parent: outer.span(),
                Level::INFO,
                "syncmgr.handler",
                syncmgr.handler.id = id.map(tracing::field::display),
                syncmgr.handler.name = name,
                syncmgr.handler.result = Empty,
                syncmgr.handler.rounds = Empty,
                syncmgr.handler.finished = Empty,
                syncmgr.handler.failed = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
            );
            SpanContext::inside(&outer, span)
        })
    }

    /// The item's context, which is opened if it is not yet.
    pub(super) fn item(&self, handler: &HandlerSpan, view: &ItemView) -> SpanContext {
        match handler.opened(view.id) {
            Some(opened) => self.open_item(handler, &opened, view),
            None => SpanContext::nowhere(),
        }
    }

    fn open_item(&self, handler: &HandlerSpan, opened: &LazySpan, view: &ItemView) -> SpanContext {
        let outer = self.context(handler);
        opened.get(|| {
            let span = span!(
                target: targets::ITEM,
                parent: outer.span(),
                Level::INFO,
                "syncmgr.item",
                syncmgr.item.id = %view.id,
                syncmgr.item.name = view.name.as_str(),
                syncmgr.item.status = Empty,
                syncmgr.item.value = Empty,
                syncmgr.item.max = Empty,
                syncmgr.item.text = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
            );
            SpanContext::inside(&outer, span)
        })
    }

    /// For a worker: the span of an item whose work has not ended, in this handler or in any. None where there is no such
    /// item here.
    pub(super) fn span(&self, handler: Option<HandlerId>, item: ItemId) -> Option<Span> {
        let sessions = match (&self.source, handler) {
            (Source::Session(session), _) => {
                let id = session.handler().unwrap_or_default();
                let wanted = handler.is_none_or(|handler| handler == id);
                wanted
                    .then(|| (id, Arc::clone(session)))
                    .into_iter()
                    .collect()
            }
            (Source::Run(run), Some(id)) => {
                let session = run.session(id).map(|session| (id, session));
                session.into_iter().collect()
            }
            (Source::Run(run), None) => run.sessions(),
        };
        sessions.into_iter().find_map(|(id, session)| {
            if !session.phase().takes_reports() {
                return None;
            }
            let in_work = || {
                let view = session.item(item);
                view.filter(|view| view.selected && !view.is_finished())
            };
            in_work()?;
            let handler = self.handler(id)?;
            let opened = handler.opened(item)?;
            // Asked once more, now that the follower sees that it was asked for: it may have told the end meanwhile.
            let Some(view) = in_work() else {
                handler.leave(item, &opened);
                return None;
            };
            // `tracing` lets no subscriber be set from inside one: it panics.
            contained(|| self.within(|| self.open_item(&handler, &opened, &view).to_span()))
        })
    }

    /// Closes what is left open, but the spans that somebody else has.
    pub(super) fn close(&self) {
        let handlers = self.handlers.lock().take();
        for handler in handlers.unwrap_or_default().into_values() {
            handler.close();
        }
        self.run.close();
        self.above.close();
    }
}

impl HandlerSpan {
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The span of an item, which may have to be opened. None once the handler's is closed.
    fn opened(&self, item: ItemId) -> Option<Arc<LazySpan>> {
        let mut items = self.items.lock();
        let opened = items.as_mut()?.entry(item);
        Some(Arc::clone(opened.or_insert_with(|| LazySpan::new().into())))
    }

    /// It was not asked for after all. One that is open already, or that somebody else has, is the follower's to close.
    fn leave(&self, item: ItemId, opened: &Arc<LazySpan>) {
        let mut items = self.items.lock();
        let Some(items) = items.as_mut() else {
            return;
        };
        let is_it = |known: &Arc<LazySpan>| Arc::ptr_eq(known, opened);
        // Two are the map's and the caller's; others are made with the map locked.
        let is_free = Arc::strong_count(opened) == 2 && opened.is_unopened();
        if is_free && items.get(&item).is_some_and(is_it) {
            items.remove(&item);
        }
    }

    /// The items that a worker has opened a span for, beside these.
    pub(super) fn opened_beside<V>(&self, known: &HashMap<ItemId, V, RandomState>) -> Vec<ItemId> {
        let items = self.items.lock();
        let Some(items) = items.as_ref().filter(|items| items.len() > known.len()) else {
            return Vec::new();
        };
        let others = items.keys().filter(|id| !known.contains_key(id));
        others.copied().collect()
    }

    /// The item's work is over.
    pub(super) fn close_item(&self, item: ItemId) {
        let opened = self
            .items
            .lock()
            .as_mut()
            .and_then(|items| items.remove(&item));
        if let Some(opened) = opened {
            opened.close();
        }
    }

    /// The handler's work is over, and so is that of its items.
    pub(super) fn close(&self) {
        let items = self.items.lock().take();
        for opened in items.unwrap_or_default().into_values() {
            opened.close();
        }
        self.span.close();
    }
}
