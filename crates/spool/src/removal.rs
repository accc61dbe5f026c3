//! Removing messages for good: the commit journal.
//!
//! In: the messages to remove. The list is written to `restante-journal` and made durable, then
//! each file is removed, then the directories are synced, then the journal goes. Out: `Ok` once
//! none of them could come back. A crash in between is finished when the maildrop is opened next.
//!
//! Only a commit that was not acknowledged leaves a journal, so one that cannot be read whole
//! deletes nothing and is dropped. All of this happens under the session lock.
//!
//! `journal = seal( *target )`, `target = bits(1) inode(8) name(2+n)`.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use restante_host::{Fs, durable};
use restante_maildrop::CommitError;

use crate::maildir::{Maildir, Place};
use crate::name;
use crate::record::{Reader, Writer};

/// A message to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where and under which name it was last seen.
    pub(crate) place: Place,
    pub(crate) name: Box<[u8]>,
    pub(crate) inode: u64,
    /// No other message has the base name, so whatever file has it is this one.
    pub(crate) alone: bool,
    /// The file has a second name.
    pub(crate) linked_twice: bool,
}

/// Removes the messages. `Ok` means they are gone for good.
pub(crate) fn commit(
    fs: &dyn Fs,
    maildir: &Maildir,
    targets: &[Target],
) -> Result<(), CommitError> {
    if targets.is_empty() {
        return Ok(());
    }
    let path = path(maildir);
    let written = encode(targets).and_then(|journal| durable::write(fs, &path, &journal, MODE));
    match written {
        Ok(()) => {}
        // Who deletes to make room must be able to. Without the journal a crash may leave some
        // of the messages, and the client knows that it was not told otherwise.
        Err(error) if is_full(&error) => {
            tracing::warn!(path = %path.display(), %error, "removing messages without a journal");
        }
        Err(error) => {
            // Should it be there all the same, it must not delete what the answer will say stayed.
            let _ = fs.unlink(&path);
            return Err(CommitError::Temporary(error));
        }
    }
    let removed = remove(fs, maildir, targets, Recognise::ByName);
    drop_journal(fs, maildir);
    match removed {
        Removed { error: None, .. } => Ok(()),
        Removed { messages: 0, error: Some(error) } => Err(CommitError::Temporary(error)),
        Removed { messages, error: Some(source) } => {
            Err(CommitError::Partial { removed: messages, source })
        }
    }
}

/// Finishes a commit that a crash interrupted.
///
/// What cannot be removed now is a message again: its removal was never acknowledged.
pub(crate) fn finish_interrupted(fs: &dyn Fs, maildir: &Maildir) -> io::Result<()> {
    let path = path(maildir);
    let contents = match durable::read(fs, &path, OCTETS_MAX) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Vec::new(),
        Err(error) => return Err(error),
    };
    match decode(&contents) {
        Some(targets) => {
            let messages = targets.len();
            match remove(fs, maildir, &targets, Recognise::ByInode).error {
                None => {
                    tracing::info!(path = %path.display(), messages, "finished a commit");
                }
                Some(error) => {
                    tracing::warn!(path = %path.display(), %error, "cannot finish a commit");
                }
            }
        }
        None => tracing::warn!(path = %path.display(), "dropped a damaged commit journal"),
    }
    drop_journal(fs, maildir);
    Ok(())
}

/// What makes a file the one to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recognise {
    /// Its name: the session has just seen it.
    ByName,
    /// Also its inode: the journal may have come out of a backup together with the messages.
    ByInode,
}

/// What became of the targets.
#[derive(Debug)]
struct Removed {
    /// How many are gone for certain, though perhaps not for good.
    messages: usize,
    error: Option<io::Error>,
}

