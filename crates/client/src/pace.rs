//! Whether a server that answers, but slowly, is still worth a connection.
//!
//! In: time waited, octets received, replies ended. Out: how much longer to wait. A server is in
//! arrears by the time that was waited for it, less what the octets it sent take at the slowest
//! rate, less a share of the timeout for each reply. So it may pause, and one that sends a line
//! just before each timeout is given up as a whole.

use std::time::Duration;

/// A server's arrears.
#[derive(Debug)]
pub(crate) struct Pace {
    octets_per_s_min: u32,
    timeout: Duration,
    behind: Duration,
}

impl Pace {
    /// A server that sends so many octets a second on the whole; 0 is any rate.
    pub(crate) const fn new(octets_per_s_min: u32, timeout: Duration) -> Self {
        Self { octets_per_s_min, timeout, behind: Duration::ZERO }
    }

    /// How long to wait at most.
    pub(crate) fn left(&self) -> Duration {
        if self.octets_per_s_min == 0 {
            return Duration::MAX;
        }
        self.timeout.saturating_mul(PATIENCE).saturating_sub(self.behind)
    }

    pub(crate) fn waited(&mut self, time: Duration) {
        self.behind = self.behind.saturating_add(time);
    }

    pub(crate) fn received(&mut self, octets: usize) {
        let worth = Duration::from_secs(octets as u64).checked_div(self.octets_per_s_min);
        self.behind = self.behind.saturating_sub(worth.unwrap_or_default());
    }

    pub(crate) fn replied(&mut self) {
        self.behind = self.behind.saturating_sub(self.timeout / REPLIES);
    }
}

/// Timeouts that a server may be behind.
const PATIENCE: u32 = 5;
/// Replies in a timeout that are quick enough, however short they are.
const REPLIES: u32 = 4;
