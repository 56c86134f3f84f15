//! The values of the contract: codes, enumerations, answers and errors, each against the header.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::ops::ControlFlow;

use syncmgr::{
    CallbackError, Dialog, ErrorOutcome, HResult, HandlerError, HandlerName, ItemId, ItemStatus,
    LogLevel, Participation, Prepared, PropertiesOutcome, SyncEvent, Verdict, raw,
};

/// Every named code with the header's number.
const CODES: [(HResult, u32, &str); 15] = [
    (HResult::S_OK, 0, "S_OK"),
    (HResult::S_FALSE, 1, "S_FALSE"),
    (
        HResult::S_SYNCMGR_MISSINGITEMS,
        0x0004_0201,
        "S_SYNCMGR_MISSINGITEMS",
    ),
    (
        HResult::S_SYNCMGR_RETRYSYNC,
        0x0004_0202,
        "S_SYNCMGR_RETRYSYNC",
    ),
    (
        HResult::S_SYNCMGR_CANCELITEM,
        0x0004_0203,
        "S_SYNCMGR_CANCELITEM",
    ),
    (
        HResult::S_SYNCMGR_CANCELALL,
        0x0004_0204,
        "S_SYNCMGR_CANCELALL",
    ),
    (
        HResult::S_SYNCMGR_ITEMDELETED,
        0x0004_0210,
        "S_SYNCMGR_ITEMDELETED",
    ),
    (
        HResult::S_SYNCMGR_ENUMITEMS,
        0x0004_0211,
        "S_SYNCMGR_ENUMITEMS",
    ),
    (HResult::E_NOTIMPL, 0x8000_4001, "E_NOTIMPL"),
    (HResult::E_ABORT, 0x8000_4004, "E_ABORT"),
    (HResult::E_FAIL, 0x8000_4005, "E_FAIL"),
    (HResult::E_UNEXPECTED, 0x8000_FFFF, "E_UNEXPECTED"),
    (HResult::E_ACCESSDENIED, 0x8007_0005, "E_ACCESSDENIED"),
    (HResult::E_OUTOFMEMORY, 0x8007_000E, "E_OUTOFMEMORY"),
    (HResult::E_INVALIDARG, 0x8007_0057, "E_INVALIDARG"),
];

/// The named codes and some that have no name, success and failure.
fn all_codes() -> impl Iterator<Item = HResult> {
    let unnamed = [2, 0x123, 0x0004_0205, 0x8000_0000, 0x8007_0002, 0xFFFF_FFFF];
    CODES
        .into_iter()
        .map(|(code, ..)| code)
        .chain(unnamed.map(HResult::from_u32))
}

#[test]
fn codes_have_the_numbers_and_names_of_the_header() {
    for (code, number, name) in CODES {
        assert_eq!(code.to_u32(), number, "{name}");
        assert_eq!(code.0, number as i32, "{name}");
        assert_eq!(HResult::from_u32(number), code);
        assert_eq!(HResult::from(code.0), code);
        assert_eq!(i32::from(code), code.0);
        assert_eq!(code.name(), Some(name));
        assert_eq!(code.to_string(), format!("{name} (0x{number:08X})"));
        assert_eq!(
            format!("{code:?}"),
            format!("HResult({name} (0x{number:08X}))")
        );
        assert_eq!(
            format!("{code:x} {code:X}"),
            format!("{number:x} {number:X}")
        );
        assert_eq!(format!("{code:#010x}"), format!("{number:#010x}"));
        assert_eq!(code.is_failure(), number >> 31 == 1);
        assert_eq!(code.is_success(), number >> 31 == 0);
    }
    assert_eq!(HResult::default(), HResult::S_OK);
    assert_eq!(HResult::from_u32(0x8007_0002).name(), None);
    assert_eq!(HResult::from_u32(0x8007_0002).to_string(), "0x80070002");
    assert_eq!(HResult(0x2A).to_string(), "0x0000002A");
    assert_eq!(format!("{:?}", HResult(0x2A)), "HResult(0x0000002A)");
}

