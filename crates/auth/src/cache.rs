//! Good logins of the last minutes, so that a polling client costs no hash.
//!
//! An entry's key is an HMAC under a key of this process over name, password and stored hash:
//! the memory holds no password, and another stored hash is another entry, so a changed password
//! is never served from here. Entries end a fixed time after they were made, however often they
//! are used; the oldest makes room when there are too many.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use restante_host::Rng;
use sha2::Sha256;

/// The good logins.
pub(crate) struct Cache {
    mac: Hmac<Sha256>,
    ttl: Duration,
    entries_max: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    known: HashSet<CacheKey>,
    /// Oldest first.
    order: VecDeque<(CacheKey, Instant)>,
}

/// Stands for a name, a password and a stored hash.
pub(crate) type CacheKey = [u8; 32];

impl Cache {
    pub(crate) fn new(rng: &dyn Rng, ttl: Duration, entries_max: usize) -> io::Result<Self> {
        let mut key = [0; 32];
        rng.fill(&mut key)?;
        let mac = Hmac::new_from_slice(&key).map_err(io::Error::other)?;
        Ok(Self { mac, ttl, entries_max, entries: Mutex::default() })
    }

    pub(crate) fn key(&self, name: &str, password: &[u8], stored: &str) -> CacheKey {
        let mut mac = self.mac.clone();
        for part in [name.as_bytes(), password, stored.as_bytes()] {
            // The length keeps one part's end from passing as the next one's beginning.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn contains(&self, key: &CacheKey, now: Instant) -> bool {
        let mut entries = self.lock();
        entries.expire(self.ttl, now);
        entries.known.contains(key)
    }

    pub(crate) fn insert(&self, key: CacheKey, now: Instant) {
        let mut entries = self.lock();
        entries.expire(self.ttl, now);
        if self.ttl.is_zero() || self.entries_max == 0 || !entries.known.insert(key) {
            return;
        }
        if entries.known.len() > self.entries_max {
            entries.pop();
        }
        entries.order.push_back((key, now));
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn expire(&mut self, ttl: Duration, now: Instant) {
        let is_old = |&(_, made): &(_, Instant)| now.saturating_duration_since(made) >= ttl;
        while self.order.front().is_some_and(is_old) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.known.remove(&key);
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({} entries)", self.lock().known.len())
    }
}

#[cfg(test)]
mod tests {
    use restante_host::{Clock as _, HostClock, HostRng};

    use super::*;

    fn cache(entries_max: usize) -> Cache {
        Cache::new(&HostRng, Duration::from_secs(300), entries_max).unwrap()
    }

    #[test]
    fn a_key_stands_for_name_password_and_stored_hash() {
        let cache = cache(10);
        let key = cache.key("fred", b"secret", "hash");
        assert_eq!(key, cache.key("fred", b"secret", "hash"));
        for (name, password, stored) in
            [("frea", "secret", "hash"), ("fred", "secre", "thash"), ("fre", "dsecret", "hash")]
        {
            assert_ne!(key, cache.key(name, password.as_bytes(), stored));
        }
        let other = Cache::new(&HostRng, Duration::from_secs(300), 10).unwrap();
        assert_ne!(key, other.key("fred", b"secret", "hash"));
    }

    #[test]
    fn an_entry_ends_after_its_time_however_often_it_is_used() {
        let cache = cache(10);
        let start = HostClock.monotonic();
        let after = |s| start + Duration::from_secs(s);
        cache.insert([1; 32], start);
        assert!(cache.contains(&[1; 32], after(299)));
        cache.insert([1; 32], after(299));
        assert!(!cache.contains(&[1; 32], after(300)));
    }

    #[test]
    fn the_oldest_makes_room() {
        let cache = cache(2);
        let now = HostClock.monotonic();
        for n in 1..=3 {
            cache.insert([n; 32], now);
        }
        assert_eq!([1, 2, 3].map(|n| cache.contains(&[n; 32], now)), [false, true, true]);
        assert_eq!(cache.lock().order.len(), 2);
        let off = Cache::new(&HostRng, Duration::ZERO, 10).unwrap();
        off.insert([1; 32], now);
        assert!(!off.contains(&[1; 32], now));
    }
}
