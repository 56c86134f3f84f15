//! A subscriber that the program sets after it has begun to follow.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use syncmgr::telemetry::Telemetry;
use syncmgr::{HResult, ItemId, Session, SyncCallback, SyncItem};
use tracing_subscriber::layer::SubscriberExt;

// The only test of this file: there is one such subscriber in a program.
#[test]
fn a_subscriber_that_comes_later_is_told_from_then_on() {
    let id = ItemId::from_u128(1);
    let name = "Letters".parse().expect("it is short");
    let session = Session::builder().item(SyncItem::new(id, name)).build();
    let session = session.expect("one item builds");
    let traced = Telemetry::new()
        .poll_interval(Duration::MAX)
        .session(&session);
    traced.flush();

    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("syncmgr"));
    let set = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    assert!(set.is_ok());
    let reporter = session.reporter(id).expect("it is known");
    assert_eq!(reporter.succeed(), Ok(()));
    assert_eq!(session.synchronize_completed(HResult::S_OK), Ok(()));
    traced.finish();

    let spans = exporter.get_finished_spans().expect("it is not shut down");
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["syncmgr.item"], "the handler's began before");
}
