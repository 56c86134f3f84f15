//! The data of the contract: ids, names, times, scales, and what a handler reports with them.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use syncmgr::raw::{ProgressMask, from_filetime, scale_to_i32, to_filetime};
use syncmgr::{
    ErrorFlags, ErrorId, HResult, HandlerFlags, HandlerId, HandlerInfo, HandlerName, ItemFlags,
    ItemId, ItemList, ItemName, ItemStatus, LogLevel, LogRecord, LogSelector, ProgressUpdate,
    SyncItem, Uuid,
};

#[test]
fn ids_are_read_in_every_usual_form() {
    let id = ItemId::from_u128(0x6295_DF41_35EE_11D1_8707_00C0_4FD9_3327);
    let text = "6295df41-35ee-11d1-8707-00c04fd93327";
    assert_eq!(id.to_string(), text);
    assert_eq!(format!("{id:?}"), format!("ItemId({text})"));
    assert_eq!(format!("{id:>40}|"), format!("    {text}|"));
    for form in [
        text.to_owned(),
        text.to_uppercase(),
        format!("{{{text}}}"),
        text.replace('-', ""),
        format!("urn:uuid:{text}"),
    ] {
        assert_eq!(form.parse(), Ok(id), "{form}");
    }
    assert_eq!(ItemId::from(id.as_uuid()), id);
    assert_eq!(ItemId::from_u128(id.as_u128()), id);
}

#[test]
fn a_text_that_is_no_id_is_named() {
    let no_id = [
        "",
        "{",
        "{}",
        "7",
        "6295df41-35ee-11d1-8707-00c04fd9332",
        "größer",
        "\0",
    ];
    for text in no_id {
        let error = text.parse::<ErrorId>().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("{text:?} is not an id; expected a UUID"))
        );
        assert_eq!(error.hresult(), HResult::E_INVALIDARG);
    }
    let huge = "é".repeat(1_000_000).parse::<HandlerId>().unwrap_err();
    let message = huge.to_string();
    let quoted = message.split('"').nth(1).expect("it is quoted");
    assert_eq!(quoted.encode_utf16().count(), 256);
    assert!(quoted.starts_with('…'));
}

#[test]
fn ids_are_nil_named_or_random() {
    assert_eq!(ItemId::default(), ItemId::NIL);
    assert_eq!(HandlerId::NIL, HandlerId::from_u128(0));
    assert_ne!(ErrorId::new_random(), ErrorId::new_random());
    assert_eq!(ErrorId::new_random().as_uuid().get_version_num(), 4);
    // The example of RFC 9562, appendix A.4.
    let named = ItemId::from_name(Uuid::NAMESPACE_DNS, b"www.example.com");
    assert_eq!(named.to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    assert_ne!(
        named,
        ItemId::from_name(Uuid::NAMESPACE_URL, b"www.example.com")
    );
    assert_ne!(ItemId::from_name(Uuid::NAMESPACE_URL, b"\xFF"), ItemId::NIL);
    assert!(ItemId::from_u128(1) < ItemId::from_u128(1 << 100));
    let set: HashSet<_> = (0..1_000).map(ItemId::from_u128).collect();
    assert!(set.len() == 1_000 && set.contains(&ItemId::from_u128(999)));
}

#[test]
fn the_nil_error_id_selects_every_entry() {
    let error = ErrorId::from_u128(3);
    assert_eq!(LogSelector::from(ErrorId::NIL), LogSelector::All);
    assert_eq!(LogSelector::from(error), LogSelector::ById(error));
    assert_eq!(ErrorId::from(LogSelector::All), ErrorId::NIL);
    assert_eq!(ErrorId::from(LogSelector::ById(error)), error);
}

#[test]
fn names_are_limited_in_utf16_units() {
    assert_eq!(
        (ItemName::MAX_UTF16_LEN, HandlerName::MAX_UTF16_LEN),
        (127, 31)
    );
    // One unit: one, two and three bytes. Two units, a surrogate pair: four bytes.
    for one in ["a", "é", "€"] {
        assert!(ItemName::try_from(one.repeat(127)).is_ok());
        assert!(HandlerName::try_from(&*one.repeat(31)).is_ok());
        let error = ItemName::try_from(&*one.repeat(128)).unwrap_err();
        let told = "has 128 UTF-16 units; at most 127 are allowed";
        assert!(error.to_string().ends_with(told), "{error}");
        assert!(HandlerName::try_from(one.repeat(32)).is_err());
    }
    assert!(ItemName::try_from("😀".repeat(63) + "a").is_ok());
    assert!(ItemName::try_from("😀".repeat(64)).is_err());
    assert!(HandlerName::try_from("😀".repeat(15) + "a").is_ok());
    assert!(HandlerName::try_from("😀".repeat(16)).is_err());
    assert_eq!("".parse::<ItemName>().unwrap().as_str(), "");
}

#[test]
fn a_refused_name_is_told_with_its_limit() {
    let long = "n".repeat(32);
    let error = HandlerName::try_from(&*long).unwrap_err();
    assert_eq!(error.hresult(), HResult::E_INVALIDARG);
    let text = format!("the name \"{long}\" has 32 UTF-16 units; at most 31 are allowed");
    assert_eq!(error.to_string(), text);

    let error = ItemName::try_from("a\0b").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the name \"a\\0b\" contains a NUL character; up to 127 UTF-16 units without NUL are allowed",
    );

    let huge = ItemName::try_from("x".repeat(1_000_000) + "end").unwrap_err();
    let message = huge.to_string();
    let end = "xend\" has 1000003 UTF-16 units; at most 127 are allowed";
    assert!(message.starts_with("the name \"…x") && message.ends_with(end));
    let quoted = message.split('"').nth(1).expect("it is quoted");
    assert_eq!(quoted.encode_utf16().count(), 256);
}

