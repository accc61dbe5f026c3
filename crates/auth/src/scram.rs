//! SCRAM keys as a user database has them: stored, made from a stored password, or made up.
//!
//! In: a stored hash, or nothing for a user that has none that SCRAM can use. Out: keys. Who asks
//! cannot tell which of them they got: made-up keys are the same whenever they are asked for, have
//! the iteration count that stored ones have, and cost the same work (RFC 5802 section 9).

use std::fmt;
use std::io;
use std::num::NonZero;

use hmac::{Hmac, KeyInit, Mac};
use restante_proto::Secret;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use restante_proto::sasl::{decode, encode};
use sha2::Sha256;

/// What a stored password gives SCRAM to work with.
#[derive(Debug, Clone)]
pub(crate) enum Material {
    /// Keys for one of the hash functions.
    Keys(ScramKeys),
    /// The password itself.
    Password(Secret<Vec<u8>>),
}

/// Makes salts, and passwords that nobody has. Both follow from the server's secret and the name,
/// so that they come again; who does not have the secret cannot tell them from random ones.
#[derive(Clone)]
pub(crate) struct Maker(Hmac<Sha256>);

impl Maker {
    pub(crate) fn new(secret: &Secret<[u8; 32]>) -> io::Result<Self> {
        Hmac::new_from_slice(secret.expose()).map(Self).map_err(io::Error::other)
    }

    /// The user's keys. Takes long, on purpose, and just as long for `material` that has them.
    pub(crate) fn keys(
        &self,
        user: &str,
        hash: ScramHash,
        iterations: NonZero<u32>,
        material: Option<Material>,
    ) -> ScramKeys {
        let (password, stored) = match material {
            Some(Material::Password(password)) => (password, None),
            Some(Material::Keys(keys)) => (self.make("password", user, hash), Some(keys)),
            None => (self.make("password", user, hash), None),
        };
        let mut salt = self.make("salt", user, hash).expose().clone();
        salt.truncate(SALT_OCTETS);
        let derived = ScramKeys::derive(hash, password.expose(), salt, iterations);
        stored.unwrap_or(derived)
    }

    fn make(&self, what: &str, user: &str, hash: ScramHash) -> Secret<Vec<u8>> {
        let mac = self.0.clone().chain_update(format!("{what} {hash:?} {user}"));
        Secret::new(mac.finalize().into_bytes().to_vec())
    }
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker")
    }
}

/// Reads keys as Dovecot stores them.
///
/// keys = iterations "," salt "," stored-key "," server-key, all but the first in base64
pub(crate) fn parse(hash: ScramHash, text: &str) -> Option<ScramKeys> {
    let mut parts = text.split(',');
    let iterations = parts.next()?.parse().ok()?;
    let mut octets = || decode(parts.next()?.as_bytes()).ok();
    let (salt, stored_key, server_key) = (octets()?, octets()?, octets()?);
    if parts.next().is_some() || salt.expose().is_empty() {
        return None;
    }
    ScramKeys::new(hash, salt.expose().clone(), iterations, stored_key, server_key)
}

/// Writes keys as Dovecot stores them.
pub(crate) fn to_text(keys: &ScramKeys) -> Secret<String> {
    let parts = [keys.salt(), keys.stored_key().expose(), keys.server_key().expose()].map(encode);
    let [salt, stored, server] = parts.each_ref().map(Secret::expose);
    Secret::new(format!("{},{salt},{stored},{server}", keys.iterations()))
}

/// What RFC 7677 asks for at least, and what Dovecot stores.
pub(crate) const ITERATIONS: NonZero<u32> = match NonZero::new(4096) {
    Some(iterations) => iterations,
    None => NonZero::<u32>::MIN,
};
/// As Dovecot's.
pub(crate) const SALT_OCTETS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = "4096,H+chhqP5TuZU4PvKBO/Iwg==,\
        QkvudEIozJNh2kJz+GUQzKUq04EbNVWattgfSbh81Bw=,O8rfxQziL91faRZD2glt082PLg7YCbdeeYunk83jW9Q=";

    #[test]
    fn s75_made_up_keys_come_again_and_look_like_any() {
        let maker = |octet| Maker::new(&Secret::new([octet; 32])).unwrap();
        let keys = |maker: &Maker, user| maker.keys(user, ScramHash::Sha256, ITERATIONS, None);
        let nobody = keys(&maker(1), "nobody");
        assert_eq!(nobody, keys(&maker(1), "nobody"));
        assert_eq!((nobody.salt().len(), nobody.iterations()), (SALT_OCTETS, ITERATIONS));
        for other in [keys(&maker(1), "somebody"), keys(&maker(2), "nobody")] {
            assert_ne!(nobody.salt(), other.salt());
            assert_ne!(nobody.stored_key(), other.stored_key());
        }
        let sha_1 = maker(1).keys("nobody", ScramHash::Sha1, ITERATIONS, None);
        assert_ne!(nobody.salt(), sha_1.salt());
    }

    #[test]
    fn a_users_salt_is_the_one_that_nobody_of_that_name_would_have() {
        let maker = Maker::new(&Secret::new([1; 32])).unwrap();
        let password = Material::Password(Secret::new(b"secret".to_vec()));
        let keys = maker.keys("fred", ScramHash::Sha256, ITERATIONS, Some(password));
        let nobody = maker.keys("fred", ScramHash::Sha256, ITERATIONS, None);
        assert_eq!(keys.salt(), nobody.salt());
        assert!(keys.fit_password(b"secret") && !nobody.fit_password(b"secret"));
        let stored = parse(ScramHash::Sha256, STORED).unwrap();
        let material = Some(Material::Keys(stored.clone()));
        assert_eq!(maker.keys("fred", ScramHash::Sha256, ITERATIONS, material), stored);
    }

    #[test]
    fn stored_keys_are_read_as_they_are_written_or_refused() {
        let keys = parse(ScramHash::Sha256, STORED).unwrap();
        assert_eq!(to_text(&keys).expose(), STORED);
        assert!(parse(ScramHash::Sha1, STORED).is_none(), "the keys are too long for SHA-1");
        for bad in [
            STORED.replacen("4096", "0", 1),
            STORED.replacen("4096", "x", 1),
            STORED.replacen("H+chhqP5TuZU4PvKBO/Iwg==", "", 1),
            STORED.replacen("Iwg==", "Iwg", 1),
            format!("{STORED},"),
            "4096".to_owned(),
        ] {
            assert!(parse(ScramHash::Sha256, &bad).is_none(), "{bad}");
        }
    }
}
