//! When each user logged in last, for as long as that matters (LOGIN-DELAY, RFC 2449 section 6.5).
//!
//! In: good logins. Out: how long the next one has to wait. Only users that exist get in here, and
//! what is older than the delay is thrown away whenever the table has doubled, so it holds at most
//! twice as many entries as users logged in within one delay.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use restante_maildrop::Owner;

/// The last good login of each user.
#[derive(Debug)]
pub(crate) struct LastLogins {
    /// Zero: nobody waits, and nothing is remembered.
    delay: Duration,
    by_owner: HashMap<Owner, Instant>,
    prune_at: usize,
}

impl LastLogins {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, by_owner: HashMap::new(), prune_at: PRUNE_AT_LEAST }
    }

    /// How long the user still has to wait; nothing when the delay is over.
    pub(crate) fn wait(&self, owner: &Owner, now: Instant) -> Option<Duration> {
        let last = self.by_owner.get(owner)?;
        let wait = self.delay.saturating_sub(now.saturating_duration_since(*last));
        (!wait.is_zero()).then_some(wait)
    }

    /// The user has logged in.
    pub(crate) fn note(&mut self, owner: &Owner, now: Instant) {
        if self.delay.is_zero() {
            return;
        }
        self.by_owner.insert(owner.clone(), now);
        if self.by_owner.len() >= self.prune_at {
            let delay = self.delay;
            self.by_owner.retain(|_, last| now.saturating_duration_since(*last) < delay);
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
        let (mut logins, now) = (LastLogins::new(DELAY), start());
        let [fred, mary] = ["fred", "mary"].map(|name| Owner::new(name).unwrap());
        assert_eq!(logins.wait(&fred, now), None);
        logins.note(&fred, now);
        let second = Duration::from_secs(1);
        assert_eq!(logins.wait(&fred, now + DELAY - second), Some(second));
        assert_eq!(logins.wait(&mary, now), None);
        assert_eq!(logins.wait(&fred, now + DELAY), None);
        logins.note(&fred, now + DELAY);
        assert_eq!(logins.wait(&fred, now + DELAY), Some(DELAY));
    }

    #[test]
    fn r42_what_no_longer_matters_is_forgotten() {
        let (mut logins, now) = (LastLogins::new(DELAY), start());
        for number in 0..100_000_u32 {
            let owner = Owner::new(&format!("user{number}")).unwrap();
            // A thousand of them within each delay.
            logins.note(&owner, now + DELAY / 1000 * number);
        }
        assert!(logins.by_owner.len() <= 2048, "{}", logins.by_owner.len());
        let mut none = LastLogins::new(Duration::ZERO);
        none.note(&Owner::new("fred").unwrap(), now);
        assert!(none.by_owner.is_empty());
    }
}