#[test]
fn a_shortened_name_keeps_the_end_and_fits() {
    for whole in ["", "a", "a/b", &"é".repeat(127), &"😀".repeat(63)] {
        assert_eq!(ItemName::truncate_start(whole), whole, "what fits stays");
    }
    assert_eq!(
        ItemName::truncate_start(&"ab".repeat(64)).as_str(),
        format!("…{}", "ab".repeat(63))
    );
    // One unit is left over, and half of a pair would fill it.
    assert_eq!(
        HandlerName::truncate_start(&"😀".repeat(16)).as_str(),
        format!("…{}", "😀".repeat(15))
    );
    let odd = "😀".repeat(16) + "b";
    assert_eq!(
        HandlerName::truncate_start(&odd).as_str(),
        format!("…{}b", "😀".repeat(14))
    );
    assert_eq!(ItemName::truncate_start("a\0b\0"), "a\u{FFFD}b\u{FFFD}");
    assert_eq!(
        HandlerName::truncate_start(&"\0".repeat(40))
            .as_str()
            .chars()
            .count(),
        31
    );
    let parts = ["a", "é", "€", "😀", "\0", "e\u{301}"];
    for first in 0..parts.len() {
        for length in 0..300 {
            let text: String = parts
                .iter()
                .cycle()
                .skip(first)
                .take(length)
                .copied()
                .collect();
            let name = ItemName::truncate_start(&text);
            assert_eq!(ItemName::try_from(name.as_str()), Ok(name.clone()));
            let shown = text.replace('\0', "\u{FFFD}");
            match name.as_str().strip_prefix('…') {
                None => assert_eq!(name, *shown),
                Some(end) => {
                    assert!(shown.ends_with(end));
                    assert!(shown.encode_utf16().count() > 127);
                    assert!(name.as_str().encode_utf16().count() >= 126);
                }
            }
        }
    }
}

