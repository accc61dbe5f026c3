//! When each user logged in last, for as long as that matters (LOGIN-DELAY, RFC 2449 section 6.5).
//!
//! In: good logins, each with its user's delay. Out: how long the next one has to wait. Only users
//! that exist get in here, and whose delay is over is thrown away whenever the table has doubled,
//! so it holds at most twice as many entries as users who have to wait.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use restante_maildrop::Owner;

/// When each user may log in again.
#[derive(Debug)]
pub(crate) struct LastLogins {
    by_owner: HashMap<Owner, Instant>,
    prune_at: usize,
}

impl Default for LastLogins {
    fn default() -> Self {
        Self { by_owner: HashMap::new(), prune_at: PRUNE_AT_LEAST }
    }
}

impl LastLogins {
    /// How long the user still has to wait; nothing when the delay is over.
    pub(crate) fn wait(&self, owner: &Owner, now: Instant) -> Option<Duration> {
        let wait = self.by_owner.get(owner)?.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// The user has logged in, and may do so again after `delay`.
    pub(crate) fn note(&mut self, owner: &Owner, now: Instant, delay: Duration) {
        let Some(again) = now.checked_add(delay).filter(|_| !delay.is_zero()) else { return };
        self.by_owner.insert(owner.clone(), again);
        if self.by_owner.len() >= self.prune_at {
            self.by_owner.retain(|_, again| *again > now);
            self.prune_at = self.by_owner.len().saturating_mul(2).max(PRUNE_AT_LEAST);
        }
    }
}

const PRUNE_AT_LEAST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(300);

    #[expect(clippy::disallowed_methods, reason = "any instant will do: the test adds to it")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn s41_the_delay_counts_from_the_last_good_login_of_each_user() {
        let (mut logins, now) = (LastLogins::default(), start());
        let [fred, mary] = ["fred", "mary"].map(|name| Owner::new(name).unwrap());
        assert_eq!(logins.wait(&fred, now), None);
        logins.note(&fred, now, DELAY);
        let second = Duration::from_secs(1);
        assert_eq!(logins.wait(&fred, now + DELAY - second), Some(second));
        assert_eq!(logins.wait(&mary, now), None);
        assert_eq!(logins.wait(&fred, now + DELAY), None);
        logins.note(&fred, now + DELAY, DELAY);
        assert_eq!(logins.wait(&fred, now + DELAY), Some(DELAY));
    }

    #[test]
    fn r42_what_no_longer_matters_is_forgotten() {
        let (mut logins, now) = (LastLogins::default(), start());
        for number in 0..100_000_u32 {
            let owner = Owner::new(&format!("user{number}")).unwrap();
            // A thousand of them within each delay.
            logins.note(&owner, now + DELAY / 1000 * number, DELAY);
        }
        assert!(logins.by_owner.len() <= 2048, "{}", logins.by_owner.len());
        let mut none = LastLogins::default();
        none.note(&Owner::new("fred").unwrap(), now, Duration::ZERO);
        assert!(none.by_owner.is_empty());
    }
}
