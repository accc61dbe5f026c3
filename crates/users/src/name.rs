//! A user's name and its parts, and templates that they fill.

use std::borrow::Cow;

/// A user's name and its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    user: &'a str,
    local: &'a str,
    domain: Option<&'a str>,
}

/// What a template or a query asks of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    User,
    /// What stands before the last `@`.
    Local,
    /// What stands behind it.
    Domain,
}

impl Part {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "user" => Some(Self::User),
            "local" => Some(Self::Local),
            "domain" => Some(Self::Domain),
            _ => None,
        }
    }

    /// Whether it tells users apart.
    pub(crate) const fn names_user(self) -> bool {
        matches!(self, Self::User | Self::Local)
    }
}

impl<'a> Name<'a> {
    pub(crate) fn new(user: &'a str) -> Self {
        match user.rsplit_once('@') {
            Some((local, domain)) => Self { user, local, domain: Some(domain) },
            None => Self { user, local: user, domain: None },
        }
    }

    pub(crate) const fn part(&self, part: Part) -> Option<&'a str> {
        match part {
            Part::User => Some(self.user),
            Part::Local => Some(self.local),
            Part::Domain => self.domain,
        }
    }
}

/// A text with `{user}`, `{local}` and `{domain}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(Part),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`BadTemplate`] when it has other placeholders, or none that names a user.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or(BadTemplate::Unbalanced)?;
            let part = Part::named(name).ok_or_else(|| BadTemplate::Unknown(name.to_owned()))?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Part(part)]);
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let names_user = |piece: &Piece| matches!(piece, Piece::Part(part) if part.names_user());
        if pieces.iter().any(names_user) { Ok(Self(pieces)) } else { Err(BadTemplate::NoUser) }
    }

    /// The text with the parts of a name in it, each escaped; nothing where the name has no
    /// domain and one is asked for.
    pub(crate) fn fill(
        &self,
        name: Name<'_>,
        escape: impl Fn(&str) -> Cow<'_, str>,
    ) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Part(part) => filled.push_str(&escape(name.part(*part)?)),
            }
        }
        Some(filled)
    }
}

/// Whether a name is written in the one way that it can be taken back to where nobody says how it
/// is written: to a directory, and to who asks one, large letters are small ones and many spaces
/// are one (RFC 4518), so `Fred` would be let in as fred, and find an empty maildrop of his own.
pub(crate) fn is_canonical(name: &str) -> bool {
    let folds = |c: char| c.is_uppercase() || (c.is_whitespace() && c != ' ');
    !name.contains(folds) && name.trim() == name && !name.contains("  ") && name.is_ascii()
}

/// A template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTemplate {
    /// A placeholder that does not exist.
    #[error("unknown placeholder {{{0}}}: use {{user}}, {{local}} or {{domain}}")]
    Unknown(String),
    /// A brace without its partner.
    #[error("a brace without its partner")]
    Unbalanced,
    /// It is the same for all users.
    #[error("neither {{user}} nor {{local}} is in it, so it is the same for all users")]
    NoUser,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fill_templates_as_they_are_but_for_the_escape() {
        let template = Template::parse("(&(uid={local})(dc={domain}))").unwrap();
        let fill = |name| template.fill(Name::new(name), |part| part.replace('*', "\\2a").into());
        assert_eq!(fill("fred@example.org").as_deref(), Some("(&(uid=fred)(dc=example.org))"));
        assert_eq!(fill("{user}*@x@y").as_deref(), Some("(&(uid={user}\\2a@x)(dc=y))"));
        assert_eq!(fill("fred"), None);
        assert_eq!(Template::parse("{domain}"), Err(BadTemplate::NoUser));
        assert_eq!(Template::parse("{user"), Err(BadTemplate::Unbalanced));
        assert_eq!(Template::parse("{uid}"), Err(BadTemplate::Unknown("uid".to_owned())));
    }

    #[test]
    fn names_that_a_directory_takes_for_others_are_not_canonical() {
        for name in ["fred", "fred@example.org", "fred smith", "a,b=c", "*"] {
            assert!(is_canonical(name), "{name}");
        }
        for name in ["Fred", " fred", "fred ", "fred  smith", "fr\u{a0}ed", "\u{ff46}red", "ß"] {
            assert!(!is_canonical(name), "{name:?}");
        }
    }
}
