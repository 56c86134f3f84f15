//! A run as OpenTelemetry exports it.

mod manager;

use std::collections::BTreeMap;

use manager::run;
use opentelemetry::trace::{SpanId, Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use syncmgr::telemetry::Telemetry;
use tracing_subscriber::layer::SubscriberExt;

/// What is exported while this is done, in the order in which spans were closed.
fn exported(work: impl FnOnce()) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("syncmgr"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let spans = exporter.get_finished_spans().expect("it is not shut down");
    provider.shutdown().expect("it is shut down once");
    spans
}

fn attributes(span: &SpanData) -> BTreeMap<&str, String> {
    let ours = span
        .attributes
        .iter()
        .filter(|pair| pair.key.as_str().starts_with("syncmgr."));
    ours.map(|pair| (pair.key.as_str(), pair.value.to_string()))
        .collect()
}

/// The span whose attribute of this name has this value.
#[track_caller]
fn find<'a>(spans: &'a [SpanData], name: &str, value: &str) -> &'a SpanData {
    let found: Vec<_> = spans
        .iter()
        .filter(|span| attributes(span).get(name).is_some_and(|it| it == value))
        .collect();
    assert_eq!(found.len(), 1, "{name} {value} in {spans:#?}");
    found[0]
}

fn events(span: &SpanData) -> Vec<&str> {
    span.events
        .iter()
        .map(|event| event.name.as_ref())
        .collect()
}

#[test]
fn a_run_is_exported_as_a_tree() {
    let spans = exported(|| {
        run(&Telemetry::new().name("nightly"));
    });
    assert_eq!(spans.len(), 5);
    let run = find(&spans, "syncmgr.run.name", "nightly");
    let mail = find(&spans, "syncmgr.handler.name", "Mail");
    let files = find(&spans, "syncmgr.handler.name", "Files");
    let letters = find(&spans, "syncmgr.item.name", "Letters");
    let photos = find(&spans, "syncmgr.item.name", "Photos");
    assert_eq!(run.parent_span_id, SpanId::INVALID);
    for (span, name, parent) in [
        (mail, "syncmgr.handler", run),
        (files, "syncmgr.handler", run),
        (letters, "syncmgr.item", mail),
        (photos, "syncmgr.item", files),
    ] {
        assert_eq!(span.name, name);
        assert_eq!(span.parent_span_id, parent.span_context.span_id());
        assert_eq!(span.span_context.trace_id(), run.span_context.trace_id());
        assert!(parent.start_time <= span.start_time && span.end_time <= parent.end_time);
    }
}

#[test]
fn what_failed_is_exported_as_failed() {
    let spans = exported(|| {
        run(&Telemetry::new().name("nightly"));
    });
    let run = find(&spans, "syncmgr.run.name", "nightly");
    assert_eq!(run.status, Status::error("1 of its handlers failed"));
    let mail = find(&spans, "syncmgr.handler.name", "Mail");
    assert_eq!(mail.status, Status::Unset);
    let files = find(&spans, "syncmgr.handler.name", "Files");
    assert_eq!(files.status, Status::error("1 of its items failed"));
    let letters = find(&spans, "syncmgr.item.name", "Letters");
    assert_eq!(letters.status, Status::Unset);
    let photos = find(&spans, "syncmgr.item.name", "Photos");
    assert_eq!(photos.status, Status::error("the disk is full"));
}

#[test]
fn attributes_and_events_are_exported() {
    let spans = exported(|| {
        run(&Telemetry::new().name("nightly"));
    });
    let letters = find(&spans, "syncmgr.item.name", "Letters");
    let told = attributes(letters);
    assert_eq!(told["syncmgr.item.status"], "succeeded");
    let number = |name: &str| {
        let mut pairs = letters.attributes.iter();
        pairs
            .find(|pair| pair.key.as_str() == name)
            .map(|pair| pair.value.clone())
    };
    assert_eq!(
        number("syncmgr.item.value"),
        Some(12_i64.into()),
        "a number, and no text"
    );
    assert_eq!(number("syncmgr.item.max"), Some(12_i64.into()));
    let told = events(letters);
    assert!(
        told.contains(&"sent"),
        "what the work logs by tracing: {told:?}"
    );
    assert!(
        told.contains(&"one letter is large"),
        "what it logs by the contract: {told:?}"
    );
    assert!(told.contains(&"Letters: succeeded"), "{told:?}");

    let photos = find(&spans, "syncmgr.item.name", "Photos");
    assert_eq!(attributes(photos)["syncmgr.item.status"], "failed");
    assert_eq!(events(photos), ["the disk is full", "Photos: failed"]);

    let mail = find(&spans, "syncmgr.handler.name", "Mail");
    let told = attributes(mail);
    assert_eq!(told["syncmgr.handler.result"], "S_OK (0x00000000)");
    assert_eq!(told["syncmgr.handler.finished"], "1");
    assert_eq!(events(mail).last(), Some(&"released"), "a phase");
}

#[test]
fn a_run_belongs_to_the_trace_of_its_caller() {
    let spans = exported(|| {
        tracing::info_span!("nightly job").in_scope(|| run(&Telemetry::new()));
    });
    let caller = spans.iter().find(|span| span.name == "nightly job");
    let caller = caller.expect("it is exported");
    let run = spans.iter().find(|span| span.name == "syncmgr.run");
    let run = run.expect("it is exported");
    assert_eq!(run.parent_span_id, caller.span_context.span_id());
    assert_eq!(caller.status, Status::Unset, "it is not ours to mark");
}
