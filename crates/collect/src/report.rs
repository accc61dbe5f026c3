//! What goes on while an account is collected, and what came of it.

use serde::Serialize;

use crate::planned::{Planned, PlannedMessage};
use crate::{Account, CollectError};

/// Something that happened. Octets are those received from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session has begun and this is what it will do.
    Planned(Planned),
    /// Some octets of a message have arrived.
    Received {
        /// How many.
        octets: u64,
    },
    /// A message is durable at its destination.
    Stored {
        /// Its size.
        octets: u64,
    },
    /// A message could not be collected; the others go on, and it is tried again later.
    SetAside {
        /// Its number in this session.
        number: u32,
        /// Why.
        reason: String,
    },
    /// The server confirmed that it deleted messages.
    Deleted {
        /// How many.
        messages: u64,
    },
    /// The next session begins after a pause the server asks for.
    Waiting {
        /// How long.
        seconds: u64,
    },
    /// Something its owner should know.
    Warning(String),
}

/// Told of what happens; called often and from several tasks, so it must be quick.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// `event` happened to the account of this name.
    fn event(&self, account: &str, event: &Event);
}

/// Nobody watches.
impl Observer for () {
    fn event(&self, _: &str, _: &Event) {}
}

/// What came of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The account's name.
    pub account: String,
    /// The server, as `host:port`.
    pub server: String,
    /// Messages stored in this run.
    pub fetched: u64,
    /// Their octets, as the server sent them.
    pub octets: u64,
    /// Messages the server confirmed to have deleted.
    pub deleted: u64,
    /// Messages that stay on the server because the account says so.
    pub left: u64,
    /// Messages that stay there unread because they are larger than the account takes.
    pub too_large: u64,
    /// Messages that could not be collected and are tried again later.
    pub failed: u64,
    /// What its owner should know.
    pub warnings: Vec<String>,
    /// With a dry run, what would be done.
    pub planned: Option<Planned>,
    /// With [`Mode::Explain`](crate::Mode::Explain), the same message by message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<PlannedMessage>,
    /// Why the account was not collected to its end: one line.
    pub error: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// Whether the next run may well succeed with nothing changed.
    pub temporary: bool,
}

impl Report {
    pub(crate) fn new(account: &Account) -> Self {
        let server = format!("{}:{}", account.endpoint.host, account.endpoint.port);
        Self { account: account.name.clone(), server, ..Self::default() }
    }

    pub(crate) fn fail(&mut self, error: &CollectError) {
        self.error = Some(error.to_line());
        self.advice = Some(error.advice().to_owned());
        self.temporary = error.is_temporary();
    }

    /// Whether everything was collected that could be.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.error.is_none() && self.failed == 0
    }
}
