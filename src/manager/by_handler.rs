//! Serialization of lists by handler (feature `serde`).

use crate::session::Changes;
use crate::session::Phase;
use crate::{HandlerId, ItemId};

/// Declares how a list of pairs or triples is written: as a list of objects, each with the handler first.
macro_rules! by_handler {
    ($(#[$doc:meta])* $module:ident: ($handler:ident, $($field:ident: $type:ty),+)) => {
        $(#[$doc])*
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            #[allow(unused_imports)]
            use super::{Changes, HandlerId, ItemId, Phase};

            #[derive(Serialize)]
            struct Written<'a> {
                handler: &'a HandlerId,
                $($field: &'a $type,)+
            }

            #[derive(Deserialize)]
            struct Read {
                handler: HandlerId,
                $($field: $type,)+
            }

            type Entry = (HandlerId, $($type),+);

            pub(crate) fn serialize<S: Serializer>(
                list: &[Entry],
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                let objects = list.iter().map(|($handler, $($field),+)| Written {
                    handler: $handler,
                    $($field,)+
                });
                serializer.collect_seq(objects)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Vec<Entry>, D::Error> {
                let list = Vec::<Read>::deserialize(deserializer)?;
                let entries = list.into_iter().map(|read| (read.handler, $(read.$field),+));
                Ok(entries.collect())
            }
        }
    };
}

by_handler! {
    /// What has changed in each session.
    changes: (handler, changes: Changes)
}
by_handler! {
    /// Where each handler stands, and what it has open.
    open: (handler, phase: Phase, open: Vec<ItemId>)
}
