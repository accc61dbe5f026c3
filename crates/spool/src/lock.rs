//! The session lock of RFC 1939 section 4: one session a maildrop, in this process and beside it.
//!
//! A table keeps sessions of this process apart and knows their holders exactly; an flock on
//! `restante-lock` keeps other processes out. The system frees an flock with its holder, so a
//! killed process keeps nobody out; the file itself stays, as removing it would let two processes
//! lock two files of one name.
//!
//! Sessions may share a maildrop instead. They share the flock, and take turns by another one, on
//! `restante-turn`, for what only one may do at a time: to look, and to commit.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use restante_host::{Fs, Host, Lock, durable};
use restante_maildrop::{Access, OpenError};

use crate::maildir::Maildir;
use crate::session::open_error;

/// The maildrops that sessions of this process hold, and what the holders are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locks {
    held: Arc<Mutex<HashMap<PathBuf, Held>>>,
}

#[derive(Debug)]
struct Held {
    /// The session that came last.
    holder: String,
    access: Access,
    sessions: usize,
}

/// A maildrop is ours. Dropping it frees the maildrop.
#[derive(Debug)]
pub(crate) struct SessionLock {
    // The order of the fields matters: once the table has no entry, the file must be free.
    file: Option<Box<dyn Lock>>,
    access: Access,
    entry: Entry,
}

/// Of all sessions that share a maildrop, it is this one's turn.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Held, not used; none where there is no need of one.
    _file: Option<Box<dyn Lock>>,
}

#[derive(Debug)]
struct Entry {
    locks: Locks,
    path: PathBuf,
}

impl Locks {
    /// Takes a maildrop from the other sessions of this process; [`SessionLock::lock_file`] has to
    /// follow before its mail is looked at.
    pub(crate) fn take(
        &self,
        maildir: &Maildir,
        access: Access,
        holder: &str,
    ) -> Result<SessionLock, OpenError> {
        let path = maildir.path().to_owned();
        let mut held = self.held();
        let before = held.get(&path);
        let sessions = before.map_or(0, |held| held.sessions);
        if let Some(held) = before
            && (held.access, access) != (Access::Shared, Access::Shared)
        {
            return Err(OpenError::InUse { holder: Some(held.holder.clone()) });
        }
        let holder = printable(&format!("process {}, {holder}", std::process::id()));
        let sessions = sessions.saturating_add(1);
        held.insert(path.clone(), Held { holder, access, sessions });
        drop(held);
        Ok(SessionLock { file: None, access, entry: Entry { locks: self.clone(), path } })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<PathBuf, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionLock {
    /// Takes the maildrop from other processes.
    pub(crate) fn lock_file(&mut self, fs: &dyn Fs) -> Result<(), OpenError> {
        let path = self.entry.path.join(LOCK_FILE);
        let locked = match self.access {
            Access::Shared => fs.try_lock_shared(&path),
            _ => fs.try_lock(&path),
        };
        match locked {
            Ok(Some(mut file)) => {
                let held = self.entry.locks.held();
                let holder = held.get(&self.entry.path).map(|held| held.holder.clone());
                drop(held);
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

    /// Waits until no other session that shares the maildrop looks or commits. Who has it alone
    /// need not wait.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the others take too long; a process may be stopped.
    pub(crate) fn turn(&self, host: &Host) -> io::Result<Turn> {
        // Without the session lock's file there is no folder yet, or nothing can change in it.
        if self.access == Access::Exclusive || self.file.is_none() {
            return Ok(Turn { _file: None });
        }
        let path = self.entry.path.join(TURN_FILE);
        for _ in 0..TURN_TRIES_MAX {
            if let Some(file) = host.fs.try_lock(&path)? {
                return Ok(Turn { _file: Some(file) });
            }
            host.clock.pause(TURN_PAUSE);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "another session does not come to an end"))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut held = self.locks.held();
        let left = held.get_mut(&self.path).map_or(0, |held| {
            held.sessions = held.sessions.saturating_sub(1);
            held.sessions
        });
        if left == 0 {
            held.remove(&self.path);
        }
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
const TURN_FILE: &str = "restante-turn";
/// Ten seconds in all: a commit of many messages takes one or two.
const TURN_TRIES_MAX: u32 = 1000;
const TURN_PAUSE: Duration = Duration::from_millis(10);
const HOLDER_FILE_OCTETS_MAX: u64 = 4096;
const HOLDER_CHARS_MAX: usize = 200;
