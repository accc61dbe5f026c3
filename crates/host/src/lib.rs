//! The narrow seams to the machine: files ([`Fs`]), time ([`Clock`]) and randomness ([`Rng`]),
//! and the one door to a visible file ([`durable`]).
//!
//! Everything that keeps mail reaches the machine through a [`Host`], so that a simulator can
//! stand in for it: the same code then runs against a disk that loses unsynced writes and a
//! clock that jumps. All calls block; asynchronous callers move them off their threads.

pub mod durable;
pub mod fs;
pub mod journal;

mod clock;
mod machine;
mod ownership;
mod rng;

use std::sync::Arc;

pub use clock::{Clock, HostClock};
pub use fs::{File, Fs, HostFs, Lock, ReadAt, Stat};
pub use machine::host_name;
pub use rng::{HostRng, Rng};

/// The machine as the rest of the office sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Host {
    /// Files and directories.
    pub fs: Arc<dyn Fs>,
    /// Wall and monotonic time.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub rng: Arc<dyn Rng>,
}

impl Host {
    /// The real machine.
    #[must_use]
    pub fn real() -> Self {
        Self { fs: Arc::new(HostFs), clock: Arc::new(HostClock), rng: Arc::new(HostRng) }
    }
}
