//! The messages (RFC 5802 section 7).
//!
//! In: octets. Out: their parts, or nothing when they are not what the grammar says.

use std::num::NonZero;

use super::super::name::unescape;
use super::super::{decode, prepared_name};
use crate::Secret;

/// What a client says about channel binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// `n`: it has none.
    No,
    /// `y`: it has some, and thinks that the server has none.
    NotOffered,
    /// `p`: it uses the one of this name.
    Used(&'a str),
}

/// `client-first-message = gs2-cbind-flag "," [ "a=" saslname ] "," client-first-message-bare`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    pub(super) flag: Flag<'a>,
    /// Everything in front of `bare`.
    pub(super) header: &'a str,
    pub(super) bare: &'a str,
    pub(super) authorization: Option<String>,
    pub(super) user: String,
    pub(super) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let message = std::str::from_utf8(message).ok()?;
        let (flag, rest) = message.split_once(',')?;
        let (authorization, bare) = rest.split_once(',')?;
        let header = message.strip_suffix(bare)?;
        let flag = match flag {
            "n" => Flag::No,
            "y" => Flag::NotOffered,
            other => Flag::Used(other.strip_prefix("p=").filter(|name| !name.is_empty())?),
        };
        let authorization = match authorization {
            "" => None,
            given => Some(name(given.strip_prefix("a=")?)?),
        };
        // "m=" in front of the name is an extension that must be understood; none is, and a name
        // that does not come first is none either. Extensions behind the nonce may be ignored.
        let mut attributes = bare.split(',');
        let user = name(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| is_nonce(nonce))?;
        if attributes.any(|attribute| attribute.starts_with("m=")) {
            return None;
        }
        Some(Self { flag, header, bare, authorization, user, nonce })
    }
}

/// `client-final-message = "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64`
#[derive(Debug)]
pub(super) struct ClientFinal<'a> {
    pub(super) without_proof: &'a str,
    /// The header of the first message and the channel binding.
    pub(super) channel: Secret<Vec<u8>>,
    pub(super) nonce: &'a str,
    pub(super) proof: Secret<Vec<u8>>,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let message = std::str::from_utf8(message).ok()?;
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let channel = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        if attributes.any(|attribute| attribute.starts_with("m=")) {
            return None;
        }
        Some(Self {
            without_proof,
            channel: decode(channel.as_bytes()).ok()?,
            nonce,
            proof: decode(proof.as_bytes()).ok()?,
        })
    }
}

/// `server-first-message = "r=" nonce "," "s=" base64 "," "i=" posit-number ["," extensions]`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: NonZero<u32>,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        // An extension in front ("m=") must be understood, and none is.
        let mut attributes = std::str::from_utf8(message).ok()?.split(',');
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let salt = attributes.next()?.strip_prefix("s=")?;
        let iterations = attributes.next()?.strip_prefix("i=")?;
        let is_number = iterations.bytes().all(|octet| octet.is_ascii_digit());
        let printable = nonce.bytes().all(|octet| octet.is_ascii_graphic());
        let is_zero = iterations.bytes().all(|octet| octet == b'0');
        if !is_number
            || is_zero
            || !printable
            || attributes.any(|attribute| attribute.starts_with("m="))
        {
            return None;
        }
        Some(Self {
            nonce,
            salt: decode(salt.as_bytes()).ok()?.expose().clone(),
            // More than fits is more than anybody would count to.
            iterations: iterations.parse().unwrap_or(NonZero::<u32>::MAX),
        })
    }
}

/// `server-final-message = ("e=" error / "v=" base64) ["," extensions]`
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerFinal {
    /// What the server signs the exchange with.
    Signature(Secret<Vec<u8>>),
    /// It does not take the proof.
    Refused,
}

impl ServerFinal {
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let first = std::str::from_utf8(message).ok()?.split(',').next()?;
        if first.starts_with("e=") {
            return Some(Self::Refused);
        }
        decode(first.strip_prefix("v=")?.as_bytes()).ok().map(Self::Signature)
    }
}

/// `saslname`: "=2C" is a comma, "=3D" an equals sign, and no other equals sign is allowed; what
/// comes out is prepared. Preparation that fails or leaves nothing is no name.
fn name(escaped: &str) -> Option<String> {
    prepared_name(&unescape(escaped)?)
}

/// `printable = %x21-2B / %x2D-7E`, at least one and not without bound.
fn is_nonce(nonce: &str) -> bool {
    (1..=NONCE_OCTETS_MAX).contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_graphic())
}

