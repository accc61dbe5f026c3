//! One stored password: `{SCHEME}hash`, as Dovecot writes it.
//!
//! In: the second field of a passwd-file line, and passwords to compare with it. Out: whether
//! they fit. A field that no scheme understands is an error when it is read, not when somebody
//! logs in. New passwords are ARGON2ID with the parameters OWASP recommends.

mod cram;
mod crypt;
mod digest;
mod limits;
mod password;
mod pbkdf2;
mod scheme;

use std::fmt;
use std::io;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use restante_host::Rng;
use restante_proto::Secret;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use scrypt::Scrypt;
use sha_crypt::ShaCrypt;
use subtle::ConstantTimeEq;
use yescrypt::Yescrypt;

use self::digest::Digested;
use self::pbkdf2::Pbkdf2;
use self::scheme::{ARGON2ID, Encoding, Kind, Named, SCRAM_SHA_256};
use crate::scram::{self, Material};

pub use password::BadPassword;
pub(crate) use password::forms;
pub use scheme::BadHash;

/// One stored password. Its text is a secret: with PLAIN it is the password itself.
#[derive(Clone)]
pub struct Hash {
    kind: Kind,
    scheme: &'static str,
    /// How the text is written, where that was said.
    encoding: Option<Encoding>,
    text: Secret<String>,
}

