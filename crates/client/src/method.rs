//! Ways to log in, and which of them is taken.
//!
//! In: what the server offers, what the connection is, the credentials and their floor. Out: the
//! methods that may be used, best first. A floor is never gone below, whatever the server offers
//! and whoever has changed that on the way.

use std::fmt;

use restante_proto::pop3::Capability;
use restante_proto::sasl::Mechanism;

use crate::Capabilities;
use crate::credentials::{Credentials, Kind};

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `AUTH` with a mechanism of SASL (RFC 5034).
    Sasl(Mechanism),
    /// `APOP` (RFC 1939 section 7).
    Apop,
    /// `USER` and `PASS` (RFC 1939 section 7).
    UserPass,
}

/// What a method's choice depends on, besides the credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) encrypted: bool,
    /// Whether the connection has a channel binding.
    pub(crate) bound: bool,
    /// Whether the greeting had a stamp for `APOP`.
    pub(crate) stamped: bool,
}

impl Method {
    /// The method of that name: a mechanism's, `APOP` or `USER`, in whatever case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match Mechanism::parse(name.as_bytes()) {
            Some(mechanism) => Some(Self::Sasl(mechanism)),
            None if name.eq_ignore_ascii_case("APOP") => Some(Self::Apop),
            None if name.eq_ignore_ascii_case("USER") => Some(Self::UserPass),
            None => None,
        }
    }

    /// Whether it proves the password without sending it, and the server's knowledge of it, too.
    pub(crate) fn is_scram(self) -> bool {
        matches!(self, Self::Sasl(mechanism) if mechanism.scram().is_some())
    }

    /// Whether it is a digest, for which the server keeps passwords in clear.
    fn is_digest(self) -> bool {
        matches!(self, Self::Apop | Self::Sasl(Mechanism::CramMd5))
    }

    fn is_possible(self, situation: Situation<'_>, credentials: &Credentials) -> bool {
        let Situation { capabilities, encrypted, bound, stamped } = situation;
        match self {
            Self::Sasl(mechanism) => {
                let fits = mechanism.scram().is_none_or(|(_, plus)| bound || !plus);
                let safe = encrypted || !mechanism.needs_tls();
                fits && safe && capabilities.has_sasl(mechanism.name())
            }
            Self::Apop => stamped && credentials.is_sendable(capabilities),
            Self::UserPass => {
                let listed = capabilities.has(&Capability::User) || !capabilities.has_any_sasl();
                listed && credentials.is_sendable(capabilities)
            }
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sasl(mechanism) => mechanism.fmt(f),
            Self::Apop => f.write_str("APOP"),
            Self::UserPass => f.write_str("USER"),
        }
    }
}

/// The methods for one kind of credentials, best first.
pub(crate) const fn ranking(kind: &Kind) -> &'static [Method] {
    match kind {
        Kind::Password(_) => &[
            Method::Sasl(Mechanism::ScramSha256Plus),
            Method::Sasl(Mechanism::ScramSha1Plus),
            Method::Sasl(Mechanism::ScramSha256),
            Method::Sasl(Mechanism::ScramSha1),
            Method::Sasl(Mechanism::CramMd5),
            Method::Apop,
            Method::Sasl(Mechanism::Plain),
            Method::Sasl(Mechanism::Login),
            Method::UserPass,
        ],
        Kind::Token(_) => &[Method::Sasl(Mechanism::OauthBearer), Method::Sasl(Mechanism::Xoauth2)],
        Kind::Certificate => &[Method::Sasl(Mechanism::External)],
    }
}

/// What may be used now, best first.
pub(crate) fn candidates(credentials: &Credentials, situation: Situation<'_>) -> Vec<Method> {
    let ranking = ranking(credentials.kind());
    let floor = match credentials.floor() {
        Some(floor) => ranking.iter().position(|method| *method == floor),
        None => ranking.len().checked_sub(1),
    };
    // A floor for another kind of credentials is above everything.
    let allowed = floor.map_or(0, |floor| floor.saturating_add(1));
    let digests = credentials.floor().is_some_and(Method::is_digest);
    ranking
        .iter()
        .take(allowed)
        .copied()
        .filter(|method| digests || !method.is_digest())
        .filter(|method| method.is_possible(situation, credentials))
        .collect()
}

