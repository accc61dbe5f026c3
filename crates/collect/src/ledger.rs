//! An account's ledger: what was collected, durable, and locked against a second run.
//!
//! In: entries, staged and then flushed in one durable write. Out: entries by message. Nothing
//! here is keyed on message numbers, which mean nothing in the next session. Kept as a
//! [`Journal`] of JSON records, compacted at opening when most of them are out of date.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use restante_host::journal::Journal;
use restante_host::{Host, Lock};
use tokio::task::spawn_blocking;

use crate::account::DAY_S;
use crate::entry::{self, Entry, State};
use crate::key::{Hash, MessageId};

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// `None` while a flush is under way, and for ever when one was given up.
    journal: Option<Journal>,
    entries: BTreeMap<MessageId, Entry>,
    staged: Vec<Vec<u8>>,
    _lock: Box<dyn Lock>,
}

/// The ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another run is at this account.
    #[error("another run is collecting this account")]
    Locked,
    /// It cannot be read.
    #[error("cannot open the record of what was collected in {}", folder.display())]
    Open {
        /// The account's folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write down what was collected")]
    Write(#[source] io::Error),
}

impl Ledger {
    /// Opens the ledger in `folder`, creating it when it is missing.
    pub(crate) async fn open(host: &Host, folder: &Path) -> Result<Self, LedgerError> {
        let (host, path) = (host.clone(), folder.to_owned());
        spawn_blocking(move || Self::open_now(&host, &path))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic).into()))
            .map_err(|error| match error {
                OpenError::Locked => LedgerError::Locked,
                OpenError::Io(source) => LedgerError::Open { folder: folder.to_owned(), source },
            })
    }

    fn open_now(host: &Host, folder: &Path) -> Result<Self, OpenError> {
        let fs = &*host.fs;
        fs.create_dir_all(folder, FOLDER_MODE)?;
        let Some(mut lock) = fs.try_lock(&folder.join("lock"))? else {
            return Err(OpenError::Locked);
        };
        // For people who look what holds it; the lock itself does not need it.
        let _ = lock.describe(&format!("process {}\n", std::process::id()));
        let mut entries = BTreeMap::new();
        let mut records = 0_usize;
        let mut journal = Journal::open(fs, &folder.join("ledger"), &mut |record| {
            let (id, entry) = entry::decode(record)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            records += 1;
            match entry {
                Some(entry) => entries.insert(id, entry),
                None => entries.remove(&id),
            };
            Ok(())
        })?;
        // The folder's own name must survive as long as what is in it.
        if let Some(parent) = folder.parent() {
            fs.sync_dir(parent)?;
        }
        if records > 2 * entries.len() + COMPACT_RECORDS_MIN {
            let whole: Result<Vec<_>, _> =
                entries.iter().map(|(id, entry)| entry::encode(id, Some(entry))).collect();
            let whole = whole.map_err(io::Error::other)?;
            journal = journal.rewrite(fs, whole.iter().map(Vec::as_slice))?;
        }
        Ok(Self { journal: Some(journal), entries, staged: Vec::new(), _lock: lock })
    }

    pub(crate) fn entry(&self, id: &MessageId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// The entries of all messages that had this unique-id.
    pub(crate) fn with_unique_id(
        &self,
        unique_id: &[u8],
    ) -> impl Iterator<Item = (&MessageId, &Entry)> {
        let first = MessageId::unique(unique_id);
        self.entries
            .range(first.clone()..)
            .take_while(move |(id, _)| id.unique_id == first.unique_id)
    }

    /// The messages that had this unique-id and hold exactly these octets, copies one by one.
    pub(crate) fn with_content(
        &self,
        unique_id: &[u8],
        sha256: Hash,
    ) -> impl Iterator<Item = (&MessageId, &Entry)> {
        self.with_unique_id(unique_id).filter(move |(_, entry)| entry.sha256 == Some(sha256))
    }

    /// All entries, in the order of their ids.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&MessageId, &Entry)> {
        self.entries.iter()
    }

    /// How many messages with an id are stored here and should be listed by the server.
    pub(crate) fn expected(&self) -> usize {
        let has_id = |id: &MessageId| !id.unique_id.is_empty();
        // What another collector fetched may have been deleted long ago.
        let is_kept = |e: &Entry| e.state == State::Stored && e.imported.is_none();
        self.entries.iter().filter(|(id, e)| has_id(id) && is_kept(e)).count()
    }

    /// Whether a listing of so many messages is more likely a sick server than a maildrop.
    pub(crate) fn is_shortened(&self, listed: usize) -> bool {
        listed == 0 || listed < self.expected() / 2
    }

    /// Whether any message was known by a unique-id.
    pub(crate) fn knows_unique_ids(&self) -> bool {
        self.entries.keys().any(|id| !id.unique_id.is_empty())
    }

    /// Notes an entry; [`Ledger::flush`] makes it durable.
    pub(crate) fn stage(&mut self, id: MessageId, entry: Entry) -> Result<(), LedgerError> {
        self.staged.push(entry::encode(&id, Some(&entry)).map_err(write_error)?);
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Changes an entry that is there.
    pub(crate) fn change(
        &mut self,
        id: &MessageId,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), LedgerError> {
        let Some(mut entry) = self.entries.get(id).cloned() else { return Ok(()) };
        change(&mut entry);
        self.stage(id.clone(), entry)
    }

    /// Takes what has failed as due now. Only this run sees that; what fails again waits again.
    pub(crate) fn hurry(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| entry.state == State::Failed) {
            entry.next_try = 0;
        }
    }

    /// Drops an entry.
    pub(crate) fn forget(&mut self, id: &MessageId) -> Result<(), LedgerError> {
        self.staged.push(entry::encode(id, None).map_err(write_error)?);
        self.entries.remove(id);
        Ok(())
    }

    /// How many entries wait for [`Ledger::flush`].
    pub(crate) fn staged(&self) -> usize {
        self.staged.len()
    }

    /// Returns once what was staged would survive a power cut.
    pub(crate) async fn flush(&mut self) -> Result<(), LedgerError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let mut journal = self
            .journal
            .take()
            .ok_or_else(|| LedgerError::Write(io::Error::other("an earlier write was given up")))?;
        let staged = std::mem::take(&mut self.staged);
        let written = spawn_blocking(move || {
            let written = journal.append(staged.iter().map(Vec::as_slice));
            (journal, written)
        });
        let (journal, written) =
            written.await.map_err(|panic| LedgerError::Write(io::Error::other(panic)))?;
        self.journal = Some(journal);
        written.map_err(LedgerError::Write)
    }

    /// Settles what a listing tells of messages that are not in it, and forgets what was gone long
    /// enough. An empty or much shorter listing is more likely a sick server than an empty
    /// maildrop, so it counts for nothing. Stages only; call it once a session.
    pub(crate) fn settle(&mut self, listed: &[Bytes], now: u64) -> Result<(), LedgerError> {
        let listed: HashSet<&[u8]> = listed.iter().map(AsRef::as_ref).collect();
        let good = !self.is_shortened(listed.len());
        let (mut changed, mut dropped) = (Vec::new(), Vec::new());
        for (id, entry) in &self.entries {
            let is_listed = listed.contains(&*id.unique_id);
            match (&entry.state, is_listed) {
                (State::Gone | State::DeleteSent, false)
                    if now.saturating_sub(entry.changed) >= TOMBSTONE_DAYS * DAY_S =>
                {
                    dropped.push(id.clone());
                }
                // Without unique-ids a listing tells nothing about a certain message.
                _ if id.unique_id.is_empty() => {}
                (State::DeleteSent, false) => {
                    let mut entry = entry.clone();
                    entry.enter(State::Gone, now);
                    changed.push((id.clone(), entry));
                }
                (State::Stored | State::Failed, false) if good => {
                    let mut entry = entry.clone();
                    if entry.absent == 0 {
                        entry.absent_since = now;
                    }
                    let absent_s = now.saturating_sub(entry.absent_since);
                    if entry.absent >= ABSENT_SESSIONS && absent_s >= ABSENT_DAYS * DAY_S {
                        dropped.push(id.clone());
                    } else if entry.absent < ABSENT_SESSIONS {
                        entry.absent += 1;
                        changed.push((id.clone(), entry));
                    }
                }
                (_, true) if entry.absent > 0 => {
                    changed
                        .push((id.clone(), Entry { absent: 0, absent_since: 0, ..entry.clone() }));
                }
                _ => {}
            }
        }
        for (id, entry) in changed {
            self.stage(id, entry)?;
        }
        for id in dropped {
            self.forget(&id)?;
        }
        Ok(())
    }
}

