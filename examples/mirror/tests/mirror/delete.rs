//! With `--delete` and without.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{FlockOperation, flock};

use syncmgr_mirror::temp::Namer;

use crate::run::{bound_by_permissions, mirror, mirror_delete, run};
use crate::tree::{Place, assert_same, grow, look, make_pipe, mode, write};

/// A source, its mirror, and much in the mirror that is not in the source.
fn with_extras() -> Place {
    let place = Place::new();
    grow(&place.source(), 3, 20, 7);
    mirror(&place.source(), &place.dest()).expect_code(0);
    let dest = place.dest();
    write(&place.path("outside/file"), "precious");
    for dir in ["", "item01/", "extra/deep/", "item01/extra/deep/"] {
        write(&dest.join(format!("{dir}extra-file")), "extra");
        symlink(place.path("outside"), dest.join(format!("{dir}extra-link"))).unwrap();
        symlink(
            place.path("outside/file"),
            dest.join(format!("{dir}extra-link2")),
        )
        .unwrap();
        make_pipe(&dest.join(format!("{dir}extra-pipe")));
    }
    mode(&dest.join("item01/extra/deep"), 0o555);
    place
}

#[test]
fn without_delete_nothing_is_removed() {
    let place = with_extras();
    place.file("item01/new", "new");
    let before = look(&place.dest());
    mirror(&place.source(), &place.dest()).expect_code(0);
    let after = look(&place.dest());
    assert!(before.keys().all(|path| after.contains_key(path)));
    assert_eq!(after.len(), before.len() + 1);
    assert!(place.dest().join("extra-pipe").exists());
}

#[test]
fn with_delete_what_is_not_in_the_source_goes_and_links_are_not_followed() {
    let place = with_extras();
    mirror_delete(&place.source(), &place.dest())
        .expect_code(0)
        .expect("(not in the source)")
        .expect("4 items: 4 done.");
    assert_same(&place.source(), &place.dest());
    assert!(!place.dest().join("extra-pipe").exists());
    assert!(!place.dest().join("item01/extra-pipe").exists());
    assert_eq!(fs::read(place.path("outside/file")).unwrap(), b"precious");
    mirror_delete(&place.source(), &place.dest())
        .expect_code(0)
        .expect(", 0 removed");
}

#[test]
fn delete_works_for_whom_permissions_bind() {
    let place = Place::new();
    place.file("item/file", "content");
    let (source, dest) = (place.source(), place.dest());
    let args = [source.as_os_str(), dest.as_os_str()];
    for path in ["item/extra/file", "extra/deep/file"] {
        place.file(path, "extra");
    }
    mode(&source.join("extra/deep"), 0o555);
    mode(&source.join("item/extra"), 0o555);
    run(&mut bound_by_permissions(place.dir.path(), &args)).expect_code(0);
    for path in ["item/extra", "extra/deep"] {
        mode(&source.join(path), 0o755);
    }
    fs::remove_dir_all(source.join("item/extra")).unwrap();
    fs::remove_dir_all(source.join("extra")).unwrap();
    let args = ["--delete".as_ref(), source.as_os_str(), dest.as_os_str()];
    run(&mut bound_by_permissions(place.dir.path(), &args)).expect_code(0);
    assert_same(&source, &dest);
}

#[test]
fn an_empty_source_with_delete_empties_the_destination() {
    let place = Place::new();
    write(&place.dest().join("a/b"), "extra");
    mirror_delete(&place.source(), &place.dest())
        .expect_code(0)
        .expect("2 removed");
    assert_same(&place.source(), &place.dest());
}

#[test]
fn a_file_never_makes_room_for_a_directory_nor_a_directory_for_a_file() {
    let place = Place::new();
    let (source, dest) = (place.source(), place.dest());
    place.file("a/dir/file", "content");
    place.file("a/other", "content");
    place.file("b/file", "content");
    place.file("b/other", "content");
    symlink("x", source.join("b/link")).unwrap();
    place.file("c/file", "content");
    place.file("d", "content");
    place.file("fine/file", "content");
    write(&dest.join("a/dir"), "precious");
    write(&dest.join("b/file/inner"), "precious");
    write(&dest.join("b/link/inner"), "precious");
    write(&dest.join("c"), "precious");
    fs::create_dir(dest.join("d")).unwrap();
    for mirror in [mirror, mirror_delete] {
        mirror(&source, &dest)
            .expect_code(1)
            .expect("a/dir: the destination has a file or link in place of this directory: remove or rename that one, then run again")
            .expect("b/file: the destination has a directory in its place: remove or rename that one, then run again")
            .expect("b/link: the destination has a directory in its place")
            .expect("c: the destination has a file or link in place of this directory")
            .expect("d: the destination has a directory in its place")
            .expect("4 failed");
        for path in ["a/dir", "b/file/inner", "b/link/inner", "c"] {
            assert_eq!(fs::read(dest.join(path)).unwrap(), b"precious", "{path}");
        }
        assert!(dest.join("d").is_dir());
        for path in ["a/other", "b/other", "fine"] {
            assert_same(&source.join(path), &dest.join(path));
        }
    }
}

#[test]
fn only_a_leftover_of_our_own_kind_is_removed() {
    let place = Place::new();
    place.file("item/file", "content");
    mirror(&place.source(), &place.dest()).expect_code(0);
    let namer = Namer::new();
    let dest = place.dest();
    let similar = [
        ".file.syncmgr-0123456789abcdef.part",
        ".file.syncmgr-.part",
        "file.syncmgr-0123456789abcdef.part",
        ".syncmgr-0123456789abcdef.part",
        ".file.part",
    ];
    for dir in [dest.clone(), dest.join("item")] {
        for name in similar {
            write(&dir.join(name), "a user's");
        }
        write(&dir.join(namer.name("file".as_ref())), "ours");
        write(&dir.join(namer.name("of another time".as_ref())), "ours");
        symlink("ours", dir.join(namer.name("link".as_ref()))).unwrap();
        // A mirror makes no such directory.
        write(
            &dir.join(namer.name("dir".as_ref())).join("file"),
            "a user's",
        );
    }
    mirror(&place.source(), &dest).expect_code(0);
    for dir in [dest.clone(), dest.join("item")] {
        let names: Vec<_> = (fs::read_dir(dir).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(
            similar
                .iter()
                .all(|name| names.iter().any(|there| there == name)),
            "{names:?}"
        );
        assert_eq!(names.len(), similar.len() + 2, "{names:?}");
    }
}

#[test]
fn a_leftover_is_left_alone_while_the_directory_is_locked() {
    let place = Place::new();
    place.file("item/file", "content");
    mirror(&place.source(), &place.dest()).expect_code(0);
    let dir = place.dest().join("item");
    let leftover = write(&dir.join(Namer::new().name("file".as_ref())), "in use");
    let lock = fs::File::open(&dir).unwrap();
    flock(&lock, FlockOperation::LockShared).unwrap();
    mirror(&place.source(), &place.dest())
        .expect_code(0)
        .expect("another mirror is at work there");
    assert!(leftover.exists());
    drop(lock);
    mirror(&place.source(), &place.dest()).expect_code(0);
    assert!(!leftover.exists());
}

#[test]
fn a_name_of_our_kind_in_the_source_is_a_file_like_any_other() {
    let place = Place::new();
    let name = Namer::new().name("file".as_ref()).into_string().unwrap();
    place.file(&name, "content");
    place.file(&format!("item/{name}"), "content");
    for _ in 0..2 {
        mirror_delete(&place.source(), &place.dest()).expect_code(0);
        assert_same(&place.source(), &place.dest());
    }
}
