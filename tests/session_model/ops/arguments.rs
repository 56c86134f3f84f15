//! What the bytes of arguments mean: ids, values, texts, updates, records.

use std::sync::LazyLock;

use syncmgr::{ErrorId, HResult, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate};

use super::id;
use crate::model::End;

/// The texts of reports and of the log: the last ones are longer than what is kept of them.
static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let limits = [
        syncmgr::Session::TEXT_LIMIT,
        syncmgr::Session::LOG_TEXT_LIMIT,
    ];
    let mut texts = vec![
        String::new(),
        "reading".to_owned(),
        "half the ¾ of it".to_owned(),
        "a\0b\nc".to_owned(),
    ];
    for limit in limits {
        texts.push("x".repeat(limit));
        texts.push("x".repeat(limit + 1));
        texts.push(format!("y{}", "€".repeat(limit / 2)));
        texts.push(format!("zz{}", "🦀".repeat(limit / 2)));
    }
    texts
});

const STATUSES: [ItemStatus; 16] = [
    ItemStatus::Updating,
    ItemStatus::Succeeded,
    ItemStatus::Failed,
    ItemStatus::Pending,
    ItemStatus::Paused,
    ItemStatus::Resuming,
    ItemStatus::UpdatingIndeterminate,
    ItemStatus::Skipped,
    ItemStatus::Stopped,
    ItemStatus::Deleted,
    ItemStatus::Failed,
    ItemStatus::Updating,
    ItemStatus::Pending,
    ItemStatus::Updating,
    ItemStatus::Succeeded,
    ItemStatus::Failed,
];

pub(super) const RESULTS: [HResult; 8] = [
    HResult::S_OK,
    HResult::S_OK,
    HResult::S_OK,
    HResult::S_OK,
    HResult::S_OK,
    HResult::E_FAIL,
    HResult::S_FALSE,
    HResult::S_SYNCMGR_RETRYSYNC,
];

const TEXT: u8 = 1;
const STATUS: u8 = 2;
const VALUE: u8 = 4;
const MAX: u8 = 8;

/// Which members an update names: values are the most common, as they are in life.
const MASKS: [u8; 16] = [
    VALUE,
    0,
    VALUE,
    STATUS,
    TEXT,
    MAX,
    VALUE | MAX,
    VALUE | TEXT,
    STATUS,
    STATUS | VALUE,
    STATUS | TEXT,
    STATUS | MAX,
    TEXT | MAX,
    VALUE | MAX | TEXT,
    VALUE,
    STATUS | VALUE | MAX | TEXT,
];

pub(super) fn item_id(byte: u8) -> ItemId {
    const NUMBERS: [u8; 16] = [1, 2, 3, 1, 2, 3, 4, 1, 2, 5, 3, 1, 2, 1, 6, 0];
    id(NUMBERS[usize::from(byte) % 16])
}

/// The items that the bits name, the later ones more seldom: they may not be there.
pub(super) fn several(bits: u8) -> Vec<ItemId> {
    const NAMED: [(u8, u8); 5] = [(1, 1), (2, 2), (4, 3), (8 | 0x10, 4), (0x10 | 0x20, 6)];
    let named = NAMED.iter().filter(|(all, _)| bits & all == *all);
    let mut ids: Vec<_> = named.map(|(_, number)| id(*number)).collect();
    // Not always in the same order, and now and then one of them twice.
    if bits & 0x40 != 0 {
        ids.reverse();
    }
    if bits & 0x80 != 0 {
        ids.extend(ids.first().copied());
    }
    ids
}

pub(super) fn small(byte: u8) -> u64 {
    match byte {
        0xF0.. => u64::MAX - u64::from(byte & 1),
        _ => u64::from(byte % 8),
    }
}

pub(super) fn text(byte: u8) -> &'static str {
    // Long ones are rare: to copy them takes time.
    let which = match byte {
        0xE8.. => usize::from(byte % 12),
        _ => usize::from(byte % 4),
    };
    TEXTS.get(which).map_or("", String::as_str)
}

pub(super) fn error(byte: u8) -> ErrorId {
    ErrorId::from_u128([1, 2, 3, 1, 2, 1, 2, 0][usize::from(byte) % 8])
}

pub(super) fn update(x: u8, y: u8) -> ProgressUpdate<'static> {
    let mask = MASKS[usize::from(x) % 16];
    let mut update = ProgressUpdate::new();
    if mask & TEXT != 0 {
        update = update.text(text(y));
    }
    if mask & STATUS != 0 {
        update = update.status(STATUSES[usize::from(x >> 4)]);
    }
    if mask & VALUE != 0 {
        update = update.value(small(y));
    }
    if mask & MAX != 0 {
        update = update.max(small(y.rotate_left(3)));
    }
    update
}

pub(super) fn end(x: u8, y: u8) -> End<'static> {
    match x >> 4 {
        0..=3 => End::Status(ItemStatus::Succeeded),
        4..=5 => End::Status(ItemStatus::Skipped),
        6..=8 => End::Status(ItemStatus::Stopped),
        9..=11 => End::Fail(text(y), None),
        12..=13 => End::Fail(text(y), Some(error(y >> 4))),
        _ => End::Panic,
    }
}

pub(super) fn log_record(item: u8, x: u8, y: u8) -> LogRecord<'static> {
    const LEVELS: [LogLevel; 3] = [LogLevel::Error, LogLevel::Warning, LogLevel::Information];
    let record = LogRecord::new(LEVELS[usize::from(x) % 3], text(y));
    let record = match x >> 2 & 1 {
        0 => record,
        _ => record.item(item_id(item)),
    };
    match x >> 3 & 3 {
        0 => record,
        1 => record.error_id(error(x >> 5)),
        _ => record.jump_text(error(x >> 5)),
    }
}
