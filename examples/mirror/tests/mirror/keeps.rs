//! Links, permissions, times and strange names.

use std::fs::{self, FileTimes};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use crate::run::{bound_by_permissions, is_root, mirror, run};
use crate::tree::{Place, assert_same, identities, look, make_pipe, mode, name, touch, write};

#[test]
fn links_are_made_anew_and_never_followed() {
    let place = Place::new();
    let outside = place.path("outside");
    write(&outside.join("secret"), "secret");
    place.file("item/file", "content");
    let source = place.source();
    symlink("file", source.join("item/to-file")).unwrap();
    symlink("nowhere", source.join("item/dangling")).unwrap();
    symlink("loop", source.join("item/loop")).unwrap();
    symlink(&outside, source.join("item/to-dir")).unwrap();
    symlink(&outside, source.join("top-link")).unwrap();
    symlink(name(b"bad \xff\n name"), source.join("item/bytes")).unwrap();
    mirror(&source, &place.dest()).expect_code(0);
    assert_same(&source, &place.dest());

    let before = identities(&place.dest());
    mirror(&source, &place.dest())
        .expect_code(0)
        .expect("0 files copied, 7 unchanged");
    assert_eq!(identities(&place.dest()), before);

    // Another target, and a file where a link was, and the other way round.
    for path in ["item/to-file", "item/dangling", "item/file"] {
        fs::remove_file(source.join(path)).unwrap();
    }
    symlink("another", source.join("item/to-file")).unwrap();
    symlink("a-link-now", source.join("item/file")).unwrap();
    place.file("item/dangling", "a file now");
    mirror(&source, &place.dest()).expect_code(0);
    assert_same(&source, &place.dest());
}

#[test]
fn a_link_in_the_destination_is_not_written_through() {
    let place = Place::new();
    let (source, dest) = (place.source(), place.dest());
    place.file("item/dir/file", "content");
    place.file("item/file", "content");
    place.file("top/file", "content");
    place.file("fine/file", "content");
    mirror(&source, &dest).expect_code(0);

    let outside = place.path("outside");
    write(&outside.join("file"), "precious");
    for (path, target) in [("item/dir", ""), ("top", ""), ("item/file", "file")] {
        let path = dest.join(path);
        fs::remove_dir_all(&path)
            .or_else(|_| fs::remove_file(&path))
            .unwrap();
        symlink(outside.join(target), path).unwrap();
    }
    place.file("item/dir/file", "changed");
    place.file("item/dir/new", "new");
    let before = look(&outside);
    let ended = mirror(&source, &dest)
        .expect_code(1)
        .expect("item/dir: the destination has a file or link in place of this directory")
        .expect("top: the destination has a file or link in place of this directory");
    assert!(
        ended.out.contains("3 items: 1 done, 2 failed."),
        "{}",
        ended.out
    );
    assert!(look(&outside) == before, "it was written through a link");
    // A link where a file must go makes room for it.
    assert_same(&source.join("item/file"), &dest.join("item/file"));
}

#[test]
fn permissions_and_times_are_kept() {
    let place = Place::new();
    let (source, dest) = (place.source(), place.dest());
    for (number, bits) in [0o400, 0o000, 0o777, 0o644, 0o4755, 0o2755, 0o1644]
        .into_iter()
        .enumerate()
    {
        let path = place.file(&format!("item/{number}"), "content");
        touch(&path, 1_000_000_000 + number as i64, 123_456_789);
        mode(&path, bits);
    }
    touch(&place.file("item/old", "x"), -86_400, 500_000_000);
    touch(&place.file("item/first", "x"), 0, 0);
    touch(&place.file("item/future", "x"), 4_102_444_800, 1);
    for (dir, bits) in [("open", 0o777), ("sticky", 0o1777), ("closed", 0o500)] {
        let path = source.join(dir);
        place.file(&format!("{dir}/inner/file"), "content");
        touch(&path.join("inner"), 1_100_000_000, 7);
        mode(&path.join("inner"), 0o555);
        touch(&path, 1_200_000_000, 9);
        mode(&path, bits);
    }
    mode(&source, 0o750);
    touch(&source, 1_300_000_000, 11);
    if !is_root() {
        println!("not root: a file of mode 000 cannot be read, so it is left out");
        fs::remove_file(source.join("item/1")).unwrap();
        touch(&source, 1_300_000_000, 11);
    }
    let accessed = fs::metadata(source.join("item/0")).unwrap().atime();
    mirror(&source, &dest).expect_code(0);
    // Before the comparison reads it, which is an access too.
    assert_eq!(fs::metadata(dest.join("item/0")).unwrap().atime(), accessed);
    assert_same(&source, &dest);

    // Permissions alone: no content is copied.
    mode(&source.join("item/0"), 0o640);
    mode(&source.join("closed"), 0o700);
    mirror(&source, &dest)
        .expect_code(0)
        .expect("0 files copied");
    assert_same(&source, &dest);
}

