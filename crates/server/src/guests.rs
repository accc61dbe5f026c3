//! Who is in: a place for each connection, counted in all and by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    by_address: HashMap<IpAddr, usize>,
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
        let here = inside.by_address.get(&address).copied().unwrap_or(0);
        if here >= self.guests.0.max_per_address && !address.is_loopback() {
            return None;
        }
        inside.by_address.insert(address, here + 1);
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
        if let Some(here) = inside.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                inside.by_address.remove(&address);
            }
        }
    }
}

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
    fn an_ipv4_address_is_the_same_in_ipv6_form() {
        let guests = Guests::new(10, 1);
        let _one = enter(&guests, "192.0.2.1").unwrap();
        assert!(enter(&guests, "::ffff:192.0.2.1").is_none());
    }
}
