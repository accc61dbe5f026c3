//! SASL as POP3 frames it (RFC 5034): base64 lines, and both sides of the mechanisms.
//!
//! The server's side is an [`Exchange`]. In: the text of a line, or a client's response. Out:
//! octets, or the [`Step`] that comes next: a challenge, a question about the user, a
//! [`Login`](crate::Login) to be checked, a [`Fault`]. The client's side is a [`Supplicant`]. In:
//! an [`Identity`] and the server's challenges. Out: responses, or [`Distrust`].
//! Anything that is not strict base64 is refused, as RFC 5034 section 4 demands: foreign
//! characters, misplaced or missing padding, trailing bits.

mod bearer;
mod digest;
mod distrust;
mod exchange;
mod external;
mod fault;
mod identity;
mod login;
mod mechanism;
mod name;
mod offers;
mod plain;
mod prepared;
pub mod scram;
mod supplicant;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) use bearer::report;
pub(crate) use digest::stamp;
pub use digest::{Digest, apop_answer};
pub use distrust::Distrust;
pub use exchange::{Context, Exchange, Step};
pub use fault::Fault;
pub use identity::{Identity, Link, Unfit};
pub use mechanism::Mechanism;
pub use offers::Offers;
pub use plain::Plain;
pub use prepared::prepare;
pub use supplicant::Supplicant;

use crate::Secret;

/// Decodes one base64 line.
///
/// # Errors
/// [`BadBase64`] for anything a strict encoder would not have written.
pub fn decode(text: &[u8]) -> Result<Secret<Vec<u8>>, BadBase64> {
    STANDARD.decode(text).map(Secret::new).map_err(|_| BadBase64)
}

/// Encodes octets as one base64 line.
#[must_use]
pub fn encode(octets: &[u8]) -> Secret<String> {
    Secret::new(STANDARD.encode(octets))
}

/// The nonce number `count` of a session: HMAC-SHA-256 of the count under the session's seed, so
/// that one random draw serves a whole session. Letters, digits, `-` and `_`.
pub(crate) fn nonce(seed: &Secret<[u8; 32]>, count: u64) -> String {
    // HMAC takes keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(seed.expose());
    let octets = mac.map(|mac| mac.chain_update(count.to_be_bytes()).finalize().into_bytes());
    let octets = octets.unwrap_or_default();
    URL_SAFE_NO_PAD.encode(octets.get(..NONCE_OCTETS).unwrap_or_default())
}

/// A user's name, prepared; nothing when there is none in `name`.
pub(crate) fn prepared_name(name: &str) -> Option<String> {
    let name = prepare(name).filter(|name| (1..=FIELD_OCTETS_MAX).contains(&name.len()));
    name.map(Cow::into_owned)
}

/// Whether `password` is UTF-8 and can be prepared (RFC 6856 section 2.2).
pub(crate) fn is_password(password: &[u8]) -> bool {
    str::from_utf8(password).is_ok_and(|password| prepare(password).is_some())
}

/// A line that is not strict base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid base64")]
pub struct BadBase64;

/// A name or a password in a mechanism's message (RFC 4616 section 2).
const FIELD_OCTETS_MAX: usize = 255;

/// 144 bits: they do not come again, and base64 needs no padding.
const NONCE_OCTETS: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s64_base64_is_strict() {
        for text in ["=AAA", "AAA=BBB", "AAA", "AA A", "AAAA ", "AAA\r", "AB==", "====", "A==="] {
            assert_eq!(decode(text.as_bytes()), Err(BadBase64), "{text:?}");
        }
        assert_eq!(decode(b"AGEAYg==").unwrap().expose(), b"\0a\0b");
        assert_eq!(decode(b"").unwrap().expose(), b"");
    }
}
