//! Where a collector puts mail: a place that knows a message again by its key.

use std::fmt;

use crate::{BoxFuture, DeliverError, Delivery, Receipt};

/// Takes collected mail, each message at most once per key.
pub trait Destination: fmt::Debug + Send + Sync {
    /// Begins to store the message `key` names, or says that it is there already: a crash between
    /// storing and writing that down must not make a second copy.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing is visible then.
    fn begin<'a>(&'a self, key: &'a MessageKey) -> BoxFuture<'a, Result<Arrival, DeliverError>>;

    /// What has become of messages that were stored earlier, in the order of the names their
    /// receipts gave. `None` where that cannot be told: by a destination that mail passes through,
    /// or one whose place is missing.
    ///
    /// # Errors
    /// [`DeliverError`] when the place cannot be read as a whole; nothing is known then.
    fn fates(&self, names: Vec<String>) -> BoxFuture<'_, Result<Option<Vec<Fate>>, DeliverError>> {
        drop(names);
        Box::pin(async { Ok(None) })
    }
}

/// What has become of a message that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is there.
    Kept,
    /// It is there as one that its owner has deleted.
    Discarded,
    /// It is not there.
    Absent,
}

/// What a destination says to a key.
#[derive(Debug)]
pub enum Arrival {
    /// It is there and durable.
    Already(Receipt),
    /// It is not there; write it.
    New(Box<dyn Delivery>),
}

/// Names one message of one account for ever: the same key never stands for two messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(Box<str>);

impl MessageKey {
    /// `key` when it is 1 to 64 letters and digits, fit for a file name.
    #[must_use]
    pub fn new(key: &str) -> Option<Self> {
        let fit = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric());
        fit.then(|| Self(key.into()))
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
