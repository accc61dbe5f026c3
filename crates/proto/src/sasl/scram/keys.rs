//! What a server keeps of a password, and the arithmetic of proofs (RFC 5802 section 3).

use std::fmt;
use std::num::NonZero;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::prepare;
use crate::Secret;

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// SHA-1 (RFC 5802): for clients that have no other.
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
}

impl ScramHash {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha1];

    /// How long a key is.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub(super) fn digest(self, octets: &[u8]) -> Secret<Vec<u8>> {
        Secret::new(match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        })
    }

    pub(super) fn hmac(self, key: &[u8], message: &[u8]) -> Secret<Vec<u8>> {
        fn run<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
            // HMAC takes keys of any length.
            M::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        }
        Secret::new(match self {
            Self::Sha1 => run::<Hmac<Sha1>>(key, message),
            Self::Sha256 => run::<Hmac<Sha256>>(key, message),
        })
    }
}

/// What a server has to know of a user's password. Whoever steals it can pass for the server, but
/// not for the user.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    hash: ScramHash,
    salt: Vec<u8>,
    iterations: NonZero<u32>,
    stored_key: Secret<Vec<u8>>,
    server_key: Secret<Vec<u8>>,
}

impl ScramKeys {
    /// The keys as they were stored; `None` when they are not as long as the hash wants.
    #[must_use]
    pub fn new(
        hash: ScramHash,
        salt: Vec<u8>,
        iterations: NonZero<u32>,
        stored_key: Secret<Vec<u8>>,
        server_key: Secret<Vec<u8>>,
    ) -> Option<Self> {
        let fit = [&stored_key, &server_key].map(|key| key.expose().len() == hash.octets());
        (fit == [true, true]).then_some(Self { hash, salt, iterations, stored_key, server_key })
    }

    /// The keys of a password. Takes long, on purpose.
    #[must_use]
    pub fn derive(
        hash: ScramHash,
        password: &[u8],
        salt: Vec<u8>,
        iterations: NonZero<u32>,
    ) -> Self {
        let salted = salted_password(hash, password, &salt, iterations);
        let client_key = client_key(hash, &salted);
        let stored_key = hash.digest(client_key.expose());
        let server_key = server_key(hash, &salted);
        Self { hash, salt, iterations, stored_key, server_key }
    }

    /// The hash function the keys are for.
    #[must_use]
    pub const fn hash(&self) -> ScramHash {
        self.hash
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// How often the hash function is run.
    #[must_use]
    pub const fn iterations(&self) -> NonZero<u32> {
        self.iterations
    }

    /// What the client's proof is checked with.
    #[must_use]
    pub const fn stored_key(&self) -> &Secret<Vec<u8>> {
        &self.stored_key
    }

    /// What the server's signature is made with.
    #[must_use]
    pub const fn server_key(&self) -> &Secret<Vec<u8>> {
        &self.server_key
    }

    /// Whether `password` has these keys. Takes long, on purpose.
    #[must_use]
    pub fn fit_password(&self, password: &[u8]) -> bool {
        let derived = Self::derive(self.hash, password, self.salt.clone(), self.iterations);
        derived.stored_key.expose().ct_eq(self.stored_key.expose()).into()
    }

    /// Whether the client that sent `proof` knows the password.
    pub(super) fn are_proven_by(&self, proof: &[u8], auth_message: &[u8]) -> bool {
        let signature = self.hash.hmac(self.stored_key.expose(), auth_message);
        if proof.len() != signature.expose().len() {
            return false;
        }
        let key = proof.iter().zip(signature.expose()).map(|(proof, signed)| proof ^ signed);
        let stored = self.hash.digest(Secret::new(key.collect::<Vec<_>>()).expose());
        stored.expose().ct_eq(self.stored_key.expose()).into()
    }

    /// The server's own proof.
    pub(super) fn signature(&self, auth_message: &[u8]) -> Secret<Vec<u8>> {
        self.hash.hmac(self.server_key.expose(), auth_message)
    }
}

/// `SaltedPassword`, all that the rounds are for.
pub(super) fn salted_password(
    hash: ScramHash,
    password: &[u8],
    salt: &[u8],
    iterations: NonZero<u32>,
) -> Secret<Vec<u8>> {
    // A password that cannot be prepared is used as it is, like Dovecot does.
    let prepared = std::str::from_utf8(password).ok();
    let prepared = prepared.and_then(prepare);
    let prepared = prepared.map(|text| text.into_owned().into_bytes());
    let prepared = Secret::new(prepared.unwrap_or_else(|| password.to_vec()));
    let mut salted = vec![0; hash.octets()];
    let (prepared, rounds) = (prepared.expose(), iterations.get());
    match hash {
        ScramHash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(prepared, salt, rounds, &mut salted),
        ScramHash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(prepared, salt, rounds, &mut salted),
    }
    Secret::new(salted)
}

/// `ClientKey`, which only who knows the password can have.
pub(super) fn client_key(hash: ScramHash, salted: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
    hash.hmac(salted.expose(), b"Client Key")
}

/// `ServerKey`, which the server keeps.
pub(super) fn server_key(hash: ScramHash, salted: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
    hash.hmac(salted.expose(), b"Server Key")
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScramKeys({:?}, {} iterations)", self.hash, self.iterations)
    }
}
