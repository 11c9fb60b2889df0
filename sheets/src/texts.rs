//! Different texts of a workbook, each kept once.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// A text of a [`Texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextId(pub u32);

/// Interned texts: one buffer, and a table of the places in it.
#[derive(Default)]
pub struct Texts {
    bytes: String,
    /// Where each text ends in `bytes`.
    ends: Vec<u64>,
    known: HashTable<u32>,
    hasher: RandomState,
}

impl Texts {
    /// The id of this text, the same for the same text. None: there are too many (4 billion).
    pub fn intern(&mut self, text: &str) -> Option<TextId> {
        let hash = self.hasher.hash_one(text);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&found) = self.known.find(hash, |&id| slice(bytes, ends, id) == text) {
            return Some(TextId(found));
        }
        let id = u32::try_from(self.ends.len()).ok()?;
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len() as u64);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.known.insert_unique(hash, id, |&id| hasher.hash_one(slice(bytes, ends, id)));
        Some(TextId(id))
    }

    /// The text of an id that this table gave out.
    #[must_use]
    pub fn get(&self, id: TextId) -> &str {
        slice(&self.bytes, &self.ends, id.0)
    }

    /// How many different texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts together.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

fn slice<'a>(bytes: &'a str, ends: &[u64], id: u32) -> &'a str {
    let place = id as usize;
    let end = ends.get(place).copied().unwrap_or_default();
    let start = place.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
    // Lengths of a `String` on this machine.
    bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_kept_once() {
        let mut texts = Texts::default();
        let ids: Vec<TextId> = ["서울", "", "Busan", "서울", ""].iter().map(|text| texts.intern(text).expect("room")).collect();
        assert_eq!((ids[0], ids[1]), (ids[3], ids[4]));
        assert_eq!((texts.get(ids[0]), texts.get(ids[1]), texts.get(ids[2])), ("서울", "", "Busan"));
        assert_eq!((texts.len(), texts.byte_len()), (3, 11));
    }
}
