//! A file of lines beside the user database, edited under a lock of its own.
//!
//! In: changes to the lines. Out: the file's bytes. Lines that a change is not about stay as they
//! are. A file that is missing holds no lines. Edits are durable when they return, and readers see
//! the old file or the new one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use restante_host::{Fs, Host, Lock, durable};

use crate::EditError;

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct LinesFile {
    pub(crate) host: Host,
    pub(crate) path: PathBuf,
    /// A file that is made anew is as open as this one is.
    model: Option<PathBuf>,
}

impl LinesFile {
    /// The file at `path`.
    pub(crate) const fn new(host: Host, path: PathBuf) -> Self {
        Self { host, path, model: None }
    }

    /// The file that has `suffix` behind the name of `path`. Who can read that one can read this
    /// one: the server may be neither root nor the owner of the folder.
    pub(crate) fn beside(host: Host, path: &Path, suffix: &str) -> Self {
        Self { host, path: with_suffix(path, suffix), model: Some(path.to_owned()) }
    }

    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        match durable::read(&*self.host.fs, &self.path, FILE_OCTETS_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }

    /// Puts what `change` makes of the contents in their place; nothing is written when it
    /// returns nothing.
    pub(crate) fn edit(
        &self,
        change: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, EditError>,
    ) -> Result<(), EditError> {
        let fs = &*self.host.fs;
        let _lock = lock(fs, &with_suffix(&self.path, ".lock"))?;
        if let Some(changed) = change(&self.read()?)? {
            match &self.model {
                Some(model) => durable::rewrite_like(fs, &self.path, model, &changed, MODE)?,
                None => durable::rewrite(fs, &self.path, &changed, MODE)?,
            }
        }
        Ok(())
    }
}

/// Waits a little for whoever edits the file: scripts add users side by side.
pub(crate) fn lock(fs: &dyn Fs, path: &Path) -> Result<Box<dyn Lock>, EditError> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = fs.try_lock(path)? {
            return Ok(lock);
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(EditError::Busy)
}

/// The lines of `contents`, with their ends.
pub(crate) fn lines(contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    contents.split_inclusive(|&octet| octet == b'\n')
}

/// `contents` and a line behind them.
pub(crate) fn with_line(contents: &[u8], line: &str) -> Vec<u8> {
    let mut edited = contents.to_vec();
    if edited.last().is_some_and(|&last| last != b'\n') {
        edited.push(b'\n');
    }
    edited.extend_from_slice(line.as_bytes());
    edited.push(b'\n');
    edited
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Nobody else's to read.
pub(crate) const MODE: u32 = 0o600;
/// More does not belong into a file that is read as a whole.
pub(crate) const FILE_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Together 5 s; an edit takes milliseconds.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
