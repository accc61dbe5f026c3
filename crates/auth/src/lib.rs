//! Logins: the user database, the password schemes, and the checking of passwords.
//!
//! A [`UserDatabase`] knows users; [`Users`] are several of them in order. A [`PasswdFile`] is a
//! file in Dovecot's passwd-file syntax; reading it gives a [`Passwd`], the users as a value, and
//! [`PasswdUsers`] are the database that it makes. A [`struct@Hash`] is one stored password. The
//! [`UserAuthenticator`] puts all of them behind `restante_maildrop::Authenticator`: it checks
//! passwords on threads of its own, with a bound, remembers good logins for a while, and spends
//! the same work on users that do not exist.
//! [`FolderLogins`] lets a login name a folder of its user, too.
//! [`AppPasswordLogins`] takes app passwords, too; [`DisabledLogins`] keeps users out who are turned
//! off; [`Rehash`] renews stored passwords, and an [`AuditLog`] tells who changed what.
//! [`Tokens`] of an OAuth issuer can be taken beside passwords.

mod anybody;
mod app_passwords;
mod audit;
mod authenticator;
mod cache;
mod database;
mod disabled;
mod fields;
mod file;
mod folders;
mod hash;
mod lines;
mod mechanisms;
mod moment;
mod passwd;
mod pool;
mod rehash;
mod reread;
mod scram;
mod tokens;
mod users;

pub use anybody::Anybody;
pub use app_passwords::{
    AppPassword, AppPasswordLogins, AppPasswords, Scope, time_from_text, time_to_text,
};
pub use audit::{Audit, AuditLog, Change};
pub use authenticator::{LoginLimits, UserAuthenticator};
pub use database::{Credential, Overview, Places, Record, UserDatabase, Verdict};
pub use disabled::{DisabledLogins, DisabledUsers};
pub use fields::{expire_days, login_delay, networks};
pub use file::{EditError, PasswdFile, PasswdUsers};
pub use folders::FolderLogins;
pub use hash::{BadHash, BadPassword, Hash, NewScheme};
pub use mechanisms::{Mechanisms, ScramOffer};
pub use passwd::{Fault, Passwd, User};
pub use rehash::Rehash;
pub use tokens::{Issuer, Proof, Tokens};
pub use users::Users;
