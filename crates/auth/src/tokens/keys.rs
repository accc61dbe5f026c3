//! The public keys of an issuer of tokens: a JWKS (RFC 7517) as a value.
//!
//! In: the file's octets. Out: the keys that can check RS256, ES256 and EdDSA; others are left
//! out. Each key checks its one algorithm, whatever a token says of itself (RFC 8725 section 3.1).

use std::io;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

/// A key and the algorithm it is for.
pub(crate) struct Key {
    id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

impl Keys {
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when this is no JWKS, or has no key that can be used.
    pub(crate) fn parse(contents: &[u8]) -> io::Result<Self> {
        let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
        let set: JwkSet = serde_json::from_slice(contents)
            .map_err(|error| invalid(format!("not a JWKS: {error}")))?;
        let keys: Vec<_> = set.keys.iter().take(KEYS_MAX).filter_map(Key::new).collect();
        if keys.is_empty() {
            return Err(invalid("no key for RS256, ES256 or EdDSA".to_owned()));
        }
        Ok(Self(keys))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The keys a token may be signed with that names the key `id`, or none.
    pub(crate) fn named<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.0.iter().filter(move |key| id.is_none() || key.id.as_deref() == id)
    }
}

impl Key {
    fn new(jwk: &Jwk) -> Option<Self> {
        let (algorithm, name) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            _ => return None,
        };
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let fits = common.key_algorithm.is_none_or(|given| given == name);
        let key = DecodingKey::from_jwk(jwk).ok().filter(|_| signs && fits)?;
        Some(Self { id: common.key_id.clone(), algorithm, key })
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.algorithm)
    }
}

/// Issuers have two or three; a token that names none is tried with each.
const KEYS_MAX: usize = 32;
