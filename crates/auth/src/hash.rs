//! One stored password: `{SCHEME}hash`, as Dovecot writes it.
//!
//! In: the second field of a passwd-file line, and passwords to compare with it. Out: whether
//! they fit. A field that no scheme understands is an error when it is read, not when somebody
//! logs in. New passwords are ARGON2ID with the parameters OWASP recommends.

use std::fmt;
use std::io;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use restante_host::Rng;
use restante_proto::Secret;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use sha_crypt::ShaCrypt;
use subtle::ConstantTimeEq;

use crate::scram::{self, Material};

/// One stored password. Its text is a secret: with PLAIN it is the password itself.
#[derive(Clone)]
pub struct Hash {
    kind: Kind,
    scheme: &'static str,
    text: Secret<String>,
}

/// How a password is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Argon2,
    Bcrypt,
    ShaCrypt,
    Scram(ScramHash),
    Plain,
}

impl Hash {
    /// The most octets a password may have; a longer one fits nothing. POP3 carries 255 at most,
    /// and some schemes cost more the longer it is.
    pub const PASSWORD_OCTETS_MAX: usize = 1024;

    /// Understands a stored password.
    ///
    /// field = [ "{" scheme "}" ] hash
    ///
    /// Without a scheme, the hash is known by its prefix.
    ///
    /// # Errors
    /// [`BadHash`] when the scheme is unknown or the hash is not one of it.
    pub fn parse(field: &str) -> Result<Self, BadHash> {
        let (scheme, text) = match field.strip_prefix('{') {
            Some(rest) => {
                let (scheme, text) = rest.split_once('}').ok_or(BadHash::Unknown)?;
                let known = |(name, _): &(&str, _)| scheme.eq_ignore_ascii_case(name);
                let &(name, kind) = SCHEMES.iter().find(|s| known(s)).ok_or(BadHash::Unknown)?;
                (Some((name, kind)), text)
            }
            None => (None, field),
        };
        let (scheme, kind) = match scheme {
            Some((name, Some(kind))) => (name, kind),
            // CRYPT says no more than the prefix does.
            Some((_, None)) | None => kind_of(text).ok_or(BadHash::Unknown)?,
        };
        match kind.is_bearable(text) {
            Some(true) => Ok(Self { kind, scheme, text: Secret::new(text.to_owned()) }),
            Some(false) => Err(BadHash::TooCostly(scheme)),
            None => Err(BadHash::Malformed(scheme)),
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// When there is no randomness for the salt.
    pub fn create(rng: &dyn Rng, password: &[u8]) -> io::Result<Self> {
        let mut salt = [0; SALT_OCTETS];
        rng.fill(&mut salt)?;
        let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None)
            .map_err(io::Error::other)?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password, &salt)
            .map_err(io::Error::other)?;
        Ok(Self { kind: Kind::Argon2, scheme: ARGON2ID, text: Secret::new(hash.to_string()) })
    }

    /// Stores the keys of a new password for SCRAM-SHA-256, as Dovecot does. Who steals them can
    /// try passwords faster than with [`Hash::create`].
    ///
    /// # Errors
    /// When there is no randomness for the salt.
    pub fn create_scram(rng: &dyn Rng, password: &[u8]) -> io::Result<Self> {
        let mut salt = vec![0; scram::SALT_OCTETS];
        rng.fill(&mut salt)?;
        let hash = ScramHash::Sha256;
        let keys = ScramKeys::derive(hash, password, salt, scram::ITERATIONS);
        Ok(Self { kind: Kind::Scram(hash), scheme: SCRAM_SHA_256, text: scram::to_text(&keys) })
    }

