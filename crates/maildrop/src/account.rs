//! Who has logged in, and on what terms.

use std::net::IpAddr;

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
    fn a_user_gets_in_from_the_networks_that_are_named_or_from_anywhere() {
        let from = |networks: Option<&[&str]>, address: &str| {
            let networks = networks.map(|list| list.iter().map(|n| n.parse().unwrap()).collect());
            Terms { networks }.allow(address.parse().unwrap())
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
