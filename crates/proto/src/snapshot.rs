//! The maildrop as a session sees it: sizes and unique-ids, fixed at the opening.
//!
//! A value, cheap to clone and packed: a million messages share one table of about 12 octets a
//! message plus the text of their unique-ids.

use std::fmt;
use std::sync::Arc;

use crate::{MessageNumber, Octets, UniqueId};

/// The messages of a maildrop, numbered from 1 in a fixed order.
#[derive(Clone, Default)]
pub struct Snapshot(Arc<Table>);

#[derive(Default)]
struct Table {
    octets: Vec<u64>,
    /// All unique-ids, one after the other.
    ids: String,
    /// Where each unique-id ends in `ids`.
    id_ends: Vec<u32>,
    total: Octets,
}

impl Snapshot {
    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.octets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.octets.is_empty()
    }

    /// The octets of all messages together.
    #[must_use]
    pub fn total(&self) -> Octets {
        self.0.total
    }

    /// A message's exact size.
    #[must_use]
    pub fn octets(&self, number: MessageNumber) -> Option<Octets> {
        self.0.octets.get(number.index()).copied().map(Octets::new)
    }

    /// A message's unique-id.
    #[must_use]
    pub fn unique_id(&self, number: MessageNumber) -> Option<&str> {
        let index = number.index();
        let end = *self.0.id_ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.0.id_ends.get(before)? as usize,
            None => 0,
        };
        self.0.ids.get(start..end)
    }

    /// All message numbers in order.
    pub fn numbers(&self) -> impl Iterator<Item = MessageNumber> + use<> {
        (0..self.len()).map_while(MessageNumber::from_index)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} messages, {} octets)", self.len(), self.total())
    }
}

/// Builds a [`Snapshot`] message by message.
#[derive(Default)]
pub struct SnapshotBuilder(Table);

impl SnapshotBuilder {
    /// Adds the next message.
    ///
    /// # Errors
    /// [`SnapshotFull`] past four billion messages or 4 GiB of unique-ids; nothing is added.
    pub fn push(&mut self, octets: Octets, id: &UniqueId) -> Result<(), SnapshotFull> {
        let table = &mut self.0;
        let end = table.ids.len().saturating_add(id.as_str().len());
        let end = u32::try_from(end).map_err(|_| SnapshotFull)?;
        MessageNumber::from_index(table.octets.len()).ok_or(SnapshotFull)?;
        table.octets.push(octets.to_u64());
        table.ids.push_str(id.as_str());
        table.id_ends.push(end);
        table.total += octets;
        Ok(())
    }

    /// The snapshot of what was added.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        self.0.octets.shrink_to_fit();
        self.0.ids.shrink_to_fit();
        self.0.id_ends.shrink_to_fit();
        Snapshot(Arc::new(self.0))
    }
}

impl fmt::Debug for SnapshotBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotBuilder({} messages)", self.0.octets.len())
    }
}

/// A maildrop holds more than a session can number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the maildrop holds more messages than a session can number")]
pub struct SnapshotFull;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sizes_and_ids_line_up() {
        let mut builder = SnapshotBuilder::default();
        for (octets, id) in [(3, "a"), (5, "bcd"), (0, "e")] {
            builder.push(Octets::new(octets), &UniqueId::new(id).unwrap()).unwrap();
        }
        let snapshot = builder.finish();
        let seen: Vec<_> = snapshot
            .numbers()
            .map(|n| (n.to_u32(), snapshot.octets(n).unwrap().to_u64(), snapshot.unique_id(n)))
            .collect();
        assert_eq!(seen, [(1, 3, Some("a")), (2, 5, Some("bcd")), (3, 0, Some("e"))]);
        assert_eq!(snapshot.total(), Octets::new(8));
        let beyond = MessageNumber::new(4).unwrap();
        assert_eq!((snapshot.octets(beyond), snapshot.unique_id(beyond)), (None, None));
    }
}
