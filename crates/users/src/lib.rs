//! User databases beyond files: SQLite, PostgreSQL, MySQL, LDAP and, by saslauthd, PAM, all behind
//! `restante_auth::UserDatabase`.
//!
//! In: users' names, which are strangers' text. Out: what the database has of the user. A name is
//! only ever a bound parameter of a [`Query`], or an escaped value of a filter or a distinguished
//! name. What can fail is the database, which is then unavailable, and never its users wrong;
//! every call ends within [`ANSWER_TIME`].

mod connections;
mod ldap;
mod mysql;
mod name;
mod postgres;
mod query;
mod row;
mod saslauthd;
mod sqlite;
mod tls;

use std::time::Duration;

pub use ldap::{Ldap, LdapSettings, Lookup};
pub use mysql::{Mysql, MysqlSettings};
pub use name::{BadTemplate, Template};
pub use postgres::{Postgres, PostgresSettings};
pub use query::{BadQuery, Query};
pub use saslauthd::Saslauthd;
pub use sqlite::Sqlite;
pub use tls::{authorities, client_config};

/// How long a user database may take for one answer, with everything that belongs to it; a login
/// waits for it.
pub const ANSWER_TIME: Duration = Duration::from_secs(10);