    /// Whether `password` is the one that was stored. Takes long, on purpose.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let text = self.text.expose();
        if password.len() > Self::PASSWORD_OCTETS_MAX {
            return false;
        }
        match self.kind {
            Kind::Argon2 => Argon2::default().verify_password(password, text.as_str()).is_ok(),
            Kind::Bcrypt => bcrypt::verify(password, text).unwrap_or(false),
            Kind::ShaCrypt => ShaCrypt::default().verify_password(password, text.as_str()).is_ok(),
            Kind::Scram(hash) => {
                scram::parse(hash, text).is_some_and(|keys| keys.fit_password(password))
            }
            Kind::Plain => password.ct_eq(text.as_bytes()).into(),
        }
    }

    /// The name of the scheme.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The field as it stands in a file.
    #[must_use]
    pub fn to_field(&self) -> Secret<String> {
        Secret::new(format!("{{{}}}{}", self.scheme, self.text.expose()))
    }

    /// What SCRAM with `hash` can work with: keys for it, or the password itself.
    pub(crate) fn scram_material(&self, hash: ScramHash) -> Option<Material> {
        match self.kind {
            Kind::Scram(own) if own == hash => {
                scram::parse(hash, self.text.expose()).map(Material::Keys)
            }
            _ => self.in_clear().map(Material::Password),
        }
    }

    /// The password itself, where it is stored in clear.
    pub(crate) fn in_clear(&self) -> Option<Secret<Vec<u8>>> {
        let is_plain = self.kind == Kind::Plain;
        is_plain.then(|| Secret::new(self.text.expose().as_bytes().to_vec()))
    }

    /// Scheme and parameters without salt and digest: hashes of one cost take equal work.
    pub(crate) fn cost(&self) -> &str {
        if self.kind == Kind::Plain {
            return self.scheme;
        }
        if let Kind::Scram(_) = self.kind {
            let text = self.text.expose();
            return text.split_once(',').map_or(text, |(iterations, _)| iterations);
        }
        // Salt and digest are the last two parts, but bcrypt writes them as one.
        let parts = if self.kind == Kind::Bcrypt { 1 } else { 2 };
        let text = self.text.expose();
        text.rmatch_indices('$').nth(parts - 1).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
    }

    /// What stands in for a user's hash when the database has none to take as a model.
    pub(crate) fn stand_in() -> Self {
        Self { kind: Kind::Argon2, scheme: ARGON2ID, text: Secret::new(STAND_IN.to_owned()) }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}<redacted>", self.scheme)
    }
}

impl Kind {
    /// Whether checking `text` costs no more than a server can bear; nothing when it is not a
    /// hash of this kind.
    fn is_bearable(self, text: &str) -> Option<bool> {
        match self {
            Self::Argon2 => {
                let hash = PasswordHash::new(text).ok().filter(|hash| hash.hash.is_some())?;
                let params = Params::try_from(&hash).ok()?;
                let bearable = params.m_cost() <= ARGON2_MEMORY_KIB_MAX
                    && params.t_cost() <= ARGON2_PASSES_MAX
                    && params.p_cost() <= ARGON2_LANES_MAX;
                text.starts_with("$argon2").then_some(bearable)
            }
            Self::Bcrypt => {
                let parts: bcrypt::HashParts = text.parse().ok()?;
                Some(parts.get_cost() <= BCRYPT_COST_MAX)
            }
            Self::ShaCrypt => sha_crypt_rounds(text).map(|rounds| rounds <= SHA_CRYPT_ROUNDS_MAX),
            Self::Scram(hash) => {
                scram::parse(hash, text).map(|keys| keys.iterations().get() <= SCRAM_ITERATIONS_MAX)
            }
            // An empty stored password would let everybody in.
            Self::Plain => (!text.is_empty()).then_some(true),
        }
    }
}

/// `hash = ( "$5$" / "$6$" ) [ "rounds=" number "$" ] salt "$" digest`
fn sha_crypt_rounds(text: &str) -> Option<u32> {
    let (rest, digest_letters) = match (text.strip_prefix("$5$"), text.strip_prefix("$6$")) {
        (Some(rest), _) => (rest, 43),
        (_, rest) => (rest?, 86),
    };
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => rest.split_once('$').and_then(|(n, rest)| Some((n.parse().ok()?, rest)))?,
        None => (sha_crypt::Params::RECOMMENDED_ROUNDS, rest),
    };
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    let (salt, digest) = rest.split_once('$')?;
    let is_hash = rounds >= sha_crypt::Params::ROUNDS_MIN
        && !salt.is_empty()
        && digest.len() == digest_letters
        && digest.bytes().all(is_letter);
    is_hash.then_some(rounds)
}

