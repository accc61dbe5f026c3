//! Which ways to log in are offered, given the users there are.

use restante_proto::Secret;
use restante_proto::sasl::Offers;
use restante_proto::sasl::scram::ScramHash;

use crate::Overview;

/// What the administrator wants offered beside plain passwords.
#[derive(Debug, Clone)]
pub struct Mechanisms {
    /// SCRAM.
    pub scram: ScramOffer,
    /// CRAM-MD5, once a stored password is in clear.
    pub cram_md5: bool,
    /// APOP, likewise.
    pub apop: bool,
    /// What salts follow from where a user's stored password brings none. Must stay the same:
    /// salts that change tell users that do not exist from those that do.
    pub secret: Secret<[u8; 32]>,
}

/// When SCRAM is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScramOffer {
    /// When all users can use it: mail programs take the best mechanism on offer and do not try
    /// another when it fails, so a user who has no keys could not log in at all.
    #[default]
    WhenAllCan,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Mechanisms {
    pub(crate) fn offers(&self, users: &Overview) -> Offers {
        let scram = |hash| match self.scram {
            ScramOffer::WhenAllCan => users.all_can_scram(hash),
            ScramOffer::Always => true,
            ScramOffer::Never => false,
        };
        Offers {
            scram_sha_256: scram(ScramHash::Sha256),
            scram_sha_1: scram(ScramHash::Sha1),
            cram_md5: self.cram_md5 && users.any_in_clear,
            apop: self.apop && users.any_in_clear,
            tokens: false,
        }
    }
}
