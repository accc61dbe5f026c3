//! Whose maildrop it is.

use std::fmt;
use std::path::{Path, PathBuf};

/// A user's name, and which of the user's folders is meant where it is not the maildrop itself;
/// both checked so that they can never leave the place where maildrops lie. A user database may
/// give a user another place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    name: Box<str>,
    folder: Option<Box<str>>,
    place: Option<Box<Path>>,
}

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
            return Ok(Self { name: name.into(), folder: None, place: None });
        };
        Err(BadOwner(problem))
    }

    /// The same user's folder `folder`, levels parted by dots (Maildir++); INBOX is the maildrop
    /// itself. Whether there is such a folder is the store's to know.
    ///
    /// # Errors
    /// [`BadOwner`] says what is wrong with it.
    pub fn in_folder(&self, folder: &str) -> Result<Self, BadOwner> {
        let problem = if folder.split('.').any(str::is_empty) {
            "a level of the folder has no name"
        } else if folder.len() >= Self::OCTETS_MAX {
            "the folder's name is longer than 254 octets"
        } else if folder.chars().any(|c| c == '/' || c == '\\') {
            "the folder's name holds a slash or backslash"
        } else if folder.chars().any(char::is_control) {
            "the folder's name holds a control character"
        } else {
            let itself = folder.eq_ignore_ascii_case("INBOX");
            let folder = (!itself).then(|| folder.into());
            return Ok(Self { name: self.name.clone(), folder, place: self.place.clone() });
        };
        Err(BadOwner(problem))
    }

    /// The same owner, whose maildrop lies at `place`, wherever those of others do.
    #[must_use]
    pub fn at(mut self, place: PathBuf) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Where the maildrop lies, if it lies in a place of its own.
    #[must_use]
    pub fn place(&self) -> Option<&Path> {
        self.place.as_deref()
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The folder, where it is not the maildrop itself.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.folder.as_ref().map_or(Ok(()), |folder| write!(f, ", folder {folder}"))
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
    fn folders_that_would_leave_the_maildrop_are_refused() {
        let fred = Owner::new("fred").unwrap();
        for folder in ["", ".", "..", ".x", "x.", "a..b", "a/b", "a\\b", "a\0b", "a\nb"] {
            assert!(fred.in_folder(folder).is_err(), "{folder:?}");
        }
        assert!(fred.in_folder(&"x".repeat(255)).is_err());
        assert_eq!(fred.in_folder("Inbox").unwrap(), fred);
        let lists = fred.in_folder("Lists.rust").unwrap();
        assert_eq!((lists.as_str(), lists.folder()), ("fred", Some("Lists.rust")));
        assert_eq!(lists.to_string(), "fred, folder Lists.rust");
        assert_ne!(lists, fred);
        let elsewhere = fred.at("/m/fred".into()).in_folder("Lists").unwrap();
        assert_eq!(elsewhere.place(), Some(Path::new("/m/fred")));
    }

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
