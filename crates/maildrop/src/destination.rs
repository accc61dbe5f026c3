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