#[test]
fn a_read_only_directory_is_filled_by_whom_permissions_bind() {
    let place = Place::new();
    let (source, dest) = (place.source(), place.dest());
    place.file("item/dir/file", "content");
    mode(&source.join("item/dir"), 0o555);
    mode(&source.join("item"), 0o555);
    mode(&source, 0o555);
    let args = [source.as_os_str(), dest.as_os_str()];
    run(&mut bound_by_permissions(place.dir.path(), &args)).expect_code(0);
    assert_same(&source, &dest);

    mode(&source.join("item/dir"), 0o755);
    place.file("item/dir/file", "another content");
    place.file("item/dir/new", "new");
    mode(&source.join("item/dir"), 0o555);
    run(&mut bound_by_permissions(place.dir.path(), &args)).expect_code(0);
    assert_same(&source, &dest);
}

#[test]
fn a_set_user_id_bit_is_not_given_to_another_user() {
    if !is_root() {
        println!("not root: cannot make files of another user, so nothing is tested here");
        return;
    }
    let place = Place::new();
    let path = place.file("item/program", "content");
    std::os::unix::fs::chown(&path, Some(1234), Some(1234)).unwrap();
    mode(&path, 0o6755);
    for _ in 0..2 {
        mirror(&place.source(), &place.dest()).expect_code(0);
        let copy = fs::metadata(place.dest().join("item/program")).unwrap();
        assert_eq!((copy.mode() & 0o7777, copy.uid()), (0o755, 0));
    }
}

#[test]
fn strange_names_are_copied_and_shown_escaped() {
    let place = Place::new();
    let (source, dest) = (place.source(), place.dest());
    let mut names = vec![
        name(b"not utf-8 \xff\xfe"),
        name(b"line\nend"),
        name(b"\x1b[31mred\x1b[0m\r\x07"),
        name(b"-rf"),
        name(b" spaces  "),
        name(b"back\\slash"),
        name("na\u{ef}ve \u{202e}txt.exe \u{65e5}\u{672c}".as_bytes()),
        name(b".hidden"),
        name(b".a.syncmgr-0123456789abcdef.part"),
        name(&[b'x'; 255]),
        name(&[0xff; 255]),
        name("\u{e9}".repeat(127).as_bytes()),
    ];
    names.push(name("\u{1f600}".repeat(63).as_bytes()));
    for name in &names {
        write(&source.join(name), name.as_encoded_bytes());
        write(
            &source.join("item").join(name).join(name),
            name.as_encoded_bytes(),
        );
    }
    let ended = mirror(&source, &dest).expect_code(0);
    assert_same(&source, &dest);
    for shown in [
        r"not utf-8 \xff\xfe",
        r"line\nend",
        r"\u{1b}[31mred\u{1b}[0m\r\u{7}",
        r"back\\slash",
        r"\u{202e}",
    ] {
        assert!(ended.out.contains(shown), "no {shown:?} in:\n{}", ended.out);
    }
    assert!(
        ended.out.chars().all(|c| c == '\n' || !c.is_control()),
        "{:?}",
        ended.out
    );
    for line in ended.out.lines().skip(1) {
        assert!(line.chars().count() <= 180, "too long: {line}");
    }
    mirror(&source, &dest)
        .expect_code(0)
        .expect("0 files copied");

    // Errors show the path escaped too.
    fs::remove_file(dest.join("line\nend")).unwrap();
    fs::create_dir(dest.join("line\nend")).unwrap();
    mirror(&source, &dest)
        .expect_code(1)
        .expect(r"error: line\nend: the destination has a directory");
}

#[test]
fn pipes_and_sockets_are_left_out_with_a_warning() {
    let place = Place::new();
    place.file("item/file", "content");
    make_pipe(&place.source().join("item/pipe"));
    make_pipe(&place.source().join("pipe"));
    let _socket = UnixListener::bind(place.source().join("item/socket")).unwrap();
    let ended = mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("item/pipe: left out: it is a pipe, a socket or a device")
        .expect("item/socket: left out")
        .expect("2 items: 1 done, 1 left out.");
    assert!(ended.out.contains("warning"), "{}", ended.out);
    assert_same(&place.source(), &place.dest());
    assert!(!place.dest().join("pipe").exists() && !place.dest().join("item/pipe").exists());
}

#[test]
fn the_same_size_and_time_count_as_unchanged() {
    let place = Place::new();
    let path = place.file("item/file", "one");
    touch(&path, 1_000_000_000, 1);
    mirror(&place.source(), &place.dest()).expect_code(0);
    fs::write(&path, "two").unwrap();
    touch(&path, 1_000_000_000, 1);
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("1 unchanged");
    assert_eq!(fs::read(place.dest().join("item/file")).unwrap(), b"one");
    let file = fs::File::open(&path).unwrap();
    file.set_times(FileTimes::new().set_modified(std::time::SystemTime::now()))
        .unwrap();
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("1 file copied");
    assert_same(&place.source(), &place.dest());
}
