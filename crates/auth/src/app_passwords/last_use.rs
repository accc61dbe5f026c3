//! When app passwords were last used: a hint for people, in a file of the data folder.
//!
//! In: uses. Out: the last one of each, to the hour: a program that asks every minute must not
//! cost a write every minute. Written at once when nobody writes, and together with those that
//! come meanwhile when somebody does. What cannot be written is logged and kept for the next time.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use restante_host::Host;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::lines::{self, LinesFile};
use crate::{EditError, moment};

/// The last uses. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LastUse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: LinesFile,
    noted: Mutex<Noted>,
    /// Has one permit.
    turn: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Noted {
    /// By what an app password is called.
    last: HashMap<String, SystemTime>,
    /// Not written yet.
    fresh: Vec<String>,
}

impl LastUse {
    /// Kept in `data`, which a server can write to.
    pub(crate) fn new(host: Host, data: &Path) -> Self {
        let file = LinesFile::new(host, data.join(NAME));
        Self(Arc::new(Inner { file, noted: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }))
    }

    /// Notes a use. Returns at once; needs a tokio runtime around it.
    pub(crate) fn note(&self, id: String, now: SystemTime) {
        {
            let mut noted = self.0.lock();
            let is_recent = noted
                .last
                .get(&id)
                .is_some_and(|last| now.duration_since(*last).is_ok_and(|since| since < PRECISION));
            if is_recent {
                return;
            }
            noted.last.insert(id.clone(), now);
            noted.fresh.push(id);
        }
        let Ok(turn) = Arc::clone(&self.0.turn).try_acquire_owned() else { return };
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = inner.write_fresh() {
                tracing::warn!(%error, "the last use of app passwords was not kept");
            }
            drop(turn);
        });
    }

    /// What the file says.
    ///
    /// # Errors
    /// As the system calls.
    pub(crate) fn read(&self) -> io::Result<HashMap<String, SystemTime>> {
        Ok(parse(&self.0.file.read()?))
    }

    #[cfg(test)]
    pub(crate) async fn written(&self) {
        drop(self.0.turn.acquire().await.unwrap());
    }
}

impl Inner {
    /// Writes until nothing is left; a use that is noted after the last look waits for the next.
    fn write_fresh(&self) -> Result<(), EditError> {
        loop {
            let fresh: HashMap<String, SystemTime> = {
                let mut noted = self.lock();
                let ids = std::mem::take(&mut noted.fresh);
                let last = &noted.last;
                ids.into_iter().filter_map(|id| last.get_key_value(&id)).map(owned).collect()
            };
            if fresh.is_empty() {
                return Ok(());
            }
            let written = self.file.edit(|contents| {
                let mut all = parse(contents);
                all.extend(fresh.iter().map(owned));
                Ok(Some(to_lines(all)))
            });
            if let Err(error) = written {
                self.lock().fresh.extend(fresh.into_keys());
                return Err(error);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owned((id, time): (&String, &SystemTime)) -> (String, SystemTime) {
    (id.clone(), *time)
}

/// line = JSON object: "id", "used"
fn parse(contents: &[u8]) -> HashMap<String, SystemTime> {
    let entry = |line: &[u8]| {
        let entry: Value = serde_json::from_slice(line).ok()?;
        let text = |key| entry.get(key).and_then(Value::as_str);
        Some((text("id")?.to_owned(), moment::parse(text("used")?)?))
    };
    lines::lines(contents).filter_map(entry).collect()
}

fn to_lines(all: HashMap<String, SystemTime>) -> Vec<u8> {
    let mut all: Vec<_> = all.into_iter().collect();
    // The newest are kept when app passwords come and go for ever.
    all.sort_by(|(a, one), (b, other)| (other, a).cmp(&(one, b)));
    all.truncate(ENTRIES_MAX);
    let line = |(id, time): (String, SystemTime)| {
        format!("{}\n", serde_json::json!({ "id": id, "used": moment::to_text(time) }))
    };
    all.into_iter().map(line).collect::<String>().into_bytes()
}

/// Its name in the data folder.
const NAME: &str = "app-passwords.used";
const PRECISION: Duration = Duration::from_secs(3600);
const ENTRIES_MAX: usize = 200_000;