#[test]
fn a_truncated_name_keeps_the_beginning_to_a_nul_and_fits() {
    for whole in ["", "a", "a/b", &"é".repeat(127), &"😀".repeat(63)] {
        assert_eq!(ItemName::truncate_end(whole), whole, "what fits stays");
    }
    assert_eq!(
        ItemName::truncate_end(&"ab".repeat(64)),
        "ab".repeat(64)[..127]
    );
    // One unit is left over, and half of a pair would fill it.
    assert_eq!(
        HandlerName::truncate_end(&"😀".repeat(16)),
        *"😀".repeat(15)
    );
    // What is behind the pair is not drawn up to it.
    let odd = "😀".repeat(15) + "😀b";
    assert_eq!(HandlerName::truncate_end(&odd), *"😀".repeat(15));
    let even = "a".to_owned() + &"😀".repeat(16);
    assert_eq!(
        HandlerName::truncate_end(&even),
        *("a".to_owned() + &"😀".repeat(15))
    );
    assert_eq!(ItemName::truncate_end("a\0b\0"), "a");
    assert_eq!(ItemName::truncate_end("\0a"), "");
    let last = "a".repeat(31) + "\0";
    assert_eq!(HandlerName::truncate_end(&last), *"a".repeat(31));

    let parts = ["a", "é", "€", "😀", "e\u{301}"];
    for first in 0..parts.len() {
        for length in 0..300 {
            let text: String = parts
                .iter()
                .cycle()
                .skip(first)
                .take(length)
                .copied()
                .collect();
            let name = ItemName::truncate_end(&text);
            assert_eq!(ItemName::try_from(name.as_str()), Ok(name.clone()));
            // As the units are copied, but for half a pair at the end.
            let mut units: Vec<u16> = text.encode_utf16().take(127).collect();
            if units
                .last()
                .is_some_and(|unit| (0xD800..0xDC00).contains(unit))
            {
                units.pop();
            }
            assert_eq!(name.as_str(), String::from_utf16(&units).unwrap());
        }
    }
}

#[test]
fn a_name_reads_as_its_text() {
    let name = ItemName::try_from("photos").unwrap();
    assert_eq!(format!("{name:>8}|"), "  photos|");
    assert_eq!(format!("{name:?}"), "ItemName(\"photos\")");
    assert_eq!(<ItemName as AsRef<str>>::as_ref(&name), "photos");
    assert!(name == "photos" && name == *"photos" && name != "videos" && name != *"videos");
    assert!(HashSet::from([name.clone()]).contains("photos"));
    assert_eq!(String::from(name), "photos");
}

#[test]
fn a_time_that_64_bits_of_ticks_cannot_hold_has_none() {
    let far = Duration::from_secs(i64::MAX as u64);
    let epoch = SystemTime::UNIX_EPOCH;
    // Of a platform whose times go so far.
    for time in [epoch.checked_add(far), epoch.checked_sub(far)] {
        assert_eq!(time.and_then(to_filetime), None);
    }
    if let Some(last) = from_filetime(u64::MAX) {
        assert_eq!(to_filetime(last), Some(u64::MAX));
        let next = last.checked_add(Duration::from_nanos(100));
        assert_eq!(next.and_then(to_filetime), None);
    }
}

#[test]
fn filetime_counts_ticks_since_1601() {
    const EPOCH: u64 = 116_444_736_000_000_000;
    let epoch = SystemTime::UNIX_EPOCH;
    let since = |nanos| epoch + Duration::from_nanos(nanos);
    let before = |nanos| epoch - Duration::from_nanos(nanos);
    assert_eq!(to_filetime(epoch), Some(EPOCH));
    assert_eq!(from_filetime(EPOCH), Some(epoch));
    assert_eq!(to_filetime(since(100)), Some(EPOCH + 1));
    assert_eq!(to_filetime(before(100)), Some(EPOCH - 1));
    assert_eq!(
        from_filetime(EPOCH + 15_000_001),
        Some(since(1_500_000_100))
    );
    assert_eq!(
        from_filetime(EPOCH - 15_000_001),
        Some(before(1_500_000_100))
    );
    let start = epoch - Duration::from_secs(EPOCH / 10_000_000);
    assert_eq!(to_filetime(start), Some(0));
    assert_eq!(from_filetime(0), Some(start));
    assert_eq!(
        start
            .checked_sub(Duration::from_nanos(100))
            .and_then(to_filetime),
        None
    );
    for ticks in [
        0,
        1,
        9_999_999,
        EPOCH - 1,
        EPOCH,
        EPOCH + 1,
        i64::MAX as u64,
        u64::MAX,
    ] {
        if let Some(time) = from_filetime(ticks) {
            assert_eq!(to_filetime(time), Some(ticks));
        }
    }
    assert!(from_filetime(i64::MAX as u64).is_some());
    let past_the_end = epoch.checked_add(Duration::from_secs(u64::MAX / 10_000_000));
    assert_eq!(past_the_end.and_then(to_filetime), None);
}

