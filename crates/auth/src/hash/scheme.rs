//! The schemes by name and by prefix: what is known, what is known and left out, and why.
//!
//! scheme = name [ "." encoding ]; encoding = "HEX" / "B64" / "BASE64", as in Dovecot

use restante_proto::sasl::scram::ScramHash;

use super::digest::{Digested, Function, Text};
use super::pbkdf2::Pbkdf2;
use super::{cram, crypt, limits};
use crate::scram;

/// How a password is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Argon2,
    Bcrypt,
    ShaCrypt,
    Md5Crypt,
    Yescrypt,
    Scrypt,
    Pbkdf2(Function),
    Scram(ScramHash),
    Digest { function: Function, salted: bool },
    CramMd5,
    Plain,
}

/// How the octets of a hash are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Hex,
    Base64,
}

impl Encoding {
    /// As it stands behind a scheme.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Hex => ".HEX",
            Self::Base64 => ".B64",
        }
    }
}

impl Kind {
    /// Whether checking `text` costs no more than a server can bear; nothing when it is not a
    /// hash of this kind.
    pub(super) fn is_bearable(self, text: &str, encoding: Option<Encoding>) -> Option<bool> {
        match self {
            Self::Argon2 => crypt::argon2_is_bearable(text),
            Self::Bcrypt => {
                let parts: bcrypt::HashParts = text.parse().ok()?;
                Some(parts.get_cost() <= limits::BCRYPT_COST_MAX)
            }
            Self::ShaCrypt => {
                crypt::sha_crypt_rounds(text).map(|rounds| rounds <= limits::ROUNDS_MAX)
            }
            Self::Md5Crypt => crypt::md5_crypt_parts(text).map(|_| true),
            Self::Yescrypt => crypt::yescrypt_is_bearable(text),
            Self::Scrypt => crypt::scrypt_is_bearable(text),
            Self::Pbkdf2(function) => {
                Pbkdf2::parse(function, text).map(|stored| stored.rounds() <= limits::ROUNDS_MAX)
            }
            Self::Scram(hash) => {
                let keys = scram::parse(hash, text)?;
                Some(keys.iterations().get() <= limits::ROUNDS_MAX)
            }
            Self::Digest { function, salted } => {
                Digested::parse(function, salted, text, encoding).map(|_| true)
            }
            Self::CramMd5 => cram::parse(text, encoding).map(|_| true),
            // An empty stored password would let everybody in.
            Self::Plain => (!text.is_empty()).then_some(true),
        }
    }

    /// Whether the hash is octets that can be written in more than one way.
    pub(super) const fn is_octets(self) -> bool {
        matches!(self, Self::Digest { .. } | Self::CramMd5)
    }
}

/// What the name in front of a hash says.
pub(super) enum Named {
    /// This kind, under its own name.
    Kind(&'static str, Kind),
    /// No more than the hash's prefix does.
    ByPrefix,
}

/// Looks a name up, without its encoding.
pub(super) fn named(name: &str) -> Result<Named, BadHash> {
    if let Some((name, kind)) = SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Ok(kind.map_or(Named::ByPrefix, |kind| Named::Kind(name, kind)));
    }
    let left_out = LEFT_OUT.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    match left_out {
        Some(&(name, why)) => Err(BadHash::LeftOut(name, why)),
        None => Err(BadHash::Unknown),
    }
}

/// A scheme's name and how its hash is written.
pub(super) fn split(scheme: &str) -> Result<(&str, Option<Encoding>), BadHash> {
    let Some((name, encoding)) = scheme.split_once('.') else { return Ok((scheme, None)) };
    let encoding = match encoding.to_ascii_uppercase().as_str() {
        "HEX" => Encoding::Hex,
        "B64" | "BASE64" => Encoding::Base64,
        _ => return Err(BadHash::Unknown),
    };
    Ok((name, Some(encoding)))
}

/// The scheme a hash's own prefix names.
pub(super) fn by_prefix(text: &str) -> Result<(&'static str, Kind), BadHash> {
    let prefix = |&&(prefix, ..): &&(&str, _, _)| text.starts_with(prefix);
    if let Some(&(_, scheme, kind)) = PREFIXES.iter().find(prefix) {
        return Ok((scheme, kind));
    }
    let is_des = text.len() == DES_LETTERS && crypt::is_letters(text);
    match text {
        _ if is_des => Err(BadHash::LeftOut(DES_CRYPT, DES_WHY)),
        _ if text.starts_with("$gy$") => Err(BadHash::LeftOut("GOST-YESCRYPT", NO_LIBRARY)),
        _ => Err(BadHash::Unknown),
    }
}