#[cfg(test)]
mod tests {
    use restante_proto::Secret;

    use super::*;

    fn password() -> Credentials {
        Credentials::password("fred", Secret::new(b"pw".to_vec()))
    }

    fn kinds() -> [Credentials; 3] {
        let token = Credentials::token("fred", Secret::new("t".to_owned()));
        [password(), token, Credentials::certificate("")]
    }

    /// Goal: no list of mechanisms, however it came about, makes the client use less than its
    /// floor, a digest it did not ask for, or a token or a binding where there is none. Method:
    /// every subset of the mechanisms, every floor, every kind of credentials and of connection.
    #[test]
    fn r7_the_choice_is_never_below_the_floor() {
        let floors = kinds().map(|credentials| ranking(credentials.kind()).to_vec()).concat();
        let mut chosen = 0_u32;
        for subset in 0..1_u32 << Mechanism::ALL.len() {
            let offered = (0..).zip(Mechanism::ALL).filter(|(bit, _)| subset >> bit & 1 == 1);
            let names: Vec<_> = offered.map(|(_, known)| known.name().to_owned()).collect();
            let capabilities = Capabilities::known(vec![Capability::Sasl(names)]);
            for flags in 0..8 {
                let [encrypted, bound, stamped] = [1, 2, 4].map(|bit| flags & bit != 0);
                let situation = Situation {
                    capabilities: &capabilities,
                    encrypted,
                    bound: bound && encrypted,
                    stamped,
                };
                for credentials in kinds() {
                    let ranking = ranking(credentials.kind());
                    for floor in [None].into_iter().chain(floors.iter().copied().map(Some)) {
                        let credentials = credentials.clone().with_floor(floor);
                        let rank = |method| ranking.iter().position(|known| *known == method);
                        let candidates = candidates(&credentials, situation);
                        assert!(candidates.is_sorted_by_key(|method| rank(*method)));
                        for method in candidates {
                            let floor = floor.unwrap_or_else(|| *ranking.last().unwrap());
                            assert!(rank(method) <= rank(floor), "{method} below {floor}");
                            assert!(!method.is_digest() || floor.is_digest());
                            if let Method::Sasl(mechanism) = method {
                                assert!(encrypted || !mechanism.needs_tls());
                                assert!(capabilities.has_sasl(mechanism.name()));
                                assert!(bound || mechanism.scram().is_none_or(|(_, plus)| !plus));
                            }
                            chosen += 1;
                        }
                    }
                }
            }
        }
        assert!(chosen > 10_000, "{chosen}");
    }

    #[test]
    fn c16_c20_old_servers_are_asked_for_what_they_can() {
        let old = Capabilities::default();
        let silent = Capabilities::known(vec![]);
        let modern = Capabilities::known(vec![Capability::Sasl(vec!["XOAUTH2".into()])]);
        let utf8 = Capabilities::known(vec![Capability::Utf8 { user: true }]);
        let wide = Credentials::password("fr\u{e9}d", Secret::new(b"pw".to_vec()));
        for (capabilities, credentials, usable) in [
            (&old, password(), true),
            (&silent, password(), true),
            (&modern, password(), false),
            (&old, wide.clone(), false),
            (&utf8, wide, true),
        ] {
            let situation =
                Situation { capabilities, encrypted: true, bound: false, stamped: false };
            let candidates = candidates(&credentials, situation);
            assert_eq!(candidates == [Method::UserPass], usable, "{capabilities:?}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for method in kinds().iter().flat_map(|credentials| ranking(credentials.kind())) {
            assert_eq!(Method::parse(&method.to_string().to_lowercase()), Some(*method));
        }
        assert_eq!(Method::parse("NTLM"), None);
    }
}
