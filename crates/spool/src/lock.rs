//! The session lock of RFC 1939 section 4: one session a maildrop, in this process and beside it.
//!
//! A table keeps sessions of this process apart and knows their holders exactly; an flock on
//! `restante-lock` keeps other processes out. The system frees an flock with its holder, so a
//! killed process keeps nobody out; the file itself stays, as removing it would let two processes
//! lock two files of one name.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use restante_host::{Fs, Lock, durable};
use restante_maildrop::OpenError;

use crate::maildir::Maildir;
use crate::session::open_error;

/// The maildrops that sessions of this process hold, and what the holders are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locks {
    held: Arc<Mutex<HashMap<PathBuf, String>>>,
}

/// A maildrop is ours. Dropping it frees the maildrop.
#[derive(Debug)]
pub(crate) struct SessionLock {
    // The order of the fields matters: once the table has no entry, the file must be free.
    file: Option<Box<dyn Lock>>,
    entry: Entry,
}

#[derive(Debug)]
struct Entry {
    locks: Locks,
    path: PathBuf,
}

impl Locks {
    /// Takes a maildrop from the other sessions of this process; [`SessionLock::lock_file`] has to
    /// follow before its mail is looked at.
    pub(crate) fn take(&self, maildir: &Maildir, holder: &str) -> Result<SessionLock, OpenError> {
        let path = maildir.path().to_owned();
        let mut held = self.held();
        if let Some(holder) = held.get(&path) {
            return Err(OpenError::InUse { holder: Some(holder.clone()) });
        }
        let holder = printable(&format!("process {}, {holder}", std::process::id()));
        held.insert(path.clone(), holder);
        drop(held);
        Ok(SessionLock { file: None, entry: Entry { locks: self.clone(), path } })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<PathBuf, String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionLock {
    /// Takes the maildrop from other processes.
    pub(crate) fn lock_file(&mut self, fs: &dyn Fs) -> Result<(), OpenError> {
        let path = self.entry.path.join(LOCK_FILE);
        match fs.try_lock(&path) {
            Ok(Some(mut file)) => {
                let holder = self.entry.locks.held().get(&self.entry.path).cloned();
                if let Err(error) = file.describe(&holder.unwrap_or_default()) {
                    // A full disk must not keep anybody from deleting mail.
                    tracing::debug!(path = %path.display(), %error, "cannot write the lock's text");
                }
                self.file = Some(file);
                Ok(())
            }
            Ok(None) => Err(OpenError::InUse { holder: described(fs, &path) }),
            // Nobody can delete anything there, so reading needs no lock.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
            Err(error) => Err(open_error(error)),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.locks.held().remove(&self.path);
    }
}

fn described(fs: &dyn Fs, path: &std::path::Path) -> Option<String> {
    let text = durable::read(fs, path, HOLDER_FILE_OCTETS_MAX).ok()?;
    let text = printable(&String::from_utf8_lossy(&text));
    (!text.is_empty()).then_some(text)
}

/// Some other process wrote it: one short line, whatever that was.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(HOLDER_CHARS_MAX).collect()
}

const LOCK_FILE: &str = "restante-lock";
const HOLDER_FILE_OCTETS_MAX: u64 = 4096;
const HOLDER_CHARS_MAX: usize = 200;
