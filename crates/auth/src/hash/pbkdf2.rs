//! PBKDF2 (RFC 8018 section 5.2) as several programs write it.
//!
//! dovecot  = "$1$" salt "$" rounds "$" digest-in-hexadecimal, the salt as it stands
//! openldap = rounds "$" salt "$" digest, salt and digest in base64 with "." for "+"
//! passlib  = "$pbkdf2" [ "-" function ] "$" openldap; PHC has `i=rounds[,l=octets]` there

use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::digest::{Function, decode, from_hex};
use super::scheme::Encoding;

/// A stored key.
pub(super) struct Pbkdf2 {
    function: Function,
    rounds: u32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn parse(function: Function, text: &str) -> Option<Self> {
        let parts = |text: &str| {
            let mut parts = text.split('$').map(str::to_owned);
            let all = [parts.next()?, parts.next()?, parts.next()?];
            parts.next().is_none().then_some(all)
        };
        let (rounds, salt, key) = if let Some(rest) = text.strip_prefix("$1$") {
            let [salt, rounds, key] = parts(rest)?;
            (rounds, salt.into_bytes(), from_hex(&key)?)
        } else {
            let rest = match text.strip_prefix("$pbkdf2") {
                Some(rest) => rest.split_once('$')?.1,
                None => text,
            };
            let [rounds, salt, key] = parts(rest)?;
            let base64 = |text: String| decode(&text.replace('.', "+"), Encoding::Base64);
            (rounds, base64(salt)?, base64(key)?)
        };
        let rounds = rounds.strip_prefix("i=").unwrap_or(&rounds);
        let rounds = rounds.split_once(",l=").map_or(rounds, |(rounds, _)| rounds);
        let stored = Self { function, rounds: rounds.parse().ok()?, salt, key };
        // A short key is one that many passwords fit.
        let key = KEY_OCTETS_MIN..=KEY_OCTETS_MAX;
        (stored.rounds > 0 && key.contains(&stored.key.len())).then_some(stored)
    }

    pub(super) const fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Whether it is of `password`.
    pub(super) fn fits(&self, password: &[u8]) -> bool {
        let mut key = vec![0; self.key.len()];
        match self.function {
            Function::Sha1 => pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, &mut key),
            Function::Sha256 => pbkdf2_hmac::<Sha256>(password, &self.salt, self.rounds, &mut key),
            Function::Sha512 => pbkdf2_hmac::<Sha512>(password, &self.salt, self.rounds, &mut key),
            Function::Md4(_) | Function::Md5 => return false,
        }
        key.ct_eq(&self.key).into()
    }
}

const KEY_OCTETS_MIN: usize = 16;
const KEY_OCTETS_MAX: usize = 64;
