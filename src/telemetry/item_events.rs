//! The events of one item, and what is emitted of it so far.

use std::time::{Duration, Instant};

use tracing::{Level, event};

use super::lazy_span::SpanContext;
use super::targets;
use super::targets::number;
use crate::util::escape::Escaped;
use crate::util::panic::contained;
use crate::util::throttle::Throttle;
use crate::{ItemStatus, ItemView};

/// An item in work, as far as it was told.
pub(super) struct EmittedItem {
    pub(super) context: SpanContext,
    pub(super) status: ItemStatus,
    value: u64,
    max: u64,
    text: String,
    pub(super) cancelled: bool,
    /// The last error that was logged for it.
    pub(super) error: Option<String>,
    throttle: Throttle,
}

impl EmittedItem {
    pub(super) fn new(context: SpanContext, progress_every: Duration, now: Instant) -> Self {
        Self {
            context,
            status: ItemStatus::Pending,
            value: 0,
            max: 0,
            text: String::new(),
            cancelled: false,
            error: None,
            throttle: Throttle::new(progress_every, now),
        }
    }

    pub(super) fn progress(&mut self, view: &ItemView, now: Instant) {
        let same = self.value == view.value && self.max == view.max && self.text == view.text;
        if same || !self.throttle.is_due(now) {
            return;
        }
        (self.value, self.max) = (view.value, view.max);
        self.text.clone_from(&view.text);
        let text = Some(view.text.as_str()).filter(|text| !text.is_empty());
        contained(|| {
            event!(
                target: targets::PROGRESS,
                parent: self.context.span(),
                Level::TRACE,
                syncmgr.item.id = %view.id,
                syncmgr.item.value = number(view.value),
                syncmgr.item.max = (view.max > 0).then(|| number(view.max)),
                syncmgr.item.text = text,
                "progress"
            );
        });
    }
}

/// The item's status is another one.
pub(super) fn tell_status(context: &SpanContext, view: &ItemView) {
    let status = view.status;
    macro_rules! tell {
        ($level:expr) => {
            event!(
                target: targets::STATUS,
                parent: context.span(),
                $level,
                syncmgr.item.id = %view.id,
                syncmgr.item.status = %status,
                "{}: {status}", Escaped(&view.name)
            )
        };
    }
    contained(|| match status {
        ItemStatus::Failed => tell!(Level::ERROR),
        _ => tell!(Level::DEBUG),
    });
}

/// The item is to stop.
pub(super) fn tell_cancel(context: &SpanContext, view: &ItemView) {
    contained(|| {
        event!(
            target: targets::CANCEL,
            parent: context.span(),
            Level::INFO,
            syncmgr.item.id = %view.id,
            syncmgr.verdict = ?view.verdict,
            "{}: cancelled", Escaped(&view.name)
        );
    });
}
