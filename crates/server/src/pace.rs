//! Whether a client that takes what it is sent, but slowly, is still worth a session.
//!
//! In: how long so many octets took. Out: how long the next ones may take. A client is in arrears
//! by the time it took longer than the slowest rate allows; being faster pays them back. So a
//! client may pause, and one that takes an octet now and then is given up as a whole.

use std::time::Duration;

/// A client's arrears.
#[derive(Debug)]
pub(crate) struct Pace {
    octets_per_s_min: usize,
    patience: Duration,
    behind: Duration,
}

impl Pace {
    /// A client who may be `patience` behind that rate; 0 is any rate.
    pub(crate) const fn new(octets_per_s_min: usize, patience: Duration) -> Self {
        Self { octets_per_s_min, patience, behind: Duration::ZERO }
    }

    /// How long the next octets may take.
    pub(crate) fn allowed(&self, octets: usize) -> Duration {
        match self.worth(octets) {
            Some(worth) => (self.patience + worth).saturating_sub(self.behind),
            None => Duration::MAX,
        }
    }

    /// So many octets were taken in this time.
    pub(crate) fn note(&mut self, octets: usize, took: Duration) {
        if let Some(worth) = self.worth(octets) {
            self.behind = (self.behind + took).saturating_sub(worth);
        }
    }

    /// The time octets take at the slowest rate.
    fn worth(&self, octets: usize) -> Option<Duration> {
        let rate = u32::try_from(self.octets_per_s_min).unwrap_or(u32::MAX);
        // Pieces are far smaller than what would not fit.
        Duration::from_secs(octets as u64).checked_div(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r42_arrears_grow_with_slowness_and_are_paid_back() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::new(100, seconds(60));
        assert_eq!(pace.allowed(1000), seconds(70));
        pace.note(100, seconds(50));
        assert_eq!(pace.allowed(0), seconds(11));
        pace.note(10_000, seconds(1));
        assert_eq!(pace.allowed(0), seconds(60), "no advance is given for having been fast");
        for _ in 0..3 {
            pace.note(1, seconds(30));
        }
        assert_eq!(pace.allowed(100), Duration::ZERO);
        assert_eq!(Pace::new(0, seconds(60)).allowed(1), Duration::MAX);
    }
}
