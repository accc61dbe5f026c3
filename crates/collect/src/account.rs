//! Whose mail is collected, how, and where it goes.

use std::path::PathBuf;
use std::time::Duration;

use restante_client::{Endpoint, Method};

/// An account on a POP3 server.
#[derive(Debug, Clone)]
pub struct Account {
    /// What its owner calls it.
    pub name: String,
    /// The server.
    pub endpoint: Endpoint,
    /// The user's name there.
    pub user: String,
    /// What proves that it is theirs.
    pub sign_in: SignIn,
    /// The least way to log in that will do; `None` for any but digests.
    pub mechanism: Option<Method>,
    /// What becomes of mail on the server once it is stored here.
    pub leave: Leave,
    /// Messages with more octets than this, as the server lists them, stay there unread.
    pub largest_octets: Option<u64>,
    /// Where mail goes.
    pub maildir: PathBuf,
}

/// How long mail stays on the server after it was stored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It is deleted at once.
    Never,
    /// For ever.
    Always,
    /// For so many days since it was first seen.
    Days(u32),
    /// Until its owner deletes it at its destination.
    UntilDeletedHere,
    /// As long as it is among the newest so many.
    Newest(u32),
    /// As long as the maildrop takes less than so much of its quota; the oldest goes first.
    UnderQuota {
        /// Of the quota.
        percent: u8,
        /// The quota.
        quota_octets: u64,
    },
}

impl Leave {
    /// Whether the age alone of a message first seen at `first_seen` says that it may be deleted at
    /// `now` (seconds since 1970).
    pub(crate) fn is_over(self, first_seen: u64, now: u64) -> bool {
        match self {
            Self::Never => true,
            Self::Always | Self::UntilDeletedHere | Self::Newest(_) | Self::UnderQuota { .. } => {
                false
            }
            Self::Days(days) => now.saturating_sub(first_seen) >= u64::from(days) * DAY_S,
        }
    }
}

/// What proves that an account is its owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// A password.
    Password(SecretSource),
    /// An OAuth access token. It is asked for anew at each login, because it ends with the hour.
    Token(SecretSource),
    /// The certificate of the account's endpoint.
    Certificate,
}

/// Where an account's password or token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of a file.
    File(PathBuf),
    /// The first line a program prints: its name and arguments, run without a shell.
    Program(Vec<String>),
    /// The first line a shell command prints.
    Shell(String),
    /// The operating system's keyring, under this service and the account's user.
    Keyring(String),
}

impl Account {
    /// Server, port and user: what makes it this account and no other.
    #[must_use]
    pub fn identity(&self) -> (String, u16, &str) {
        (self.endpoint.host.to_ascii_lowercase(), self.endpoint.port, &self.user)
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.endpoint.timeout
    }
}

pub(crate) const DAY_S: u64 = 24 * 60 * 60;
