//! The client's messages (RFC 5802 section 7).
//!
//! In: octets. Out: their parts, or nothing when they are not what the grammar says.

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

/// `saslname`: "=2C" is a comma, "=3D" an equals sign, and no other equals sign is allowed; what
/// comes out is prepared. Preparation that fails or leaves nothing is no name.
fn name(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('=');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (unescaped, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, rest) => ('=', rest?),
        };
        plain.push(unescaped);
        plain.push_str(rest);
    }
    prepared_name(&plain)
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
}
