//! What goes wrong with one file fails its item, with the path in the message, while the others are done.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::held::held;
use crate::run::{Ended, bound_by_permissions, is_root, mirror, program, run};
use crate::tree::{Place, append, assert_no_parts, assert_same, assert_whole, mode, shrink, touch};

/// A source of three items, of which "bad" will fail.
fn place() -> Place {
    let place = Place::new();
    for path in ["a-fine/file", "bad/after", "bad/dir/file", "z-fine/file"] {
        place.file(path, path);
    }
    place
}

/// The item failed with this message; all else is done, whole, and nothing temporary is left.
#[track_caller]
fn assert_failed_alone(place: &Place, ended: Ended, message: &str) {
    ended
        .expect_code(1)
        .expect(message)
        .expect("3 items: 2 done, 1 failed.");
    for path in ["a-fine", "z-fine", "bad/after", "bad/dir"] {
        assert_same(&place.source().join(path), &place.dest().join(path));
    }
    assert_whole(&place.source(), &place.dest());
    assert_no_parts(&place.dest());
}

#[test]
fn an_unreadable_file() {
    let place = place();
    let path = place.file("bad/file", "content");
    let (source, dest) = (place.source(), place.dest());
    mode(&path, 0o000);
    let args = [source.as_os_str(), dest.as_os_str()];
    let ended = run(&mut bound_by_permissions(place.dir.path(), &args));
    mode(&path, 0o644);
    assert_failed_alone(&place, ended, "bad/file: cannot open it: Permission denied");
    let args = [source.as_os_str(), dest.as_os_str()];
    run(&mut bound_by_permissions(place.dir.path(), &args)).expect_code(0);
    assert_same(&source, &dest);
}

#[test]
fn an_unreadable_directory() {
    let place = place();
    place.file("bad/closed/file", "content");
    let (source, dest) = (place.source(), place.dest());
    mode(&source.join("bad/closed"), 0o000);
    let args = [source.as_os_str(), dest.as_os_str()];
    let ended = run(&mut bound_by_permissions(place.dir.path(), &args));
    mode(&source.join("bad/closed"), 0o755);
    assert_failed_alone(
        &place,
        ended,
        "bad/closed: cannot open it: Permission denied",
    );
}

/// Changes something while a mirror copies the large file.
fn meanwhile(place: &Place, large: &Path, change: impl FnOnce()) -> Ended {
    let running = held(place, &[], large).running;
    change();
    running.go_on();
    running.end()
}

#[test]
fn a_file_that_shrinks_while_it_is_copied() {
    let place = place();
    let large = place.large_file("bad/large");
    let ended = meanwhile(&place, &large, || shrink(&large));
    assert_failed_alone(&place, ended, "bad/large: it changed while it was copied");
    mirror(&place.source(), &place.dest()).expect_code(0);
    assert_same(&place.source(), &place.dest());
}

/// Makes a file that is large enough to be held in the middle, but not much larger, for it is copied to its end.
fn middling_file(place: &Place, path: &str) -> std::path::PathBuf {
    let path = place.file(path, "");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(768 << 20).unwrap();
    path
}

#[test]
fn a_file_that_grows_or_gets_another_time_while_it_is_copied() {
    let place = place();
    let large = middling_file(&place, "bad/large");
    let ended = meanwhile(&place, &large, || append(&large, b"more"));
    assert_failed_alone(&place, ended, "bad/large: it changed while it was copied");
    let ended = meanwhile(&place, &large, || touch(&large, 1_000_000_000, 0));
    assert_failed_alone(&place, ended, "bad/large: it changed while it was copied");
}

#[test]
fn a_file_that_is_replaced_or_vanishes_while_it_is_copied() {
    let place = place();
    let large = middling_file(&place, "bad/large");
    let other = place.file("z-fine/other", "the other");
    let ended = meanwhile(&place, &large, || {
        let copy = place.path("copy");
        fs::copy(&other, &copy).unwrap();
        fs::rename(copy, &large).unwrap();
    });
    assert_failed_alone(&place, ended, "bad/large: it changed while it was copied");

    let large = middling_file(&place, "bad/large");
    let ended = meanwhile(&place, &large, || fs::remove_file(&large).unwrap());
    assert_failed_alone(&place, ended, "bad/large: it vanished");
    mirror(&place.source(), &place.dest()).expect_code(0);
    assert_same(&place.source(), &place.dest());
}

