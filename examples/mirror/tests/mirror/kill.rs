//! Killed at random moments; then run again.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use crate::held::{Held, held};
use crate::run::{Running, command, mirror};
use crate::tree::{Dice, Place, assert_same, assert_whole, grow, parts};

#[test]
fn a_kill_leaves_no_half_file_and_the_next_run_finishes() {
    let seed = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.as_nanos() as u64);
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let place = Place::new();
    grow(&place.source(), 20, 60, seed);
    for item in 0..4 {
        place.file(&format!("item{item:02}/large"), dice.bytes(6 << 20));
    }
    let start = || Running::start(&mut command([place.source(), place.dest()]));

    // How long a whole run takes, so that the moments lie in its middle.
    let begun = Instant::now();
    start().end().expect_code(0);
    let mut whole = begun.elapsed();
    fs::remove_dir_all(place.dest()).expect("it can be removed");

    let (mut hits, mut leftovers) = (0, 0);
    for attempt in 0.. {
        if hits == 20 {
            break;
        }
        assert!(
            attempt < 400,
            "only {hits} of {attempt} kills came in time, seed {seed}"
        );
        let moment = Duration::from_nanos(dice.below(whole.as_nanos() as u64));
        let begun = Instant::now();
        let mut running = start();
        while begun.elapsed() < moment {
            std::hint::spin_loop();
        }
        if running.has_ended() {
            whole = moment;
        } else {
            running.signal(Signal::KILL);
            hits += 1;
        }
        running.end();
        assert_whole(&place.source(), &place.dest());
        leftovers += parts(&place.dest()).len();
        mirror(&place.source(), &place.dest()).expect_code(0);
        assert_same(&place.source(), &place.dest());
        fs::remove_dir_all(place.dest()).expect("it can be removed");
    }
    println!("{leftovers} temporary files were left by the kills, and removed by the next runs");
}

#[test]
fn the_leftover_of_a_kill_is_removed() {
    let place = Place::new();
    for path in ["item/dir/large", "top-level"] {
        let large = place.large_file(path);
        let Held { running, part } = held(&place, &[], &large);
        running.signal(Signal::KILL);
        running.end();
        assert!(part.exists());
        crate::tree::shrink(&large);
        mirror(&place.source(), &place.dest()).expect_code(0);
        assert_same(&place.source(), &place.dest());
    }
}

#[test]
fn another_mirror_at_work_keeps_its_temporary_files() {
    let place = Place::new();
    let large = place.large_file("item/large");
    let held = held(&place, &[], &large);
    let (mut first, part) = (held.running, held.part);
    // A second mirror into the same place, from another source.
    let other = Place::new();
    other.file("item/small", "small");
    mirror(&other.source(), &place.dest())
        .expect_code(0)
        .expect("leftover left alone")
        .expect("another mirror is at work there");
    assert!(part.exists());
    first.type_line("1");
    first.go_on();
    first.end().expect_code(3);
    assert!(!part.exists());
    crate::tree::shrink(&large);
}
