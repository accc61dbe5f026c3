//! Logins by app passwords.
//!
//! In: logins as clients send them. Out: for one whose password is an app password, the same login
//! with a proof in place of the password, to the authenticator behind; all others as they are. So
//! folders, users that are turned off and users that are gone are that authenticator's, as ever.
//! An app password that opens nothing (its time is over, its user is gone or turned off) is
//! checked on as any password, and costs and says what a wrong one does.

use std::io;
use std::sync::Arc;

use restante_maildrop::{Account, Admitted, AuthError, Authenticator, BoxFuture, Login, OwnTerms};
use restante_proto::Secret;
use restante_proto::sasl::Offers;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};

use super::{AppPassword, AppPasswords, Scope};

/// Takes app passwords beside the passwords that an authenticator knows.
#[derive(Debug)]
pub struct AppPasswordLogins {
    authenticator: Arc<dyn Authenticator>,
    app_passwords: Arc<AppPasswords>,
}

impl AppPasswordLogins {
    /// Lets users of `authenticator` in by `app_passwords`, too.
    #[must_use]
    pub fn new(authenticator: Arc<dyn Authenticator>, app_passwords: AppPasswords) -> Self {
        Self { authenticator, app_passwords: Arc::new(app_passwords) }
    }

    async fn find(&self, password: &Secret<Vec<u8>>) -> Result<Option<AppPassword>, AuthError> {
        let (app_passwords, password) = (Arc::clone(&self.app_passwords), password.clone());
        let find = move || app_passwords.find(password.expose(), Scope::Pop);
        let found = tokio::task::spawn_blocking(find).await;
        found.map_err(io::Error::other).flatten().map_err(AuthError::Unavailable)
    }

    /// Whom an app password lets in under this name.
    async fn account(&self, user: &str, entry: &AppPassword) -> Result<Option<Account>, AuthError> {
        let proof = Login::Proof { user: user.to_owned(), proven: true };
        match self.authenticator.authenticate(&proof).await {
            Ok(account) => {
                let is_its = account.owner.as_str() == entry.owner.as_str();
                Ok(is_its.then_some(account))
            }
            Err(AuthError::Refused) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Authenticator for AppPasswordLogins {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        Box::pin(async move { self.admit(login).await.map(|admitted| admitted.account) })
    }

    fn admit<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Admitted, AuthError>> {
        Box::pin(async move {
            if let Login::Password { user, password } = login
                && let Some(entry) = self.find(password).await?
                && let Some(account) = self.account(user, &entry).await?
            {
                self.app_passwords.note_use(&entry);
                return Ok(Admitted { account, app_password: Some(entry.label) });
            }
            self.authenticator.admit(login).await
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
        self.authenticator.scram_keys(user, hash)
    }
}
