//! The tables of `docs/guide/names.md` are complete, and their numbers are the crate's: what is added to the contract and not to
//! the tables fails here, and so does a row whose number is wrong.

use std::collections::BTreeSet;

use syncmgr::raw::{LogInfoMask, ProgressMask};
use syncmgr::*;

const GUIDE: &str = include_str!("../../docs/guide/names.md");
const HRESULT: &str = include_str!("../../src/contract/hresult.rs");
const CALLBACK: &str = include_str!("../../src/contract/callback.rs");
const HANDLER: &str = include_str!("../../src/contract/handler.rs");
const CALLBACK_ERROR: &str = include_str!("../../src/contract/callback_error.rs");
const HANDLER_ERROR: &str = include_str!("../../src/contract/handler_error.rs");
const ITEM: &str = include_str!("../../src/contract/item.rs");
const UPDATE: &str = include_str!("../../src/contract/update.rs");
const LOG: &str = include_str!("../../src/contract/log.rs");
const RAW: &str = include_str!("../../src/raw.rs");

/// Where the names of the tables are declared, but for the numbers of results, which have the header's names.
const SOURCES: [&str; 19] = [
    include_str!("../../src/contract/response.rs"),
    CALLBACK,
    include_str!("../../src/contract/event.rs"),
    include_str!("../../src/contract/flags.rs"),
    HANDLER,
    include_str!("../../src/contract/id.rs"),
    RAW,
    ITEM,
    LOG,
    include_str!("../../src/contract/status.rs"),
    UPDATE,
    include_str!("../../src/manager/starts.rs"),
    include_str!("../../src/manager/listing.rs"),
    include_str!("../../src/manager/log_filter.rs"),
    include_str!("../../src/manager/registration.rs"),
    include_str!("../../src/manager/registry.rs"),
    include_str!("../../src/manager/run.rs"),
    include_str!("../../src/manager/sync_manager.rs"),
    include_str!("../../src/session/log_entry.rs"),
];

/// A row of a table: its cells, each with the name of its column.
pub(super) struct Row {
    cells: Vec<(String, String)>,
}

impl Row {
    fn cell(&self, column: &str) -> Option<&str> {
        let mut cells = self.cells.iter();
        cells
            .find(|(name, _)| name == column)
            .map(|(_, cell)| &**cell)
    }

    /// The names in a cell: what stands between backticks.
    pub(super) fn names(&self, column: &str) -> Vec<&str> {
        spans(self.cell(column).unwrap_or_default())
    }

    /// The number that the row gives, if it gives one.
    pub(super) fn value(&self) -> Option<u32> {
        let value = self.cell("value")?;
        match value.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => value.parse().ok(),
        }
    }
}

fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    for line in GUIDE.lines() {
        let Some(inner) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            columns.clear();
            continue;
        };
        let cells: Vec<String> = inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        if columns.is_empty() {
            columns = cells;
        } else if !inner.starts_with("---") {
            assert_eq!(cells.len(), columns.len(), "the row has a hole: {line}");
            let cells = columns.iter().cloned().zip(cells).collect();
            rows.push(Row { cells });
        }
    }
    rows
}

/// The rows that name this as what it is here.
fn rows_of<'a>(rows: &'a [Row], here: &str) -> Vec<&'a Row> {
    rows.iter()
        .filter(|row| row.names("here").contains(&here))
        .collect()
}

