//! How an account stands: its last runs and what is known of its messages.
//!
//! In: the ledger, and what the last run left in the file `runs` beside it (JSON, replaced as a
//! whole). Out: a [`Status`]. The file is for people: nothing is decided by it, and a run that
//! cannot write it has done its work all the same.

use std::io;
use std::path::Path;

use restante_host::{Fs, durable};
use serde::{Deserialize, Serialize};

use crate::entry::State;
use crate::ledger::Ledger;
use crate::{Account, Report};

/// How an account stands. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The account's name.
    pub account: String,
    /// The server, as `host:port`.
    pub server: String,
    /// Another run is at it; its messages cannot be counted then.
    pub running: bool,
    /// When a run last collected everything that could be.
    pub last_good: Option<u64>,
    /// The last run, whatever came of it.
    pub last_run: Option<LastRun>,
    /// What is known of its messages.
    pub messages: Option<Counts>,
    /// The messages that failed, in the order of their ids.
    pub set_aside: Vec<SetAside>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LastRun {
    /// When it ended.
    pub ended: u64,
    /// Messages it stored.
    pub fetched: u64,
    /// Messages the server confirmed to have deleted.
    pub deleted: u64,
    /// Messages that stayed on the server because the account says so.
    pub left: u64,
    /// Messages that could not be collected.
    pub failed: u64,
    /// Messages that are larger than the account takes.
    pub too_large: u64,
    /// Why it did not come to its end.
    pub error: Option<String>,
    /// Whether the next run may well succeed with nothing changed.
    pub temporary: bool,
}

/// How many messages are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Stored here, and still on the server as far as is known.
    pub stored: u64,
    /// Stored here and gone from the server, remembered for a while.
    pub gone: u64,
    /// Failed, and to be tried again at their time.
    pub waiting: u64,
}

/// A message that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetAside {
    /// Its unique-id, with what is not printable in ASCII escaped.
    pub unique_id: String,
    /// How often it failed.
    pub attempts: u32,
    /// Why, the last time.
    pub reason: Option<String>,
    /// When it is tried again.
    pub next_try: u64,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Runs {
    #[serde(default)]
    last_good: Option<u64>,
    #[serde(default)]
    last_run: Option<LastRun>,
}

impl Status {
    pub(crate) fn new(account: &Account) -> Self {
        let Report { account, server, .. } = Report::new(account);
        Self { account, server, ..Self::default() }
    }

    /// Adds what the file in `folder` says of the last runs.
    pub(crate) fn read_runs(&mut self, fs: &dyn Fs, folder: &Path) -> io::Result<()> {
        let Runs { last_good, last_run } = read(fs, folder)?;
        (self.last_good, self.last_run) = (last_good, last_run);
        Ok(())
    }

    /// Adds what the ledger says of messages.
    pub(crate) fn count(&mut self, ledger: &Ledger) {
        let mut counts = Counts::default();
        for (id, entry) in ledger.entries() {
            match entry.state {
                State::Stored | State::DeleteSent => counts.stored += 1,
                State::Gone => counts.gone += 1,
                State::Failed => {
                    counts.waiting += 1;
                    self.set_aside.push(SetAside {
                        unique_id: id.unique_id.escape_ascii().to_string(),
                        attempts: entry.attempts,
                        reason: entry.reason.clone(),
                        next_try: entry.next_try,
                    });
                }
            }
        }
        self.messages = Some(counts);
    }
}

/// Notes in `folder` how a run ended.
pub(crate) fn note(fs: &dyn Fs, folder: &Path, report: &Report, now: u64) -> io::Result<()> {
    // A file that cannot be read is no reason to keep it.
    let mut runs = read(fs, folder).unwrap_or_default();
    if report.is_success() {
        runs.last_good = Some(now);
    }
    runs.last_run = Some(LastRun {
        ended: now,
        fetched: report.fetched,
        deleted: report.deleted,
        left: report.left,
        failed: report.failed,
        too_large: report.too_large,
        error: report.error.clone(),
        temporary: report.temporary,
    });
    let contents = serde_json::to_vec(&runs).map_err(io::Error::other)?;
    fs.create_dir_all(folder, FOLDER_MODE)?;
    durable::write(fs, &folder.join(NAME), &contents, MODE)
}

fn read(fs: &dyn Fs, folder: &Path) -> io::Result<Runs> {
    match durable::read(fs, &folder.join(NAME), OCTETS_MAX) {
        Ok(contents) => serde_json::from_slice(&contents)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Runs::default()),
        Err(error) => Err(error),
    }
}

const NAME: &str = "runs";
const MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
/// Two numbers and one line; more is not ours.
const OCTETS_MAX: u64 = 64 * 1024;
