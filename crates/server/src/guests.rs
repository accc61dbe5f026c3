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
    address: IpAddr,
}

impl Guests {
    pub(crate) fn new(max: usize, max_per_address: usize) -> Self {
        Self(Arc::new(Counts { max, max_per_address, inside: Mutex::default() }))
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let address = address.to_canonical();
        let mut inside = self.lock();
        let here = inside.by_address.get(&address).copied().unwrap_or(0);
        let crowded = here >= self.0.max_per_address && !address.is_loopback();
        if inside.all >= self.0.max || crowded {
            return None;
        }
        inside.all += 1;
        inside.by_address.insert(address, here + 1);
        Some(Guest { guests: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A count is right even if a thread died holding the lock.
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.guests.lock();
        inside.all -= 1;
        if let Some(here) = inside.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                inside.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address() {
        let guests = Guests::new(4, 2);
        let [a, b, local]: [IpAddr; 3] =
            ["192.0.2.1", "2001:db8::1", "127.0.0.1"].map(|address| address.parse().unwrap());
        let first = guests.enter(a).unwrap();
        let _second = guests.enter(a).unwrap();
        assert!(guests.enter(a).is_none(), "two per address");
        drop(first);
        let _first = guests.enter(a).unwrap();
        let _third = guests.enter(local).unwrap();
        let fourth = guests.enter(b).unwrap();
        assert!(guests.enter(local).is_none(), "four in all");
        drop(fourth);
        assert!(guests.enter(local).is_some());
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_ipv6_form() {
        let guests = Guests::new(10, 1);
        let _one = guests.enter("192.0.2.1".parse().unwrap()).unwrap();
        assert!(guests.enter("::ffff:192.0.2.1".parse().unwrap()).is_none());
    }
}