/// The members of a type that have a row with a number.
fn members(rows: &[Row], of: &str) -> BTreeSet<String> {
    let prefix = format!("{of}::");
    let numbered = rows.iter().filter(|row| row.cell("value").is_some());
    let here = numbered.flat_map(|row| row.names("here"));
    here.filter_map(|name| name.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect()
}

/// The one row with a number for a name, its number checked, and its name there.
fn check(rows: &[Row], here: &str, value: u32) -> String {
    let found = rows_of(rows, here);
    let numbered: Vec<&&Row> = found
        .iter()
        .filter(|row| row.cell("value").is_some())
        .collect();
    assert_eq!(
        numbered.len(),
        1,
        "{here} has to have one row with its value"
    );
    assert_eq!(numbered[0].value(), Some(value), "the value of {here}");
    numbered[0].names("there").concat()
}

/// A name without what tells the header's style from Rust's.
fn plain(name: &str) -> String {
    name.replace('_', "").to_uppercase()
}

/// A member of an enumeration or of flags: its number, and the header's name without its prefix.
fn check_member(rows: &[Row], of: &str, name: &str, value: u32) {
    let there = check(rows, &format!("{of}::{name}"), value);
    let rest = there
        .split_once('_')
        .map(|(_, rest)| plain(rest))
        .unwrap_or_default();
    assert_eq!(rest, plain(name), "{there} and {of}::{name}");
}

#[test]
fn every_result_code_has_a_row_with_its_number() {
    let rows = rows();
    let consts = HRESULT
        .lines()
        .filter_map(|line| line.trim().split_once(" = 0x"));
    let consts: BTreeSet<String> = consts.map(|(name, _)| name.to_owned()).collect();
    for name in &consts {
        let code = HResult::from_name(name).expect("the constants have names");
        assert_eq!(
            check(&rows, &format!("HResult::{name}"), code.to_u32()),
            *name
        );
    }
    check(&rows, "HResult::FACILITY_ITF", HResult::FACILITY_ITF.into());
    let mut told = members(&rows, "HResult");
    told.remove("FACILITY_ITF");
    assert_eq!(told, consts);
}

#[test]
fn every_flag_has_a_row_with_its_number() {
    let rows = rows();
    macro_rules! flags {
        ($($type:ident { $($mask:ident)? })+) => {
            $(
                let mut names = BTreeSet::new();
                for (name, flag) in $type::all().iter_names() {
                    names.insert(name.to_owned());
                    check_member(&rows, stringify!($type), name, flag.bits());
                }
                $(
                    names.insert(stringify!($mask).to_owned());
                    let path = concat!(stringify!($type), "::", stringify!($mask));
                    check(&rows, path, $type::$mask.bits());
                )?
                assert!(!names.is_empty());
                assert_eq!(members(&rows, stringify!($type)), names);
            )+
        };
    }
    flags! {
        SyncFlags { EVENT_MASK }
        HandlerFlags { MASK }
        ItemFlags { MASK }
        InvokeFlags {}
        RegisterFlags { MASK }
        ProgressMask {}
        LogInfoMask {}
        ErrorFlags {}
    }
}

#[test]
fn every_member_of_an_enumeration_has_a_row_with_its_number() {
    let rows = rows();
    macro_rules! enumerations {
        ($($type:ident)+) => {
            $(
                let all = (0..=0xFFFF).filter_map(|raw| $type::try_from(raw).ok());
                let mut names = BTreeSet::new();
                for member in all {
                    let name = format!("{member:?}");
                    check_member(&rows, stringify!($type), &name, member.raw());
                    let row = &rows_of(&rows, &format!("{}::{name}", stringify!($type)))[0];
                    assert_eq!(row.names("there"), [member.name()]);
                    names.insert(name);
                }
                assert!(!names.is_empty());
                assert_eq!(members(&rows, stringify!($type)), names);
            )+
        };
    }
    enumerations!(ItemStatus LogLevel SyncEvent);
}

/// The methods of a trait, from its source; those that are hidden are not told.
fn methods(source: &str) -> BTreeSet<&str> {
    let mut hidden = false;
    let mut methods = BTreeSet::new();
    for line in source.lines() {
        if line == "    #[doc(hidden)]" {
            hidden = true;
        } else if let Some(rest) = line.strip_prefix("    fn ") {
            if !std::mem::take(&mut hidden) {
                methods.extend(rest.split('(').next());
            }
        }
    }
    methods
}

#[test]
fn every_method_of_the_two_traits_has_a_row() {
    let rows = rows();
    let (callback, handler) = (methods(CALLBACK), methods(HANDLER));
    assert!(callback.contains("progress") && callback.contains("set_handler_text"));
    assert!(handler.contains("initialize") && handler.contains("show_error"));
    assert!(!callback.contains("slot"));
    for method in callback {
        let here = format!("SyncCallback::{method}");
        assert!(!rows_of(&rows, &here).is_empty(), "{here} has no row");
    }
    for method in handler {
        let here = format!("SyncHandler::{method}");
        assert!(!rows_of(&rows, &here).is_empty(), "{here} has no row");
    }
}

/// The public fields of a structure, from its source.
fn fields<'a>(source: &'a str, structure: &str) -> Vec<&'a str> {
    let body = body(source, &format!("pub struct {structure}"));
    let fields = body
        .iter()
        .filter_map(|line| line.strip_prefix("    pub ")?.split_once(':'));
    fields.map(|(name, _)| name).collect()
}

