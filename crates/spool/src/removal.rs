//! Removing messages for good, or to the trash: the commit journal.
//!
//! In: the messages to remove. The list is written to `restante-journal` and made durable, then
//! each file is removed or moved, then the directories are synced, then the journal goes. Out:
//! `Ok` once none of them could come back. A crash in between is finished when the maildrop is
//! opened next, and the same way: the journal says where they were to go.
//!
//! Only a commit that was not acknowledged leaves a journal, so one that cannot be read whole
//! deletes nothing and is dropped. All of this happens under the session lock, or in the turn of
//! a session that shares the maildrop.
//!
//! `journal = seal( [ folder(2+n) ] *target )`, `target = bits(1) inode(8) name(2+n)`; whether
//! there is a folder, the magic says.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use restante_host::{Fs, durable};
use restante_maildrop::CommitError;

use crate::maildir::{Maildir, Place};
use crate::name;
use crate::record::{Reader, Writer};
use crate::trash::Trash;

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
    trash: Option<&Trash>,
) -> Result<(), CommitError> {
    if targets.is_empty() {
        return Ok(());
    }
    // First: what cannot be moved must stay.
    trash.map_or(Ok(()), |trash| trash.create(fs)).map_err(CommitError::Temporary)?;
    let path = path(maildir);
    let written =
        encode(targets, trash).and_then(|journal| durable::write(fs, &path, &journal, MODE));
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
    let removed = remove(fs, maildir, targets, trash, Recognise::ByName);
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
/// What cannot be removed now is a message again: its removal was never acknowledged. `home` is
/// the maildrop whose folder the Maildir may be.
pub(crate) fn finish_interrupted(fs: &dyn Fs, maildir: &Maildir, home: &Path) -> io::Result<()> {
    let path = path(maildir);
    let contents = match durable::read(fs, &path, OCTETS_MAX) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Vec::new(),
        Err(error) => return Err(error),
    };
    match decode(&contents, home) {
        Some((targets, trash)) => {
            let messages = targets.len();
            let trash = trash.as_ref();
            let error = match trash.map_or(Ok(()), |trash| trash.create(fs)) {
                Ok(()) => remove(fs, maildir, &targets, trash, Recognise::ByInode).error,
                Err(error) => Some(error),
            };
            match error {
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

fn remove(
    fs: &dyn Fs,
    maildir: &Maildir,
    targets: &[Target],
    trash: Option<&Trash>,
    recognise: Recognise,
) -> Removed {
    let mut first_error = Ok(());
    let mut failed = 0_usize;
    let mut moved = HashSet::new();
    let mut elsewhere: HashMap<&[u8], Vec<&Target>> = HashMap::new();
    for target in targets {
        let path = maildir.message(target.place, &target.name);
        let removed = match recognise {
            Recognise::ByName => dispose(fs, &path, trash),
            Recognise::ByInode => match fs.stat(&path) {
                Ok(stat) if stat.identity.1 == target.inode => dispose(fs, &path, trash),
                Ok(_) => Err(io::ErrorKind::NotFound.into()),
                Err(error) => Err(error),
            },
        };
        match removed {
            Ok(()) if !target.linked_twice => continue,
            Ok(()) => _ = moved.insert(target.inode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                first_error = first_error.and(Err(error));
                failed = failed.saturating_add(1);
                continue;
            }
        }
        elsewhere.entry(name::base(&target.name)).or_default().push(target);
    }
    let followed = follow(fs, maildir, &elsewhere, trash, moved, recognise);
    if followed.is_err() {
        let missing: usize = elsewhere.values().map(Vec::len).sum();
        failed = failed.saturating_add(missing);
    }
    // The trash first, as a message may have two names rather than none. The others also for what
    // other programs removed: it is we who say that it is gone for good.
    let kept = trash.map_or(Ok(()), |trash| trash.sync(fs));
    let synced =
        [Place::New, Place::Cur].map(|place| match fs.sync_dir(&maildir.directory(place)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
    let [new, cur] = synced;
    let error = first_error.and(followed).and(kept).and(new).and(cur).err();
    Removed { messages: targets.len().saturating_sub(failed), error }
}

/// Removes messages that are not where they were: renamed for a flag, moved to `cur/`, or gone.
fn follow(
    fs: &dyn Fs,
    maildir: &Maildir,
    elsewhere: &HashMap<&[u8], Vec<&Target>>,
    trash: Option<&Trash>,
    mut moved: HashSet<u64>,
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
                // The trash keeps one name of each.
                let trash = trash.filter(|_| !moved.contains(&inode));
                match dispose(fs, &path, trash) {
                    Ok(()) => _ = moved.insert(inode),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
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

fn dispose(fs: &dyn Fs, path: &Path, trash: Option<&Trash>) -> io::Result<()> {
    trash.map_or_else(|| fs.unlink(path), |trash| trash.take(fs, path))
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

fn encode(targets: &[Target], trash: Option<&Trash>) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(if trash.is_some() { MAGIC_TRASH } else { MAGIC });
    if trash.is_some_and(|trash| !writer.bytes(trash.folder().as_bytes())) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
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

fn decode(contents: &[u8], home: &Path) -> Option<(Vec<Target>, Option<Trash>)> {
    let (mut reader, trash) = if let Some(reader) = Reader::open(contents, MAGIC) {
        (reader, None)
    } else {
        let mut reader = Reader::open(contents, MAGIC_TRASH)?;
        let folder = str::from_utf8(reader.bytes()?).ok()?;
        (reader, Some(Trash::new(home, folder)?))
    };
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
    Some((targets, trash))
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn path(maildir: &Maildir) -> PathBuf {
    maildir.path().join("restante-journal")
}

const MAGIC: [u8; 8] = *b"RSTDEL\x00\x01";
const MAGIC_TRASH: [u8; 8] = *b"RSTTRA\x00\x01";
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
        let home = Path::new("/home");
        let (back, trash) = decode(&encode(&targets, None).unwrap(), home).unwrap();
        assert_eq!((back.as_slice(), trash.is_none()), (&targets[..], true));
        let trash = Trash::new(home, "Trash");
        let (back, trash) = decode(&encode(&targets, trash.as_ref()).unwrap(), home).unwrap();
        assert_eq!(back, targets);
        assert_eq!(trash.unwrap().path(), Path::new("/home/.Trash"));
    }

    #[test]
    fn a_journal_leads_nowhere_else() {
        for name in ["../../x", "a/b", "", ".."] {
            let journal = encode(&[target(name)], None).unwrap();
            assert!(decode(&journal, Path::new("/home")).is_none(), "{name}");
        }
        for folder in ["../../x", "a/b", "", ".", "./x"] {
            let mut writer = Writer::new(MAGIC_TRASH);
            assert!(writer.bytes(folder.as_bytes()));
            assert!(decode(&writer.seal(), Path::new("/home")).is_none(), "{folder}");
        }
    }
}
