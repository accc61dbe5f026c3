//! What can go wrong between a client and its server.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use restante_proto::pop3::ResponseCode;
use restante_proto::pop3::client::{BadArgument, ProtocolError, Refusal, SendError};
use restante_proto::sasl::Unfit;

use crate::{LoginError, ProxyError, TlsError};

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
    /// The proxy does not lead to the server.
    #[error("the proxy {host} is no help: {problem}")]
    Proxy {
        /// Its name.
        host: String,
        /// What it did.
        problem: ProxyError,
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
    /// A message larger than [`Connection::limit_messages`](crate::Connection::limit_messages)
    /// allows; 4 GiB if nothing else was said.
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
    /// The method cannot be used with these credentials.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The place a message was to be written to failed.
    #[error("the message cannot be written")]
    Output(#[source] io::Error),
    /// A blocking connection has no runtime to work on.
    #[error("the system gives no resources to connect with")]
    Runtime(#[source] io::Error),
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
            | Self::Runtime(_)
            | Self::Io { .. } => true,
            Self::Tls(error) => error.is_temporary(),
            Self::Login(error) => error.is_temporary(),
            Self::Refused { refusal, .. } => refusal.code != Some(ResponseCode::SysPerm),
            Self::Proxy { problem, .. } => matches!(problem, ProxyError::Refused(_)),
            Self::Protocol(_)
            | Self::BadArgument { .. }
            | Self::Unfit(_)
            | Self::TooLarge { .. }
            | Self::Output(_)
            | Self::Send(_) => false,
        }
    }

    /// What to do about it, for people.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Login(LoginError::WrongPassword(_)) => "check the user name and the password",
            Self::Login(LoginError::WrongToken { .. }) => "get a new token, and check its scope",
            Self::Login(LoginError::NoMethod { .. } | LoginError::NotAscii) => {
                "use another kind of credentials, or allow a weaker mechanism"
            }
            Self::Login(LoginError::Distrusted(_)) => {
                "do not log in: find out who answers under the server's name"
            }
            Self::Tls(TlsError::WrongPin { .. }) => {
                "find out whether the server has a new key, and only then pin it"
            }
            Self::Tls(TlsError::CaFile { .. } | TlsError::Untrusted) => {
                "name the certificate to trust, or have the server's signed"
            }
            Self::Tls(TlsError::ClientCertificate { .. }) => "check the client certificate's files",
            Self::Login(LoginError::NotEncrypted)
            | Self::Tls(TlsError::NotOffered(_) | TlsError::NotTls) => {
                "check the encryption and the port"
            }
            Self::Resolve { .. } | Self::Connect { .. } => {
                "check the network, the server's name and its port"
            }
            Self::Proxy { .. } => "check the proxy",
            Self::BadArgument { .. } | Self::Unfit(_) => "check the user name and the secret",
            Self::Output(_) => "check the place the mail is written to",
            Self::Send(_) => "wait for the earlier command",
            error if error.is_temporary() => "try again later",
            _ => "tell the server's operator",
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
    /// Asking a proxy to connect.
    Proxy,
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
            Self::Proxy => f.write_str("while the proxy connected"),
            Self::Handshake => f.write_str("during the TLS handshake"),
            Self::Greeting => f.write_str("before its greeting"),
            Self::Reply(command) => write!(f, "before the end of its reply to {command}"),
            Self::Body => f.write_str("in the middle of a message"),
        }
    }
}
