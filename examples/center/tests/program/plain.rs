//! The program without a terminal: everything that is checked is run once, and told in plain lines.

use std::fs;
use std::process::{Command, Output};

use serde_json::json;
use syncmgr_center::flaky::{BY_A_RETRY, NEVER};

use crate::support::{PROGRAM, Place};

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn everything_is_run_once_and_what_failed_is_told() {
    let place = Place::new();
    let (code, out, err) = run(&mut place.command());
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    for line in [
        "Documents: letters: done, 8 copied, 0 unchanged",
        "Fails on purpose: error: never mended: an error that stays",
        "Fails on purpose: mended when shown: done, the retry after the error was shown went well",
        "Documents: 4 items, 4 done",
        "Photos: 3 items, 3 done",
        "Shelf: 5 items, 4 done, 1 failed",
        "Fails on purpose: 3 items, 1 done, 2 failed",
    ] {
        assert!(
            out.lines().any(|found| found == line),
            "no {line:?} in\n{out}"
        );
    }
    assert!(
        out.contains("damaged.bin: failed, wrong checksum: 600000 bytes with"),
        "{out}"
    );
    assert!(out.ends_with("something failed\n"), "{out}");
    assert!(!out.contains('\u{1b}'), "no command to a terminal");
    place.assert_all_is_there();
}

#[test]
fn where_nothing_fails_the_exit_status_tells_so() {
    let place = Place::new();
    // The tree is made by a first run; then its damaged file is mended, and what is never mended unchecked.
    run(&mut place.command());
    let damaged = place.tree().join("shelf/damaged.bin");
    let mut content = fs::read(&damaged).expect("it is in the demo tree");
    *content.last_mut().expect("it is not empty") ^= 1;
    fs::write(&damaged, content).expect("it can be written");
    let flaky = "5b0e94c1-6f37-4d2a-9c81-aa403d7ef204";
    let choices = json!({
        "version": 1,
        "handlers": { flaky: { NEVER.to_string(): false, BY_A_RETRY.to_string(): false } },
    });
    fs::write(place.choices(), choices.to_string()).expect("it can be written");
    let (code, out, err) = run(&mut place.command());
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("Shelf: 5 items, 5 done\n"), "{out}");
    assert!(out.contains("Fails on purpose: 1 item, 1 done\n"), "{out}");
    assert!(out.ends_with("all went well\n"), "{out}");
}

#[test]
fn a_handler_that_cannot_be_made_fails_and_the_others_go_on() {
    let place = Place::new();
    run(&mut place.command());
    fs::write(place.tree().join("shelf.sha256"), "no list\n").expect("it can be written");
    let (code, out, _) = run(&mut place.command());
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("Shelf: 0 items, 0 done; initialize: the list '"),
        "{out}"
    );
    assert!(
        out.contains("line 1: \"no list\" is not 64 hexadecimal digits"),
        "{out}"
    );
    assert!(out.contains("Photos: 3 items, 3 done\n"), "{out}");
}

#[test]
fn bad_arguments_are_told_and_nothing_is_written() {
    let place = Place::new();
    let tree = place.tree();
    let refused = |command: &mut Command, says: &str| {
        let (code, out, err) = run(command);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(says), "{err}");
        assert!(!place.tree().exists());
    };
    let program = || Command::new(PROGRAM);
    refused(
        program().arg("--nothing"),
        "unknown option '--nothing'; allowed are",
    );
    refused(
        program().arg("--choices"),
        "--choices takes the name of a file",
    );
    refused(
        program().arg("--choices="),
        "--choices takes the name of a file",
    );
    refused(program().args([&tree, &tree]), "is a second directory");
    fs::write(place.choices(), "{}").expect("it can be written");
    refused(&mut place.command(), "does not hold choices");
    let other = tempfile::tempdir().expect("there is a temporary directory");
    fs::write(other.path().join("mine"), "").expect("it can be written");
    refused(
        program().arg(other.path()),
        "has no 'documents'; a tree has documents,",
    );
    assert_eq!(fs::read_dir(other.path()).expect("it is there").count(), 1);
    let (code, out, _) = run(program().arg("--help"));
    assert_eq!(code, Some(0));
    assert!(out.contains("--choices FILE"), "{out}");
}
