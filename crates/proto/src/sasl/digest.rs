//! CRAM-MD5 (RFC 2195) and APOP (RFC 1939 section 7): an MD5 over a challenge and the password.
//!
//! In: the challenge and what the client answers. Out: a [`Digest`], which says of a password
//! whether it fits; for a client, the answer. Both ask for passwords stored in clear, and who overhears one answer can try
//! passwords at home: they are for clients that have nothing better.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;

use super::{FIELD_OCTETS_MAX, Fault, Mechanism, Step, prepared_name};
use crate::{Login, Secret};

/// A client's answer to a challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    kind: Kind,
    challenge: String,
    /// Lower-case hexadecimal, as both RFCs have it.
    answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CramMd5,
    Apop,
}

impl Digest {
    /// The answer to the stamp of a greeting.
    #[must_use]
    pub fn apop(stamp: &str, answer: &[u8]) -> Self {
        Self { kind: Kind::Apop, challenge: stamp.to_owned(), answer: answer.to_vec() }
    }

    /// The answer to a challenge of CRAM-MD5.
    #[must_use]
    pub fn cram_md5(challenge: &str, answer: &[u8]) -> Self {
        Self { kind: Kind::CramMd5, challenge: challenge.to_owned(), answer: answer.to_vec() }
    }

    /// Whether the client knows `password`.
    #[must_use]
    pub fn fits(&self, password: &[u8]) -> bool {
        self.kind.answer(&self.challenge, password).ct_eq(&self.answer).into()
    }
}

impl Kind {
    fn answer(self, challenge: &str, password: &[u8]) -> Vec<u8> {
        let challenge = challenge.as_bytes();
        let answer: [u8; 16] = match self {
            Self::Apop => {
                Md5::new().chain_update(challenge).chain_update(password).finalize().into()
            }
            Self::CramMd5 => Hmac::<Md5>::new_from_slice(password)
                .map(|mac| mac.chain_update(challenge).finalize().into_bytes().into())
                // HMAC takes keys of any length.
                .unwrap_or_default(),
        };
        let digits = answer.iter().flat_map(|octet| [octet >> 4, octet & 15]);
        digits.filter_map(|digit| HEX_DIGITS.get(usize::from(digit)).copied()).collect()
    }
}

/// What a client that knows `password` answers to the stamp of a greeting, for `APOP`.
#[must_use]
pub fn apop_answer(stamp: &str, password: &[u8]) -> Vec<u8> {
    Kind::Apop.answer(stamp, password)
}

/// What a client answers to a challenge of CRAM-MD5.
pub(super) fn cram_md5_response(challenge: &str, user: &str, password: &[u8]) -> Secret<Vec<u8>> {
    let answer = Kind::CramMd5.answer(challenge, password);
    Secret::new([user.as_bytes(), b" ", &answer].concat())
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:?})", self.kind)
    }
}

/// A challenge or stamp: `msg-id` (RFC 822), which keeps clients safe from servers that look for
/// collisions.
pub(crate) fn stamp(nonce: &str) -> String {
    format!("<{nonce}@restante>")
}

/// Takes the response to a challenge: `user SP digest`; the user may have spaces.
pub(super) fn respond(challenge: &str, response: &[u8]) -> Step {
    let fields = std::str::from_utf8(response).ok().and_then(|text| text.rsplit_once(' '));
    match fields {
        Some((user, answer)) if (1..=FIELD_OCTETS_MAX).contains(&user.len()) => {
            let Some(user) = prepared_name(user) else { return Step::Refused(Fault::Name) };
            let digest = Digest::cram_md5(challenge, answer.as_bytes());
            Step::Login(Login::Digest { user, digest })
        }
        _ => Step::Refused(Fault::Malformed(Mechanism::CramMd5)),
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1939 section 7.
    #[test]
    fn s33_the_vector_of_apop_fits() {
        let stamp = "<1896.697170952@dbc.mtview.ca.us>";
        let digest = Digest::apop(stamp, b"c4c9334bac560ecc979e58001b3e22fb");
        assert!(digest.fits(b"tanstaaf"));
        assert!(!digest.fits(b"tanstaa") && !digest.fits(b""));
        assert_eq!(apop_answer(stamp, b"tanstaaf"), b"c4c9334bac560ecc979e58001b3e22fb");
        let upper = Digest::apop(stamp, b"C4C9334BAC560ECC979E58001B3E22FB");
        assert!(!upper.fits(b"tanstaaf"));
    }

    /// RFC 2195 section 2.
    #[test]
    fn s74_the_vector_of_cram_md5_fits() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let step = respond(challenge, b"tim b913a602c7eda7a495b4e6e7334d3890");
        let Step::Login(Login::Digest { user, digest }) = step else { panic!("{step:?}") };
        assert_eq!(user, "tim");
        assert!(digest.fits(b"tanstaaftanstaaf"));
        assert!(!digest.fits(b"tanstaaftanstaaF") && !digest.fits(b""));
        assert_eq!(format!("{digest:?}"), "Digest(CramMd5)");
    }

    #[test]
    fn s74_the_user_ends_at_the_last_space() {
        let step = respond("<x@y>", b"two words  0123");
        let Step::Login(login) = step else { panic!("{step:?}") };
        assert_eq!(login.user(), "two words ");
        for bad in [&b""[..], b"tim", b" 0123", b"t\xff 0123"] {
            assert!(matches!(respond("<x@y>", bad), Step::Refused(_)), "{bad:?}");
        }
    }
}
