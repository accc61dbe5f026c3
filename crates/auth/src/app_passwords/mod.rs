//! App passwords: a password for each program, which can be taken back alone.
//!
//! In: labels, scopes and times from the administrator; passwords from clients. Out: secrets,
//! shown once; and whose app password a password is. They lie in a file of their own beside the
//! user database, one JSON object a line, so that they serve users of every database. Only hashes
//! are stored (see [`entry`]). Lines that cannot be read are reported, skipped and left alone.

mod entry;
mod last_use;
mod logins;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use restante_host::Host;
use restante_maildrop::Owner;
use restante_proto::Secret;

use self::entry::Digest;
use self::last_use::LastUse;
use crate::lines::{self, LinesFile};
use crate::reread::Reread;
use crate::{EditError, moment};

pub use entry::{AppPassword, Scope};
pub use logins::AppPasswordLogins;

/// The file of app passwords.
#[derive(Debug)]
pub struct AppPasswords {
    file: LinesFile,
    current: Reread<Entries>,
    last_use: LastUse,
}

/// What the file says.
#[derive(Debug, Default)]
struct Entries {
    all: Vec<AppPassword>,
    places: HashMap<Digest, usize>,
    /// Lines that cannot be read, from 1, and why.
    faults: Vec<(usize, &'static str)>,
}

impl AppPasswords {
    /// The app passwords of the users in the database at `passwd`; when each was last used is
    /// kept in the folder `data`.
    #[must_use]
    pub fn new(host: Host, passwd: &Path, data: &Path) -> Self {
        let file = LinesFile::beside(host.clone(), passwd, ".app-passwords");
        let last_use = LastUse::new(host, data);
        Self { file, current: Reread::new(), last_use }
    }

    /// Where they lie.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Makes an app password. The secret is not kept and cannot be shown again.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn add(
        &self,
        owner: &Owner,
        label: &str,
        scope: &[Scope],
        expires: Option<SystemTime>,
    ) -> Result<(AppPassword, Secret<String>), EditError> {
        check_label(label)?;
        let host = &self.file.host;
        let now = host.clock.wall();
        if expires.is_some_and(|expires| expires <= now) {
            return Err(EditError::BadAppPassword("its time would be over already"));
        }
        let (label, scope) = (label.to_owned(), scope.to_vec());
        let made = AppPassword::create(&*host.rng, owner.clone(), label, scope, now, expires)?;
        self.file.edit(|contents| {
            let entries = Entries::parse(contents);
            let own = || entries.all.iter().filter(|entry| entry.owner == *owner);
            if own().any(|entry| entry.label == made.0.label) {
                return Err(EditError::LabelTaken(owner.clone()));
            }
            if own().count() >= PER_USER_MAX {
                return Err(EditError::BadAppPassword("the user has 100 of them already"));
            }
            Ok(Some(lines::with_line(contents, &made.0.to_line())))
        })?;
        Ok(made)
    }

    /// Takes an app password back.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn remove(&self, owner: &Owner, label: &str) -> Result<(), EditError> {
        let removed = self.remove_where(|entry| entry.owner == *owner && entry.label == label)?;
        if removed == 0 { Err(EditError::NoLabel(owner.clone())) } else { Ok(()) }
    }

    /// Takes all of a user's app passwords back, and says how many there were.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn remove_all(&self, owner: &Owner) -> Result<usize, EditError> {
        self.remove_where(|entry| entry.owner == *owner)
    }

    fn remove_where(&self, is_it: impl Fn(&AppPassword) -> bool) -> Result<usize, EditError> {
        // Most users have none, and most offices have no such file.
        let exists = !self.file.read()?.is_empty();
        let mut removed = 0;
        if exists {
            self.file.edit(|contents| {
                let stays = |line: &&[u8]| !AppPassword::parse(line).is_ok_and(|e| is_it(&e));
                let before = lines::lines(contents).count();
                let kept: Vec<&[u8]> = lines::lines(contents).filter(stays).collect();
                removed = before - kept.len();
                Ok((removed > 0).then(|| kept.concat()))
            })?;
        }
        Ok(removed)
    }

    /// All there are, in the file's order, each with its last use.
    ///
    /// # Errors
    /// As the system calls.
    pub fn list(&self) -> io::Result<Vec<(AppPassword, Option<SystemTime>)>> {
        let used = self.last_use.read()?;
        let entries = Entries::parse(&self.file.read()?);
        entries.report(&self.file.path);
        Ok(entries.all.into_iter().map(|e| (e.clone(), used.get(&e.id()).copied())).collect())
    }

    /// The app password that `password` is, if it opens `scope` now. Blocks.
    ///
    /// # Errors
    /// As the system calls.
    pub(crate) fn find(&self, password: &[u8], scope: Scope) -> io::Result<Option<AppPassword>> {
        let Some(digest) = Digest::of_password(password) else { return Ok(None) };
        let found = self.entries()?.find(&digest).cloned();
        let now = self.file.host.clock.wall();
        Ok(found.filter(|entry| entry.opens(scope, now)))
    }

    /// Notes that an app password has opened a maildrop.
    pub(crate) fn note_use(&self, entry: &AppPassword) {
        self.last_use.note(entry.id(), self.file.host.clock.wall());
    }

    fn entries(&self) -> io::Result<Arc<Entries>> {
        let entries = self.current.get(&self.file.host, &self.file.path, |is_new| {
            let entries = Entries::parse(&self.file.read()?);
            if is_new {
                entries.report(&self.file.path);
            }
            Ok(entries)
        });
        match entries {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Arc::default()),
            other => other,
        }
    }
}

impl Entries {
    fn parse(contents: &[u8]) -> Self {
        let mut entries = Self::default();
        for (number, line) in lines::lines(contents).enumerate() {
            match AppPassword::parse(line) {
                Ok(entry) => {
                    entries.places.insert(entry.digest, entries.all.len());
                    entries.all.push(entry);
                }
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(problem) => entries.faults.push((number + 1, problem)),
            }
        }
        entries
    }

    fn find(&self, digest: &Digest) -> Option<&AppPassword> {
        self.all.get(*self.places.get(digest)?)
    }

    fn report(&self, path: &Path) {
        for (line, problem) in &self.faults {
            tracing::warn!(path = %path.display(), line, problem, "app passwords");
        }
    }
}

fn check_label(label: &str) -> Result<(), EditError> {
    if label.is_empty() {
        Err(EditError::BadAppPassword("the label is empty"))
    } else if label.chars().count() > LABEL_LETTERS_MAX {
        Err(EditError::BadAppPassword("the label is longer than 64 characters"))
    } else if label.chars().any(char::is_control) {
        Err(EditError::BadAppPassword("the label holds a control character"))
    } else {
        Ok(())
    }
}

/// A time for people and programs to read.
#[must_use]
pub fn time_to_text(time: SystemTime) -> String {
    moment::to_text(time)
}

/// Reads a time as people write it: `2027-01-31`, or with hours.
#[must_use]
pub fn time_from_text(text: &str) -> Option<SystemTime> {
    moment::parse(text)
}

/// It stands in log lines.
const LABEL_LETTERS_MAX: usize = 64;
/// Nobody has more programs.
const PER_USER_MAX: usize = 100;

#[cfg(test)]
mod tests;
