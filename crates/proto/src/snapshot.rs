//! The maildrop as a session sees it: sizes and unique-ids, fixed at the opening.
//!
//! A value, cheap to clone and packed: a million messages share one table of about 12 octets a
//! message plus the text of their unique-ids. Messages that have a surrogate have two sizes, and
//! a snapshot shows one or the other.

use std::fmt;
use std::sync::Arc;

use crate::{Form, MessageNumber, Octets, UniqueId};

/// The messages of a maildrop, numbered from 1 in a fixed order.
#[derive(Clone, Default)]
pub struct Snapshot {
    table: Arc<Table>,
    form: Form,
}

#[derive(Default)]
struct Table {
    octets: Vec<u64>,
    /// All unique-ids, one after the other.
    ids: String,
    /// Where each unique-id ends in `ids`.
    id_ends: Vec<u32>,
    total: Octets,
    /// Indexes, ascending, and sizes of surrogates.
    surrogates: Vec<(usize, u64)>,
    /// The total where each of them stands for its message.
    surrogate_total: Octets,
}

impl Snapshot {
    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.octets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.octets.is_empty()
    }

    /// The same messages, each in its surrogate's size where it has one.
    #[must_use]
    pub fn in_surrogates(self) -> Self {
        Self { form: Form::Surrogate, ..self }
    }

    /// The form whose size is shown for a message.
    #[must_use]
    pub fn form(&self, number: MessageNumber) -> Form {
        if self.has_surrogate(number) { self.form } else { Form::Original }
    }

    /// Whether a message has a surrogate, and so is one for clients that know UTF-8.
    #[must_use]
    pub fn has_surrogate(&self, number: MessageNumber) -> bool {
        self.surrogate(number).is_some()
    }

    fn surrogate(&self, number: MessageNumber) -> Option<u64> {
        let surrogates = &self.table.surrogates;
        let at = surrogates.binary_search_by_key(&number.index(), |(index, _)| *index).ok()?;
        surrogates.get(at).map(|(_, octets)| *octets)
    }

    /// The octets of all messages together.
    #[must_use]
    pub fn total(&self) -> Octets {
        match self.form {
            Form::Original => self.table.total,
            Form::Surrogate => self.table.surrogate_total,
        }
    }

    /// A message's exact size.
    #[must_use]
    pub fn octets(&self, number: MessageNumber) -> Option<Octets> {
        let octets = self.table.octets.get(number.index()).copied();
        let surrogate = match self.form {
            Form::Original => None,
            Form::Surrogate => self.surrogate(number),
        };
        surrogate.or(octets).map(Octets::new)
    }

    /// A message's unique-id.
    #[must_use]
    pub fn unique_id(&self, number: MessageNumber) -> Option<&str> {
        let index = number.index();
        let end = *self.table.id_ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.table.id_ends.get(before)? as usize,
            None => 0,
        };
        self.table.ids.get(start..end)
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
        table.surrogate_total += octets;
        Ok(())
    }

    /// Says that the message added last has a surrogate of so many octets.
    pub fn surrogate(&mut self, octets: Octets) {
        let table = &mut self.0;
        let Some(index) = table.octets.len().checked_sub(1) else { return };
        let own = table.octets.last().copied().map(Octets::new).unwrap_or_default();
        table.surrogates.push((index, octets.to_u64()));
        table.surrogate_total = table.surrogate_total.without(own) + octets;
    }

    /// The snapshot of what was added.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        self.0.octets.shrink_to_fit();
        self.0.ids.shrink_to_fit();
        self.0.id_ends.shrink_to_fit();
        self.0.surrogates.shrink_to_fit();
        Snapshot { table: Arc::new(self.0), form: Form::Original }
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
    fn s81_surrogates_have_sizes_of_their_own() {
        let mut builder = SnapshotBuilder::default();
        for (octets, surrogate) in [(3, None), (5, Some(9)), (7, Some(2)), (1, None)] {
            let id = UniqueId::new("x").unwrap();
            builder.push(Octets::new(octets), &id).unwrap();
            surrogate.map(Octets::new).into_iter().for_each(|octets| builder.surrogate(octets));
        }
        let original = builder.finish();
        let surrogates = original.clone().in_surrogates();
        let sizes = |snapshot: &Snapshot| {
            let octets = snapshot.numbers().map(|n| snapshot.octets(n).unwrap().to_u64());
            (octets.collect::<Vec<_>>(), snapshot.total().to_u64())
        };
        assert_eq!(sizes(&original), (vec![3, 5, 7, 1], 16));
        assert_eq!(sizes(&surrogates), (vec![3, 9, 2, 1], 15));
        let forms: Vec<_> = surrogates.numbers().map(|n| surrogates.form(n)).collect();
        let (o, s) = (Form::Original, Form::Surrogate);
        assert_eq!(forms, [o, s, s, o]);
        assert!(original.numbers().all(|n| original.form(n) == o));
        assert!(original.has_surrogate(MessageNumber::new(2).unwrap()));
    }

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
