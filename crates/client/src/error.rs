//! What can go wrong between a client and its server.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use restante_proto::pop3::ResponseCode;
use restante_proto::pop3::client::{BadArgument, ProtocolError, Refusal, SendError};

use crate::{LoginError, TlsError};

/// A step with the server failed. After anything but [`Error::Refused`] the connection can only
/// be dropped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's name has no address.
    #[error("the server's name cannot be resolved")]
    Resolve {
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// The server's address does not answer.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address tried last.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// TLS could not be agreed on, or the server is not who it should be.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server took longer than the timeout for a step.
    #[error("the server did not answer in time {0}")]
    Timeout(Step),
    /// The server answered, but too slowly on the whole.
    #[error("the server is too slow {0}")]
    TooSlow(Step),
    /// The server closed the connection in the middle of something.
    #[error("the server closed the connection {0}")]
    Closed(Step),
    /// The connection broke.
    #[error("the connection broke {step}")]
    Io {
        /// What was going on.
        step: Step,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A message without an end.
    #[error("the server sent a message of more than {octets_max} octets")]
    TooLarge {
        /// The limit.
        octets_max: u64,
    },
    /// The server said `-ERR`.
    #[error("the server refused {command}: {refusal}")]
    Refused {
        /// The command's verb.
        command: &'static str,
        /// What the server said.
        refusal: Refusal,
    },
    /// The login failed.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A user name or password that cannot be sent.
    #[error("the {what} cannot be sent: {source}")]
    BadArgument {
        /// Which argument.
        what: &'static str,
        /// What is wrong with it.
        source: BadArgument,
    },
    /// The place a message was to be written to failed.
    #[error("the message cannot be written")]
    Output(#[source] io::Error),
    /// The session does not allow the command now.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Error {
    /// Whether trying again later, with nothing changed, may well succeed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Timeout(_)
            | Self::TooSlow(_)
            | Self::Closed(_)
            | Self::Io { .. } => true,
            Self::Tls(error) => error.is_temporary(),
            Self::Login(error) => error.is_temporary(),
            Self::Refused { refusal, .. } => refusal.code != Some(ResponseCode::SysPerm),
            Self::Protocol(_)
            | Self::TooLarge { .. }
            | Self::BadArgument { .. }
            | Self::Output(_)
            | Self::Send(_) => false,
        }
    }
}

/// What was going on when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Looking up the server's name.
    Resolve,
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Waiting for the greeting.
    Greeting,
    /// Waiting for the reply to a command.
    Reply(&'static str),
    /// In the middle of a message.
    Body,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve => f.write_str("while its name was looked up"),
            Self::Connect => f.write_str("while connecting"),
            Self::Handshake => f.write_str("during the TLS handshake"),
            Self::Greeting => f.write_str("before its greeting"),
            Self::Reply(command) => write!(f, "before the end of its reply to {command}"),
            Self::Body => f.write_str("in the middle of a message"),
        }
    }
}
