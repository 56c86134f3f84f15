//! The program on a terminal, with keys pressed when what they are for is on the screen.

use crate::pty::{DOWN, END, HOME, Terminal, UP};
use crate::support::Place;

/// The terminal when everything is listed.
fn started(place: &Place, columns: u16, rows: u16) -> Terminal {
    let mut terminal = Terminal::start(place, columns, rows);
    terminal.until_shown("Total: nothing was started");
    terminal
}

/// Checks the endless item and starts everything, until that item is in work; the cursor stands on it.
fn endless(terminal: &mut Terminal) {
    terminal.press(END);
    terminal.until_row("] endless", "> ");
    terminal.press(" ");
    terminal.until_row("endless", "[x]");
    terminal.press("s");
    terminal.until_row("] endless", "working");
}

#[test]
fn a_whole_session() {
    let place = Place::new();
    let mut terminal = started(&place, 100, 30);
    for (title, items) in [
        ("Documents", 4),
        ("Photos", 3),
        ("Shelf", 5),
        ("Fails on purpose", 4),
    ] {
        let line = terminal.line(title).expect("it is listed");
        assert!(line.contains(&format!("{items} items")), "{line}");
    }
    assert!(terminal.line("[x] damaged.bin").unwrap().contains("ready"));
    assert!(terminal.shows("[ ] endless"), "it is not checked");
    assert!(terminal.line("> ").unwrap().contains("Documents"));

    endless(&mut terminal);
    // Everything else ends, or waits for nothing but this handler.
    terminal.until_shown("Total: 3 of 4 handlers, 15 of 16 items");
    for (title, says) in [
        ("Documents", "done"),
        ("Photos", "done"),
        ("Shelf", "failed"),
    ] {
        terminal.until_row(title, says);
    }
    terminal.until_row("[x] damaged.bin", "failed");
    assert!(
        terminal
            .line("] damaged.bin")
            .unwrap()
            .contains("wrong checksum")
    );
    terminal.until_row("] mended when shown", "failed");

    terminal.press("c");
    terminal.until_row("] endless", "stopped");
    // Now that the round is over its error is shown to the handler, which asks for a retry.
    terminal.until_row("] mended when shown", "done");
    terminal.until_shown("Total: 4 of 4 handlers, 16 of 16 items");
    terminal.until_shown("all is over; r retries what failed");
    terminal.until_row("] mended by a retry", "failed");
    terminal.until_row("] never mended", "failed");

    terminal.press("r");
    terminal.until_row("] mended by a retry", "done");
    terminal.until_shown("Total: 2 of 2 handlers, 3 of 3 items");
    terminal.until_row("] never mended", "failed");
    terminal.until_row("] endless", "stopped");

    assert!(!terminal.shows("log of"));
    terminal.press("l");
    terminal.until_shown("-- log of Fails on purpose: all, 3 ");
    terminal.until_shown("error: never mended: an error that stays");
    terminal.press("L");
    terminal.until_shown("-- log of Fails on purpose: warnings and errors, 3 ");
    // The log is that of the handler at the cursor.
    for _ in 0..5 {
        terminal.press(UP);
    }
    terminal.until_shown("-- log of Shelf: warnings and errors");
    terminal.until_shown("error: damaged.bin: wrong checksum");
    terminal.press("l");
    terminal.until("the log closed", |terminal| !terminal.shows("log of"));

    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    place.assert_all_is_there();
}

#[test]
fn choices_are_kept_from_start_to_start() {
    let place = Place::new();
    let mut terminal = started(&place, 100, 30);
    terminal.press(DOWN);
    terminal.until_row("accounts", "> ");
    terminal.press(" ");
    terminal.until_shown("[ ] accounts");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    let mut terminal = started(&place, 100, 30);
    assert!(terminal.shows("[ ] accounts"));
    assert!(terminal.shows("[x] letters"));
    terminal.press("s");
    terminal.until_row("] letters", "done");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    let copy = place.tree().join("copy/documents");
    assert!(copy.join("letters").exists());
    assert!(!copy.join("accounts").exists(), "it was not checked");
}

#[test]
fn a_handler_of_which_nothing_is_checked_takes_no_part() {
    let place = Place::new();
    let mut terminal = started(&place, 100, 30);
    terminal.press(" "); // on the handler: all of its items
    terminal.until_shown("[ ] reports");
    terminal.press("s");
    terminal.until_shown("all is over");
    terminal.until_shown("Total: 4 of 4 handlers, 11 of 11 items");
    assert!(terminal.shows("[ ] accounts"));
    assert!(!place.tree().join("copy/documents/letters").exists());
    terminal.press(" ");
    terminal.until_shown("[x] reports");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn keys_that_skip_cancel_a_handler_and_cancel_all() {
    let place = Place::new();
    let mut terminal = started(&place, 100, 30);
    // With errors not shown, no handler asks for a retry.
    terminal.press("e");
    terminal.until_shown("e errors off");
    for key in ["x", "C", "a"] {
        if terminal.shows("[x] endless") {
            terminal.press(" ");
            terminal.until_shown("[ ] endless");
        }
        endless(&mut terminal);
        terminal.press("s");
        terminal.until_shown("a run goes on");
        terminal.press(key);
        terminal.until_shown("all is over");
        terminal.until_row("] endless", "stopped");
        let row = terminal.line("] mended when shown").unwrap();
        assert!(!row.contains("done"), "{row}");
    }
    terminal.press("c");
    terminal.until_shown("endless is not in a run");
    terminal.press(HOME);
    terminal.press("c");
    terminal.until_shown("this is a handler, which C cancels");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    place.assert_no_half_files();
}

#[test]
fn whoever_quits_in_the_middle_leaves_no_half_file() {
    let place = Place::new();
    let mut terminal = started(&place, 100, 30);
    endless(&mut terminal);
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    place.assert_no_half_files();
}

#[test]
fn any_size_of_the_terminal_will_do() {
    let place = Place::new();
    let mut terminal = started(&place, 60, 20);
    assert!(!terminal.shows("TEXT"), "there is no room for it");
    endless(&mut terminal);
    assert!(terminal.shows("Fails on purpose"), "it has scrolled");
    terminal.press("l");
    for (columns, rows) in [(40, 12), (20, 6), (8, 3), (2, 1), (1, 1)] {
        terminal.resize(columns, rows);
        terminal.until_shown(">");
    }
    terminal.resize(120, 40);
    terminal.until_shown("TEXT");
    terminal.until_row("] endless", "working");
    terminal.until_row("Documents", "4 of 4 done");
    terminal.press("a");
    terminal.until_row("] endless", "stopped");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
}
