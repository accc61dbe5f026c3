//! A message on its way from the server: hashed as it passes, and either streamed to its
//! destination or, while it is not known what it is, kept in memory as long as it is small.

use bytes::Bytes;
use restante_maildrop::{Arrival, DeliverError, Delivery, Destination, MessageKey, Receipt};
use sha2::{Digest, Sha256};

use crate::CollectError;
use crate::header::Header;
use crate::key::Hash;

/// A message being received.
#[derive(Debug)]
pub(crate) struct Incoming {
    hasher: Sha256,
    header: Header,
    octets: u64,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// On its way to its destination.
    Delivery(Box<dyn Delivery>),
    /// Stored by an earlier run that did not come to write it down.
    Already(Receipt),
    /// The destination failed; the rest of the message is read past.
    Failed(DeliverError),
    /// Not known yet; all of it is here.
    Memory(Vec<u8>),
    /// Not known yet, and too large to be kept.
    HashOnly,
}

/// A message that has arrived whole.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) sha256: Hash,
    /// Of the header alone.
    pub(crate) header: Hash,
    pub(crate) octets: u64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    /// Durable; `new` unless an earlier run had stored it.
    Stored { receipt: Receipt, new: bool },
    /// The destination did not take it.
    Failed(DeliverError),
    /// Here.
    Memory(Vec<u8>),
    /// Only its hash is known.
    HashOnly,
    /// It is not the message it was when its hash was taken; nothing was stored.
    Changed,
}

impl Incoming {
    /// A message that `key` names.
    pub(crate) async fn keyed(
        destination: &dyn Destination,
        key: &MessageKey,
    ) -> Result<Self, CollectError> {
        let target = match destination.begin(key).await.map_err(classify)? {
            Arrival::Already(receipt) => Target::Already(receipt),
            Arrival::New(delivery) => Target::Delivery(delivery),
        };
        Ok(Self::with(target))
    }

    /// A message that must be read before it can be named.
    pub(crate) fn unknown() -> Self {
        Self::with(Target::Memory(Vec::new()))
    }

    /// How many octets of it have come.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    fn with(target: Target) -> Self {
        Self { hasher: Sha256::new(), header: Header::default(), octets: 0, target }
    }

    /// Takes the next octets.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<(), CollectError> {
        self.hasher.update(&chunk);
        self.header.push(&chunk);
        self.octets = self.octets.saturating_add(chunk.len() as u64);
        match &mut self.target {
            Target::Delivery(delivery) => {
                if let Err(error) = delivery.write(chunk).await {
                    // Without space nothing else can be stored either; other failures may be this
                    // message's own.
                    match classify(error) {
                        CollectError::Destination(error) => self.target = Target::Failed(error),
                        error => return Err(error),
                    }
                }
            }
            Target::Memory(kept) if kept.len() + chunk.len() <= MEMORY_OCTETS_MAX => {
                kept.extend_from_slice(&chunk);
            }
            Target::Memory(_) => self.target = Target::HashOnly,
            Target::Already(_) | Target::Failed(_) | Target::HashOnly => {}
        }
        Ok(())
    }

    /// The terminator has arrived. With `expected`, the octets must have that hash.
    pub(crate) async fn finish(self, expected: Option<Hash>) -> Result<Received, CollectError> {
        let sha256: Hash = self.hasher.finalize().into();
        let outcome = match self.target {
            _ if expected.is_some_and(|expected| expected != sha256) => Outcome::Changed,
            Target::Delivery(delivery) => match delivery.finish().await.map_err(classify) {
                Ok(receipt) => Outcome::Stored { receipt, new: true },
                Err(CollectError::Destination(error)) => Outcome::Failed(error),
                Err(error) => return Err(error),
            },
            Target::Already(receipt) => Outcome::Stored { receipt, new: false },
            Target::Failed(error) => Outcome::Failed(error),
            Target::Memory(message) => Outcome::Memory(message),
            Target::HashOnly => Outcome::HashOnly,
        };
        Ok(Received { sha256, header: self.header.finish(), octets: self.octets, outcome })
    }
}

fn classify(error: DeliverError) -> CollectError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match &error {
        DeliverError::Temporary(source) | DeliverError::Permanent(source)
            if matches!(source.kind(), StorageFull | QuotaExceeded) =>
        {
            CollectError::NoSpace(error)
        }
        _ => CollectError::Destination(error),
    }
}

/// Nine of ten messages are smaller; larger ones without a unique-id are read twice.
const MEMORY_OCTETS_MAX: usize = 1024 * 1024;
