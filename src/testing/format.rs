//! Text forms of calls and their answers.

use std::fmt::Write as _;

use super::answer::Answer;
use super::call::{Action, Call, Side};
use super::labels::Labels;
use super::listed::Listed;
use crate::{HResult, HandlerFlags, ItemFlags, ProgressUpdate, SyncFlags};

/// The longest text of a call that is shown, in characters.
const TEXT_MOST: usize = 60;

/// How many items of a list are shown.
const ITEMS_MOST: usize = 8;

/// The answer, after an arrow; nothing where there is none and none is due.
pub(super) fn arrow(call: &Call, labels: &Labels) -> String {
    match (&call.answer, call.action.side()) {
        (Answer::None, Side::Note) => String::new(),
        (Answer::None, _) => " -> (has not returned)".to_owned(),
        (answer, _) => format!(" -> {}", super::format::answer(answer, labels)),
    }
}

fn answer(answer: &Answer, labels: &Labels) -> String {
    match answer {
        Answer::None => "nothing".to_owned(),
        Answer::Panicked(text) => format!("panicked: {}", quoted(text)),
        Answer::Done => "ok".to_owned(),
        Answer::Verdict(verdict) => format!("{verdict:?}"),
        Answer::Dialog(dialog) => format!("{dialog:?}"),
        Answer::Participation(participation) => format!("{participation:?}"),
        Answer::Prepared(prepared) => format!("{prepared:?}"),
        Answer::Info { name, flags } => {
            let mut text = quoted(name);
            if *flags != HandlerFlags::empty() {
                let _ = write!(text, ", {}", bits(flags));
            }
            text
        }
        Answer::List { complete, items } => {
            let mut text = if *complete { "complete" } else { "incomplete" }.to_owned();
            for (place, item) in items.iter().take(ITEMS_MOST).enumerate() {
                text.push_str(if place == 0 { ": " } else { ", " });
                text.push_str(&listed(item, labels));
            }
            if items.len() > ITEMS_MOST {
                let _ = write!(text, ", and {} more", items.len() - ITEMS_MOST);
            }
            text
        }
        Answer::Items(items) => format!("[{}]", labels.list(items, ITEMS_MOST)),
        Answer::Object => "an object".to_owned(),
        Answer::Refused(error) => format!("refused: {error:?}"),
        Answer::Failed { code, text } => {
            let code = code.name().map_or_else(|| code.to_string(), str::to_owned);
            format!("{code}: {}", quoted(text))
        }
    }
}

fn listed(item: &Listed, labels: &Labels) -> String {
    let mut text = labels.item(item.id);
    if item.flags != ItemFlags::empty() {
        let _ = write!(text, " ({})", bits(&item.flags));
    }
    if !item.checked {
        text.push_str(" (unchecked)");
    }
    text
}

/// What was called, with its arguments.
pub(super) fn action(action: &Action, labels: &Labels) -> String {
    let name = action.name();
    let arguments = match action {
        Action::Initialize { flags, cookie } => {
            let mut text = sync_flags(*flags);
            if let Some(cookie) = cookie {
                let _ = write!(
                    text,
                    ", cookie of {}",
                    counted(cookie.len(), "byte", "bytes")
                );
            }
            text
        }
        Action::SetProgressCallback { set } => match set {
            Some(number) => format!("callback {number}"),
            None => "none".to_owned(),
        },
        Action::PrepareForSync { items } => labels.list(items, ITEMS_MOST),
        Action::SetItemStatus { item, status } => format!("{}, {status}", labels.item(*item)),
        Action::ItemObject { item, .. } => labels.item(*item),
        Action::ShowProperties { target } => match target {
            Some(item) => labels.item(*item),
            None => "the handler's own".to_owned(),
        },
        Action::ShowError { error } => labels.error_name(*error),
        Action::Progress { item, update } => {
            let mut text = labels.item(*item);
            text.push_str(&super::format::update(update));
            text
        }
        Action::LogError { record } => {
            let mut text = format!("{}, {}", record.level, quoted(&record.text));
            if let Some(item) = record.item {
                let _ = write!(text, ", {}", labels.item(item));
            }
            if let Some(error) = record.error_id {
                let _ = write!(text, ", {}", labels.error_name(error));
            }
            if record.can_be_shown() {
                text.push_str(", jump text");
            }
            for (what, said) in [
                ("name", &record.name),
                ("link", &record.link),
                ("link text", &record.link_text),
                ("context", &record.context),
            ] {
                if let Some(said) = said {
                    let _ = write!(text, ", {what} {}", quoted(said));
                }
            }
            text
        }
        Action::DeleteLogError { error } => match error {
            Some(error) => labels.error_name(*error),
            None => "all".to_owned(),
        },
        Action::PrepareForSyncCompleted { result }
        | Action::SynchronizeCompleted { result }
        | Action::ShowPropertiesCompleted { result } => code(*result),
        Action::ShowErrorCompleted { result, items } => {
            let mut text = code(*result);
            if !items.is_empty() {
                let _ = write!(text, ", {}", labels.list(items, ITEMS_MOST));
            }
            text
        }
        Action::EnableModeless { enable } => enable.to_string(),
        Action::EstablishConnection { name } => match name {
            Some(name) => quoted(name),
            None => "the default one".to_owned(),
        },
        Action::CanContinue { item } | Action::WakeOnCancel { item } => match item {
            Some(item) => labels.item(*item),
            None => "the handler as a whole".to_owned(),
        },
        Action::AddItem { item } | Action::ProposeItem { item } => listed(item, labels),
        Action::CommitItem { item } => labels.item(*item),
        Action::HandlerText { text } => quoted(text),
        Action::Info | Action::Items | Action::Synchronize | Action::AdditionalItems => {
            String::new()
        }
        // No calls: in words.
        Action::CancelItem { item } | Action::SkipItem { item } => {
            return format!("* {name} {}", labels.item(*item));
        }
        Action::ConnectionOpened { name: which } | Action::ConnectionClosed { name: which } => {
            return match which {
                Some(which) => format!("* {name}: {}", quoted(which)),
                None => format!("* {name}"),
            };
        }
        Action::CancelAll | Action::CallbackReleased | Action::GaveUp | Action::HandlerDropped => {
            return format!("* {name}");
        }
    };
    format!("{name}({arguments})")
}

pub(super) fn update(update: &ProgressUpdate<'_>) -> String {
    let mut text = String::new();
    if update.only_asks() {
        text.push_str(", only asks");
    }
    if let Some(status) = update.status {
        let _ = write!(text, ", {status}");
    }
    if let Some(value) = update.value {
        let _ = write!(text, ", value {value}");
    }
    if let Some(max) = update.max {
        let _ = write!(text, ", max {max}");
    }
    if let Some(line) = &update.text {
        let _ = write!(text, ", {}", quoted(line));
    }
    text
}

fn code(code: HResult) -> String {
    code.name().map_or_else(|| code.to_string(), str::to_owned)
}

fn sync_flags(flags: SyncFlags) -> String {
    let mut text = flags.event().to_string();
    let rest = flags.difference(SyncFlags::EVENT_MASK);
    if !rest.is_empty() {
        let _ = write!(text, ", {}", bits(&rest));
    }
    text
}

fn bits<B: bitflags::Flags>(flags: &B) -> String
where
    B::Bits: bitflags::parser::WriteHex,
{
    let mut text = String::new();
    // A string takes whatever is written.
    let _ = bitflags::parser::to_writer(flags, &mut text);
    text
}

/// A text in quotes, cut where it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(TEXT_MOST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

pub(super) fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