/// The variants of an enum, from its source.
fn variants<'a>(source: &'a str, of: &str) -> Vec<&'a str> {
    let body = body(source, &format!("pub enum {of}"));
    let lines = body.iter().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    lines
        .filter_map(|line| line.split(['(', ',']).next())
        .collect()
}

/// The lines between a declaration and its closing brace.
fn body<'a>(source: &'a str, declaration: &str) -> Vec<&'a str> {
    let lines = source
        .lines()
        .skip_while(|line| !line.starts_with(declaration));
    let body: Vec<&str> = lines.skip(1).take_while(|line| *line != "}").collect();
    assert!(!body.is_empty(), "{declaration} is not in the source");
    body
}

#[test]
fn every_member_of_the_structures_has_a_row() {
    let rows = rows();
    let structures = [
        (ITEM, "SyncItem"),
        (ITEM, "HandlerInfo"),
        (UPDATE, "ProgressUpdate"),
        (LOG, "LogRecord"),
    ];
    for (source, structure) in structures {
        let fields = fields(source, structure);
        assert!(!fields.is_empty());
        for field in fields {
            let here = format!("{structure}::{field}");
            assert!(!rows_of(&rows, &here).is_empty(), "{here} has no row");
        }
    }
}

/// Each of these has one row, with this code.
fn check_codes(rows: &[Row], of: &str, members: &[(&str, Option<HResult>)]) {
    for (name, code) in members {
        let here = format!("{of}::{name}");
        let found = rows_of(rows, &here);
        let coded: Vec<&&Row> = found
            .iter()
            .filter(|row| row.cell("code").is_some())
            .collect();
        assert_eq!(coded.len(), 1, "{here} has to have one row with its code");
        let told = coded[0]
            .names("code")
            .first()
            .and_then(|name| HResult::from_name(name));
        assert_eq!(told, *code, "the code of {here}");
    }
}

#[test]
fn what_a_code_means_is_what_the_types_convert_to() {
    let rows = rows();
    let code = |code: HResult| Some(code);
    check_codes(
        &rows,
        "Participation",
        &[
            ("Joins", code(Participation::Joins.into())),
            ("Declines", code(Participation::Declines.into())),
        ],
    );
    check_codes(
        &rows,
        "ItemList",
        &[
            ("Complete", code((&ItemList::Complete(vec![])).into())),
            ("Incomplete", code((&ItemList::Incomplete(vec![])).into())),
        ],
    );
    check_codes(
        &rows,
        "Prepared",
        &[
            ("Started", code(Prepared::Started.into())),
            ("NeedsUser", code(Prepared::NeedsUser.into())),
        ],
    );
    check_codes(
        &rows,
        "Verdict",
        &[
            ("Continue", code(Verdict::Continue.into())),
            ("CancelItem", code(Verdict::CancelItem.into())),
            ("CancelAll", code(Verdict::CancelAll.into())),
        ],
    );
    check_codes(
        &rows,
        "Dialog",
        &[
            ("Granted", code(Dialog::Granted.into())),
            ("Denied", code(Dialog::Denied.into())),
        ],
    );
    check_codes(
        &rows,
        "ErrorOutcome",
        &[
            ("Done", code(ErrorOutcome::Done.into())),
            ("Retry", code(ErrorOutcome::Retry(&[]).into())),
            ("Other", None),
        ],
    );
    check_codes(
        &rows,
        "PropertiesOutcome",
        &[
            ("Done", code(PropertiesOutcome::Done.into())),
            ("ItemDeleted", code(PropertiesOutcome::ItemDeleted.into())),
            ("ItemsChanged", code(PropertiesOutcome::ItemsChanged.into())),
            ("Other", None),
        ],
    );
}

#[test]
fn every_refusal_has_a_row_with_its_code() {
    let rows = rows();
    let callback = [
        CallbackError::UnknownItem,
        CallbackError::InvalidArgument,
        CallbackError::ItemFinished,
        CallbackError::WrongPhase,
        CallbackError::Released,
        CallbackError::LogFull,
        CallbackError::UnknownErrorId,
        CallbackError::NotConnected,
        CallbackError::NotImplemented,
    ];
    let mut told: BTreeSet<String> = BTreeSet::new();
    for error in callback {
        let name = format!("{error:?}");
        check_codes(&rows, "CallbackError", &[(&name, Some(error.hresult()))]);
        told.insert(name);
    }
    check_codes(&rows, "CallbackError", &[("Other", None)]);
    told.insert("Other".to_owned());
    let variants_here = variants(CALLBACK_ERROR, "CallbackError");
    assert_eq!(told, variants_here.into_iter().map(str::to_owned).collect());

    let value = ItemStatus::try_from(9).unwrap_err();
    let handler = [
        (
            "NotImplemented",
            Some(HandlerError::NotImplemented.hresult()),
        ),
        (
            "InvalidArgument",
            Some(HandlerError::InvalidArgument.hresult()),
        ),
        ("Failed", Some(HandlerError::failed("").hresult())),
        ("Code", None),
        ("Callback", None),
        ("Value", Some(HandlerError::from(value).hresult())),
    ];
    check_codes(&rows, "HandlerError", &handler);
    let told: BTreeSet<&str> = handler.iter().map(|(name, _)| *name).collect();
    let variants_here = variants(HANDLER_ERROR, "HandlerError");
    assert_eq!(told, variants_here.into_iter().collect());
}

