//! Who logs in, and by what.

use restante_proto::Secret;
use restante_proto::pop3::Capability;
use restante_proto::sasl::Identity;

use crate::{Capabilities, Method};

/// A user's name, what proves it, and how little may do.
///
/// [`Connection::login`](crate::Connection::login) takes the best way there is for them; it never
/// goes below the floor of [`Credentials::at_least`]. The ways for a password, best first:
///
/// | method | the password | the server |
/// |---|---|---|
/// | `SCRAM-SHA-256-PLUS`, `SCRAM-SHA-1-PLUS` | is not sent | proves itself, for this TLS connection |
/// | `SCRAM-SHA-256`, `SCRAM-SHA-1` | is not sent | proves itself |
/// | `CRAM-MD5`, `APOP` | can be guessed by who listens | proves nothing; only if named as the floor |
/// | `PLAIN`, `LOGIN`, `USER` | is sent | proves nothing beyond its certificate |
///
/// A token is sent by `OAUTHBEARER` or `XOAUTH2`, under TLS alone; a certificate is shown by TLS
/// and named by `EXTERNAL`.
#[derive(Debug, Clone)]
pub struct Credentials {
    user: String,
    kind: Kind,
    floor: Option<Method>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Password(Secret<Vec<u8>>),
    Token(Secret<String>),
    Certificate,
}

impl Credentials {
    /// A name and a password.
    pub fn password(user: impl Into<String>, password: Secret<Vec<u8>>) -> Self {
        Self { user: user.into(), kind: Kind::Password(password), floor: None }
    }

    /// A name and an access token of an OAuth issuer, as it is: not in base64.
    pub fn token(user: impl Into<String>, token: Secret<String>) -> Self {
        Self { user: user.into(), kind: Kind::Token(token), floor: None }
    }

    /// The certificate of [`Endpoint::client_certificate`](crate::Endpoint::client_certificate);
    /// `user` says whose maildrop and is empty for the certificate's own.
    pub fn certificate(user: impl Into<String>) -> Self {
        Self { user: user.into(), kind: Kind::Certificate, floor: None }
    }

    /// Uses this method or a better one, whatever the server offers. Without it, any will do but
    /// the two digests (`CRAM-MD5`, `APOP`), which are used only if one of them is named here.
    #[must_use]
    pub fn at_least(self, floor: Method) -> Self {
        self.with_floor(Some(floor))
    }

    pub(crate) fn with_floor(self, floor: Option<Method>) -> Self {
        Self { floor, ..self }
    }

    /// The name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The least that will do, if one was named.
    #[must_use]
    pub const fn floor(&self) -> Option<Method> {
        self.floor
    }

    pub(crate) const fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn identity(&self) -> Identity {
        let user = self.user.clone();
        match &self.kind {
            Kind::Password(password) => Identity::Password { user, password: password.clone() },
            Kind::Token(token) => Identity::Token { user, token: token.clone() },
            Kind::Certificate => Identity::Certificate { user },
        }
    }

    /// Whether they may stand in a command as they are (RFC 6856 section 2.2). In SASL they may.
    pub(crate) fn is_sendable(&self, capabilities: &Capabilities) -> bool {
        capabilities.has(&Capability::Utf8 { user: true }) || self.is_ascii()
    }

    pub(crate) fn is_ascii(&self) -> bool {
        self.user.is_ascii()
            && match &self.kind {
                Kind::Password(password) => password.expose().is_ascii(),
                Kind::Token(_) | Kind::Certificate => true,
            }
    }
}
