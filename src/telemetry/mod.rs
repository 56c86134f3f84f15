//! Tells a session or a run to the [`tracing`] ecosystem: what works as spans, what happens as events (feature `tracing`).
//!
//! A program that logs by `tracing` has its subscriber already. One line beside the run and the subscriber sees it:
//!
//! ```
//! use syncmgr::telemetry::Telemetry;
//! # use std::sync::Arc;
//! # use syncmgr::{HandlerId, Registration, SyncHandler, SyncManager};
//! # #[cfg(feature = "testing")]
//! # fn mail() -> Arc<dyn SyncHandler> { syncmgr::testing::mock::Script::new().handler() }
//! # #[cfg(feature = "testing")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = SyncManager::new();
//! # manager.register(HandlerId::from_u128(1), Registration::new(), mail)?;
//!
//! let run = manager.update_all();
//! let traced = Telemetry::new().run(&run);
//! let report = run.wait();
//! traced.finish(); // everything is told
//! # assert!(report.is_success());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "testing"))]
//! # fn main() {}
//! ```
//!
//! # What is told
//!
//! Spans, each with its parent, all of level `INFO`:
//!
//! | span | target | open | fields, beside those of OpenTelemetry |
//! |---|---|---|---|
//! | `syncmgr.run` | `syncmgr::run` | as long as the run, in the span that the caller of [`run`](Telemetry::run) was in | `syncmgr.run.`: `name`, `handlers`, `failed` (handlers) |
//! | `syncmgr.handler` | `syncmgr::handler` | from its list of items to its release; for a lone session, from the call of [`session`](Telemetry::session) to its end, in the span that the caller was in | `syncmgr.handler.`: `id`, `name`, `result` (as [`HResult`](crate::HResult) prints it), `rounds`, `finished` and `failed` (items) |
//! | `syncmgr.item` | `syncmgr::item` | from the item's first value or status to its final one | `syncmgr.item.`: `id`, `name`, `status`, `value`, `max`, `text` |
//!
//! What is known only at the end is recorded just before the span is closed. What failed has `otel.status_code` `ERROR` and the
//! reason in `otel.status_description`, by which `tracing-opentelemetry` marks it: an item by its status, a handler where its
//! result is a failure, it broke the contract or an item of it failed, a run where a handler did. Span names are the same for
//! every item, as OpenTelemetry asks; numbers are signed and end at `i64::MAX`, since it knows no others.
//!
//! Events, each in the span of what it is about; for an item that is not in work, that is its handler's:
//!
//! | target | level | what |
//! |---|---|---|
//! | `syncmgr::log` | by [`LogLevel`](crate::LogLevel): `ERROR`, `WARN`, `INFO` | an entry of the log, with the time at which it was logged |
//! | `syncmgr::status` | `DEBUG`; `ERROR` for `Failed` | an item has another status |
//! | `syncmgr::cancel` | `INFO`; `WARN` for everything | an item, or everything, is cancelled |
//! | `syncmgr::phase` | `DEBUG` | the session has another [phase](crate::Phase) |
//! | `syncmgr::progress` | `TRACE`; `DEBUG` for the sums of the session or run and for the handler's own line of text | what has changed of it: see [`progress_every`](Telemetry::progress_every) |
//!
//! An item's end is an event of level `DEBUG`, unless it failed; so at `info` it shows only as its span is closed, for which
//! `tracing_subscriber::fmt` wants `.with_span_events(FmtSpan::CLOSE)`: the line has the fields that were recorded at the end. The handler's span
//! of a lone session, such as that of [`run_handler`](crate::run_handler), has a name only by [`Telemetry::name`].
//!
//! Targets begin with `syncmgr`, so that a filter takes all of it (`syncmgr=info`) or a part: `syncmgr::item=off` leaves out the
//! spans of items, and their events go to the handler's.
//!
//! # How it is told
//!
//! A thread of its own reads by an [`Observer`](crate::Observer) or a [`RunObserver`](crate::RunObserver) and calls the
//! subscriber. So a report costs what it did, and a subscriber that is slow, or blocks for ever, never holds up a worker. It is
//! the subscriber, and the current span, of the thread that called [`session`](Telemetry::session) or [`run`](Telemetry::run);
//! the parents are told to the subscriber, no span is entered. A subscriber that panics loses what it was just told, and the
//! follower goes on.
//!
//! - What lies between two looks ([`poll_interval`](Telemetry::poll_interval)) is told by the second, so times of spans and events are
//!   late by as much. An item that begins and ends between two has a span of no length. Of several statuses the last is told.
//! - The same where the follower falls behind the session's journal: no item, status or log entry is lost by that, nor told twice.
//! - A retry is told by a new span: a span that is closed cannot be opened again, and the attempts have a length, a status and
//!   values each. Where an item fails and begins again between two looks, its span goes on; where the new attempt fails as the
//!   old one did between two looks, it is not told.
//! - An item that is left out before its work began has no span, only an event. So spans, and what was told of them, are kept of
//!   the items in work. Of one that is over its id and last status are kept, by which it is told once, and its share of the sums.
//! - Messages are for people: control characters of names and texts, line ends included, are escaped in them, so that none forges
//!   a line of a log. Fields are data, and have the texts as they are.
//!
//! # Logging inside an item
//!
//! What the work of an item logs by `tracing::info!` belongs into the item's span. [`span`](Telemetry::span) answers it, and
//! opens it if the follower has not yet:
//!
//! ```
//! use syncmgr::per_item::{HandlerBuilder, from_items};
//! use syncmgr::telemetry::Telemetry;
//! use syncmgr::{ItemId, RunOptions, SyncItem, run_handler};
//!
//! let telemetry = Telemetry::new();
//! let items = [SyncItem::new(ItemId::from_u128(1), "letters".parse()?)];
//! let told = telemetry.clone();
//! let source = from_items(items, move |item| {
//!     let _in = told.span(item.item().id).entered();
//!     tracing::info!("in the span of the item");
//!     Ok(())
//! });
//! let handler = HandlerBuilder::new("Mail".parse()?, source).build();
//! let options = RunOptions::new().on_session(move |session| telemetry.session(&session).detach());
//! assert!(run_handler(handler, options).is_success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Work that is a future is [instrumented](tracing::Instrument), since what `entered` answers may not be kept over an `.await`:
//!
//! ```
//! use syncmgr::per_item::{Error, TaskContext};
//! use syncmgr::telemetry::Telemetry;
//! use tracing::Instrument;
//!
//! fn receive(told: &Telemetry, work: TaskContext) -> impl Future<Output = Result<(), Error>> + Send + use<> {
//!     let span = told.span(work.item().id);
//!     async move {
//!         tracing::info!("in the span of the item, before and after an await");
//!         work.advance(1).await?;
//!         Ok(())
//!     }
//!     .instrument(span)
//! }
//! # let _ = receive;
//! ```
//!
//! Both have a part in the span: it is closed when the follower has seen the item's final status, and the work has let go what
//! it was given. Here the worker calls the subscriber, so one that blocks does hold up this worker, as it would in
//! `tracing::info!`.
//!
//! # A fleet that reports to one place
//!
//! A span that says what it is about, what came of it and who its parent is, is what OpenTelemetry collects. With
//! `tracing-opentelemetry` each machine sends its runs to one collector, under its own name:
//!
//! ```text
//! let provider = SdkTracerProvider::builder()
//!     .with_batch_exporter(opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?)
//!     .with_resource(
//!         Resource::builder()
//!             .with_service_name("backup")
//!             .with_attribute(KeyValue::new("host.name", host))
//!             .build(),
//!     )
//!     .build();
//! tracing_subscriber::registry()
//!     .with(EnvFilter::new("syncmgr=debug"))
//!     .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("syncmgr")))
//!     .init();
//!
//! let run = manager.update_all();
//! let traced = Telemetry::new().name("nightly").run(&run);
//! let report = run.wait();
//! traced.finish();      // all spans are closed, and so exported
//! provider.shutdown()?; // and sent
//! ```
//!
//! The layer marks a span as failed at every event of level `ERROR` in it, so also an item that logged an error and succeeded
//! after it.

mod lazy_span;

mod builder;
mod emitter;
mod handle;
mod handler_events;
mod item_events;
mod span_tree;
mod targets;

pub use builder::Telemetry;
pub use handle::TelemetryHandle;
