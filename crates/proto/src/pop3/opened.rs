//! What a session knows of its maildrop in TRANSACTION state (RFC 1939 section 5): the messages,
//! which of them are marked, and which were retrieved where that means deletion.
//!
//! In: the snapshot, numbers as the client wrote them. Out: message numbers that are certain to
//! exist, or what the client is told instead; at `QUIT` the messages to remove.

use super::Refusal;
use super::command::Number;
use crate::{Marks, MessageNumber, Octets, Snapshot};

/// An open maildrop.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) snapshot: Snapshot,
    pub(super) marks: Marks,
    /// Retrieved whole, under a policy of one download; `RSET` does not undo it.
    retrieved: Marks,
    /// The highest number retrieved or marked since the login or the last `RSET`.
    highest_accessed: u32,
}

impl Opened {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let (marks, retrieved) = (Marks::default(), Marks::default());
        Self { snapshot, marks, retrieved, highest_accessed: 0 }
    }

    /// The one gate from an argument to a message: a number, in range, not marked as deleted.
    pub(super) fn gate(&self, number: Number<'_>) -> Result<MessageNumber, Refusal> {
        let number = number.parse().ok_or_else(|| Refusal::plain("Not a message number"))?;
        let number = u32::try_from(number).ok().and_then(MessageNumber::new);
        match number.filter(|number| number.index() < self.snapshot.len()) {
            None => Err(Refusal::plain("No such message")),
            Some(number) if self.marks.contains(number) => {
                Err(Refusal::plain("That message is marked as deleted"))
            }
            Some(number) => Ok(number),
        }
    }

    /// How many messages are not marked, and their octets.
    pub(super) fn totals(&self) -> (usize, Octets) {
        let messages = self.snapshot.len().saturating_sub(self.marks.len());
        (messages, self.snapshot.total().without(self.marks.octets()))
    }

    pub(super) fn octets(&self, number: MessageNumber) -> Octets {
        self.snapshot.octets(number).unwrap_or_default()
    }

    /// The highest message number the client has accessed, for `LAST` (RFC 1460); 0 is none.
    pub(super) fn highest_accessed(&self) -> u32 {
        self.highest_accessed
    }

    pub(super) fn note_accessed(&mut self, number: MessageNumber) {
        self.highest_accessed = self.highest_accessed.max(number.to_u32());
    }

    /// Takes all marks away, as if nothing had been accessed either (RFC 1460, `RSET`).
    pub(super) fn reset(&mut self) {
        self.marks.clear();
        self.highest_accessed = 0;
    }

    pub(super) fn mark(&mut self, number: MessageNumber) {
        self.note_accessed(number);
        self.marks.insert(number, self.octets(number));
    }

    /// The client has this message whole, and that was its one download (RFC 1939 section 8,
    /// RFC 2449 section 6.7).
    pub(super) fn note_retrieved(&mut self, number: MessageNumber) {
        self.retrieved.insert(number, self.octets(number));
    }

    /// What goes at `QUIT`. Afterwards nothing is marked.
    pub(super) fn take_marks(&mut self) -> Marks {
        for number in self.retrieved.iter() {
            self.marks.insert(number, self.snapshot.octets(number).unwrap_or_default());
        }
        std::mem::take(&mut self.marks)
    }
}
