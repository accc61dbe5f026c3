//! A Maildir opened for a session: the blocking side of a [`Maildrop`](restante_maildrop::Maildrop).
//!
//! In: message numbers and marks. Out: the fixed snapshot, bodies, one commit. Other programs may
//! rename and remove files meanwhile: a renamed message is followed, a removed one is
//! [`ReadError::Gone`], and no number ever moves.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use restante_host::{Fs, Host};
use restante_maildrop::{
    Body, CommitError, Marks, MessageNumber, OpenError, ReadError, Snapshot, Source,
};

use crate::index::Index;
use crate::listing::{self, Entry, Named};
use crate::lock::SessionLock;
use crate::maildir::{Maildir, nanoseconds};
use crate::name;
use crate::removal::{self, Target};
use crate::surrogates::{self, Surrogate};
use crate::trash::Trash;

/// What is done with messages beyond handing them out and removing them.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// Where removed messages go, unless they are gone.
    pub(crate) trash: Option<Trash>,
    /// A message whose header no blank line ends is sent, and counted, with one.
    pub(crate) adds_blank_lines: bool,
    /// It is known of each message whether it has a surrogate for clients without UTF-8.
    pub(crate) knows_surrogates: bool,
}

/// An open Maildir. Dropping it frees the lock and removes nothing.
#[derive(Debug)]
pub struct Session {
    host: Host,
    maildir: Maildir,
    policy: Policy,
    entries: Vec<Entry>,
    snapshot: Snapshot,
    /// Entries whose file was seen to have another size than was listed.
    changed: BTreeSet<usize>,
    lock: SessionLock,
}

impl Session {
    /// Locks the Maildir for other processes, finishes what a crash interrupted, and looks.
    ///
    /// `home` is the maildrop, of which the Maildir may be a folder.
    pub(crate) fn open(
        host: Host,
        maildir: Maildir,
        home: &Path,
        policy: Policy,
        mut lock: SessionLock,
    ) -> Result<Self, OpenError> {
        let fs = &*host.fs;
        let entries = match fs.stat(maildir.path()) {
            // Nothing to read and nothing to delete: created by the first delivery.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(open_error(error)),
            Ok(_) => {
                lock.lock_file(fs)?;
                let _turn = lock.turn(&host).map_err(open_error)?;
                removal::finish_interrupted(fs, &maildir, home).map_err(open_error)?;
                look(&host, &maildir, &policy).map_err(open_error)?
            }
        };
        let snapshot = listing::snapshot(&entries, policy.adds_blank_lines)
            .map_err(|full| OpenError::Permanent(io::Error::other(full)))?;
        let changed = BTreeSet::new();
        Ok(Self { host, maildir, policy, entries, snapshot, changed, lock })
    }

