//! The user databases as the configuration names them: `[[users]]`, a table each, in order.
//!
//! In: the tables. Out: [`UserTable`]s that need no further checks, or what is wrong with the
//! first of them that cannot be used.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use restante_spool::Layout;
use restante_users::{Query, Template};
use toml::Value;

use super::keys::Keys;
use super::value::Given;

/// One user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserTable {
    /// What it is.
    pub(crate) kind: UserKind,
    /// Where maildrops of its users lie, unless it says so itself.
    pub(crate) maildrop: Option<String>,
}

/// What a user database is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserKind {
    /// A file in Dovecot's passwd-file syntax.
    PasswdFile { path: PathBuf },
    /// Every name, without a password.
    Static,
    /// An SQLite database.
    Sqlite { path: PathBuf, query: String },
    /// A PostgreSQL database.
    Postgresql(Server),
    /// A MySQL or MariaDB database.
    Mysql(Server),
    /// An LDAP directory.
    Ldap(Directory),
    /// PAM, by way of saslauthd.
    Pam { socket: PathBuf, service: String },
}

/// A database server, and what to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// A host, or a socket: of PostgreSQL its folder.
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) tls: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) connections: usize,
    pub(crate) query: String,
}

/// A directory, and how a user becomes an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) server: String,
    pub(crate) start_tls: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) entry: EntryOf,
}

/// How a user becomes an entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryOf {
    /// Its name is this, filled.
    Name(String),
    /// It is searched for.
    Search {
        bind_dn: Option<String>,
        password_file: Option<PathBuf>,
        base: String,
        filter: String,
        name_attribute: String,
        maildir_attribute: Option<String>,
    },
}

impl UserTable {
    /// The table that stands for a passwd-file and nothing else.
    pub(crate) const fn passwd_file(path: PathBuf) -> Self {
        Self { kind: UserKind::PasswdFile { path }, maildrop: None }
    }

    /// Where maildrops of its users lie.
    pub(crate) fn layout(
        &self,
        data: &Path,
    ) -> Option<Result<Layout, restante_spool::LayoutError>> {
        self.maildrop.as_deref().map(|template| Layout::parse(template, data))
    }

    /// As it would stand in the file.
    pub(super) fn to_value(&self) -> Value {
        let mut table = toml::Table::new();
        let mut put = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
        match &self.kind {
            UserKind::PasswdFile { path } => {
                put("type", "passwd-file".into());
                put("path", text_of(path));
            }
            UserKind::Static => put("type", "static".into()),
            UserKind::Sqlite { path, query } => {
                put("type", "sqlite".into());
                put("path", text_of(path));
                put("query", query.clone().into());
            }
            UserKind::Postgresql(server) => {
                put("type", "postgresql".into());
                server.put(put);
            }
            UserKind::Mysql(server) => {
                put("type", "mysql".into());
                server.put(put);
            }
            UserKind::Pam { socket, service } => {
                put("type", "pam".into());
                put("socket", text_of(socket));
                put("service", service.clone().into());
            }
            UserKind::Ldap(directory) => {
                put("type", "ldap".into());
                directory.put(put);
            }
        }
        if let Some(maildrop) = &self.maildrop {
            table.insert("maildrop".to_owned(), maildrop.clone().into());
        }
        Value::Table(table)
    }
}

impl Server {
    fn read(keys: &mut Keys<'_>, port: u16) -> Result<Self, String> {
        let server = keys.need("server", Given::name)?;
        // Who can listen in on a socket of this machine can do worse.
        let is_local = server.starts_with('/');
        let tls = keys.take("tls", Given::flag)?.unwrap_or(!is_local);
        if tls && is_local {
            return Err("`tls` is for servers on the network".to_owned());
        }
        let given = keys.take("port", |given| given.count(1..=65535))?;
        Ok(Self {
            server,
            port: given.and_then(|port| u16::try_from(port).ok()).unwrap_or(port),
            database: keys.need("database", Given::name)?,
            user: keys.need("user", Given::name)?,
            password_file: keys.take("password_file", Given::path)?,
            tls,
            ca_file: keys.take("ca_file", Given::path)?,
            connections: keys.take("connections", |given| given.count(1..=64))?.unwrap_or(4),
            query: keys.need("query", query)?,
        })
    }

    fn put(&self, mut put: impl FnMut(&str, Value)) {
        put("server", self.server.clone().into());
        put("port", i64::from(self.port).into());
        put("database", self.database.clone().into());
        put("user", self.user.clone().into());
        if let Some(path) = &self.password_file {
            put("password_file", text_of(path));
        }
        put("tls", self.tls.into());
        if let Some(path) = &self.ca_file {
            put("ca_file", text_of(path));
        }
        put("connections", i64::try_from(self.connections).unwrap_or(i64::MAX).into());
        put("query", self.query.clone().into());
    }
}

