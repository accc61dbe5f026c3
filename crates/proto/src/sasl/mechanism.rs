//! The names of the mechanisms.

use std::fmt;

use super::scram::ScramHash;

/// A mechanism the server or the client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mechanism {
    /// The certificate that the client showed in the TLS handshake (RFC 4422 appendix A).
    External,
    /// A proof with SHA-256, bound to the TLS connection (RFC 7677).
    ScramSha256Plus,
    /// A proof with SHA-256 (RFC 7677).
    ScramSha256,
    /// A proof with SHA-1, bound to the TLS connection (RFC 5802).
    ScramSha1Plus,
    /// A proof with SHA-1 (RFC 5802).
    ScramSha1,
    /// A digest of the password and a challenge (RFC 2195).
    CramMd5,
    /// Name and password in one message (RFC 4616).
    Plain,
    /// Name and password, asked for one after the other (draft-murchison-sasl-login).
    Login,
    /// A token of an OAuth issuer (RFC 7628).
    OauthBearer,
    /// The same, as Google and Microsoft wrote it before there was an RFC.
    Xoauth2,
}

impl Mechanism {
    /// All of them, in the order a server names them: what proves most comes first.
    pub const ALL: [Self; 10] = [
        Self::External,
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::ScramSha1Plus,
        Self::ScramSha1,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
        Self::OauthBearer,
        Self::Xoauth2,
    ];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// Whether the client may send its first response with the command. LOGIN's standard says no,
    /// clients do it all the same.
    #[must_use]
    pub const fn takes_initial_response(self) -> bool {
        !matches!(self, Self::CramMd5)
    }

    /// Whether what it sends is good for others to send again: only under TLS, whatever is allowed
    /// in clear text (RFC 7628 section 3).
    #[must_use]
    pub const fn needs_tls(self) -> bool {
        matches!(self, Self::OauthBearer | Self::Xoauth2 | Self::External)
    }

    /// The hash function of SCRAM, and whether it is bound to the TLS connection (`-PLUS`).
    #[must_use]
    pub const fn scram(self) -> Option<(ScramHash, bool)> {
        match self {
            Self::ScramSha256Plus => Some((ScramHash::Sha256, true)),
            Self::ScramSha256 => Some((ScramHash::Sha256, false)),
            Self::ScramSha1Plus => Some((ScramHash::Sha1, true)),
            Self::ScramSha1 => Some((ScramHash::Sha1, false)),
            _ => None,
        }
    }

    /// The mechanism of that name, in whatever case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
