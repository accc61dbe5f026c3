//! The hashes of crypt(3) and of the password hashing competition: what they cost, and those that
//! no library compares.
//!
//! In: the text of a hash, from its `$` on. Out: what it asks for; nothing when it is none.

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;
use yescrypt::Mode;

use super::limits;

/// Whether an argon2 hash can be checked.
pub(super) fn argon2_is_bearable(text: &str) -> Option<bool> {
    let hash = PasswordHash::new(text).ok().filter(|hash| hash.hash.is_some())?;
    let params = Params::try_from(&hash).ok()?;
    let bearable = u64::from(params.m_cost()) <= limits::MEMORY_KIB_MAX
        && params.t_cost() <= limits::ARGON2_PASSES_MAX
        && params.p_cost() <= limits::LANES_MAX;
    text.starts_with("$argon2").then_some(bearable)
}

/// An argon2 hash's memory (KiB) times its passes: what guessing costs.
pub(super) fn argon2_work(text: &str) -> Option<u64> {
    let params = Params::try_from(&PasswordHash::new(text).ok()?).ok()?;
    Some(u64::from(params.m_cost()) * u64::from(params.t_cost()))
}

/// `hash = ( "$5$" / "$6$" ) [ "rounds=" number "$" ] salt "$" digest`
pub(super) fn sha_crypt_rounds(text: &str) -> Option<u32> {
    let (rest, digest_letters) = match (text.strip_prefix("$5$"), text.strip_prefix("$6$")) {
        (Some(rest), _) => (rest, 43),
        (_, rest) => (rest?, 86),
    };
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => rest.split_once('$').and_then(|(n, rest)| Some((n.parse().ok()?, rest)))?,
        None => (sha_crypt::Params::RECOMMENDED_ROUNDS, rest),
    };
    let (salt, digest) = rest.split_once('$')?;
    let is_hash = rounds >= sha_crypt::Params::ROUNDS_MIN
        && !salt.is_empty()
        && digest.len() == digest_letters
        && is_letters(digest);
    is_hash.then_some(rounds)
}