/// The scheme a hash's own prefix names.
fn kind_of(text: &str) -> Option<(&'static str, Kind)> {
    let prefix = |&&(prefix, ..): &&(&str, _, _)| text.starts_with(prefix);
    PREFIXES.iter().find(prefix).map(|&(_, scheme, kind)| (scheme, kind))
}

/// A stored password that cannot be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHash {
    /// Its scheme is none of those known.
    #[error(
        "unknown password scheme; known are ARGON2ID, BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, SCRAM-SHA-256, SCRAM-SHA-1 and PLAIN"
    )]
    Unknown,
    /// It is not what its scheme says.
    #[error("not a {0} hash")]
    Malformed(&'static str),
    /// Checking it would take more memory or time than a server can spend on a login.
    #[error("a {0} hash that costs too much to check")]
    TooCostly(&'static str),
}

/// A new password that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable password: {0}")]
pub struct BadPassword(&'static str);

impl BadPassword {
    /// Checks that a mail program could send `password`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(password: &[u8]) -> Result<(), Self> {
        if password.is_empty() {
            Err(Self("it is empty"))
        } else if password.len() > NEW_PASSWORD_OCTETS_MAX {
            Err(Self("it is longer than 200 octets"))
        } else if password.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
            Err(Self("it holds NUL or a line end"))
        } else {
            Ok(())
        }
    }
}

const ARGON2ID: &str = "ARGON2ID";
const BLF_CRYPT: &str = "BLF-CRYPT";
const SHA512_CRYPT: &str = "SHA512-CRYPT";
const SHA256_CRYPT: &str = "SHA256-CRYPT";
const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
const SCRAM_SHA_1: &str = "SCRAM-SHA-1";

/// The names in front of a hash; CRYPT leaves it to the prefix.
const SCHEMES: [(&str, Option<Kind>); 10] = [
    (ARGON2ID, Some(Kind::Argon2)),
    ("ARGON2I", Some(Kind::Argon2)),
    (BLF_CRYPT, Some(Kind::Bcrypt)),
    (SHA512_CRYPT, Some(Kind::ShaCrypt)),
    (SHA256_CRYPT, Some(Kind::ShaCrypt)),
    (SCRAM_SHA_256, Some(Kind::Scram(ScramHash::Sha256))),
    (SCRAM_SHA_1, Some(Kind::Scram(ScramHash::Sha1))),
    ("PLAIN", Some(Kind::Plain)),
    ("CLEARTEXT", Some(Kind::Plain)),
    ("CRYPT", None),
];

/// What the hashes themselves begin with.
const PREFIXES: [(&str, &str, Kind); 4] = [
    ("$argon2id$", ARGON2ID, Kind::Argon2),
    ("$2", BLF_CRYPT, Kind::Bcrypt),
    ("$6$", SHA512_CRYPT, Kind::ShaCrypt),
    ("$5$", SHA256_CRYPT, Kind::ShaCrypt),
];

/// OWASP's first choice for argon2id.
const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;
const SALT_OCTETS: usize = 16;

/// What a hash may cost: a slip of the pen in the file must not take the server's memory, or a
/// thread of it for minutes. Each is far above what anybody recommends.
const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 64;
const ARGON2_LANES_MAX: u32 = 64;
const BCRYPT_COST_MAX: u32 = 18;
const SHA_CRYPT_ROUNDS_MAX: u32 = 10_000_000;
const SCRAM_ITERATIONS_MAX: u32 = 10_000_000;

