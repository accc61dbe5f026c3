//! Who a client is, and what it knows of the connection.

use super::Mechanism;
use crate::Secret;

/// Who wants in, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret<Vec<u8>>,
    },
    /// A name and the token of an OAuth issuer.
    Token {
        /// The name; with OAUTHBEARER it may be empty, and the token's own counts.
        user: String,
        /// The token.
        token: Secret<String>,
    },
    /// The certificate that TLS has shown.
    Certificate {
        /// Whose maildrop; empty for the certificate's own.
        user: String,
    },
}

impl Identity {
    /// The name; may be empty.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. }
            | Self::Token { user, .. }
            | Self::Certificate { user, .. } => user,
        }
    }
}

/// What a client's mechanism needs of the connection.
#[derive(Debug, Clone)]
pub struct Link {
    /// Printable, without a comma, and never used before (SCRAM).
    pub nonce: String,
    /// What binds a login to this TLS connection, where it can be bound (RFC 9266).
    pub binding: Option<Secret<Vec<u8>>>,
    /// Whether the server offers any `-PLUS`. One that is not offered though the connection has a
    /// binding is told so, and can find out that somebody took it away (RFC 5802 section 6).
    pub plus_offered: bool,
}

/// A mechanism cannot be used with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It wants a password where there is a token, or the other way round.
    #[error("{0} does not take this kind of credentials")]
    Kind(Mechanism),
    /// The name is empty, holds control characters or cannot be prepared (RFC 4013).
    #[error("the user name cannot be sent")]
    Name,
    /// The password holds a line end or a NUL.
    #[error("the password holds a line end or a NUL character")]
    Password,
    /// The token is no `b64token` (RFC 6750 section 2.1), or longer than 12 KiB.
    #[error("the token is not a bearer token")]
    Token,
    /// The connection has no channel binding.
    #[error("{0} needs TLS 1.3")]
    NoBinding(Mechanism),
}
