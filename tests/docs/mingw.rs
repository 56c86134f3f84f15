//! The tables of `docs/guide/names.md` beside the `mobsync.h` of mingw-w64, where it is installed (Debian's package
//! `mingw-w64-common`): every name of the header is in the tables, and every number is the header's.

use std::collections::BTreeMap;
use std::io::Write;

use syncmgr::HResult;

use crate::names::{rows, told};

const HEADER: &str = "/usr/share/mingw-w64/include/mobsync.h";

/// The current SDK has more flags than this header, so its masks are wider. The guide says so.
const WIDER_NOW: [&str; 2] = ["SYNCMGRITEM_ITEMFLAGMASK", "SYNCMGRHANDLERFLAG_MASK"];

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim().trim_matches(['(', ')']);
    if let Some(code) = text.strip_prefix("MAKE_SCODE(SEVERITY_SUCCESS,FACILITY_ITF,") {
        return Some(0x0004_0000 | number(code)?);
    }
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What the header declares: names, each with its number if it has one.
fn declared(header: &str) -> BTreeMap<String, Option<u32>> {
    let mut names = BTreeMap::new();
    let mut structure = "";
    for line in header.lines().map(str::trim) {
        if let Some(define) = line.strip_prefix("#define ") {
            let (name, value) = define.split_once(' ').unwrap_or((define, ""));
            // Guards, and macros that take arguments.
            if is_name(name) {
                names.insert(name.to_owned(), number(value));
            }
            continue;
        }
        if let Some(rest) = line.strip_prefix("typedef struct ") {
            structure = rest.strip_suffix(" {").unwrap_or_default();
        }
        if let Some(rest) = line.strip_prefix('}') {
            names.insert(rest.trim_matches([' ', ';']).to_owned(), None);
            structure = "";
            continue;
        }
        if let Some(method) = line.strip_prefix("virtual HRESULT WINAPI ") {
            names.extend(method.split('(').next().map(|name| (name.to_owned(), None)));
        } else if let Some(function) = line.strip_prefix("int WINAPI ") {
            names.extend(
                function
                    .split('(')
                    .next()
                    .map(|name| (name.to_owned(), None)),
            );
        } else if let Some(guid) = line.strip_prefix("DEFINE_GUID(") {
            names.extend(guid.split(',').next().map(|name| (name.to_owned(), None)));
        } else if line.starts_with("SYNCMGR") && line.contains('=') {
            for member in line.split(',') {
                if let Some((name, value)) = member.split_once('=') {
                    names.insert(name.trim().to_owned(), number(value));
                }
            }
        } else if structure.starts_with("_tagSYNCMGR") && line.ends_with(';') {
            let member = line
                .trim_end_matches(';')
                .split('[')
                .next()
                .unwrap_or_default();
            names.extend(
                member
                    .rsplit(' ')
                    .next()
                    .map(|name| (name.to_owned(), None)),
            );
        } else if line.starts_with("typedef ") && line.ends_with(';') {
            let name = line
                .trim_end_matches(';')
                .rsplit(' ')
                .next()
                .unwrap_or_default();
            names.insert(name.to_owned(), None);
        }
    }
    // The tables of methods of C, pointers, the two widths of characters, and what no program writes.
    names.retain(|name, _| {
        is_name(name) && !name.ends_with("Vtbl") && !name.starts_with("LP") && name != "UNICODE"
    });
    names
}

#[test]
fn every_name_of_the_header_of_mingw_is_told_with_its_number() {
    let header = match std::fs::read_to_string(HEADER) {
        Ok(header) => header,
        Err(error) => {
            // Past the test's own capture, so that it is seen.
            let line = format!("not compared with {HEADER} (package mingw-w64-common): {error}\n");
            std::io::stderr()
                .write_all(line.as_bytes())
                .expect("stderr is open");
            return;
        }
    };
    let declared = declared(&header);
    let numbers = declared.values().flatten().count();
    assert!(declared.len() > 120 && numbers > 70, "{declared:#?}");
    let told = told();
    for name in declared.keys() {
        let narrow = name.strip_suffix(['A', 'W']).unwrap_or(name);
        let is_told = told.contains(&**name) || told.contains(narrow);
        assert!(is_told, "{name} is in the header and not in the tables");
    }
    let mut compared = 0;
    for row in rows() {
        for name in row.names("there") {
            let value = row
                .value()
                .or_else(|| HResult::from_name(name).map(|code| code.to_u32()));
            let Some((value, Some(there))) = value.zip(declared.get(name).copied()) else {
                continue;
            };
            if !WIDER_NOW.contains(&name) {
                assert_eq!(value, there, "the value of {name}");
            }
            compared += 1;
        }
    }
    assert!(compared > 45, "{compared}");
}
