//! A value read from a file, read again whenever the file changes.
//!
//! In: where it lies and how to read it. Out: the value as the file has it now. What can fail is
//! the reading.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use restante_host::{Host, Stat};

/// The value and what the file looked like when it was read.
#[derive(Debug)]
pub(crate) struct Reread<T>(Mutex<Option<Current<T>>>);

#[derive(Debug)]
struct Current<T> {
    stat: Stat,
    /// The file had lain unchanged long enough that another change must show in its stat.
    settled: bool,
    value: Arc<T>,
}

impl<T> Reread<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What the file at `path` holds now. `read` is told whether the file is another one than
    /// before. Blocks.
    pub(crate) fn get(
        &self,
        host: &Host,
        path: &Path,
        read: impl FnOnce(bool) -> io::Result<T>,
    ) -> io::Result<Arc<T>> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before reading: what changes meanwhile shows next time.
        let stat = host.fs.stat(path)?;
        let known = current.as_ref().is_some_and(|current| current.stat == stat);
        if let Some(current) = current.as_ref().filter(|current| known && current.settled) {
            return Ok(Arc::clone(&current.value));
        }
        let value = Arc::new(read(!known)?);
        let age = host.clock.wall().duration_since(stat.changed);
        let settled = age.is_ok_and(|age| age > CLOCK_GRAIN);
        *current = Some(Current { stat, settled, value: Arc::clone(&value) });
        Ok(value)
    }
}

/// File systems stamp changes with a clock that moves in steps of up to this.
const CLOCK_GRAIN: Duration = Duration::from_secs(2);