/// The reply that repeats it must fit into a line of 512 octets.
const NONCE_OCTETS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s70_names_are_unescaped_and_prepared() {
        for (escaped, plain) in [
            ("user", Some("user")),
            ("a=2Cb=3D", Some("a,b=")),
            ("=3D2C", Some("=2C")),
            ("I\u{ad}X", Some("IX")),
            ("\u{2168}", Some("IX")),
            ("Jo\u{308}rg", Some("J\u{f6}rg")),
            ("a=2cb", None),
            ("a=b", None),
            ("a=", None),
            ("", None),
            ("\u{ad}", None),
            ("a\u{7}", None),
            ("\u{627}1", None),
        ] {
            assert_eq!(name(escaped).as_deref(), plain, "{escaped:?}");
        }
        assert!(name(&"x".repeat(255)).is_some() && name(&"x".repeat(256)).is_none());
    }

    #[test]
    fn s70_first_messages_follow_the_grammar() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=a=2Cb,n=user,r=abc,x=y").unwrap();
        assert_eq!(first.flag, Flag::Used("tls-exporter"));
        assert_eq!((first.header, first.bare), ("p=tls-exporter,a=a=2Cb,", "n=user,r=abc,x=y"));
        assert_eq!(first.authorization.as_deref(), Some("a,b"));
        assert_eq!((first.user.as_str(), first.nonce), ("user", "abc"));
        assert_eq!(ClientFirst::parse(b"y,,n=u,r=a").unwrap().flag, Flag::NotOffered);
        for bad in [
            "",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,r=abc,n=user",
            "n,,n=user,r=",
            "n,,n=user,r=a\u{e4}",
            "n,,n=user,r=a b",
            "n,,m=x,n=user,r=abc",
            "n,,n=user,r=abc,m=x",
            "n,b,n=user,r=abc",
            "n,a=,n=user,r=abc",
            "p=,,n=user,r=abc",
            "p,,n=user,r=abc",
            "N,,n=user,r=abc",
            "x,,n=user,r=abc",
        ] {
            assert_eq!(ClientFirst::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ClientFirst::parse(b"n,,n=\xff,r=abc"), None);
        let nonce = |octets| format!("n,,n=u,r={}", "x".repeat(octets));
        assert!(ClientFirst::parse(nonce(200).as_bytes()).is_some());
        assert!(ClientFirst::parse(nonce(201).as_bytes()).is_none());
    }

    #[test]
    fn s70_final_messages_follow_the_grammar() {
        let last = ClientFinal::parse(b"c=biws,r=abc,x=y,p=AAEC").unwrap();
        assert_eq!(last.without_proof, "c=biws,r=abc,x=y");
        assert_eq!((last.channel.expose().as_slice(), last.nonce), (&b"n,,"[..], "abc"));
        assert_eq!(last.proof.expose(), &[0, 1, 2]);
        for bad in [
            "",
            "c=biws,r=abc",
            "r=abc,c=biws,p=AAEC",
            "c=biws,p=AAEC",
            "c=biw,r=abc,p=AAEC",
            "c=biws,r=abc,p=AAE",
            "c=biws,r=abc,m=x,p=AAEC",
        ] {
            assert!(ClientFinal::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn c17_server_messages_follow_the_grammar() {
        let first = ServerFirst::parse(b"r=abc,s=AAEC,i=4096,x=y").unwrap();
        assert_eq!((first.nonce, first.salt.as_slice()), ("abc", &[0, 1, 2][..]));
        assert_eq!(first.iterations.get(), 4096);
        let huge = ServerFirst::parse(b"r=abc,s=AAEC,i=99999999999").unwrap();
        assert_eq!(huge.iterations, NonZero::<u32>::MAX);
        for bad in [
            "",
            "r=abc",
            "s=AAEC,r=abc,i=1",
            "m=x,r=abc,s=AAEC,i=1",
            "r=abc,s=AAEC,i=1,m=x",
            "r=abc,s=AAE,i=1",
            "r=abc,s=AAEC,i=+1",
            "r=abc,s=AAEC,i=-1",
            "r=a c,s=AAEC,i=1",
        ] {
            assert_eq!(ServerFirst::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ServerFinal::parse(b"e=other-error"), Some(ServerFinal::Refused));
        let signature = ServerFinal::Signature(Secret::new(vec![0, 1, 2]));
        assert_eq!(ServerFinal::parse(b"v=AAEC,x=y"), Some(signature));
        for bad in ["", "v=", "v=AAE", "x=y"] {
            let read = ServerFinal::parse(bad.as_bytes());
            let empty = ServerFinal::Signature(Secret::new(vec![]));
            assert!(read.is_none() || read == Some(empty), "{bad}");
        }
    }
}