#[test]
fn codes_are_taken_apart_by_the_layout() {
    for (code, facility, rest) in [
        (HResult::S_SYNCMGR_CANCELITEM, HResult::FACILITY_ITF, 0x0203),
        (HResult::E_INVALIDARG, 7, 0x57),
        (HResult::E_UNEXPECTED, 0, 0xFFFF),
        // The flags R, C, N and X belong to neither part.
        (HResult::from_u32(0x7800_0000), 0, 0),
        (HResult::from_u32(0xFFFF_FFFF), 0x7FF, 0xFFFF),
        (HResult::from_u32(0x07FF_0000), 0x7FF, 0),
    ] {
        assert_eq!((code.facility(), code.code()), (facility, rest), "{code}");
    }
    assert_eq!(HResult::FACILITY_ITF, 4);
}

#[test]
fn interface_ids_have_the_values_of_the_header() {
    for (id, first) in [
        (raw::CLSID_SYNC_MGR, "6295df27"),
        (raw::IID_ISYNC_MGR_ENUM_ITEMS, "6295df2a"),
        (raw::IID_ISYNC_MGR_SYNCHRONIZE_INVOKE, "6295df2c"),
        (raw::IID_ISYNC_MGR_SYNCHRONIZE, "6295df40"),
        (raw::IID_ISYNC_MGR_SYNCHRONIZE_CALLBACK, "6295df41"),
        (raw::IID_ISYNC_MGR_REGISTER, "6295df42"),
    ] {
        assert_eq!(
            id.to_string(),
            format!("{first}-35ee-11d1-8707-00c04fd93327")
        );
    }
}

/// Checks the values of an enum against the header, and that no other number is one.
macro_rules! check_values {
    ($type:ident, $header:literal, $allowed:literal, [$($variant:ident = $raw:literal),+ $(,)?]) => {{
        let values = [$(($type::$variant, $raw)),+];
        for (value, raw) in values {
            assert_eq!(value.raw(), raw, "{value:?}");
            assert_eq!(u32::from(value), raw);
            assert_eq!($type::try_from(raw), Ok(value));
            assert_eq!(value.to_string(), value.to_string().to_lowercase());
        }
        let texts: HashSet<_> = values.map(|(value, _)| value.to_string()).into();
        assert_eq!(texts.len(), values.len(), "no two read alike");
        for raw in (0..0x300).chain([0x8000_0000, u32::MAX]) {
            if values.iter().any(|(_, known)| *known == raw) {
                continue;
            }
            let error = $type::try_from(raw).unwrap_err();
            assert_eq!(error.hresult(), HResult::E_INVALIDARG);
            let text = format!(concat!("{} is not a value of ", $header, "; allowed are ", $allowed), raw);
            assert_eq!(error.to_string(), text);
        }
    }};
}

#[test]
fn enumerations_have_the_numbers_of_the_header() {
    check_values!(
        ItemStatus,
        "SYNCMGRSTATUS",
        "0 to 8 and 0x100 (256)",
        [
            Stopped = 0,
            Skipped = 1,
            Pending = 2,
            Updating = 3,
            Succeeded = 4,
            Failed = 5,
            Paused = 6,
            Resuming = 7,
            UpdatingIndeterminate = 8,
            Deleted = 0x100,
        ]
    );
    check_values!(
        LogLevel,
        "SYNCMGRLOGLEVEL",
        "1 to 3",
        [Information = 1, Warning = 2, Error = 3,]
    );
    check_values!(
        SyncEvent,
        "SYNCMGRFLAG (the event in its low byte)",
        "1 to 6",
        [
            Connect = 1,
            PendingDisconnect = 2,
            Manual = 3,
            Idle = 4,
            Invoke = 5,
            Scheduled = 6,
        ]
    );
}

#[test]
fn five_statuses_are_final() {
    let mut last: Vec<_> = (0..=0x100)
        .filter_map(|raw| ItemStatus::try_from(raw).ok())
        .collect();
    last.retain(|status| status.is_final());
    use ItemStatus::{Deleted, Failed, Skipped, Stopped, Succeeded};
    assert_eq!(last, [Stopped, Skipped, Succeeded, Failed, Deleted]);
}

#[test]
fn log_levels_are_ordered_by_severity() {
    assert!(LogLevel::Information < LogLevel::Warning);
    assert!(LogLevel::Warning < LogLevel::Error);
}