/// A stored password that cannot be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHash {
    /// Its scheme is none of those known.
    #[error(
        "unknown password scheme; known are ARGON2ID, ARGON2I, BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, MD5-CRYPT, YESCRYPT, SCRYPT, CRYPT, PBKDF2, SCRAM-SHA-256, SCRAM-SHA-1, SSHA512, SSHA256, SSHA, SMD5, SHA512, SHA256, SHA, PLAIN-MD5, LDAP-MD5, MD5, PLAIN-MD4, NTLM, CRAM-MD5 and PLAIN"
    )]
    Unknown,
    /// Its scheme is known and cannot be checked.
    #[error("{0} passwords cannot be checked: {1}")]
    LeftOut(&'static str, &'static str),
    /// It is not what its scheme says.
    #[error("not a {0} hash")]
    Malformed(&'static str),
    /// Checking it would take more memory or time than a server can spend on a login.
    #[error("a {0} hash that costs too much to check")]
    TooCostly(&'static str),
}

pub(super) const ARGON2ID: &str = "ARGON2ID";
pub(super) const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
const ARGON2I: &str = "ARGON2I";
const BLF_CRYPT: &str = "BLF-CRYPT";
const SHA512_CRYPT: &str = "SHA512-CRYPT";
const SHA256_CRYPT: &str = "SHA256-CRYPT";
const MD5_CRYPT: &str = "MD5-CRYPT";
const YESCRYPT: &str = "YESCRYPT";
const SCRYPT: &str = "SCRYPT";
const DES_CRYPT: &str = "DES-CRYPT";

const DES_WHY: &str = "it knows eight letters of a password, and no maintained library has it";
const NO_LIBRARY: &str = "no library has it";

const fn plain(function: Function) -> Option<Kind> {
    Some(Kind::Digest { function, salted: false })
}

const fn salted(function: Function) -> Option<Kind> {
    Some(Kind::Digest { function, salted: true })
}

/// The names in front of a hash; some leave it to the prefix.
const SCHEMES: [(&str, Option<Kind>); 36] = [
    (ARGON2ID, Some(Kind::Argon2)),
    (ARGON2I, Some(Kind::Argon2)),
    (BLF_CRYPT, Some(Kind::Bcrypt)),
    (SHA512_CRYPT, Some(Kind::ShaCrypt)),
    (SHA256_CRYPT, Some(Kind::ShaCrypt)),
    (MD5_CRYPT, Some(Kind::Md5Crypt)),
    (YESCRYPT, Some(Kind::Yescrypt)),
    (SCRYPT, Some(Kind::Scrypt)),
    (SCRAM_SHA_256, Some(Kind::Scram(ScramHash::Sha256))),
    ("SCRAM-SHA-1", Some(Kind::Scram(ScramHash::Sha1))),
    ("PBKDF2", Some(Kind::Pbkdf2(Function::Sha1))),
    ("PBKDF2-SHA1", Some(Kind::Pbkdf2(Function::Sha1))),
    ("PBKDF2-SHA256", Some(Kind::Pbkdf2(Function::Sha256))),
    ("PBKDF2-SHA512", Some(Kind::Pbkdf2(Function::Sha512))),
    ("SHA", plain(Function::Sha1)),
    ("SHA1", plain(Function::Sha1)),
    ("SHA256", plain(Function::Sha256)),
    ("SHA512", plain(Function::Sha512)),
    ("SSHA", salted(Function::Sha1)),
    ("SSHA256", salted(Function::Sha256)),
    ("SSHA512", salted(Function::Sha512)),
    ("SMD5", salted(Function::Md5)),
    ("PLAIN-MD5", plain(Function::Md5)),
    ("LDAP-MD5", plain(Function::Md5)),
    ("PLAIN-MD4", plain(Function::Md4(Text::Octets))),
    ("NTLM", plain(Function::Md4(Text::Utf16))),
    ("NT", plain(Function::Md4(Text::Utf16))),
    ("CRAM-MD5", Some(Kind::CramMd5)),
    ("HMAC-MD5", Some(Kind::CramMd5)),
    ("PLAIN", Some(Kind::Plain)),
    ("CLEARTEXT", Some(Kind::Plain)),
    ("CLEAR", Some(Kind::Plain)),
    ("CRYPT", None),
    // Either MD5-CRYPT or a digest, see `Hash::parse`.
    ("MD5", plain(Function::Md5)),
    // As OpenLDAP's modules call them; the hash begins with its own prefix.
    ("ARGON2", None),
    ("BCRYPT", None),
];

/// What the hashes themselves begin with.
const PREFIXES: [(&str, &str, Kind); 12] = [
    ("$argon2id$", ARGON2ID, Kind::Argon2),
    ("$argon2i$", ARGON2I, Kind::Argon2),
    ("$2", BLF_CRYPT, Kind::Bcrypt),
    ("$6$", SHA512_CRYPT, Kind::ShaCrypt),
    ("$5$", SHA256_CRYPT, Kind::ShaCrypt),
    ("$1$", MD5_CRYPT, Kind::Md5Crypt),
    ("$y$", YESCRYPT, Kind::Yescrypt),
    ("$7$", SCRYPT, Kind::Scrypt),
    ("$pbkdf2-sha512$", "PBKDF2-SHA512", Kind::Pbkdf2(Function::Sha512)),
    ("$pbkdf2-sha256$", "PBKDF2-SHA256", Kind::Pbkdf2(Function::Sha256)),
    ("$pbkdf2-sha1$", "PBKDF2-SHA1", Kind::Pbkdf2(Function::Sha1)),
    ("$pbkdf2$", "PBKDF2-SHA1", Kind::Pbkdf2(Function::Sha1)),
];

/// Known, and not checked.
const LEFT_OUT: [(&str, &str); 8] = [
    (DES_CRYPT, DES_WHY),
    ("DIGEST-MD5", "it is of a name and a realm, too"),
    ("PLAIN-TRUNC", "it is a part of a password"),
    ("OTP", "it fits one login"),
    ("SKEY", "it fits one login"),
    ("RPA", "nothing speaks it any more"),
    ("LANMAN", "it knows fourteen letters of a password, all of them small"),
    ("GOST-YESCRYPT", NO_LIBRARY),
];

/// A hash of crypt(3) from before there were prefixes.
const DES_LETTERS: usize = 13;
