//! OAUTHBEARER (RFC 7628) and XOAUTH2 (Google, Microsoft): a token that somebody else vouches for.
//!
//! In: the client's one message, or its parts. Out: a login by that token, or a fault; or the
//! message. A token that is refused
//! is not the end of it: the client is sent a [`report`] first and answers that, with an octet 1,
//! with nothing or with a cancellation, before it is told (RFC 7628 section 3.2.3). Where a
//! message says which host and port it is for, the login does, too; what else it says is passed
//! over.

use super::{FIELD_OCTETS_MAX, Fault, Mechanism, Step, name};
use crate::{Login, Secret};

/// Takes an OAUTHBEARER message: `gs2-header ^A *(key=value ^A) ^A`.
pub(super) fn oauthbearer(message: &[u8]) -> Step {
    step(Mechanism::OauthBearer, || {
        let (header, rest) = std::str::from_utf8(message).ok()?.split_once(SEPARATOR)?;
        let user = match header.strip_prefix(['n', 'y'])?.strip_prefix(',')?.strip_suffix(',')? {
            "" => None,
            given => Some(name::unescape(given.strip_prefix("a=")?)?),
        };
        Some((user, pairs(rest)?))
    })
}

/// Takes an XOAUTH2 message: `user=name ^A auth=Bearer token ^A ^A`.
pub(super) fn xoauth2(message: &[u8]) -> Step {
    step(Mechanism::Xoauth2, || {
        let (user, rest) = std::str::from_utf8(message).ok()?.split_once(SEPARATOR)?;
        Some((Some(user.strip_prefix("user=")?.to_owned()), pairs(rest)?))
    })
}

/// What a client is told of a token that was refused, before the refusal itself.
pub(crate) const fn report(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Xoauth2 => r#"{"status":"401","schemes":"bearer"}"#,
        _ => r#"{"status":"invalid_token"}"#,
    }
}

fn step(mechanism: Mechanism, parse: impl FnOnce() -> Option<(Option<String>, Pairs)>) -> Step {
    match parse() {
        Some((Some(user), _)) if !(1..=FIELD_OCTETS_MAX).contains(&user.len()) => {
            Step::Refused(Fault::Malformed(mechanism))
        }
        Some((user, Pairs { token, host, port })) => {
            Step::Login(Login::Token { user, token, mechanism, host, port })
        }
        None => Step::Refused(Fault::Malformed(mechanism)),
    }
}

/// What `*(key=value ^A) ^A` says.
struct Pairs {
    token: Secret<String>,
    host: Option<String>,
    port: Option<u16>,
}

/// Reads the pairs, in which `auth` is given once, and `host` and `port` once at most.
fn pairs(text: &str) -> Option<Pairs> {
    let text = text.strip_suffix(SEPARATOR)?.strip_suffix(SEPARATOR)?;
    let once = |key: &str| {
        let mut given = text.split(SEPARATOR).filter_map(|pair| pair.strip_prefix(key));
        let first = given.next();
        given.next().is_none().then_some(first)
    };
    let (scheme, token) = once("auth=")??.split_once(' ')?;
    if !is_token(token) || !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let host = once("host=")?.map(str::to_owned);
    let port = match once("port=")? {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    Some(Pairs { token: Secret::new(token.to_owned()), host, port })
}

/// `b64token` (RFC 6750 section 2.1): it cannot end the field it stands in.
pub(super) fn is_token(token: &str) -> bool {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet);
    (1..=TOKEN_OCTETS_MAX).contains(&token.len()) && token.bytes().all(legal)
}

/// Writes a message with a name and a token that hold no separator.
pub(super) fn message(mechanism: Mechanism, user: &str, token: &str) -> Secret<Vec<u8>> {
    let head = match (mechanism, user) {
        (Mechanism::Xoauth2, user) => format!("user={user}"),
        (_, "") => "n,,".to_owned(),
        (_, user) => format!("n,a={},", name::escape(user)),
    };
    let fields = [head.as_str(), "\x01auth=Bearer ", token, "\x01\x01"];
    Secret::new(fields.map(str::as_bytes).concat())
}

const SEPARATOR: char = '\x01';
/// Tokens of large organisations that name all groups of a user.
const TOKEN_OCTETS_MAX: usize = 12 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn given(step: Step) -> Option<(Option<String>, String)> {
        match step {
            Step::Login(Login::Token { user, token, .. }) => Some((user, token.expose().clone())),
            _ => None,
        }
    }

    /// RFC 7628 section 4.1; keys that are not known are passed over.
    #[test]
    fn s73_the_example_of_oauthbearer_is_read() {
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".to_owned();
        assert_eq!(given(oauthbearer(message)), Some((Some("user@example.com".into()), token)));
        let Step::Login(Login::Token { host, port, .. }) = oauthbearer(message) else { panic!() };
        assert_eq!((host.as_deref(), port), (Some("server.example.com"), Some(143)));
        let odd = b"y,a=a=2Cb=3Dc,\x01auth=bEARER t\x01x=y\x01\x01";
        assert_eq!(given(oauthbearer(odd)), Some((Some("a,b=c".into()), "t".into())));
        assert_eq!(given(oauthbearer(b"n,,\x01auth=Bearer t\x01\x01")), Some((None, "t".into())));
    }

    /// The vector of Google's documentation.
    #[test]
    fn s73_the_example_of_xoauth2_is_read() {
        let line = b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52\
            YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==";
        let message = super::super::decode(line).unwrap();
        let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".to_owned();
        let read = given(xoauth2(message.expose()));
        assert_eq!(read, Some((Some("someuser@example.com".into()), token)));
    }

    #[test]
    fn s73_what_is_no_bearer_message_is_refused() {
        let long = format!("n,,\x01auth=Bearer {}\x01\x01", "t".repeat(TOKEN_OCTETS_MAX + 1));
        for message in [
            "",
            "\x01",
            "n,,",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer t\x01",
            "n,,\x01auth=Bearer \x01\x01",
            "n,,\x01auth=Bearer t t\x01\x01",
            "n,,\x01auth=Bearer t\r\x01\x01",
            "n,,\x01auth=MAC t\x01\x01",
            "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
            "n,,\x01host=a\x01host=b\x01auth=Bearer t\x01\x01",
            "n,,\x01port=70000\x01auth=Bearer t\x01\x01",
            "n,,\x01port=\x01auth=Bearer t\x01\x01",
            "n,a=,\x01auth=Bearer t\x01\x01",
            "n,a==2X,\x01auth=Bearer t\x01\x01",
            "n,a=a,b,\x01auth=Bearer t\x01\x01",
            "p=tls-exporter,,\x01auth=Bearer t\x01\x01",
            "user=fred\x01auth=Bearer t\x01\x01",
            &long,
        ] {
            assert_eq!(given(oauthbearer(message.as_bytes())), None, "{message:?}");
        }
        for message in ["", "user=\x01auth=Bearer t\x01\x01", "n,,\x01auth=Bearer t\x01\x01"] {
            assert_eq!(given(xoauth2(message.as_bytes())), None, "{message:?}");
        }
        let name = "u".repeat(FIELD_OCTETS_MAX + 1);
        let message = format!("user={name}\x01auth=Bearer t\x01\x01");
        assert_eq!(given(xoauth2(message.as_bytes())), None);
    }
}