/// What `PASS` and a password fit into: a command line has 255 octets (RFC 2449 section 4).
const NEW_PASSWORD_OCTETS_MAX: usize = 200;

/// A hash of new passwords' cost; that it fits a password nobody knows does not matter.
const STAND_IN: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    cmVzdGFudGUtc3RhbmRpbg$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: &str = "pa55 wörd";

    #[test]
    fn hashes_made_by_others_are_understood() {
        for (maker, field, scheme) in [
            (
                "doveadm pw -s ARGON2ID",
                "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc",
                "ARGON2ID",
            ),
            (
                "doveadm pw -s ARGON2I",
                "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$ywKJKFuPT6fYhGi7JGogkw$OL0QCtecfkkKGTAYua0slxKB/ag6odm7mjp9sWRVZo8",
                "ARGON2I",
            ),
            (
                "doveadm pw -s BLF-CRYPT",
                "{BLF-CRYPT}$2y$05$T16kpY82tNd3nGAhYiJpTeVxAHzPB5lrkEx71FNNeHVEpMXb7yoLO",
                "BLF-CRYPT",
            ),
            (
                "doveadm pw -s SHA512-CRYPT",
                "{SHA512-CRYPT}$6$JJijSqkzx73RdQdN$uAGFyRQgUrETFh7EVWjBZk5ov6Q2jSnuugZRs4pP3wap4GsjSe2QOlXpx8drhDGacpvbXvAx.ZHmsEJeZZb8C0",
                "SHA512-CRYPT",
            ),
            (
                "doveadm pw -s SHA512-CRYPT -r 12000",
                "{SHA512-CRYPT}$6$rounds=12000$iP3jpusJDE5nzoWS$XdQv2D9XCm/5LXrnGFxk9iKEV25uE5SoKTmt0oY.prqa0Ankn6f7JgCvh.ohImBPGKuWmfopMxoNQcAhT.Lk90",
                "SHA512-CRYPT",
            ),
            (
                "doveadm pw -s SHA256-CRYPT",
                "{sha256-crypt}$5$paA9xbFEt9fLP/sG$Fxm7IYeB.Stq6P2l1G3oDxUT6hnBfUMrlntNiCh.wg5",
                "SHA256-CRYPT",
            ),
            (
                "doveadm pw -s CRYPT",
                "{CRYPT}$2y$05$.FTHtG56iGbljj391KlxW.dwb7XI4WvzZnwBRqzd1vZqDZHqyTF4W",
                "BLF-CRYPT",
            ),
            (
                "doveadm pw -s SCRAM-SHA-256",
                "{SCRAM-SHA-256}4096,H+chhqP5TuZU4PvKBO/Iwg==,QkvudEIozJNh2kJz+GUQzKUq04EbNVWattgfSbh81Bw=,O8rfxQziL91faRZD2glt082PLg7YCbdeeYunk83jW9Q=",
                "SCRAM-SHA-256",
            ),
            (
                "doveadm pw -s SCRAM-SHA-1",
                "{SCRAM-SHA-1}4096,ICJgJrIuws/QzZbk6WFVfA==,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM=",
                "SCRAM-SHA-1",
            ),
            ("doveadm pw -s PLAIN", "{PLAIN}pa55 wörd", "PLAIN"),
            ("doveadm pw -s CLEARTEXT", "{CLEARTEXT}pa55 wörd", "CLEARTEXT"),
            (
                "htpasswd -nbB",
                "$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa",
                "BLF-CRYPT",
            ),
            (
                "openssl passwd -6",
                "$6$saltsalt$aLQIWH181LkCDYAP2xWlgVhfRFaS/sC8P1MvDzWD79iDbF/sHyMBo117srwCj7P0XpZG8.3RnH4MxLDiWF/bf/",
                "SHA512-CRYPT",
            ),
            (
                "openssl passwd -5",
                "$5$abcd1234$MhY8pGr6TtVeeDiXeIxicGRVrPO8fk/Q4tVTF7s1nC5",
                "SHA256-CRYPT",
            ),
            (
                "crypt(3)",
                "$5$rounds=1400$anotherlongsalts$LpIjC6DT57c.623m.oPMI3jkC0t8jY3.SXbXFgrQwX/",
                "SHA256-CRYPT",
            ),
            (
                "argon2id without a scheme",
                "$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc",
                "ARGON2ID",
            ),
        ] {
            let hash = Hash::parse(field).unwrap_or_else(|error| panic!("{maker}: {error}"));
            assert_eq!(hash.scheme(), scheme, "{maker}");
            assert!(hash.verify(PASSWORD.as_bytes()), "{maker}");
            for wrong in ["", "pa55 wörd ", "pa55 wörD", "pa55"] {
                assert!(!hash.verify(wrong.as_bytes()), "{maker}: {wrong:?}");
            }
        }
    }

    #[test]
    fn a_field_that_no_scheme_understands_is_refused_when_it_is_read() {
        for (field, error) in [
            ("", BadHash::Unknown),
            ("*", BadHash::Unknown),
            ("secret", BadHash::Unknown),
            ("{MD5}x", BadHash::Unknown),
            ("{PLAIN", BadHash::Unknown),
            ("{CRYPT}ab1234567890x", BadHash::Unknown),
            ("{PLAIN}", BadHash::Malformed("PLAIN")),
            ("{SCRAM-SHA-256}4096,AA==,AA==,AA==", BadHash::Malformed("SCRAM-SHA-256")),
            ("{ARGON2ID}", BadHash::Malformed("ARGON2ID")),
            ("{ARGON2ID}secret", BadHash::Malformed("ARGON2ID")),
            (
                "$argon2id$v=19$m=65536,t=3,p=1$EgT1RQifJDy6jdb5WBLB5Q",
                BadHash::Malformed("ARGON2ID"),
            ),
            ("$2y$05$tooshort", BadHash::Malformed("BLF-CRYPT")),
            ("$6$saltsalt$aLQIWH181", BadHash::Malformed("SHA512-CRYPT")),
            (
                "$6$rounds=1$saltsalt$aLQIWH181LkCDYAP2xWlgVhfRFaS/sC8P1MvDzWD79iDbF/sHyMBo117srwCj7P0XpZG8.3RnH4MxLDiWF/bf/",
                BadHash::Malformed("SHA512-CRYPT"),
            ),
            (
                "{SHA256-CRYPT}$5$$MhY8pGr6TtVeeDiXeIxicGRVrPO8fk/Q4tVTF7s1nC5",
                BadHash::Malformed("SHA256-CRYPT"),
            ),
        ] {
            assert_eq!(Hash::parse(field).unwrap_err(), error, "{field}");
        }
    }

    #[test]
    fn a_hash_that_no_server_can_bear_is_refused_when_it_is_read() {
        let argon2 = |costs: &str| {
            format!(
                "$argon2id$v=19${costs}$EgT1RQifJDy6jdb5WBLB5Q$T93kCNRv0jEhNkc2qbPmqhQjelx/RSku1oQQj0H82fc"
            )
        };
        let sha = "saltsalt$aLQIWH181LkCDYAP2xWlgVhfRFaS/sC8P1MvDzWD79iDbF/sHyMBo117srwCj7P0XpZG8.3RnH4MxLDiWF/bf/";
        let scram = |iterations| {
            format!(
                "{{SCRAM-SHA-1}}{iterations},AAAA,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM="
            )
        };
        let bcrypt = "ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa";
        for (good, bad) in [
            (argon2("m=1048576,t=5,p=1"), argon2("m=1048577,t=5,p=1")),
            (argon2("m=65536,t=64,p=4"), argon2("m=65536,t=65,p=4")),
            (argon2("m=65536,t=1,p=64"), argon2("m=65536,t=1,p=65")),
            (scram(10_000_000), scram(10_000_001)),
            (format!("$2y$18${bcrypt}"), format!("$2y$19${bcrypt}")),
            (format!("$6$rounds=10000000${sha}"), format!("$6$rounds=10000001${sha}")),
        ] {
            Hash::parse(&good).unwrap();
            assert!(matches!(Hash::parse(&bad), Err(BadHash::TooCostly(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_field_is_it_is_read_as_it_is_written_or_refused(
            field in r"(\{(ARGON2ID|BLF-CRYPT|SHA512-CRYPT|PLAIN|CRYPT)\})?(\$(2y|5|6|argon2id|v=19|m=8,t=1,p=1|rounds=1000|[a-zA-Z0-9./]{0,43}))*.{0,5}",
        ) {
            if let Ok(hash) = Hash::parse(&field) {
                let written = hash.to_field();
                let text = field.rsplit('}').next().unwrap();
                prop_assert!(written.expose().ends_with(text));
                prop_assert_eq!(Hash::parse(written.expose()).unwrap().to_field(), written);
            }
        }
    }

    #[test]
    fn a_new_hash_is_salted_and_costs_what_owasp_asks_for() {
        let rng = restante_host::HostRng;
        let one = Hash::create(&rng, b"secret").unwrap();
        let two = Hash::create(&rng, b"secret").unwrap();
        assert_ne!(one.to_field(), two.to_field());
        assert_eq!(one.cost(), "$argon2id$v=19$m=19456,t=2,p=1");
        let read = Hash::parse(one.to_field().expose()).unwrap();
        assert!(read.verify(b"secret") && !read.verify(b"Secret"));
        assert_eq!(format!("{read:?}"), "{ARGON2ID}<redacted>");
        let stand_in = Hash::stand_in();
        assert_eq!(stand_in.cost(), one.cost());
        Hash::parse(stand_in.to_field().expose()).unwrap();
    }

    #[test]
    fn new_scram_keys_are_salted_and_read_back() {
        let rng = restante_host::HostRng;
        let one = Hash::create_scram(&rng, b"secret").unwrap();
        let two = Hash::create_scram(&rng, b"secret").unwrap();
        assert_ne!(one.to_field(), two.to_field());
        let read = Hash::parse(one.to_field().expose()).unwrap();
        assert_eq!((read.scheme(), read.cost()), ("SCRAM-SHA-256", "4096"));
        assert!(read.verify(b"secret") && !read.verify(b"Secret"));
        assert!(read.scram_material(ScramHash::Sha256).is_some());
        assert!(read.scram_material(ScramHash::Sha1).is_none() && read.in_clear().is_none());
    }

    #[test]
    fn the_cost_of_a_hash_is_all_but_salt_and_digest() {
        for (field, cost) in [
            ("$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa", "$2y$05"),
            ("$5$abcd1234$MhY8pGr6TtVeeDiXeIxicGRVrPO8fk/Q4tVTF7s1nC5", "$5"),
            (
                "$5$rounds=1400$anotherlongsalts$LpIjC6DT57c.623m.oPMI3jkC0t8jY3.SXbXFgrQwX/",
                "$5$rounds=1400",
            ),
            (
                "{SCRAM-SHA-1}4096,ICJg,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM=",
                "4096",
            ),
            ("{PLAIN}a$b$c$d", "PLAIN"),
        ] {
            assert_eq!(Hash::parse(field).unwrap().cost(), cost);
        }
    }

    #[test]
    fn passwords_that_no_client_can_send_are_refused() {
        for bad in [&b""[..], b"a\0b", b"a\rb", b"a\nb", &[b'x'; 201]] {
            assert!(BadPassword::check(bad).is_err(), "{bad:?}");
        }
        for good in [&b" "[..], b"a:b", b"\xff\x00".split_at(1).0, &[b'x'; 200]] {
            assert!(BadPassword::check(good).is_ok(), "{good:?}");
        }
        assert!(!Hash::parse("{PLAIN}x").unwrap().verify(&[b'x'; 1025]));
    }
}