/// Checks that an answer takes exactly its codes and hands every other one back.
macro_rules! check_answers {
    ($type:ident, [$($variant:ident = $raw:literal),+ $(,)?]) => {{
        let answers = [$(($type::$variant, HResult($raw))),+];
        for (answer, code) in answers {
            assert_eq!(HResult::from(answer), code);
            assert_eq!($type::try_from(code), Ok(answer));
        }
        for code in all_codes() {
            if answers.iter().all(|(_, known)| *known != code) {
                assert_eq!($type::try_from(code), Err(code));
            }
        }
    }};
}

#[test]
fn answers_are_lossless_codes() {
    check_answers!(
        Verdict,
        [
            Continue = 0,
            CancelItem = 0x0004_0203,
            CancelAll = 0x0004_0204
        ]
    );
    check_answers!(Dialog, [Granted = 0, Denied = 1]);
    check_answers!(Participation, [Joins = 0, Declines = 1]);
    check_answers!(Prepared, [Started = 0, NeedsUser = 1]);
    assert!(Dialog::Granted.is_granted() && !Dialog::Denied.is_granted());
}

#[test]
fn a_verdict_steers_a_loop() {
    assert!(Verdict::Continue.is_continue());
    assert_eq!(
        ControlFlow::from(Verdict::Continue),
        ControlFlow::Continue(())
    );
    for cancel in [Verdict::CancelItem, Verdict::CancelAll] {
        assert!(!cancel.is_continue());
        assert_eq!(ControlFlow::from(cancel), ControlFlow::Break(cancel));
    }
}

#[test]
fn outcomes_are_lossless_codes() {
    let items = [ItemId::from_u128(1), ItemId::from_u128(2)];
    for code in all_codes() {
        let error = ErrorOutcome::from_raw(code, &items);
        assert_eq!(HResult::from(error), code);
        assert_eq!(ErrorOutcome::from_raw(error.into(), error.items()), error);
        let retries = code == HResult::S_SYNCMGR_RETRYSYNC;
        assert_eq!(
            error.items(),
            if retries { &items[..] } else { &[] },
            "{code}"
        );
        assert_eq!(HResult::from(ErrorOutcome::Other(code)), code);

        let properties = PropertiesOutcome::from(code);
        assert_eq!(HResult::from(properties), code);
        assert_eq!(HResult::from(PropertiesOutcome::Other(code)), code);
    }
    assert_eq!(
        ErrorOutcome::from_raw(HResult(0), &items),
        ErrorOutcome::Done
    );
    assert_eq!(
        ErrorOutcome::from_raw(HResult(0x0004_0202), &items),
        ErrorOutcome::Retry(&items)
    );
    assert_eq!(
        ErrorOutcome::from_raw(HResult(1), &items),
        ErrorOutcome::Other(HResult(1))
    );
    assert_eq!(PropertiesOutcome::from(HResult(0)), PropertiesOutcome::Done);
    assert_eq!(
        PropertiesOutcome::from(HResult(0x0004_0210)),
        PropertiesOutcome::ItemDeleted
    );
    assert_eq!(
        PropertiesOutcome::from(HResult(0x0004_0211)),
        PropertiesOutcome::ItemsChanged
    );
    assert_eq!(
        PropertiesOutcome::from(HResult(1)),
        PropertiesOutcome::Other(HResult(1))
    );
}

/// Each refusal with its code and the kind that it has as an `io::Error`.
const REFUSALS: [(CallbackError, HResult, io::ErrorKind); 9] = [
    (
        CallbackError::UnknownItem,
        HResult::E_INVALIDARG,
        io::ErrorKind::NotFound,
    ),
    (
        CallbackError::InvalidArgument,
        HResult::E_INVALIDARG,
        io::ErrorKind::InvalidInput,
    ),
    (
        CallbackError::ItemFinished,
        HResult::E_ACCESSDENIED,
        io::ErrorKind::PermissionDenied,
    ),
    (
        CallbackError::WrongPhase,
        HResult::E_UNEXPECTED,
        io::ErrorKind::Other,
    ),
    (
        CallbackError::Released,
        HResult::E_UNEXPECTED,
        io::ErrorKind::BrokenPipe,
    ),
    (
        CallbackError::LogFull,
        HResult::E_OUTOFMEMORY,
        io::ErrorKind::StorageFull,
    ),
    (
        CallbackError::UnknownErrorId,
        HResult::E_INVALIDARG,
        io::ErrorKind::NotFound,
    ),
    (
        CallbackError::NotConnected,
        HResult::E_FAIL,
        io::ErrorKind::NotConnected,
    ),
    (
        CallbackError::NotImplemented,
        HResult::E_NOTIMPL,
        io::ErrorKind::Unsupported,
    ),
];