#[test]
fn every_interface_id_has_a_row_with_its_value() {
    let rows = rows();
    let ids = [
        ("CLSID_SYNC_MGR", raw::CLSID_SYNC_MGR),
        ("IID_ISYNC_MGR_ENUM_ITEMS", raw::IID_ISYNC_MGR_ENUM_ITEMS),
        (
            "IID_ISYNC_MGR_SYNCHRONIZE_INVOKE",
            raw::IID_ISYNC_MGR_SYNCHRONIZE_INVOKE,
        ),
        ("IID_ISYNC_MGR_SYNCHRONIZE", raw::IID_ISYNC_MGR_SYNCHRONIZE),
        (
            "IID_ISYNC_MGR_SYNCHRONIZE_CALLBACK",
            raw::IID_ISYNC_MGR_SYNCHRONIZE_CALLBACK,
        ),
        ("IID_ISYNC_MGR_REGISTER", raw::IID_ISYNC_MGR_REGISTER),
    ];
    for (name, id) in ids {
        let found = rows_of(&rows, &format!("raw::{name}"));
        assert_eq!(found.len(), 1, "{name} has to have one row");
        assert_eq!(
            found[0].cell("value"),
            Some(&*id.to_string()),
            "the value of {name}"
        );
        assert_eq!(plain(&found[0].names("there").concat()), plain(name));
    }
    assert_eq!(RAW.matches("\npub const ").count(), ids.len());
}

/// What `mobsync.h` names, but for the members of its enumerations, which are checked above.
const HEADER: [&str; 78] = [
    "ISyncMgrSynchronize",
    "ISyncMgrSynchronizeCallback",
    "ISyncMgrEnumItems",
    "ISyncMgrSynchronizeInvoke",
    "ISyncMgrRegister",
    "SyncMgr",
    "Initialize",
    "GetHandlerInfo",
    "EnumSyncMgrItems",
    "GetItemObject",
    "ShowProperties",
    "SetProgressCallback",
    "PrepareForSync",
    "Synchronize",
    "SetItemStatus",
    "ShowError",
    "ShowPropertiesCompleted",
    "PrepareForSyncCompleted",
    "SynchronizeCompleted",
    "ShowErrorCompleted",
    "EnableModeless",
    "Progress",
    "LogError",
    "DeleteLogError",
    "EstablishConnection",
    "Next",
    "Skip",
    "Reset",
    "Clone",
    "UpdateItems",
    "UpdateAll",
    "RegisterSyncMgrHandler",
    "UnregisterSyncMgrHandler",
    "GetHandlerRegistrationInfo",
    "QueryInterface",
    "AddRef",
    "Release",
    "SYNCMGRITEMID",
    "REFSYNCMGRITEMID",
    "SYNCMGRERRORID",
    "REFSYNCMGRERRORID",
    "SYNCMGRSTATUS",
    "SYNCMGRPROGRESSITEM",
    "SYNCMGRLOGERRORINFO",
    "SYNCMGRITEM",
    "SYNCMGRHANDLERINFO",
    "SYNCMGRFLAG",
    "SYNCMGRLOGLEVEL",
    "SYNCMGRERRORFLAGS",
    "SYNCMGRITEMFLAGS",
    "SYNCMGRITEMSTATE",
    "SYNCMGRHANDLERFLAGS",
    "SYNCMGRINVOKEFLAGS",
    "SYNCMGRREGISTERFLAGS",
    "FILETIME",
    "SYNCMGRLOGLEVEL_LOGLEVELMAX",
    "SYNCMGRITEMSTATE_UNCHECKED",
    "SYNCMGRITEMSTATE_CHECKED",
    "MAX_SYNCMGRITEMNAME",
    "MAX_SYNCMGRHANDLERNAME",
    "cbSize",
    "mask",
    "lpcStatusText",
    "dwStatusType",
    "iProgValue",
    "iMaxValue",
    "dwSyncMgrErrorFlags",
    "ErrorID",
    "ItemID",
    "dwFlags",
    "dwItemState",
    "hIcon",
    "wszItemName",
    "ftLastUpdate",
    "SyncMgrHandlerFlags",
    "wszHandlerName",
    "hWndParent",
    "dwReserved",
];

