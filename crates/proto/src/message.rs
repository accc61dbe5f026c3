//! What a message is called and how large it is (RFC 1939 sections 5, 7 and 11).

use std::fmt;
use std::iter::Sum;
use std::num::NonZeroU32;
use std::ops::{Add, AddAssign};

/// A message's place in the maildrop, counted from 1 and fixed for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(NonZeroU32);

impl MessageNumber {
    /// The number `number`; there is no message 0.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number of the message at `index`, counted from 0.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        u32::try_from(index).ok()?.checked_add(1).and_then(Self::new)
    }

    /// The message's place counted from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0.get().saturating_sub(1) as usize
    }

    /// The number as it goes over the wire.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A size in octets as RFC 1939 section 11 counts them: every line end is CRLF, stuffing and the
/// final "." do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(u64);

impl Octets {
    /// `octets` octets.
    #[must_use]
    pub const fn new(octets: u64) -> Self {
        Self(octets)
    }

    /// The count.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// What is left without `other`; never below zero.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Octets {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Octets {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Octets {
    fn sum<I: Iterator<Item = Self>>(octets: I) -> Self {
        octets.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much of a message is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it (`RETR`).
    Whole,
    /// The header, the blank line and the first lines of the body (`TOP`).
    Top {
        /// Lines of the body; 0 is the header alone.
        body_lines: u64,
    },
}

/// In which form a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As it is.
    #[default]
    Original,
    /// Its [surrogate](crate::surrogate), with headers in ASCII.
    Surrogate,
}

/// A unique-id that may be listed: 1 to 70 octets of 0x21 to 0x7E (RFC 1939 section 7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(Box<str>);

impl UniqueId {
    /// The longest unique-id RFC 1939 allows.
    pub const OCTETS_MAX: usize = 70;

    /// `id` when it is legal.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        let legal = (1..=Self::OCTETS_MAX).contains(&id.len())
            && id.bytes().all(|byte| (0x21..=0x7E).contains(&byte));
        legal.then(|| Self(id.into()))
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s29_unique_ids_are_1_to_70_printable_octets() {
        for (id, legal) in [
            ("", false),
            ("a", true),
            (&"x".repeat(70), true),
            (&"x".repeat(71), false),
            ("a b", false),
            ("!~", true),
            ("\u{7f}", false),
            ("é", false),
        ] {
            assert_eq!(UniqueId::new(id).is_some(), legal, "{id:?}");
        }
    }

    #[test]
    fn numbers_and_indexes_are_one_apart() {
        assert_eq!(MessageNumber::new(0), None);
        assert_eq!(MessageNumber::from_index(0).map(MessageNumber::to_u32), Some(1));
        assert_eq!(MessageNumber::new(7).map(MessageNumber::index), Some(6));
        assert_eq!(MessageNumber::from_index(u32::MAX as usize), None);
    }
}
