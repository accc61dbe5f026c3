//! Where deleted messages go when they are not to be gone: a Maildir++ folder of the maildrop.
//!
//! In: the paths of messages. Out: the same files in the folder's `cur/`, under their base names
//! (so that they keep their unique-ids) and with the flag S. Fails as the system calls do; a
//! message that could not be moved is where it was.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use restante_host::{Fs, durable};

use crate::maildir::{Maildir, Place};
use crate::name;

/// The folder of one maildrop.
#[derive(Debug, Clone)]
pub(crate) struct Trash {
    home: PathBuf,
    folder: String,
    maildir: Maildir,
}

impl Trash {
    /// The folder of that name in the maildrop at `home`; `None` when the name leads elsewhere.
    pub(crate) fn new(home: &Path, folder: &str) -> Option<Self> {
        let leads_elsewhere = folder.contains(['/', '\0']) || folder.starts_with('.');
        if folder.is_empty() || leads_elsewhere {
            return None;
        }
        let maildir = Maildir::new(home.join(format!(".{folder}")));
        Some(Self { home: home.to_owned(), folder: folder.to_owned(), maildir })
    }

    /// Its name without the dot.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.maildir.path()
    }

    /// Creates what is missing of it, durably.
    pub(crate) fn create(&self, fs: &dyn Fs) -> io::Result<()> {
        self.maildir.create(fs, &self.home)?;
        // Tells a folder from a maildrop of its own (Maildir++); some deliverers look for it.
        match fs.create_new(&self.path().join("maildirfolder"), MARK_MODE) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Moves a message here; it is durable after [`Trash::sync`].
    pub(crate) fn take(&self, fs: &dyn Fs, message: &Path) -> io::Result<()> {
        let old = message.file_name().unwrap_or_default().as_bytes();
        let names = (0..NAMES_MAX).map(|copy| {
            let name = name::discarded(old, copy);
            self.maildir.directory(Place::Cur).join(OsStr::from_bytes(&name))
        });
        durable::move_to(fs, message, names)
    }

    /// Makes what was moved here durable.
    pub(crate) fn sync(&self, fs: &dyn Fs) -> io::Result<()> {
        fs.sync_dir(&self.maildir.directory(Place::Cur))
    }
}

/// A name is taken when another message of that name was moved here before.
const NAMES_MAX: u32 = 16;
const MARK_MODE: u32 = 0o600;