/// `hash = "$y$" parameters "$" salt "$" digest`
pub(super) fn yescrypt_is_bearable(text: &str) -> Option<bool> {
    let mut parts = text.strip_prefix("$y$")?.split('$');
    let (parameters, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hash = parts.next().is_none()
        && parameters.len() <= YESCRYPT_PARAMETERS_MAX
        && is_letters(parameters)
        && is_letters(salt)
        && salt.len() <= CRYPT_SALT_LETTERS_MAX
        && digest.len() == DIGEST_LETTERS
        && is_letters(digest);
    let params: yescrypt::Params = is_hash.then(|| parameters.parse().ok())??;
    let (n, r, p) = (params.n(), params.r(), params.p());
    // What has a read-only memory, more time or an upgrade is none of these; crypt(3) makes none.
    let is_usual = [Mode::Classic, Mode::Worm, Mode::Rw]
        .iter()
        .any(|mode| yescrypt::Params::new(*mode, n, r, p) == Ok(params));
    Some(is_usual && scrypt_memory_is_bearable(n, r, p))
}

/// `hash = "$7$" N r p salt "$" digest`: a letter for the logarithm of N, five each for r and p.
pub(super) fn scrypt_is_bearable(text: &str) -> Option<bool> {
    let (head, digest) = text.strip_prefix("$7$")?.split_once('$')?;
    let is_hash = is_letters(head) && digest.len() == DIGEST_LETTERS && is_letters(digest);
    let (parameters, salt) = head.split_at_checked(SCRYPT_PARAMETERS)?;
    let number = |letters: &str| {
        letters.bytes().rev().try_fold(0_u32, |number, letter| {
            number.checked_mul(64)?.checked_add(letter_value(letter)?)
        })
    };
    let (log_n, rest) = parameters.split_at_checked(1)?;
    let (r, p) = rest.split_at_checked(5)?;
    let (log_n, r, p) = (number(log_n)?, number(r)?, number(p)?);
    let n = 1_u64.checked_shl(log_n)?;
    let is_hash = is_hash && !salt.is_empty() && log_n > 0 && r > 0 && p > 0;
    is_hash.then(|| scrypt_memory_is_bearable(n, r, p))
}

/// What stands before the salt of a `$7$` hash.
pub(super) fn scrypt_cost(text: &str) -> &str {
    text.get(.."$7$".len() + SCRYPT_PARAMETERS).unwrap_or(text)
}

/// 128 octets times N times r, p times over.
fn scrypt_memory_is_bearable(n: u64, r: u32, p: u32) -> bool {
    let kib = n.saturating_mul(u64::from(r)) / 8;
    kib.saturating_mul(u64::from(p)) <= limits::MEMORY_KIB_MAX
}

/// Salt and digest of `hash = "$1$" salt "$" digest`.
pub(super) fn md5_crypt_parts(text: &str) -> Option<(&str, &str)> {
    let (salt, digest) = text.strip_prefix("$1$")?.split_once('$')?;
    let is_hash =
        salt.len() <= MD5_SALT_LETTERS_MAX && digest.len() == MD5_LETTERS && is_letters(digest);
    is_hash.then_some((salt, digest))
}

/// Whether a `$1$` hash is of `password`.
pub(super) fn md5_crypt_fits(text: &str, password: &[u8]) -> bool {
    md5_crypt_parts(text).is_some_and(|(salt, digest)| {
        md5_crypt(password, salt.as_bytes()).as_bytes().ct_eq(digest.as_bytes()).into()
    })
}

/// Poul-Henning Kamp's md5crypt (FreeBSD 2.0, 1994), as glibc's `md5-crypt.c` writes it down.
fn md5_crypt(password: &[u8], salt: &[u8]) -> String {
    let twice: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut first = Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    let repeated: Vec<u8> = twice.iter().copied().cycle().take(password.len()).collect();
    first.update(repeated);
    // One octet for each bit of the length: NUL, or the password's first.
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { b"\0" } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut digest: [u8; 16] = first.finalize().into();
    for round in 0..MD5_CRYPT_ROUNDS {
        let odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if odd { password } else { &digest });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { &digest[..] } else { password });
        digest = next.finalize().into();
    }
    let [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15] =
        digest.map(u32::from);
    let groups = [
        (d0 << 16 | d6 << 8 | d12, 4),
        (d1 << 16 | d7 << 8 | d13, 4),
        (d2 << 16 | d8 << 8 | d14, 4),
        (d3 << 16 | d9 << 8 | d15, 4),
        (d4 << 16 | d10 << 8 | d5, 4),
        (d11, 2),
    ];
    let letters = groups.iter().flat_map(|&(number, count)| {
        (0..count).map(move |place| (number >> (6 * place)) as usize & 63)
    });
    letters.filter_map(|value| LETTERS.get(value).copied().map(char::from)).collect()
}

/// Whether all of it is letters of crypt(3)'s alphabet.
pub(super) fn is_letters(text: &str) -> bool {
    text.bytes().all(|octet| LETTERS.contains(&octet))
}

fn letter_value(letter: u8) -> Option<u32> {
    let place = LETTERS.iter().position(|&known| known == letter)?;
    u32::try_from(place).ok()
}

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const MD5_CRYPT_ROUNDS: u32 = 1000;
const MD5_LETTERS: usize = 22;
const MD5_SALT_LETTERS_MAX: usize = 8;
/// 32 octets.
const DIGEST_LETTERS: usize = 43;
/// 64 octets, the most that crypt(3) takes.
const CRYPT_SALT_LETTERS_MAX: usize = 86;
/// A flavour and seven numbers.
const YESCRYPT_PARAMETERS_MAX: usize = 8 * 6;
const SCRYPT_PARAMETERS: usize = 1 + 5 + 5;
