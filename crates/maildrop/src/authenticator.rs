//! Who may open which maildrop.

use std::fmt;
use std::io;

use restante_proto::Login;

use crate::{BoxFuture, Owner};

/// Checks logins.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Whose maildrop the login opens. Costs the same for users that exist and users that do not.
    ///
    /// # Errors
    /// [`AuthError`].
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Owner, AuthError>>;
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
