//! Bad arguments: exit status 2, a message, and nothing is written.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::run::{bound_by_permissions, command, run};
use crate::tree::{Place, look, mode};

/// Runs it, and checks that it refuses, that it says why, and that everything is as it was. The help, which says nothing of
/// directories, is not mentioned.
#[track_caller]
fn refused<A: AsRef<OsStr>>(place: &Place, args: impl IntoIterator<Item = A>, why: &str) {
    let err = refusal(place, args, why);
    assert!(!err.contains("--help"), "{err}");
}

/// The same for a command line that makes no sense; there the help helps.
#[track_caller]
fn misused<A: AsRef<OsStr>>(place: &Place, args: impl IntoIterator<Item = A>, why: &str) {
    let err = refusal(place, args, why);
    assert!(err.ends_with("\nTry 'mirror --help'.\n"), "{err}");
}

#[track_caller]
fn refusal<A: AsRef<OsStr>>(place: &Place, args: impl IntoIterator<Item = A>, why: &str) -> String {
    let before = look(place.dir.path());
    let ended = run(command(args).current_dir(place.dir.path()));
    let ended = ended.expect_code(2);
    assert!(ended.err.contains(why), "no {why:?} in: {}", ended.err);
    assert!(look(place.dir.path()) == before, "something was written");
    ended.err
}

fn filled() -> Place {
    let place = Place::new();
    place.file("item/file", "content");
    place
}

#[test]
fn a_source_that_is_missing_or_no_directory() {
    let place = filled();
    refused(
        &place,
        ["missing", "dest"],
        "the source 'missing' does not exist",
    );
    refused(&place, ["source/item/file", "dest"], "is not a directory");
    refused(
        &place,
        ["source/item/file/x", "dest"],
        "cannot read the source",
    );
    refused(&place, ["", "dest"], "the source '' does not exist");
}

#[test]
fn a_source_that_cannot_be_read() {
    let place = filled();
    let (source, dest) = (place.source(), place.dest());
    let args = [source.as_os_str(), dest.as_os_str()];
    // Its names cannot be read; its entries cannot be reached.
    for bits in [0o311, 0o644] {
        mode(&source, bits);
        let ended = run(&mut bound_by_permissions(place.dir.path(), &args));
        mode(&source, 0o755);
        let ended = ended.expect_code(2);
        assert!(
            ended.err.contains("cannot read the source"),
            "{}",
            ended.err
        );
    }
    assert!(!dest.exists());
}

#[test]
fn a_destination_that_is_the_source_or_inside_it() {
    let place = filled();
    refused(&place, ["source", "source"], "are the same directory");
    refused(
        &place,
        ["source", "./source/../source/."],
        "are the same directory",
    );
    refused(&place, ["source", "source/item"], "lies inside the source");
    refused(&place, ["source", "source/new"], "lies inside the source");
    refused(
        &place,
        ["source", "source/item/new"],
        "lies inside the source",
    );
    symlink("source", place.path("link")).unwrap();
    symlink("source/item", place.path("deep-link")).unwrap();
    refused(&place, ["source", "link"], "are the same directory");
    refused(&place, ["link", "source"], "are the same directory");
    refused(&place, ["source", "link/new"], "lies inside the source");
    refused(&place, ["link", "deep-link/new"], "lies inside the source");
}

#[test]
fn a_source_inside_the_destination() {
    let place = filled();
    refused(
        &place,
        ["source/item", "source"],
        "lies inside the destination",
    );
    refused(
        &place,
        ["--delete", "source/item", "source"],
        "lies inside the destination",
    );
    symlink("source/item", place.path("deep-link")).unwrap();
    refused(
        &place,
        ["deep-link", "source"],
        "lies inside the destination",
    );
    refused(&place, ["source", "."], "lies inside the destination");
}

#[test]
fn a_destination_that_is_no_directory() {
    let place = filled();
    fs::write(place.path("file"), "precious").unwrap();
    refused(
        &place,
        ["source", "file"],
        "the destination 'file' is not a directory",
    );
    refused(&place, ["source", "file/x"], "cannot use the destination");
    refused(
        &place,
        ["source", "missing/x"],
        "only its last part may be missing",
    );
    refused(
        &place,
        ["source", "missing/.."],
        "only its last part may be missing",
    );
    refused(&place, ["source", ""], "the destination ''");
    symlink("nowhere", place.path("dangling")).unwrap();
    refused(
        &place,
        ["source", "dangling"],
        "is a link that leads nowhere",
    );
    symlink("file", place.path("link")).unwrap();
    refused(
        &place,
        ["source", "link"],
        "the destination 'link' is not a directory",
    );
}

#[test]
fn a_destination_through_a_link_is_taken() {
    let place = filled();
    fs::create_dir(place.path("real")).unwrap();
    symlink("real", place.path("link")).unwrap();
    let ended = run(command(["source", "link"]).current_dir(place.dir.path()));
    ended.expect_code(0);
    crate::tree::assert_same(&place.source(), &place.path("real"));
}

#[test]
fn options_that_make_no_sense() {
    let place = filled();
    let both = |option: &'static str| [option, "source", "dest"];
    misused(&place, both("--deleet"), "unknown option '--deleet'");
    misused(&place, both("-x"), "unknown option '-x'");
    misused(&place, both("--delete=yes"), "'--delete' takes no value");
    misused(&place, both("--jobs=0"), "a number from 1 to 64, not '0'");
    misused(&place, both("--jobs=65"), "not '65'");
    misused(&place, both("-j\u{1b}[31m"), r"not '\u{1b}[31m'");
    misused(&place, ["--jobs"], "--jobs takes a number");
    misused(&place, ["source"], "but found 1");
    misused(&place, ["source", "dest", "more"], "but found 3");
    misused(&place, ["source", "--", "--delete", "dest"], "but found 3");
}

#[test]
fn a_path_may_look_like_an_option() {
    let place = Place::new();
    let source = place.path("--delete");
    crate::tree::write(&source.join("file"), "content");
    let ended = run(command(["--", "--delete", "dest"]).current_dir(place.dir.path()));
    ended.expect_code(0);
    crate::tree::assert_same(Path::new(&source), &place.dest());
}
