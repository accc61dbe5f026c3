//! Users who are turned off: their mail goes on coming, they cannot fetch it.
//!
//! In: names from the administrator, logins from clients. Out: a list of names in a file beside
//! the user database, one a line, `#` begins a comment; and logins to the authenticator behind. A
//! login of a user who is turned off goes there with a proof that cannot be right, so that it is
//! refused with the same words, after the same work, as one with a wrong password: nobody can find
//! out that the password is right. A list that cannot be read lets nobody in.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use restante_host::Host;
use restante_maildrop::{Account, AuthError, Authenticator, BoxFuture, Login, OwnTerms, Owner};
use restante_proto::Secret;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use restante_proto::sasl::{Digest, Offers};

use crate::EditError;
use crate::lines::{self, LinesFile};
use crate::reread::Reread;

/// The file of names.
#[derive(Debug)]
pub struct DisabledUsers {
    file: LinesFile,
    current: Reread<HashSet<String>>,
}

impl DisabledUsers {
    /// Those of the user database at `passwd`.
    #[must_use]
    pub fn new(host: Host, passwd: &Path) -> Self {
        Self { file: LinesFile::beside(host, passwd, ".disabled"), current: Reread::new() }
    }

    /// Where they lie.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Turns a user off or on again; whether that changed anything.
    ///
    /// # Errors
    /// [`EditError`]; the file is as it was then.
    pub fn set(&self, owner: &Owner, disabled: bool) -> Result<bool, EditError> {
        if disabled && owner.as_str().starts_with('#') {
            // It would look as if the user were turned off.
            let problem = "it begins with #, which makes a comment in the file";
            return Err(EditError::BadName(problem));
        }
        if self.names()?.contains(owner.as_str()) == disabled {
            return Ok(false);
        }
        let mut changed = false;
        self.file.edit(|contents| {
            let is_it = |line: &&[u8]| name_of(line) == Some(owner.as_str());
            changed = lines::lines(contents).any(|line| is_it(&line)) != disabled;
            let edited = || match disabled {
                true => lines::with_line(contents, owner.as_str()),
                false => {
                    lines::lines(contents).filter(|line| !is_it(line)).collect::<Vec<_>>().concat()
                }
            };
            Ok(changed.then(edited))
        })?;
        Ok(changed)
    }

    /// Whether a user is turned off. Blocks.
    ///
    /// # Errors
    /// As the system calls.
    pub fn contains(&self, user: &str) -> io::Result<bool> {
        Ok(self.names()?.contains(user))
    }

    fn names(&self) -> io::Result<Arc<HashSet<String>>> {
        let names = self.current.get(&self.file.host, &self.file.path, |_| {
            let contents = self.file.read()?;
            Ok(lines::lines(&contents).filter_map(name_of).map(str::to_owned).collect())
        });
        match names {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Arc::default()),
            other => other,
        }
    }
}

/// The name in a line.
fn name_of(line: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(line).ok()?.trim_end_matches(['\n', '\r']);
    (!name.is_empty() && !name.starts_with('#')).then_some(name)
}

/// Keeps users out who are turned off.
#[derive(Debug)]
pub struct DisabledLogins {
    authenticator: Arc<dyn Authenticator>,
    disabled: Arc<DisabledUsers>,
}

impl DisabledLogins {
    /// Keeps `disabled` users of `authenticator` out.
    #[must_use]
    pub fn new(authenticator: Arc<dyn Authenticator>, disabled: DisabledUsers) -> Self {
        Self { authenticator, disabled: Arc::new(disabled) }
    }

    async fn is_disabled(&self, user: &str) -> Result<bool, AuthError> {
        let (disabled, user) = (Arc::clone(&self.disabled), user.to_owned());
        let answer = tokio::task::spawn_blocking(move || disabled.contains(&user)).await;
        answer.map_err(io::Error::other).flatten().map_err(AuthError::Unavailable)
    }
}

impl DisabledLogins {
    /// A password that nobody has, and that costs what one of `octets` costs.
    fn wrong_password(&self, octets: usize) -> Result<Secret<Vec<u8>>, AuthError> {
        let mut password = vec![0; octets.max(WRONG_OCTETS_MIN)];
        let rng = &self.disabled.file.host.rng;
        rng.fill(&mut password).map_err(AuthError::Unavailable)?;
        // Letters: some schemes end a password at NUL.
        for octet in &mut password {
            *octet = b'@' + (*octet & 31);
        }
        Ok(Secret::new(password))
    }
}

impl Authenticator for DisabledLogins {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        Box::pin(async move {
            if !self.is_disabled(login.user()).await? {
                let account = self.authenticator.authenticate(login).await?;
                // The database may know the user by another name than the login's.
                let name = account.owner.as_str();
                if name != login.user() && self.is_disabled(name).await? {
                    return Err(AuthError::Refused);
                }
                return Ok(account);
            }
            let wrong = match login {
                Login::Password { user, password } => {
                    let password = self.wrong_password(password.expose().len())?;
                    Login::Password { user: user.clone(), password }
                }
                Login::Digest { user, .. } => Login::Digest {
                    user: user.clone(),
                    digest: Digest::cram_md5("", b"not a digest"),
                },
                Login::Token { .. } => login.clone(),
                login => Login::Proof { user: login.user().to_owned(), proven: false },
            };
            match self.authenticator.authenticate(&wrong).await {
                Ok(_) => Err(AuthError::Refused),
                Err(error) => Err(error),
            }
        })
    }

    fn offers(&self) -> BoxFuture<'_, Offers> {
        self.authenticator.offers()
    }

    fn own_terms(&self) -> BoxFuture<'_, OwnTerms> {
        self.authenticator.own_terms()
    }

    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> BoxFuture<'a, Result<ScramKeys, AuthError>> {
        Box::pin(async move {
            let keys = self.authenticator.scram_keys(user, hash).await?;
            if !self.is_disabled(user).await? {
                return Ok(keys);
            }
            // The user's own salt and count, so that being turned off cannot be seen by them, and
            // keys that no proof fits.
            let zeros = || Secret::new(vec![0; keys.stored_key().expose().len()]);
            let salt = keys.salt().to_vec();
            let wrong = ScramKeys::new(hash, salt, keys.iterations(), zeros(), zeros());
            wrong.ok_or(AuthError::Refused)
        })
    }
}

/// What a password nobody has is as long as, at least.
const WRONG_OCTETS_MIN: usize = 16;

#[cfg(test)]
mod tests;