impl Directory {
    fn read(keys: &mut Keys<'_>) -> Result<Self, String> {
        let server = keys.need("server", Given::name)?;
        let start_tls = keys.take("start_tls", Given::flag)?.unwrap_or_default();
        let (scheme, rest) = server
            .split_once("://")
            .ok_or("`server`: expected ldaps://HOST, ldap://HOST or ldapi://PATH")?;
        match scheme {
            "ldap" if start_tls || is_this_machine(rest) => {}
            "ldap" => {
                return Err("`server`: passwords need ldaps://, or start_tls = true".to_owned());
            }
            "ldaps" | "ldapi" if !start_tls => {}
            "ldaps" | "ldapi" => return Err("`start_tls` is for ldap://".to_owned()),
            _ => return Err(format!("`server`: {scheme}:// is not ldaps://, ldap:// or ldapi://")),
        }
        let entry = match keys.take("bind", template)? {
            Some(name) => EntryOf::Name(name),
            None => EntryOf::Search {
                bind_dn: keys.take("bind_dn", Given::name)?,
                password_file: keys.take("password_file", Given::path)?,
                base: keys.need("base", Given::name)?,
                filter: keys.need("filter", template)?,
                name_attribute: keys.need("name_attribute", Given::name)?,
                maildir_attribute: keys.take("maildir_attribute", Given::name)?,
            },
        };
        if let EntryOf::Search { bind_dn, password_file, .. } = &entry
            && bind_dn.is_some() != password_file.is_some()
        {
            return Err("`bind_dn` and `password_file` need each other".to_owned());
        }
        Ok(Self { server, start_tls, ca_file: keys.take("ca_file", Given::path)?, entry })
    }

    fn put(&self, mut put: impl FnMut(&str, Value)) {
        put("server", self.server.clone().into());
        put("start_tls", self.start_tls.into());
        if let Some(path) = &self.ca_file {
            put("ca_file", text_of(path));
        }
        match &self.entry {
            EntryOf::Name(name) => put("bind", name.clone().into()),
            EntryOf::Search {
                bind_dn,
                password_file,
                base,
                filter,
                name_attribute,
                maildir_attribute,
            } => {
                if let (Some(dn), Some(path)) = (bind_dn, password_file) {
                    put("bind_dn", dn.clone().into());
                    put("password_file", text_of(path));
                }
                put("base", base.clone().into());
                put("filter", filter.clone().into());
                put("name_attribute", name_attribute.clone().into());
                if let Some(attribute) = maildir_attribute {
                    put("maildir_attribute", attribute.clone().into());
                }
            }
        }
    }
}

fn text_of(path: &Path) -> Value {
    path.to_string_lossy().into_owned().into()
}

fn query(given: &Given<'_>) -> Result<String, String> {
    let sql = given.text()?;
    Query::parse(&sql).map(|_| sql).map_err(|error| error.to_string())
}

fn template(given: &Given<'_>) -> Result<String, String> {
    let text = given.text()?;
    Template::parse(&text).map(|_| text).map_err(|error| error.to_string())
}

/// Whether what stands behind `ldap://` is this machine, by its number.
fn is_this_machine(rest: &str) -> bool {
    let host = rest.split('/').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    };
    let host = host.trim_matches(['[', ']']);
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads all tables.
pub(super) fn tables(given: &Given<'_>) -> Result<Vec<UserTable>, String> {
    let list = given.value.as_array().ok_or("write [[users]] and its keys below")?;
    if list.is_empty() {
        return Err("there must be one at least".to_owned());
    }
    let mut tables = Vec::new();
    for (number, entry) in list.iter().enumerate() {
        let entry = Given { value: entry.get_ref(), folder: given.folder };
        let table = Keys::of(&entry).and_then(table);
        tables.push(table.map_err(|problem| format!("table {}: {problem}", number + 1))?);
    }
    let behind = tables.iter().position(|table| table.kind == UserKind::Static);
    if behind.is_some_and(|position| position + 1 < tables.len()) {
        return Err("the static one knows every name, so it must be the last".to_owned());
    }
    Ok(tables)
}

fn table(mut keys: Keys<'_>) -> Result<UserTable, String> {
    let kind = match keys.need("type", Given::text)?.as_str() {
        "passwd-file" => UserKind::PasswdFile { path: keys.need("path", Given::path)? },
        "static" => UserKind::Static,
        "sqlite" => {
            let (path, query) = (keys.need("path", Given::path)?, keys.need("query", query)?);
            UserKind::Sqlite { path, query }
        }
        "postgresql" => UserKind::Postgresql(Server::read(&mut keys, 5432)?),
        "mysql" => UserKind::Mysql(Server::read(&mut keys, 3306)?),
        "ldap" => UserKind::Ldap(Directory::read(&mut keys)?),
        "pam" => UserKind::Pam {
            socket: keys.take("socket", Given::path)?.unwrap_or_else(|| SASLAUTHD.into()),
            service: keys.take("service", Given::name)?.unwrap_or_else(|| "pop3".to_owned()),
        },
        other => return Err(format!("`type`: `{other}` is none of {TYPES}")),
    };
    let maildrop = keys.take("maildrop", Given::text)?;
    if let Some(template) = &maildrop {
        let layout = Layout::parse(template, Path::new("/"));
        layout.map_err(|error| format!("`maildrop`: {error}"))?;
    }
    keys.finish()?;
    Ok(UserTable { kind, maildrop })
}

const TYPES: &str = "passwd-file, static, sqlite, postgresql, mysql, ldap and pam";
/// Where Debian has it.
const SASLAUTHD: &str = "/run/saslauthd/mux";
