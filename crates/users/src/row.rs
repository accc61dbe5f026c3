//! What a database answers, as a user.
//!
//! In: named values, each a text or nothing. Out: a record, or an error that names the column
//! whose value cannot be right. A column that means nothing here is an error too: misspelt, it
//! would let in whom it should keep out.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use restante_auth::{Credential, Hash, Overview, Record, expire_days, login_delay, networks};
use restante_maildrop::{Account, OwnTerms, Owner, Terms};

use crate::Query;

/// Named values.
pub(crate) type Row = Vec<(String, Option<String>)>;

/// What is known of all users of a database that is asked for one at a time.
#[derive(Debug, Default)]
pub(crate) struct Example(Mutex<Seen>);

/// What those had who were asked for.
#[derive(Debug, Default)]
struct Seen {
    /// A hash that one of them has, so that one of equal cost can stand in for nobody's.
    hash: Option<Arc<Hash>>,
    own_terms: OwnTerms,
}

impl Example {
    pub(crate) fn note(&self, record: &Record) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.own_terms = seen.own_terms.and(OwnTerms::of(&record.account.terms));
        if let Credential::Hash(hash) = &record.credential {
            seen.hash = Some(Arc::clone(hash));
        }
    }

    /// Of a database that is asked by `query`. A column that it names may hold anything: nobody
    /// can tell the worst of it, only that it may differ from user to user.
    pub(crate) fn overview(&self, query: &Query) -> Overview {
        let named = OwnTerms {
            login_delay_max: query.mentions("login_delay").then_some(Duration::ZERO),
            expire_days_min: query.mentions("expire").then_some(0),
        };
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Overview::of_example(seen.hash.clone()).with_terms(named.and(seen.own_terms))
    }
}

/// The user that a row tells of.
pub(crate) fn record(row: Row) -> io::Result<Record> {
    let (mut owner, mut place, mut terms) = (None, None, Terms::default());
    let (mut password, mut enabled) = (None, true);
    for (column, value) in row {
        let wrong = |why: &str| Err(invalid(format!("column `{column}`: {why}")));
        match (column.as_str(), value) {
            ("user", Some(name)) => match Owner::new(&name) {
                Ok(named) => owner = Some(named),
                Err(error) => return wrong(&error.to_string()),
            },
            ("user", None) => return wrong("it is NULL"),
            ("password", value) => password = value.filter(|value| !value.is_empty()),
            ("maildir", value) => {
                place = value.filter(|value| !value.is_empty()).map(PathBuf::from);
                if place.as_ref().is_some_and(|place| !place.is_absolute()) {
                    return wrong("the path must begin with a slash");
                }
            }
            ("allow_nets", None) => {}
            ("allow_nets", Some(list)) => {
                let (good, bad) = networks(&list);
                if !bad.is_empty() {
                    return wrong(&format!("{} is no network", bad.join(", ")));
                }
                terms.networks = Some(good);
            }
            ("login_delay" | "expire", None) => {}
            ("login_delay", Some(seconds)) => match login_delay(&seconds) {
                Some(delay) => terms.login_delay = Some(delay),
                None => return wrong("it is no number of seconds"),
            },
            ("expire", Some(days)) => match expire_days(&days) {
                Some(days) => terms.expire_days = Some(days),
                None => return wrong("it is no number of days"),
            },
            ("enabled", None) => enabled = false,
            ("enabled", Some(flag)) => match flag.to_ascii_lowercase().as_str() {
                "1" | "t" | "true" | "y" | "yes" => enabled = true,
                "0" | "f" | "false" | "n" | "no" => enabled = false,
                _ => return wrong("it is neither true nor false"),
            },
            _ => {
                return wrong(
                    "it means nothing here; known are user, password, maildir, allow_nets, \
                     login_delay, expire and enabled",
                );
            }
        }
    }
    let owner = owner.ok_or_else(|| invalid("the query gives no column `user`".to_owned()))?;
    let credential = match password.as_deref().map(Hash::parse) {
        Some(Ok(hash)) if enabled => Credential::Hash(Arc::new(hash)),
        Some(Err(error)) => return Err(invalid(format!("column `password`: {error}"))),
        _ if enabled => Credential::Unusable,
        _ => Credential::Barred,
    };
    let owner = match place {
        Some(place) => owner.at(place),
        None => owner,
    };
    Ok(Record { account: Account { owner, terms }, credential })
}

