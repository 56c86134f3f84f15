//! On a terminal.

use std::process::Command;

use crate::run::{Running, program, run};
use crate::tree::{Place, assert_same, grow};

/// The example on a pseudo-terminal, made by the program `script`; `None` where that is missing.
fn on_terminal(place: &Place, options: &str) -> Option<Command> {
    if !Command::new("script")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        println!("there is no program `script`, so this is not tested here");
        return None;
    }
    let mut command = Command::new("script");
    command.args([
        "-qfec",
        r#"stty cols 90 rows 24; exec "$MIRROR" $OPTIONS "$SOURCE" "$DEST""#,
        "/dev/null",
    ]);
    command.env("MIRROR", program()).env("OPTIONS", options);
    command
        .env("SOURCE", place.source())
        .env("DEST", place.dest())
        .env("TERM", "xterm");
    command.stdin(std::process::Stdio::null());
    Some(command)
}

#[test]
fn bars_are_drawn_and_the_table_stands_at_the_end() {
    let place = Place::new();
    grow(&place.source(), 5, 50, 8);
    if let Some(mut command) = on_terminal(&place, "") {
        let ended = run(&mut command).expect_code(0);
        assert!(ended.out.contains("/5 items"), "no bar in:\n{}", ended.out);
        assert!(
            ended.out.contains("5 items: 5 done."),
            "no table in:\n{}",
            ended.out
        );
        assert!(
            !ended.out.contains("begun"),
            "plain lines in:\n{}",
            ended.out
        );
        assert_same(&place.source(), &place.dest());
    }
}

#[test]
fn plain_draws_no_bars() {
    let place = Place::new();
    grow(&place.source(), 5, 50, 8);
    if let Some(mut command) = on_terminal(&place, "--plain") {
        let ended = run(&mut command).expect_code(0);
        assert!(
            !ended.out.contains("/5 items") && !ended.out.contains('\u{1b}'),
            "{:?}",
            ended.out
        );
        assert!(ended.out.contains("[5] item04: done"), "{}", ended.out);
    }
}

#[test]
fn a_number_typed_on_the_terminal_cancels_its_item() {
    let place = Place::new();
    place.file("a/file", "content");
    place.large_file("b/large");
    if let Some(mut command) = on_terminal(&place, "-j1") {
        let mut running = Running::start(&mut command);
        // At once: it is read when the bars are there, or waits in the terminal until then.
        running.type_line("2");
        let ended = running.end().expect_code(3);
        assert!(
            ended.out.contains("2 items: 1 done, 1 cancelled."),
            "{}",
            ended.out
        );
        assert!(!place.dest().join("b/large").exists());
    }
}
