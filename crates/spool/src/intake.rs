//! Where deliveries begin: fresh names, and Maildirs that exist for good.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use restante_host::{File, Host};
use restante_maildrop::MessageKey;

use crate::maildir::Maildir;
use crate::name::{Namer, Stem};

/// Makes temporary files. One for a process, shared by its deliveries.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) host: Host,
    pub(crate) namer: Namer,
    /// Maildirs known to exist for good. Another process may have created one and not synced it
    /// yet, so each is synced once before the first delivery; then deliveries do not look again.
    settled: Mutex<HashSet<PathBuf>>,
}

/// A temporary file and what its name is made of.
pub(crate) struct Begun {
    pub(crate) stem: Stem,
    pub(crate) temporary: PathBuf,
    pub(crate) file: Box<dyn File>,
}

impl Intake {
    pub(crate) fn new(host: Host) -> Self {
        Self { namer: Namer::new(host.clone()), host, settled: Mutex::default() }
    }

    /// Creates a file in `tmp/`, and the Maildir where it is missing.
    pub(crate) fn begin(
        &self,
        maildir: &Maildir,
        root: &Path,
        key: Option<&MessageKey>,
    ) -> io::Result<Begun> {
        let settled = self.settled().contains(maildir.path());
        if !settled {
            self.settle(maildir, root)?;
        }
        match self.create(maildir, key) {
            // Somebody removed the Maildir since.
            Err(error) if settled && error.kind() == io::ErrorKind::NotFound => {
                self.settle(maildir, root)?;
                self.create(maildir, key)
            }
            other => other,
        }
    }

    fn settle(&self, maildir: &Maildir, root: &Path) -> io::Result<()> {
        maildir.create(&*self.host.fs, root)?;
        maildir.sweep(&*self.host.fs, self.host.clock.wall());
        let mut settled = self.settled();
        if settled.len() >= SETTLED_MAX {
            settled.clear();
        }
        settled.insert(maildir.path().to_owned());
        Ok(())
    }

    fn create(&self, maildir: &Maildir, key: Option<&MessageKey>) -> io::Result<Begun> {
        for _ in 0..NAMES_MAX {
            let stem = self.namer.stem(key)?;
            let temporary = maildir.temporary().join(stem.temporary());
            match self.host.fs.create_new(&temporary, FILE_MODE) {
                Ok(file) => return Ok(Begun { stem, temporary, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn settled(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names are random: a second try is rare, and more of them mean that something is wrong.
pub(crate) const NAMES_MAX: usize = 16;
/// About a megabyte of paths; forgetting them costs a few needless syncs.
const SETTLED_MAX: usize = 10_000;
const FILE_MODE: u32 = 0o600;
