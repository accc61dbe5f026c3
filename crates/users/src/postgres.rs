//! Users in a PostgreSQL database.
//!
//! A few connections are kept for the next question. Queries are sent unprepared, so that a pooler
//! may stand between. In: names. Out: records. Fails when the server cannot be reached or is slow,
//! or the query is none for it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use restante_auth::{Overview, Record, UserDatabase};
use restante_maildrop::Owner;
use restante_proto::Secret;
use rustls::ClientConfig;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connections::{Asked, Connections};
use crate::name::Name;
use crate::row::{self, Example, Row};
use crate::{ANSWER_TIME, Query};

/// Where the database is.
#[derive(Debug)]
pub struct PostgresSettings {
    /// A host's name or address, or the folder of a socket.
    pub server: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Who asks.
    pub user: String,
    /// The password of who asks.
    pub password: Option<Secret<String>>,
    /// How to speak TLS; without it there is none.
    pub tls: Option<ClientConfig>,
    /// Connections at once.
    pub connections: usize,
}

/// Users in a PostgreSQL database.
pub struct Postgres {
    name: String,
    config: Config,
    tls: Option<MakeRustlsConnect>,
    query: Query,
    sql: String,
    connections: Connections<Client>,
    example: Example,
}

impl Postgres {
    /// Those that `query` finds there. Connects when the first user is looked up.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn new(settings: PostgresSettings, query: Query) -> io::Result<Self> {
        let mut config = Config::new();
        if settings.server.starts_with('/') {
            config.host_path(PathBuf::from(&settings.server));
        } else {
            config.host(&settings.server);
        }
        config.port(settings.port).dbname(&settings.database).user(&settings.user);
        config.application_name("restante").connect_timeout(ANSWER_TIME);
        config.tcp_user_timeout(ANSWER_TIME);
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        let tls = settings.tls.is_some();
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        let name = format!("{} on {}:{}", settings.database, settings.server, settings.port);
        Ok(Self {
            name,
            config,
            tls: settings.tls.map(MakeRustlsConnect::new),
            sql: query.sql(|number| format!("${number}")),
            query,
            connections: Connections::new("restante-postgres", settings.connections)?,
            example: Example::default(),
        })
    }

    async fn connect(&self) -> Result<Client, Error> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        Ok(client)
    }
}

impl UserDatabase for Postgres {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        let Some(values) = self.query.values(Name::new(user.as_str())) else { return Ok(None) };
        let connect = async || self.connect().await.map_err(explain);
        let question = async |client: &mut Client| match ask(client, &self.sql, &values).await {
            Ok(rows) => Asked::Answered(rows),
            Err(error) if client.is_closed() => Asked::Broken(explain(error)),
            Err(error) => Asked::Failed(explain(error)),
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

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The rows, or why what came cannot be read; the error outside is the connection's.
async fn ask(client: &Client, sql: &str, values: &[&str]) -> Result<io::Result<Vec<Row>>, Error> {
    // The server knows best what type a parameter has.
    let typed: Vec<_> =
        values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
    let rows = client.query_typed(sql, &typed).await?;
    Ok(rows.iter().take(2).map(columns).collect())
}

fn columns(row: &tokio_postgres::Row) -> io::Result<Row> {
    let columns = row.columns().iter().enumerate();
    columns
        .map(|(place, column)| {
            let value = match *column.type_() {
                Type::BOOL => {
                    row.try_get::<_, Option<bool>>(place).map(|v| v.map(|v| v.to_string()))
                }
                Type::INT2 => {
                    row.try_get::<_, Option<i16>>(place).map(|v| v.map(|v| v.to_string()))
                }
                Type::INT4 => {
                    row.try_get::<_, Option<i32>>(place).map(|v| v.map(|v| v.to_string()))
                }
                Type::INT8 => {
                    row.try_get::<_, Option<i64>>(place).map(|v| v.map(|v| v.to_string()))
                }
                _ => row.try_get::<_, Option<String>>(place),
            };
            let unfit = |_| {
                let problem = format!(
                    "column `{}` is {}, which cannot be read: cast it to text",
                    column.name(),
                    column.type_()
                );
                io::Error::new(io::ErrorKind::InvalidData, problem)
            };
            Ok((column.name().to_owned(), value.map_err(unfit)?))
        })
        .collect()
}

/// The error with what the server said, which its own text leaves out.
fn explain(error: Error) -> io::Error {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    io::Error::other(text)
}
