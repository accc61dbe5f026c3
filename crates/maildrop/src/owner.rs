//! Whose maildrop it is.

use std::fmt;

/// A user's name, checked so that it can never leave the place where maildrops lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(Box<str>);

impl Owner {
    /// The longest name, in octets: an address has at most 254 (RFC 5321).
    pub const OCTETS_MAX: usize = 255;

    /// `name` when it can name a user: no control characters, no `/`, no NUL, not `.` or `..`.
    ///
    /// # Errors
    /// [`BadOwner`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, BadOwner> {
        let problem = if name.is_empty() {
            "it is empty"
        } else if name.len() > Self::OCTETS_MAX {
            "it is longer than 255 octets"
        } else if name.starts_with('.') {
            "it begins with a dot"
        } else if name.chars().any(|c| c == '/' || c == '\\') {
            "it holds a slash or backslash"
        } else if name.chars().any(char::is_control) {
            "it holds a control character"
        } else {
            return Ok(Self(name.into()));
        };
        Err(BadOwner(problem))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that cannot be a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable user name: {0}")]
pub struct BadOwner(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_mail_folder_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "a\nb", ".hidden"] {
            assert!(Owner::new(name).is_err(), "{name:?}");
        }
        assert!(Owner::new(&"x".repeat(256)).is_err());
        for name in ["fred", "fred@example.org", "%s%n", "${x}", "Jörg Müller", "-rf", "a..b"] {
            assert_eq!(Owner::new(name).unwrap().as_str(), name);
        }
    }
}
