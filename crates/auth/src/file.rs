//! A passwd-file on disk: read as a whole, noticed when it changes, edited under a lock.
//!
//! In: names and passwords from the administrator. Out: a [`Passwd`]. Edits go through
//! `durable::write`, so readers see the old file or the new one and a crash loses neither; the
//! lock lies beside the file and is gone when its holder is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use restante_host::{Host, durable};
use restante_maildrop::{Account, BadOwner, Owner};
use restante_proto::Secret;
use restante_proto::sasl::prepare;

use crate::database::{Credential, Overview, Record, UserDatabase};
use crate::lines::{self, FILE_OCTETS_MAX, LinesFile};
use crate::passwd::{self, Passwd};
use crate::reread::Reread;
use crate::{BadPassword, Hash, NewScheme};

/// A user database in a file.
#[derive(Debug, Clone)]
pub struct PasswdFile {
    host: Host,
    path: PathBuf,
    scheme: NewScheme,
}

impl PasswdFile {
    /// The file at `path`, which need not be there yet.
    #[must_use]
    pub const fn new(host: Host, path: PathBuf) -> Self {
        Self { host, path, scheme: NewScheme::Argon2id }
    }

    /// The same file; new passwords are stored this way.
    #[must_use]
    pub const fn with_scheme(mut self, scheme: NewScheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file beside it that whoever edits it holds the lock of.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        lines::with_suffix(&self.path, ".lock")
    }

    /// Reads the users.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is no file; otherwise as the system calls.
    pub fn read(&self) -> io::Result<Passwd> {
        durable::read(&*self.host.fs, &self.path, FILE_OCTETS_MAX).map(|c| Passwd::parse(&c))
    }

    /// Adds a user, with a hash of the scheme chosen. Creates a missing file.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn add(&self, name: &str, password: &Secret<Vec<u8>>) -> Result<Owner, EditError> {
        let owner = new_name(name)?;
        let field = self.field(password)?;
        self.edit(|contents| match Passwd::parse(contents).user(name) {
            Some(_) => Err(EditError::Exists(owner.clone())),
            None => Ok(Some(passwd::with_user(contents, &owner, field.expose()))),
        })?;
        Ok(owner)
    }

    /// Gives a user another password.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn set_password(&self, name: &str, password: &Secret<Vec<u8>>) -> Result<Owner, EditError> {
        self.edit_user(name, |contents, owner| {
            let field = self.field(password)?;
            Ok(passwd::with_password(contents, owner, field.expose()))
        })
    }

    /// Removes a user. The user's mail stays.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn remove(&self, name: &str) -> Result<Owner, EditError> {
        self.edit_user(name, |contents, owner| Ok(passwd::without_user(contents, owner)))
    }

    /// Puts a renewed hash in the place of one; whether that was still the user's.
    pub(crate) fn exchange(
        &self,
        owner: &Owner,
        stored: &Hash,
        renewed: &Hash,
    ) -> Result<bool, EditError> {
        let mut exchanged = false;
        self.edit(|contents| {
            let passwd = Passwd::parse(contents);
            let now = passwd.user(owner.as_str()).and_then(|user| user.password.as_ref().ok());
            exchanged = now.is_some_and(|now| now.to_field() == stored.to_field());
            let field = renewed.to_field();
            Ok(exchanged.then(|| passwd::with_password(contents, owner, field.expose())))
        })?;
        Ok(exchanged)
    }

    fn field(&self, password: &Secret<Vec<u8>>) -> Result<Secret<String>, EditError> {
        BadPassword::check(password.expose())?;
        // Stored as it is compared; what cannot be prepared is no password (checked above).
        let text = str::from_utf8(password.expose()).ok();
        let prepared = text.and_then(prepare).map(|text| text.into_owned().into_bytes());
        let prepared = Secret::new(prepared.unwrap_or_default());
        let hash = Hash::create_as(self.scheme, &*self.host.rng, prepared.expose())?;
        Ok(hash.to_field())
    }

    fn edit_user(
        &self,
        name: &str,
        change: impl FnOnce(&[u8], &Owner) -> Result<Vec<u8>, EditError>,
    ) -> Result<Owner, EditError> {
        let mut owner = Owner::new(name)?;
        self.edit(|contents| match Passwd::parse(contents).user(name) {
            Some(user) => {
                owner.clone_from(&user.owner);
                change(contents, &owner).map(Some)
            }
            None => Err(EditError::NoUser(owner.clone())),
        })?;
        Ok(owner)
    }

    fn edit(
        &self,
        change: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, EditError>,
    ) -> Result<(), EditError> {
        LinesFile::new(self.host.clone(), self.path.clone()).edit(change)
    }
}

fn new_name(name: &str) -> Result<Owner, EditError> {
    let owner = Owner::new(name)?;
    if name.contains(':') {
        Err(EditError::BadName("it holds a colon, which ends the name in the file"))
    } else if name.starts_with('#') {
        Err(EditError::BadName("it begins with #, which makes a comment in the file"))
    } else {
        Ok(owner)
    }
}

/// The users of a file, read again whenever it changes.
#[derive(Debug)]
pub struct PasswdUsers {
    file: PasswdFile,
    current: Reread<Passwd>,
    /// Whether lines with faults are reported.
    reports: bool,
}

impl PasswdUsers {
    /// Those of `file`, which is read when the first of them is asked for.
    #[must_use]
    pub const fn new(file: PasswdFile) -> Self {
        Self { file, current: Reread::new(), reports: true }
    }