#[test]
fn a_refusal_has_a_code_a_cause_and_a_kind() {
    for (error, code, kind) in REFUSALS {
        assert_eq!(error.hresult(), code, "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("; ") && !text.ends_with('.'),
            "cause; what is allowed: {text}"
        );
        let wrapped = io::Error::from(error);
        assert_eq!((wrapped.kind(), wrapped.to_string()), (kind, text));
        assert_eq!(
            wrapped.get_ref().and_then(|inner| inner.downcast_ref()),
            Some(&error)
        );
        assert!(
            matches!(HandlerError::from(wrapped), HandlerError::Callback(same) if same == error)
        );
        assert_eq!(HandlerError::from(error).hresult(), code);
        assert_eq!(HandlerError::from(error).to_string(), error.to_string());
    }
}

#[test]
fn any_code_survives_as_an_error() {
    for code in all_codes() {
        let refusal = CallbackError::from(code);
        assert_eq!(refusal.hresult(), code);
        assert_eq!(CallbackError::Other(code).hresult(), code);
        let kind = io::Error::from(CallbackError::Other(code)).kind();
        assert!(kind != io::ErrorKind::Interrupted && kind != io::ErrorKind::WouldBlock);
        let failure = HandlerError::from(code);
        assert_eq!(failure.hresult(), code);
        assert_eq!(HandlerError::Code(code).hresult(), code);
        if let HandlerError::Code(inner) = failure {
            assert_eq!(inner, code);
            assert!(failure.to_string().contains(&code.to_string()));
            assert!(refusal.to_string().contains(&code.to_string()));
        }
    }
    assert_eq!(
        CallbackError::from(HResult::E_NOTIMPL),
        CallbackError::NotImplemented
    );
    assert_eq!(
        CallbackError::from(HResult::E_INVALIDARG),
        CallbackError::InvalidArgument
    );
    let kind = |code| io::Error::from(CallbackError::Other(code)).kind();
    assert_eq!(kind(HResult::E_INVALIDARG), io::ErrorKind::InvalidInput);
    assert_eq!(
        kind(HResult::E_ACCESSDENIED),
        io::ErrorKind::PermissionDenied
    );
    assert_eq!(kind(HResult::E_OUTOFMEMORY), io::ErrorKind::OutOfMemory);
    assert_eq!(kind(HResult::E_NOTIMPL), io::ErrorKind::Unsupported);
    assert_eq!(kind(HResult::E_ABORT), io::ErrorKind::Other);
}

#[test]
fn a_handler_error_keeps_its_cause() {
    let missing = io::Error::new(io::ErrorKind::NotFound, "no such folder");
    let error = HandlerError::from(missing);
    assert_eq!(
        (error.hresult(), error.to_string()),
        (HResult::E_FAIL, "no such folder".into())
    );
    let HandlerError::Failed(cause) = error else {
        panic!("{error:?}")
    };
    let cause = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    assert_eq!(cause, Some(io::ErrorKind::NotFound));

    let name = HandlerName::try_from("\0").unwrap_err();
    assert_eq!(
        HandlerError::from(name.clone()).to_string(),
        name.to_string()
    );
    assert_eq!(HandlerError::from(name).hresult(), HResult::E_INVALIDARG);
    assert_eq!(
        HandlerError::failed("the server is down").hresult(),
        HResult::E_FAIL
    );
    let other: Box<dyn Error + Send + Sync> = "down".into();
    assert_eq!(HandlerError::failed(other).to_string(), "down");
    assert_eq!(HandlerError::NotImplemented.hresult(), HResult::E_NOTIMPL);
    assert_eq!(
        HandlerError::InvalidArgument.hresult(),
        HResult::E_INVALIDARG
    );
}
