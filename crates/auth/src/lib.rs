//! Logins: the user database, the password schemes, and the checking of passwords.
//!
//! A [`PasswdFile`] is a file in Dovecot's passwd-file syntax; reading it gives a [`Passwd`], the
//! users as a value. A [`struct@Hash`] is one stored password. The [`PasswdAuthenticator`] puts them
//! behind `restante_maildrop::Authenticator`: it checks passwords on threads of its own, with a
//! bound, remembers good logins for a while, and spends the same work on users that do not exist.
//! [`FolderLogins`] lets a login name a folder of its user, too.
//! [`Tokens`] of an OAuth issuer can be taken beside passwords.

mod authenticator;
mod cache;
mod file;
mod folders;
mod hash;
mod keys;
mod mechanisms;
mod passwd;
mod pool;
mod reread;
mod scram;
mod tokens;

pub use authenticator::{LoginLimits, PasswdAuthenticator};
pub use file::{EditError, PasswdFile};
pub use folders::FolderLogins;
pub use hash::{BadHash, BadPassword, Hash, NewScheme};
pub use mechanisms::{Mechanisms, ScramOffer};
pub use passwd::{Fault, Passwd, User};
pub use tokens::{Issuer, Tokens};
