//! Which mechanisms the users there are can use.

use super::Mechanism;

/// What the user database can serve, and what the office lets it serve. PLAIN and LOGIN work with
/// every stored password, EXTERNAL without any; they need no word here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// SCRAM-SHA-256, and its `-PLUS` on connections that have a channel binding.
    pub scram_sha_256: bool,
    /// SCRAM-SHA-1, likewise.
    pub scram_sha_1: bool,
    /// CRAM-MD5.
    pub cram_md5: bool,
    /// APOP, which is no mechanism of SASL but the same thing.
    pub apop: bool,
    /// OAUTHBEARER and XOAUTH2.
    pub tokens: bool,
}

impl Offers {
    /// Whether `mechanism` is among them, on a connection with or without a channel binding.
    pub(crate) const fn include(self, mechanism: Mechanism, bound: bool) -> bool {
        match mechanism {
            Mechanism::ScramSha256Plus => self.scram_sha_256 && bound,
            Mechanism::ScramSha256 => self.scram_sha_256,
            Mechanism::ScramSha1Plus => self.scram_sha_1 && bound,
            Mechanism::ScramSha1 => self.scram_sha_1,
            Mechanism::CramMd5 => self.cram_md5,
            Mechanism::OauthBearer | Mechanism::Xoauth2 => self.tokens,
            Mechanism::External | Mechanism::Plain | Mechanism::Login => true,
        }
    }
}
