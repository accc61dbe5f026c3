//! `{CRAM-MD5}`: the two states HMAC-MD5 has after the key, outer and inner, in hexadecimal
//! unless the field says otherwise.
//!
//! Whoever has them can answer CRAM-MD5's challenges, but not type the password (RFC 2195
//! section 3 calls them the context). A password that is sent is compared with them.

use md5::block_api::compress;
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;

use super::digest::decode;
use super::scheme::Encoding;

/// The pair of states that `text` is.
pub(super) fn parse(text: &str, encoding: Option<Encoding>) -> Option<Vec<u8>> {
    let octets = decode(text, encoding.unwrap_or(Encoding::Hex))?;
    (octets.len() == 2 * STATE_OCTETS).then_some(octets)
}

/// Whether a pair of states is of `password`.
pub(super) fn fits(stored: &[u8], password: &[u8]) -> bool {
    let mut key = [0; BLOCK_OCTETS];
    let hashed: [u8; 16];
    let short = if password.len() > BLOCK_OCTETS {
        hashed = Md5::digest(password).into();
        &hashed[..]
    } else {
        password
    };
    for (place, octet) in key.iter_mut().zip(short) {
        *place = *octet;
    }
    let context = [OUTER, INNER].map(|pad| state(key.map(|octet| octet ^ pad))).concat();
    context.ct_eq(stored).into()
}

/// The state of MD5 after one block, low octets first.
fn state(block: [u8; BLOCK_OCTETS]) -> [u8; STATE_OCTETS] {
    let mut words = START;
    compress(&mut words, &[block]);
    let mut octets = [0; STATE_OCTETS];
    for (place, octet) in octets.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())) {
        *place = octet;
    }
    octets
}

const BLOCK_OCTETS: usize = 64;
const STATE_OCTETS: usize = 16;
/// RFC 2104 section 2.
const OUTER: u8 = 0x5c;
const INNER: u8 = 0x36;
/// RFC 1321 section 3.3.
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
