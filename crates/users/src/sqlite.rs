//! Users in an SQLite database.
//!
//! The file is opened for each question, to read and no more, so that one that was replaced is
//! seen; another program that writes is waited for. In: names. Out: records. Fails when the file
//! cannot be read, or the query is none for it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use restante_auth::{Overview, Record, UserDatabase};
use restante_maildrop::Owner;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::Query;
use crate::name::Name;
use crate::row::{self, Example, Row};

/// Users in an SQLite database.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    query: Query,
    example: Example,
}

impl Sqlite {
    /// Those that `query` finds in the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf, query: Query) -> Self {
        Self { path, query, example: Example::default() }
    }

    fn rows(&self, values: &[&str]) -> rusqlite::Result<Vec<Row>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIME)?;
        let sql = self.query.sql(|number| format!("?{number}"));
        let mut statement = connection.prepare(&sql)?;
        let columns: Vec<_> = statement.column_names().map(str::to_owned).collect();
        let mut found = statement.query(params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()?.filter(|_| rows.len() < ROWS) {
            let value =
                |(place, column): (usize, &String)| Ok((column.clone(), text(row.get_ref(place)?)));
            rows.push(columns.iter().enumerate().map(value).collect::<rusqlite::Result<_>>()?);
        }
        Ok(rows)
    }
}

impl UserDatabase for Sqlite {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        let Some(values) = self.query.values(Name::new(user.as_str())) else { return Ok(None) };
        let mut rows = self.rows(&values).map_err(io::Error::other)?;
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

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
    }
}

/// How long another program that writes is waited for.
const BUSY_TIME: Duration = Duration::from_secs(5);
/// One for the user, and one that shows that there are more.
const ROWS: usize = 2;

#[cfg(test)]
mod tests {
    use restante_auth::Credential;

    use super::*;

    const QUERY: &str = "SELECT user, password, enabled FROM users WHERE user = :user";

    fn database(query: &str) -> (tempfile::TempDir, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE users (user TEXT COLLATE NOCASE, password TEXT, enabled INTEGER);
                 INSERT INTO users VALUES ('fred', '{PLAIN}one', 1), ('shut', '{PLAIN}two', 0),
                 ('twin', '{PLAIN}a', 1), ('twin', '{PLAIN}b', 1);",
            )
            .unwrap();
        (folder, Sqlite::new(path, Query::parse(query).unwrap()))
    }

    fn find(database: &Sqlite, name: &str) -> io::Result<Option<Record>> {
        database.find(&Owner::new(name).unwrap())
    }

    #[test]
    fn users_are_found_by_the_name_the_database_writes() {
        let (_folder, database) = database(QUERY);
        let fred = find(&database, "FRED").unwrap().unwrap();
        assert_eq!(fred.account.owner.as_str(), "fred");
        assert!(matches!(fred.credential, Credential::Hash(_)));
        let shut = find(&database, "shut").unwrap().unwrap();
        assert!(matches!(shut.credential, Credential::Barred));
        assert!(find(&database, "nobody").unwrap().is_none());
        assert!(find(&database, "twin").unwrap_err().to_string().contains("several rows"));
    }

    #[test]
    fn r21_a_name_is_a_parameter_and_never_sql() {
        let (_folder, database) = database(QUERY);
        for name in
            ["' OR '1'='1", "fred' --", "fred'; DROP TABLE users; --", "%", "_red", ":user", "?1"]
        {
            assert!(find(&database, name).unwrap().is_none(), "{name}");
        }
        assert!(find(&database, "fred").unwrap().is_some());
    }

    #[test]
    fn a_file_that_cannot_be_asked_is_an_error_and_nothing_is_written() {
        let (folder, database) = database("DELETE FROM users WHERE user = :user RETURNING user");
        assert!(find(&database, "fred").is_err(), "opened to read");
        let database = Sqlite::new(database.path, Query::parse(QUERY).unwrap());
        assert!(find(&database, "fred").unwrap().is_some());
        let missing = folder.path().join("missing.db");
        let missing = Sqlite::new(missing, Query::parse(QUERY).unwrap());
        assert!(find(&missing, "fred").is_err());
        assert!(!missing.path.exists());
        let (_folder, unfit) = self::database("SELECT password FROM users WHERE user = :user");
        assert!(find(&unfit, "fred").unwrap_err().to_string().contains("column `user`"));
    }
}
