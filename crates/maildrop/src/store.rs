//! What a store does: open maildrops, take deliveries.

use std::fmt;
use std::io;
use std::time::SystemTime;

use bytes::Bytes;
use restante_proto::{Marks, MessageNumber, Octets, Snapshot, UniqueId};

use crate::{Body, BoxFuture, Owner};

/// Keeps the maildrops of many owners.
pub trait Store: fmt::Debug + Send + Sync {
    /// Opens a maildrop for a session: takes the lock first, then looks at what is there.
    /// `holder` describes the session to whoever finds the maildrop locked.
    ///
    /// An owner without a maildrop has an empty one. Cancel-safe: a dropped future leaves no lock.
    ///
    /// # Errors
    /// [`OpenError`]; no lock is held then.
    fn open<'a>(
        &'a self,
        owner: &'a Owner,
        access: Access,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Maildrop>, OpenError>>;

    /// Begins a delivery. Takes no session lock: mail arrives while a session is open.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing is visible then.
    fn deliver<'a>(
        &'a self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Box<dyn Delivery>, DeliverError>>;
}

/// Who else may use the maildrop while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nobody: RFC 1939 section 4.
    Exclusive,
    /// Others that share it. Each has a snapshot of its own, which does not change; what one of
    /// them removes is [`ReadError::Gone`] to the others. Sharing and exclusive sessions keep each
    /// other out.
    Shared,
}

/// A maildrop opened for a session. Dropping it releases the lock and removes nothing.
pub trait Maildrop: fmt::Debug + Send {
    /// The messages, fixed for the session.
    fn snapshot(&self) -> &Snapshot;

    /// A message's bytes.
    ///
    /// # Errors
    /// [`ReadError::Gone`] for a message that another program removed, [`ReadError::Changed`] for
    /// one that has another size since; the numbers of the others do not change.
    fn body(&mut self, number: MessageNumber) -> BoxFuture<'_, Result<Body, ReadError>>;

    /// The messages that arrived before `time`, in order. One whose arrival is not known is not
    /// among them, as what asks wants to delete them.
    ///
    /// # Errors
    /// [`ReadError::Temporary`]; nothing is known then.
    fn arrived_before(
        &mut self,
        time: SystemTime,
    ) -> BoxFuture<'_, Result<Vec<MessageNumber>, ReadError>>;

    /// Removes exactly the marked messages and releases the lock.
    ///
    /// `Ok` means: they are gone from the maildrop for good and survive no crash there. A message that another program
    /// removed first counts as removed. Not cancel-safe: run it to its end.
    ///
    /// # Errors
    /// [`CommitError`]: some of them may still be there; no other message was touched.
    fn commit(self: Box<Self>, marks: Marks) -> BoxFuture<'static, Result<(), CommitError>>;
}

/// A message on its way in. Dropping it leaves nothing visible.
pub trait Delivery: fmt::Debug + Send {
    /// Adds bytes to the message, in any chunking and with any line ends.
    ///
    /// # Errors
    /// [`DeliverError`]; the delivery can only be dropped then.
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), DeliverError>>;

    /// Makes the message visible. Returns once it would survive a power cut.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing is visible then.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Receipt, DeliverError>>;
}

/// Proof that a message is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the place that keeps it calls it (a file name, for a Maildir).
    pub name: String,
    /// The unique-id it is listed under, where the place lists unique-ids.
    pub unique_id: Option<UniqueId>,
    /// Its size as RFC 1939 counts it.
    pub octets: Octets,
}

/// A maildrop could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another session has it; the text says who, as far as is known.
    #[error("the maildrop is in use{}", holder.as_ref().map(|h| format!(" by {h}")).unwrap_or_default())]
    InUse {
        /// What the holder said of itself.
        holder: Option<String>,
    },
    /// Trying again later may help.
    #[error("the maildrop cannot be opened now")]
    Temporary(#[source] io::Error),
    /// Somebody has to put something right first.
    #[error("the maildrop cannot be opened")]
    Permanent(#[source] io::Error),
}

/// A message could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Another program removed it.
    #[error("the message is gone: another program removed it")]
    Gone,
    /// Another program changed it: its size is not what was listed. A later session lists it anew.
    #[error("the message is not what was listed: another program changed it")]
    Changed,
    /// Trying again later may help.
    #[error("the message cannot be read now")]
    Temporary(#[source] io::Error),
}

/// Not all marked messages were removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// None was. Trying again later may help.
    #[error("the deleted messages were not removed")]
    Temporary(#[source] io::Error),
    /// Some were and some may not be. Trying again later may help.
    #[error("some deleted messages were not removed")]
    Partial {
        /// How many are certainly not there any more.
        removed: usize,
        /// What kept the others.
        #[source]
        source: io::Error,
    },
}

/// A message could not be delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// Trying again later may help (no space left, an I/O error).
    #[error("the message cannot be delivered now")]
    Temporary(#[source] io::Error),
    /// Somebody has to put something right first.
    #[error("the message cannot be delivered")]
    Permanent(#[source] io::Error),
}
