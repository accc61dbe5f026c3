//! Scan listings and unique-id listings (RFC 1939 sections 5 and 7), in bounded pieces.
//!
//! In: the snapshot and the marks. Out: lines, as many as fit into the room given; a listing of a
//! million messages never lies in memory.

use std::fmt::Write;

use bytes::BytesMut;

use crate::{Marks, MessageNumber, Snapshot};

/// Which listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// `LIST`: message number and octets.
    Octets,
    /// `UIDL`: message number and unique-id.
    UniqueIds,
}

impl Table {
    /// Writes one message's line.
    pub(super) fn write_line(
        self,
        snapshot: &Snapshot,
        number: MessageNumber,
        output: &mut BytesMut,
    ) {
        let written = match self {
            Self::Octets => {
                let octets = snapshot.octets(number).unwrap_or_default();
                write!(output, "{number} {octets}\r\n")
            }
            Self::UniqueIds => {
                let id = snapshot.unique_id(number).unwrap_or_default();
                write!(output, "{number} {id}\r\n")
            }
        };
        debug_assert!(written.is_ok(), "writing into memory does not fail");
    }
}

/// A listing on its way out.
#[derive(Debug)]
pub(super) struct Listing {
    table: Table,
    /// Index of the message that comes next.
    next: usize,
}

impl Listing {
    pub(super) const fn new(table: Table) -> Self {
        Self { table, next: 0 }
    }

    /// Writes lines until `output` holds `octets` or more; `true` when the terminator is written.
    pub(super) fn write(
        &mut self,
        snapshot: &Snapshot,
        marks: &Marks,
        output: &mut BytesMut,
        octets: usize,
    ) -> bool {
        while output.len() < octets {
            let number = MessageNumber::from_index(self.next);
            let Some(number) = number.filter(|number| number.index() < snapshot.len()) else {
                output.extend_from_slice(b".\r\n");
                return true;
            };
            if !marks.contains(number) {
                self.table.write_line(snapshot, number, output);
            }
            self.next = self.next.saturating_add(1);
        }
        false
    }
}
