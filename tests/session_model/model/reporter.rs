//! The model of a reporter.

use syncmgr::{
    CallbackError, ErrorId, ItemId, ItemStatus, LogLevel, LogRecord, ProgressUpdate, Verdict,
};

use CallbackError::{ItemFinished, Released, UnknownItem};

use super::Session;

/// The text of a reporter that went down with its thread.
const PANICKED: &str = "worker panicked";

/// The handle on one item.
#[derive(Debug, Clone, Copy)]
pub enum Reporter {
    /// It knows the item in one life.
    Direct { item: ItemId, life: u32 },
    /// It goes by calls, as a callback asks for that is a wrapper, or does not know the item. It keeps its own total.
    ByCalls { item: ItemId, total: u64 },
}

/// How a reporter ends.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    Status(ItemStatus),
    /// With the text of the error, and the id by which it is logged.
    Fail(&'a str, Option<ErrorId>),
    Panic,
}

/// The reporters.
impl Session {
    pub fn reporter(&mut self, id: ItemId) -> Result<Reporter, CallbackError> {
        self.released()?;
        let life = self.reported(id).ok_or(UnknownItem)?.life;
        Ok(Reporter::Direct { item: id, life })
    }

    /// A reporter on the session as a callback, or on a wrapper of it.
    pub fn reporter_on_callback(&self, id: ItemId, wrapped: bool) -> Reporter {
        match self.reported(id) {
            Some(item) if !wrapped => Reporter::Direct {
                item: id,
                life: item.life,
            },
            _ => Reporter::ByCalls { item: id, total: 0 },
        }
    }

    pub fn report(
        &mut self,
        reporter: &mut Reporter,
        update: &ProgressUpdate<'_>,
    ) -> Result<Verdict, CallbackError> {
        match reporter {
            Reporter::Direct { item, life } => {
                if self.reported(*item).is_none_or(|item| item.life != *life) {
                    return Err(Released);
                }
                self.progress(*item, update)
            }
            Reporter::ByCalls { item, total } => {
                let verdict = self.progress(*item, update)?;
                *total = update.value.unwrap_or(*total);
                Ok(verdict)
            }
        }
    }

    pub fn advance(
        &mut self,
        reporter: &mut Reporter,
        amount: u64,
    ) -> Result<Verdict, CallbackError> {
        let so_far = match *reporter {
            Reporter::Direct { item, .. } => self.reported(item).map_or(0, |item| item.value),
            Reporter::ByCalls { total, .. } => total,
        };
        let update = ProgressUpdate::new().value(so_far.wrapping_add(amount));
        self.report(reporter, &update)
    }

    pub fn end(&mut self, mut reporter: Reporter, end: End<'_>) -> Result<(), CallbackError> {
        let (Reporter::Direct { item, .. } | Reporter::ByCalls { item, .. }) = reporter;
        let (text, error_id) = match end {
            End::Status(status) => {
                let update = ProgressUpdate::new().status(status);
                return self.report(&mut reporter, &update).map(drop);
            }
            End::Fail(text, error_id) => (text, error_id),
            End::Panic => {
                let asked = self.report(&mut reporter, &ProgressUpdate::CHECK);
                if asked == Err(ItemFinished) {
                    return Err(ItemFinished);
                }
                (PANICKED, None)
            }
        };
        // It logs first, and a log that refuses does not matter.
        let record = LogRecord::new(LogLevel::Error, text).item(item);
        let _ = self.log_error(&match error_id {
            Some(id) => record.jump_text(id),
            None => record,
        });
        let update = ProgressUpdate::new().status(ItemStatus::Failed).text(text);
        self.report(&mut reporter, &update).map(drop)
    }
}
