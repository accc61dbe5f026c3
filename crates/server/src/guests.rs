//! Who is in: a place for each connection, counted in all, by address, and by network in IPv6,
//! where one host has a /64 and one customer a /48.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

/// Counts the connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guests(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    max: usize,
    max_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_network: HashMap<IpNet, usize>,
}

/// A connection's place; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Guest {
    guests: Guests,
    /// Whose it is, once that is known.
    address: Option<IpAddr>,
}

impl Guests {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Self(Arc::new(Counts { max, max_per_address, inside: Mutex::default() }))
    }

    /// A place for a connection whose client is not known yet, if there is one.
    pub(crate) fn enter(&self) -> Option<Guest> {
        let mut inside = self.lock();
        if inside.all >= self.0.max {
            return None;
        }
        inside.all += 1;
        drop(inside);
        Some(Guest { guests: self.clone(), address: None })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A count is right even if a thread died holding the lock.
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// The place as that of a client at `address`, unless there are too many from there.
    pub(crate) fn named(mut self, address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        let mut inside = self.guests.lock();
        let max = self.guests.0.max_per_address;
        let full = networks(address).any(|(network, times)| {
            inside.by_network.get(&network).is_some_and(|here| *here >= max.saturating_mul(times))
        });
        if full && !address.is_loopback() {
            return None;
        }
        for (network, _) in networks(address) {
            *inside.by_network.entry(network).or_default() += 1;
        }
        drop(inside);
        self.address = Some(address);
        Some(self)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.guests.lock();
        inside.all -= 1;
        let Some(address) = self.address else { return };
        for (network, _) in networks(address) {
            if let Some(here) = inside.by_network.get_mut(&network) {
                *here -= 1;
                if *here == 0 {
                    inside.by_network.remove(&network);
                }
            }
        }
    }
}

/// Where an address counts, and how many times as many places there are.
fn networks(address: IpAddr) -> impl Iterator<Item = (IpNet, usize)> {
    let kinds: &[(u8, usize)] =
        if address.is_ipv4() { &[(32, 1)] } else { &[(64, 1), (48, PLACES_OF_A_CUSTOMER)] };
    kinds.iter().filter_map(move |(prefix, times)| {
        IpNet::new(address, *prefix).ok().map(|network| (network.trunc(), *times))
    })
}

/// A /48 has as many hosts as its owner likes.
const PLACES_OF_A_CUSTOMER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(guests: &Guests, address: &str) -> Option<Guest> {
        guests.enter()?.named(address.parse().unwrap())
    }

    #[test]
    fn places_are_counted_in_all_and_by_address() {
        let guests = Guests::new(4, 2);
        let [a, b, local] = ["192.0.2.1", "2001:db8::1", "127.0.0.1"];
        let first = enter(&guests, a).unwrap();
        let _second = enter(&guests, a).unwrap();
        assert!(enter(&guests, a).is_none(), "two per address");
        drop(first);
        let _first = enter(&guests, a).unwrap();
        let _third = enter(&guests, local).unwrap();
        let fourth = enter(&guests, b).unwrap();
        assert!(guests.enter().is_none(), "four in all");
        drop(fourth);
        assert!(enter(&guests, local).is_some());
    }

    #[test]
    fn r42_a_host_of_ipv6_is_one_address_and_its_network_four() {
        let guests = Guests::new(100, 2);
        let host = ["2001:db8:1:1::1", "2001:db8:1:1:ffff::2"].map(|a| enter(&guests, a).unwrap());
        assert!(enter(&guests, "2001:db8:1:1::3").is_none(), "the same /64");
        let others: Vec<_> = (2..5)
            .flat_map(|net| [1, 2].map(|host| format!("2001:db8:1:{net}::{host}")))
            .map(|address| enter(&guests, &address).unwrap())
            .collect();
        assert!(enter(&guests, "2001:db8:1:9::1").is_none(), "the same /48");
        assert!(enter(&guests, "2001:db8:2:1::1").is_some());
        drop(others);
        assert!(enter(&guests, "2001:db8:1:9::1").is_some());
        drop(host);
        let locals: Vec<_> = (0..9).map(|_| enter(&guests, "::1")).collect();
        assert!(locals.iter().all(Option::is_some));
        drop(locals);
        assert!(guests.lock().by_network.is_empty());
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6_form() {
        let guests = Guests::new(10, 1);
        let _one = enter(&guests, "192.0.2.1").unwrap();
        assert!(enter(&guests, "::ffff:192.0.2.1").is_none());
    }
}
