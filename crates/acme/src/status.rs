//! How things stand: what the certificate is good for, and what went wrong last.
//!
//! In: the folder. Out: a [`Status`], which reads as a line for people. `failures.json` remembers
//! failures over restarts, so that a server that is started again and again does not ask an
//! authority again and again; it counts for the same wish alone.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use restante_host::{Host, durable};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::Wanted;
use crate::stored::Stored;

/// How a certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// When the certificate ends, if there is one for just the names that are wanted.
    pub ends: Option<SystemTime>,
    /// When the next is ordered.
    pub next: SystemTime,
    /// What went wrong since the last one, and how often.
    pub failures: Option<(u32, String)>,
}

/// How the certificate that is wanted stands.
#[must_use]
pub fn status(host: &Host, wanted: &Wanted) -> Status {
    let stored = Stored::read(&*host.fs, &wanted.folder);
    let stored = stored.filter(|stored| stored.is_for(&wanted.names));
    let due = stored.as_ref().map_or(UNIX_EPOCH, Stored::renewal);
    let failures = Failures::read(host, wanted);
    let again = UNIX_EPOCH.checked_add(Duration::from_secs(failures.again_s)).unwrap_or(due);
    Status {
        ends: stored.map(|stored| stored.ends),
        next: due.max(again),
        failures: (failures.count > 0).then_some((failures.count, failures.cause)),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |time: SystemTime| {
            Timestamp::try_from(time).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
        };
        match self.ends.map(date) {
            Some(Ok(ends)) => write!(f, "the certificate is good until {ends}")?,
            Some(Err(_)) => f.write_str("there is a certificate")?,
            None => f.write_str("there is no certificate yet")?,
        }
        if let Some((count, cause)) = &self.failures {
            write!(f, "; {count} failed tries, the last: {cause}")?;
        }
        match date(self.next) {
            Ok(next) if self.next > UNIX_EPOCH => write!(f, "; the next is ordered at {next}"),
            _ => f.write_str("; one is ordered as soon as the server runs"),
        }
    }
}

/// What went wrong, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Failures {
    directory: String,
    names: Vec<String>,
    count: u32,
    /// Since 1970.
    again_s: u64,
    cause: String,
}

impl Failures {
    /// Those of this wish; none if the file says nothing of it.
    pub(crate) fn read(host: &Host, wanted: &Wanted) -> Self {
        let text = durable::read(&*host.fs, &wanted.folder.join(NAME), OCTETS_MAX);
        let kept = text.ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let same =
            |kept: &Self| (&kept.directory, &kept.names) == (&wanted.directory, &wanted.names);
        kept.filter(same).unwrap_or_default()
    }

    /// One more.
    pub(crate) fn add(host: &Host, wanted: &Wanted, cause: &str) {
        let count = Self::read(host, wanted).count.saturating_add(1);
        let now = host.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            directory: wanted.directory.clone(),
            names: wanted.names.clone(),
            count,
            again_s: now.saturating_add(pause(count)).as_secs(),
            cause: cause.chars().take(CAUSE_CHARACTERS_MAX).collect(),
        }
        .write(host, wanted);
    }

    /// It went well.
    pub(crate) fn forget(host: &Host, wanted: &Wanted) {
        if Self::read(host, wanted) != Self::default() {
            Self::default().write(host, wanted);
        }
    }

    fn write(&self, host: &Host, wanted: &Wanted) {
        let text = serde_json::to_vec(self).unwrap_or_default();
        if let Err(error) = durable::write(&*host.fs, &wanted.folder.join(NAME), &text, 0o600) {
            warn!(%error, "cannot remember that no certificate could be had");
        }
    }
}

/// How long to wait after so many failures.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX)
}

const NAME: &str = "failures.json";
const OCTETS_MAX: u64 = 64 * 1024;
const CAUSE_CHARACTERS_MAX: usize = 500;
/// Authorities count failures by the hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5 * 60);
const PAUSE_MAX: Duration = Duration::from_secs(6 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_waits_longer_and_another_wish_does_not_wait() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::real();
        let wanted = Wanted {
            directory: "https://ca.example".to_owned(),
            contact: None,
            names: vec!["a.example".to_owned()],
            folder: folder.path().to_owned(),
        };
        let fresh = status(&host, &wanted);
        assert_eq!((fresh.ends, fresh.next, &fresh.failures), (None, UNIX_EPOCH, &None));
        let mut before = host.clock.wall();
        for count in 1..=8 {
            Failures::add(&host, &wanted, "no answer\nin time");
            let now = status(&host, &wanted);
            assert!(now.next > before || count == 8, "{count}");
            assert_eq!(now.failures, Some((count, "no answer\nin time".to_owned())));
            before = now.next;
        }
        let minutes: Vec<_> = (1..=9).map(|count| pause(count).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
        let other = Wanted { names: vec!["b.example".to_owned()], ..wanted.clone() };
        assert_eq!(status(&host, &other), fresh);
        Failures::forget(&host, &wanted);
        assert_eq!(status(&host, &wanted), fresh);
        let told = "there is no certificate yet; one is ordered as soon as the server runs";
        assert_eq!(fresh.to_string(), told);
    }
}
