//! What keeps a slow server from taking for ever: a session has its time part by part.
//!
//! In: parts of a session, and the octets of a message as they come. Out: their results, or
//! [`Error::Timeout`]. The waits for single replies have limits of their own.

use std::time::Duration;

use restante_client::{Error, Step};
use tokio::time::{Instant, timeout};

/// How fast one message comes.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    octets: u64,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), octets: 0 }
    }

    /// Counts octets that have come; a server that sends next to nothing is given up.
    pub(crate) fn count(&mut self, octets: usize) -> Result<(), Error> {
        self.octets = self.octets.saturating_add(octets as u64);
        if self.since.elapsed() < STEP_TIME {
            return Ok(());
        }
        if self.octets < STEP_OCTETS_MIN {
            return Err(Error::Timeout(Step::Body));
        }
        *self = Self::new();
        Ok(())
    }
}

/// Waits for a part of a session that has a reply of many lines, or of many replies.
pub(crate) async fn in_time<T>(
    verb: &'static str,
    part: impl Future<Output = T>,
) -> Result<T, Error> {
    timeout(STEP_TIME, part).await.map_err(|_| Error::Timeout(Step::Reply(verb)))
}

/// How long messages are asked for before what has come is committed; each other part of a session
/// has as long.
pub(crate) const STEP_TIME: Duration = Duration::from_secs(600);
/// In that time, of a message that takes longer: half of what the slowest modems did.
const STEP_OCTETS_MIN: u64 = 8 * 1024;
