//! Who has logged in, and on what terms.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::Owner;

/// A user as the user database has him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose maildrop it is.
    pub owner: Owner,
    /// What holds for this user and not for all.
    pub terms: Terms,
}

/// What holds for one user. The default is what holds for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Where the user may log in from; anywhere if nothing is said.
    pub networks: Option<Vec<IpNet>>,
    /// Time from the user's login to the next; zero is none.
    pub login_delay: Option<Duration>,
    /// Days the user's mail is kept; zero is for ever.
    pub expire_days: Option<usize>,
}

/// The terms users have of their own, of all users together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnTerms {
    /// The longest delay between logins that a user has of his own; nothing where nobody has one.
    pub login_delay_max: Option<Duration>,
    /// The fewest days mail is kept for a user who has them of his own, zero if that is for ever;
    /// nothing where nobody has any.
    pub expire_days_min: Option<usize>,
}

impl OwnTerms {
    /// Of these users and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let login_delay_max = self.login_delay_max.max(other.login_delay_max);
        let expire_days_min = match (self.expire_days_min, other.expire_days_min) {
            (Some(0), days) | (days, Some(0)) => Some(days.unwrap_or(0)),
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { login_delay_max, expire_days_min }
    }

    /// Of one user.
    #[must_use]
    pub const fn of(terms: &Terms) -> Self {
        Self { login_delay_max: terms.login_delay, expire_days_min: terms.expire_days }
    }
}

impl From<Owner> for Account {
    fn from(owner: Owner) -> Self {
        Self { owner, terms: Terms::default() }
    }
}

impl Terms {
    /// Whether the user may log in from `address`.
    #[must_use]
    pub fn allow(&self, address: IpAddr) -> bool {
        // A client of a socket for both families is seen as ::ffff:192.0.2.1.
        let address = address.to_canonical();
        let Some(networks) = &self.networks else { return true };
        networks.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s42_the_fewest_days_of_several_users_are_those_of_who_has_an_end() {
        let days = |own| OwnTerms { expire_days_min: own, ..OwnTerms::default() };
        for (one, other, both) in [
            (None, None, None),
            (None, Some(0), Some(0)),
            (Some(0), Some(0), Some(0)),
            (Some(0), Some(7), Some(7)),
            (Some(3), Some(7), Some(3)),
            (None, Some(7), Some(7)),
        ] {
            assert_eq!(days(one).and(days(other)), days(both), "{one:?} {other:?}");
            assert_eq!(days(other).and(days(one)), days(both), "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_user_gets_in_from_the_networks_that_are_named_or_from_anywhere() {
        let from = |networks: Option<&[&str]>, address: &str| {
            let networks = networks.map(|list| list.iter().map(|n| n.parse().unwrap()).collect());
            Terms { networks, ..Terms::default() }.allow(address.parse().unwrap())
        };
        assert!(from(None, "192.0.2.1"));
        assert!(!from(Some(&[]), "127.0.0.1"), "no network is nowhere");
        let networks = Some(&["192.0.2.0/24", "2001:db8::/32"][..]);
        for (address, good) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.3.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(from(networks, address), good, "{address}");
        }
    }
}
