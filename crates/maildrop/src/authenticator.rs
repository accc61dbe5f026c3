//! Who may open which maildrop.

use std::fmt;
use std::future::ready;
use std::io;

use restante_proto::Login;
use restante_proto::sasl::Offers;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};

use crate::{Account, BoxFuture, OwnTerms};

/// Checks logins.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Whose login it is. Costs the same for users that exist and users that do not.
    ///
    /// # Errors
    /// [`AuthError`].
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>>;

    /// The same, and by which of the user's app passwords it was, for who has such.
    ///
    /// # Errors
    /// [`AuthError`].
    fn admit<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Admitted, AuthError>> {
        Box::pin(async move {
            let account = self.authenticate(login).await?;
            Ok(Admitted { account, app_password: None })
        })
    }

    /// Which mechanisms beyond a password the users can use. Asked once for each connection.
    fn offers(&self) -> BoxFuture<'_, Offers> {
        Box::pin(ready(Offers::default()))
    }

    /// The terms that users have of their own. Asked once for each connection.
    fn own_terms(&self) -> BoxFuture<'_, OwnTerms> {
        Box::pin(ready(OwnTerms::default()))
    }

    /// What `user`'s SCRAM proof is to be checked with. A user that does not exist, or that has
    /// none, gets keys that no password fits, always the same ones, at the same cost; the login
    /// then ends in [`Authenticator::authenticate`] as any other that failed.
    ///
    /// # Errors
    /// [`AuthError`].
    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> BoxFuture<'a, Result<ScramKeys, AuthError>> {
        let _ = (user, hash);
        Box::pin(ready(Err(AuthError::Refused)))
    }
}

/// A login was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Whose it is.
    pub account: Account,
    /// The label of the app password it was made with, if it was one.
    pub app_password: Option<String>,
}

/// A login was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Wrong name or password; which of them is not said.
    #[error("wrong user name or password")]
    Refused,
    /// The user database cannot be asked, or too many logins wait: never the client's fault.
    #[error("logins cannot be checked now")]
    Unavailable(#[source] io::Error),
}
