//! A run as `tracing-subscriber` prints it, by what a filter lets through.

mod manager;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use syncmgr::telemetry::Telemetry;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// A place to print to.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What a run prints with this filter.
fn printed(filter: &str) -> Vec<String> {
    let page = Page::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(page.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        manager::run(&Telemetry::new().name("nightly"));
    });
    let text = page.0.lock().expect("nobody panics").clone();
    let text = String::from_utf8(text).expect("it is UTF-8");
    text.lines()
        .map(|line| line.trim_start().to_owned())
        .collect()
}

#[test]
fn at_info_the_log_and_what_failed_are_printed_with_their_spans() {
    let lines = printed("info");
    let starting = |begin: &str| -> Vec<_> {
        lines
            .iter()
            .filter(|line| line.starts_with(begin))
            .collect()
    };
    let warned = starting("WARN");
    assert_eq!(warned.len(), 1, "{lines:#?}");
    let spans =
        r#"syncmgr.run{syncmgr.run.name="nightly" syncmgr.run.handlers=2}:syncmgr.handler{"#;
    assert!(warned[0].contains(spans), "{}", warned[0]);
    assert!(
        warned[0].contains(r#"syncmgr.item.name="Letters""#),
        "{}",
        warned[0]
    );
    assert!(
        warned[0].contains("syncmgr::log: one letter is large"),
        "{}",
        warned[0]
    );
    let failed = starting("ERROR");
    assert_eq!(failed.len(), 2, "{lines:#?}");
    assert!(
        failed[0].contains("syncmgr::log: the disk is full"),
        "{}",
        failed[0]
    );
    assert!(
        failed[1].contains("syncmgr::status: Photos: failed"),
        "{}",
        failed[1]
    );
    let sent = starting("INFO");
    assert_eq!(sent.len(), 1, "{lines:#?}");
    assert!(
        sent[0].contains(r#"syncmgr.item.name="Letters""#),
        "{}",
        sent[0]
    );
    assert!(sent[0].ends_with("mail: sent letters=12"), "{}", sent[0]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn targets_are_filtered_one_by_one() {
    let lines =
        printed("off,syncmgr=debug,syncmgr::item=off,syncmgr::phase=off,syncmgr::progress=off");
    let has = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(has("syncmgr.item{"), 0, "{lines:#?}");
    assert_eq!(has("syncmgr::phase"), 0, "{lines:#?}");
    assert_eq!(has("syncmgr::progress"), 0, "{lines:#?}");
    assert_eq!(has("mail"), 0, "{lines:#?}");
    let succeeded = "syncmgr::status: Letters: succeeded";
    assert_eq!(has(succeeded), 1, "{lines:#?}");
    let in_handler = lines.iter().find(|line| line.contains(succeeded));
    assert!(
        in_handler.is_some_and(|line| line.contains(r#"syncmgr.handler.name="Mail""#)),
        "{lines:#?}"
    );
}