/// Every name that the guide tells.
pub(super) fn told() -> BTreeSet<&'static str> {
    GUIDE.lines().flat_map(spans).collect()
}

#[test]
fn every_name_of_the_header_is_told() {
    let told = told();
    for name in HEADER {
        assert!(told.contains(name), "{name} is not told");
    }
}

/// The words of a line of Rust.
fn words(line: &str) -> Vec<&str> {
    line.split(|part: char| part != '_' && !part.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

/// The aliases in a source: each with the words of the declaration that has it, and of the one around that.
fn aliases(source: &str) -> Vec<(&str, Vec<&str>)> {
    let mut aliases = Vec::new();
    let (mut pending, mut around) = (Vec::new(), "");
    for line in source.lines().map(str::trim_start) {
        if let Some(rest) = line.strip_prefix("#[doc(alias = \"") {
            pending.extend(rest.split('"').next());
            continue;
        }
        if ["pub struct ", "pub enum ", "pub trait ", "impl"]
            .iter()
            .any(|start| line.starts_with(start))
        {
            around = line;
        }
        for alias in pending.drain(..) {
            aliases.push((alias, [words(around), words(line)].concat()));
        }
    }
    aliases
}

#[test]
fn the_search_of_the_documentation_knows_every_name_of_the_header() {
    let known: Vec<(&str, Vec<&str>)> = SOURCES.into_iter().flat_map(aliases).collect();
    let mut checked = 0;
    for row in rows() {
        let here = row.cell("here").unwrap_or_default();
        let Some((_, path)) = here.split_once("(crate::") else {
            continue; // a type of the standard library
        };
        if here.starts_with("left out") {
            continue;
        }
        let path: Vec<&str> = path
            .split(')')
            .next()
            .unwrap_or_default()
            .split("::")
            .collect();
        for name in row.names("there") {
            let name = name.rsplit("::").next().unwrap_or_default();
            if path.last() == Some(&name) {
                continue; // it is found by its own name
            }
            let found = known.iter().any(|(alias, words)| {
                // In a macro a type is `$name`.
                let declares = |part: &&&str| {
                    words.contains(part) || (**part == "ItemId" && words.contains(&"name"))
                };
                *alias == name
                    && path
                        .iter()
                        .filter(|part| **part != "raw")
                        .all(|part| declares(&part))
            });
            assert!(
                found,
                "{} has no #[doc(alias = \"{name}\")]",
                path.join("::")
            );
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

/// What is left out is found on the page that says why.
#[test]
fn the_search_of_the_documentation_knows_what_was_left_out() {
    let guide = aliases(include_str!("../../src/guide.rs"));
    let on_the_page = guide.iter().filter(|(_, words)| words.contains(&"names"));
    let known: BTreeSet<&str> = on_the_page.map(|(alias, _)| *alias).collect();
    let mut left_out = BTreeSet::from(["SYNCMGRLOGLEVEL_LOGLEVELMAX".to_owned()]);
    for row in rows() {
        let is_left_out = row.cell("why").is_some()
            || (row.cell("here")).is_some_and(|here| here.starts_with("left out"));
        for name in row.names("there").into_iter().filter(|_| is_left_out) {
            left_out.insert(name.to_owned());
        }
    }
    // Parts of words, and a name that is no C++ name.
    for no_name in ["LP", "ISyncMgrControl"] {
        left_out.remove(no_name);
    }
    let left_out: BTreeSet<&str> = left_out.iter().map(String::as_str).collect();
    assert_eq!(known, left_out);
}

#[test]
fn every_row_has_a_name_here_or_says_that_it_is_left_out() {
    for row in rows() {
        let Some(here) = row.cell("here") else {
            continue;
        };
        let told = !row.names("here").is_empty() || here.starts_with("left out");
        let there = row.cell("there").unwrap_or_default();
        assert!(told, "the row of {there} says nothing");
    }
}