    /// The same; lines with faults are passed over in silence, as befits who looks up one user.
    #[must_use]
    pub const fn in_silence(mut self) -> Self {
        self.reports = false;
        self
    }

    /// The users as the file has them now. Blocks.
    pub(crate) fn users(&self) -> io::Result<Arc<Passwd>> {
        self.current.get(&self.file.host, &self.file.path, |is_new| {
            let passwd = self.file.read()?;
            for fault in passwd.faults().iter().filter(|_| is_new && self.reports) {
                let (path, line) = (self.file.path.display(), fault.line);
                tracing::warn!(%path, line, problem = fault.problem, "user database");
            }
            Ok(passwd)
        })
    }
}

impl UserDatabase for PasswdUsers {
    fn name(&self) -> String {
        self.file.path.display().to_string()
    }

    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        let passwd = self.users()?;
        let Some(user) = passwd.user(user.as_str()) else { return Ok(None) };
        if let Some(problem) = &user.no_place {
            let problem = format!("`{}`: {problem}", user.owner);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let credential = match user.usable_password() {
            Some(hash) => Credential::Hash(Arc::clone(hash)),
            None if user.may_log_in => Credential::Unusable,
            None => Credential::Barred,
        };
        let account = Account { owner: user.owner.clone(), terms: user.terms.clone() };
        Ok(Some(Record { account, credential }))
    }

    fn overview(&self) -> io::Result<Overview> {
        self.users().map(|passwd| passwd.overview().clone())
    }
}

/// The user database was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// There is such a user already.
    #[error("user {0} exists already")]
    Exists(Owner),
    /// There is no such user.
    #[error("there is no user {0}")]
    NoUser(Owner),
    /// The name cannot name a maildrop.
    #[error(transparent)]
    BadOwner(#[from] BadOwner),
    /// The name does not fit into the file.
    #[error("not a usable user name: {0}")]
    BadName(&'static str),
    /// An app password cannot be made like this.
    #[error("not a usable app password: {0}")]
    BadAppPassword(&'static str),
    /// The user has an app password of that label already.
    #[error("{0} has an app password with this label already")]
    LabelTaken(Owner),
    /// The user has no app password of that label.
    #[error("{0} has no app password with this label")]
    NoLabel(Owner),
    /// The password could never be sent.
    #[error(transparent)]
    BadPassword(#[from] BadPassword),
    /// Another program is changing the file; try again.
    #[error("another program is changing the user database")]
    Busy,
    /// The file cannot be read or written.
    #[error("cannot change the user database")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(password: &str) -> Secret<Vec<u8>> {
        Secret::new(password.as_bytes().to_vec())
    }

    fn fits(passwd: &Passwd, name: &str, password: &str) -> bool {
        passwd.user(name).unwrap().password.as_ref().unwrap().verify(password.as_bytes())
    }

    #[test]
    fn users_are_added_changed_and_removed_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = PasswdFile::new(Host::real(), dir.path().join("passwd"));
        assert_eq!(file.read().unwrap_err().kind(), io::ErrorKind::NotFound);
        file.add("fred", &secret("one")).unwrap();
        file.add("anna", &secret("two")).unwrap();
        assert!(matches!(file.add("fred", &secret("x")), Err(EditError::Exists(_))));
        assert!(fits(&file.read().unwrap(), "fred", "one"));
        file.set_password("fred", &secret("three")).unwrap();
        let passwd = file.read().unwrap();
        assert!(fits(&passwd, "fred", "three") && !fits(&passwd, "fred", "one"));
        assert!(fits(&passwd, "anna", "two"));
        file.remove("fred").unwrap();
        assert!(file.read().unwrap().user("fred").is_none());
        assert!(matches!(file.remove("fred"), Err(EditError::NoUser(_))));
        assert!(matches!(file.set_password("fred", &secret("x")), Err(EditError::NoUser(_))));
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn names_and_passwords_that_do_not_fit_are_refused_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = PasswdFile::new(Host::real(), dir.path().join("passwd"));
        for (name, says) in [
            ("a:b", "colon"),
            ("#a", "comment"),
            ("", "empty"),
            ("a\nb:{PLAIN}x", "control"),
            ("../a", "dot"),
        ] {
            let error = file.add(name, &secret("x")).unwrap_err();
            assert!(error.to_string().contains(says), "{name:?}: {error}");
        }
        assert!(matches!(file.add("a", &secret("")), Err(EditError::BadPassword(_))));
        assert!(!file.path().exists());
    }

    #[test]
    fn a_lock_held_by_another_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = PasswdFile::new(Host::real(), dir.path().join("passwd"));
        let lock = lines::lock(&*file.host.fs, &file.lock_path()).unwrap();
        std::thread::scope(|scope| {
            let adding = scope.spawn(|| file.add("fred", &secret("x")).map(drop));
            drop(lock);
            adding.join().unwrap().unwrap();
        });
        assert!(file.read().unwrap().user("fred").is_some());
    }

    #[test]
    fn a_change_is_seen_at_once_even_within_the_clocks_grain() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        let watched = PasswdUsers::new(PasswdFile::new(Host::real(), path.clone()));
        assert_eq!(watched.users().unwrap_err().kind(), io::ErrorKind::NotFound);
        // One size, one inode, and changes as fast as they come.
        for round in 0..200 {
            std::fs::write(&path, format!("fred:{{PLAIN}}{round:03}")).unwrap();
            let password = format!("{round:03}");
            assert!(fits(&watched.users().unwrap(), "fred", &password), "{round}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(watched.users().is_err());
    }
}