fn remove(fs: &dyn Fs, maildir: &Maildir, targets: &[Target], recognise: Recognise) -> Removed {
    let mut first_error = Ok(());
    let mut failed = 0_usize;
    let mut elsewhere: HashMap<&[u8], Vec<&Target>> = HashMap::new();
    for target in targets {
        let path = maildir.message(target.place, &target.name);
        let removed = match recognise {
            Recognise::ByName => fs.unlink(&path),
            Recognise::ByInode => match fs.stat(&path) {
                Ok(stat) if stat.identity.1 == target.inode => fs.unlink(&path),
                Ok(_) => Err(io::ErrorKind::NotFound.into()),
                Err(error) => Err(error),
            },
        };
        match removed {
            Ok(()) if !target.linked_twice => continue,
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                first_error = first_error.and(Err(error));
                failed = failed.saturating_add(1);
                continue;
            }
        }
        elsewhere.entry(name::base(&target.name)).or_default().push(target);
    }
    let followed = follow(fs, maildir, &elsewhere, recognise);
    if followed.is_err() {
        let missing: usize = elsewhere.values().map(Vec::len).sum();
        failed = failed.saturating_add(missing);
    }
    // Also for what others removed: it is we who say that it is gone for good.
    let synced =
        [Place::New, Place::Cur].map(|place| match fs.sync_dir(&maildir.directory(place)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
    let [new, cur] = synced;
    let error = first_error.and(followed).and(new).and(cur).err();
    Removed { messages: targets.len().saturating_sub(failed), error }
}

/// Removes messages that are not where they were: renamed for a flag, moved to `cur/`, or gone.
fn follow(
    fs: &dyn Fs,
    maildir: &Maildir,
    elsewhere: &HashMap<&[u8], Vec<&Target>>,
    recognise: Recognise,
) -> io::Result<()> {
    if elsewhere.is_empty() {
        return Ok(());
    }
    let mut missed = false;
    for _ in 0..ROUNDS_MAX {
        let mut seen = false;
        let (found, _) = maildir.scan(fs)?;
        for file in found {
            let Some(targets) = elsewhere.get(name::base(&file.name)) else { continue };
            let path = maildir.message(file.place, &file.name);
            let inode = match fs.stat(&path) {
                Ok(stat) => stat.identity.1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    seen = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let named = |target: &&Target| target.alone && recognise == Recognise::ByName;
            if targets.iter().any(|target| target.inode == inode || named(target)) {
                seen = true;
                match fs.unlink(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        if !seen && missed {
            return Ok(());
        }
        // A name that changes while its directory is read may be missed once, hardly twice.
        missed = !seen;
    }
    Err(io::Error::other("messages are renamed faster than they can be removed"))
}

fn drop_journal(fs: &dyn Fs, maildir: &Maildir) {
    let path = path(maildir);
    let dropped = fs.unlink(&path).and_then(|()| fs.sync_dir(maildir.path()));
    match dropped {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            // It will be finished again, and find nothing left to do.
            tracing::warn!(path = %path.display(), %error, "cannot remove the commit journal");
        }
        _ => {}
    }
}

fn encode(targets: &[Target]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(MAGIC);
    for target in targets {
        let bits = [
            (target.place == Place::Cur, IN_CUR),
            (target.alone, ALONE),
            (target.linked_twice, LINKED_TWICE),
        ];
        writer.u8(bits.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit));
        writer.u64(target.inode);
        if !writer.bytes(&target.name) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
    }
    Ok(writer.seal())
}

fn decode(contents: &[u8]) -> Option<Vec<Target>> {
    let mut reader = Reader::open(contents, MAGIC)?;
    let mut targets = Vec::new();
    while !reader.is_done() {
        let bits = reader.u8()?;
        let inode = reader.u64()?;
        let name = reader.bytes().filter(|name| name::is_message(name))?;
        targets.push(Target {
            place: if bits & IN_CUR == 0 { Place::New } else { Place::Cur },
            name: name.into(),
            inode,
            alone: bits & ALONE != 0,
            linked_twice: bits & LINKED_TWICE != 0,
        });
    }
    Some(targets)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn path(maildir: &Maildir) -> PathBuf {
    maildir.path().join("restante-journal")
}

const MAGIC: [u8; 8] = *b"RSTDEL\x00\x01";
const IN_CUR: u8 = 1;
const ALONE: u8 = 2;
const LINKED_TWICE: u8 = 4;
/// How often a message may be renamed under our hands before the commit gives up.
const ROUNDS_MAX: usize = 8;
/// More than a million messages. It is read into memory, and its owner can make it large.
const OCTETS_MAX: u64 = 128 << 20;
const MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        let name = name.as_bytes().into();
        Target { place: Place::Cur, name, inode: 5, alone: true, linked_twice: false }
    }

    #[test]
    fn a_journal_comes_back_as_it_was() {
        let targets = [target("1.a:2,S"), Target { place: Place::New, ..target("2.b") }];
        assert_eq!(decode(&encode(&targets).unwrap()).unwrap(), targets);
    }

    #[test]
    fn a_journal_leads_nowhere_else() {
        for name in ["../../x", "a/b", "", ".."] {
            assert_eq!(decode(&encode(&[target(name)]).unwrap()), None, "{name}");
        }
    }
}
