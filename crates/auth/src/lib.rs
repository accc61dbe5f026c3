//! Logins: the user database, the password schemes, and the checking of passwords.
//!
//! A [`UserDatabase`] knows users; [`Users`] are several of them in order. A [`PasswdFile`] is a
//! file in Dovecot's passwd-file syntax; reading it gives a [`Passwd`], the users as a value, and
//! [`PasswdUsers`] are the database that it makes. A [`struct@Hash`] is one stored password. The
//! [`UserAuthenticator`] puts all of them behind `restante_maildrop::Authenticator`: it checks
//! passwords on threads of its own, with a bound, remembers good logins for a while, and spends
//! the same work on users that do not exist.
//! [`FolderLogins`] lets a login name a folder of its user, too.
//! [`Tokens`] of an OAuth issuer can be taken beside passwords.

mod anybody;
mod authenticator;
mod cache;
mod database;
mod fields;
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
mod users;

pub use anybody::Anybody;
pub use authenticator::{LoginLimits, UserAuthenticator};
pub use database::{Credential, Overview, Places, Record, UserDatabase, Verdict};
pub use file::{EditError, PasswdFile, PasswdUsers};
pub use folders::FolderLogins;
pub use hash::{BadHash, BadPassword, Hash, NewScheme};
pub use mechanisms::{Mechanisms, ScramOffer};
pub use passwd::{Fault, Passwd, User};
pub use tokens::{Issuer, Tokens};
pub use users::Users;