enum OpenError {
    Locked,
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn write_error(error: serde_json::Error) -> LedgerError {
    LedgerError::Write(error.into())
}

const FOLDER_MODE: u32 = 0o700;
/// A ledger this small is not worth rewriting.
const COMPACT_RECORDS_MIN: usize = 1000;
const ABSENT_SESSIONS: u32 = 3;
const ABSENT_DAYS: u64 = 30;
/// A server restored from a backup may list again what was deleted.
const TOMBSTONE_DAYS: u64 = 90;

#[cfg(test)]
mod tests {
    use super::*;

    async fn open(folder: &Path) -> Ledger {
        Ledger::open(&Host::real(), folder).await.unwrap()
    }

    fn stored(now: u64) -> Entry {
        Entry { sha256: Some([1; 32]), ..Entry::new(State::Stored, Some(10), now) }
    }

    #[tokio::test]
    async fn entries_survive_and_the_lock_keeps_a_second_run_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("account");
        let mut ledger = open(&folder).await;
        let second = Ledger::open(&Host::real(), &folder).await;
        assert!(matches!(second, Err(LedgerError::Locked)));
        let id = MessageId::unique(b"a");
        for round in 0..=1200 {
            ledger.stage(id.clone(), stored(round)).unwrap();
        }
        assert_eq!(ledger.staged(), 1201);
        ledger.flush().await.unwrap();
        ledger.stage(MessageId::unique(b"never flushed"), stored(0)).unwrap();
        drop(ledger);
        let long = std::fs::metadata(folder.join("ledger")).unwrap().len();
        let ledger = open(&folder).await;
        assert_eq!(ledger.entries.len(), 1);
        assert_eq!(ledger.entry(&id).map(|entry| entry.first_seen), Some(1200));
        let short = std::fs::metadata(folder.join("ledger")).unwrap().len();
        assert!(short * 100 < long, "{short} {long}");
        drop(ledger);
        assert_eq!(open(&folder).await.entry(&id).map(|entry| entry.first_seen), Some(1200));
    }