#[test]
fn an_item_that_vanishes_before_its_turn() {
    let place = Place::new();
    let large = place.large_file("a/large");
    place.file("b/file", "content");
    place.file("c/file", "content");
    let (source, dest) = (place.source(), place.dest());
    let mut running = held(&place, &["-j1"], &large).running;
    fs::remove_dir_all(source.join("b")).unwrap();
    running.type_line("1");
    running.go_on();
    running
        .end()
        .expect_code(1)
        .expect("[2] error: b: it vanished")
        .expect("3 items: 1 cancelled, 1 failed, 1 done.");
    assert_same(&source.join("c"), &dest.join("c"));
    shrink(&large);
}

/// A command in a name space of its own, where it may mount what it likes; `None` if that is not allowed.
fn with_mounts(script: &str, args: &[&Path]) -> Option<Command> {
    let allowed = Command::new("unshare").args(["-m", "true"]).output();
    if !is_root() || !allowed.is_ok_and(|output| output.status.success()) {
        println!("may not mount anything, so this is not tested here");
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script])
        .arg(program())
        .args(args);
    Some(command)
}

#[test]
fn a_read_error() {
    let place = place();
    place.file("bad/file", "");
    // A process's memory cannot be read at address 0: "Input/output error".
    let script = r#"mount --bind /proc/$$/mem "$1/bad/file" && exec "$0" "$1" "$2""#;
    if let Some(mut command) = with_mounts(script, &[&place.source(), &place.dest()]) {
        let ended = run(&mut command);
        assert_failed_alone(
            &place,
            ended,
            "bad/file: cannot read it: Input/output error",
        );
    }
}

#[test]
fn no_space_left() {
    let place = place();
    place.file("bad/large", vec![7; 3 << 20]);
    let (source, dest, room) = (place.source(), place.dest(), place.path("room"));
    fs::create_dir(&room).unwrap();
    // One thread: beside the large file, while it fills the place, no other file would find room either. What is there
    // afterwards must be looked at before the mount is gone.
    let script = r#"mount -t tmpfs -o size=2m none "$3" && "$0" --jobs 1 "$1" "$3/dest"; code=$?;
        cp -a "$3/dest" "$2"; exit $code"#;
    if let Some(mut command) = with_mounts(script, &[&source, &dest, &room]) {
        run(&mut command)
            .expect_code(1)
            .expect("bad/large: cannot copy it: No space left on device")
            .expect("3 items: 2 done, 1 failed.");
        assert_whole(&source, &dest);
        assert_no_parts(&dest);
        for path in ["a-fine", "z-fine"] {
            assert_same(&source.join(path), &dest.join(path));
        }
    }
}

#[test]
fn a_file_larger_than_the_limit() {
    let place = place();
    place.file("bad/small", vec![7; 100 << 10]);
    place.file("bad/large", vec![7; 300 << 10]);
    let script = r#"trap "" XFSZ; ulimit -f 8; exec "$0" "$1" "$2""#;
    let ended = run(Command::new("sh").args([
        OsStr::new("-c"),
        script.as_ref(),
        program().as_ref(),
        place.source().as_ref(),
        place.dest().as_ref(),
    ]));
    // One file is written by this program, the other by the system.
    let ended = ended.expect("bad/small: cannot write it in the destination: File too large");
    assert_failed_alone(&place, ended, "bad/large: cannot copy it: File too large");
    mirror(&place.source(), &place.dest()).expect_code(0);
    assert_same(&place.source(), &place.dest());
}

#[test]
fn a_destination_that_may_not_be_written() {
    let place = place();
    place.file("bad/file", "content");
    let (source, dest) = (place.source(), place.dest());
    let args = [source.as_os_str(), dest.as_os_str()];
    run(&mut bound_by_permissions(place.dir.path(), &args)).expect_code(0);
    if !is_root() {
        println!("not root: cannot make a directory of another user, so nothing is tested here");
        return;
    }
    // It belongs to another user now, who gave us no right to write.
    std::os::unix::fs::chown(dest.join("bad"), Some(1234), None).unwrap();
    place.file("bad/file", "another content");
    let ended = run(&mut bound_by_permissions(place.dir.path(), &args));
    ended
        .expect_code(1)
        .expect("error: bad: cannot set its times and permissions");
}
