//! The program: its lines, its errors and its exit codes.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Output};

fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rayon_checksums"));
    command.args(args).output().unwrap()
}

/// Of "abc", of nothing: the test values of the standard.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn it_prints_lines_as_sha256sum_does_in_the_order_of_the_arguments() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [("b/z", "abc"), ("b/deep/y", ""), ("a/new\nline\\", "abc")] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let done = run(["b", "a"].map(|name| dir.path().join(name)));
    assert_eq!(done.status.code(), Some(0));
    let root = dir.path().display();
    let expected = format!(
        "{NOTHING}  {root}/b/deep/y\n{ABC}  {root}/b/z\n\\{ABC}  {root}/a/new\\nline\\\\\n"
    );
    assert_eq!(String::from_utf8(done.stdout).unwrap(), expected);
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
}

#[test]
fn what_cannot_be_read_is_told_and_fails_the_program() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("there")).unwrap();
    fs::write(dir.path().join("there/file"), "abc").unwrap();
    let done = run(["missing", "there"].map(|name| dir.path().join(name)));
    assert_eq!(done.status.code(), Some(1));
    let root = dir.path().display();
    assert_eq!(
        String::from_utf8(done.stdout).unwrap(),
        format!("{ABC}  {root}/there/file\n")
    );
    let told = String::from_utf8(done.stderr).unwrap();
    let start = format!("rayon_checksums: {root}/missing: ");
    assert!(told.starts_with(&start), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn without_arguments_it_says_what_it_expects() {
    let done = run([""; 0]);
    assert_eq!(done.status.code(), Some(2));
    assert!(done.stdout.is_empty());
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(
        told,
        "rayon_checksums: expected DIRECTORY..., but found no argument\n"
    );
}