    /// The messages, fixed for the session.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Opens a message.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when another program removed it, [`ReadError::Changed`] when the size
    /// that was listed cannot be true any more.
    pub fn body(&mut self, number: MessageNumber) -> Result<Body, ReadError> {
        for _ in 0..RENAMES_MAX {
            let entry = self.entries.get(number.index()).ok_or(ReadError::Gone)?;
            let path = self.maildir.message(entry.place, &entry.name);
            match self.host.fs.open(&path) {
                Ok(file) => {
                    let octets = file.stat().map_err(ReadError::Temporary)?.octets;
                    if entry.file_octets.is_some_and(|listed| listed != octets) {
                        tracing::warn!(path = %path.display(), "a message changed its size");
                        self.doubt(number);
                        return Err(ReadError::Changed);
                    }
                    let lacks = self.policy.adds_blank_lines && entry.lacks_blank_line();
                    let body = Body::of_octets(Source::File(file), octets);
                    return Ok(body.with_blank_line(lacks));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(ReadError::Temporary(error)),
            }
            let before = (entry.place, entry.name.clone());
            // All at once: a program that moves new/ to cur/ has moved the next ones too.
            self.relocate().map_err(ReadError::Temporary)?;
            let entry = self.entries.get(number.index()).ok_or(ReadError::Gone)?;
            if before == (entry.place, entry.name.clone()) {
                return Err(ReadError::Gone);
            }
        }
        Err(ReadError::Temporary(io::Error::other("the message is renamed again and again")))
    }

    /// The messages that arrived before `time`: by their names, else by when the file was written.
    /// Those that another program moved or removed meanwhile are left to a later session.
    #[must_use]
    pub fn arrived_before(&self, time: SystemTime) -> Vec<MessageNumber> {
        let written = |entry: &Entry| {
            let stat = self.host.fs.stat(&self.maildir.message(entry.place, &entry.name));
            stat.ok().map(|stat| stat.modified)
        };
        let old = |number: &MessageNumber| {
            let entry = self.entries.get(number.index());
            let arrived = entry.and_then(|e| name::arrived(e.base()).or_else(|| written(e)));
            arrived.is_some_and(|arrived| arrived < time)
        };
        self.snapshot.numbers().filter(old).collect()
    }

    /// Removes the marked messages; once this returns `Ok` they are gone for good, or in the trash
    /// where there is one.
    ///
    /// # Errors
    /// [`CommitError`]: some of them may still be there; no other message was touched.
    pub fn commit(self, marks: &Marks) -> Result<(), CommitError> {
        let targets: Vec<_> = marks.iter().filter_map(|number| self.target(number)).collect();
        if targets.is_empty() {
            return Ok(());
        }
        let _turn = self.lock.turn(&self.host).map_err(CommitError::Temporary)?;
        removal::commit(&*self.host.fs, &self.maildir, &targets, self.policy.trash.as_ref())
    }

    /// Sees to it that the next session learns the message's size anew: nothing else would tell
    /// it, as a change in place leaves the directory as it was.
    fn doubt(&mut self, number: MessageNumber) {
        if !self.changed.insert(number.index()) {
            return;
        }
        let mut entries = self.entries.clone();
        for &index in &self.changed {
            if let Some(entry) = entries.get_mut(index) {
                entry.file_octets = None;
            }
        }
        match self.lock.turn(&self.host) {
            Ok(_turn) => Index::doubtful(entries).store(&*self.host.fs, &self.maildir),
            Err(error) => tracing::warn!(%error, "cannot write that a message changed"),
        }
    }

    fn relocate(&mut self) -> io::Result<()> {
        let fs = &*self.host.fs;
        let (found, _) = self.maildir.scan(fs)?;
        listing::relocate(fs, &self.maildir, &mut self.entries, found);
        Ok(())
    }

    fn target(&self, number: MessageNumber) -> Option<Target> {
        let index = number.index();
        let entry = self.entries.get(index)?;
        let shares = |neighbour: Option<usize>| {
            let neighbour = neighbour.and_then(|index| self.entries.get(index));
            neighbour.is_some_and(|neighbour| neighbour.base() == entry.base())
        };
        Some(Target {
            place: entry.place,
            name: entry.name.clone(),
            inode: entry.inode,
            alone: !shares(index.checked_sub(1)) && !shares(index.checked_add(1)),
            linked_twice: entry.linked_twice,
        })
    }
}

/// The messages that are there, from the index when nothing changed since it was written.
/// What the policy needs to know of each is known then.
fn look(host: &Host, maildir: &Maildir, policy: &Policy) -> io::Result<Vec<Entry>> {
    let fs: &dyn Fs = &*host.fs;
    let known = Index::load(fs, maildir);
    if let Some(index) = known {
        let knows = |entry: &Entry| {
            (!policy.adds_blank_lines || entry.blank_line.is_some())
                && (!policy.knows_surrogates || entry.surrogate != Surrogate::Unknown)
        };
        if index.entries.iter().all(knows) && index.is_current(maildir.stamps(fs)?) {
            return Ok(index.entries);
        }
        return look_again(host, maildir, index.entries, policy);
    }
    look_again(host, maildir, Vec::new(), policy)
}

/// Lists the Maildir, learns what is not `known`, and writes the index when that is worth it.
fn look_again(
    host: &Host,
    maildir: &Maildir,
    known: Vec<Entry>,
    policy: &Policy,
) -> io::Result<Vec<Entry>> {
    let fs: &dyn Fs = &*host.fs;
    let listed = nanoseconds(host.clock.wall());
    let (found, stamps) = maildir.scan(fs)?;
    let nothing = found.is_empty() && known.is_empty();
    let mut merged = listing::merge(fs, maildir, found, known)?;
    let entries = &mut merged.entries;
    if policy.adds_blank_lines && listing::look_for_blank_lines(fs, maildir, entries) {
        merged.unchanged = false;
    }
    if policy.knows_surrogates && surrogates::learn(fs, maildir, entries) {
        merged.unchanged = false;
    }
    let index = Index { listed, stamps, entries: merged.entries };
    // An index that says nothing new and will not be current either is not worth two syncs.
    if merged.certain && !nothing && (!merged.unchanged || index.is_current(stamps)) {
        index.store(fs, maildir);
    }
    Ok(index.entries)
}

/// Tells what somebody has to put right from what may pass.
pub(crate) fn open_error(error: io::Error) -> OpenError {
    use io::ErrorKind::{InvalidInput, NotADirectory, PermissionDenied};
    match error.kind() {
        PermissionDenied | NotADirectory | InvalidInput => OpenError::Permanent(error),
        _ => OpenError::Temporary(error),
    }
}

/// How often a message may be renamed while one `RETR` looks for it.
const RENAMES_MAX: usize = 4;
