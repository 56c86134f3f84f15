//! A whole tree, twice; no arguments; help.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{command, mirror, run};
use crate::tree::{Place, assert_same, grow, identities, write};

#[test]
fn mirrors_5000_files_over_20_items_and_then_touches_nothing() {
    let place = Place::new();
    grow(&place.source(), 20, 250, 1);
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("20 items: 20 done.")
        .expect("5000 files copied, 0 unchanged");
    assert_same(&place.source(), &place.dest());

    let before = identities(&place.dest());
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("0 B in 0 files copied, 5000 unchanged");
    assert_same(&place.source(), &place.dest());
    assert_eq!(identities(&place.dest()), before);
}

#[test]
fn copies_only_what_changed() {
    let place = Place::new();
    grow(&place.source(), 3, 30, 2);
    mirror(&place.source(), &place.dest()).expect_code(0);
    place.file("item01/file-new", "new");
    write(&place.source().join("item02/file0"), "another content");
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("2 files copied");
    assert_same(&place.source(), &place.dest());
}

#[test]
fn one_thread_and_many_threads_do_the_same() {
    let place = Place::new();
    grow(&place.source(), 5, 100, 3);
    for jobs in ["1", "16"] {
        let dest = place.path(jobs);
        let args = [Path::new("--jobs"), Path::new(jobs), &place.source(), &dest];
        run(&mut command(args)).expect_code(0);
        assert_same(&place.source(), &dest);
    }
}

#[test]
fn an_empty_source_makes_an_empty_destination() {
    let place = Place::new();
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("no items");
    assert_same(&place.source(), &place.dest());
}

#[test]
fn the_table_has_a_line_for_each_item() {
    let place = Place::new();
    place.file("first/a", vec![1; 2048]);
    place.file("first/b", "");
    place.file("second", "x");
    let out = mirror(&place.source(), &place.dest()).expect_code(0).out;
    let cells = |number: &str| -> Vec<String> {
        let line = out
            .lines()
            .find(|line| line.trim_start().starts_with(number));
        line.expect("the item has a line")
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        cells("1 ")[1..7],
        ["first", "done", "2.00", "KiB", "2", "0"]
    );
    assert_eq!(cells("2 ")[1..7], ["second", "done", "1", "B", "1", "0"]);
}

#[test]
fn without_arguments_the_crate_mirrors_itself() {
    let place = Place::new();
    let done = run(command([""; 0]).env("TMPDIR", place.dir.path())).expect_code(0);
    let first = done.out.lines().next().expect("it says where");
    let (from, rest) = first.split_once(" -> ").expect("from where to where");
    let dest = PathBuf::from(
        rest.rsplit_once(", ")
            .expect("the number of items follows")
            .0,
    );
    let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    assert_eq!(
        fs::canonicalize(from).unwrap(),
        fs::canonicalize(own).unwrap()
    );
    assert_same(&own.join("examples"), &dest.join("examples"));
    assert_eq!(
        fs::read(own.join("Cargo.toml")).unwrap(),
        fs::read(dest.join("Cargo.toml")).unwrap()
    );
    let last = done.out.lines().last().expect("it says how to remove it");
    let remove = last.strip_prefix("To remove this copy: ").expect(last);
    assert_eq!(remove, format!("rm -rf {}", dest.display()));
    assert!(!dest.join("target").exists() && !dest.join(".git").exists());
}

#[test]
fn the_command_that_removes_the_copy_works_whatever_the_name() {
    let place = Place::new();
    for name in ["with space", "it's; $HOME `x`", "plain"] {
        let tmp = place.path(name);
        fs::create_dir(&tmp).unwrap();
        let done = run(command([""; 0]).env("TMPDIR", &tmp)).expect_code(0);
        let last = done.out.lines().last().expect("it says how to remove it");
        let remove = last.strip_prefix("To remove this copy: ").expect(last);
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), 1);
        run(std::process::Command::new("sh").args(["-c", remove])).expect_code(0);
        assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
    }
}

#[test]
fn help_names_every_option() {
    let done = run(&mut command(["--help"])).expect_code(0);
    for option in ["--delete", "--jobs", "--plain", "--help", "? and Enter"] {
        assert!(done.out.contains(option), "{option} is missing");
    }
}