/// Several rows for one name leave open who is meant.
pub(crate) fn several() -> io::Error {
    invalid("the query gives several rows for one name".to_owned())
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn row(values: &[(&str, &str)]) -> Row {
        let value = |text: &str| (text != "NULL").then(|| text.to_owned());
        values.iter().map(|(column, text)| ((*column).to_owned(), value(text))).collect()
    }

    #[test]
    fn a_row_is_a_user() {
        let fred = record(row(&[
            ("user", "fred"),
            ("password", "{PLAIN}x"),
            ("maildir", "/m/fred"),
            ("allow_nets", "192.0.2.0/24,::1"),
            ("enabled", "t"),
        ]))
        .unwrap();
        assert_eq!(fred.account.owner.as_str(), "fred");
        assert_eq!(fred.account.owner.place(), Some(Path::new("/m/fred")));
        assert!(!fred.account.terms.allow("192.0.3.1".parse().unwrap()));
        assert!(matches!(fred.credential, Credential::Hash(_)));
        for (shut, barred) in [
            (&[("user", "a"), ("password", "{PLAIN}x"), ("enabled", "0")][..], true),
            (&[("user", "a"), ("password", "{PLAIN}x"), ("enabled", "NULL")], true),
            (&[("user", "a"), ("enabled", "0")], true),
            (&[("user", "a"), ("password", "NULL")], false),
            (&[("user", "a"), ("password", "")], false),
            (&[("user", "a")], false),
        ] {
            let shut = record(row(shut)).unwrap();
            match (&shut.credential, barred) {
                (Credential::Barred, true) | (Credential::Unusable, false) => {}
                _ => panic!("{shut:?}"),
            }
        }
    }

    /// Goal: where the query names a column, it may differ from user to user before anybody was
    /// asked for; where it does not, as soon as somebody has one.
    #[test]
    fn s41_s42_the_worst_terms_are_those_of_the_users_seen() {
        let terms = |delay_s: Option<u64>, expire_days_min| OwnTerms {
            login_delay_max: delay_s.map(Duration::from_secs),
            expire_days_min,
        };
        for (sql, before) in [
            ("SELECT user, Login_Delay, a.expire FROM a WHERE n = :user", terms(Some(0), Some(0))),
            ("SELECT *, '' AS expires FROM logins WHERE login_delays = :user", terms(None, None)),
        ] {
            let (query, example) = (Query::parse(sql).unwrap(), Example::default());
            assert_eq!(example.overview(&query).own_terms(), before, "{sql}");
            for (delay, days) in [("300", "0"), ("0", "30"), ("60", "90"), ("NULL", "NULL")] {
                let values = [("user", "a"), ("login_delay", delay), ("expire", days)];
                example.note(&record(row(&values)).unwrap());
            }
            let after = example.overview(&query).own_terms();
            assert_eq!(after, terms(Some(300), Some(30)), "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_said_and_lets_nobody_in() {
        for (values, says) in [
            (&[("password", "{PLAIN}x")][..], "no column `user`"),
            (&[("user", "NULL")], "NULL"),
            (&[("user", "../x")], "dot"),
            (&[("user", "a"), ("password", "{NIS}x")], "scheme"),
            (&[("user", "a"), ("maildir", "m")], "slash"),
            (&[("user", "a"), ("allow_nets", "home")], "home is no network"),
            (&[("user", "a"), ("login_delay", "soon")], "seconds"),
            (&[("user", "a"), ("expire", "-1")], "days"),
            (&[("user", "a"), ("enabled", "perhaps")], "neither"),
            (&[("user", "a"), ("alow_nets", "::1")], "means nothing"),
        ] {
            let error = record(row(values)).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
