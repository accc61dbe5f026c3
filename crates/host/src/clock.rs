//! Time as an argument: the one place that asks the machine what time it is.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time that never goes back; for deadlines.
    fn monotonic(&self) -> Instant;
    /// Calendar time, which may jump; for names and records that people read.
    fn wall(&self) -> SystemTime;
    /// Blocks the thread for a while; for the few things that cannot be waited for otherwise.
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock;

#[expect(clippy::disallowed_methods, reason = "the seam itself: everyone else asks a Clock")]
impl Clock for HostClock {
    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
