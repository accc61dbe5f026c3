//! A query that asks an SQL database for one user.
//!
//! In: SQL with the parameters `:user`, `:local` and `:domain`. Out: the same SQL with the
//! parameters as a database writes them, and what to bind to each. Text in quotes and comments
//! is left alone, and nothing is ever put into it: names are bound, not written.

use crate::name::{Name, Part};

/// A query for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What stands before each parameter, and behind the last.
    texts: Vec<String>,
    parts: Vec<Part>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`BadQuery`] when it has other parameters, or none that names a user.
    pub fn parse(sql: &str) -> Result<Self, BadQuery> {
        let mut query = Self { texts: Vec::new(), parts: Vec::new() };
        let mut text = String::new();
        let mut rest = sql;
        while let Some(first) = rest.chars().next() {
            let octets = token(rest, first);
            let (token, behind) = rest.split_at(octets);
            rest = behind;
            match token.strip_prefix(':').filter(|name| !name.is_empty() && *name != ":") {
                Some(name) => {
                    let part = Part::named(name).ok_or_else(|| BadQuery::Unknown(name.into()))?;
                    query.texts.push(std::mem::take(&mut text));
                    query.parts.push(part);
                }
                None => text.push_str(token),
            }
        }
        query.texts.push(text);
        if query.parts.iter().any(|part| part.names_user()) {
            Ok(query)
        } else {
            Err(BadQuery::NoUser)
        }
    }

    /// The SQL, with each parameter as `write` has it; parameters are counted from 1.
    pub(crate) fn sql(&self, write: impl Fn(usize) -> String) -> String {
        let mut texts = self.texts.iter();
        let mut sql = texts.next().cloned().unwrap_or_default();
        for (number, text) in texts.enumerate() {
            sql.push_str(&write(number + 1));
            sql.push_str(text);
        }
        sql
    }

    /// Whether the word `name` is in it, in letters of either case.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let mut words = self
            .texts
            .iter()
            .flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric() && letter != '_'));
        words.any(|word| word.eq_ignore_ascii_case(name))
    }

    /// What to bind, in order; nothing when the name has no domain and one is asked for.
    pub(crate) fn values<'a>(&self, name: Name<'a>) -> Option<Vec<&'a str>> {
        self.parts.iter().map(|part| name.part(*part)).collect()
    }
}

/// Octets of the token that `text` begins with: a text in quotes, a comment, a parameter, `::`, or
/// one character.
fn token(text: &str, first: char) -> usize {
    let until = |end: &str, from: usize| {
        let found = text.get(from..).and_then(|rest| rest.find(end));
        found.map_or(text.len(), |place| from + place + end.len())
    };
    match first {
        // A quote in a text is written twice, which reads as two texts.
        '\'' => until("'", 1),
        '"' => until("\"", 1),
        '`' => until("`", 1),
        '-' if text.starts_with("--") => until("\n", 2),
        '/' if text.starts_with("/*") => until("*/", 2),
        ':' if text.starts_with("::") => 2,
        ':' => {
            let is_end = |c: char| !c.is_alphanumeric() && c != '_';
            let name = text.get(1..).unwrap_or_default();
            1 + name.find(is_end).unwrap_or(name.len())
        }
        other => other.len_utf8(),
    }
}

/// A query cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadQuery {
    /// A parameter that does not exist.
    #[error("unknown parameter :{0}: use :user, :local or :domain")]
    Unknown(String),
    /// It is the same for all users.
    #[error("neither :user nor :local is in it, so it is the same for all users")]
    NoUser,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(text: &str) -> String {
        Query::parse(text).unwrap().sql(|number| format!("${number}"))
    }

    #[test]
    fn parameters_are_bound_and_all_else_stays() {
        for (text, expected) in [
            ("SELECT a FROM u WHERE n = :user", "SELECT a FROM u WHERE n = $1"),
            ("x=:local AND y=:domain;", "x=$1 AND y=$2;"),
            ("n = :user::text -- :nobody", "n = $1::text -- :nobody"),
            (
                "':x''y' || \":z\" /* :c */ || `:b` || :user",
                "':x''y' || \":z\" /* :c */ || `:b` || $1",
            ),
            ("lower(:user)=lower(n) ä :user", "lower($1)=lower(n) ä $2"),
            (":user 'open :x", "$1 'open :x"),
        ] {
            assert_eq!(sql(text), expected, "{text}");
        }
        let query = Query::parse(":domain :local :user :user").unwrap();
        let values = query.values(Name::new("fred@example.org"));
        assert_eq!(
            values,
            Some(vec!["example.org", "fred", "fred@example.org", "fred@example.org"])
        );
        assert_eq!(query.values(Name::new("fred")), None);
    }

    #[test]
    fn queries_for_everybody_and_unknown_parameters_are_refused() {
        for text in ["SELECT 1", "SELECT ':user'", "x = :domain", "a::user"] {
            assert_eq!(Query::parse(text), Err(BadQuery::NoUser), "{text}");
        }
        assert_eq!(Query::parse("x = :name"), Err(BadQuery::Unknown("name".to_owned())));
    }
}
