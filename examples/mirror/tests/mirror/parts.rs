//! Parts of the example that can be tested without running it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::time::Duration;

use syncmgr_mirror::show::{bytes, escaped, padded, shortened, time, width};
use syncmgr_mirror::temp::{Namer, is_ours};

use crate::tree::name;

#[test]
fn temporary_names_fit_and_are_known_again() {
    let namer = Namer::new();
    let long_utf8 = "\u{20ac}".repeat(85);
    for file in [
        b"a".as_slice(),
        b"",
        &[b'x'; 255],
        &[0xff; 255],
        &[0x80; 255],
        long_utf8.as_bytes(),
    ] {
        let made = namer.name(&name(file));
        assert!(made.len() <= 255, "{made:?}");
        assert!(is_ours(&made), "{made:?}");
    }
    assert!(
        namer.name(OsStr::new(&long_utf8)).to_str().is_some(),
        "half a character"
    );
}

#[test]
fn temporary_names_are_all_different() {
    let namer = Namer::new();
    let names: HashSet<_> = (0..1000).map(|_| namer.name("a".as_ref())).collect();
    assert_eq!(names.len(), 1000);
}

#[test]
fn similar_names_are_not_ours() {
    let made = Namer::new()
        .name("file".as_ref())
        .into_string()
        .expect("it is UTF-8");
    let last = made.rfind(".part").expect("it ends so");
    let digit = &made[last - 1..last];
    let other = if digit == "0" { "1" } else { "0" };
    let wrong = [
        made[1..].to_owned(),
        made.replace(".file", ".fole"),
        made.replace(".part", ".PART"),
        made.replace(".part", ""),
        made.replace("syncmgr", "syncmgs"),
        format!("{}{other}.part", &made[..last - 1]),
        made.to_uppercase(),
        format!("{made} "),
    ];
    for name in &wrong {
        assert!(!is_ours(name.as_ref()), "{name}");
    }
    assert!(
        !is_ours("".as_ref()) && !is_ours(".part".as_ref()) && !is_ours(".syncmgr-.part".as_ref())
    );
}

#[test]
fn escaped_names_are_safe_and_unambiguous() {
    let cases: [(&[u8], &str); 8] = [
        (b"plain name", "plain name"),
        (b"a\nb\tc\rd", r"a\nb\tc\rd"),
        (b"\x1b[31m\x7f\0", r"\u{1b}[31m\u{7f}\u{0}"),
        (b"\xff\xc3(", r"\xff\xc3("),
        (b"\\n", r"\\n"),
        ("\u{85}\u{9b}".as_bytes(), r"\u{85}\u{9b}"),
        (
            "\u{202e}\u{feff}\u{200b}".as_bytes(),
            r"\u{202e}\u{feff}\u{200b}",
        ),
        ("\u{fc} \u{65e5}'\"".as_bytes(), "\u{fc} \u{65e5}'\""),
    ];
    for (bytes, expected) in cases {
        assert_eq!(escaped(name(bytes)), expected);
    }
}

#[test]
fn shortened_names_fit_and_keep_both_ends() {
    assert_eq!(shortened("short", 5), "short");
    assert_eq!(shortened("abcdefghij", 5), "ab\u{2026}ij");
    assert_eq!(shortened("abc", 0), "");
    assert_eq!(shortened("abc", 1), "\u{2026}");
    let wide = "\u{65e5}".repeat(30);
    for room in 0..=60 {
        assert!(width(&shortened(&wide, room)) <= room, "{room}");
        assert_eq!(width(&padded(&shortened(&wide, room), room)), room);
    }
}

#[test]
fn sizes_and_times_read_well() {
    assert_eq!(bytes(0), "0 B");
    assert_eq!(bytes(1536), "1.50 KiB");
    assert_eq!(time(Duration::from_millis(20)), "0.02 s");
    assert_eq!(time(Duration::from_secs(59)), "59.0 s");
    assert_eq!(time(Duration::from_secs(245)), "4:05 min");
    assert_eq!(time(Duration::from_secs(7445)), "2:04:05 h");
}
