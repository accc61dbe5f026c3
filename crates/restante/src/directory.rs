//! The user databases that the configuration names, made ready to be asked.
//!
//! In: an office. Out: [`Users`] for the server and for deliveries, and the passwd-file that
//! `restante user` edits. Nothing is read or connected to before somebody is looked up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use restante_auth::{Anybody, PasswdFile, PasswdUsers, Places, UserDatabase, Users};
use restante_maildrop::Owner;
use restante_proto::Secret;
use restante_spool::Layout;
use restante_users::{
    Ldap, LdapSettings, Lookup, Mysql, MysqlSettings, Postgres, PostgresSettings, Query, Saslauthd,
    Sqlite, Template,
};
use rustls::ClientConfig;

use crate::config::{Directory, EntryOf, Server, UserKind, UserTable};
use crate::office::{Office, read_named, read_secret, resolved};

/// A database's template of places.
#[derive(Debug)]
struct Placed(Layout);

impl Places for Placed {
    fn place(&self, owner: &Owner) -> io::Result<PathBuf> {
        let place = self.0.maildrop(owner);
        place.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

/// All user databases, in order, for a server, which reports what is wrong with them.
pub(crate) fn for_server(office: &Office) -> anyhow::Result<Users> {
    users(office, |users| users)
}

/// The same for a delivery, which looks for one user.
pub(crate) fn for_delivery(office: &Office) -> anyhow::Result<Users> {
    users(office, PasswdUsers::in_silence)
}

fn users(office: &Office, of_file: impl Fn(PasswdUsers) -> PasswdUsers) -> anyhow::Result<Users> {
    let mut users = Users::default();
    for table in office.config.users() {
        let database: Arc<dyn UserDatabase> = match &table.kind {
            UserKind::PasswdFile { path } => {
                let file = PasswdFile::new(office.host.clone(), resolved(path));
                Arc::new(of_file(PasswdUsers::new(file)))
            }
            UserKind::Static => Arc::new(Anybody),
            UserKind::Sqlite { path, query } => {
                Arc::new(Sqlite::new(resolved(path), Query::parse(query)?))
            }
            UserKind::Postgresql(server) => Arc::new(postgresql(office, server)?),
            UserKind::Mysql(server) => Arc::new(mysql(office, server)?),
            UserKind::Pam { socket, service } => {
                Arc::new(Saslauthd::new(socket.clone(), service.clone()))
            }
            UserKind::Ldap(directory) => Arc::new(ldap(office, directory)?),
        };
        let places = match table.layout(&office.config.data) {
            Some(layout) => Some(Arc::new(Placed(layout?)) as Arc<dyn Places>),
            None => None,
        };
        users = users.with(database, places);
    }
    Ok(users)
}

fn postgresql(office: &Office, server: &Server) -> anyhow::Result<Postgres> {
    let settings = PostgresSettings {
        server: server.server.clone(),
        port: server.port,
        database: server.database.clone(),
        user: server.user.clone(),
        password: password(office, server.password_file.as_deref())?,
        tls: match server.tls {
            true => Some(tls(office, server.ca_file.as_deref())?),
            false => None,
        },
        connections: server.connections,
    };
    let postgres = Postgres::new(settings, Query::parse(&server.query)?);
    postgres.context("cannot start a thread for the user database")
}

fn mysql(office: &Office, server: &Server) -> anyhow::Result<Mysql> {
    let authorities = match server.tls {
        true => {
            let pem = ca(office, server.ca_file.as_deref())?;
            Some(restante_users::authorities(pem.as_deref()).context(NO_TLS)?)
        }
        false => None,
    };
    let settings = MysqlSettings {
        server: server.server.clone(),
        port: server.port,
        database: server.database.clone(),
        user: server.user.clone(),
        password: password(office, server.password_file.as_deref())?,
        authorities,
        connections: server.connections,
    };
    let mysql = Mysql::new(settings, Query::parse(&server.query)?);
    mysql.context("cannot start a thread for the user database")
}

fn ldap(office: &Office, directory: &Directory) -> anyhow::Result<Ldap> {
    let lookup = match &directory.entry {
        EntryOf::Name(name) => Lookup::Direct(Template::parse(name)?),
        EntryOf::Search {
            bind_dn,
            password_file,
            base,
            filter,
            name_attribute,
            maildir_attribute,
        } => Lookup::Search {
            bind: match (bind_dn, password(office, password_file.as_deref())?) {
                (Some(dn), Some(password)) => Some((dn.clone(), password)),
                _ => None,
            },
            base: base.clone(),
            filter: Template::parse(filter)?,
            name_attribute: name_attribute.clone(),
            maildir_attribute: maildir_attribute.clone(),
        },
    };
    // Where no TLS is spoken, the system need not have authorities to trust.
    let tls = match directory.start_tls || directory.server.starts_with("ldaps:") {
        true => Some(tls(office, directory.ca_file.as_deref())?),
        false => None,
    };
    let (url, start_tls) = (directory.server.clone(), directory.start_tls);
    Ok(Ldap::new(LdapSettings { url, tls, start_tls, lookup }))
}

/// What is in a password file. None would be no password: a directory lets a guest in by that.
fn password(office: &Office, file: Option<&Path>) -> anyhow::Result<Option<Secret<String>>> {
    let Some(file) = file else { return Ok(None) };
    let secret = read_secret(&*office.host.fs, file);
    secret.map(Some).with_context(|| format!("cannot use the password file {}", file.display()))
}

fn tls(office: &Office, ca_file: Option<&Path>) -> anyhow::Result<ClientConfig> {
    restante_users::client_config(ca(office, ca_file)?.as_deref()).context(NO_TLS)
}

/// The certificates of authorities that are named.
fn ca(office: &Office, file: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(file) = file else { return Ok(None) };
    let pem = read_named(&*office.host.fs, file, CA_FILE_OCTETS_MAX);
    pem.map(Some).with_context(|| format!("cannot read {}", file.display()))
}

/// The passwd-file that is edited by hand: the first that is named.
pub(crate) fn passwd_file(office: &Office) -> anyhow::Result<PasswdFile> {
    let first = passwd_files(office).into_iter().next();
    first.context("none of the `users` is a passwd-file that could be edited")
}

/// All passwd-files, in order.
pub(crate) fn passwd_files(office: &Office) -> Vec<PasswdFile> {
    let tables = office.config.users();
    let file = |table: &UserTable| match &table.kind {
        UserKind::PasswdFile { path } => Some(PasswdFile::new(office.host.clone(), resolved(path))),
        _ => None,
    };
    tables.iter().filter_map(file).collect()
}

/// Every file that a database is read from, or connected to with.
pub(crate) fn files(office: &Office) -> Vec<PathBuf> {
    let files = |table: UserTable| match table.kind {
        UserKind::PasswdFile { path } | UserKind::Sqlite { path, .. } => vec![path],
        UserKind::Postgresql(server) | UserKind::Mysql(server) => {
            [server.password_file, server.ca_file].into_iter().flatten().collect()
        }
        UserKind::Ldap(directory) => {
            let password_file = match directory.entry {
                EntryOf::Search { password_file, .. } => password_file,
                EntryOf::Name(_) => None,
            };
            [password_file, directory.ca_file].into_iter().flatten().collect()
        }
        UserKind::Pam { .. } | UserKind::Static => Vec::new(),
    };
    office.config.users().into_iter().flat_map(files).collect()
}

const NO_TLS: &str = "TLS with a user database cannot be set up";
/// As large as a certificate may be.
const CA_FILE_OCTETS_MAX: u64 = 1024 * 1024;
