//! The deletion marks of a session: a set of message numbers, one bit a message.
//!
//! Marks live in the session alone; a store sees them once, at the commit (RFC 1939 section 6).

use std::fmt;

use crate::{MessageNumber, Octets};

/// Messages marked as deleted, with their octets.
#[derive(Clone, Default)]
pub struct Marks {
    /// Grown to the highest mark only: a session without `DELE` holds nothing.
    words: Vec<u64>,
    len: u32,
    octets: Octets,
}

impl Marks {
    /// Marks a message of `octets`; `false` when it was marked already.
    pub fn insert(&mut self, number: MessageNumber, octets: Octets) -> bool {
        let (word, bit) = place(number);
        if self.words.len() <= word {
            self.words.resize(word.saturating_add(1), 0);
        }
        let Some(word) = self.words.get_mut(word) else { return false };
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.len = self.len.saturating_add(1);
        self.octets += octets;
        true
    }

    /// Whether a message is marked.
    #[must_use]
    pub fn contains(&self, number: MessageNumber) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Takes all marks away.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many messages are marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The octets of all marked messages.
    #[must_use]
    pub fn octets(&self) -> Octets {
        self.octets
    }

    /// The marked messages in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = MessageNumber> + '_ {
        let indexes = 0..self.words.len().saturating_mul(64);
        indexes.filter_map(MessageNumber::from_index).filter(|&number| self.contains(number))
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Marks({})", self.len)
    }
}

fn place(number: MessageNumber) -> (usize, u64) {
    let index = number.index();
    (index >> 6, 1 << (index & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_count_once_and_clear() {
        let mut marks = Marks::default();
        for (number, fresh) in [(1, true), (64, true), (65, true), (64, false)] {
            assert_eq!(marks.insert(MessageNumber::new(number).unwrap(), Octets::new(10)), fresh);
        }
        assert_eq!((marks.len(), marks.octets()), (3, Octets::new(30)));
        assert_eq!(marks.iter().map(MessageNumber::to_u32).collect::<Vec<_>>(), [1, 64, 65]);
        assert!(!marks.contains(MessageNumber::new(1000).unwrap()));
        marks.clear();
        assert!(marks.is_empty() && marks.iter().next().is_none());
    }
}
