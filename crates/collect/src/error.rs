//! Why an account could not be collected, and what to do about it.

use std::error::Error;
use std::fmt::Write as _;

use restante_client::{Error as ClientError, TlsError};
use restante_maildrop::DeliverError;

use crate::{LedgerError, PasswordError};

/// An account could not be collected, or not to its end. What was stored stays stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// There is no password to log in with.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The server could not be spoken with.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What was collected so far could not be read or written down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The place for the mail does not take any.
    #[error("the mail cannot be stored")]
    Destination(#[source] DeliverError),
    /// There is no space left for the mail. Nothing was deleted on the server.
    #[error("no space is left to store the mail")]
    NoSpace(#[source] DeliverError),
    /// A message is so much longer than its listing says that it may never end.
    #[error("message {number} does not end: {listed} octets were listed")]
    Endless {
        /// Its number in this session.
        number: u32,
        /// Its size as the server gave it.
        listed: u64,
    },
    /// The server did not confirm that it deleted what it was told to.
    #[error("the server did not confirm the deletion of {messages} stored messages")]
    Uncommitted {
        /// How many.
        messages: usize,
        /// What it did instead.
        #[source]
        source: ClientError,
    },
    /// The collector itself failed.
    #[error("collecting was broken off: {0}")]
    Internal(String),
}

impl CollectError {
    /// Whether the next run may well succeed with nothing changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Client(error) => error.is_temporary(),
            Self::Uncommitted { .. } | Self::Endless { .. } | Self::Ledger(LedgerError::Locked) => {
                true
            }
            Self::Destination(error) => matches!(error, DeliverError::Temporary(_)),
            Self::Password(error) => error.is_temporary(),
            Self::Ledger(_) | Self::NoSpace(_) | Self::Internal(_) => false,
        }
    }

    /// What its owner can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Password(_) => "check the account's password source",
            Self::Client(ClientError::Tls(TlsError::CaFile { .. } | TlsError::Untrusted)) => {
                "name the certificate to trust as ca_file, or have the server's signed"
            }
            Self::Client(error) if error.is_temporary() => match error {
                ClientError::Resolve { .. } | ClientError::Connect { .. } => error.advice(),
                _ => "the next run tries again",
            },
            Self::Client(error) => error.advice(),
            Self::Ledger(LedgerError::Locked) => "let the other run finish",
            Self::Ledger(_) => "check the state folder",
            Self::NoSpace(_) => "free some space; nothing was deleted on the server",
            Self::Destination(_) => "check the account's maildir",
            Self::Uncommitted { .. } => "the next run deletes them again",
            Self::Endless { .. } => "it is set aside; the next run collects the others",
            Self::Internal(_) => "report this as a bug",
        }
    }

    /// The error and its causes on one line.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a string cannot fail.
            let _ = write!(line, ": {error}");
            cause = error.source();
        }
        line
    }
}
