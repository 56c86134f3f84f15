//! The reports and the assertion of a trace.

use std::fmt;

use super::item_ref::ItemRef;
use super::timeline;
use super::trace::Trace;

impl Trace {
    /// The timeline of one item, by its id or its name: its reports and what the host said of it, without threads and numbers.
    /// It is the same from run to run also where several threads work, as long as one at a time works on the item. Empty
    /// for an item that is not in the trace.
    pub fn item<W: Into<ItemRef>>(&self, item: W) -> impl fmt::Display + use<'_, W> {
        let item = item.into().find(self.labels());
        timeline::ItemTimeline { trace: self, item }
    }

    /// The host's calls, then the timeline of each item in the order of the list: what a handler with threads of its own does
    /// alike in each run, as long as one thread at a time works on an item. Good for snapshots of such a handler.
    pub fn by_item(&self) -> impl fmt::Display + '_ {
        timeline::TimelineByItem { trace: self }
    }

    /// Panics with the breaches and the calls around them, unless the trace
    /// [is conformant](Self::is_conformant).
    ///
    /// # Panics
    ///
    /// Panics if the handler violated the contract. Panics if the harness names an item, for example to
    /// cancel it, that the handler neither listed nor added: such a test would pass without testing
    /// anything.
    #[track_caller]
    pub fn assert_conformant(&self) {
        if let Some(item) = self.unlisted.first() {
            panic!(
                "the harness names the item {item}, which the handler neither listed nor added, so \
                 this tests nothing; check the name, or identify the item by its id or its position \
                 in the list (ItemRef::Position)\n\n{}",
                self.report()
            );
        }
        assert!(self.is_conformant(), "{}", self.report());
    }

    /// The breaches and the calls around them: what [`assert_conformant`](Self::assert_conformant) says.
    pub fn report(&self) -> impl fmt::Display + '_ {
        timeline::TraceReport { trace: self }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        timeline::whole(self, f)
    }
}
