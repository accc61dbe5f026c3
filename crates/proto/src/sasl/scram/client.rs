//! The client's side: two messages, and the server's proof.
//!
//! ```text
//! Opening --server-first--> client-final, Verdict --server-final--> proved, refused, or not
//! ```

use std::fmt;

use subtle::ConstantTimeEq;

use super::super::{Distrust, Link, Mechanism, Unfit, encode, name, prepare};
use super::keys::{client_key, salted_password, server_key};
use super::message::{ServerFinal, ServerFirst};
use super::{ScramHash, TLS_EXPORTER};
use crate::Secret;

/// The server's first message is awaited.
#[derive(Clone, PartialEq, Eq)]
pub(in super::super) struct Opening {
    hash: ScramHash,
    header: String,
    /// The channel binding, if the mechanism uses it.
    binding: Secret<Vec<u8>>,
    bare: String,
    nonce: String,
    password: Secret<Vec<u8>>,
}

/// The server's proof is awaited.
#[derive(Clone, PartialEq, Eq)]
pub(in super::super) struct Verdict {
    signature: Secret<Vec<u8>>,
}

impl Opening {
    pub(in super::super) fn new(
        mechanism: Mechanism,
        user: &str,
        password: Secret<Vec<u8>>,
        link: Link,
    ) -> Result<Self, Unfit> {
        let (hash, plus) = mechanism.scram().ok_or(Unfit::Kind(mechanism))?;
        let header = match (plus, &link.binding, link.plus_offered) {
            (true, Some(_), _) => format!("p={TLS_EXPORTER},,"),
            (true, None, _) => return Err(Unfit::NoBinding(mechanism)),
            (false, Some(_), false) => "y,,".to_owned(),
            (false, ..) => "n,,".to_owned(),
        };
        let prepared = prepare(user).filter(|name| !name.is_empty()).ok_or(Unfit::Name)?;
        let bare = format!("n={},r={}", name::escape(&prepared), link.nonce);
        let binding = link.binding.filter(|_| plus).unwrap_or_else(|| Secret::new(Vec::new()));
        Ok(Self { hash, header, binding, bare, nonce: link.nonce, password })
    }

    /// `client-first-message`
    pub(in super::super) fn message(&self) -> Secret<Vec<u8>> {
        Secret::new([self.header.as_bytes(), self.bare.as_bytes()].concat())
    }

    /// Takes `server-first-message`, gives `client-final-message`. Takes as long as the server's
    /// iteration count says.
    pub(in super::super) fn respond(
        &self,
        challenge: &[u8],
    ) -> Result<(Secret<Vec<u8>>, Verdict), Distrust> {
        let first = ServerFirst::parse(challenge).ok_or(Distrust::Malformed)?;
        match first.nonce.strip_prefix(&self.nonce) {
            Some(theirs) if !theirs.is_empty() => {}
            _ => return Err(Distrust::Nonce),
        }
        if first.iterations.get() > ITERATIONS_MAX {
            return Err(Distrust::Iterations(first.iterations.get()));
        }
        let channel = Secret::new([self.header.as_bytes(), self.binding.expose()].concat());
        let without_proof = format!("c={},r={}", encode(channel.expose()).expose(), first.nonce);
        let auth_message =
            [self.bare.as_bytes(), b",", challenge, b",", without_proof.as_bytes()].concat();
        let hash = self.hash;
        let salted = salted_password(hash, self.password.expose(), &first.salt, first.iterations);
        let key = client_key(hash, &salted);
        let stored = hash.digest(key.expose());
        let signed = hash.hmac(stored.expose(), &auth_message);
        let proof = key.expose().iter().zip(signed.expose()).map(|(key, signed)| key ^ signed);
        let proof = Secret::new(proof.collect::<Vec<_>>());
        let proof = encode(proof.expose());
        let last = Secret::new([without_proof.as_str(), ",p=", proof.expose()].concat());
        let signature = hash.hmac(server_key(hash, &salted).expose(), &auth_message);
        Ok((Secret::new(last.expose().as_bytes().to_vec()), Verdict { signature }))
    }
}

impl Verdict {
    /// Whether the server knows the user's keys; `Ok(false)` when it says that we do not.
    pub(in super::super) fn check(&self, challenge: &[u8]) -> Result<bool, Distrust> {
        match ServerFinal::parse(challenge).ok_or(Distrust::Malformed)? {
            ServerFinal::Refused => Ok(false),
            ServerFinal::Signature(given) => {
                let right: bool = given.expose().ct_eq(self.signature.expose()).into();
                if right { Ok(true) } else { Err(Distrust::Signature) }
            }
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({:?})", self.hash)
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdict(<redacted>)")
    }
}

/// RFC 5802 section 9: a hostile server could keep us busy for hours. No recommendation for
/// passwords asks for more today.
const ITERATIONS_MAX: u32 = 600_000;
