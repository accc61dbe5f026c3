//! What the owner of a Maildir has done with messages that were stored there.
//!
//! In: the base names they were stored under. Out: whether each is still there, in any folder of
//! the Maildir; whether it is there as a deleted one, flagged T or in a trash folder; or whether it
//! is gone. A message is known by the key in its name or, without one, by its base name. Fails if
//! any folder cannot be read: a message might be in there.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use restante_host::Fs;
use restante_maildrop::{Fate, MessageKey};

use crate::maildir::{Maildir, Place};
use crate::name;

/// Tells the fate of each of `names`; `None` if there is no Maildir.
pub(crate) fn tell(
    fs: &dyn Fs,
    maildir: &Maildir,
    names: &[String],
) -> io::Result<Option<Vec<Fate>>> {
    for place in [Place::New, Place::Cur] {
        match fs.stat(&maildir.directory(place)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => drop(other?),
        }
    }
    let mut seen = HashMap::new();
    // A message that moves from a folder that is still to be read to one that was read already
    // is missed, but not twice.
    for _ in 0..2 {
        survey(fs, maildir.path(), &mut seen)?;
    }
    let fate = |name: &String| seen.get(&Identity::of(name.as_bytes())).copied();
    Ok(Some(names.iter().map(|name| fate(name).unwrap_or(Fate::Absent)).collect()))
}

/// What a message is known by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Identity {
    Key(MessageKey),
    Base(Box<[u8]>),
}

impl Identity {
    fn of(name: &[u8]) -> Self {
        let base = name::base(name);
        name::key(base).map_or_else(|| Self::Base(base.into()), Self::Key)
    }
}

fn survey(fs: &dyn Fs, root: &Path, seen: &mut HashMap<Identity, Fate>) -> io::Result<()> {
    let mut folders = vec![(root.to_owned(), false, 0)];
    let mut count = 0;
    while let Some((path, is_trash, depth)) = folders.pop() {
        count += 1;
        if count > FOLDERS_MAX {
            return Err(io::Error::other("the Maildir has too many folders"));
        }
        let (messages, _) = Maildir::new(path.clone()).scan(fs)?;
        for message in messages {
            let discarded = is_trash || is_flagged(&message.name);
            let fate = if discarded { Fate::Discarded } else { Fate::Kept };
            // A copy that is kept counts for more than one that is not.
            seen.entry(Identity::of(&message.name))
                .and_modify(|known| {
                    if fate == Fate::Kept {
                        *known = fate;
                    }
                })
                .or_insert(fate);
        }
        if depth < DEPTH_MAX {
            for (folder, name) in subfolders(fs, &path)? {
                folders.push((folder, is_trash || is_trash_name(&name), depth + 1));
            }
        }
    }
    Ok(())
}

/// Folders beside `new/` and `cur/`: `.Archive` as Maildir++ has it, and `Archive`.
fn subfolders(fs: &dyn Fs, path: &Path) -> io::Result<Vec<(PathBuf, OsString)>> {
    let mut names = Vec::new();
    fs.read_dir(path, &mut |name| {
        if !["new", "cur", "tmp"].iter().any(|own| name == *own) {
            names.push(name.to_owned());
        }
    })?;
    let mut folders = Vec::new();
    for name in names {
        let folder = path.join(&name);
        // A link may lead to a folder as well.
        let is_folder = match fs.stat(&folder) {
            Ok(stat) if stat.is_dir => true,
            Ok(stat) if stat.is_file => false,
            Ok(_) => match fs.read_dir(&folder, &mut |_| {}) {
                Ok(()) => true,
                Err(error) => match error.kind() {
                    io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => false,
                    _ => return Err(error),
                },
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if is_folder {
            folders.push((folder, name));
        }
    }
    Ok(folders)
}

fn is_flagged(name: &[u8]) -> bool {
    let flags = name.get(name::base(name).len()..).and_then(|rest| rest.strip_prefix(b":2,"));
    flags.is_some_and(|flags| flags.contains(&b'T'))
}

fn is_trash_name(name: &OsString) -> bool {
    let mut levels = name.as_bytes().split(|&byte| byte == b'.');
    levels.any(|level| TRASHES.iter().any(|trash| level.eq_ignore_ascii_case(trash)))
}

/// What mail programs call the folder.
const TRASHES: [&[u8]; 4] = [b"Trash", b"Deleted", b"Deleted Items", b"Deleted Messages"];
const DEPTH_MAX: u32 = 8;
/// Links may lead round in circles.
const FOLDERS_MAX: u32 = 10_000;
