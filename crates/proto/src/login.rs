//! What a client claims to be, and its proof.

use crate::Secret;
use crate::sasl::{Digest, Mechanism};

/// A login attempt as the protocol brings it in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Login {
    /// A name and a password (`USER` and `PASS`, or SASL PLAIN and LOGIN).
    Password {
        /// The name, as the client sent it.
        user: String,
        /// The password's octets, spaces and all.
        password: Secret<Vec<u8>>,
    },
    /// How a mechanism ended that proves the password without sending it (SCRAM): the session
    /// has checked the proof against the keys the authenticator gave. Proofs that failed are
    /// brought too, so that all failures are counted and answered in one place.
    Proof {
        /// The name, as the mechanism prepares it.
        user: String,
        /// Whether the proof is right.
        proven: bool,
    },
    /// A digest of the password and a challenge (CRAM-MD5, APOP).
    Digest {
        /// The name, as the client sent it.
        user: String,
        /// Says of a password whether it is the right one.
        digest: Digest,
    },
    /// A token of an OAuth issuer (OAUTHBEARER, XOAUTH2).
    Token {
        /// The name, if the client gave one; the token's own must be the same.
        user: Option<String>,
        /// The token.
        token: Secret<String>,
        /// Which of the two it came by.
        mechanism: Mechanism,
        /// The host the client meant to speak to, if it said so (RFC 7628 section 3.1).
        host: Option<String>,
        /// The port, likewise.
        port: Option<u16>,
    },
    /// A certificate that the TLS handshake has found valid (EXTERNAL).
    Certificate {
        /// The name, if the client gave one; it must be among the certificate's.
        user: Option<String>,
        /// Whom the certificate names.
        names: Vec<String>,
    },
}

impl Login {
    /// The name the client gave; if it gave none, the certificate's, or an empty one.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::Proof { user, .. } | Self::Digest { user, .. } => {
                user
            }
            Self::Token { user, .. } => user.as_deref().unwrap_or_default(),
            Self::Certificate { user: Some(user), .. } => user,
            Self::Certificate { .. } => self.certified_user().unwrap_or_default(),
        }
    }

    /// Whom a certificate stands for: the name that was given if the certificate has it, or else
    /// its only one. A certificate that names nobody, or several, chooses none.
    #[must_use]
    pub fn certified_user(&self) -> Option<&str> {
        let Self::Certificate { user, names } = self else { return None };
        let found = match (user, names.as_slice()) {
            (Some(user), names) => names.contains(user).then_some(user),
            (None, [name]) => Some(name),
            (None, _) => None,
        };
        found.map(String::as_str).filter(|name| !name.is_empty())
    }
}
