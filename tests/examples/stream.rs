//! The example `stream`: the built program is run, once as the job and once as the one that shows it.
//!
//! `cargo test --all-features` builds it; `cargo test -p syncmgr-tests` does not.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use syncmgr::ItemStatus;
use syncmgr::json::{self, HandlerReportData, StreamMessage, StreamReader};

/// Only a failure takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// The example's program, beside the directory of this test's program.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test.parent().and_then(Path::parent);
    let program = profile
        .expect("target/<profile>/deps/<test>")
        .join("examples/stream");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --features serde --example stream` first, or a whole `cargo test --all-features`",
        program.display()
    );
    program
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Waits for the program to end. One that does not is killed.
fn end(mut child: Child) -> Output {
    drop(child.stdin.take());
    let begun = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begun.elapsed() > DEADLINE {
            child.kill().expect("it can be killed");
            panic!("the program does not end");
        }
        thread::yield_now();
    }
    child.wait_with_output().expect("its output can be read")
}

/// Shows this text.
fn show(text: &[u8]) -> Output {
    let mut child = command(&["--show"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it starts");
    // It may end before it has read all.
    let _ = child.stdin.take().expect("a pipe").write_all(text);
    end(child)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
}

/// A directory of three files, one of them below another directory, and one with a name that would colour a terminal.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("a"), "one\ntwo\n").expect("a file");
    fs::create_dir(directory.path().join("below")).expect("a directory");
    fs::write(directory.path().join("below/b"), "x".repeat(200_000) + "\n").expect("a file");
    fs::write(directory.path().join("\u{1b}[31m"), "").expect("a file");
    directory
}

#[test]
fn a_job_is_streamed_and_shown() {
    let directory = directory();
    let report = directory.path().join("report.json");
    let path = directory.path().to_str().expect("a plain path");
    let out = command(&[path, "--report", report.to_str().expect("a plain path")]);
    let out = { out }.output().expect("it runs");
    assert!(out.status.success(), "{out:?}");
    assert_eq!(text(&out.stderr), "");

    let mut lines = StreamReader::new(&*out.stdout).expect("a stream");
    assert_eq!(
        lines.about(),
        Some(&*format!("lines of the files in {path}"))
    );
    let last = lines.by_ref().map(|line| line.expect("a line")).last();
    assert!(matches!(last, Some(StreamMessage::End(end)) if end.success));

    let report = fs::read_to_string(report).expect("a report");
    let report: HandlerReportData = json::from_str(&report).expect("a report");
    let told: Vec<_> = (report.items.iter())
        .map(|view| (view.name.as_str(), view.status, &*view.text))
        .collect();
    assert_eq!(
        told,
        [
            ("\u{1b}[31m", ItemStatus::Succeeded, "0 lines"),
            ("a", ItemStatus::Succeeded, "2 lines"),
            ("below/b", ItemStatus::Succeeded, "1 lines"),
        ]
    );

    let shown = show(&out.stdout);
    assert!(shown.status.success(), "{shown:?}");
    let shown = text(&shown.stdout);
    assert!(
        shown.starts_with(&format!("lines of the files in {path}\n3 items\n")),
        "{shown}"
    );
    for line in [
        "succeeded: a, 2 lines",
        "succeeded: below/b, 1 lines",
        "succeeded: \\u{1b}[31m, 0 lines",
    ] {
        assert_eq!(
            shown.lines().filter(|shown| *shown == line).count(),
            1,
            "{shown}"
        );
    }
    assert!(
        shown.ends_with("       3 succeeded\nended with S_OK (0x00000000)\n"),
        "{shown}"
    );
}

#[test]
fn a_job_that_is_killed_is_shown_as_far_as_it_came() {
    let directory = directory();
    let path = directory.path().to_str().expect("a plain path");
    let mut child = command(&[path, "--pace", "1000"])
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut out = Vec::new();
    for _ in 0..2 {
        lines.read_until(b'\n', &mut out).expect("a line");
    }
    child.kill().expect("it runs");
    lines.read_to_end(&mut out).expect("the rest");
    assert!(!end(child).status.success());

    let shown = show(&out);
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stdout).contains("3 items"), "{shown:?}");
    let error = text(&shown.stderr);
    assert!(error.starts_with("stream: "), "{error}");
    assert!(
        error.contains("; its last line has to tell the end") || error.contains(" is cut: "),
        "{error}"
    );
}

#[test]
fn whoever_goes_away_ends_the_streaming_and_not_the_job() {
    let directory = directory();
    let report = directory.path().join("report.json");
    let path = directory.path().to_str().expect("a plain path");
    let args = [
        path,
        "--pace",
        "400000",
        "--report",
        report.to_str().expect("a plain path"),
    ];
    let mut child = command(&args).spawn().expect("it starts");
    let mut head = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    lines.read_line(&mut head).expect("a line");
    assert!(head.starts_with("{\"syncmgr_stream\":1,"), "{head}");
    drop(lines);
    let out = end(child);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(text(&out.stderr), "");
    let report = fs::read_to_string(report).expect("a report");
    assert!(
        json::from_str::<HandlerReportData>(&report)
            .expect("a report")
            .is_success()
    );
}

#[test]
fn both_ends_of_a_pipe() {
    let directory = directory();
    let path = directory.path().to_str().expect("a plain path");
    let mut job = command(&[path, "--pace", "400000"])
        .spawn()
        .expect("it starts");
    let lines = job.stdout.take().expect("a pipe");
    let shown = command(&["--show"]).stdin(lines).output().expect("it runs");
    assert!(shown.status.success(), "{shown:?}");
    assert!(end(job).status.success());
    let shown = text(&shown.stdout);
    assert!(shown.contains("3 items"), "{shown}");
    assert!(shown.ends_with("ended with S_OK (0x00000000)\n"), "{shown}");
}

#[test]
fn a_line_that_is_broken_is_told_by_its_number() {
    let sample = include_str!("../data/stream-1.jsonl");
    let lines: Vec<&str> = sample.lines().collect();
    let broken = format!(
        "{}\n{}\nwelcome \u{1b}[31m\n{}\n",
        lines[0], lines[1], lines[4]
    );
    let shown = show(broken.as_bytes());
    assert_eq!(shown.status.code(), Some(1));
    assert_eq!(
        text(&shown.stderr),
        "stream: line 3 is none of a stream: expected value at column 1\n"
    );
    let out = text(&shown.stdout);
    assert!(
        !out.contains('\u{1b}') && out.contains("the handler panicked"),
        "{out}"
    );
    assert!(out.contains("information : begun"), "{out}");

    let shown = show(b"hello\n");
    assert_eq!(shown.status.code(), Some(1));
    let error = text(&shown.stderr);
    assert!(
        error.starts_with("stream: line 1 is no head of a stream"),
        "{error}"
    );
}

#[test]
fn whoever_looks_may_go_away_too() {
    let sample = include_bytes!("../data/stream-1.jsonl");
    let mut child = command(&["--show"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let _ = child.stdin.take().expect("a pipe").write_all(sample);
    let out = end(child);
    assert_eq!(
        (out.status.code(), text(&out.stderr)),
        (Some(0), String::new())
    );
}

#[test]
fn bad_arguments_are_told() {
    for (args, told) in [
        (&["--pace"][..], "the number of --pace is missing"),
        (
            &["--pace", "0"],
            "--pace \"0\" is no number of bytes; one from 1 to 4294967295 is wanted",
        ),
        (&["--loud"], "\"--loud\" is no option"),
        (&["a", "b"], "\"b\" is one directory too many"),
        (&["--show", "a"], "--show takes nothing else"),
    ] {
        let out = command(args).output().expect("it runs");
        assert_eq!(out.status.code(), Some(2), "{out:?}");
        assert_eq!(
            text(&out.stderr),
            format!("stream: {told}\nTry 'stream --help'.\n")
        );
    }
    let out = command(&["--help"]).output().expect("it runs");
    assert!(out.status.success() && text(&out.stdout).contains("stream --show < LINES"));
    let out = command(&["/no/such/directory"]).output().expect("it runs");
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).starts_with("stream: /no/such/directory: "),
        "{out:?}"
    );
}
