//! One item cancelled by its number, all by Ctrl-C; then run again. Mostly with one thread (`-j1`), so that the items come
//! one after the other.

use std::fs;

use rustix::process::Signal;

use crate::held::held;
use crate::run::{Running, command, mirror};
use crate::tree::{Place, assert_no_parts, assert_same, assert_whole, grow, shrink};

#[test]
fn numbers_cancel_an_item_in_work_and_one_that_waits() {
    let place = Place::new();
    grow(&place.source(), 20, 250, 4);
    // The first item is in work until it is cancelled.
    let large = place.large_file("a-large/file");
    let mut running = held(&place, &["-j1"], &large).running;
    for line in ["nonsense", "22", "21", " 1 "] {
        running.type_line(line);
    }
    running.go_on();
    let done = running
        .end()
        .expect_code(3)
        .expect("there is no item 22")
        .expect("cancelling item 21\ncancelling item 1\n")
        .expect("[1] a-large: cancelled")
        .expect("21 items: 2 cancelled, 19 done.");
    assert!(done.out.contains("[21] item19: cancelled"), "{}", done.out);
    assert!(!place.dest().join("a-large/file").exists());
    assert!(!place.dest().join("item19").exists());
    assert_no_parts(&place.dest());
    assert_same(&place.source().join("item07"), &place.dest().join("item07"));

    shrink(&large);
    mirror(&place.source(), &place.dest()).expect_code(0);
    assert_same(&place.source(), &place.dest());
}

#[test]
fn an_item_that_has_ended_cannot_be_cancelled() {
    let place = Place::new();
    place.file("a", "a");
    let large = place.large_file("b/large");
    let mut running = held(&place, &["-j1"], &large).running;
    running.type_line("1");
    running.type_line("2");
    running.go_on();
    running
        .end()
        .expect_code(3)
        .expect("item 1 has ended already")
        .expect("2 items: 1 done, 1 cancelled.");
    shrink(&large);
}

#[test]
fn a_question_mark_lists_the_items_that_can_be_cancelled() {
    let place = Place::new();
    for path in ["a", "c/file", "d/file"] {
        place.file(path, "content");
    }
    let large = place.large_file("b/large");
    let mut running = held(&place, &["-j1"], &large).running;
    for line in ["?", "3", "?3", "?9", "2"] {
        running.type_line(line);
    }
    running.go_on();
    let done = running.end().expect_code(3);
    let told = [
        "2 b: in work",
        "3 c: waits",
        "4 d: waits",
        "cancelling item 3",
        "3 c: is being cancelled",
        "4 d: waits",
        "no such item waits or is in work",
        "cancelling item 2",
    ];
    assert!(done.out.contains(&told.join("\n")), "{}", done.out);
    done.expect("4 items: 2 done, 2 cancelled.");
}

#[test]
fn a_long_list_comes_in_parts() {
    let place = Place::new();
    let large = place.large_file("a/large");
    for number in 0..60 {
        place.file(&format!("b{number:02}"), "");
    }
    let mut running = held(&place, &["-j1"], &large).running;
    for line in ["?", "?51", "1"] {
        running.type_line(line);
    }
    running.go_on();
    running
        .end()
        .expect_code(3)
        .expect("50 b48: waits\nand 11 more: ?51 and Enter go on from item 51\n51 b49: waits")
        .expect("61 b59: waits\ncancelling item 1");
}

#[test]
fn ctrl_c_in_the_middle_stops_all_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        grow(&place.source(), 20, 20, 5);
        let large = place.large_file("item10/large");
        let running = held(&place, &["-j1"], &large).running;
        running.signal(signal);
        running.go_on();
        let done = running
            .end()
            .expect_code(130)
            .expect("cancelling everything")
            .expect("Cancelled. Run it again");
        assert!(
            done.out.contains("20 items: 10 done, 10 cancelled."),
            "{}",
            done.out
        );
        assert_whole(&place.source(), &place.dest());
        assert_no_parts(&place.dest());

        shrink(&large);
        mirror(&place.source(), &place.dest()).expect_code(0);
        assert_same(&place.source(), &place.dest());
    }
}

#[test]
fn the_end_of_the_input_cancels_nothing() {
    let place = Place::new();
    grow(&place.source(), 2, 10, 6);
    let (source, dest) = (place.source(), place.dest());
    Running::start(&mut command([source, dest]))
        .end()
        .expect_code(0);
    assert_same(&place.source(), &place.dest());
}

#[test]
fn a_read_only_directory_stays_so_when_its_item_is_cancelled() {
    let place = Place::new();
    let large = place.large_file("item/dir/large");
    crate::tree::mode(&place.source().join("item/dir"), 0o555);
    let mut running = held(&place, &["-j1"], &large).running;
    running.type_line("1");
    running.go_on();
    running.end().expect_code(3);
    let meta = fs::metadata(place.dest().join("item/dir")).expect("it was made");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777,
        0o555
    );
}
