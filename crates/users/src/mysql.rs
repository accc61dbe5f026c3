//! Users in a MySQL or MariaDB database.
//!
//! A few connections are kept for the next question. In: names. Out: records. Fails when the
//! server cannot be reached or is slow, or the query is none for it. TLS has no fallback; files of
//! this machine that a server asks for (`LOAD DATA LOCAL`) are never sent.

use std::fmt;
use std::io;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, SslOpts, Value};
use restante_auth::{Overview, Record, UserDatabase};
use restante_maildrop::Owner;
use restante_proto::Secret;
use rustls::pki_types::CertificateDer;

use crate::Query;
use crate::connections::{Asked, Connections};
use crate::name::Name;
use crate::row::{self, Example, Row};

/// Where the database is.
#[derive(Debug)]
pub struct MysqlSettings {
    /// A host's name or address, or a socket.
    pub server: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Who asks.
    pub user: String,
    /// The password of who asks.
    pub password: Option<Secret<String>>,
    /// Whose word to trust for the server's certificate; without it there is no TLS.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    /// Connections at once.
    pub connections: usize,
}

/// Users in a MySQL or MariaDB database.
pub struct Mysql {
    name: String,
    options: Opts,
    query: Query,
    sql: String,
    connections: Connections<Conn>,
    example: Example,
}

impl Mysql {
    /// Those that `query` finds there. Connects when the first user is looked up.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn new(settings: MysqlSettings, query: Query) -> io::Result<Self> {
        let MysqlSettings { server, port, database, user, password, authorities, .. } = settings;
        let name = format!("{database} on {server}:{port}");
        // Asked for its socket, a server on this machine would name a file to go on with.
        let mut options = OptsBuilder::default().prefer_socket(Some(false));
        options = match server.starts_with('/') {
            true => options.socket(Some(server)),
            false => options.ip_or_hostname(server).tcp_port(port),
        };
        options = options.user(Some(user)).db_name(Some(database));
        options = options.pass(password.map(|password| password.expose().clone()));
        options = options.ssl_opts(authorities.map(|authorities| {
            let trusted = authorities.iter().map(|authority| authority.to_vec().into()).collect();
            SslOpts::default().with_disable_built_in_roots(true).with_root_certs(trusted)
        }));
        Ok(Self {
            name,
            options: options.into(),
            sql: query.sql(|_| "?".to_owned()),
            query,
            connections: Connections::new("restante-mysql", settings.connections)?,
            example: Example::default(),
        })
    }
}

impl UserDatabase for Mysql {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        let Some(values) = self.query.values(Name::new(user.as_str())) else { return Ok(None) };
        let connect = async || Conn::new(self.options.clone()).await.map_err(io::Error::other);
        let question = async |connection: &mut Conn| match ask(connection, &self.sql, &values).await
        {
            Ok(rows) => Asked::Answered(rows),
            Err(error) if error.is_fatal() => Asked::Broken(io::Error::other(error)),
            Err(error) => Asked::Failed(io::Error::other(error)),
        };
        let mut rows = self.connections.ask(connect, question)?;
        let Some(row) = rows.pop() else { return Ok(None) };
        if !rows.is_empty() {
            return Err(row::several());
        }
        let record = row::record(row)?;
        self.example.note(&record);
        Ok(Some(record))
    }

    fn overview(&self) -> io::Result<Overview> {
        Ok(self.example.overview(&self.query))
    }
}

impl fmt::Debug for Mysql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mysql").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The rows, or why what came cannot be read; the error outside is the connection's.
async fn ask(
    connection: &mut Conn,
    sql: &str,
    values: &[&str],
) -> Result<io::Result<Vec<Row>>, Error> {
    let values = values.iter().map(|value| Value::from(*value)).collect();
    // A statement with parameters is prepared: they never become part of its text.
    let mut answer = connection.exec_iter(sql, Params::Positional(values)).await?;
    let mut rows = Vec::new();
    while rows.len() < ROWS
        && let Some(row) = answer.next().await?
    {
        rows.push(columns(&row));
    }
    answer.drop_result().await?;
    Ok(rows.into_iter().collect())
}

fn columns(row: &mysql_async::Row) -> io::Result<Row> {
    let columns = row.columns_ref().iter().enumerate();
    columns
        .map(|(place, column)| {
            let name = column.name_str().into_owned();
            let value = match row.as_ref(place) {
                None | Some(Value::NULL) => None,
                Some(Value::Bytes(text)) => Some(String::from_utf8_lossy(text).into_owned()),
                Some(Value::Int(number)) => Some(number.to_string()),
                Some(Value::UInt(number)) => Some(number.to_string()),
                Some(_) => {
                    let problem = format!("column `{name}` cannot be read: cast it to char");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
            };
            Ok((name, value))
        })
        .collect()
}

/// One for the user, and one that shows that there are more.
const ROWS: usize = 2;
