//! The one log line a session leaves behind: who, from where, how much, and why it ended.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use restante_proto::pop3::Closing;
use tracing::info;

/// What a session did.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) listener: String,
    pub(crate) address: SocketAddr,
    pub(crate) began: Instant,
    pub(crate) user: Option<String>,
    /// The label of the app password that opened it.
    pub(crate) app_password: Option<String>,
    /// Protocol version, once TLS is up.
    pub(crate) tls: Option<String>,
    /// Bodies sent by `RETR`, whole.
    pub(crate) messages: u64,
    /// Octets sent, replies and bodies, before encryption.
    pub(crate) octets: u64,
    pub(crate) deleted: usize,
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The session closed it.
    Closed(Closing),
    /// The client closed it without `QUIT`.
    HungUp,
    /// The line broke.
    Lost(std::io::Error),
    /// The client did not take what was sent to it.
    WriteTimeout,
    /// The client took it, but too slowly.
    TooSlow,
    /// TLS could not be set up.
    Handshake(std::io::Error),
    /// A message could not be read to its end; going on would end it short.
    BodyLost(restante_maildrop::BodyError),
    /// There were too many logins to wait for this one's turn.
    TurnedAway,
    /// The server stops.
    Stopped,
    /// It was silent, and its user logged in anew.
    TakenOver,
}

impl Report {
    pub(crate) fn new(listener: String, address: SocketAddr, began: Instant) -> Self {
        Self {
            listener,
            address,
            began,
            user: None,
            app_password: None,
            tls: None,
            messages: 0,
            octets: 0,
            deleted: 0,
        }
    }

    /// Writes the line.
    pub(crate) fn log(&self, end: &End, now: Instant) {
        let milliseconds = now.saturating_duration_since(self.began).as_millis();
        info!(
            user = self.user.as_deref().unwrap_or("-"),
            app_password = self.app_password.as_deref(),
            address = %self.address,
            listener = self.listener,
            tls = self.tls.as_deref().unwrap_or("no"),
            messages = self.messages,
            octets = self.octets,
            deleted = self.deleted,
            milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX),
            end = %end,
            "session ended"
        );
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closing) => closing.fmt(f),
            Self::HungUp => f.write_str("client hung up"),
            Self::Lost(error) => write!(f, "connection lost: {error}"),
            Self::WriteTimeout => f.write_str("client does not read"),
            Self::TooSlow => f.write_str("client reads too slowly"),
            Self::Handshake(error) => write!(f, "TLS handshake failed: {error}"),
            Self::BodyLost(error) => write!(f, "{error}: {}", error.0),
            Self::TurnedAway => f.write_str("too many tries"),
            Self::Stopped => f.write_str("server stopped"),
            Self::TakenOver => f.write_str("taken over"),
        }
    }
}
