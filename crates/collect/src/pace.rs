//! What keeps a session with a slow server from taking for ever: its time, part by part.
//!
//! In: parts of a session. Out: their results, or [`Error::Timeout`]. The waits for single replies,
//! and a server that is slow as a whole, are the client's to bound.

use std::time::Duration;

use restante_client::{Error, Step};
use tokio::time::timeout;

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
