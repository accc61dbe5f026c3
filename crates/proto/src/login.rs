//! What a client claims to be, and its proof.

use crate::Secret;

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
}

impl Login {
    /// The name the client gave.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } => user,
        }
    }
}