/// Windows keeps time in ticks, so it has nothing finer to round.
#[cfg(not(windows))]
#[test]
fn filetime_rounds_towards_the_past() {
    let epoch = SystemTime::UNIX_EPOCH;
    let tick = to_filetime(epoch).unwrap();
    assert_eq!(to_filetime(epoch + Duration::from_nanos(99)), Some(tick));
    assert_eq!(to_filetime(epoch - Duration::from_nanos(1)), Some(tick - 1));
    assert_eq!(
        to_filetime(epoch - Duration::from_nanos(101)),
        Some(tick - 2)
    );
}

#[test]
fn large_progress_is_scaled_to_the_raw_pair() {
    assert_eq!(scale_to_i32(1, 2), (1, 2));
    assert_eq!(scale_to_i32(2, 1), (2, 1), "what fits is shown as it is");
    assert_eq!(scale_to_i32(u64::MAX, 0), (i32::MAX, 0));
    assert_eq!(scale_to_i32(1 << 40, 1 << 41), (i32::MAX / 2, i32::MAX));
    assert_eq!(scale_to_i32(u64::MAX, 1 << 41), (i32::MAX, i32::MAX));
}

#[test]
fn an_update_names_what_it_sets() {
    assert_eq!(ProgressUpdate::default(), ProgressUpdate::CHECK);
    assert_eq!(ProgressUpdate::new().mask(), ProgressMask::empty());
    for (update, mask) in [
        (ProgressUpdate::new().text(""), 1),
        (ProgressUpdate::new().status(ItemStatus::Stopped), 2),
        (ProgressUpdate::new().value(0), 4),
        (ProgressUpdate::new().max(0), 8),
        (
            ProgressUpdate::new()
                .text("t")
                .status(ItemStatus::Failed)
                .value(1)
                .max(2),
            15,
        ),
    ] {
        assert_eq!(update.mask().bits(), mask, "{update:?}");
    }
}

#[test]
fn a_log_record_names_what_it_sets() {
    let plain = LogRecord::new(LogLevel::Warning, "text");
    let error = ErrorId::from_u128(9);
    assert_eq!(plain.mask().bits(), 0);
    assert_eq!(plain.clone().error_id(error).mask().bits(), 2);
    assert_eq!(plain.clone().item(ItemId::from_u128(1)).mask().bits(), 4);
    let jump = plain
        .flags(ErrorFlags::from_bits_retain(0x40))
        .jump_text(error);
    assert_eq!(
        (jump.mask().bits(), jump.flags.bits(), jump.error_id),
        (3, 0x41, Some(error))
    );
    assert_eq!(
        (jump.level, jump.text, jump.item),
        (LogLevel::Warning, "text".into(), None)
    );
}

#[test]
fn an_item_with_a_time_says_so_in_its_flags() {
    let name = ItemName::try_from("photos").unwrap();
    let item = SyncItem::new(ItemId::from_u128(1), name);
    assert_eq!(
        (item.flags.bits(), item.checked, item.last_update),
        (0, true, None)
    );
    let time = SystemTime::UNIX_EPOCH;
    let then_flags = item.clone().last_update(time).flags(ItemFlags::TEMPORARY);
    let flags_then = item.clone().flags(ItemFlags::TEMPORARY).last_update(time);
    assert_eq!(then_flags, flags_then, "the order does not matter");
    assert_eq!(
        (then_flags.flags.bits(), then_flags.last_update),
        (0x0A, Some(time))
    );
    assert!(!item.clone().checked(false).checked);

    for (list, complete, code) in [
        (ItemList::Complete(vec![item.clone()]), true, 0),
        (ItemList::Incomplete(vec![item.clone()]), false, 0x0004_0201),
    ] {
        assert_eq!(
            (list.is_complete(), HResult::from(&list)),
            (complete, HResult(code))
        );
        assert_eq!(list.items(), std::slice::from_ref(&item));
        assert_eq!(list.into_items(), std::slice::from_ref(&item));
    }

    let info = HandlerInfo::new("Mirror".parse().unwrap());
    assert_eq!((info.name.as_str(), info.flags.bits()), ("Mirror", 0));
    assert_eq!(info.flags(HandlerFlags::HIDDEN).flags.bits(), 8);
}
