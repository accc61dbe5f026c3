//! Plain and salted digests: `{SHA256}`, `{SSHA}`, `{PLAIN-MD5}` and their like.
//!
//! raw = digest [ salt ]; in hexadecimal or base64. They cost next to nothing to guess from; they
//! are taken so that users can move, and `login.rehash` replaces them.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md4::Md4;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::scheme::Encoding;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Md4(Text),
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// What of a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// Its octets.
    Octets,
    /// Its letters in UTF-16, low octet first, as Windows does.
    Utf16,
}

impl Function {
    /// Octets of its digest.
    pub(super) const fn octets(self) -> usize {
        match self {
            Self::Md4(_) | Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn digest(self, password: &[u8], salt: &[u8]) -> Option<Vec<u8>> {
        fn of<D: Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
            D::new().chain_update(password).chain_update(salt).finalize().to_vec()
        }
        Some(match self {
            Self::Md4(Text::Octets) => of::<Md4>(password, salt),
            Self::Md4(Text::Utf16) => {
                let letters = std::str::from_utf8(password).ok()?;
                let wide: Vec<u8> = letters.encode_utf16().flat_map(u16::to_le_bytes).collect();
                of::<Md4>(&wide, salt)
            }
            Self::Md5 => of::<Md5>(password, salt),
            Self::Sha1 => of::<Sha1>(password, salt),
            Self::Sha256 => of::<Sha256>(password, salt),
            Self::Sha512 => of::<Sha512>(password, salt),
        })
    }
}

/// A stored digest.
pub(super) struct Digested {
    function: Function,
    raw: Vec<u8>,
}

impl Digested {
    /// Reads one. Where no encoding is named, plain digests of the right length are hexadecimal
    /// and all else is base64, as Dovecot guesses.
    pub(super) fn parse(
        function: Function,
        salted: bool,
        text: &str,
        encoding: Option<Encoding>,
    ) -> Option<Self> {
        let digits = 2 * function.octets();
        let guessed =
            if !salted && text.len() == digits { Encoding::Hex } else { Encoding::Base64 };
        let raw = decode(text, encoding.unwrap_or(guessed))?;
        let fits = if salted {
            (function.octets() + 1..=function.octets() + SALT_OCTETS_MAX).contains(&raw.len())
        } else {
            raw.len() == function.octets()
        };
        fits.then_some(Self { function, raw })
    }

    /// Whether it is of `password`.
    pub(super) fn fits(&self, password: &[u8]) -> bool {
        let Some((stored, salt)) = self.raw.split_at_checked(self.function.octets()) else {
            return false;
        };
        let digest = self.function.digest(password, salt);
        digest.is_some_and(|digest| digest.ct_eq(stored).into())
    }
}

/// The octets that `text` stands for.
pub(super) fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => BASE64.decode(text).ok(),
        Encoding::Hex => from_hex(text),
    }
}

/// The octets that hexadecimal digits stand for.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let octet = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(octet).collect()
}

/// Some programs leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Programs use 4 to 16.
const SALT_OCTETS_MAX: usize = 64;