/// How a new password is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewScheme {
    /// As a hash that is slow to guess from.
    #[default]
    Argon2id,
    /// As keys for SCRAM-SHA-256.
    ScramSha256,
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
        let Some(rest) = field.strip_prefix('{') else {
            let (name, kind) = scheme::by_prefix(field)?;
            return Self::of(name, kind, None, field.to_owned());
        };
        let (scheme, text) = rest.split_once('}').ok_or(BadHash::Unknown)?;
        let (name, encoding) = scheme::split(scheme)?;
        let named = scheme::named(name)?;
        let decoded = |encoding| {
            digest::decode(text, encoding).and_then(|octets| String::from_utf8(octets).ok())
        };
        // Where the hash is no octets, an encoding is of its text.
        let plain = encoding.map_or_else(|| Some(text.to_owned()), decoded);
        match (named, plain) {
            // Dovecot's MD5 is either of two.
            (Named::Kind("MD5", _), Some(text)) if text.starts_with("$1$") => {
                Self::of("MD5", Kind::Md5Crypt, None, text)
            }
            (Named::Kind(name, kind), _) if kind.is_octets() => {
                Self::of(name, kind, encoding, text.to_owned())
            }
            (Named::Kind(name, kind), Some(text)) => Self::of(name, kind, None, text),
            (Named::ByPrefix, Some(text)) => {
                let (name, kind) = scheme::by_prefix(&text)?;
                Self::of(name, kind, None, text)
            }
            (Named::Kind(name, _), None) => Err(BadHash::Malformed(name)),
            (Named::ByPrefix, None) => Err(BadHash::Unknown),
        }
    }

    fn of(
        scheme: &'static str,
        kind: Kind,
        encoding: Option<Encoding>,
        text: String,
    ) -> Result<Self, BadHash> {
        match kind.is_bearable(&text, encoding) {
            Some(true) => Ok(Self { kind, scheme, encoding, text: Secret::new(text) }),
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
        let text = Secret::new(hash.to_string());
        Ok(Self { kind: Kind::Argon2, scheme: ARGON2ID, encoding: None, text })
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
        let (kind, text) = (Kind::Scram(hash), scram::to_text(&keys));
        Ok(Self { kind, scheme: SCRAM_SHA_256, encoding: None, text })
    }

    /// Stores a new password in this way.
    ///
    /// # Errors
    /// When there is no randomness for the salt.
    pub(crate) fn create_as(scheme: NewScheme, rng: &dyn Rng, password: &[u8]) -> io::Result<Self> {
        match scheme {
            NewScheme::Argon2id => Self::create(rng, password),
            NewScheme::ScramSha256 => Self::create_scram(rng, password),
        }
    }

    /// Whether `password` is the one that was stored, as it came or as SASLprep leaves it. Takes
    /// long, on purpose.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        password.len() <= Self::PASSWORD_OCTETS_MAX
            && forms(password).iter().any(|password| self.fits(password.expose()))
    }

    fn fits(&self, password: &[u8]) -> bool {
        let text = self.text.expose();
        match self.kind {
            Kind::Argon2 => Argon2::default().verify_password(password, text.as_str()).is_ok(),
            Kind::Bcrypt => bcrypt::verify(password, text).unwrap_or(false),
            Kind::ShaCrypt => ShaCrypt::default().verify_password(password, text.as_str()).is_ok(),
            Kind::Md5Crypt => crypt::md5_crypt_fits(text, password),
            Kind::Yescrypt => Yescrypt::default().verify_password(password, text.as_str()).is_ok(),
            Kind::Scrypt => {
                let hash = scrypt::mcf::PasswordHashRef::new(text);
                hash.is_ok_and(|hash| Scrypt::new().verify_password(password, hash).is_ok())
            }
            Kind::Pbkdf2(function) => {
                Pbkdf2::parse(function, text).is_some_and(|stored| stored.fits(password))
            }
            Kind::Scram(hash) => {
                scram::parse(hash, text).is_some_and(|keys| keys.fit_password(password))
            }
            Kind::Digest { function, salted } => {
                Digested::parse(function, salted, text, self.encoding)
                    .is_some_and(|stored| stored.fits(password))
            }
            Kind::CramMd5 => {
                cram::parse(text, self.encoding).is_some_and(|stored| cram::fits(&stored, password))
            }
            Kind::Plain => {
                let stored = forms(text.as_bytes());
                stored.iter().any(|stored| password.ct_eq(stored.expose()).into())
            }
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
        let encoding = self.encoding.map_or("", Encoding::suffix);
        Secret::new(format!("{{{}{encoding}}}{}", self.scheme, self.text.expose()))
    }

    /// Whether storing the password as `scheme` would gain nothing, or take something away:
    /// SCRAM's keys stay, as users may log in by them and no hash can take their place.
    pub(crate) fn serves_as(&self, scheme: NewScheme) -> bool {
        let text = self.text.expose();
        match (scheme, self.kind) {
            (NewScheme::Argon2id, Kind::Scram(_)) => true,
            (NewScheme::Argon2id, Kind::Argon2) => {
                text.starts_with("$argon2id$")
                    && crypt::argon2_work(text).is_some_and(|work| work >= ARGON2_WORK_MIN)
            }
            (NewScheme::ScramSha256, Kind::Scram(hash @ ScramHash::Sha256)) => {
                scram::parse(hash, text).is_some_and(|keys| keys.iterations() >= scram::ITERATIONS)
            }
            _ => false,
        }
    }

    /// Whether it was made of all of `password`: bcrypt takes 72 octets and looks at no more, so
    /// what follows them may be anything.
    pub(crate) const fn knows_all_of(&self, password: &[u8]) -> bool {
        !matches!(self.kind, Kind::Bcrypt) || password.len() <= BCRYPT_OCTETS_MAX
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
        let text = self.text.expose();
        // Salt and digest are the last two parts, but bcrypt writes them as one.
        let parts = match self.kind {
            Kind::Plain | Kind::CramMd5 | Kind::Digest { .. } | Kind::Pbkdf2(_) => {
                return self.scheme;
            }
            Kind::Scram(_) => {
                return text.split_once(',').map_or(text, |(iterations, _)| iterations);
            }
            Kind::Scrypt => return crypt::scrypt_cost(text),
            Kind::Bcrypt => 1,
            Kind::Argon2 | Kind::ShaCrypt | Kind::Md5Crypt | Kind::Yescrypt => 2,
        };
        text.rmatch_indices('$').nth(parts - 1).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
    }

    /// What stands in for a user's hash when the database has none to take as a model.
    pub(crate) fn stand_in() -> Self {
        let text = Secret::new(STAND_IN.to_owned());
        Self { kind: Kind::Argon2, scheme: ARGON2ID, encoding: None, text }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}<redacted>", self.scheme)
    }
}

/// OWASP's first choice for argon2id.
const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;
/// All of OWASP's choices ask for this much at least: memory in KiB times passes.
const ARGON2_WORK_MIN: u64 = 35_000;
const SALT_OCTETS: usize = 16;
const BCRYPT_OCTETS_MAX: usize = 72;

/// A hash of new passwords' cost; that it fits a password nobody knows does not matter.
const STAND_IN: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    cmVzdGFudGUtc3RhbmRpbg$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

#[cfg(test)]
mod tests;
