//! The items of a batch, and the payload of each.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use siphasher::sip128::SipHasher13;
use uuid::Builder;

use super::error::Error;
use super::listed_source::check_id;
use crate::util::panic::Foreign;
use crate::{ItemId, ItemList, ItemName, SyncItem};

/// The id that belongs to a key, the same in every run and release. Equal ids are told apart where they come, so the hash need not
/// be a cryptographic one: SHA-1, as in [`ItemId::from_name`], would take a fifth of an empty item's time.
fn id_of(key: &[u8]) -> ItemId {
    const KEYS: (u64, u64) = (0x5f0e_3c0a_8d5b_4f0c, 0x9a39_1b7e_64d2_c8f1);
    let hash = SipHasher13::new_with_keys(KEYS.0, KEYS.1).hash(key);
    Builder::from_custom_bytes(hash.as_bytes())
        .into_uuid()
        .into()
}

/// An item of a [`Batch`](super::Batch): a name for the user, and a payload for the closure.
#[derive(Clone, Debug)]
pub struct BatchItem<T> {
    identity: BatchIdentity,
    payload: T,
}

#[derive(Clone, Debug)]
enum BatchIdentity {
    Key { name: ItemName, key: BatchKey },
    Item(SyncItem),
}

/// What the id of an item is derived from.
#[derive(Clone, Debug)]
enum BatchKey {
    Name,
    Bytes(Vec<u8>),
}

impl BatchKey {
    fn bytes<'a>(&'a self, name: &'a ItemName) -> &'a [u8] {
        match self {
            Self::Name => name.as_str().as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl<T> BatchItem<T> {
    /// Creates an item. Its id is derived from the whole name, and its name is shortened if it is long.
    pub fn new(name: impl AsRef<str>, payload: T) -> Self {
        let whole = name.as_ref();
        let name = ItemName::truncate_start(whole);
        let key = match name.as_str() == whole {
            true => BatchKey::Name,
            false => BatchKey::Bytes(whole.as_bytes().to_vec()),
        };
        Self {
            identity: BatchIdentity::Key { name, key },
            payload,
        }
    }

    /// Derives the id from this key, and not from the name.
    #[must_use]
    pub fn key(mut self, new: impl AsRef<[u8]>) -> Self {
        if let BatchIdentity::Key { key, .. } = &mut self.identity {
            *key = BatchKey::Bytes(new.as_ref().to_vec());
        }
        self
    }
}

impl<S: AsRef<str>, T> From<(S, T)> for BatchItem<T> {
    fn from((name, payload): (S, T)) -> Self {
        Self::new(name, payload)
    }
}

impl<T> From<(SyncItem, T)> for BatchItem<T> {
    /// The item as it is, with its id and flags.
    fn from((item, payload): (SyncItem, T)) -> Self {
        Self {
            identity: BatchIdentity::Item(item),
            payload,
        }
    }
}

/// The items, and the payload of each.
pub(super) struct BatchItems<T> {
    list: Vec<SyncItem>,
    /// In the order of the list. Each is dropped for itself, in case one panics.
    pub(super) payloads: Vec<Foreign<T>>,
    pub(super) places: Arc<Places>,
    /// Why the list cannot be used.
    invalid: Option<String>,
}

/// The place of each item in the list.
pub(super) type Places = HashMap<ItemId, u32, RandomState>;

impl<T> BatchItems<T> {
    pub(super) fn new(items: impl Iterator<Item = BatchItem<T>>) -> Self {
        let (mut list, mut payloads, mut places) = (Vec::new(), Vec::new(), Places::default());
        // How often each key has come, of those that came more than once.
        let mut repeated: HashMap<Vec<u8>, u64, RandomState> = HashMap::default();
        let mut invalid = None;
        let expected = items.size_hint().0;
        list.reserve(expected);
        payloads.reserve(expected);
        places.reserve(expected);
        for (BatchItem { identity, payload }, place) in items.zip(0..) {
            let item = match identity {
                BatchIdentity::Key { name, key } => {
                    let mut id = id_of(key.bytes(&name));
                    while places.contains_key(&id) {
                        let key = key.bytes(&name);
                        let count = repeated.entry(key.to_vec()).or_insert(1);
                        *count += 1;
                        let mut numbered = key.to_vec();
                        numbered.extend(count.to_le_bytes());
                        id = id_of(&numbered);
                    }
                    SyncItem::new(id, name)
                }
                BatchIdentity::Item(item) => {
                    invalid = invalid.or(check_id(&item, &places).err());
                    item
                }
            };
            places.entry(item.id).or_insert(place);
            list.push(item);
            payloads.push(Foreign::new(payload));
        }
        Self {
            list,
            payloads,
            places: Arc::new(places),
            invalid,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The list for the host.
    pub(super) fn list(&self) -> Result<ItemList, Error> {
        match &self.invalid {
            Some(text) => Err(text.as_str().into()),
            None => Ok(ItemList::Complete(self.list.clone())),
        }
    }

    /// An item, most likely the one at this place.
    pub(super) fn item(&self, id: ItemId, guess: usize) -> Option<SyncItem> {
        self.list.get(self.place(id, guess)?).cloned()
    }

    /// The place of an item in the list, which most likely is this one.
    pub(super) fn place(&self, id: ItemId, guess: usize) -> Option<usize> {
        match self.list.get(guess) {
            Some(item) if item.id == id => Some(guess),
            _ => Some(*self.places.get(&id)? as usize),
        }
    }

    /// The place of an item in the list, which most likely is this one, and its payload.
    pub(super) fn find(&self, id: ItemId, guess: usize) -> Option<(usize, &T)> {
        let place = self.place(id, guess)?;
        Some((place, self.payloads.get(place)?))
    }
}
