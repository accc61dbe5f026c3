//! What the claims of a token must say (RFC 7519 section 4.1, RFC 7662 section 2.2).
//!
//! In: claims that are known to be the issuer's, and the time. Out: the user they are for, or the
//! [`Fault`] they have. A claim that is wanted and not there is a fault.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::Issuer;

/// Why a token is not good. For the log; the client is told nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Another kind of token than is looked for.
    #[error("it is no signed token (JWT)")]
    Malformed,
    /// It has an extension that must be understood.
    #[error("it has a critical extension that is not known here")]
    Critical,
    /// The issuer has no such key.
    #[error("it names a key that the issuer does not have")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the issuer did not sign it")]
    Signature,
    /// The issuer says no (RFC 7662).
    #[error("the issuer says it is not active")]
    Inactive,
    /// `iss`.
    #[error("it is of another issuer (iss)")]
    Issuer,
    /// `aud`.
    #[error("it is for somebody else (aud)")]
    Audience,
    /// `exp`.
    #[error("it has expired (exp)")]
    Expired,
    /// `nbf`.
    #[error("it is not good yet (nbf)")]
    TooEarly,
    /// The claim that has the user's name.
    #[error("it does not name a user")]
    NoUser,
    /// `email_verified`.
    #[error("the issuer has not verified its mail address (email_verified)")]
    Unverified,
    /// The client gave another name.
    #[error("it is another user's")]
    OtherUser,
    /// The client meant another host or port.
    #[error("the client sent it to another host or port")]
    Place,
    /// The user database does not have the user.
    #[error("its user is not in the user database")]
    NoSuchUser,
    /// The user database says so.
    #[error("its user may not log in")]
    Barred,
}

impl Issuer {
    /// Whom the claims are for.
    pub(super) fn user_in(
        &self,
        claims: &Map<String, Value>,
        now: SystemTime,
    ) -> Result<String, Fault> {
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        if self.issuer.is_some() && text("iss") != self.issuer.as_deref() {
            return Err(Fault::Issuer);
        }
        let is_for = |wanted: &str| match claims.get("aud") {
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
            _ => false,
        };
        if self.audience.as_deref().is_some_and(|wanted| !is_for(wanted)) {
            return Err(Fault::Audience);
        }
        let now = now.duration_since(UNIX_EPOCH).map_err(|_| Fault::TooEarly)?.as_secs_f64();
        let at = |claim| claims.get(claim).map(Value::as_f64);
        let ends = match at("exp") {
            // Who is asked about each token may leave it out (RFC 7662 section 2.2).
            None => !self.is_signed(),
            Some(end) => end.is_some_and(|end| now < end + LEEWAY_S),
        };
        if !ends {
            return Err(Fault::Expired);
        }
        if !at("nbf").is_none_or(|begin| begin.is_some_and(|begin| begin <= now + LEEWAY_S)) {
            return Err(Fault::TooEarly);
        }
        if self.user_claim == "email"
            && claims.get("email_verified").is_some_and(|verified| verified != &Value::Bool(true))
        {
            // Anybody may have typed that address.
            return Err(Fault::Unverified);
        }
        let user = text(&self.user_claim).filter(|user| !user.is_empty());
        user.map(str::to_owned).ok_or(Fault::NoUser)
    }

    /// Whether a client may have meant us (RFC 7628 section 3.1).
    pub(super) fn is_for(&self, host: Option<&str>, port: Option<u16>) -> bool {
        let known = |host: &str| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        (self.hosts.is_empty() || host.is_none_or(known))
            && (self.ports.is_empty() || port.is_none_or(|port| self.ports.contains(&port)))
    }

    const fn is_signed(&self) -> bool {
        !matches!(self.proof, super::Proof::Asking { .. })
    }
}

/// Clocks differ.
const LEEWAY_S: f64 = 60.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use restante_proto::Secret;
    use serde_json::json;

    use super::super::double::client;
    use super::super::{Issuer, Proof};
    use super::*;

    /// An issuer that is asked about each token.
    fn asked() -> Issuer {
        Issuer {
            proof: Proof::Asking {
                url: "https://id.example".to_owned(),
                http: client(),
                client_id: "me".to_owned(),
                client_secret: Secret::new("x".to_owned()),
            },
            issuer: None,
            audience: None,
            user_claim: "username".to_owned(),
            any_user: false,
            hosts: Vec::new(),
            ports: Vec::new(),
        }
    }

    #[test]
    fn s73_r25_an_issuer_that_is_asked_need_say_only_what_is_wanted_of_it() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let named = |issuer: Issuer| Issuer { issuer: Some("i".to_owned()), ..issuer };
        let for_us = |issuer: Issuer| Issuer { audience: Some("mail".to_owned()), ..issuer };
        for (issuer, claims, fault) in [
            (asked(), json!({"username": "fred"}), None),
            (asked(), json!({"username": "fred", "iss": "x", "aud": "x"}), None),
            (asked(), json!({"username": "fred", "exp": 1_000_300}), None),
            (asked(), json!({"username": "fred", "exp": 999_900}), Some(Fault::Expired)),
            (asked(), json!({"username": "fred", "exp": null}), Some(Fault::Expired)),
            (asked(), json!({"username": "fred", "nbf": 1_000_100}), Some(Fault::TooEarly)),
            (asked(), json!({"sub": "fred"}), Some(Fault::NoUser)),
            (named(asked()), json!({"username": "fred"}), Some(Fault::Issuer)),
            (named(asked()), json!({"username": "fred", "iss": "i"}), None),
            (for_us(asked()), json!({"username": "fred"}), Some(Fault::Audience)),
            (for_us(asked()), json!({"username": "fred", "aud": ["x", "mail"]}), None),
        ] {
            let user = issuer.user_in(claims.as_object().unwrap(), now);
            assert_eq!(user.err(), fault, "{claims}");
        }
    }

    #[test]
    fn s73_where_a_client_says_what_it_meant_that_must_be_us() {
        let hosts = vec!["pop.example".to_owned(), "mail.example".to_owned()];
        let issuer = Issuer { hosts, ports: vec![995, 110], ..asked() };
        for (host, port, good) in [
            (Some("pop.example"), Some(995), true),
            (Some("MAIL.example"), None, true),
            (None, None, true),
            (Some("evil.example"), Some(995), false),
            (Some(""), None, false),
            (Some("pop.example"), Some(143), false),
            (None, Some(0), false),
        ] {
            assert_eq!(issuer.is_for(host, port), good, "{host:?} {port:?}");
        }
        assert!(asked().is_for(Some("anything"), Some(1)));
    }
}