    #[tokio::test]
    async fn only_long_absence_in_good_sessions_forgets_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path()).await;
        let ids: Vec<_> = ["a", "b", "c", "d"].map(Bytes::from).into();
        for id in &ids {
            ledger.stage(MessageId::unique(id), stored(0)).unwrap();
        }
        let gone = MessageId::unique(b"a");
        for round in 0..100 {
            ledger.settle(&[], round * DAY_S).unwrap();
            ledger.settle(&ids[..1], round * DAY_S).unwrap();
        }
        assert_eq!(ledger.entries.len(), 4);
        assert_eq!(ledger.entry(&gone).map(|entry| entry.absent), Some(0));
        for (day, kept) in [(0, true), (10, true), (20, true), (29, true), (30, false)] {
            ledger.settle(&ids[1..], day * DAY_S).unwrap();
            assert_eq!(ledger.entry(&gone).is_some(), kept, "day {day}");
        }
        // Seen once in between, it begins again.
        let gone = MessageId::unique(b"b");
        for day in [0, 1, 2, 3, 4] {
            ledger.settle(&ids[2..], day * DAY_S).unwrap();
        }
        ledger.settle(&ids[1..], 50 * DAY_S).unwrap();
        ledger.settle(&ids[2..], 51 * DAY_S).unwrap();
        assert_eq!(ledger.entry(&gone).map(|entry| entry.absent), Some(1));
    }

    #[tokio::test]
    async fn what_was_deleted_is_remembered_for_ninety_days() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path()).await;
        let id = MessageId::unique(b"a");
        ledger.stage(id.clone(), Entry::new(State::DeleteSent, None, 0)).unwrap();
        // The answer to QUIT was lost; the listing answers it.
        ledger.settle(&[], DAY_S).unwrap();
        assert_eq!(ledger.entry(&id).map(|entry| entry.state), Some(State::Gone));
        ledger.settle(&[], 90 * DAY_S).unwrap();
        assert!(ledger.entry(&id).is_some());
        ledger.settle(&[], 91 * DAY_S).unwrap();
        assert!(ledger.entry(&id).is_none());
        ledger.flush().await.unwrap();
        drop(ledger);
        assert!(open(folder.path()).await.entry(&id).is_none());
    }
}
